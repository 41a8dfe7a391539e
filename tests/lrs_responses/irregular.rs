//! Irregular responses of LRS that cost less than the answer: one character, one value or one unknown element. Operators learn of each from
//! the metrics and from one log line.

use serde_json::{Value, json};

use crate::support::batches::{batch_output_response, full_registration, learners, submit, submit_batch_response};
use crate::support::caller::Caller;
use crate::support::expected_problems::{BAD_RESPONSE, assert_failures};
use crate::support::fake_server::{Reply, soap};
use crate::support::gateway::Options;
use crate::support::program::{ConfigDirectory, ServingProgram, caller_of};
use crate::support::scripted_lrs::{RESPONSE, ScriptedLrs, learner, response_with, response_with_learner_xml, search, xml_reply};
use crate::support::{FakeServer, TestGateway};

const EVENTS: &str = "/v1/learning-events/search";

/// Returns the answer's learner if LRS's learner contains this XML.
async fn learner_from_xml(xml: &str) -> Value {
    let found = ScriptedLrs::new(Options::default(), [xml_reply(response_with_learner_xml(xml))]).search().await.expect_success();
    found["learners"][0].clone()
}

/// Returns the learner of the sample with these additional fields.
fn learner_with(fields: Value) -> Value {
    let Value::Object(fields) = fields else { panic!("{fields} is an object") };
    let mut learner = learner();
    learner.as_object_mut().expect("a learner is an object").extend(fields);
    learner
}

/// Returns LRS's learning events response with this content of the record.
fn events_response(events: &str) -> Vec<u8> {
    soap(
        200,
        &format!(
            "<GetLearnerLearningEventsResponse xmlns=\"http://tempuri.org/\"><GetLearnerLearningEventsResult \
             xmlns:a=\"http://api.lrs.qcf.gov.uk/model\"><a:ResponseCode>WSRC0004</a:ResponseCode><a:FoundULN>3000000126</a:FoundULN>\
             <a:IncomingULN>3000000126</a:IncomingULN><a:LearnerRecord>{events}</a:LearnerRecord></GetLearnerLearningEventsResult>\
             </GetLearnerLearningEventsResponse>"
        ),
    )
}

/// Starts an LRS whose registration job has two results, the second with this XML.
fn lrs_with_batch_results(second: &str) -> FakeServer {
    let row = |number: usize, name: &str, uln: &str, xml: &str| {
        format!(
            "<Learner><ULN>{uln}</ULN><MISIdentifier>STU-{number}</MISIdentifier><GivenName>{name}</GivenName>\
             <FamilyName>Quillfeather</FamilyName>{xml}<ReturnCode>RC001</ReturnCode></Learner>"
        )
    };
    let rows = [row(0, "Zebaaaaa", "3000000126", ""), row(1, "Zebaaaab", "3000000258", second)].concat();
    let submitted = submit_batch_response("<ResponseCode>WSRC0007</ResponseCode><JobID>7</JobID>");
    let counters = "<NewLearnersCount>two</NewLearnersCount>";
    let output = batch_output_response(&format!("<ResponseCode>WSRC0009</ResponseCode>{counters}{rows}"));
    FakeServer::start(move |request| {
        Reply::Bytes(if request.body.contains("GetSubmitBatchOutput") { output.clone() } else { submitted.clone() })
    })
}

/// Submits a batch of two learners to this LRS, waits until it is complete, and returns the results.
async fn batch_results(lrs: &FakeServer) -> Vec<Value> {
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let batch = submit(&caller, "registration-batches", &full_registration(&learners(2))).await;
    batch.wait_for_status("COMPLETE").await;
    batch.results().await
}

#[tokio::test]
async fn irregular_response_reference_to_forbidden_character_is_replaced() {
    for (xml, text) in [
        ("Rose&#x1F;Cottage", "Rose\u{FFFD}Cottage"),
        ("&#xB;", "\u{FFFD}"),
        ("&#0;&#1;", "\u{FFFD}\u{FFFD}"),
        ("a&#xD800;b", "a\u{FFFD}b"),
        ("a&#xFFFF;b", "a\u{FFFD}b"),
        ("a&#x110000;b&#99999999999999999999;", "a\u{FFFD}b\u{FFFD}"),
        ("&#xFFFD;", "\u{FFFD}"),
    ] {
        let found = learner_from_xml(&format!("<Notes>{xml}</Notes>")).await;
        assert_eq!(found, learner_with(json!({"notes": text})), "{xml}");
    }
    assert_eq!(learner_from_xml("<New>&#1;</New>").await, learner(), "in an unknown element");
}

#[tokio::test]
async fn irregular_response_forbidden_character_in_the_identity_of_the_learner_returns_bad_response() {
    let cases = [
        ("in the code", response_with("WSRC0004", "WSRC0004&#x1F;")),
        ("in the ULN of the search", response_with("</ResponseCode><ULN>3000000126", "</ResponseCode><ULN>3000000126&#x1F;")),
        ("in the ULN of the learner", response_with("<Learner><ULN>3000000126", "<Learner><ULN>300000012&#x1F;")),
        ("in the version", response_with("<VersionNumber>3<", "<VersionNumber>3&#x1F;<")),
    ];
    for (case, document) in &cases[1..] {
        assert_failures(vec![((*case).to_owned(), xml_reply(document), BAD_RESPONSE, None)]).await;
    }
    // An undocumented code is an outcome of its own, never that of the code it resembles.
    let answer = ScriptedLrs::new(Options::default(), [xml_reply(&cases[0].1)]).search().await;
    assert_ne!(answer.json()["outcome"], "EXACT_MATCH", "{}", answer.text);
}

#[tokio::test]
async fn irregular_learning_event_costs_only_its_value() {
    let events = "<a:LearningEvent><a:Credits>twelve</a:Credits><a:ID>1<b/></a:ID><a:Subject>Textile&#xB;Design</a:Subject></a:LearningEvent>\
                  <a:LearningEvent><a:Credits>8</a:Credits><a:ID>2</a:ID><a:Subject>Welsh</a:Subject></a:LearningEvent>";
    let script = ScriptedLrs::new(Options::default(), [Reply::Bytes(events_response(events))]);

    let record = script.post(EVENTS, &search()).await.expect_success();

    let expected = json!([{"subject": "Textile\u{FFFD}Design"}, {"credits": 8, "id": 2, "subject": "Welsh"}]);
    assert_eq!(record["events"], expected, "{record}");
}

#[tokio::test]
async fn irregular_batch_result_costs_only_its_value() {
    let irregular = "<Title><b>Dr</b></Title><LastKnownPostCode>ZZ42 4QX</LastKnownPostCode><Notes>moved&#x1F;house</Notes>";
    let results = batch_results(&lrs_with_batch_results(irregular)).await;

    let ulns: Vec<_> = results.iter().map(|row| (&row["outcome"], &row["uln"])).collect();
    let returned = json!("ULN_RETURNED");
    assert_eq!(ulns, [(&returned, &json!("3000000126")), (&returned, &json!("3000000258"))], "{results:?}");
    let learner = &results[1]["learner"];
    assert_eq!((learner.get("title"), &learner["notes"]), (None, &json!("moved\u{FFFD}house")), "{learner}");
    assert_eq!(learner["lastKnownPostCode"], "ZZ42 4QX");
}

#[tokio::test]
async fn irregular_learner_value_of_the_wrong_kind_is_left_out() {
    for (xml, expected) in [
        ("<Title><b>Dr</b></Title>", learner()),
        ("<Title>D<b/>r</Title><PlaceOfBirth>Ely</PlaceOfBirth>", learner_with(json!({"placeOfBirth": "Ely"}))),
        ("<DateOfBirth><year>2001</year></DateOfBirth>", learner()),
        ("<Notes><![CDATA[<b>]]></Notes>", learner_with(json!({"notes": "<b>"}))),
    ] {
        assert_eq!(learner_from_xml(xml).await, expected, "{xml}");
    }
    let links = "learner\">none<ULN>3000000258</ULN><ULN><b/></ULN><Other/></LinkedULNs>";
    let found = ScriptedLrs::new(Options::default(), [xml_reply(response_with("learner\"/>", links))]).search().await.expect_success();
    assert_eq!(found["learners"][0]["linkedUlns"], json!(["3000000258"]));
}

#[tokio::test]
async fn irregular_value_that_shows_whose_learner_it_is_returns_bad_response() {
    let searched = "</ResponseCode><ULN>3000000126</ULN>";
    assert_failures(
        [
            ("the ULN of the search", response_with(searched, "</ResponseCode><ULN><b/></ULN>")),
            ("the ULN of the learner", response_with("<Learner><ULN>3000000126</ULN>", "<Learner><ULN><b/></ULN>")),
            ("the version", response_with("<VersionNumber>3</VersionNumber>", "<VersionNumber><b/></VersionNumber>")),
        ]
        .map(|(case, document)| (case.to_owned(), xml_reply(document), BAD_RESPONSE, None))
        .into(),
    )
    .await;
    let verified = "<SearchedULN><b/></SearchedULN><ResponseCode>WSVRC001</ResponseCode><ULN>3000000126</ULN>";
    let response = format!(
        "<n:VerifyLearnerResponse xmlns:n=\"http://api.lrs.miap.gov.uk/reportmsg\"><VerifiedLearner>{verified}</VerifiedLearner></n:VerifyLearnerResponse>"
    );
    let script = ScriptedLrs::new(Options::default(), [Reply::Bytes(soap(200, &response))]);
    script.post("/v1/learners/verify", &search()).await.problem(502, "lrs_bad_response");
}

/// Returns the value of a metric's series, which is 0 if it does not exist.
fn value_of(metrics: &str, series: &str) -> u32 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(series));
    line.map_or(0, |value| value.trim().parse().expect("a number"))
}

#[tokio::test]
async fn irregular_response_is_counted_by_element_and_logged_once() {
    let too_long = "N".repeat(65);
    let irregular = response_with_learner_xml(&format!(
        "<Title><b/></Title><Notes>a&#x1F;b&#xB;c</Notes><ConsentDate>2026-01-02 Zebedee</ConsentDate><Größe/><{too_long}/>"
    ));
    let lrs = FakeServer::start(move |_| xml_reply(irregular.clone()));
    let mut gateway = ServingProgram::start(&ConfigDirectory::new(&lrs.url()));
    let caller = caller_of(&gateway.api, "10088881");
    for _ in 0..2 {
        caller.post("/v1/learners/find-by-uln", &search()).await.expect_success();
    }

    let metrics = Caller::new(gateway.admin.clone()).request("GET", "/metrics").await.text;
    for (series, expected) in [
        ("lrs_gateway_lrs_replaced_characters_total{operation=\"learnerByULN\"}", 4),
        ("lrs_gateway_lrs_lost_values_total{operation=\"learnerByULN\",element=\"Title\"}", 2),
        ("lrs_gateway_lrs_unknown_elements_total{operation=\"learnerByULN\",element=\"ConsentDate\"}", 2),
        ("lrs_gateway_lrs_unknown_elements_total{operation=\"learnerByULN\",element=\"other\"}", 2),
    ] {
        assert_eq!(value_of(&metrics, series), expected, "{series}: {metrics}");
    }
    assert!(!metrics.contains("Zebedee") && !metrics.contains(&too_long), "{metrics}");
    let event = gateway.program.wait_for_log("LRS response has characters that XML forbids: replaced by U+FFFD");
    assert_eq!((&event["operation"], &event["characters"]), (&json!("learnerByULN"), &json!(2)));
    let event = gateway.program.wait_for_log("LRS response has a value of the wrong kind: left out");
    assert_eq!(event["element"], "Title");
    let event = gateway.program.wait_for_log("LRS response has an element that the gateway does not know: ignored");
    assert_eq!(event["element"], "ConsentDate");
    let rest = gateway.program.end_and_read_log();
    assert_eq!(rest.matches("LRS response has").count(), 1, "only the element with another name, once: {rest}");
}

#[tokio::test]
async fn regular_response_is_not_counted() {
    let lrs = FakeServer::start(|_| xml_reply(RESPONSE));
    let gateway = ServingProgram::start(&ConfigDirectory::new(&lrs.url()));
    caller_of(&gateway.api, "10088881").post("/v1/learners/find-by-uln", &search()).await.expect_success();

    let metrics = Caller::new(gateway.admin.clone()).request("GET", "/metrics").await.text;

    for name in ["replaced_characters", "lost_values", "unknown_elements"] {
        assert!(!metrics.lines().any(|line| line.starts_with(&format!("lrs_gateway_lrs_{name}_total{{"))), "{name}: {metrics}");
    }
}
