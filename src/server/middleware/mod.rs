//! The work around every request: request id, trace, size limit, problem responses, access log, metrics and response headers.
//!
//! [`around_request`] calls the steps in order. Each step is in a file of its own.

mod access_log;
mod connection_end;
mod early_response;
mod head_limit;
mod head_method;
mod header_case;
mod location;
mod panic;
mod problem;
mod rate_limit_headers;
mod request_id;
mod request_method;
mod request_metrics;
mod response_headers;
mod security_headers;
mod trace;

use std::sync::Arc;
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError as _};
use tracing::Instrument as _;

use crate::app::readiness::Readiness;
use crate::observability::metrics::InFlight;
use crate::problem::TypeUris;
use crate::server::allowed_methods::AllowedMethods;
use crate::server::connections::active_request::ActiveRequest;
use crate::server::connections::forwarded_requests::ForwardedRequests;
use crate::server::cors::Cors;
use crate::server::deprecation::DeprecatedRoutes;
use crate::server::public_url::PublicUrl;

use response_headers::ResponseHeaders;

/// What [`around_request`] knows of its server.
#[derive(Debug, Default)]
pub struct ServerContext {
    /// Readiness of the gateway.
    pub readiness: Arc<Readiness>,
    /// Methods of each path.
    pub methods: AllowedMethods,
    /// Routes whose end is announced.
    pub deprecated_routes: DeprecatedRoutes,
    /// Origins that may call the server from a browser.
    pub cors: Cors,
    /// Address at which callers reach the server.
    pub public_url: Option<PublicUrl>,
    /// URIs of the types of problems.
    pub problem_types: TypeUris,
    /// Requests of clients behind trusted proxies.
    pub forwarded_requests: Arc<ForwardedRequests>,
    /// `true` if the server itself speaks TLS.
    pub is_tls: bool,
}

/// Handles a request; `next` is the router.
///
/// Of the request, only the method and the pattern of the route are logged: paths, queries, headers and bodies can hold personal data.
///
/// # Errors
/// Returns an error that the framework makes a response of: after a panic of the handler, or if the router itself fails.
pub async fn around_request(
    server: Arc<ServerContext>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let mut active = ActiveRequest::start(&mut request);
    let request_id = request_id::generate();
    let client = trace::ClientIds::of(&request);
    let span = trace::request_span(&request, &request_id, client);
    let headers = ResponseHeaders::for_request(&request, &request_id, client, &server.cors, server.is_tls);
    let method = request_method::name(request.method());
    let is_head = head_method::replace_with_get(&mut request);
    let started = Instant::now();
    let _in_flight = InFlight::request();
    request_id::attach(&request, &request_id);
    // The outer error is a panic of the handler, the inner one an error of the router.
    let early_response = active
        .admit(&request, &server.forwarded_requests)
        .map_or_else(|problem| Some(problem.error_response()), |()| early_response::find(&request, &server.cors, &server.methods));
    let handled = match early_response {
        Some(response) => Ok(Ok(request.into_response(response))),
        None => {
            panic::catch(next.call(request)).instrument(span.clone()).await.map(|result| result.map(ServiceResponse::map_into_boxed_body))
        }
    };

    let _entered = span.enter();
    let Ok(routed) = handled else {
        let problem = panic::problem();
        access_log::write(method, "", started, panic::STATUS, Some(&problem));
        request_metrics::record_panic(panic::STATUS, started);
        return Err(panic::error(problem, &request_id, &server.problem_types, headers, active.must_close()));
    };
    let mut response = routed?;
    let mut problem = problem::of_response(&response);
    if let Some(problem) = &mut problem {
        rate_limit_headers::postpone_retry(&response, problem);
        if !problem::is_page(&response) {
            response = problem::replace_response(&response, problem, &request_id, &server.problem_types);
        }
    }
    let route = response.request().match_pattern().unwrap_or_default();
    access_log::write(method, &route, started, response.status(), problem.as_ref());
    request_metrics::record(&server.methods, method, &route, response.status(), started);
    trace::finish(&span, method, &route, response.status());
    if active.must_close() || server.readiness.is_draining() {
        connection_end::announce(response.response_mut().head_mut());
    }
    headers.apply(response.headers_mut());
    rate_limit_headers::apply(&mut response);
    server.deprecated_routes.apply(&mut response, server.public_url.as_ref());
    location::make_absolute(&mut response, server.public_url.as_ref());
    header_case::apply(response.response_mut().head_mut());
    Ok(response.map_body(|_, body| if is_head { active.omit_body(&body) } else { active.limit_body(body) }))
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;
    use actix_web::middleware::from_fn;
    use actix_web::{App, HttpResponse, test, web};

    use super::*;

    #[actix_web::test]
    async fn handler_panics_response_is_a_problem_without_the_panic_message() {
        let app = App::new()
            .wrap(from_fn(|request, next: Next<BoxBody>| around_request(Arc::default(), request, next)))
            .route("/v1/panic", web::get().to(async || -> HttpResponse { panic!("Ana O'Neill, 3000000126") }));
        let app = test::init_service(app).await;
        for _ in 0..3 {
            let request = test::TestRequest::get().uri("/v1/panic").to_request();
            let response = match test::try_call_service(&app, request).await {
                Ok(response) => response.into_parts().1.map_into_boxed_body(),
                Err(error) => error.error_response(),
            };
            assert_eq!(response.status(), 500);
            let id = response.headers().get("x-request-id").and_then(|id| id.to_str().ok()).expect("an id").to_owned();
            assert_eq!(response.headers().get("content-type").and_then(|kind| kind.to_str().ok()), Some("application/problem+json"));
            let body = String::from_utf8(to_bytes(response.into_body()).await.unwrap_or_default().to_vec()).expect("text");
            assert!(body.contains("\"internal_error\"") && body.contains(&id), "{body}");
            assert!(!body.contains("Ana") && !body.contains("3000000126"), "{body}");
        }
    }

    #[actix_web::test]
    async fn framework_error_response_becomes_a_problem() {
        let app = App::new()
            .wrap(from_fn(|request, next: Next<BoxBody>| around_request(Arc::default(), request, next)))
            .route("/teapot", web::get().to(async || HttpResponse::ImATeapot().body("short and stout")));
        let app = test::init_service(app).await;
        let response = test::call_service(&app, test::TestRequest::get().uri("/teapot").to_request()).await;
        assert_eq!(response.status(), 400, "a status outside the catalogue is replaced by one of the catalogue");
        let body = test::read_body(response).await;
        assert!(body.starts_with(b"{\"type\":\"urn:lrs-gateway:problem:malformed_request\""), "{body:?}");
    }
}
