//! Size limit of a request's address and headers.

use actix_web::dev::ServiceRequest;
use actix_web::{HttpResponse, ResponseError as _};

use crate::problem::{Code, Problem};

/// Maximum size of a request's address and headers, in bytes. The framework itself rejects requests that are far larger.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// Returns a problem if the request's address and headers are too large.
pub fn reject(request: &ServiceRequest) -> Option<HttpResponse> {
    let headers: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len()).sum();
    let address = request.uri().path_and_query().map_or(0, |address| address.as_str().len());
    if headers + address <= MAX_HEAD_BYTES {
        return None;
    }
    let detail = format!("The address and the headers together must have at most {MAX_HEAD_BYTES} bytes.");
    Some(Problem::new(Code::HeadersTooLarge).detail(detail).error_response())
}
