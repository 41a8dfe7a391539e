//! Documentation of the API, served by the gateway itself: the OpenAPI documents, and Swagger UI to read and try them.
//!
//! Everything is in memory once: answers share it. An answer that was a copy would let clients that do not read their answers take the size
//! of a file each.

use std::borrow::Cow;
use std::io::Write as _;
use std::sync::Arc;

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, ETAG, LOCATION, VARY};
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, guard};
use flate2::Compression;
use flate2::write::GzEncoder;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::Config;

use crate::api::content_coding::{GZIP, prefers_gzip};
use crate::problem::{CATALOGUE, Code, Problem};
use crate::server::openapi;
use crate::server::public_url::PublicUrl;

/// The OpenAPI documents, rendered and compressed once at startup.
#[derive(Debug)]
pub struct Documents {
    v3_1: Document,
    v3_0: Document,
}

#[derive(Debug, Clone)]
struct Document {
    text: Bytes,
    /// The text in gzip format.
    compressed: Bytes,
}

impl Documents {
    /// Renders both versions of the document, for callers who reach the API at its public address, if there is one.
    pub fn new(mut document: OpenApi, public_url: Option<&PublicUrl>) -> Self {
        openapi::set_server(&mut document, public_url);
        Self { v3_1: Document::new(openapi::to_json_3_1(&document)), v3_0: Document::new(openapi::to_json_3_0(&document)) }
    }
}

impl Document {
    fn new(text: String) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let compressed = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
        let text = Bytes::from(text);
        Self { compressed: compressed.map_or_else(|_| text.clone(), Bytes::from), text }
    }

    /// Returns the answer to a request for the document.
    fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let tag = format!("\"{}-{}\"", env!("CARGO_PKG_VERSION"), self.text.len());
        let mut response = HttpResponse::Ok();
        response.insert_header((CONTENT_TYPE, "application/json")).insert_header((ETAG, tag));
        response.insert_header((VARY, "accept-encoding"));
        if prefers_gzip(request) {
            response.insert_header((CONTENT_ENCODING, GZIP)).body(self.compressed.clone())
        } else {
            response.body(self.text.clone())
        }
    }
}

/// Adds the routes of the documentation. Swagger UI needs no other server: its scripts and styles are part of the program.
pub fn routes(documents: &Arc<Documents>, services: &mut web::ServiceConfig) {
    let (v3_1, v3_0) = (documents.v3_1.clone(), documents.v3_0.clone());
    let config = Arc::new(Config::from("../openapi.json").validator_url("none").persist_authorization(true));
    services
        .route("/openapi.json", web::get().to(move |request: HttpRequest| std::future::ready(v3_1.answer(&request))))
        .route("/openapi-3.0.json", web::get().to(move |request: HttpRequest| std::future::ready(v3_0.answer(&request))))
        .route("/docs", web::get().to(async || HttpResponse::SeeOther().insert_header((LOCATION, "docs/")).body("See docs/.\n")))
        .route("/docs/problems/{code}", web::get().to(async |code: web::Path<String>| problem_page(&code)))
        .service(
            web::resource("/docs/{file:.*}")
                .guard(guard::Get())
                .to(move |file: web::Path<String>| std::future::ready(swagger_file(&file, config.clone()))),
        );
}

/// Returns the answer to a request for a file of Swagger UI.
fn swagger_file(name: &str, config: Arc<Config<'static>>) -> HttpResponse {
    let Ok(Some(file)) = utoipa_swagger_ui::serve(name, config) else { return Problem::new(Code::NotFound).error_response() };
    let mut response = HttpResponse::Ok();
    if file.gzpipped {
        response.insert_header((CONTENT_ENCODING, GZIP));
    }
    response.content_type(file.content_type).body(match file.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    })
}

/// Returns the page of a type of problem, to which the `type` of problems leads.
fn problem_page(code: &str) -> HttpResponse {
    let Some(entry) = CATALOGUE.iter().find(|entry| entry.code == code) else { return Problem::new(Code::NotFound).error_response() };
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
    let (title, advice) = (escaped(entry.title), escaped(entry.advice));
    let retry = if entry.retryable { "The same request can succeed later." } else { "The same request, unchanged, fails again." };
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n\
         <p>Code <code>{code}</code>, HTTP status {status}.</p>\n<p>{advice}</p>\n<p>{retry}</p>\n</body>\n</html>\n",
        status = entry.status
    );
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(page)
}
