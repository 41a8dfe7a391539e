//! Every route. The same list makes the server and the OpenAPI document.

use actix_web::http::Method;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};
use utoipa::openapi::OpenApi;
use utoipa_actix_web::scope;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::api::batches::{achievement, registration, verification};
use crate::api::{
    find_learners, health, learning_events, lrs_status, obtain_uln, organisation, register_learners, retrieve_ulns, verify_learners,
};
use crate::app::AppState;
use crate::observability::metrics::Metrics;
use crate::problem::{Code, Problem};

/// The routes that every batch resource has.
macro_rules! batches {
    ($scope:expr, $($resource:ident),+) => {
        $scope$(
            .service($resource::submit_batch)
            .service($resource::list_batches)
            .service($resource::track_job)
            .service($resource::get_batch)
            .service($resource::get_results)
            .service($resource::resubmit_part)
            .service($resource::discard_part)
            .service($resource::erase_batch)
        )+
    };
}

/// The API, as the OpenAPI document describes it.
pub fn api(services: &mut ServiceConfig<'_>) {
    let v1 = scope("/v1")
        .service(find_learners::find_learner_by_uln)
        .service(find_learners::find_learners_by_demographics)
        .service(obtain_uln::obtain_uln)
        .service(register_learners::register_learner)
        .service(register_learners::update_learner)
        .service(verify_learners::verify_learner)
        .service(retrieve_ulns::retrieve_ulns)
        .service(learning_events::get_learning_events)
        .service(organisation::get_organisation)
        .service(lrs_status::get_lrs_status);
    let v1 = batches!(v1, registration, verification, achievement).service(achievement::get_job);
    services.service(v1).service(health::live).service(health::ready);
}

/// What operators' own port answers.
pub fn admin(services: &mut ServiceConfig<'_>) {
    services.service(health::live).service(health::ready);
}

/// The methods that each path of a server takes, and the operation that each of them is; [`NONE`] if it is none of the API's.
#[derive(Debug)]
pub struct AllowedMethods(Vec<(String, Vec<(Method, String)>)>);

/// What is no operation of the API.
const NONE: &str = "none";

impl AllowedMethods {
    /// Those of the API: what the document describes, and the document itself.
    pub fn of(document: &OpenApi) -> Self {
        let described = serde_json::to_value(&document.paths).unwrap_or_default();
        let mut methods: Vec<_> = ["/openapi.json", "/openapi-3.0.json", "/docs"].map(read_only).into();
        for (path, item) in described.as_object().into_iter().flatten() {
            let of_path = item.as_object().into_iter().flatten().filter_map(|(method, operation)| {
                let name = operation["operationId"].as_str().unwrap_or(NONE);
                Some((method.to_uppercase().parse().ok()?, name.to_owned()))
            });
            methods.push((path.clone(), of_path.collect()));
        }
        Self(methods)
    }

    /// Those of operators' own port, [`admin`].
    pub fn admin(document: &OpenApi) -> Self {
        let Self(mut methods) = Self::of(document);
        methods.retain(|(path, _)| path.starts_with("/health/"));
        methods.push(read_only("/metrics"));
        Self(methods)
    }

    /// The operation of this method and route.
    pub fn operation(&self, method: &str, route: &str) -> &str {
        let of_route = self.0.iter().find(|(pattern, _)| pattern == route).map_or(&[][..], |(_, methods)| methods);
        of_route.iter().find(|(one, _)| one.as_str() == method).map_or(NONE, |(_, name)| name)
    }

    /// The methods that the route of this path takes.
    fn at(&self, path: &str) -> Option<&[(Method, String)]> {
        let fits = |pattern: &str| {
            let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
            loop {
                match (pattern.next(), path.next()) {
                    (None, None) => return true,
                    (Some(expected), Some(part)) if expected == part || (expected.starts_with('{') && !part.is_empty()) => {}
                    _ => return false,
                }
            }
        };
        self.0.iter().find(|(pattern, _)| fits(pattern)).map(|(_, methods)| methods.as_slice())
    }

    /// The same, as headers have it.
    pub fn allow_header(&self, path: &str) -> Option<HeaderValue> {
        let names: Vec<&str> = self.at(path)?.iter().map(|(method, _)| method.as_str()).collect();
        HeaderValue::from_str(&names.join(", ")).ok()
    }
}

/// A path that is no operation and can be read.
fn read_only(path: &str) -> (String, Vec<(Method, String)>) {
    (path.to_owned(), vec![(Method::GET, NONE.to_owned())])
}

/// What operators measure.
pub async fn metrics(gateway: Data<AppState>, metrics: Data<Metrics>) -> HttpResponse {
    gateway.measure().await;
    HttpResponse::Ok().insert_header((CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")).body(metrics.text())
}

/// Paths without a route: not found, or found with another method.
pub async fn fallback(request: HttpRequest, methods: Data<AllowedMethods>) -> HttpResponse {
    let Some(allowed) = methods.allow_header(request.path()) else { return Problem::new(Code::NotFound).error_response() };
    let mut response = Problem::new(Code::MethodNotAllowed).error_response();
    response.headers_mut().insert(ALLOW, allowed);
    response
}
