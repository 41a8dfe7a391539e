//! Verifying learners: the request to LRS, outcomes, flags, and responses that must not reach the caller.

use serde_json::{Value, json};

use crate::support::caller::Answer;
use crate::support::fake_server::{Reply, soap};
use crate::support::gateway::Options;
use crate::support::scripted_lrs::ScriptedLrs;

const VERIFY: &str = "/v1/learners/verify";

fn learner() -> Value {
    json!({"uln": "3000000126", "givenName": "Tegan", "familyName": "Quillfeather"})
}

/// LRS's response with this content in its `VerifiedLearner`.
fn verified(xml: &str) -> Reply {
    response(&format!("<VerifiedLearner>{xml}</VerifiedLearner>"))
}

/// LRS's response with this content.
fn response(xml: &str) -> Reply {
    let body = format!(
        "<ns2:VerifyLearnerResponse xmlns:ns2=\"http://api.lrs.miap.gov.uk/reportmsg\" \
         xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\">{xml}</ns2:VerifyLearnerResponse>"
    );
    Reply::Bytes(soap(200, &body))
}

/// Verifies [`learner`] while LRS sends this response.
async fn verify(reply: Reply) -> Answer {
    ScriptedLrs::new(Options::default(), [reply]).post(VERIFY, &learner()).await
}

#[tokio::test]
async fn verify_response_code_returns_its_outcome_and_undocumented_codes_return_other() {
    for (code, outcome) in [
        ("WSVRC001", "MATCH"),
        ("WSVRC002", "LINKED_MATCH"),
        ("WSVRC003", "SIMILAR_MATCH"),
        ("WSVRC004", "LINKED_SIMILAR_MATCH"),
        ("WSVRC005", "NO_MATCH"),
        ("WSVRC006", "ULN_NOT_FOUND"),
        ("WSVRC0001", "MATCH"),
        ("WSVRC007", "OTHER"),
        ("WSRC0004", "OTHER"),
        ("new", "OTHER"),
    ] {
        let answer = verify(verified(&format!("<SearchedULN>3000000126</SearchedULN><ResponseCode>{code}</ResponseCode>"))).await;

        assert_eq!(answer.header("cache-control"), "no-store");
        let expected = json!({"outcome": outcome, "lrsCode": code, "failures": [], "searchedUln": "3000000126"});
        assert_eq!(answer.expect_success(), expected);
    }
}

#[tokio::test]
async fn verify_failure_flag_returns_compared_fields() {
    let documented = [
        ("VRF1", "givenName", "givenName"),
        ("VRF2", "givenName", "familyName"),
        ("VRF3", "givenName", "previousFamilyName"),
        ("VRF4", "familyName", "givenName"),
        ("VRF5", "familyName", "familyName"),
        ("VRF6", "familyName", "previousFamilyName"),
        ("VRF7", "dateOfBirth", "dateOfBirth"),
        ("VRF8", "gender", "gender"),
    ];
    for (flag, field, compared_with) in documented {
        let xml = format!("<ResponseCode>WSVRC005</ResponseCode><FailureFlag> {flag}\n</FailureFlag>");

        let result = verify(verified(&xml)).await.expect_success();

        assert_eq!(result["failures"], json!([{"flag": flag, "field": field, "comparedWith": compared_with}]));
    }
    let flags: String = documented.iter().map(|(flag, ..)| format!("<FailureFlag>{flag}</FailureFlag>")).collect();
    let result = verify(verified(&format!("<ResponseCode>WSVRC005</ResponseCode>{flags}"))).await.expect_success();
    let returned_flags: Vec<_> = result["failures"].as_array().expect("an array").iter().map(|failure| failure["flag"].clone()).collect();
    assert_eq!(returned_flags, documented.map(|(flag, ..)| json!(flag)));
}

#[tokio::test]
async fn verify_undocumented_flag_is_returned_without_fields_and_empty_flag_is_omitted() {
    let flags = "<FailureFlag>VRF9</FailureFlag><FailureFlag>VRF1</FailureFlag><FailureFlag>vrf 10</FailureFlag><FailureFlag/>\
        <FailureFlag i:nil=\"true\"/>";
    let result = verify(verified(&format!("<ResponseCode>WSVRC003</ResponseCode>{flags}"))).await.expect_success();
    let expected = json!([{"flag": "VRF9"}, {"flag": "VRF1", "field": "givenName", "comparedWith": "givenName"}, {"flag": "vrf 10"}]);
    assert_eq!(result["failures"], expected);
}

#[tokio::test]
async fn verify_response_with_all_fields_returns_all_fields() {
    let xml = "<SearchedULN>3000000126</SearchedULN><SearchedFamilyName>Quillfeather &amp; Co</SearchedFamilyName>\
        <SearchedGivenName>Tegan</SearchedGivenName><SearchedDateOfBirth>2004-02-29</SearchedDateOfBirth><SearchedGender>9</SearchedGender>\
        <ResponseCode>WSVRC004</ResponseCode><ULN>3000000258</ULN><FamilyName>Quillfeather</FamilyName><GivenName>Tegan Lowri</GivenName>\
        <DateOfBirth>2004-02-28</DateOfBirth><Gender>2</Gender><FailureFlag>VRF7</FailureFlag>";
    let expected = json!({
        "outcome": "LINKED_SIMILAR_MATCH", "lrsCode": "WSVRC004",
        "failures": [{"flag": "VRF7", "field": "dateOfBirth", "comparedWith": "dateOfBirth"}],
        "searchedUln": "3000000126", "searchedFamilyName": "Quillfeather & Co", "searchedGivenName": "Tegan",
        "searchedDateOfBirth": "2004-02-29", "searchedGender": "NOT_SPECIFIED",
        "uln": "3000000258", "familyName": "Quillfeather", "givenName": "Tegan Lowri", "dateOfBirth": "2004-02-28", "gender": "FEMALE",
    });
    assert_eq!(verify(verified(xml)).await.expect_success(), expected);
}

#[tokio::test]
async fn verify_response_absent_nil_and_empty_fields_are_omitted() {
    for fields in ["", "<SearchedULN/><SearchedFamilyName/><ULN/><Gender/>", "<SearchedULN i:nil=\"true\"/><DateOfBirth i:nil=\"true\"/>"] {
        let result = verify(verified(&format!("{fields}<ResponseCode>WSVRC006</ResponseCode>"))).await.expect_success();
        assert_eq!(result, json!({"outcome": "ULN_NOT_FOUND", "lrsCode": "WSVRC006", "failures": []}));
    }
}

#[tokio::test]
async fn verify_response_undocumented_values_are_returned_verbatim() {
    let xml = "<ResponseCode>WSVRC001</ResponseCode><DateOfBirth>1900-02-29</DateOfBirth><Gender>7</Gender><NewField>x</NewField>";

    let result = verify(verified(xml)).await.expect_success();

    assert_eq!(result, json!({"outcome": "MATCH", "lrsCode": "WSVRC001", "failures": [], "dateOfBirth": "1900-02-29", "gender": "7"}));
}

#[tokio::test]
async fn verify_match_returns_flags_of_names_compared_with_other_names() {
    for flag in ["VRF2", "VRF3", "VRF4", "VRF6"] {
        let xml = format!("<ResponseCode>WSVRC001</ResponseCode><FailureFlag>{flag}</FailureFlag>");
        let result = verify(verified(&xml)).await.expect_success();
        assert_eq!((&result["outcome"], &result["failures"][0]["flag"]), (&json!("MATCH"), &json!(flag)));
    }
}

#[tokio::test]
async fn verify_linked_learner_returns_master_uln() {
    for (code, outcome) in [("WSVRC002", "LINKED_MATCH"), ("WSVRC004", "LINKED_SIMILAR_MATCH")] {
        let xml = format!("<SearchedULN>3000000126</SearchedULN><ResponseCode>{code}</ResponseCode><ULN>3000000258</ULN>");
        let result = verify(verified(&xml)).await.expect_success();
        assert_eq!(result["outcome"], outcome);
        assert_eq!((&result["searchedUln"], &result["uln"]), (&json!("3000000126"), &json!("3000000258")));
    }
}

#[tokio::test]
async fn verify_request_has_given_fields_and_nil_for_others() {
    for (changes, elements) in [
        (json!({}), "<DateOfBirth xsi:nil=\"true\"/><Gender xsi:nil=\"true\"/>"),
        (json!({"dateOfBirth": "2004-02-29"}), "<DateOfBirth>2004-02-29</DateOfBirth><Gender xsi:nil=\"true\"/>"),
        (json!({"gender": "NOT_KNOWN"}), "<DateOfBirth xsi:nil=\"true\"/><Gender>0</Gender>"),
        (json!({"dateOfBirth": "2004-02-29", "gender": "FEMALE"}), "<DateOfBirth>2004-02-29</DateOfBirth><Gender>2</Gender>"),
    ] {
        let mut learner = json!({"uln": "3000000126", "givenName": "Siân <&>", "familyName": "Ó \"Neill\" "});
        learner.as_object_mut().expect("an object").extend(changes.as_object().expect("an object").clone());
        let script = ScriptedLrs::new(Options::default(), [verified("<ResponseCode>WSVRC001</ResponseCode>")]);

        script.post(VERIFY, &learner).await.expect_success();

        let request = &script.received()[0];
        assert_eq!(request.head.lines().next(), Some("POST /LearnerService.svc HTTP/1.1"));
        assert_eq!(request.header("soapaction"), "\"http://tempuri.org/LearnerPortType/verifyLearner\"");
        assert_eq!(request.header("content-type"), "text/xml; charset=utf-8");
        let expected = format!(
            "<soapenv:Body><rep:VerifyLearner xmlns:rep=\"http://api.lrs.miap.gov.uk/reportmsg\"><OrganisationRef xsi:nil=\"true\"/>\
             <UKPRN>10088881</UKPRN><OrgPassword>demo-password-01</OrgPassword><UserName>j.bloggs</UserName><LearnerToVerify>\
             <ULN>3000000126</ULN><FamilyName>Ó \"Neill\" </FamilyName><GivenName>Siân &lt;&amp;&gt;</GivenName>{elements}\
             </LearnerToVerify></rep:VerifyLearner></soapenv:Body>"
        );
        assert!(request.body.contains(&expected), "{}", request.body);
    }
}

#[tokio::test]
async fn verify_error_code_returns_problem_and_no_learner() {
    for (code, status, problem_code) in [
        ("WSEC0001", 502, "lrs_rejected_request"),
        ("WSEC0003", 502, "lrs_credentials_rejected"),
        ("WSEC0004", 503, "lrs_maintenance"),
        ("WSEC0005", 502, "lrs_credentials_rejected"),
        ("WSEC0006", 502, "lrs_credentials_rejected"),
        ("WSEC0136", 422, "uln_invalid"),
        ("WSEC0999", 502, "lrs_bad_response"),
        ("WSEC4711", 502, "lrs_rejected_request"),
    ] {
        let xml = format!("<SearchedULN>3000000126</SearchedULN><ResponseCode>{code}</ResponseCode><FamilyName>Quillfeather</FamilyName>");

        let answer = verify(verified(&xml)).await;

        let problem = answer.problem(status, problem_code);
        assert_eq!((&problem["lrs"]["code"], &problem["outcomeUnknown"]), (&json!(code), &Value::Null), "{problem}");
        assert!(!answer.text.contains("Quillfeather") && !answer.text.contains("3000000126"), "{problem}");
    }
}

#[tokio::test]
async fn verify_contradictory_response_returns_lrs_bad_response_and_no_learner() {
    let name = "<FamilyName>Quillfeather</FamilyName>";
    let code = "<ResponseCode>WSVRC001</ResponseCode>";
    for (case, reply) in [
        ("another searched ULN", verified(&format!("<SearchedULN>3000000258</SearchedULN>{code}{name}"))),
        ("a searched ULN that is not a ULN", verified(&format!("<SearchedULN>3000000127</SearchedULN>{code}{name}"))),
        (
            "another searched ULN, under an undocumented code",
            verified("<SearchedULN>3000000258</SearchedULN><ResponseCode>WSVRC007</ResponseCode>"),
        ),
        ("a match with another learner's ULN", verified(&format!("{code}<ULN>3000000258</ULN>{name}"))),
        (
            "a similar match with another learner's ULN",
            verified(&format!("<ResponseCode>WSVRC003</ResponseCode><ULN>3000000258</ULN>{name}")),
        ),
        ("a match with a flag of a difference", verified(&format!("{code}{name}<FailureFlag>VRF1</FailureFlag>"))),
        ("no code", verified(&format!("<SearchedULN>3000000126</SearchedULN>{name}"))),
        ("an empty code", verified(&format!("<ResponseCode/>{name}"))),
        ("a code that is nil", verified(&format!("<ResponseCode i:nil=\"true\"/>{name}"))),
        ("two codes", verified(&format!("{code}{code}{name}"))),
        ("a code beside the learner", response(&format!("{code}<VerifiedLearner>{name}</VerifiedLearner>"))),
        ("no learner", response("")),
        ("an empty learner", response("<VerifiedLearner/>")),
        ("a learner that is nil", response("<VerifiedLearner i:nil=\"true\"/>")),
        ("two learners", response(&format!("<VerifiedLearner>{code}</VerifiedLearner><VerifiedLearner>{code}{name}</VerifiedLearner>"))),
        ("the content without its response element", Reply::Bytes(soap(200, &format!("<VerifiedLearner>{code}{name}</VerifiedLearner>")))),
    ] {
        let answer = verify(reply).await;

        let problem = answer.problem(502, "lrs_bad_response");
        assert_eq!(problem["outcomeUnknown"], Value::Null, "{case}: {problem}");
        assert!(!answer.text.contains("Quillfeather") && !answer.text.contains("3000000"), "{case}: {problem}");
    }
}
