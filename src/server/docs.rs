//! The API's documentation, as every gateway shows it: the OpenAPI document in both versions, and a page to read it and try it.

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use actix_web::middleware::Compress;
use actix_web::web::{self, Data};
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::server::openapi;

/// Its routes. No network is needed for them.
pub fn routes(services: &mut web::ServiceConfig) {
    services
        // Only what is the same for everybody is compressed: a caller's answers would give away how they resemble the request.
        .service(web::resource("/openapi.json").wrap(Compress::default()).get(document_3_1))
        .service(web::resource("/openapi-3.0.json").wrap(Compress::default()).get(document_3_0))
        .route("/docs", web::get().to(async || HttpResponse::SeeOther().insert_header((LOCATION, "/docs/")).body("See /docs/.\n")))
        .service(SwaggerUi::new("/docs/{_:.*}").config(Config::from("/openapi.json").validator_url("none").persist_authorization(true)));
}

/// The OpenAPI documents as they are sent, made once.
#[derive(Debug)]
pub struct Documents {
    document_3_1: String,
    document_3_0: String,
}

impl Documents {
    /// Both versions of this document.
    pub fn of(document: &OpenApi) -> Self {
        Self { document_3_1: openapi::in_3_1(document), document_3_0: openapi::in_3_0(document) }
    }
}

async fn document_3_1(documents: Data<Documents>) -> HttpResponse {
    document(&documents.document_3_1)
}

async fn document_3_0(documents: Data<Documents>) -> HttpResponse {
    document(&documents.document_3_0)
}

fn document(text: &str) -> HttpResponse {
    let tag = format!("\"{}-{}\"", env!("CARGO_PKG_VERSION"), text.len());
    HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).insert_header((ETAG, tag)).body(text.to_owned())
}
