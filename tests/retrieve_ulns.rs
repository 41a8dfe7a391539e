//! Retrieving the learners of many ULNs: the request to LRS, rows of the response, and rows that must not reach the caller.

use serde_json::{Value, json};

use crate::support::caller::Answer;
use crate::support::fake_server::{Reply, soap};
use crate::support::gateway::Options;
use crate::support::scripted_lrs::ScriptedLrs;

const RETRIEVE: &str = "/v1/learners/retrieve-ulns";

/// Returns this number of valid ULNs.
fn valid_ulns(count: usize) -> Vec<String> {
    let ulns = (300_000_000..).filter_map(lrs_gateway::domain::Uln::from_prefix);
    ulns.take(count).map(|uln| uln.as_str().to_owned()).collect()
}

/// LRS's response with these rows.
fn retrieved(rows: &str) -> Reply {
    response(&format!("<RetrievedULNs>{rows}</RetrievedULNs>"))
}

/// LRS's response with this content.
fn response(xml: &str) -> Reply {
    let body = format!(
        "<n:RetrieveULNsResponse xmlns:n=\"http://api.lrs.miap.gov.uk/reportmsg\" \
         xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\">{xml}</n:RetrieveULNsResponse>"
    );
    Reply::Bytes(soap(200, &body))
}

/// Retrieves two ULNs while LRS sends this response.
async fn retrieve(reply: Reply) -> Answer {
    ScriptedLrs::new(Options::default(), [reply]).post(RETRIEVE, &json!({"ulns": ["3000000126", "3000000258"]})).await
}

#[tokio::test]
async fn retrieve_ulns_returns_all_fields_of_all_rows() {
    let rows = "<VerifiedULN><ULN>3000000258</ULN><MasterULN>3000000126</MasterULN><ResponseCode>WSRC0004</ResponseCode>\
         <FamilyName>Ap Rhys</FamilyName><GivenName>Rhiannon</GivenName><DateOfBirth>2002-08-17</DateOfBirth>\
         <Gender>2</Gender></VerifiedULN>\
         <VerifiedULN><ULN>3000000126</ULN><ResponseCode>anything at all</ResponseCode><FamilyName/><GivenName i:nil=\"true\"/>\
         <DateOfBirth>unknown</DateOfBirth><Gender>7</Gender><NewField>x</NewField></VerifiedULN><VerifiedULN i:nil=\"true\"/>";

    let answer = retrieve(retrieved(rows)).await;

    assert_eq!(answer.header("cache-control"), "no-store");
    let expected = json!({"learners": [
        {
            "uln": "3000000258", "masterUln": "3000000126", "lrsCode": "WSRC0004", "familyName": "Ap Rhys", "givenName": "Rhiannon",
            "dateOfBirth": "2002-08-17", "gender": "FEMALE",
        },
        {"uln": "3000000126", "lrsCode": "anything at all", "dateOfBirth": "unknown", "gender": "7"},
    ]});
    assert_eq!(answer.expect_success(), expected);
}

#[tokio::test]
async fn retrieve_ulns_row_code_is_returned_verbatim_even_if_it_is_an_error_code() {
    for code in ["WSEC0136", "WSEC0999", "WSRC0019", "WSRC7777"] {
        let row = format!("<VerifiedULN><ULN>3000000258</ULN><ResponseCode>{code}</ResponseCode></VerifiedULN>");
        assert_eq!(retrieve(retrieved(&row)).await.expect_success(), json!({"learners": [{"uln": "3000000258", "lrsCode": code}]}));
    }
}

#[tokio::test]
async fn retrieve_ulns_response_without_rows_returns_no_learners() {
    for reply in [retrieved(""), response("<RetrievedULNs/>"), response("<RetrievedULNs i:nil=\"true\"/>"), response("")] {
        assert_eq!(retrieve(reply).await.expect_success(), json!({"learners": []}));
    }
}

#[tokio::test]
async fn retrieve_ulns_row_of_merged_record_is_returned_with_master_uln() {
    let row = "<VerifiedULN><ULN>3000000126</ULN><MasterULN>3000000266</MasterULN></VerifiedULN>";
    let expected = json!({"learners": [{"uln": "3000000126", "masterUln": "3000000266"}]});
    assert_eq!(retrieve(retrieved(row)).await.expect_success(), expected);
}

#[tokio::test]
async fn retrieve_ulns_row_with_code_only_is_returned_beside_other_rows() {
    let rows = "<VerifiedULN><ResponseCode>WSRC0099</ResponseCode></VerifiedULN><VerifiedULN><ULN>3000000126</ULN></VerifiedULN>";
    let expected = json!({"learners": [{"lrsCode": "WSRC0099"}, {"uln": "3000000126"}]});
    assert_eq!(retrieve(retrieved(rows)).await.expect_success(), expected);
}

#[tokio::test]
async fn retrieve_ulns_row_of_another_uln_returns_lrs_bad_response_and_no_learner() {
    let valid_row = "<VerifiedULN><ULN>3000000126</ULN><FamilyName>Quillfeather</FamilyName></VerifiedULN>";
    for invalid_row in [
        "<VerifiedULN><ULN>3000000266</ULN><FamilyName>Quillfeather</FamilyName></VerifiedULN>",
        "<VerifiedULN><ULN>3000000266</ULN><MasterULN>3000000274</MasterULN><FamilyName>Quillfeather</FamilyName></VerifiedULN>",
        "<VerifiedULN><ULN>none</ULN><FamilyName>Quillfeather</FamilyName></VerifiedULN>",
        "<VerifiedULN><FamilyName>Quillfeather</FamilyName></VerifiedULN>",
        "<VerifiedULN><ULN/><FamilyName>Quillfeather</FamilyName></VerifiedULN>",
    ] {
        for rows in [format!("{invalid_row}{valid_row}"), format!("{valid_row}{invalid_row}")] {
            let answer = retrieve(retrieved(&rows)).await;

            let problem = answer.problem(502, "lrs_bad_response");
            assert_eq!(problem["outcomeUnknown"], Value::Null, "{problem}");
            assert!(!answer.text.contains("Quillfeather") && !answer.text.contains("3000000"), "{problem}");
        }
    }
}

#[tokio::test]
async fn retrieve_ulns_malformed_row_list_returns_lrs_bad_response() {
    let row = "<VerifiedULN><ULN>3000000126</ULN></VerifiedULN>";
    for xml in [
        format!("<RetrievedULNs>{row}</RetrievedULNs><RetrievedULNs>{row}</RetrievedULNs>"),
        format!("<RetrievedULNs>{row}"),
        format!("<RetrievedULNs>{row} text</RetrievedULNs>"),
    ] {
        retrieve(response(&xml)).await.problem(502, "lrs_bad_response");
    }
}

#[tokio::test]
async fn retrieve_ulns_request_has_all_ulns_in_order_of_caller() {
    let mut ulns = valid_ulns(200);
    ulns.reverse();
    ulns[7] = ulns[3].clone();
    let rows: String = ulns.iter().map(|uln| format!("<VerifiedULN><ULN>{uln}</ULN></VerifiedULN>")).collect();
    let script = ScriptedLrs::new(Options::default(), [retrieved(&rows)]);
    let learners: Vec<_> = ulns.iter().map(|uln| json!({"uln": uln})).collect();

    let retrieved = script.post(RETRIEVE, &json!({"ulns": ulns})).await.expect_success();

    assert_eq!(retrieved, json!({"learners": learners}));
    let request = &script.received()[0];
    assert_eq!(request.head.lines().next(), Some("POST /LearnerService.svc HTTP/1.1"));
    assert_eq!(request.header("soapaction"), "\"\"");
    let elements: String = ulns.iter().map(|uln| format!("<ULN>{uln}</ULN>")).collect();
    let expected = format!(
        "<soapenv:Body><rep:RetrieveULNs xmlns:rep=\"http://api.lrs.miap.gov.uk/reportmsg\"><OrganisationRef xsi:nil=\"true\"/>\
         <UKPRN>10088881</UKPRN><OrgPassword>demo-password-01</OrgPassword><UserName>j.bloggs</UserName>\
         <ULNsToRetrieve>{elements}</ULNsToRetrieve></rep:RetrieveULNs></soapenv:Body>"
    );
    assert!(request.body.contains(&expected), "{}", request.body);
}

#[tokio::test]
async fn retrieve_ulns_invalid_list_returns_errors_with_pointers_and_sends_nothing() {
    let script = ScriptedLrs::new(Options::default(), []);
    let mut one_invalid = valid_ulns(200);
    one_invalid[137] = "3000000127".to_owned();

    for (ulns, status, problem_code, pointer, code) in [
        (json!([]), 422, "validation_failed", "/ulns", "too_few"),
        (json!(valid_ulns(201)), 422, "validation_failed", "/ulns", "too_many"),
        (json!(one_invalid), 422, "validation_failed", "/ulns/137", "check_digit"),
        (json!(["3000000126", "30000001260"]), 422, "validation_failed", "/ulns/1", "invalid_format"),
        (json!(["3000000126", 3_000_000_258_u64]), 400, "malformed_request", "/ulns/1", "wrong_type"),
        (json!([null]), 400, "malformed_request", "/ulns/0", "null_not_allowed"),
        (json!("3000000126"), 400, "malformed_request", "/ulns", "wrong_type"),
    ] {
        let answer = script.post_expecting_calls(0, RETRIEVE, &json!({"ulns": ulns})).await;

        answer.problem(status, problem_code);
        assert_eq!(answer.errors(), [(pointer.to_owned(), code.to_owned())], "{ulns}");
    }
    let answer = script.post_expecting_calls(0, RETRIEVE, &json!({"uln": "3000000126"})).await;

    answer.problem(400, "unknown_field");
    assert_eq!(answer.errors().len(), 2, "one error for the unknown field, and one for the missing list: {}", answer.text);
}
