//! Panics of handlers: the request is lost, but its connection and the process go on.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use actix_web::Error;
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use futures_util::FutureExt as _;

use crate::problem::{Code, Problem, TypeUris};
use crate::server::middleware::connection_end;
use crate::server::middleware::header_case;
use crate::server::middleware::response_headers::ResponseHeaders;

/// Status of the response after a panic.
pub const STATUS: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;

/// Runs a future and catches its panic.
pub fn catch<F: Future>(future: F) -> impl Future<Output = Result<F::Output, Box<dyn Any + Send>>> {
    AssertUnwindSafe(future).catch_unwind()
}

/// Returns the problem of a request whose handler panicked. The panic's message is left out: it can quote a value.
pub fn problem() -> Problem {
    Problem::new(Code::InternalError).cause("a handler panicked")
}

/// Returns the problem's response as an error, after which the connection can end: the request was consumed by its handler, so no
/// [`ServiceResponse`] can be made.
///
/// [`ServiceResponse`]: actix_web::dev::ServiceResponse
pub fn error(problem: Problem, request_id: &str, types: &TypeUris, headers: ResponseHeaders, must_close: bool) -> Error {
    let mut response = problem.response(request_id, types);
    headers.apply(response.headers_mut());
    if must_close {
        connection_end::announce(response.head_mut());
    }
    header_case::apply(response.head_mut());
    InternalError::from_response(problem, response).into()
}
