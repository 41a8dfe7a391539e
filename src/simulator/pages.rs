//! Responses to `GET` requests: the WSDL of a service and the files that it imports, the page of a service, and the page about maintenance.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, LOCATION};
use actix_web::web::Query;
use actix_web::{HttpRequest, HttpResponse};

use crate::lrs::Service;
use crate::simulator::fault::Fault;
use crate::simulator::soap_response::SOAP_MEDIA_TYPE;
use crate::simulator::state::Simulator;
use crate::simulator::wsdl::file_name;

/// Path of the page about maintenance, the target of redirects.
pub const MAINTENANCE_PATH: &str = "/maintenance";

const HTML: &str = "text/html; charset=utf-8";
const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

const NO_WSDL: &str = "The simulator has no WSDL for this service.\n\
    The WSDLs belong to the Learning Records Service, so they are not part of this program. LRS hands them out to suppliers whose application\n\
    it has approved, and serves them at the addresses of its services, with ?singleWsdl.\n\
    Save them in a directory and start the simulator with:\n\n    lrs-gateway simulate --wsdl DIRECTORY\n";

/// Returns the response to a `GET` request to a service.
pub fn service_page(simulator: &Simulator, service: Service, request: &HttpRequest) -> HttpResponse {
    match simulator.closed_by(service) {
        Some(Fault::MaintenanceRedirect) => return maintenance_redirect(),
        Some(_) => return maintenance_page(),
        None => {}
    }
    let query = Query::<Vec<(String, String)>>::from_query(request.query_string()).map_or_else(|_| Vec::new(), Query::into_inner);
    let Some((name, value)) = query.first() else { return help_page(service) };
    let base_url = base_url(request);
    let wsdl = simulator.wsdl();
    let document = match name.to_ascii_lowercase().as_str() {
        "wsdl" | "singlewsdl" if value.is_empty() => wsdl.and_then(|wsdl| wsdl.wsdl(service, &base_url)),
        extension @ ("wsdl" | "xsd") => wsdl.and_then(|wsdl| wsdl.imported(value, extension, &base_url)),
        _ => return help_page(service),
    };
    document.map_or_else(|| text_page(StatusCode::NOT_FOUND, PLAIN_TEXT, NO_WSDL.to_owned()), xml_page)
}

/// Returns the response to a `GET` request to another path: a file that a WSDL imports by its name.
pub fn file_page(simulator: &Simulator, request: &HttpRequest) -> HttpResponse {
    let file = simulator.wsdl().and_then(|wsdl| wsdl.file(file_name(request.path()), &base_url(request)));
    file.map_or_else(|| HttpResponse::NotFound().finish(), xml_page)
}

/// Returns the page about maintenance.
pub fn maintenance_page() -> HttpResponse {
    html_page(StatusCode::OK, "Maintenance", "The learning records service is closed for maintenance. Please try again later.")
}

/// Returns the redirect to the page about maintenance.
pub fn maintenance_redirect() -> HttpResponse {
    HttpResponse::Found().insert_header((LOCATION, MAINTENANCE_PATH)).finish()
}

/// Returns an HTML page with a title and one paragraph, as a traffic manager sends it to people and programs.
pub fn html_page(status: StatusCode, title: &str, text: &str) -> HttpResponse {
    let html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
         <body><h1>{title}</h1><p>{text}</p></body></html>\n"
    );
    text_page(status, HTML, html)
}

/// Returns a plain text.
pub fn plain_text(status: StatusCode, text: String) -> HttpResponse {
    text_page(status, PLAIN_TEXT, text)
}

/// Returns the page of a service, as browsers get it.
fn help_page(service: Service) -> HttpResponse {
    let path = service.path();
    html_page(
        StatusCode::OK,
        &format!("LRS simulator: {path}"),
        &format!("Send SOAP 1.1 messages to this address. Its WSDL is at {path}?wsdl."),
    )
}

fn xml_page(document: String) -> HttpResponse {
    text_page(StatusCode::OK, SOAP_MEDIA_TYPE, document)
}

fn text_page(status: StatusCode, media_type: &str, text: String) -> HttpResponse {
    HttpResponse::build(status).insert_header((CONTENT_TYPE, media_type)).body(text)
}

/// Returns the URL at which the client reaches the simulator, without a path.
fn base_url(request: &HttpRequest) -> String {
    let connection = request.connection_info();
    format!("{}://{}", connection.scheme(), connection.host())
}
