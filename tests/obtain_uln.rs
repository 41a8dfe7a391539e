//! Obtaining a ULN in one call: LRS is searched first, and asked to register only if nobody matches.

use serde_json::{Value, json};

use crate::support::caller::Answer;
use crate::support::fake_server::{ReceivedRequest, Reply, http, soap};
use crate::support::gateway::Options;
use crate::support::scripted_lrs::ScriptedLrs;

const OBTAIN: &str = "/v1/learners/obtain-uln";

fn learner() -> Value {
    json!({
        "givenName": "Gwenllian", "familyName": "Tŷ & Co", "dateOfBirth": "2005-07-21", "gender": "FEMALE", "lastKnownPostCode": "ZZ7 7JJ",
        "verificationType": "PASSPORT", "abilityToShare": "SEEN_SHARE",
    })
}

fn registration() -> Value {
    json!({"learner": learner()})
}

/// LRS's answer to a search.
fn found(code: &str, learners: &str) -> Reply {
    let answer = format!(
        "<n:FindLearnerResponse xmlns:n=\"http://api.lrs.miap.gov.uk/findmsg\"><ResponseCode>{code}</ResponseCode>\
         <FamilyName>Tŷ &amp; Co</FamilyName><GivenName>Gwenllian</GivenName>{learners}</n:FindLearnerResponse>"
    );
    Reply::Bytes(soap(200, &answer))
}

/// A learner in it.
fn record(uln: &str, more: &str) -> String {
    format!("<Learner><ULN>{uln}</ULN><GivenName>Gwenllian</GivenName>{more}<VersionNumber>4</VersionNumber></Learner>")
}

/// The same to the caller.
fn record_of(uln: &str) -> Value {
    json!({"uln": uln, "givenName": "Gwenllian", "linkedUlns": [], "versionNumber": 4})
}

/// LRS's answer to a registration.
fn registered(xml: &str) -> Reply {
    let answer = format!("<n:RegisterLearnerResponse xmlns:n=\"http://api.lrs.miap.gov.uk/regmsg\">{xml}</n:RegisterLearnerResponse>");
    Reply::Bytes(soap(200, &answer))
}

fn fault(code: &str) -> Reply {
    let exception =
        format!("<e:MIAPAPIException xmlns:e=\"http://api.lrs.miap.gov.uk/exceptions\"><ErrorCode>{code}</ErrorCode></e:MIAPAPIException>");
    Reply::Bytes(soap(500, &format!("<soapenv:Fault><faultcode>soapenv:Server</faultcode><detail>{exception}</detail></soapenv:Fault>")))
}

/// Obtains a ULN; LRS must be asked for one search and nothing else.
async fn after_the_search(reply: Reply) -> Answer {
    let script = ScriptedLrs::new(Options::default(), [reply]);
    let answer = script.post(OBTAIN, &registration()).await;
    assert!(is_search(&script.received()[0]), "a search comes first");
    answer
}

/// Obtains a ULN for somebody whom a search does not find; LRS must be asked for a search and a registration.
async fn after_the_registration(reply: Reply) -> Answer {
    ScriptedLrs::new(Options::default(), [found("WSRC0001", ""), reply]).post_asking(2, OBTAIN, &registration()).await
}

fn is_search(request: &ReceivedRequest) -> bool {
    request.body.contains("<fin:FindLearnerByDemographics ") && request.body.contains("<FindType>FUL</FindType>")
}

#[tokio::test]
async fn an_exact_match_is_the_learner_and_nothing_is_registered() {
    let answer = after_the_search(found("WSRC0004", &record("3000000126", ""))).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let expected = json!({"outcome": "EXISTING", "lrsCode": "WSRC0004", "uln": "3000000126", "learners": [record_of("3000000126")]});
    assert_eq!(answer.expect_success(), expected);
}

#[tokio::test]
async fn a_linked_learner_has_the_masters_uln_and_nothing_is_registered() {
    let linked = "<MasterSubstituted>Y</MasterSubstituted><LinkedULNs><ULN>3000000258</ULN></LinkedULNs>";
    let result = after_the_search(found("WSRC0022", &record("3000000126", linked))).await.expect_success();
    assert_eq!(
        (&result["outcome"], &result["lrsCode"], &result["uln"]),
        (&json!("LINKED_LEARNER"), &json!("WSRC0022"), &json!("3000000126"))
    );
    let learner = &result["learners"][0];
    assert_eq!((&learner["uln"], &learner["linkedUlns"]), (&json!("3000000126"), &json!(["3000000258"])));
}

#[tokio::test]
async fn candidates_are_for_a_person_to_choose_from_and_nothing_is_registered() {
    for ulns in [&["3000000126"][..], &["3000000126", "3000000258"]] {
        let records: String = ulns.iter().map(|uln| record(uln, "")).collect();
        let learners: Vec<_> = ulns.iter().map(|uln| record_of(uln)).collect();
        let result = after_the_search(found("WSRC0003", &records)).await.expect_success();
        assert_eq!(result, json!({"outcome": "POSSIBLE_MATCHES", "lrsCode": "WSRC0003", "learners": learners}));
    }
}

#[tokio::test]
async fn too_many_candidates_and_undocumented_codes_register_nothing() {
    for (code, outcome) in [("WSRC0002", "TOO_MANY_MATCHES"), ("WSRC7777", "OTHER"), ("WSRC0005", "OTHER"), ("new", "OTHER")] {
        let result = after_the_search(found(code, "")).await.expect_success();
        assert_eq!(result, json!({"outcome": outcome, "lrsCode": code, "learners": []}));
    }
    let result = after_the_search(found("WSRC7777", &record("3000000126", ""))).await.expect_success();
    assert_eq!(result, json!({"outcome": "OTHER", "lrsCode": "WSRC7777", "learners": [record_of("3000000126")]}));
}

#[tokio::test]
async fn nobody_means_a_registration_after_the_search_with_the_same_particulars() {
    let script = ScriptedLrs::new(
        Options::default(),
        [found("WSRC0001", ""), registered("<ResponseCode>WSRC0005</ResponseCode><ULN>3000000258</ULN>")],
    );
    let mut learner = learner();
    for (field, value) in [
        ("title", "Dr"),
        ("previousFamilyName", "Ó Sé <"),
        ("schoolAtAge16", "Ysgol Fictional "),
        ("placeOfBirth", "Port"),
        ("emailAddress", "gwen@mail.example.com"),
        ("notes", "Met in person"),
    ] {
        learner[field] = json!(value);
    }
    let answer = script.post_asking(2, OBTAIN, &json!({"learner": learner})).await;
    assert_eq!((answer.status, answer.header("cache-control")), (201, "no-store"), "{}", answer.text);
    assert_eq!(answer.json(), json!({"outcome": "REGISTERED", "lrsCode": "WSRC0005", "uln": "3000000258", "learners": []}));

    let credentials = "<OrganisationRef xsi:nil=\"true\"/><UKPRN>10088881</UKPRN><OrgPassword>demo-password-01</OrgPassword>\
        <UserName>j.bloggs</UserName>";
    let search = format!(
        "<fin:FindLearnerByDemographics xmlns:fin=\"http://api.lrs.miap.gov.uk/findmsg\"><FindType>FUL</FindType>{credentials}\
         <FamilyName>Tŷ &amp; Co</FamilyName><GivenName>Gwenllian</GivenName><DateOfBirth>2005-07-21</DateOfBirth><Gender>2</Gender>\
         <LastKnownPostCode>ZZ7 7JJ</LastKnownPostCode><PreviousFamilyName>Ó Sé &lt;</PreviousFamilyName>\
         <SchoolAtAge16>Ysgol Fictional </SchoolAtAge16><PlaceOfBirth>Port</PlaceOfBirth>\
         <EmailAddress>gwen@mail.example.com</EmailAddress></fin:FindLearnerByDemographics>"
    );
    let registration = format!(
        "<reg:RegisterLearner xmlns:reg=\"http://api.lrs.miap.gov.uk/regmsg\">{credentials}<Learner><Title>Dr</Title>\
         <GivenName>Gwenllian</GivenName><FamilyName>Tŷ &amp; Co</FamilyName><PreviousFamilyName>Ó Sé &lt;</PreviousFamilyName>\
         <SchoolAtAge16>Ysgol Fictional </SchoolAtAge16><LastKnownPostCode>ZZ7 7JJ</LastKnownPostCode>\
         <DateOfBirth>2005-07-21</DateOfBirth><PlaceOfBirth>Port</PlaceOfBirth><Gender>2</Gender>\
         <EmailAddress>gwen@mail.example.com</EmailAddress><VerificationType>2</VerificationType><AbilityToShare>1</AbilityToShare>\
         <Notes>Met in person</Notes></Learner></reg:RegisterLearner>"
    );
    let received = script.received();
    assert_eq!(received.len(), 2);
    for (request, expected) in received.iter().zip([search, registration]) {
        assert!(request.body.contains(&format!("<soapenv:Body>{expected}</soapenv:Body>")), "{}", request.body);
    }
}

#[tokio::test]
async fn what_was_not_given_is_not_searched_for() {
    let script = ScriptedLrs::new(Options::default(), [found("WSRC0002", "")]);
    script.post(OBTAIN, &registration()).await.expect_success();
    let nothing = "<PreviousFamilyName xsi:nil=\"true\"/><SchoolAtAge16 xsi:nil=\"true\"/><PlaceOfBirth xsi:nil=\"true\"/>\
        <EmailAddress xsi:nil=\"true\"/>";
    assert!(script.received()[0].body.contains(nothing), "{}", script.received()[0].body);
}

#[tokio::test]
async fn a_search_that_fails_registers_nothing_and_leaves_nothing_unknown() {
    let cut = soap(200, "<n:FindLearnerResponse>");
    for (what, reply, status, code) in [
        ("out of hours", fault("WSEC0004"), 503, "lrs_maintenance"),
        ("refused message", fault("WSEC0001"), 502, "lrs_rejected_request"),
        ("refused password", fault("WSEC0005"), 502, "lrs_credentials_rejected"),
        ("LRS's own error", fault("WSEC0999"), 502, "lrs_bad_response"),
        ("an error as the answer's code", found("WSEC0999", ""), 502, "lrs_bad_response"),
        ("closed", Reply::ThenClose(Vec::new()), 503, "lrs_unavailable"),
        ("cut off", Reply::ThenClose(cut[..cut.len() - 9].to_vec()), 502, "lrs_bad_response"),
        ("a page", Reply::Bytes(http(200, "text/html", b"<html>maintenance</html>")), 503, "lrs_maintenance"),
        ("no code", found("", ""), 502, "lrs_bad_response"),
        ("nobody, with a learner", found("WSRC0001", &record("3000000126", "")), 502, "lrs_bad_response"),
        ("too many, with a learner", found("WSRC0002", &record("3000000126", "")), 502, "lrs_bad_response"),
        ("one, without a learner", found("WSRC0004", ""), 502, "lrs_bad_response"),
        ("linked, without a learner", found("WSRC0022", ""), 502, "lrs_bad_response"),
        ("one, with two", found("WSRC0004", &[record("3000000126", ""), record("3000000258", "")].concat()), 502, "lrs_bad_response"),
        ("a registration", registered("<ResponseCode>WSRC0005</ResponseCode><ULN>3000000258</ULN>"), 502, "lrs_bad_response"),
    ] {
        let answer = after_the_search(reply).await;
        let problem = answer.problem(status, code);
        assert_eq!(problem["outcomeUnknown"], Value::Null, "{what}: {problem}");
        assert!(!answer.text.contains("Gwenllian") && !answer.text.contains("3000000126"), "{what}: {problem}");
    }
}

#[tokio::test]
async fn a_registration_that_lrs_refuses_after_the_search_is_told() {
    for reply in [registered("<ResponseCode>WSRC0021</ResponseCode>"), fault("WSRC0021")] {
        let problem = after_the_registration(reply).await.problem(409, "learner_not_registered");
        assert_eq!((&problem["lrs"]["code"], &problem["outcomeUnknown"]), (&json!("WSRC0021"), &Value::Null), "{problem}");
    }
    let problem = after_the_registration(registered("<ResponseCode>WSRC0015</ResponseCode>")).await.problem(422, "insufficient_data");
    assert_eq!(problem["outcomeUnknown"], Value::Null, "{problem}");
}

#[tokio::test]
async fn a_registration_with_an_undocumented_code_is_passed_on() {
    let result = after_the_registration(registered("<ResponseCode>WSRC7777</ResponseCode>")).await.expect_success();
    assert_eq!(result, json!({"outcome": "OTHER", "lrsCode": "WSRC7777", "learners": []}));
}

#[tokio::test]
async fn a_registration_whose_answer_is_lost_after_the_search_has_an_unknown_outcome() {
    for (what, reply, status, code) in [
        ("closed", Reply::ThenClose(Vec::new()), 504, "lrs_timeout"),
        ("reset", Reply::ThenReset(Vec::new()), 504, "lrs_timeout"),
        ("LRS's own error", fault("WSEC0999"), 502, "lrs_bad_response"),
        ("no ULN", registered("<ResponseCode>WSRC0005</ResponseCode>"), 502, "lrs_bad_response"),
        ("the search's answer again", found("WSRC0001", ""), 502, "lrs_bad_response"),
    ] {
        let problem = after_the_registration(reply).await.problem(status, code);
        assert_eq!((&problem["outcomeUnknown"], &problem["retryable"]), (&json!(true), &json!(false)), "{what}: {problem}");
    }
}
