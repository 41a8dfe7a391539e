//! The answer at `/`: what this is, and where to go.

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::http::header::{HeaderValue, VARY};
use serde_json::json;

use super::document::Document;
use crate::api::accept::{AcceptedRanges, HTML_RANGES, JSON_RANGES};

/// The page for people, and the same as JSON for programs. All links are relative: a proxy may serve the gateway below a path.
#[derive(Debug)]
pub struct Home {
    html: Document,
    json: Document,
}

impl Home {
    /// Creates both forms.
    pub fn new() -> Self {
        let links = json!({
            "name": env!("CARGO_PKG_NAME"),
            "description": env!("CARGO_PKG_DESCRIPTION"),
            "version": env!("CARGO_PKG_VERSION"),
            "documentation": "docs/",
            "openapi": "openapi.json",
            "health": "health/ready",
        });
        let html = include_str!("assets/home.html").replace("{version}", env!("CARGO_PKG_VERSION"));
        Self {
            html: Document::plain("text/html; charset=utf-8", html.into()),
            json: Document::plain("application/json", links.to_string().into()),
        }
    }

    /// Answers with JSON if the caller prefers it to HTML.
    pub fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let prefers_json = AcceptedRanges::of(request.headers()).prefer(JSON_RANGES, HTML_RANGES);
        let mut response = if prefers_json { self.json.answer(request) } else { self.html.answer(request) };
        response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
        response
    }
}
