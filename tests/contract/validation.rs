//! The validation with LRS's schemas rejects invalid messages, so that the other tests can fail.

use lrs_gateway::lrs::Service;

use super::{BY_ULN, FULL, golden, request_with};
use crate::support::contract::{Contract, InvalidMessage};

/// Valid and invalid requests to the learner service.
fn requests() -> [(String, String); 9] {
    let names = "<FamilyName>O'Neill</FamilyName><GivenName>Ana</GivenName>";
    let swapped = "<GivenName>Ana</GivenName><FamilyName>O'Neill</FamilyName>";
    let unknown_operation = [("<fin:FindLearnerByULN", "<fin:FindLearner"), ("/fin:FindLearnerByULN", "/fin:FindLearner")];
    [
        ("valid", request_with(BY_ULN, &[])),
        ("wrong-order", request_with(BY_ULN, &[(names, swapped)])),
        ("unknown-element", request_with(BY_ULN, &[("<FamilyName>", "<Nickname/><FamilyName>")])),
        ("unknown-operation", request_with(BY_ULN, &unknown_operation)),
        ("too-long-name", request_with(BY_ULN, &[(">Ana<", &format!(">{}<", too_long_name()))])),
        ("without-organisation", request_with(BY_ULN, &[("<OrganisationRef xsi:nil=\"true\"/>", "")])),
        ("not-an-envelope", "<FindLearnerByULN xmlns='http://api.lrs.miap.gov.uk/findmsg'/>".to_owned()),
        ("not-xml", "FindLearnerByULN".to_owned()),
        ("another-valid", request_with(FULL, &[])),
    ]
    .map(|(name, xml)| (name.to_owned(), xml))
}

fn too_long_name() -> String {
    "é".repeat(36)
}

fn names(invalid: Vec<InvalidMessage>) -> Vec<String> {
    invalid.into_iter().map(|message| message.name).collect()
}

#[test]
fn schema_validation_with_wsdl_rejects_invalid_requests() {
    let Some(contract) = Contract::from_env() else { return };
    let invalid = names(contract.wsdl_violations(Service::Learner, &requests()));
    let expected = ["wrong-order", "unknown-element", "unknown-operation", "without-organisation", "not-an-envelope", "not-xml"];
    assert_eq!(invalid, expected);
}

#[test]
fn schema_validation_with_strict_schemas_rejects_invalid_requests() {
    let Some(contract) = Contract::from_env() else { return };
    let invalid = names(contract.strict_schema_violations(&requests()));
    assert_eq!(invalid, ["wrong-order", "unknown-element", "unknown-operation", "too-long-name", "not-an-envelope", "not-xml"]);
}

#[test]
fn schema_validation_of_invalid_request_reports_file_line_and_reason() {
    let Some(contract) = Contract::from_env() else { return };
    let reasons = &contract.strict_schema_violations(&requests()[4..5])[0].reasons;
    for expected in ["too-long-name.xml:1", "maxLength", &too_long_name()] {
        assert!(reasons.contains(expected), "{expected}: {reasons}");
    }
}

#[test]
fn schema_validation_of_several_invalid_requests_fails_with_each_name() {
    let Some(contract) = Contract::from_env() else { return };
    let requests = requests();
    let panic = std::panic::catch_unwind(|| contract.check_request(Service::Learner, &requests[3..6])).expect_err("a failed assertion");
    let message = panic.downcast_ref::<String>().expect("a message");
    for name in ["unknown-operation", "without-organisation"] {
        assert!(message.contains(&format!("{name} is not valid")), "{name}: {message}");
    }
}

/// Returns a SOAP envelope with this body.
fn envelope(body: &str) -> String {
    format!("<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Header/><e:Body>{body}</e:Body></e:Envelope>")
}

/// Returns a fault with this detail.
fn fault(detail: &str) -> String {
    envelope(&format!("<e:Fault><faultcode>e:Client</faultcode><faultstring xml:lang='en'/><detail>{detail}</detail></e:Fault>"))
}

/// Returns a fault of the learner service.
fn miap_fault(code: &str) -> String {
    let children = ["ErrorActor", "Description", "FurtherDetails", "ErrorTimestamp"].map(|name| format!("<{name}/>")).concat();
    fault(&format!("<x:MIAPAPIException xmlns:x='http://api.lrs.miap.gov.uk/exceptions'>{code}{children}</x:MIAPAPIException>"))
}

/// Returns a fault of the other services.
fn domain_fault(child: &str) -> String {
    fault(&format!("<DomainFault xmlns='http://api.lrs.qcf.gov.uk/faults'><{child}/></DomainFault>"))
}

#[test]
fn schema_validation_uses_the_wsdl_of_each_service() {
    use Service::{External, Learner, LearnerR9};
    let Some(contract) = Contract::from_env() else { return };
    let unknown_fault = fault("<Unknown xmlns='urn:unknown'/>");
    for (service, message, is_valid) in [
        (Learner, golden(BY_ULN, "response.xml"), true),
        (Learner, golden(BY_ULN, "response.xml").replace("<VersionNumber>3", "<VersionNumber>three"), false),
        (Learner, miap_fault("<ErrorCode/>"), true),
        (Learner, miap_fault("<x:ErrorCode/>"), false),
        (Learner, miap_fault(""), false),
        (Learner, unknown_fault.clone(), true),
        (LearnerR9, envelope("<GetLearnerLearningEventsResponse xmlns='http://tempuri.org/'/>"), true),
        (LearnerR9, envelope("<GetLearnerLearningEventsResponse/>"), false),
        (LearnerR9, request_with(BY_ULN, &[]), false),
        (LearnerR9, domain_fault("ErrorCode"), true),
        (LearnerR9, domain_fault("Code"), false),
        (LearnerR9, unknown_fault.clone(), true),
        (External, envelope("<GetAchievementBatchJobResponse xmlns='http://api.lrs.qcf.gov.uk/services'/>"), true),
        (External, envelope("<GetLearnerLearningEventsResponse xmlns='http://tempuri.org/'/>"), false),
        (External, domain_fault("ErrorCode"), true),
        (External, domain_fault("Code"), false),
        (External, unknown_fault, true),
    ] {
        let invalid = contract.wsdl_violations(service, &[("message".to_owned(), message)]);
        assert_eq!(invalid.is_empty(), is_valid, "{service:?}: {invalid:?}");
    }
}
