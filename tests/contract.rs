//! The contract with LRS: golden messages byte by byte, whatever the gateway sends held against LRS's own schemas, and the
//! simulator called as another client would call it, with SOAP ([`simulator`]).

mod simulator;

use std::fmt::Debug;
use std::sync::Arc;

use lrs_gateway::domain::{FindByDemographics, FindByUln, FindType, Gender, Uln};
use lrs_gateway::form::{self, is_xml_char};
use lrs_gateway::lrs::{Context, Operation, Service, Vendor};
use lrs_gateway::organisations::{Actor, OrganisationPassword};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use crate::support::contract::{Contract, Refusal};
use crate::support::gateway::organisation;
use crate::support::peer::http;
use crate::support::{Gateway, Peer};
use simulator::Soap;

const BY_ULN: &str = "find-by-uln";
const FULL: &str = "find-by-demographics-full";
const PLAIN: &str = "find-by-demographics-plain";

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
    for (name, path) in [(BY_ULN, "find-by-uln"), (FULL, "find-by-demographics"), (PLAIN, "find-by-demographics")] {
        let peer = Peer::answering(http(200, "text/xml; charset=utf-8", golden(name, "response.xml").as_bytes()));
        let call = golden_json(name, "call.json");
        let answer = Gateway::to(&peer.url()).caller().post(&format!("/v1/learners/{path}"), &call).await.ok();
        assert_eq!(peer.received()[0].body, golden(name, "request.xml"), "{name}");
        assert_eq!(answer, golden_json(name, "answer.json"), "{name}");
    }
}

#[test]
fn the_golden_messages_are_valid() {
    let Some(contract) = Contract::from_env() else { return };
    let all = |part: &str| [BY_ULN, FULL, PLAIN].map(|name| (format!("{name}.{part}"), golden(name, part)));
    contract.check_request(Service::Learner, &all("request.xml"));
    contract.check_answer(Service::Learner, &all("response.xml"));
}

/// Texts of every script, white space and markup included, as many of them as long as they may be as shorter.
fn text(most: usize) -> impl Strategy<Value = String> {
    let markup =
        prop::sample::select(vec!['<', '>', '&', '"', '\'', ']', '\r', '\n', '\t', ' ', '\u{85}', '\u{A0}', '\u{2028}', '\u{FFFD}']);
    let one = prop_oneof![1 => markup, 2 => any::<char>().prop_filter("XML can carry it", |c| is_xml_char(*c))];
    let length = prop_oneof![0..=most, Just(most)];
    length.prop_flat_map(move |length| prop::collection::vec(one.clone(), length)).prop_map(String::from_iter)
}

/// The texts that the gateway takes for a value of this type.
fn value<T: form::Value + Debug>(text: impl Strategy<Value = String>) -> impl Strategy<Value = T> {
    text.prop_filter_map("a text the gateway takes", |text| T::parse(&text).ok())
}

/// Such a value, or an empty one, or none.
fn optional<T: form::Value + Debug + Clone>(text: impl Strategy<Value = String>) -> impl Strategy<Value = Option<T>> {
    prop_oneof![Just(None), Just(T::parse("").ok()), value(text).prop_map(Some)]
}

fn find_type() -> impl Strategy<Value = FindType> {
    prop::sample::select(FindType::ALL)
}

fn any_find_by_uln() -> impl Strategy<Value = FindByUln> {
    let uln = (100_000_000_u32..=999_999_999).prop_filter_map("a prefix of a ULN", Uln::from_prefix);
    (find_type(), uln, value(text(35)), value(text(35))).prop_map(|(find_type, uln, family_name, given_name)| FindByUln {
        find_type,
        uln,
        family_name,
        given_name,
    })
}

fn any_find_by_demographics() -> impl Strategy<Value = FindByDemographics> {
    let date = (1800..=2099, 1..=12, 1..=31).prop_map(|(year, month, day)| format!("{year}-{month:02}-{day:02}"));
    let postcode = prop_oneof!["[a-zA-Z]{1,2}[0-9rR][0-9a-zA-Z]? ?[0-9][a-zA-Z]{2} {0,4}", "[bB][fF][pP][oO] ?[0-9]{1,4} {0,4}"];
    let email = "[!-~]{1,8}([.][!-~]{1,4})?@[a-zA-Z0-9-]{1,8}([.][a-zA-Z0-9-]{1,8}){0,2}[.][a-zA-Z]{1,7}";
    let required = (find_type(), value(text(35)), value(text(35)), value(date), prop::sample::select(Gender::ALL), value(postcode));
    let others = (optional(text(35)), optional(text(254)), optional(text(35)), optional(email));
    (required, others).prop_map(|(required, others)| {
        let (find_type, family_name, given_name, date_of_birth, gender, last_known_post_code) = required;
        let (previous_family_name, school_at_age16, place_of_birth, email_address) = others;
        FindByDemographics {
            find_type,
            family_name,
            given_name,
            date_of_birth,
            gender,
            last_known_post_code,
            previous_family_name,
            school_at_age16,
            place_of_birth,
            email_address,
        }
    })
}

/// Requests of an operation, each from a person of another organisation.
fn random_requests<O: Operation + Debug>(operation: impl Strategy<Value = O>) -> Vec<(String, String)> {
    let password = prop::collection::vec(any::<char>().prop_filter("XML can carry it", |c| is_xml_char(*c)), 16)
        .prop_map(String::from_iter)
        .prop_filter("a password", |password| OrganisationPassword::new(password).is_ok());
    let request = (operation, "[0-9a-zA-Z]{8}", password, value(text(35)));
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let requests = (0..64).map(|number| {
        let (operation, ukprn, password, user) = request.new_tree(&mut runner).expect("most are valid").current();
        let actor = Actor { organisation: Arc::new(organisation(&ukprn, &password, &[])), user };
        let vendor = Vendor::default();
        let context = Context { actor: &actor, vendor: &vendor };
        (format!("{}-{number}", O::NAME), operation.envelope(&context).expect("parsed values can be written"))
    });
    requests.collect()
}

#[tokio::test]
async fn whatever_the_gateway_sends_is_valid() {
    let requests = [random_requests(any_find_by_uln()), random_requests(any_find_by_demographics())].concat();
    let lrs = Soap::start();
    for (_, request) in &requests {
        // Its form is right; who asks, the simulator does not know.
        let (status, answer) = lrs.post(Some("\"\""), request).await;
        assert!(status == 500 && answer.contains("<ErrorCode>WSEC0003</ErrorCode>"), "{answer}\n{request}");
    }
    if let Some(contract) = Contract::from_env() {
        contract.check_request(Service::Learner, &requests);
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
