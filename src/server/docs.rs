//! Documentation of the API, served by the gateway itself: the OpenAPI documents, and Swagger UI to read and try them.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use actix_web::middleware::Compress;
use actix_web::web;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::server::openapi;

/// The OpenAPI documents as text, rendered once at startup.
#[derive(Debug)]
pub struct Documents {
    v3_1: String,
    v3_0: String,
}

impl Documents {
    /// Renders both versions of the document.
    pub fn new(document: &OpenApi) -> Self {
        Self { v3_1: openapi::to_json_3_1(document), v3_0: openapi::to_json_3_0(document) }
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
        .route("/docs", web::get().to(async || HttpResponse::SeeOther().insert_header((LOCATION, "/docs/")).body("See /docs/.\n")))
        .service(SwaggerUi::new("/docs/{_:.*}").config(Config::from("/openapi.json").validator_url("none").persist_authorization(true)));
}

fn json_response(text: &str) -> Ready<HttpResponse> {
    let tag = format!("\"{}-{}\"", env!("CARGO_PKG_VERSION"), text.len());
    ready(HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).insert_header((ETAG, tag)).body(text.to_owned()))
}
