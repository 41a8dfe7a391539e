//! The answer for unknown paths below `/docs/`: a page for people, a problem for programs.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, VARY};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};

use super::site::Site;
use crate::api::accept::{AcceptedRanges, HTML_RANGES, PROBLEM_RANGES};
use crate::problem::{Code, Problem};

/// A mark of an error response whose body is a page. Problems replace all others.
#[derive(Debug, Clone, Copy)]
pub struct NotFoundPage;

/// Answers with a page if the caller prefers HTML to JSON, as browsers do.
pub fn answer(request: &HttpRequest, site: &Site) -> HttpResponse {
    let prefers_html = AcceptedRanges::of(request.headers()).prefer(HTML_RANGES, PROBLEM_RANGES);
    let path = request.uri().path();
    // References are relative to the path as the browser sees it.
    let below = path.match_indices('/').nth(1).map_or("", |(start, _)| &path[start + 1..]);
    let problem = Problem::new(Code::NotFound);
    let mut response = problem.error_response();
    if let Some(page) = site.not_found(below).filter(|_| prefers_html) {
        response = HttpResponse::NotFound().insert_header((CONTENT_TYPE, "text/html; charset=utf-8")).body(page.clone());
        response.extensions_mut().insert(problem);
        response.extensions_mut().insert(NotFoundPage);
    }
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    // The next version of the gateway can have the page.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
