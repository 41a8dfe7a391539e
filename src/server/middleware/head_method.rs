//! `HEAD` requests.

use actix_web::dev::ServiceRequest;
use actix_web::http::Method;

/// Treats a `HEAD` request as `GET`: every path that takes `GET` takes `HEAD`. Returns `true` if it is one.
pub fn replace_with_get(request: &mut ServiceRequest) -> bool {
    let is_head = request.method() == Method::HEAD;
    if is_head {
        request.head_mut().method = Method::GET;
    }
    is_head
}
