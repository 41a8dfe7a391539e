//! Routes whose end is announced: `Deprecation` (RFC 9745), `Sunset` (RFC 8594), `Link`, and the OpenAPI document. The routes are the test's own.

use std::sync::Arc;

use actix_web::body::BoxBody;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::HeaderMap;
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, HttpResponse, test};
use jiff::civil::date;
use lrs_gateway::api::health::ReadinessCheck;
use lrs_gateway::api::json::Json;
use lrs_gateway::api::work::ProblemOf;
use lrs_gateway::app::{AppState, State};
use lrs_gateway::auth::Verifier;
use lrs_gateway::batches::{BatchService, BatchSettings};
use lrs_gateway::lrs::{Lrs, LrsAddress, LrsSettings};
use lrs_gateway::organisations::OrganisationRegistry;
use lrs_gateway::problem::{Code, Problem};
use lrs_gateway::rate_limit::{RateLimiter, Rates};
use lrs_gateway::server::deprecation::Deprecation;
use lrs_gateway::server::middleware::{ServerContext, around_request};
use lrs_gateway::server::public_url::PublicUrl;
use lrs_gateway::server::route::{Route, deprecated_routes, get, mount};
use lrs_gateway::storage::Storage;
use serde_json::{Value, json};

use super::UNREACHABLE_LRS;

struct ReadRowsDocs;

/// Read rows
///
/// Returns rows.
#[utoipa::path(get, path = "", impl_for = ReadRowsDocs, responses((status = 200, description = "Rows.", body = String)))]
async fn read_rows(_: State) -> Json<Value> {
    Json(json!({"rows": []}))
}

struct FailDocs;

/// Fail
///
/// Fails.
#[utoipa::path(get, path = "", impl_for = FailDocs, responses((status = 200, description = "Never.")))]
async fn fail(_: State) -> Result<HttpResponse, ProblemOf<ReadinessCheck>> {
    Err(Problem::new(Code::NotReady).retry_soon().into())
}

fn routes() -> Vec<Route> {
    let deprecation = |successor| Deprecation::new(date(2027, 3, 1), date(2028, 3, 1), successor);
    vec![
        get("/v1/old/{batchId}/rows", "readOldRows", read_rows, &ReadRowsDocs).deprecated(deprecation("/v1/new/{batchId}/rows.csv")),
        get("/v1/new/{batchId}/rows.csv", "readRows", read_rows, &ReadRowsDocs),
        get("/v1/failing", "fail", fail, &FailDocs).deprecated(deprecation("/v2/working")),
    ]
}

fn state() -> AppState {
    let storage = Storage::in_memory().expect("random numbers are available");
    let lrs = Lrs::new(LrsSettings::for_address(LrsAddress::new(UNREACHABLE_LRS.to_owned()).expect("an address")));
    let batches = BatchService::with_storage(&storage, BatchSettings::default());
    let rate_limits = RateLimiter::new(Rates::default(), 1, &storage);
    AppState::new(Verifier::new(Vec::new()), OrganisationRegistry::new(Vec::new()), lrs, batches, rate_limits, &storage)
}

/// Returns the status and the headers of the answer to a request for a path.
async fn answer(method: test::TestRequest, path: &str, public_url: Option<PublicUrl>) -> (u16, HeaderMap) {
    let context = Arc::new(ServerContext { deprecated_routes: deprecated_routes(&routes()), public_url, ..ServerContext::default() });
    let state = Arc::new(state());
    let app = App::new()
        .wrap(from_fn(move |request: ServiceRequest, next: Next<BoxBody>| around_request(context.clone(), request, next)))
        .configure(|services| mount(routes(), &state, services));
    let app = test::init_service(app).await;
    let response = test::call_service(&app, method.uri(path).to_request()).await;
    (response.status().as_u16(), response.headers().clone())
}

fn texts(headers: &HeaderMap) -> [&str; 3] {
    ["deprecation", "sunset", "link"].map(|name| headers.get(name).map_or("", |value| value.to_str().expect("text")))
}

#[actix_web::test]
async fn deprecated_route_announces_its_end_and_its_successor_in_every_answer() {
    let (since, sunset) = ("@1803859200", "Wed, 01 Mar 2028 00:00:00 GMT");
    let successor = "<../../../v1/new/7/rows.csv>; rel=\"successor-version\"";
    for request in [test::TestRequest::get(), test::TestRequest::default().method(actix_web::http::Method::HEAD)] {
        let (status, headers) = answer(request, "/v1/old/7/rows?limit=1", None).await;
        assert_eq!((status, texts(&headers)), (200, [since, sunset, successor]));
    }
    let (status, headers) = answer(test::TestRequest::get(), "/v1/failing", None).await;
    assert_eq!(
        (status, texts(&headers)),
        (503, [since, sunset, "<../v2/working>; rel=\"successor-version\""]),
        "problems have the headers too"
    );
    let (status, headers) = answer(test::TestRequest::get(), "/v1/new/7/rows.csv", None).await;
    assert_eq!((status, texts(&headers)), (200, ["", "", ""]), "the successor stays");
}

#[actix_web::test]
async fn deprecated_route_behind_a_proxy_has_the_public_address_of_its_successor() {
    use lrs_gateway::schema::Scalar as _;
    let public_url = PublicUrl::parse("https://mis.example/lrs").expect("an address");
    let (_, headers) = answer(test::TestRequest::get(), "/v1/old/7/rows", Some(public_url)).await;
    assert_eq!(texts(&headers)[2], "<https://mis.example/lrs/v1/new/7/rows.csv>; rel=\"successor-version\"");
}

#[actix_web::test]
async fn deprecated_route_is_described_as_deprecated_with_dates_successor_and_headers() {
    let described = routes().iter().map(|route| serde_json::to_value(route.description().operation).expect("JSON")).collect::<Vec<_>>();
    assert_eq!((&described[0]["deprecated"], &described[1]["deprecated"]), (&json!(true), &Value::Null));
    let text = described[0]["description"].as_str().expect("a text");
    assert!(
        text.starts_with("Deprecated since 2027-03-01. It ends on 2028-03-01. Use `/v1/new/{batchId}/rows.csv` instead.\n\nReturns"),
        "{text}"
    );
    let headers = described[0]["responses"]["200"]["headers"].as_object().expect("headers");
    assert_eq!(headers.keys().collect::<Vec<_>>(), ["Deprecation", "Gateway-Request-Id", "Link", "Sunset", "X-Request-Id"]);
    let components = serde_json::to_value(routes()[0].description().components).expect("JSON");
    assert!(headers.keys().all(|name| components["headers"][name]["description"].is_string()), "{components}");
}
