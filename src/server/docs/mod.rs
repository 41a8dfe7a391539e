//! Documentation of the API, served by the gateway itself: the page at `/`, the OpenAPI documents, and a site below `/docs/`.
//!
//! Everything is in memory once: answers share it. An answer that was a copy would let clients that do not read their answers take the size
//! of a file each.

pub mod blocks;
pub mod contents;
mod document;
mod frame;
mod highlight;
mod home;
pub mod library;
pub mod links;
pub mod markdown;
mod not_found;
pub mod page;
pub mod problems;
pub mod reference;
mod search_index;
pub mod site;

use std::sync::Arc;

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, guard, web};
use utoipa::openapi::OpenApi;

use document::Document;
use home::Home;
pub use not_found::NotFoundPage;
use site::{Found, Site};

use crate::server::openapi;
use crate::server::public_url::PublicUrl;

const JSON: &str = "application/json";

/// The OpenAPI documents, rendered and compressed once at startup, and the documentation site.
#[derive(Debug)]
pub struct Documents {
    v3_1: Arc<Document>,
    v3_0: Arc<Document>,
    site: Option<Arc<Site>>,
    home: Arc<Home>,
}

impl Documents {
    /// Renders both versions of the document, for callers who reach the API at its public address, if there is one.
    pub fn new(mut document: OpenApi, public_url: Option<&PublicUrl>, has_site: bool) -> Self {
        openapi::set_server(&mut document, public_url);
        let json = |text: String| Arc::new(Document::compressed(JSON, text.into()));
        let (v3_1, v3_0) = (json(openapi::to_json_3_1(&document)), json(openapi::to_json_3_0(&document)));
        let site = has_site.then(|| Arc::new(Site::new(v3_1.bytes())));
        Self { v3_1, v3_0, site, home: Arc::new(Home::new()) }
    }

    /// Returns the site, if there is one.
    pub fn site(&self) -> Option<&Arc<Site>> {
        self.site.as_ref()
    }
}

/// Paths of the documentation, which can only be read.
pub fn paths(has_site: bool) -> Vec<&'static str> {
    let mut paths = vec!["/openapi.json", "/openapi-3.0.json"];
    paths.extend(has_site.then_some(["/", "/docs", "/docs/{page:.*}"]).into_iter().flatten());
    paths
}

/// Adds the routes of the documentation. The site needs no other server: its scripts and styles are part of the program.
pub fn routes(documents: &Documents, services: &mut web::ServiceConfig) {
    let (v3_1, v3_0) = (documents.v3_1.clone(), documents.v3_0.clone());
    services
        .route("/openapi.json", web::get().to(move |request: HttpRequest| std::future::ready(v3_1.answer(&request))))
        .route("/openapi-3.0.json", web::get().to(move |request: HttpRequest| std::future::ready(v3_0.answer(&request))));
    let Some(site) = documents.site.clone() else { return };
    let home = documents.home.clone();
    services
        .route("/", web::get().to(move |request: HttpRequest| std::future::ready(home.answer(&request))))
        .route("/docs", web::get().to(async |request: HttpRequest| redirect(&request, "docs/")))
        .service(web::resource("/docs/{page:.*}").guard(guard::Get()).to(move |request: HttpRequest| {
            std::future::ready(match site.find(request.match_info().query("page")) {
                Some(Found::Document(document)) => document.answer(&request),
                Some(Found::Redirect(location)) => redirect(&request, &location),
                None => not_found::answer(&request, &site),
            })
        }));
}

/// Returns a redirect to a reference that is relative to the requested path. The query stays.
fn redirect(request: &HttpRequest, location: &str) -> HttpResponse {
    let location = match request.query_string() {
        "" => location.to_owned(),
        query => format!("{location}?{query}"),
    };
    HttpResponse::SeeOther().insert_header((LOCATION, location.as_str())).body(format!("See {location}.\n"))
}
