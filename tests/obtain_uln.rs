//! Obtaining a ULN in one call: the gateway searches first, and registers the learner only if no learner matches.

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

/// LRS's response to a search.
fn found(code: &str, learners: &str) -> Reply {
    let body = format!(
        "<n:FindLearnerResponse xmlns:n=\"http://api.lrs.miap.gov.uk/findmsg\"><ResponseCode>{code}</ResponseCode>\
         <FamilyName>Tŷ &amp; Co</FamilyName><GivenName>Gwenllian</GivenName>{learners}</n:FindLearnerResponse>"
    );
    Reply::Bytes(soap(200, &body))
}

/// A learner in LRS's response to a search, with these additional elements.
fn learner_xml(uln: &str, elements: &str) -> String {
    format!("<Learner><ULN>{uln}</ULN><GivenName>Gwenllian</GivenName>{elements}<VersionNumber>4</VersionNumber></Learner>")
}

/// The same learner in the answer to the caller.
fn learner_json(uln: &str) -> Value {
    json!({"uln": uln, "givenName": "Gwenllian", "linkedUlns": [], "versionNumber": 4})
}

/// The same learner as a candidate. LRS has sent no other detail of the search.
fn candidate_json(uln: &str) -> Value {
    let mut learner = learner_json(uln);
    learner["differences"] = json!(["familyName", "dateOfBirth", "gender", "lastKnownPostCode"]);
    learner
}

/// LRS's response to a registration.
fn registered(xml: &str) -> Reply {
    let body = format!("<n:RegisterLearnerResponse xmlns:n=\"http://api.lrs.miap.gov.uk/regmsg\">{xml}</n:RegisterLearnerResponse>");
    Reply::Bytes(soap(200, &body))
}

/// LRS's SOAP fault with this code.
fn fault(code: &str) -> Reply {
    let exception =
        format!("<e:MIAPAPIException xmlns:e=\"http://api.lrs.miap.gov.uk/exceptions\"><ErrorCode>{code}</ErrorCode></e:MIAPAPIException>");
    Reply::Bytes(soap(500, &format!("<soapenv:Fault><faultcode>soapenv:Server</faultcode><detail>{exception}</detail></soapenv:Fault>")))
}

/// Obtains a ULN while LRS sends this response to the search. Fails if the gateway sends more requests than the search.
async fn obtain_with_search_response(reply: Reply) -> Answer {
    let script = ScriptedLrs::new(Options::default(), [reply]);
    let answer = script.post(OBTAIN, &registration()).await;
    assert!(is_search(&script.received()[0]), "the first request is a search");
    answer
}

/// Obtains a ULN while LRS finds no learner and sends this response to the registration. Fails unless the gateway sends both requests.
async fn obtain_with_registration_response(reply: Reply) -> Answer {
    ScriptedLrs::new(Options::default(), [found("WSRC0001", ""), reply]).post_expecting_calls(2, OBTAIN, &registration()).await
}

fn is_search(request: &ReceivedRequest) -> bool {
    request.body.contains("<fin:FindLearnerByDemographics ") && request.body.contains("<FindType>FUL</FindType>")
}

#[tokio::test]
async fn obtain_uln_exact_match_returns_existing_and_registers_nothing() {
    let answer = obtain_with_search_response(found("WSRC0004", &learner_xml("3000000126", ""))).await;

    assert_eq!(answer.header("cache-control"), "no-store");
    let expected = json!({"outcome": "EXISTING", "lrsCode": "WSRC0004", "uln": "3000000126", "learners": [learner_json("3000000126")]});
    assert_eq!(answer.expect_success(), expected);
}

#[tokio::test]
async fn obtain_uln_linked_learner_returns_master_uln_and_registers_nothing() {
    let linked = "<MasterSubstituted>Y</MasterSubstituted><LinkedULNs><ULN>3000000258</ULN></LinkedULNs>";

    let result = obtain_with_search_response(found("WSRC0022", &learner_xml("3000000126", linked))).await.expect_success();

    assert_eq!(
        (&result["outcome"], &result["lrsCode"], &result["uln"]),
        (&json!("LINKED_LEARNER"), &json!("WSRC0022"), &json!("3000000126"))
    );
    let learner = &result["learners"][0];
    assert_eq!((&learner["uln"], &learner["linkedUlns"]), (&json!("3000000126"), &json!(["3000000258"])));
}

#[tokio::test]
async fn obtain_uln_possible_matches_returns_candidates_and_registers_nothing() {
    for ulns in [&["3000000126"][..], &["3000000126", "3000000258"]] {
        let records: String = ulns.iter().map(|uln| learner_xml(uln, "")).collect();
        let learners: Vec<_> = ulns.iter().map(|uln| candidate_json(uln)).collect();

        let result = obtain_with_search_response(found("WSRC0003", &records)).await.expect_success();

        assert_eq!(result, json!({"outcome": "POSSIBLE_MATCHES", "lrsCode": "WSRC0003", "learners": learners}));
    }
}

#[tokio::test]
async fn obtain_uln_too_many_matches_or_undocumented_code_registers_nothing() {
    for (code, outcome) in [("WSRC0002", "TOO_MANY_MATCHES"), ("WSRC7777", "OTHER"), ("WSRC0005", "OTHER"), ("new", "OTHER")] {
        let result = obtain_with_search_response(found(code, "")).await.expect_success();
        assert_eq!(result, json!({"outcome": outcome, "lrsCode": code, "learners": []}));
    }
    let result = obtain_with_search_response(found("WSRC7777", &learner_xml("3000000126", ""))).await.expect_success();
    assert_eq!(result, json!({"outcome": "OTHER", "lrsCode": "WSRC7777", "learners": [learner_json("3000000126")]}));
}

#[tokio::test]
async fn obtain_uln_no_match_registers_learner_with_the_data_of_the_search() {
    let script = ScriptedLrs::new(
        Options::default(),
        [found("WSRC0001", ""), found("WSRC0001", ""), registered("<ResponseCode>WSRC0005</ResponseCode><ULN>3000000258</ULN>")],
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

    let answer = script.post_expecting_calls(3, OBTAIN, &json!({"learner": learner})).await;

    assert_eq!((answer.status, answer.header("cache-control")), (201, "no-store"), "{}", answer.text);
    let mut result = answer.json();
    // The space at the end of the school is kept, with a warning and a search without it.
    assert_eq!(result["warnings"][0]["pointer"], "/learner/schoolAtAge16");
    result.as_object_mut().expect("an object").remove("warnings");
    assert_eq!(result, json!({"outcome": "REGISTERED", "lrsCode": "WSRC0005", "uln": "3000000258", "learners": []}));

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
    let plain_search = search.replace("Ysgol Fictional ", "Ysgol Fictional");
    assert_eq!(received.len(), 3);
    for (request, expected) in received.iter().zip([plain_search, search, registration]) {
        assert!(request.body.contains(&format!("<soapenv:Body>{expected}</soapenv:Body>")), "{}", request.body);
    }
}

#[tokio::test]
async fn obtain_uln_search_without_optional_fields_sends_nil() {
    let script = ScriptedLrs::new(Options::default(), [found("WSRC0002", "")]);

    script.post(OBTAIN, &registration()).await.expect_success();

    let nil_elements = "<PreviousFamilyName xsi:nil=\"true\"/><SchoolAtAge16 xsi:nil=\"true\"/><PlaceOfBirth xsi:nil=\"true\"/>\
        <EmailAddress xsi:nil=\"true\"/>";
    assert!(script.received()[0].body.contains(nil_elements), "{}", script.received()[0].body);
}

#[tokio::test]
async fn obtain_uln_failed_search_registers_nothing_and_has_known_outcome() {
    let complete_response = soap(200, "<n:FindLearnerResponse>");
    for (case, reply, status, code) in [
        ("out of hours", fault("WSEC0004"), 503, "lrs_maintenance"),
        ("a rejected message", fault("WSEC0001"), 502, "lrs_rejected_request"),
        ("a rejected password", fault("WSEC0005"), 502, "lrs_credentials_rejected"),
        ("an internal error of LRS", fault("WSEC0999"), 502, "lrs_bad_response"),
        ("an error code in the response", found("WSEC0999", ""), 502, "lrs_bad_response"),
        ("a closed connection", Reply::ThenClose(Vec::new()), 503, "lrs_unavailable"),
        ("a truncated response", Reply::ThenClose(complete_response[..complete_response.len() - 9].to_vec()), 503, "lrs_unavailable"),
        ("an HTML page", Reply::Bytes(http(200, "text/html", b"<html>maintenance</html>")), 503, "lrs_maintenance"),
        ("no code", found("", ""), 502, "lrs_bad_response"),
        ("no match, with a learner", found("WSRC0001", &learner_xml("3000000126", "")), 502, "lrs_bad_response"),
        ("too many matches, with a learner", found("WSRC0002", &learner_xml("3000000126", "")), 502, "lrs_bad_response"),
        ("an exact match, without a learner", found("WSRC0004", ""), 502, "lrs_bad_response"),
        ("a linked learner, without a learner", found("WSRC0022", ""), 502, "lrs_bad_response"),
        (
            "an exact match, with two learners",
            found("WSRC0004", &[learner_xml("3000000126", ""), learner_xml("3000000258", "")].concat()),
            502,
            "lrs_bad_response",
        ),
        ("a response to a registration", registered("<ResponseCode>WSRC0005</ResponseCode><ULN>3000000258</ULN>"), 502, "lrs_bad_response"),
    ] {
        let answer = obtain_with_search_response(reply).await;

        let problem = answer.problem(status, code);
        assert_eq!(problem["outcomeUnknown"], Value::Null, "{case}: {problem}");
        assert!(!answer.text.contains("Gwenllian") && !answer.text.contains("3000000126"), "{case}: {problem}");
    }
}

#[tokio::test]
async fn obtain_uln_rejected_registration_returns_problem_with_known_outcome() {
    for reply in [registered("<ResponseCode>WSRC0021</ResponseCode>"), fault("WSRC0021")] {
        let problem = obtain_with_registration_response(reply).await.problem(409, "learner_not_registered");
        assert_eq!((&problem["lrs"]["code"], &problem["outcomeUnknown"]), (&json!("WSRC0021"), &Value::Null), "{problem}");
    }
    let problem =
        obtain_with_registration_response(registered("<ResponseCode>WSRC0015</ResponseCode>")).await.problem(422, "insufficient_data");
    assert_eq!(problem["outcomeUnknown"], Value::Null, "{problem}");
}

#[tokio::test]
async fn obtain_uln_undocumented_registration_code_returns_other() {
    let result = obtain_with_registration_response(registered("<ResponseCode>WSRC7777</ResponseCode>")).await.expect_success();

    assert_eq!(result, json!({"outcome": "OTHER", "lrsCode": "WSRC7777", "learners": []}));
}

#[tokio::test]
async fn obtain_uln_lost_registration_response_has_unknown_outcome() {
    for (case, reply, status, code) in [
        ("a closed connection", Reply::ThenClose(Vec::new()), 504, "lrs_timeout"),
        ("a reset connection", Reply::ThenReset(Vec::new()), 504, "lrs_timeout"),
        ("an internal error of LRS", fault("WSEC0999"), 502, "lrs_bad_response"),
        ("no ULN", registered("<ResponseCode>WSRC0005</ResponseCode>"), 502, "lrs_bad_response"),
        ("a response to a search", found("WSRC0001", ""), 502, "lrs_bad_response"),
    ] {
        let problem = obtain_with_registration_response(reply).await.problem(status, code);

        assert_eq!((&problem["outcomeUnknown"], &problem["retryable"]), (&json!(true), &json!(false)), "{case}: {problem}");
    }
}

/// LRS's response to the search: these candidates.
fn candidates(ulns: &[&str]) -> Reply {
    found("WSRC0003", &ulns.iter().map(|uln| learner_xml(uln, "")).collect::<String>())
}

const NEW_LEARNER: &str = "<ResponseCode>WSRC0005</ResponseCode><ULN>3000000266</ULN>";

/// Obtains a ULN after a person has rejected these candidates, while LRS sends these replies. The gateway must need all of them.
async fn obtain_rejecting(rejected: &[&str], replies: Vec<Reply>) -> Answer {
    let calls = replies.len();
    let request = json!({"learner": learner(), "rejectedCandidates": rejected});
    ScriptedLrs::new(Options::default(), replies).post_expecting_calls(calls, OBTAIN, &request).await
}

#[tokio::test]
async fn obtain_uln_registers_learner_if_every_candidate_is_rejected() {
    for (rejected, found) in [
        (&["3000000126"][..], candidates(&["3000000126"])),
        (&["3000000258", "3000000126", "3000000266"], candidates(&["3000000126", "3000000258"])),
    ] {
        let answer = obtain_rejecting(rejected, vec![found, registered(NEW_LEARNER)]).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        let expected = json!({"outcome": "REGISTERED", "lrsCode": "WSRC0005", "uln": "3000000266", "learners": []});
        assert_eq!(answer.json(), expected);
    }
}

#[tokio::test]
async fn obtain_uln_candidate_that_is_not_rejected_registers_nothing() {
    for (rejected, found) in [
        (&[][..], candidates(&["3000000126"])),
        (&["3000000258"], candidates(&["3000000126"])),
        (&["3000000126"], candidates(&["3000000126", "3000000258"])),
        (&["3000000126"], candidates(&["3000000126", "not a ULN"])),
        (&["3000000126"], candidates(&[])),
    ] {
        let result = obtain_rejecting(rejected, vec![found]).await.expect_success();
        assert_eq!((&result["outcome"], result.get("uln")), (&json!("POSSIBLE_MATCHES"), None), "{result}");
    }
}

#[tokio::test]
async fn obtain_uln_rejected_learner_who_is_the_only_match_is_returned_with_a_warning_and_not_registered() {
    let rejected = ["3000000258", "3000000126"];
    for (reply, outcome, is_identified) in [
        (found("WSRC0004", &learner_xml("3000000126", "")), "EXISTING", true),
        (found("WSRC0022", &learner_xml("3000000126", "")), "LINKED_LEARNER", true),
        (found("WSRC0002", ""), "TOO_MANY_MATCHES", false),
        (found("WSRC7777", &learner_xml("3000000126", "")), "OTHER", false),
    ] {
        let result = obtain_rejecting(&rejected, vec![reply]).await.expect_success();
        let warning = (&result["warnings"][0]["pointer"], &result["warnings"][0]["code"]);
        let expected =
            if is_identified { (json!("/rejectedCandidates/1"), json!("match_was_rejected")) } else { (Value::Null, Value::Null) };
        assert_eq!((&result["outcome"], warning), (&json!(outcome), (&expected.0, &expected.1)), "{result}");
    }
    let result = obtain_rejecting(&["3000000258"], vec![found("WSRC0004", &learner_xml("3000000126", ""))]).await.expect_success();
    assert_eq!((&result["outcome"], &result["warnings"]), (&json!("EXISTING"), &Value::Null));
}

#[tokio::test]
async fn obtain_uln_registration_too_soon_after_possible_matches_says_when_to_retry() {
    let rejected = || vec![candidates(&["3000000126"]), registered("<ResponseCode>WSRC0021</ResponseCode>")];

    let answer = obtain_rejecting(&["3000000126"], rejected()).await;

    let problem = answer.problem(409, "registration_too_soon");
    assert_eq!((answer.header("retry-after"), &problem["retryAfterSeconds"], &problem["retryable"]), ("300", &json!(300), &json!(true)));
    assert_eq!((&problem["lrs"]["code"], &problem["outcomeUnknown"]), (&json!("WSRC0021"), &Value::Null));

    // LRS registers no second learner with the same details, however long the caller waits.
    let twin = "<FamilyName>Tŷ &amp; Co</FamilyName><LastKnownPostCode>zz77jj</LastKnownPostCode><DateOfBirth>2005-07-21</DateOfBirth>\
        <Gender>2</Gender>";
    let found = found("WSRC0003", &learner_xml("3000000126", twin));
    let answer = obtain_rejecting(&["3000000126"], vec![found, registered("<ResponseCode>WSRC0021</ResponseCode>")]).await;
    answer.problem(409, "learner_not_registered");

    // The same if only the search for the plain text finds it.
    let mut request = json!({"learner": learner(), "rejectedCandidates": ["3000000126"]});
    request["learner"]["familyName"] = json!("Tŷ\u{A0}& Co");
    let twin = learner_xml("3000000126", &twin.replace("Tŷ &", "Tŷ\u{A0}&"));
    let replies = [self::found("WSRC0003", &twin), self::found("WSRC0001", ""), registered("<ResponseCode>WSRC0021</ResponseCode>")];
    let script = ScriptedLrs::new(Options::default(), replies);
    script.post_expecting_calls(3, OBTAIN, &request).await.problem(409, "learner_not_registered");
}

#[tokio::test]
async fn obtain_uln_look_alike_name_both_searches_must_find_rejected_candidates_only() {
    let rejected = |uln: &str| {
        let mut learner = learner();
        learner["familyName"] = json!("Tŷ\u{A0}& Co");
        json!({"learner": learner, "rejectedCandidates": [uln]})
    };
    let replies = [
        candidates(&["3000000126"]),
        candidates(&["3000000126"]),
        registered(NEW_LEARNER),
        candidates(&["3000000126"]),
        found("WSRC0001", ""),
        registered("<ResponseCode>WSRC0021</ResponseCode>"),
        candidates(&["3000000126"]),
        candidates(&["3000000258"]),
        candidates(&["3000000258"]),
    ];
    let script = ScriptedLrs::new(Options::default(), replies);
    assert_eq!(script.post_expecting_calls(3, OBTAIN, &rejected("3000000126")).await.status, 201);
    script.post_expecting_calls(3, OBTAIN, &rejected("3000000126")).await.problem(409, "registration_too_soon");
    for calls in [2, 1] {
        let result = script.post_expecting_calls(calls, OBTAIN, &rejected("3000000126")).await.expect_success();
        assert_eq!((&result["outcome"], &result["learners"][0]["uln"]), (&json!("POSSIBLE_MATCHES"), &json!("3000000258")));
    }
}

#[tokio::test]
async fn obtain_uln_rejected_candidates_are_valid_ulns_and_at_most_50() {
    let script = ScriptedLrs::new(Options::default(), []);
    for (rejected, pointer, code) in [
        (json!(["3000000127"]), "/rejectedCandidates/0", "check_digit"),
        (json!(vec!["3000000126"; 51]), "/rejectedCandidates", "too_many"),
    ] {
        let request = json!({"learner": learner(), "rejectedCandidates": rejected});
        let errors = script.post_expecting_calls(0, OBTAIN, &request).await.errors();
        assert_eq!(errors, [(pointer.to_owned(), code.to_owned())]);
    }
}
