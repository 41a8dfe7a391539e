//! Documentation of the API, served by the gateway itself: the OpenAPI documents, Swagger UI to read and try them, and a page for each type
//! of problem. References between them are relative, so that they hold behind a proxy that adds a path.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use actix_web::middleware::Compress;
use actix_web::web;
use actix_web::{HttpResponse, ResponseError as _};
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::problem::{CATALOGUE, Code, Problem};
use crate::server::openapi;
use crate::server::public_url::PublicUrl;

/// The OpenAPI documents as text, rendered once at startup.
#[derive(Debug)]
pub struct Documents {
    v3_1: String,
    v3_0: String,
}

impl Documents {
    /// Renders both versions of the document, for callers who reach the API at its public address, if there is one.
    pub fn new(mut document: OpenApi, public_url: Option<&PublicUrl>) -> Self {
        openapi::set_server(&mut document, public_url);
        Self { v3_1: openapi::to_json_3_1(&document), v3_0: openapi::to_json_3_0(&document) }
    }
}

/// Adds the routes of the documentation. Swagger UI needs no other server: its scripts and styles are part of the program.
pub fn routes(documents: &Arc<Documents>, services: &mut web::ServiceConfig) {
    let (v3_1, v3_0) = (documents.clone(), documents.clone());
    services
        // Only responses that are the same for every caller are compressed. The size of a compressed response that repeats parts of the
        // request would reveal what they have in common.
        .service(web::resource("/openapi.json").wrap(Compress::default()).get(move || json_response(&v3_1.v3_1)))
        .service(web::resource("/openapi-3.0.json").wrap(Compress::default()).get(move || json_response(&v3_0.v3_0)))
        .route("/docs", web::get().to(async || HttpResponse::SeeOther().insert_header((LOCATION, "docs/")).body("See docs/.\n")))
        .route("/docs/problems/{code}", web::get().to(async |code: web::Path<String>| problem_page(&code)))
        .service(SwaggerUi::new("/docs/{_:.*}").config(Config::from("../openapi.json").validator_url("none").persist_authorization(true)));
}

fn json_response(text: &str) -> Ready<HttpResponse> {
    let tag = format!("\"{}-{}\"", env!("CARGO_PKG_VERSION"), text.len());
    ready(HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).insert_header((ETAG, tag)).body(text.to_owned()))
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
