//! The page of fields: which element of LRS is which field of JSON, and no field is forgotten.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use lrs_gateway::domain::{
    FindByDemographics, FindByUln, GetLearningEvents, Learner, LearnerDetails, LearningEvent, RegisterLearner, RetrieveUlns, UpdateLearner,
    VerifyLearner,
};
use lrs_gateway::form::camel_case;
use lrs_gateway::lrs::Operation;
use lrs_gateway::lrs::learner_service::{
    FindLearnerResponse, RegisterLearnerResponse, RetrieveUlnsResponse, RetrievedUln, RetrievedUlns, UpdateLearnerResponse,
    VerifiedLearner, VerifyLearnerResponse,
};
use lrs_gateway::lrs::learner_service_r9::{LearnerRecord, LearningEventsResponse, LearningEventsResult};
use lrs_gateway::lrs::soap::record::{Fields, WireRecord};
use lrs_gateway::openapi;
use serde_json::Value;

use super::assert_ends_with;

/// An element by its path, and the fields of JSON that are made of it or it is made of.
type Rows = Vec<(String, Vec<String>)>;

/// Elements that are not the field of their name: a list, an outcome, or only the frame of others.
const NOT_BY_NAME: [(&str, &[&str]); 6] = [
    ("ResponseCode", &["outcome", "lrsCode"]),
    ("LinkedULNs", &["linkedUlns[]"]),
    ("FailureFlag", &["failures[].flag", "failures[].field", "failures[].comparedWith"]),
    ("ULNsToRetrieve/ULN", &["ulns[]"]),
    ("Learner", &[]),
    ("LearningEvent", &[]),
];

/// Elements of a record that stand at `element`, and whose fields stand at `json`. Frames of other elements have no row.
fn rows(element: &str, json: &str, fields: Fields) -> Rows {
    let rows = fields.iter().map(|(name, field)| {
        let special = NOT_BY_NAME.iter().find(|(special, _)| special == name).map(|(_, names)| names.iter().map(|name| (*name).to_owned()));
        let names: Vec<String> = special.map_or_else(|| vec![camel_case(field)], Iterator::collect);
        (format!("{element}{name}"), names.into_iter().map(|name| format!("{json}{name}")).collect())
    });
    rows.filter(|(_, names): &(String, Vec<String>)| !names.is_empty()).collect()
}

/// The path of an element within the only element of a record that is a frame and nothing else.
fn within<T: WireRecord>(element: &str) -> String {
    let [(frame, _)] = T::FIELDS else { panic!("it has {} elements", T::FIELDS.len()) };
    format!("{element}{frame}/")
}

fn find_answer() -> Rows {
    let outcome = FindLearnerResponse::FIELDS.iter().position(|(name, _)| *name == "ResponseCode").expect("a code");
    let (outcome, searched) = FindLearnerResponse::FIELDS.split_at(outcome + 1);
    [rows("", "", outcome), rows("", "searched.", searched), rows("Learner/", "learners[].", Learner::FIELDS)].concat()
}

fn verify_answer() -> Rows {
    let in_batches_only = |(element, _): &&(&str, &str)| *element != "MISIdentifier";
    let fields: Vec<_> = VerifiedLearner::FIELDS.iter().filter(in_batches_only).copied().collect();
    rows(&within::<VerifyLearnerResponse>(""), "", fields.leak())
}

fn retrieve_answer() -> Rows {
    let row = within::<RetrievedUlns>(&within::<RetrieveUlnsResponse>(""));
    let mut rows = rows(&row, "learners[].", RetrievedUln::FIELDS);
    // The codes are not public, so there is no outcome.
    for (_, names) in &mut rows {
        names.retain(|name| name != "learners[].outcome");
    }
    rows
}

fn learning_events_answer() -> Rows {
    let result = within::<LearningEventsResponse>("");
    let (record, others) = LearningEventsResult::FIELDS.split_last().expect("elements");
    let event = within::<LearnerRecord>(&format!("{result}{}/", record.0));
    [rows(&result, "", others), rows(&event, "events[].", LearningEvent::FIELDS)].concat()
}

/// A learner to register or update, and what else is in the request.
fn details<O: Operation>() -> Rows {
    [rows("Learner/", "learner.", LearnerDetails::FIELDS), rows("", "", O::FIELDS)].concat()
}

#[test]
fn the_page_of_fields_has_every_field_of_every_operation() {
    let page = [
        section::<FindByUln>("findLearnerByUln", &rows("", "", FindByUln::FIELDS), &find_answer()),
        section::<FindByDemographics>("findLearnersByDemographics", &rows("", "", FindByDemographics::FIELDS), &find_answer()),
        section::<RegisterLearner>("registerLearner", &details::<RegisterLearner>(), &rows("", "", RegisterLearnerResponse::FIELDS)),
        section::<UpdateLearner>("updateLearner", &details::<UpdateLearner>(), &rows("", "", UpdateLearnerResponse::FIELDS)),
        section::<VerifyLearner>("verifyLearner", &rows("", "", VerifyLearner::FIELDS), &verify_answer()),
        section::<RetrieveUlns>("retrieveUlns", &rows("", "", RetrieveUlns::FIELDS), &retrieve_answer()),
        section::<GetLearningEvents>("getLearningEvents", &rows("", "", GetLearningEvents::FIELDS), &learning_events_answer()),
    ];
    assert_ends_with("docs/FIELDS.md", "fields", &page.concat());
}

/// What the page says of an operation. The OpenAPI document must have these fields and no others.
fn section<O: Operation>(id: &str, request: &Rows, answer: &Rows) -> String {
    let operation = operation(id);
    let schema = |part: &Value| part["content"]["application/json"]["schema"].clone();
    let mut page = format!("\n## {id}\n\nLRS calls it {}.\n", O::NAME);
    let element = O::ELEMENT.rsplit(':').next().expect("a name");
    for (element, table, schema) in
        [(element, request, schema(&operation["requestBody"])), (O::ANSWER, answer, schema(&operation["responses"]["200"]))]
    {
        let listed: BTreeSet<String> = table.iter().flat_map(|(_, names)| names.clone()).collect();
        assert_eq!(listed, fields_of(&schema, ""), "{id} {element}");
        writeln!(page, "\n| {element} | JSON |\n|---|---|").expect("text");
        for (element, names) in table {
            writeln!(page, "| {element} | `{}` |", names.join("`, `")).expect("text");
        }
    }
    page
}

fn document() -> Value {
    serde_json::from_str(&openapi::document_3_1()).expect("JSON")
}

fn operation(id: &str) -> Value {
    let document = document();
    let mut operations = document["paths"].as_object().expect("paths").values().map(|path| &path["post"]);
    operations.find(|operation| operation["operationId"] == id).unwrap_or_else(|| panic!("no {id}")).clone()
}

/// The paths of all texts and numbers in values of a schema.
fn fields_of(schema: &Value, path: &str) -> BTreeSet<String> {
    if let Some(name) = schema["$ref"].as_str() {
        return fields_of(document().pointer(name.trim_start_matches('#')).expect(name), path);
    }
    if schema["items"].is_object() {
        return fields_of(&schema["items"], &format!("{path}[]"));
    }
    let Some(properties) = schema["properties"].as_object() else { return BTreeSet::from([path.to_owned()]) };
    let dot = if path.is_empty() { "" } else { "." };
    properties.iter().flat_map(|(name, property)| fields_of(property, &format!("{path}{dot}{name}"))).collect()
}
