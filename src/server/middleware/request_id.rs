//! The request id: in the response, in the problem body, and in every log line of the request.

use actix_web::HttpMessage as _;
use actix_web::dev::ServiceRequest;
use uuid::Uuid;

use crate::auth::RequestId;

/// Generates an id. Ids of later requests are greater (UUID version 7).
pub fn generate() -> String {
    Uuid::now_v7().to_string()
}

/// Attaches the id to the request, for handlers.
pub fn attach(request: &ServiceRequest, id: &str) {
    request.extensions_mut().insert(RequestId(id.to_owned()));
}
