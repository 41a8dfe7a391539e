//! The contract with LRS: golden messages byte by byte, whatever the gateway sends held against LRS's own schemas, and the
//! simulator called as another client would call it, with SOAP ([`simulator`]). [`random`] makes requests to hold against them,
//! and [`batches`] has the golden messages of batches.

mod batches;
mod random;
mod simulator;

use lrs_gateway::lrs::Service;
use serde_json::Value;

use crate::support::contract::{Contract, Refusal};
use crate::support::fake_server::http;
use crate::support::{FakeServer, TestGateway};
use simulator::Soap;

const BY_ULN: &str = "find-by-uln";
const FULL: &str = "find-by-demographics-full";
const PLAIN: &str = "find-by-demographics-plain";

/// The golden messages: their name in tests/golden, LRS's service, the gateway's path and the status of its answer.
const GOLDEN: [(&str, Service, &str, u16); 12] = [
    (BY_ULN, Service::Learner, "learners/find-by-uln", 200),
    (FULL, Service::Learner, "learners/find-by-demographics", 200),
    (PLAIN, Service::Learner, "learners/find-by-demographics", 200),
    ("register-full", Service::Learner, "learners/register", 201),
    ("register-plain", Service::Learner, "learners/register", 201),
    ("update", Service::Learner, "learners/update", 200),
    ("verify-full", Service::Learner, "learners/verify", 200),
    ("verify-plain", Service::Learner, "learners/verify", 200),
    ("retrieve", Service::Learner, "learners/retrieve-ulns", 200),
    ("learning-events-full", Service::LearnerR9, "learning-events/search", 200),
    ("learning-events-brief", Service::LearnerR9, "learning-events/search", 200),
    ("learning-events-not-shared", Service::LearnerR9, "learning-events/search", 200),
];

/// A file of tests/golden.
fn golden(name: &str, part: &str) -> String {
    let path = format!("{}/tests/golden/{name}.{part}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn golden_json(name: &str, part: &str) -> Value {
    serde_json::from_str(&golden(name, part)).unwrap_or_else(|error| panic!("{name}.{part}: {error}"))
}

/// A golden request with some of its words replaced.
fn request_with(name: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(golden(name, "request.xml"), |xml, (from, to)| {
        assert_eq!(xml.matches(from).count(), 1, "{from} in {xml}");
        xml.replacen(from, to, 1)
    })
}

#[tokio::test]
async fn the_gateway_sends_and_understands_the_golden_messages() {
    for (name, service, path, status) in GOLDEN {
        let peer = FakeServer::with_response(http(200, "text/xml; charset=utf-8", golden(name, "response.xml").as_bytes()));
        let call = golden_json(name, "call.json");
        let answer = TestGateway::to(&peer.url()).caller().post(&format!("/v1/{path}"), &call).await;
        let received = &peer.received()[0];
        assert_eq!(received.body, golden(name, "request.xml"), "{name}");
        assert_eq!(received.head.lines().next(), Some(&*format!("POST {} HTTP/1.1", service.path())), "{name}");
        assert_eq!((answer.status, answer.json()), (status, golden_json(name, "answer.json")), "{name}");
    }
}

#[test]
fn the_golden_messages_are_valid() {
    let Some(contract) = Contract::from_env() else { return };
    for service in [Service::Learner, Service::LearnerR9] {
        let all = |part: &str| {
            let of_service = GOLDEN.iter().filter(|(_, of, ..)| *of == service);
            of_service.map(|(name, ..)| (format!("{name}.{part}"), golden(name, part))).collect::<Vec<_>>()
        };
        contract.check_request(service, &all("request.xml"));
        contract.check_answer(service, &all("response.xml"));
    }
}

#[tokio::test]
async fn whatever_the_gateway_sends_is_valid() {
    let lrs = Soap::start();
    let contract = Contract::from_env();
    for (service, requests) in random::of_each_service() {
        for (name, request) in &requests {
            // Its form is right; who asks, the simulator does not know.
            let (_, answer) = lrs.call("POST", service.path(), Some("\"\""), request).await;
            assert!(answer.contains(">WSEC0003<"), "{name}: {answer}\n{request}");
        }
        if let Some(contract) = &contract {
            contract.check_request(service, &requests);
        }
    }
}

#[tokio::test]
async fn whatever_the_simulator_answers_to_the_golden_requests_is_valid() {
    let Some(contract) = Contract::from_env() else { return };
    let lrs = Soap::start();
    for (name, service, ..) in GOLDEN {
        let (_, answer) = lrs.call("POST", service.path(), Some("\"\""), &golden(name, "request.xml")).await;
        contract.check_answer(service, &[(name.to_owned(), answer)]);
    }
}

#[test]
fn what_the_contract_forbids_is_refused() {
    let Some(contract) = Contract::from_env() else { return };
    let (long, names) = ("é".repeat(36), "<FamilyName>O'Neill</FamilyName><GivenName>Ana</GivenName>");
    let swapped = "<GivenName>Ana</GivenName><FamilyName>O'Neill</FamilyName>";
    let requests = [
        ("good", request_with(BY_ULN, &[])),
        ("wrong-order", request_with(BY_ULN, &[(names, swapped)])),
        ("unknown-element", request_with(BY_ULN, &[("<FamilyName>", "<Nickname/><FamilyName>")])),
        (
            "unknown-operation",
            request_with(BY_ULN, &[("<fin:FindLearnerByULN", "<fin:FindLearner"), ("/fin:FindLearnerByULN", "/fin:FindLearner")]),
        ),
        ("too-long-a-name", request_with(BY_ULN, &[(">Ana<", &format!(">{long}<"))])),
        ("without-organisation", request_with(BY_ULN, &[("<OrganisationRef xsi:nil=\"true\"/>", "")])),
        ("not-an-envelope", "<FindLearnerByULN xmlns='http://api.lrs.miap.gov.uk/findmsg'/>".to_owned()),
        ("not-xml", "FindLearnerByULN".to_owned()),
        ("good-again", request_with(FULL, &[])),
    ];
    let requests = requests.map(|(name, xml)| (name.to_owned(), xml));
    let refused = |refusals: Vec<Refusal>| refusals.into_iter().map(|refusal| refusal.name).collect::<Vec<_>>();
    let by_both = ["wrong-order", "unknown-element", "unknown-operation"];
    let neither = ["not-an-envelope", "not-xml"];
    assert_eq!(refused(contract.published(Service::Learner, &requests)), [&by_both[..], &["without-organisation"], &neither].concat());
    assert_eq!(refused(contract.strict(&requests)), [&by_both[..], &["too-long-a-name"], &neither].concat());
    let reasons = &contract.strict(&requests[4..5])[0].reasons;
    assert!(reasons.contains("too-long-a-name.xml:1") && reasons.contains("maxLength") && reasons.contains(&long), "{reasons}");
    let failure = std::panic::catch_unwind(|| contract.check_request(Service::Learner, &requests[3..6])).expect_err("a failed test");
    let message = failure.downcast_ref::<String>().expect("a message");
    assert!(message.contains("unknown-operation is not valid") && message.contains("without-organisation is not valid"), "{message}");
}

/// An envelope of our own around a body.
fn envelope(body: &str) -> String {
    format!("<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Header/><e:Body>{body}</e:Body></e:Envelope>")
}

/// A fault with this detail.
fn fault(detail: &str) -> String {
    envelope(&format!("<e:Fault><faultcode>e:Client</faultcode><faultstring xml:lang='en'/><detail>{detail}</detail></e:Fault>"))
}

#[test]
fn every_service_has_a_validator_of_its_own() {
    use Service::{External, Learner, LearnerR9};
    let Some(contract) = Contract::from_env() else { return };
    let domain = |child: &str| fault(&format!("<DomainFault xmlns='http://api.lrs.qcf.gov.uk/faults'><{child}/></DomainFault>"));
    let miap = |code: &str| {
        let children = ["ErrorActor", "Description", "FurtherDetails", "ErrorTimestamp"].map(|name| format!("<{name}/>")).concat();
        fault(&format!("<x:MIAPAPIException xmlns:x='http://api.lrs.miap.gov.uk/exceptions'>{code}{children}</x:MIAPAPIException>"))
    };
    let unknown = fault("<Unknown xmlns='urn:unknown'/>");
    for (service, message, valid) in [
        (Learner, golden(BY_ULN, "response.xml"), true),
        (Learner, golden(BY_ULN, "response.xml").replace("<VersionNumber>3", "<VersionNumber>three"), false),
        (Learner, miap("<ErrorCode/>"), true),
        (Learner, miap("<x:ErrorCode/>"), false),
        (Learner, miap(""), false),
        (Learner, unknown.clone(), true),
        (LearnerR9, envelope("<GetLearnerLearningEventsResponse xmlns='http://tempuri.org/'/>"), true),
        (LearnerR9, envelope("<GetLearnerLearningEventsResponse/>"), false),
        (LearnerR9, request_with(BY_ULN, &[]), false),
        (LearnerR9, domain("ErrorCode"), true),
        (LearnerR9, domain("Code"), false),
        (LearnerR9, unknown.clone(), true),
        (External, envelope("<GetAchievementBatchJobResponse xmlns='http://api.lrs.qcf.gov.uk/services'/>"), true),
        (External, envelope("<GetLearnerLearningEventsResponse xmlns='http://tempuri.org/'/>"), false),
        (External, domain("ErrorCode"), true),
        (External, domain("Code"), false),
        (External, unknown, true),
    ] {
        let refused = contract.published(service, &[("message".to_owned(), message)]);
        assert_eq!(refused.is_empty(), valid, "{service:?}: {refused:?}");
    }
}
