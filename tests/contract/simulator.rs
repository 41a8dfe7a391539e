//! The simulator, called with SOAP as by another client: it validates requests as LRS does, and its responses are valid.

use lrs_gateway::lrs::Service;
use lrs_gateway::simulator::{OPERATIONS, REFUSED_OPERATIONS};

use super::{BY_ULN, EMPTY_ACTION, FULL, PLAIN, golden, request_with};
use crate::support::SimulatedLrs;
use crate::support::contract::Contract;
use crate::support::simulator::quoted_action;

/// A SOAP client of a simulator.
pub struct SoapClient {
    simulator: SimulatedLrs,
    http: reqwest::Client,
}

impl SoapClient {
    /// Starts a simulator.
    pub fn start() -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        Self { simulator: SimulatedLrs::start(), http: crate::support::http_client_builder().build().expect("a client") }
    }

    /// Sends a request, with this `SOAPAction` header. Returns the status and the body of the response.
    pub async fn call(&self, method: &str, path: &str, action: Option<&str>, xml: &str) -> (u16, String) {
        let url = format!("{}{path}", self.simulator.url());
        let mut request = self.http.request(method.parse().expect("a method"), url).header("Content-Type", "text/xml").body(xml.to_owned());
        if let Some(action) = action {
            request = request.header("SOAPAction", action);
        }
        let response = request.send().await.expect("a response of the simulator");
        assert_eq!(response.headers()["content-type"], "text/xml; charset=utf-8");
        (response.status().as_u16(), response.text().await.expect("a complete response"))
    }

    /// Sends a request with the `SOAPAction` of its operation.
    pub async fn send(&self, service: Service, xml: &str) -> (u16, String) {
        self.call("POST", service.path(), Some(&quoted_action(xml)), xml).await
    }

    /// Sends a request to the learner service.
    pub async fn post(&self, action: Option<&str>, xml: &str) -> (u16, String) {
        self.call("POST", Service::Learner.path(), action, xml).await
    }
}

/// Requests: a name, a golden request, the replacements in it, and the code of the response.
const CASES: [(&str, &str, &[(&str, &str)], &str); 16] = [
    ("exact", BY_ULN, &[], "WSRC0004"),
    ("exact-with-everything", FULL, &[], "WSRC0004"),
    ("check", BY_ULN, &[("FUL", "CHK")], "WSRC0004"),
    ("organisation-by-reference", BY_ULN, &[BY_REFERENCE, NO_UKPRN], "WSRC0004"),
    ("possible", PLAIN, &[("<Gender>1", "<Gender>0")], "WSRC0003"),
    ("too-many", PLAIN, &[("Sam", "Alex"), ("Taylor", "Smith"), ("2004-06-01", "2003-01-01"), ("ZZ5 5FF", "ZZ99 9ZZ")], "WSRC0002"),
    ("none", PLAIN, &[("2004-06-01", "2004-06-02")], "WSRC0001"),
    ("none-by-uln", BY_ULN, &[("<GivenName>Ana", "<GivenName>Anna")], "WSRC0001"),
    (
        "linked",
        PLAIN,
        &[("Sam", "Rhiannon"), ("Taylor", "Rees"), ("2004-06-01", "2002-08-17"), ("<Gender>1", "<Gender>2"), ("ZZ5 5FF", "ZZ34EE")],
        "WSRC0022",
    ),
    ("invalid", BY_ULN, &[("3000000126", "300000012&amp;")], "WSEC0001"),
    ("operation-of-another-namespace", BY_ULN, &[("fin=\"http://api.lrs.miap.gov.uk/findmsg", "fin=\"urn:other")], "WSEC0002"),
    ("organisation-unknown", BY_ULN, &[("10088881", "10088889")], "WSEC0003"),
    (
        "organisation-unknown-by-reference",
        BY_ULN,
        &[("<OrganisationRef xsi:nil=\"true\"/>", "<OrganisationRef>NOSUCH</OrganisationRef>"), NO_UKPRN],
        "WSEC0003",
    ),
    ("organisation-not-named", BY_ULN, &[NO_UKPRN], "WSEC0003"),
    ("password-wrong", BY_ULN, &[("demo-password-01", "demo-password-02")], "WSEC0005"),
    ("product-missing", FULL, &[("10088881", "10088882"), ("demo-password-01", "demo-password-02")], "WSEC0006"),
];
const BY_REFERENCE: (&str, &str) = ("<OrganisationRef xsi:nil=\"true\"/>", "<OrganisationRef>DEMO01</OrganisationRef>");
const NO_UKPRN: (&str, &str) = ("<UKPRN>10088881</UKPRN>", "<UKPRN xsi:nil=\"true\"/>");

#[tokio::test]
async fn simulator_response_has_the_code_of_lrs_and_is_valid() {
    let client = SoapClient::start();
    let mut responses = Vec::new();
    for (name, request, replacements, code) in CASES {
        let (status, response) = client.post(EMPTY_ACTION, &request_with(request, replacements)).await;
        let (expected_status, element) = if code.starts_with("WSRC") { (200, "ResponseCode") } else { (500, "ErrorCode") };
        assert_eq!(status, expected_status, "{name}: {response}");
        assert!(response.contains(&format!("<{element}>{code}</{element}>")), "{name}: {response}");
        responses.push((name.to_owned(), response));
    }
    if let Some(contract) = Contract::from_env() {
        contract.check_response(Service::Learner, &responses);
    }
}

/// A SOAP message with an operation that no service has.
const UNKNOWN_OPERATION: &str = "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body><Nonsense/></e:Body></e:Envelope>";

#[tokio::test]
async fn simulator_request_without_known_operation_returns_valid_fault() {
    let client = SoapClient::start();
    let mut responses = Vec::new();
    for (name, xml, code) in [("operation-unknown", UNKNOWN_OPERATION, "WSEC0002"), ("not-xml", "FindLearnerByULN", "WSEC0001")] {
        let (status, response) = client.post(None, xml).await;
        assert!(status == 500 && response.contains(&format!("<ErrorCode>{code}</ErrorCode>")), "{name}: {status} {response}");
        responses.push((name.to_owned(), response));
    }
    if let Some(contract) = Contract::from_env() {
        contract.check_response(Service::Learner, &responses);
    }
}

#[tokio::test]
async fn simulator_unknown_operation_of_each_service_returns_valid_fault() {
    let client = SoapClient::start();
    let contract = Contract::from_env();
    let get_job = Some("\"http://api.lrs.qcf.gov.uk/services/IExternalService/GetAchievementBatchJob\"");
    for (service, action, code) in [
        (Service::LearnerR9, None, "a:ActionNotSupported"),
        (Service::LearnerR9, Some("http://tempuri.org/ILearnerServiceR9/Nonsense"), "a:ActionNotSupported"),
        (Service::LearnerR9, Some("\"http://tempuri.org/ILearnerServiceR9/ViewAudit\""), "soapenv:Client"),
        (Service::External, EMPTY_ACTION, "a:ActionNotSupported"),
        (Service::External, get_job, "soapenv:Client"),
        (Service::Learner, get_job, "a:ActionNotSupported"),
    ] {
        let (status, response) = client.call("POST", service.path(), action, UNKNOWN_OPERATION).await;
        assert_eq!(status, 500, "{response}");
        assert!(response.contains(&format!(">{code}</faultcode>")), "{service:?} {action:?}: {response}");
        if let Some(contract) = &contract {
            contract.check_response(service, &[("unknown-operation".to_owned(), response)]);
        }
    }
}

#[tokio::test]
async fn simulator_published_operation_that_it_does_not_execute_is_refused_by_name() {
    let client = SoapClient::start();
    let contract = Contract::from_env();
    for operation in REFUSED_OPERATIONS {
        let body = format!("<{operation} xmlns='http://tempuri.org/'/>");
        let request = UNKNOWN_OPERATION.replace("<Nonsense/>", &body);
        let action = format!("\"http://tempuri.org/ILearnerServiceR9/{operation}\"");
        let (status, response) = client.call("POST", Service::LearnerR9.path(), Some(&action), &request).await;
        assert_eq!(status, 500, "{response}");
        let text = format!("<faultstring>The simulator does not execute the operation {operation}.</faultstring>");
        assert!(response.contains("<faultcode>soapenv:Client</faultcode>") && response.contains(&text), "{response}");
        if let Some(contract) = &contract {
            contract.check_response(Service::LearnerR9, &[(operation.to_owned(), response)]);
        }
    }
    assert_eq!(OPERATIONS.len() + REFUSED_OPERATIONS.len(), 17, "the published operations");
}

#[tokio::test]
async fn simulator_operation_needs_its_soap_action() {
    let client = SoapClient::start();
    let contract = Contract::from_env();
    let verify_action = Some("\"http://tempuri.org/LearnerPortType/verifyLearner\"");
    let events_action = Some("\"http://tempuri.org/ILearnerServiceR9/GetLearnerLearningEvents\"");
    let events_action_without_quotes = Some("http://tempuri.org/ILearnerServiceR9/GetLearnerLearningEvents");
    let (verify, events) = ("verify-plain", "learning-events-full");
    for (service, name, action, is_dispatched) in [
        (Service::Learner, BY_ULN, None, true),
        (Service::Learner, BY_ULN, Some(""), true),
        (Service::Learner, BY_ULN, EMPTY_ACTION, true),
        (Service::Learner, PLAIN, EMPTY_ACTION, true),
        (Service::Learner, BY_ULN, verify_action, false),
        (Service::Learner, BY_ULN, Some("nonsense"), false),
        (Service::Learner, verify, verify_action, true),
        (Service::Learner, verify, EMPTY_ACTION, false),
        (Service::Learner, verify, None, false),
        (Service::LearnerR9, events, events_action, true),
        (Service::LearnerR9, events, events_action_without_quotes, true),
        (Service::LearnerR9, events, EMPTY_ACTION, false),
        (Service::LearnerR9, events, None, false),
        (Service::LearnerR9, events, verify_action, false),
    ] {
        let (status, response) = client.call("POST", service.path(), action, &golden(name, "request.xml")).await;
        let is_refused = status == 500 && response.contains(">a:ActionNotSupported</faultcode>");
        assert_eq!((status == 200, is_refused), (is_dispatched, !is_dispatched), "{name} {action:?}: {status} {response}");
        if let Some(contract) = &contract {
            contract.check_response(service, &[(name.to_owned(), response)]);
        }
    }
}

/// A golden request with one replacement.
struct Deviation {
    request: &'static str,
    from: &'static str,
    to: String,
    /// A part of the simulator's reason for the rejection; empty if the request stays valid.
    reason: &'static str,
}

/// Returns a deviation for each replacement of `from`: the `valid` ones, and the `invalid` ones with this reason.
fn replacements(request: &'static str, from: &'static str, reason: &'static str, valid: &[&str], invalid: &[&str]) -> Vec<Deviation> {
    let deviation = |to: &&str, reason| Deviation { request, from, to: (*to).to_owned(), reason };
    valid.iter().map(|to| deviation(to, "")).chain(invalid.iter().map(|to| deviation(to, reason))).collect()
}

fn deviations() -> Vec<Deviation> {
    // A character outside the Basic Multilingual Plane counts as one.
    let text = |length| "\u{1D11E}".repeat(length);
    let (longest, too_long, longest_school, too_long_school) = (&*text(35), &*text(36), &*text(254), &*text(255));
    let blank = " ".repeat(16);
    let nil = "<OrganisationRef xsi:nil=\"true\"/>";
    let (given, both) = ("<GivenName>Ana</GivenName>", "<FamilyName>O'Neill</FamilyName><GivenName>Ana</GivenName>");
    [
        replacements(BY_ULN, "FUL", "'MIAPFindType'", &["CHK"], &["ful", "", " FUL"]),
        replacements(
            BY_ULN,
            nil,
            "",
            &["", "<OrganisationRef>DEMO01</OrganisationRef>", "<OrganisationRef xsi:nil=\"1\"></OrganisationRef>"],
            &[],
        ),
        replacements(BY_ULN, nil, "'MIAPOrganisationRef'", &[], &["<OrganisationRef/>", "<OrganisationRef>DEMO-1</OrganisationRef>"]),
        replacements(BY_ULN, nil, "it is nil", &[], &["<OrganisationRef xsi:nil=\"true\">DEMO01</OrganisationRef>"]),
        replacements(BY_ULN, "10088881", "'MIAPUKPRN'", &["TEST0038"], &["1008888", "100888812", ""]),
        replacements(
            BY_ULN,
            "demo-password-01",
            "'MIAPOrgPassword'",
            &["<![CDATA[<&]]>mo-password-01"],
            &["demo", &blank, "demo-password-012"],
        ),
        replacements(BY_ULN, "j.bloggs", "'MIAPNameNonEmpty'", &["\u{A0}", longest], &["", " &#9;&#13;\n", too_long]),
        replacements(BY_ULN, "3000000126", "'MIAPULN'", &["9999999999"], &["0000000126", "300000012", "30000001260", "٣000000126", ""]),
        replacements(BY_ULN, "O'Neill", "'MIAPNameNonEmpty'", &["<!-- a comment -->O'Neill", longest], &["", " ", too_long]),
        replacements(
            PLAIN,
            "2004-06-01",
            "'MIAPDate'",
            &["1900-02-29"],
            &["2023-02-29", "2004-13-01", "2100-01-01", "2004-6-1", "2004-06-01Z", ""],
        ),
        replacements(PLAIN, "1</Gender>", "'MIAPGender'", &["9</Gender>"], &["3</Gender>", "M</Gender>", "01</Gender>", "</Gender>"]),
        replacements(
            PLAIN,
            "ZZ5 5FF",
            "'MIAPPostCode'",
            &["zz55ff   ", "BFPO 1234", "GIR 0AA"],
            &["", "ZZ5 5FC", "D02 X285", " ZZ5 5FF", "ZZ55 5FF  "],
        ),
        replacements(FULL, ">Siân<", "'MIAPName'", &["><", "> <", &format!(">{longest}<")], &[&format!(">{too_long}<")]),
        replacements(FULL, "Smith &amp; Sons &lt;\"North\"&gt;", "'MIAPSchoolName'", &["", longest_school], &[too_long_school]),
        replacements(FULL, "Abertawe ", "'MIAPName'", &["", longest], &[too_long]),
        replacements(
            FULL,
            "zoe.o'neill+lrs@mail.example.com",
            "'MIAPEmail'",
            &["", "a'b{c}@bc.uk"],
            &["a@b.uk", "a&amp;b@bc.uk", "a@bc.college", "ä@bc.uk"],
        ),
        replacements(
            PLAIN,
            "<SchoolAtAge16 xsi:nil=\"true\"/>",
            "",
            &["", "<SchoolAtAge16/>", "<SchoolAtAge16 xsi:nil=\"false\">A</SchoolAtAge16>"],
            &[],
        ),
        replacements(BY_ULN, given, "'GivenName' is expected", &[], &[""]),
        replacements(BY_ULN, given, "'nil' must not appear", &[], &["<GivenName xsi:nil=\"true\"/>"]),
        replacements(BY_ULN, given, "simple type", &[], &["<GivenName><b>Ana</b></GivenName>"]),
        replacements(BY_ULN, given, "'GivenName'", &[], &["<fin:GivenName>Ana</fin:GivenName>", &given.repeat(2)]),
        replacements(BY_ULN, given, "'MiddleName'", &[], &["<GivenName>Ana</GivenName><MiddleName/>"]),
        replacements(BY_ULN, given, "cannot have character", &[], &["<GivenName>Ana</GivenName>Ana"]),
        replacements(BY_ULN, both, "'GivenName'", &[], &["<GivenName>Ana</GivenName><FamilyName>O'Neill</FamilyName>"]),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[tokio::test]
async fn simulator_rejects_the_requests_that_the_strict_schemas_reject() {
    let client = SoapClient::start();
    let (mut requests, mut rejected) = (Vec::new(), Vec::new());
    for (number, Deviation { request, from, to, reason }) in deviations().into_iter().enumerate() {
        let name = format!("deviation-{number}");
        let request = request_with(request, &[(from, &to)]);
        let (_, response) = client.post(EMPTY_ACTION, &request).await;
        let is_rejected = response.contains("<ErrorCode>WSEC0001</ErrorCode>");
        assert_eq!(is_rejected, !reason.is_empty(), "{to}: {response}");
        if is_rejected {
            let details = response.split_once("<FurtherDetails>").expect("details").1;
            assert!(details.contains(reason), "{to}: {details}");
            rejected.push(name.clone());
        }
        requests.push((name, request));
    }
    let Some(contract) = Contract::from_env() else { return };
    let invalid: Vec<_> = contract.strict_schema_violations(&requests).into_iter().map(|message| message.name).collect();
    assert_eq!(invalid, rejected);
}
