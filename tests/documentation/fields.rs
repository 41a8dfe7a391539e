//! The page of fields: which element of LRS is which field of JSON, and no field is forgotten.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use lrs_gateway::domain::{
    AchievementJob, BatchLearner, BatchLearnerResult, FindByDemographics, FindByUln, GetLearningEvents, Learner, LearnerDetails,
    LearningEvent, RegisterLearner, RetrieveUlns, UpdateLearner, VerifyLearner,
};
use lrs_gateway::lrs::Operation;
use lrs_gateway::lrs::services::external::{GetAchievementBatch, SubmitAchievementBatch};
use lrs_gateway::lrs::services::learner::{
    FindLearnerResponse, GetRegistrationBatch, GetVerificationBatch, RegisterLearnerResponse, RegistrationBatchOutput,
    RetrieveUlnsResponse, RetrievedUln, RetrievedUlns, SubmitRegistrationBatch, SubmitVerificationBatch, UpdateLearnerResponse,
    VerificationBatchOutput, VerifiedLearner, VerifyLearnerResponse,
};
use lrs_gateway::lrs::services::learner_r9::{LearnerRecord, LearningEventsResponse, LearningEventsResult};
use lrs_gateway::lrs::soap::xml_mapping::{FieldMapping, XmlRecord};
use lrs_gateway::schema::camel_case;
use lrs_gateway::server::openapi;
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
fn rows(element: &str, json: &str, fields: FieldMapping) -> Rows {
    let rows = fields.iter().map(|(name, field)| {
        let special = NOT_BY_NAME.iter().find(|(special, _)| special == name).map(|(_, names)| names.iter().map(|name| (*name).to_owned()));
        let names: Vec<String> = special.map_or_else(|| vec![camel_case(field)], Iterator::collect);
        (format!("{element}{name}"), names.into_iter().map(|name| format!("{json}{name}")).collect())
    });
    rows.filter(|(_, names): &(String, Vec<String>)| !names.is_empty()).collect()
}

/// The path of an element within the only element of a record that is a frame and nothing else.
fn within<T: XmlRecord>(element: &str) -> String {
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
    assert_ends_with("docs/FIELD-MAPPING.md", "fields", &(page.concat() + &batches()));
}

/// The batches: what is submitted is a list of records, what comes back a list of rows with records in them.
fn batches() -> String {
    let list = |list: &str, fields| rows("Learner/", &format!("{list}[]."), fields);
    let registrations = [rows("", "", &[("JobType", "job_type")]), list("learners", BatchLearner::FIELDS)].concat();
    let row = |fields: FieldMapping, record: &str| -> Rows {
        let own = [("MISIdentifier", "misIdentifier"), ("ReturnCode", "lrsCode"), ("ResponseCode", "lrsCode")];
        let mut rows = rows("", &format!("results[].{record}."), fields);
        for (element, names) in &mut rows {
            if let Some((_, field)) = own.iter().find(|(name, _)| name == element) {
                names.insert(0, format!("results[].{field}"));
            }
        }
        rows
    };
    let verifications: Rows = [
        ("OrgEmail", "notifyEmail"),
        ("Learner/MISIdentifier", "learners[].misIdentifier"),
        ("Learner/ULN", "learners[].uln"),
        ("Learner/FamilyName", "learners[].familyName"),
        ("Learner/GivenName", "learners[].givenName"),
        ("Learner/DateOfBirth", "learners[].dateOfBirth"),
        ("Learner/Gender", "learners[].gender"),
    ]
    .map(|(element, field)| (element.to_owned(), vec![field.to_owned()]))
    .into();
    let verified: Rows = row(VerifiedLearner::FIELDS, "verification")
        .into_iter()
        .map(|(element, names)| match element.as_str() {
            "MISIdentifier" => (element, vec!["results[].misIdentifier".to_owned()]),
            _ => (element, names),
        })
        .collect();
    let achievements: Rows = SubmitAchievementBatch::FIELDS
        .iter()
        .map(|(element, field)| {
            let list = if element.starts_with("achievements/") { "achievements[]." } else { "" };
            ((*element).to_owned(), vec![format!("{list}{}", camel_case(field))])
        })
        .collect();
    let job = AchievementJob::FIELDS.iter().map(|(element, field)| ((*element).to_owned(), vec![camel_case(field)])).collect();
    // What LRS says of a job as a whole.
    let of_job = |fields: FieldMapping| -> Rows {
        let whole = fields.iter().filter(|(element, _)| !element.ends_with("Learner"));
        let names = whole.map(|(element, field)| match *element {
            "ResponseCode" => (element, "lrsCode".to_owned()),
            job if job.starts_with("Job") => (element, camel_case(field)),
            _ => (element, "counts".to_owned()),
        });
        names.map(|(element, field)| ((*element).to_owned(), vec![format!("parts[].{field}")])).collect()
    };
    [
        table::<SubmitRegistrationBatch<'_>>(
            "submitRegistrationBatch",
            "requestBody",
            SubmitRegistrationBatch::REQUEST_ELEMENT,
            &registrations,
            "",
        ),
        table::<GetRegistrationBatch>(
            "getRegistrationBatch",
            "responses/200",
            GetRegistrationBatch::RESPONSE_ELEMENT,
            &of_job(RegistrationBatchOutput::FIELDS),
            "parts[].job",
        ),
        table::<GetRegistrationBatch>(
            "getRegistrationBatchResults",
            "responses/200",
            "GetSubmitBatchOutputResponse/Learner",
            &row(BatchLearnerResult::FIELDS, "learner"),
            "results[].learner.",
        ),
        table::<SubmitVerificationBatch<'_>>(
            "submitVerificationBatch",
            "requestBody",
            SubmitVerificationBatch::REQUEST_ELEMENT,
            &verifications,
            "",
        ),
        table::<GetVerificationBatch>(
            "getVerificationBatch",
            "responses/200",
            GetVerificationBatch::RESPONSE_ELEMENT,
            &of_job(VerificationBatchOutput::FIELDS),
            "parts[].job",
        ),
        table::<GetVerificationBatch>(
            "getVerificationBatchResults",
            "responses/200",
            "GetVerifyBatchOutputResponse/VerifiedLearner",
            &verified,
            "results[].verification.",
        ),
        table::<SubmitAchievementBatch<'_>>(
            "submitAchievementBatch",
            "requestBody",
            SubmitAchievementBatch::REQUEST_ELEMENT,
            &achievements,
            "",
        ),
        table::<GetAchievementBatch>("getAchievementBatchJob", "responses/200", "GetAchievementBatchJobResult", &job, ""),
    ]
    .concat()
}

/// What the page says of one message of a batch. The document must have these fields, and below `prefix` no others.
fn table<O: Operation>(id: &str, part: &str, element: &str, table: &Rows, prefix: &str) -> String {
    let schema = operation(id).pointer(&format!("/{part}/content/application~1json/schema")).expect(id).clone();
    let there = fields_of(&schema, "");
    let listed: BTreeSet<String> = table.iter().flat_map(|(_, names)| names.clone()).collect();
    assert!(listed.is_subset(&there), "{id}: {:?}", listed.difference(&there).collect::<Vec<_>>());
    let below: BTreeSet<String> = there.into_iter().filter(|field| field.starts_with(prefix)).collect();
    assert!(below.is_subset(&listed), "{id}: {:?}", below.difference(&listed).collect::<Vec<_>>());
    let mut page = format!("\n## {id}\n\nLRS calls it {}.\n", O::NAME);
    let element = element.rsplit(':').next().expect("a name");
    writeln!(page, "\n| {element} | JSON |\n|---|---|").expect("text");
    for (element, names) in table {
        writeln!(page, "| {element} | `{}` |", names.join("`, `")).expect("text");
    }
    page
}

/// What the page says of an operation. The OpenAPI document must have these fields and no others.
fn section<O: Operation>(id: &str, request: &Rows, answer: &Rows) -> String {
    let operation = operation(id);
    let schema = |part: &Value| part["content"]["application/json"]["schema"].clone();
    let mut page = format!("\n## {id}\n\nLRS calls it {}.\n", O::NAME);
    let element = O::REQUEST_ELEMENT.rsplit(':').next().expect("a name");
    for (element, table, schema) in
        [(element, request, schema(&operation["requestBody"])), (O::RESPONSE_ELEMENT, answer, schema(&operation["responses"]["200"]))]
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
    let paths = document["paths"].as_object().expect("paths").values();
    let mut operations = paths.flat_map(|path| [&path["post"], &path["get"]]);
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
