//! SOAP faults in the form of each service (LRS-CONTRACT 7.1).

use actix_web::http::StatusCode;

use crate::lrs::Service;
use crate::lrs::response_codes::DOCUMENTED_CODES;
use crate::lrs::soap::write_envelope;
use crate::simulator::soap_response::SoapResponse;
use crate::simulator::timestamps::current_local_date_time;
use crate::xml::XmlWriter;

/// Returns a fault with this code in the form of a service.
pub fn fault(service: Service, code: &str) -> SoapResponse {
    match service {
        Service::Learner => miap_fault(code, ""),
        Service::LearnerR9 | Service::External => domain_fault(code),
    }
}

/// Returns a fault of the learner service.
pub fn miap_fault(code: &str, further_details: &str) -> SoapResponse {
    let xml = miap_exception(code, code_meaning(code), further_details);
    SoapResponse { status: StatusCode::INTERNAL_SERVER_ERROR, xml }
}

/// Returns the fault of the R9 service and the external service for a message that their framework cannot read.
pub fn framework_fault() -> SoapResponse {
    client_fault("The service cannot read the message.", |_| {})
}

/// Returns the fault of all services for a `SOAPAction` that the operation does not have (LRS-CONTRACT 7.3).
pub fn action_not_supported_fault(action: &str) -> SoapResponse {
    let text = format!("The service has no operation for this message with the SOAPAction '{action}'.");
    soap_fault("a:ActionNotSupported", "xmlns:a=\"http://schemas.microsoft.com/ws/2005/05/addressing/none\"", &text, |_| {})
}

/// Returns the fault of all services for a header block that they must understand and do not (SOAP 1.1, 4.2.3).
pub fn header_not_understood_fault(block: &str) -> SoapResponse {
    soap_fault("soapenv:MustUnderstand", "", &format!("The service does not understand the header {block}."), |_| {})
}

/// Returns the fault for a published operation that the simulator does not execute.
pub fn not_simulated_fault(operation: &str) -> SoapResponse {
    client_fault(&format!("The simulator does not execute the operation {operation}."), |_| {})
}

/// Returns a fault of the R9 service or the external service.
fn domain_fault(code: &str) -> SoapResponse {
    let namespaces = "xmlns=\"http://api.lrs.qcf.gov.uk/faults\" xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\"";
    client_fault("The service rejected the request.", |writer| {
        writer.element("detail", "", |writer| {
            writer.element("DomainFault", namespaces, |writer| {
                writer.value("ErrorCode", code);
                writer.element("ErrorDetail", "i:nil=\"true\"", |_| {});
            });
        });
    })
}

fn client_fault(text: &str, write_detail: impl FnOnce(&mut XmlWriter)) -> SoapResponse {
    soap_fault("soapenv:Client", "", text, write_detail)
}

/// Returns a fault. The code may have a prefix that the namespaces declare.
fn soap_fault(code: &str, namespaces: &'static str, text: &str, write_detail: impl FnOnce(&mut XmlWriter)) -> SoapResponse {
    let xml = write_envelope(|writer| {
        writer.element("soapenv:Fault", "", |writer| {
            writer.element("faultcode", namespaces, |writer| writer.text(code));
            writer.value("faultstring", text);
            write_detail(writer);
        });
    });
    SoapResponse { status: StatusCode::INTERNAL_SERVER_ERROR, xml: xml.unwrap_or_default() }
}

fn miap_exception(code: &str, description: &str, further_details: &str) -> String {
    let timestamp = current_local_date_time();
    let xml = write_envelope(|writer| {
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
    xml.unwrap_or_default()
}

fn code_meaning(code: &str) -> &'static str {
    DOCUMENTED_CODES.iter().find(|entry| entry.code == code).map_or("", |entry| entry.meaning)
}
