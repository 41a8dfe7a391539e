//! `HEAD` requests.

use actix_web::dev::ServiceRequest;
use actix_web::http::Method;

/// Treats `HEAD` as `GET` outside the API: monitors use `HEAD`. The framework omits the body.
pub fn replace_with_get(request: &mut ServiceRequest) {
    if request.method() == Method::HEAD && !request.path().starts_with("/v1/") {
        request.head_mut().method = Method::GET;
    }
}
