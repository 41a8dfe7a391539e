//! Amending a learner: the record is read, and written with some fields changed. No other field changes.

mod concurrent_updates;
mod preserved_values;
mod requests;
mod retries;
mod simulated;

use serde_json::{Value, json};

use crate::support::caller::Answer;
use crate::support::fake_server::{Reply, soap};
use crate::support::gateway::Options;
use crate::support::scripted_lrs::ScriptedLrs;

const AMEND: &str = "/v1/learners/amend";

/// The elements of a record that LRS requires in an update, without those of `Learner` that LRS maintains.
const REQUIRED: &str = "<GivenName>Zebedee</GivenName><FamilyName>Quillfeather</FamilyName><LastKnownPostCode>ZZ1 1AA</LastKnownPostCode>\
    <DateOfBirth>2004-11-30</DateOfBirth><Gender>1</Gender><VerificationType>2</VerificationType><AbilityToShare>1</AbilityToShare>";

/// An amendment of Zebedee's record with these changes and cleared fields.
fn amendment(changes: &Value, clear: &Value) -> Value {
    json!({"uln": "3000000126", "givenName": "Zebedee", "familyName": "Quillfeather", "changes": changes, "clear": clear})
}

/// LRS's response to the search, with this code and these records.
fn search_response(code: &str, records: &str) -> Reply {
    let namespace = "http://api.lrs.miap.gov.uk/findmsg";
    let response =
        format!("<n:FindLearnerResponse xmlns:n=\"{namespace}\"><ResponseCode>{code}</ResponseCode>{records}</n:FindLearnerResponse>");
    Reply::Bytes(soap(200, &response))
}

/// A record of Zebedee with these further elements.
fn record(version: i32, elements: &str) -> String {
    format!("<Learner><ULN>3000000126</ULN>{REQUIRED}{elements}<VersionNumber>{version}</VersionNumber></Learner>")
}

/// LRS's response to the search: an exact match of Zebedee's record.
fn found(version: i32, elements: &str) -> Reply {
    search_response("WSRC0004", &record(version, elements))
}

/// LRS's response to the update.
fn updated(code: &str) -> Reply {
    let namespace = "http://api.lrs.miap.gov.uk/regmsg";
    let response =
        format!("<n:UpdateLearnerResponse xmlns:n=\"{namespace}\"><ResponseCode>{code}</ResponseCode></n:UpdateLearnerResponse>");
    Reply::Bytes(soap(200, &response))
}

/// Amends the record while LRS sends these replies. The gateway must need all of them. Returns the answer and the content of each record
/// that was sent.
async fn amend(replies: Vec<Reply>, changes: Value, clear: Value) -> (Answer, Vec<String>) {
    let calls = replies.len();
    let script = ScriptedLrs::new(Options::default(), replies);
    let answer = script.post_expecting_calls(calls, AMEND, &amendment(&changes, &clear)).await;
    (answer, script.received().iter().filter_map(|request| written_record(&request.body)).collect())
}

/// Returns the content of the record of an update; `None` for a search.
fn written_record(request: &str) -> Option<String> {
    let (_, record) = request.split_once("<Learner>")?;
    assert!(request.contains("<reg:UpdateLearner "), "{request}");
    Some(record.split_once("</Learner>").expect("the record ends").0.to_owned())
}

/// The record's required elements, with these changes, then the ULN and the version.
fn written(replaced: &[(&str, &str)], version: i32) -> String {
    let record = replaced.iter().fold(REQUIRED.to_owned(), |record, (from, to)| {
        assert_eq!(record.matches(from).count(), 1, "{from}");
        record.replace(from, to)
    });
    format!("{record}<ULN>3000000126</ULN><VersionNumber>{version}</VersionNumber>")
}
