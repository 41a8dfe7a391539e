//! Documentation of the API, served by the gateway itself: the OpenAPI documents, and Swagger UI to read and try them.
//!
//! Everything is in memory once: answers share it. An answer that was a copy would let clients that do not read their answers take the size
//! of a file each.

mod document;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use actix_web::http::header::LOCATION;
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, guard};
use parking_lot::Mutex;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::Config;

use document::Document;

use crate::problem::{CATALOGUE, Code, Problem};
use crate::server::openapi;
use crate::server::public_url::PublicUrl;

const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";

/// The OpenAPI documents, rendered and compressed once at startup.
#[derive(Debug)]
pub struct Documents {
    v3_1: Arc<Document>,
    v3_0: Arc<Document>,
    swagger_ui: Arc<SwaggerUi>,
}

impl Documents {
    /// Renders both versions of the document, for callers who reach the API at its public address, if there is one.
    pub fn new(mut document: OpenApi, public_url: Option<&PublicUrl>) -> Self {
        openapi::set_server(&mut document, public_url);
        let json = |text: String| Arc::new(Document::compressed(JSON, text.into()));
        Self { v3_1: json(openapi::to_json_3_1(&document)), v3_0: json(openapi::to_json_3_0(&document)), swagger_ui: Arc::default() }
    }
}

/// Adds the routes of the documentation. Swagger UI needs no other server: its scripts and styles are part of the program.
pub fn routes(documents: &Arc<Documents>, services: &mut web::ServiceConfig) {
    let (v3_1, v3_0, swagger_ui) = (documents.v3_1.clone(), documents.v3_0.clone(), documents.swagger_ui.clone());
    services
        .route("/openapi.json", web::get().to(move |request: HttpRequest| std::future::ready(v3_1.answer(&request))))
        .route("/openapi-3.0.json", web::get().to(move |request: HttpRequest| std::future::ready(v3_0.answer(&request))))
        .route("/docs", web::get().to(async || HttpResponse::SeeOther().insert_header((LOCATION, "docs/")).body("See docs/.\n")))
        .route("/docs/problems/{code}", web::get().to(async |request: HttpRequest, code: web::Path<String>| problem_page(&request, &code)))
        .service(web::resource("/docs/{file:.*}").guard(guard::Get()).to(move |request: HttpRequest, file: web::Path<String>| {
            std::future::ready(match swagger_ui.file(&file) {
                Some(file) => file.answer(&request),
                None => Problem::new(Code::NotFound).error_response(),
            })
        }));
}

/// The files of Swagger UI that were requested, by name.
#[derive(Debug, Default)]
struct SwaggerUi(Mutex<HashMap<String, Arc<Document>>>);

impl SwaggerUi {
    /// Returns the file with this name, if there is one.
    fn file(&self, name: &str) -> Option<Arc<Document>> {
        if let Some(file) = self.0.lock().get(name) {
            return Some(file.clone());
        }
        let config = Config::from("../openapi.json").validator_url("none").persist_authorization(true);
        let file = utoipa_swagger_ui::serve(name, Arc::new(config)).ok().flatten()?;
        let bytes = match file.bytes {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => Bytes::from(bytes),
        };
        let document =
            if file.gzpipped { Document::from_gzip(&file.content_type, bytes).ok()? } else { Document::plain(&file.content_type, bytes) };
        Some(self.0.lock().entry(name.to_owned()).or_insert(Arc::new(document)).clone())
    }
}

/// Returns the page of a type of problem, to which the `type` of problems leads.
fn problem_page(request: &HttpRequest, code: &str) -> HttpResponse {
    let Some(entry) = CATALOGUE.iter().find(|entry| entry.code == code) else { return Problem::new(Code::NotFound).error_response() };
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
    let (title, advice) = (escaped(entry.title), escaped(entry.advice));
    let retry = if entry.retryable { "The same request can succeed later." } else { "The same request, unchanged, fails again." };
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n\
         <p>Code <code>{code}</code>, HTTP status {status}.</p>\n<p>{advice}</p>\n<p>{retry}</p>\n</body>\n</html>\n",
        status = entry.status
    );
    Document::plain(HTML, page.into()).answer(request)
}
