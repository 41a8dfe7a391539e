//! How the services say no (FACTS 2.16).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;

use crate::lrs::Service;
use crate::lrs::codes::TABLE;
use crate::lrs::soap::write::XmlWriter;
use crate::simulator::learner_record::now;

/// The type of everything that is SOAP.
pub const SOAP: &str = "text/xml; charset=utf-8";

/// An answer or a fault.
pub struct Reply(pub StatusCode, pub String);

impl Reply {
    /// An answer.
    pub const fn answer(xml: String) -> Self {
        Self(StatusCode::OK, xml)
    }

    /// The whole of it.
    pub fn whole(self) -> HttpResponse {
        let Self(status, xml) = self;
        HttpResponse::build(status).insert_header((CONTENT_TYPE, SOAP)).body(xml)
    }
}

/// A fault of the learner service.
pub fn miap_fault(code: &str, further_details: &str) -> Reply {
    Reply(StatusCode::INTERNAL_SERVER_ERROR, miap_exception(code, meaning(code), further_details))
}

/// A fault of the services of data contracts, with this code.
fn domain_fault(code: &str) -> Reply {
    let namespaces = "xmlns=\"http://api.lrs.qcf.gov.uk/faults\" xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\"";
    let detail = |writer: &mut XmlWriter| {
        writer.element("detail", "", |writer| {
            writer.element("DomainFault", namespaces, |writer| {
                writer.value("ErrorCode", code);
                writer.element("ErrorDetail", "i:nil=\"true\"", |_| {});
            });
        });
    };
    client_fault("The request was refused.", detail)
}

/// A fault with this code, in the form of the service.
pub fn fault(service: Service, code: &str) -> Reply {
    match service {
        Service::Learner => miap_fault(code, ""),
        Service::LearnerR9 | Service::External => domain_fault(code),
    }
}

/// What the framework of the data-contract services says to a message that it cannot read.
pub fn framework_fault() -> Reply {
    client_fault("The message cannot be processed: it is not one this service can read.", |_| {})
}

fn client_fault(text: &str, detail: impl FnOnce(&mut XmlWriter)) -> Reply {
    let fault = XmlWriter::envelope(|writer| {
        writer.element("soapenv:Fault", "", |writer| {
            writer.value("faultcode", "soapenv:Client");
            writer.value("faultstring", text);
            detail(writer);
        });
    });
    Reply(StatusCode::INTERNAL_SERVER_ERROR, fault.unwrap_or_default())
}

/// The answer to another method than `POST`, which clients know as the sign of maintenance.
pub fn unsupported_verb(method: &str) -> Reply {
    let details = format!("UnsupportedHttpVerb {method}");
    Reply(StatusCode::METHOD_NOT_ALLOWED, miap_exception("WSEC0999", "UnsupportedHttpVerb", &details))
}

fn meaning(code: &str) -> &'static str {
    TABLE.iter().find(|entry| entry.code == code).map_or("", |entry| entry.meaning)
}

fn miap_exception(code: &str, description: &str, further_details: &str) -> String {
    let timestamp = now();
    let fault = XmlWriter::envelope(|writer| {
        writer.element("soapenv:Fault", "", |writer| {
            writer.value("faultcode", "soapenv:Server");
            writer.value("faultstring", "uk.gov.miap.lrs.api.exceptions.MIAPAPIException");
            writer.element("detail", "", |writer| {
                writer.element("ns10:MIAPAPIException", "xmlns:ns10=\"http://api.lrs.miap.gov.uk/exceptions\"", |writer| {
                    writer.value("ErrorCode", code);
                    writer.value("ErrorActor", "simulator");
                    writer.value("Description", description);
                    writer.value("FurtherDetails", further_details);
                    writer.value("ErrorTimestamp", &timestamp);
                });
            });
        });
    });
    fault.unwrap_or_default()
}
