//! Texts that look alike: accents as separate characters are the same text, and are sent in one form. Typographic apostrophes and unusual spaces
//! are sent as they are, with a warning, and `obtainUln` searches for the plain text too before it registers.

use lrs_gateway::rate_limit::{Limit, Rates};
use serde_json::{Value, json};

use crate::support::batches::{batch_output_response, submit_batch_response};
use crate::support::fake_server::{Reply, soap};
use crate::support::gateway::{Options, unlimited};
use crate::support::scripted_lrs::ScriptedLrs;
use crate::support::{FakeServer, SimulatedLrs, TestGateway};

const OBTAIN: &str = "/v1/learners/obtain-uln";
const FIND: &str = "/v1/learners/find-by-demographics";
const BATCHES: &str = "/v1/registration-batches";

/// A learner of the register, with accents as people type them.
fn registered_learner() -> Value {
    json!({
        "uln": "3000000126", "givenName": "Chloé", "familyName": "D'Arcy Muñiz", "dateOfBirth": "2002-11-30", "gender": "FEMALE",
        "lastKnownPostCode": "ZZ11 1AA"
    })
}

/// The details of a search for that learner, with these names.
fn search(given_name: &str, family_name: &str) -> Value {
    json!({
        "givenName": given_name, "familyName": family_name, "dateOfBirth": "2002-11-30", "gender": "FEMALE", "lastKnownPostCode": "ZZ11 1AA"
    })
}

/// The body that registers that learner, with these names.
fn registration(given_name: &str, family_name: &str) -> Value {
    let mut learner = search(given_name, family_name);
    learner["verificationType"] = json!("PASSPORT");
    learner["abilityToShare"] = json!("SEEN_SHARE");
    json!({"learner": learner})
}

/// Returns pointer and code of each warning, and asserts that no warning quotes a name.
fn warnings(answer: &Value) -> Vec<(String, String)> {
    let Some(warnings) = answer.get("warnings") else { return Vec::new() };
    let text = |warning: &Value, field: &str| warning[field].as_str().expect("a text").to_owned();
    let warnings = warnings.as_array().expect("a list");
    for detail in warnings.iter().map(|warning| text(warning, "detail")) {
        assert!(!["Chlo", "Arcy", "Mu"].iter().any(|name| detail.contains(name)), "{detail}");
    }
    warnings.iter().map(|warning| (text(warning, "pointer"), text(warning, "code"))).collect()
}

fn expected(warnings: &[(&str, &str)]) -> Vec<(String, String)> {
    warnings.iter().map(|(pointer, code)| ((*pointer).to_owned(), (*code).to_owned())).collect()
}

#[tokio::test]
async fn look_alike_decomposed_accents_find_the_learner_without_warning() {
    let lrs = SimulatedLrs::with_learners(&[registered_learner()]);
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let found = caller.post(FIND, &search("Chloe\u{301}", "D'Arcy Mun\u{303}iz")).await.expect_success();
    assert_eq!((&found["outcome"], warnings(&found)), (&json!("EXACT_MATCH"), Vec::new()), "{found}");
    let obtained = caller.post(OBTAIN, &registration("Chloe\u{301}", "D'Arcy Mun\u{303}iz")).await.expect_success();
    assert_eq!((&obtained["outcome"], &obtained["uln"]), (&json!("EXISTING"), &json!("3000000126")), "{obtained}");
}

#[tokio::test]
async fn look_alike_decomposed_name_is_measured_and_sent_composed() {
    let (decomposed, composed) = ("e\u{301}".repeat(35), "é".repeat(35));
    let script = ScriptedLrs::new(Options::default(), [found("WSRC0001", "")]);
    script.post(FIND, &search(&decomposed, "D'Arcy")).await.expect_success();
    let request = &script.received()[0].body;
    assert!(request.contains(&format!("<GivenName>{composed}</GivenName>")), "{request}");
    let errors = ScriptedLrs::new(Options::default(), []).post_expecting_calls(0, FIND, &search(&"é".repeat(36), "D'Arcy")).await.errors();
    assert_eq!(errors, [("/givenName".to_owned(), "too_long".to_owned())]);
}

#[tokio::test]
async fn look_alike_apostrophe_obtains_the_uln_of_the_plain_name_and_registers_nobody() {
    let lrs = SimulatedLrs::with_learners(&[registered_learner()]);
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    for family_name in ["D\u{2019}Arcy Muñiz", "D\u{2BC}Arcy Muñiz", "D'Arcy\u{A0}Muñiz", "D'Arcy  Muñiz", "D`Arcy \u{2003}Muñiz"] {
        let obtained = caller.post(OBTAIN, &registration("Chloé", family_name)).await.expect_success();
        assert_eq!((&obtained["outcome"], &obtained["uln"]), (&json!("EXISTING"), &json!("3000000126")), "{family_name:?}: {obtained}");
        let codes = warnings(&obtained);
        assert_eq!(codes.last(), Some(&(String::new(), "found_with_plain_text".to_owned())), "{obtained}");
        assert!(codes.len() >= 2 && codes[0].0 == "/learner/familyName", "{obtained}");
    }
    assert!(lrs.simulator.request_counts().iter().all(|counts| !counts.operation.contains("Register")));
}

/// LRS's response to a search.
fn found(code: &str, learners: &str) -> Reply {
    let namespace = "http://api.lrs.miap.gov.uk/findmsg";
    Reply::Bytes(soap(
        200,
        &format!("<n:FindLearnerResponse xmlns:n=\"{namespace}\"><ResponseCode>{code}</ResponseCode>{learners}</n:FindLearnerResponse>"),
    ))
}

/// LRS's response to a registration.
fn registered() -> Reply {
    let content = "<ResponseCode>WSRC0005</ResponseCode><ULN>3000000258</ULN>";
    Reply::Bytes(soap(
        200,
        &format!("<n:RegisterLearnerResponse xmlns:n=\"http://api.lrs.miap.gov.uk/regmsg\">{content}</n:RegisterLearnerResponse>"),
    ))
}

const CANDIDATE: &str = "<Learner><ULN>3000000126</ULN><GivenName>Chloé</GivenName><VersionNumber>1</VersionNumber></Learner>";

#[tokio::test]
async fn look_alike_name_is_registered_as_sent_after_both_searches_found_nobody() {
    let script = ScriptedLrs::new(Options::default(), [found("WSRC0001", ""), found("WSRC0001", ""), registered()]);

    let answer = script.post_expecting_calls(3, OBTAIN, &registration("Chloé", "D\u{2019}Arcy")).await;

    assert_eq!((answer.status, &answer.json()["outcome"]), (201, &json!("REGISTERED")), "{}", answer.text);
    assert_eq!(warnings(&answer.json()), expected(&[("/learner/familyName", "typographic_apostrophe")]));
    let received = script.received();
    // LRS compares a registration with the last search, which therefore has the text that is registered.
    let names = ["D'Arcy", "D\u{2019}Arcy", "D\u{2019}Arcy"];
    for ((request, name), element) in received.iter().zip(names).zip([":FindLearner", ":FindLearner", ":RegisterLearner"]) {
        assert!(request.body.contains(&format!("<FamilyName>{name}</FamilyName>")) && request.body.contains(element), "{}", request.body);
    }
}

#[tokio::test]
async fn look_alike_name_any_finding_of_either_search_registers_nobody() {
    for (code, outcome) in [("WSRC0003", "POSSIBLE_MATCHES"), ("WSRC0002", "TOO_MANY_MATCHES"), ("WSRC7777", "OTHER")] {
        let candidates = if code == "WSRC0003" { CANDIDATE } else { "" };
        let plain = ScriptedLrs::new(Options::default(), [found(code, candidates)]);
        let answer = plain.post_expecting_calls(1, OBTAIN, &registration("Chloé", "D\u{2019}Arcy")).await.expect_success();
        assert_eq!((&answer["outcome"], answer.get("uln")), (&json!(outcome), None), "{answer}");
        let in_plain_search = [("/learner/familyName", "typographic_apostrophe"), ("", "found_with_plain_text")];
        assert_eq!(warnings(&answer), expected(&in_plain_search));

        let verbatim = ScriptedLrs::new(Options::default(), [found("WSRC0001", ""), found(code, candidates)]);
        let answer = verbatim.post_expecting_calls(2, OBTAIN, &registration("Chloé", "D\u{2019}Arcy")).await.expect_success();
        assert_eq!(&answer["outcome"], outcome, "{answer}");
        assert_eq!(warnings(&answer), expected(&in_plain_search[..1]));
    }
}

#[tokio::test]
async fn look_alike_name_counts_as_one_search_against_the_rate_limit() {
    let lrs = SimulatedLrs::with_learners(&[]);
    let searches = Limit { per_minute: 1, burst: 1 };
    let gateway = TestGateway::with(&lrs.url(), Options { rates: Rates { searches, ..unlimited() }, ..Options::default() });
    let first = gateway.caller().post(OBTAIN, &registration("Chloé", "D\u{2019}Arcy")).await;
    assert_eq!(first.status, 201, "both searches are allowed: {}", first.text);
    gateway.caller().post(OBTAIN, &registration("Chloé", "D\u{2019}Arcy")).await.problem(429, "rate_limited");
}

#[tokio::test]
async fn look_alike_name_failed_second_search_registers_nobody() {
    let replies = [found("WSRC0001", ""), Reply::ThenClose(Vec::new())];
    let script = ScriptedLrs::new(Options::default(), replies);
    let answer = script.post_expecting_calls(2, OBTAIN, &registration("Chloé", "D\u{2019}Arcy")).await;
    let problem = answer.problem(503, "lrs_unavailable");
    assert_eq!(problem["outcomeUnknown"], Value::Null, "nothing was registered: {problem}");
}

#[tokio::test]
async fn look_alike_texts_are_warned_about_by_searches_and_registrations() {
    let lrs = SimulatedLrs::with_learners(&[registered_learner()]);
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let mut by_demographics = search("Chloé\u{A0}Ann", "D\u{2019}Arcy");
    by_demographics["placeOfBirth"] = json!("Llan\u{2013}Test");
    by_demographics["schoolAtAge16"] = json!("Ysgol  Test ");
    let found = caller.post(FIND, &by_demographics).await.expect_success();
    let names = [("/givenName", "unusual_space"), ("/familyName", "typographic_apostrophe")];
    let places = [("/placeOfBirth", "typographic_hyphen"), ("/schoolAtAge16", "repeated_space"), ("/schoolAtAge16", "surrounding_space")];
    assert_eq!(warnings(&found), expected(&[&names[..], &places].concat()));

    let by_uln = json!({"uln": "3000000126", "givenName": "Chloé ", "familyName": "D\u{2018}Arcy"});
    let found = caller.post("/v1/learners/find-by-uln", &by_uln).await.expect_success();
    assert_eq!(warnings(&found), expected(&[("/givenName", "surrounding_space"), ("/familyName", "typographic_apostrophe")]));

    let mut registration = registration("Chlo\u{AD}é", "D'Arcy");
    registration["learner"]["notes"] = json!("Seen  twice: it\u{2019}s her.");
    caller.post(FIND, &search("Chlo\u{AD}é", "D'Arcy")).await.expect_success();
    let registered = caller.post("/v1/learners/register", &registration).await;
    assert_eq!(registered.status, 201, "{}", registered.text);
    assert_eq!(warnings(&registered.json()), expected(&[("/learner/givenName", "invisible_character")]), "notes are prose");
}

/// A learner of a batch.
fn batch_learner(family_name: &str) -> Value {
    json!({"misIdentifier": "Zoe\u{308}\u{2019}s", "givenName": "Chloé", "familyName": family_name})
}

#[tokio::test]
async fn look_alike_text_in_a_batch_is_warned_about_and_identifiers_stay_as_they_are() {
    let lrs = FakeServer::start(|request| {
        let accepted = submit_batch_response("<ResponseCode>WSRC0007</ResponseCode><JobID>7</JobID>");
        let row = "<Learner><MISIdentifier>Zoe\u{308}\u{2019}s</MISIdentifier><GivenName>Chloé</GivenName><FamilyName>Ñandú</FamilyName></Learner>";
        let output = batch_output_response(&format!("<ResponseCode>WSRC0009</ResponseCode>{row}"));
        Reply::Bytes(if request.body.contains("GetSubmitBatchOutput") { output } else { accepted })
    });
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller().with_header("Prefer", "wait=20");

    let learners = [batch_learner("N\u{303}andu\u{301}"), batch_learner("D\u{2019}Arcy")];
    let answer = caller.post(BATCHES, &json!({"jobType": "CHECK", "learners": learners})).await;

    assert_eq!(answer.status, 200, "{}", answer.text);
    let state = answer.json();
    assert_eq!(
        warnings(&state),
        expected(&[("/learners/1/familyName", "typographic_apostrophe"), ("/learners/1/misIdentifier", "duplicate_mis_identifier")])
    );
    let submission = &lrs.received()[0].body;
    assert!(submission.contains("<FamilyName>Ñandú</FamilyName>") && submission.contains("D\u{2019}Arcy"), "{submission}");
    assert_eq!(submission.matches("<MISIdentifier>Zoe\u{308}\u{2019}s</MISIdentifier>").count(), 2, "{submission}");
    let path = format!("{BATCHES}/{}", state["batchId"].as_str().expect("an id"));
    let results = caller.request("GET", &format!("{path}/results")).await.expect_success();
    let row = &results["results"][0];
    assert_eq!((&row["position"], &row["learner"]["familyName"]), (&json!(0), &json!("Ñandú")), "{results}");
    assert_eq!(caller.request("GET", &path).await.expect_success().get("warnings"), None, "only the answer to the submission has them");
}

#[tokio::test]
async fn batch_that_registers_warns_about_learners_whose_records_may_change() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let mut with_uln = batch_learner("Quillfeather");
    with_uln["uln"] = json!("3000000126");
    with_uln["misIdentifier"] = json!("another");
    let learners = json!([batch_learner("Quillfeather"), with_uln]);
    // The job type may come after the learners.
    for (body, codes) in [
        (json!({"learners": learners, "jobType": "FULL"}), &[("/learners/1/uln", "may_change_record")][..]),
        (json!({"jobType": "CHECK", "learners": learners}), &[]),
    ] {
        let answer = caller.post(BATCHES, &body).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        assert_eq!(warnings(&answer.json()), expected(codes), "{}", answer.text);
    }
}

#[tokio::test]
async fn batch_with_many_warnings_lists_the_first_of_each_code_and_states_their_number() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let mut learners: Vec<Value> = (0..150).map(|_| batch_learner("D\u{2019}Arcy  X")).collect();
    for (number, learner) in learners.iter_mut().enumerate() {
        learner["misIdentifier"] = json!(format!("STU-{number}"));
    }
    let answer = caller.post(BATCHES, &json!({"jobType": "CHECK", "learners": learners})).await;
    let list = answer.json()["warnings"].clone();
    let list = list.as_array().expect("a list");
    assert_eq!(list.len(), 202);
    for (last, code) in list[200..].iter().zip(["repeated_space", "typographic_apostrophe"]) {
        assert_eq!((&last["pointer"], &last["code"]), (&json!(""), &json!(code)));
        assert!(last["detail"].as_str().is_some_and(|detail| detail.starts_with("150 fields")), "{last}");
    }
}
