//! Answers in JSON.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, Responder, ResponseError as _};
use serde::Serialize;

use crate::problem::{Code, Problem};

/// Size that most answers have at most, in bytes.
const USUAL_BYTES: usize = 2 * 1024;

/// An answer in JSON, with the status 200.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: Serialize> Responder for Json<T> {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        json_response(StatusCode::OK, &self.0)
    }
}

/// Returns an answer in JSON.
pub fn json_response(status: StatusCode, answer: &impl Serialize) -> HttpResponse {
    let mut json = Vec::with_capacity(USUAL_BYTES);
    match serde_json::to_writer(&mut json, answer) {
        Ok(()) => HttpResponse::build(status).insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json"))).body(json),
        Err(error) => Problem::new(Code::InternalError).cause(error).error_response(),
    }
}
