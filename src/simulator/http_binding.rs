//! What the HTTP binding of LRS's services accepts before it looks at the message: the media type and the `SOAPAction`
//! (LRS-CONTRACT 1.2, 7.3).

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_TYPE;

use crate::lrs::Service;
use crate::simulator::operations::{operation_of_action, soap_action};

/// The media type of requests, as the refusal of another one names it.
const EXPECTED_CONTENT_TYPE: &str = "text/xml; charset=utf-8";

/// The reason why a service does not dispatch a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DispatchError {
    /// The service has no operation with this action, or the operation of the message needs another one.
    ActionNotSupported,
    /// The message does not contain the element of the operation that the action names.
    UnexpectedElement,
}

/// Checks the media type of a request.
///
/// # Errors
/// Returns a text about the media type if the binding does not accept it: it must be that of SOAP 1.1, in UTF-8 if it names an encoding.
pub fn check_content_type(request: &HttpRequest) -> Result<(), String> {
    let Some(value) = request.headers().get(CONTENT_TYPE) else {
        return Err(format!("The request has no content type. Send {EXPECTED_CONTENT_TYPE}."));
    };
    let value = String::from_utf8_lossy(value.as_bytes());
    if is_soap_1_1(&value) {
        Ok(())
    } else {
        Err(format!("The service cannot process the content type '{value}'. It accepts '{EXPECTED_CONTENT_TYPE}' only."))
    }
}

fn is_soap_1_1(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let is_xml = parts.next().is_some_and(|media_type| media_type.eq_ignore_ascii_case("text/xml"));
    let charset = parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    is_xml && charset.is_none_or(|(_, charset)| charset.trim().trim_matches('"').eq_ignore_ascii_case("utf-8"))
}

/// Returns the `SOAPAction` of a request, without its quotes. An absent header means the same as an empty one.
pub fn requested_action(request: &HttpRequest) -> String {
    let value = request.headers().get("SOAPAction").map_or(&[][..], |value| value.as_bytes());
    let value = String::from_utf8_lossy(value);
    let value = value.trim();
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value).to_owned()
}

/// Checks that a service dispatches a message with this action and this element in its body. The element of an unreadable message is empty.
///
/// The operations of the learner service share the empty action, except `verifyLearner`, so their element distinguishes its messages.
///
/// # Errors
/// Returns a [`DispatchError`] if the service does not dispatch it.
pub fn check_action(service: Service, action: &str, element: &str) -> Result<(), DispatchError> {
    if service == Service::Learner {
        let expected = soap_action(service, element);
        return if action == expected { Ok(()) } else { Err(DispatchError::ActionNotSupported) };
    }
    match operation_of_action(service, action) {
        None => Err(DispatchError::ActionNotSupported),
        // A message that cannot be read is refused for that reason.
        Some(operation) if element.is_empty() || operation == element => Ok(()),
        Some(_) => Err(DispatchError::UnexpectedElement),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_type_of_soap_1_1_in_utf_8_is_accepted() {
        for (content_type, is_accepted) in [
            ("text/xml", true),
            ("text/xml; charset=utf-8", true),
            ("TEXT/XML;charset=\"UTF-8\"", true),
            ("text/xml; charset=utf-8; action=\"\"", true),
            ("text/xml; charset=ISO-8859-1", false),
            ("application/soap+xml; charset=utf-8", false),
            ("application/xml", false),
            ("application/json", false),
            ("", false),
        ] {
            assert_eq!(is_soap_1_1(content_type), is_accepted, "{content_type}");
        }
    }

    #[test]
    fn action_must_be_that_of_the_operation() {
        use DispatchError::{ActionNotSupported, UnexpectedElement};
        let verify = "http://tempuri.org/LearnerPortType/verifyLearner";
        let events = "http://tempuri.org/ILearnerServiceR9/GetLearnerLearningEvents";
        let get_job = "http://api.lrs.qcf.gov.uk/services/IExternalService/GetAchievementBatchJob";
        for (service, action, element, expected) in [
            (Service::Learner, "", "FindLearnerByULN", Ok(())),
            (Service::Learner, "", "Nonsense", Ok(())),
            (Service::Learner, "", "", Ok(())),
            (Service::Learner, verify, "VerifyLearner", Ok(())),
            (Service::Learner, "", "VerifyLearner", Err(ActionNotSupported)),
            (Service::Learner, verify, "FindLearnerByULN", Err(ActionNotSupported)),
            (Service::Learner, "nonsense", "FindLearnerByULN", Err(ActionNotSupported)),
            (Service::LearnerR9, events, "GetLearnerLearningEvents", Ok(())),
            (Service::LearnerR9, events, "", Ok(())),
            (Service::LearnerR9, "", "GetLearnerLearningEvents", Err(ActionNotSupported)),
            (Service::LearnerR9, get_job, "GetLearnerLearningEvents", Err(ActionNotSupported)),
            (Service::LearnerR9, events, "ViewAudit", Err(UnexpectedElement)),
            (Service::LearnerR9, "http://tempuri.org/ILearnerServiceR9/ViewAudit", "ViewAudit", Ok(())),
            (Service::External, get_job, "GetAchievementBatchJob", Ok(())),
            (Service::External, get_job, "SubmitAchievementBatchJob", Err(UnexpectedElement)),
        ] {
            assert_eq!(check_action(service, action, element), expected, "{service:?} {action} {element}");
        }
    }
}
