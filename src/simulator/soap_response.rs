//! SOAP responses: an HTTP status and an XML message.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;

/// Media type of SOAP 1.1 messages.
pub const SOAP_MEDIA_TYPE: &str = "text/xml; charset=utf-8";

/// A response of a service: the result of an operation, or a fault.
pub struct SoapResponse {
    pub status: StatusCode,
    pub xml: String,
}

impl SoapResponse {
    /// Returns a response with the result of an operation.
    pub const fn ok(xml: String) -> Self {
        Self { status: StatusCode::OK, xml }
    }

    /// Returns the HTTP response that sends the whole message.
    pub fn into_http(self) -> HttpResponse {
        HttpResponse::build(self.status).insert_header((CONTENT_TYPE, SOAP_MEDIA_TYPE)).body(self.xml)
    }
}
