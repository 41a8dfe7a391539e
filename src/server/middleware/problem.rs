//! Error responses as problems (RFC 9457).

use actix_web::body::BoxBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, VARY};

use crate::problem::{Problem, TypeUris};
use crate::server::docs::NotFoundPage;

/// Returns the problem of an error response: the handler's problem, or one for the status if the error comes from the framework.
pub fn of_response(response: &ServiceResponse<BoxBody>) -> Option<Problem> {
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        let problem = response.response().extensions().get::<Problem>().cloned();
        return Some(problem.unwrap_or_else(|| Problem::from_status(status)));
    }
    None
}

/// Returns `true` if the body of an error response is a page, which stays.
pub fn is_page(response: &ServiceResponse<BoxBody>) -> bool {
    response.response().extensions().contains::<NotFoundPage>()
}

/// Replaces an error response by the response of its problem. Keeps the headers `Allow`, `Cache-Control` and `Vary`.
pub fn replace_response(
    response: &ServiceResponse<BoxBody>,
    problem: &Problem,
    request_id: &str,
    types: &TypeUris,
) -> ServiceResponse<BoxBody> {
    let mut replacement = problem.response(request_id, types);
    for name in [ALLOW, CACHE_CONTROL, VARY] {
        if let Some(value) = response.headers().get(&name) {
            replacement.headers_mut().insert(name, value.clone());
        }
    }
    ServiceResponse::new(response.request().clone(), replacement)
}
