//! The page of the field mapping: it has every element of LRS's messages and every field of the JSON documents.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use lrs_gateway::domain::{
    AbilityToShare, AchievementAction, AchievementJob, AchievementJobStatus, BatchLearner, BatchLearnerResult, BatchLearnerToVerify,
    ClearableField, DemographicSearch, DetailLevel, FindType, Gender, JobType, Learner, LearnerChanges, LearnerDetails,
    LearnerRegistration, LearnerUpdate, LearnerVerification, LearningEvent, LearningEventsSearch, SubmissionType, UlnRetrieval, UlnSearch,
    VerificationType,
};
use lrs_gateway::lrs::Operation;
use lrs_gateway::lrs::services::external::{GetAchievementJob, SubmitAchievementJob};
use lrs_gateway::lrs::services::learner::{
    FindLearnerResponse, GetRegistrationJob, GetVerificationJob, RecordSearch, RecordUpdate, RegisterLearnerResponse,
    RegistrationBatchOutput, RetrieveUlnsResponse, RetrievedUln, RetrievedUlns, SubmitRegistrationJob, SubmitVerificationJob,
    UpdateLearnerResponse, VerificationBatchOutput, VerifiedLearner, VerifyLearnerResponse,
};
use lrs_gateway::lrs::services::learner_r9::{LearnerRecord, LearningEventsResponse, LearningEventsResult};
use lrs_gateway::schema::{CodeList, CodeTable};
use lrs_gateway::xml::{FieldMapping, XmlRecord};
use serde_json::Value;

use super::assert_generated;
use crate::support::fields::{DOCUMENT, fields_of, operation, schema};

/// The path of an element, and the JSON fields that the gateway derives from it, or derives it from.
type Row = (String, Vec<String>);

/// Elements that do not have the field of their name: lists, outcomes, and elements that only contain others.
const SPECIAL_ELEMENTS: [(&str, &[&str]); 6] = [
    ("ResponseCode", &["outcome", "lrsCode"]),
    ("LinkedULNs", &["linkedUlns[]"]),
    ("FailureFlag", &["failures[].flag", "failures[].field", "failures[].comparedWith"]),
    ("ULNsToRetrieve/ULN", &["ulns[]"]),
    ("Learner", &[]),
    ("LearningEvent", &[]),
];

/// Returns the rows of the elements of a record. `element` is the path of the record in LRS's message, and `json` its path in JSON. Elements
/// that only contain others have no row.
fn rows(element: &str, json: &str, fields: FieldMapping) -> Vec<Row> {
    let rows = fields.iter().map(|(name, field)| {
        let special = SPECIAL_ELEMENTS.iter().find(|(special, _)| special == name);
        let names = special.map_or_else(|| vec![(*field).to_owned()], |(_, names)| names.iter().map(|name| (*name).to_owned()).collect());
        (format!("{element}{name}"), names.into_iter().map(|name| format!("{json}{name}")).collect())
    });
    rows.filter(|(_, names): &Row| !names.is_empty()).collect()
}

/// Returns the path of the only element of a record, which only contains others.
fn path_within<T: XmlRecord>(element: &str) -> String {
    let [(container, _)] = T::FIELDS else { panic!("the record has {} elements", T::FIELDS.len()) };
    format!("{element}{container}/")
}

fn find_answer() -> Vec<Row> {
    let outcome = FindLearnerResponse::FIELDS.iter().position(|(name, _)| *name == "ResponseCode").expect("the code");
    let (outcome, searched) = FindLearnerResponse::FIELDS.split_at(outcome + 1);
    [rows("", "", outcome), rows("", "searched.", searched), rows("Learner/", "learners[].", Learner::FIELDS)].concat()
}

fn verify_answer() -> Vec<Row> {
    let is_in_batches_only = |(element, _): &&(&str, &str)| *element == "MISIdentifier";
    let fields: Vec<_> = VerifiedLearner::FIELDS.iter().filter(|field| !is_in_batches_only(field)).copied().collect();
    rows(&path_within::<VerifyLearnerResponse>(""), "", fields.leak())
}

fn retrieve_answer() -> Vec<Row> {
    let element = path_within::<RetrievedUlns>(&path_within::<RetrieveUlnsResponse>(""));
    let mut rows = rows(&element, "learners[].", RetrievedUln::FIELDS);
    // The codes of this operation are not public, so the answer has no outcome.
    for (_, names) in &mut rows {
        names.retain(|name| name != "learners[].outcome");
    }
    rows
}

fn learning_events_answer() -> Vec<Row> {
    let result = path_within::<LearningEventsResponse>("");
    let (record, others) = LearningEventsResult::FIELDS.split_last().expect("elements");
    let event = path_within::<LearnerRecord>(&format!("{result}{}/", record.0));
    [rows(&result, "", others), rows(&event, "events[].", LearningEvent::FIELDS)].concat()
}

/// Returns the rows of a request that is a record.
fn request<O: Operation>() -> Vec<Row> {
    rows("", "", O::FIELDS)
}

/// Returns the rows of a request that is a record in the only element of its operation.
fn request_in_element<O: Operation + XmlRecord>() -> Vec<Row> {
    let [(container, "")] = <O as Operation>::FIELDS else { panic!("the request has more than one element") };
    rows(&format!("{container}/"), "", <O as XmlRecord>::FIELDS)
}

/// Returns the rows of a request with a learner.
fn learner_request<O: Operation>() -> Vec<Row> {
    [rows("Learner/", "learner.", LearnerDetails::FIELDS), request::<O>()].concat()
}

/// Returns the section of an amendment: the search for the record, and the update. Asserts that the OpenAPI document has the fields of the rows,
/// and no others.
fn amendment_section() -> String {
    let search = request::<RecordSearch>().into_iter().filter(|(element, _)| element != "FindType").collect::<Vec<_>>();
    let changes = LearnerChanges::FIELDS.iter().map(|(element, field)| {
        let is_clearable = ClearableField::TABLE.words().any(|word| word == *field);
        let cleared = is_clearable.then(|| "clear[]".to_owned());
        (format!("Learner/{element}"), [format!("changes.{field}")].into_iter().chain(cleared).collect())
    });
    let update: Vec<Row> = changes.chain(request::<RecordUpdate<'_>>()).collect();
    let answer = [rows("", "", UpdateLearnerResponse::FIELDS), rows("Learner/", "learner.", Learner::FIELDS)].concat();
    let operation = operation("amendLearner");
    assert_eq!(field_names(&[search.clone(), update.clone()].concat()), fields_of(schema(operation, REQUEST), ""));
    assert_eq!(field_names(&answer), fields_from_elements(operation, ANSWER));
    let heading = format!("\n## amendLearner\n\nLRS calls it {}, then {}.\n", RecordSearch::NAME, RecordUpdate::NAME);
    let tables = [
        table(RecordSearch::REQUEST_ELEMENT, &search),
        table(RecordUpdate::REQUEST_ELEMENT, &update),
        table(&format!("{} and {}", RecordUpdate::RESPONSE_ELEMENT, RecordSearch::RESPONSE_ELEMENT), &answer),
    ];
    heading + &tables.concat()
}

fn verification_batch_request() -> Vec<Row> {
    [rows("", "", &[("OrgEmail", "notifyEmail")]), rows("Learner/", "learners[].", BatchLearnerToVerify::FIELDS)].concat()
}

fn achievement_batch_request() -> Vec<Row> {
    let fields = SubmitAchievementJob::FIELDS.iter();
    let rows = fields.map(|(element, field)| {
        let list = if element.starts_with("achievements/") { "achievements[]." } else { "" };
        ((*element).to_owned(), vec![format!("{list}{field}")])
    });
    rows.collect()
}

/// Returns the rows of the elements that describe a batch job as a whole.
fn job_rows(fields: FieldMapping) -> Vec<Row> {
    let of_job = fields.iter().filter(|(element, _)| !element.ends_with("Learner"));
    let names = of_job.map(|(element, field)| match *element {
        "ResponseCode" => (element, "lrsCode".to_owned()),
        job if job.starts_with("Job") => (element, (*field).to_owned()),
        _ => (element, "counts".to_owned()),
    });
    names.map(|(element, field)| ((*element).to_owned(), vec![format!("parts[].{field}")])).collect()
}

/// Returns the rows of the elements of an achievement job that a part has. The part's job has all of them.
fn achievement_part_rows() -> Vec<Row> {
    let names = AchievementJob::FIELDS.iter().filter_map(|(element, _)| {
        let field = match *element {
            "ResponseCode" => "lrsCode",
            "Status" => "jobStatus",
            "StartDate" => "jobStartedDateTime",
            "EndDate" => "jobFinishedDateTime",
            "NumberOfRecords" => "counts",
            counter if counter.starts_with("Achievements") || counter.starts_with("Successful") || counter.ends_with("Errors") => "counts",
            _ => return None,
        };
        Some(((*element).to_owned(), vec![format!("parts[].{field}")]))
    });
    names.collect()
}

/// Returns the rows of a record in the results of a batch. Some elements are also fields of the result itself.
fn result_rows(fields: FieldMapping, record: &str) -> Vec<Row> {
    const RESULT_FIELDS: [(&str, &[&str]); 4] = [
        ("MISIdentifier", &["misIdentifier"]),
        ("ReturnCode", &["outcome", "lrsCode"]),
        ("ResponseCode", &["outcome", "lrsCode"]),
        ("ULN", &["uln"]),
    ];
    let mut rows = rows("", &format!("results[].{record}."), fields);
    for (element, names) in &mut rows {
        if let Some((_, fields)) = RESULT_FIELDS.iter().find(|(name, _)| name == element) {
            names.splice(0..0, fields.iter().map(|field| format!("results[].{field}")));
        }
    }
    rows
}

fn verification_result_rows() -> Vec<Row> {
    let mut rows = result_rows(VerifiedLearner::FIELDS, "verification");
    let (_, names) = rows.iter_mut().find(|(element, _)| element == "MISIdentifier").expect("the element");
    *names = vec!["results[].misIdentifier".to_owned()];
    rows
}

#[test]
fn field_mapping_page_has_every_field_of_every_operation() {
    let learner_operations = [
        section::<UlnSearch>("findLearnerByUln", &request::<UlnSearch>(), &find_answer()),
        section::<DemographicSearch>("findLearnersByDemographics", &request::<DemographicSearch>(), &find_answer()),
        section::<LearnerRegistration>(
            "registerLearner",
            &learner_request::<LearnerRegistration>(),
            &rows("", "", RegisterLearnerResponse::FIELDS),
        ),
        section::<LearnerUpdate>("updateLearner", &learner_request::<LearnerUpdate>(), &rows("", "", UpdateLearnerResponse::FIELDS)),
        amendment_section(),
        section::<LearnerVerification>("verifyLearner", &request_in_element::<LearnerVerification>(), &verify_answer()),
        section::<UlnRetrieval>("retrieveUlns", &request::<UlnRetrieval>(), &retrieve_answer()),
        section::<LearningEventsSearch>("getLearningEvents", &request::<LearningEventsSearch>(), &learning_events_answer()),
    ];
    let sections = learner_operations.concat() + &registration_batches() + &verification_batches() + &achievement_batches();
    let page = sections.clone() + &fields_by_name(&sections) + &code_lists();
    assert_generated("docs/FIELD-MAPPING.md", "fields", &page);
}

/// Returns the section that leads from the name of a JSON field to the elements, in the order of the names. `sections` are those of the operations.
fn fields_by_name(sections: &str) -> String {
    // For each field and each element: the operations, in the order of the page.
    let mut operations: BTreeMap<(String, String, String), Vec<&str>> = BTreeMap::new();
    let mut operation = "";
    for line in sections.lines() {
        if let Some(id) = line.strip_prefix("## ") {
            operation = id;
        }
        let Some((element, fields)) = line.strip_prefix("| ").and_then(|row| row.split_once(" | `")) else { continue };
        let element = element.rsplit('/').next().unwrap_or_default();
        for field in fields.trim_end_matches("` |").split("`, `") {
            let name = field.rsplit('.').next().unwrap_or_default().to_owned();
            let listed = operations.entry((name.to_lowercase(), name, element.to_owned())).or_default();
            if listed.last() != Some(&operation) {
                listed.push(operation);
            }
        }
    }
    let mut page = String::from(
        "\n## JSON fields by name\n\nFrom a field of the API to LRS. The section of the operation has the place of the field and of the element.\n\n\
         | JSON field | LRS element | operations |\n|---|---|---|\n",
    );
    for ((_, name, element), ids) in operations {
        let links: Vec<String> = ids.iter().map(|id| format!("[{id}](#{})", id.to_lowercase())).collect();
        writeln!(page, "| `{name}` | {element} | {} |", links.join(", ")).expect("text");
    }
    page
}

/// Returns the section of the code lists of which LRS has a code for each word.
fn code_lists() -> String {
    const TABLES: [&CodeTable; 9] = [
        AbilityToShare::TABLE,
        AchievementAction::TABLE,
        AchievementJobStatus::TABLE,
        FindType::TABLE,
        Gender::TABLE,
        DetailLevel::TABLE,
        JobType::TABLE,
        SubmissionType::TABLE,
        VerificationType::TABLE,
    ];
    let mut page = String::from(
        "\n## Code lists\n\nThe words of fields that LRS codes. The name of a list is its component in the OpenAPI document.\n",
    );
    for table in TABLES {
        writeln!(page, "\n### {}\n\n{}\n\n| JSON | LRS | meaning |\n|---|---|---|", table.name, table.description).expect("text");
        for entry in table.entries {
            writeln!(page, "| `{}` | `{}` | {} |", entry.word, entry.lrs.expect("a code"), entry.description).expect("text");
        }
    }
    page
}

/// Operations without fields of LRS of their own: those of the gateway's own resources, and those about a batch as a whole.
fn has_fields_of_lrs(id: &str) -> bool {
    let is_of_gateway = ["getOrganisation", "getLrsStatus", "getLiveness", "getReadiness"].contains(&id);
    let is_about_batch = ["list", "track", "resubmit", "discard", "erase"].iter().any(|verb| id.starts_with(verb));
    // Results have the same fields in every format.
    let is_another_format = ["AsNdjson", "AsCsv"].iter().any(|format| id.ends_with(format));
    !is_of_gateway && !is_about_batch && !is_another_format
}

#[test]
fn field_mapping_sections_are_those_of_the_openapi_document() {
    // `obtainUln` consists of two operations that have a section. LRS returns no result for an achievement.
    const EXCEPTIONS: [&str; 2] = ["obtainUln", "getAchievementBatchResults"];
    let page = super::page("docs/FIELD-MAPPING.md");
    let operations = DOCUMENT["paths"].as_object().expect("paths").values().flat_map(|path| path.as_object().expect("a path").values());
    let ids = operations.filter_map(|operation| operation["operationId"].as_str()).filter(|id| has_fields_of_lrs(id));
    let missing: Vec<&str> = ids.filter(|id| !EXCEPTIONS.contains(id) && !page.contains(&format!("\n## {id}\n"))).collect();
    assert_eq!(missing, [""; 0], "add sections to tests/documentation/field_mapping.rs");
}

fn registration_batches() -> String {
    let request = [rows("", "", &[("JobType", "jobType")]), rows("Learner/", "learners[].", BatchLearner::FIELDS)].concat();
    let (job, results) = (job_rows(RegistrationBatchOutput::FIELDS), result_rows(BatchLearnerResult::FIELDS, "learner"));
    [
        BatchMessage {
            id: "submitRegistrationBatch",
            document: REQUEST,
            element: SubmitRegistrationJob::REQUEST_ELEMENT,
            rows: request,
            complete_below: "",
        }
        .section::<SubmitRegistrationJob<'_>>(),
        BatchMessage {
            id: "getRegistrationBatch",
            document: ANSWER,
            element: GetRegistrationJob::RESPONSE_ELEMENT,
            rows: job,
            complete_below: "parts[].job",
        }
        .section::<GetRegistrationJob>(),
        BatchMessage {
            id: "getRegistrationBatchResults",
            document: ANSWER,
            element: "GetSubmitBatchOutputResponse/Learner",
            rows: results,
            complete_below: "results[].learner.",
        }
        .section::<GetRegistrationJob>(),
    ]
    .concat()
}

fn verification_batches() -> String {
    [
        BatchMessage {
            id: "submitVerificationBatch",
            document: REQUEST,
            element: SubmitVerificationJob::REQUEST_ELEMENT,
            rows: verification_batch_request(),
            complete_below: "",
        }
        .section::<SubmitVerificationJob<'_>>(),
        BatchMessage {
            id: "getVerificationBatch",
            document: ANSWER,
            element: GetVerificationJob::RESPONSE_ELEMENT,
            rows: job_rows(VerificationBatchOutput::FIELDS),
            complete_below: "parts[].job",
        }
        .section::<GetVerificationJob>(),
        BatchMessage {
            id: "getVerificationBatchResults",
            document: ANSWER,
            element: "GetVerifyBatchOutputResponse/VerifiedLearner",
            rows: verification_result_rows(),
            complete_below: "results[].verification.",
        }
        .section::<GetVerificationJob>(),
    ]
    .concat()
}

fn achievement_batches() -> String {
    let job = AchievementJob::FIELDS.iter().map(|(element, field)| ((*element).to_owned(), vec![(*field).to_owned()])).collect();
    [
        BatchMessage {
            id: "submitAchievementBatch",
            document: REQUEST,
            element: SubmitAchievementJob::REQUEST_ELEMENT,
            rows: achievement_batch_request(),
            complete_below: "",
        }
        .section::<SubmitAchievementJob<'_>>(),
        BatchMessage {
            id: "getAchievementBatch",
            document: ANSWER,
            element: "GetAchievementBatchJobResult",
            rows: achievement_part_rows(),
            complete_below: "parts[].job",
        }
        .section::<GetAchievementJob>(),
        BatchMessage {
            id: "getAchievementBatchJob",
            document: ANSWER,
            element: "GetAchievementBatchJobResult",
            rows: job,
            complete_below: "",
        }
        .section::<GetAchievementJob>(),
    ]
    .concat()
}

/// Places of JSON documents in an operation of the OpenAPI document.
const REQUEST: &str = "/requestBody";
const ANSWER: &str = "/responses/200";

/// A message about a batch.
struct BatchMessage {
    /// The `operationId` of the gateway's operation.
    id: &'static str,
    /// The place of the JSON document.
    document: &'static str,
    /// The element of LRS's message.
    element: &'static str,
    rows: Vec<Row>,
    /// The prefix of the JSON fields for which the rows must be complete. The other fields have no element.
    complete_below: &'static str,
}

impl BatchMessage {
    /// Returns the section of the page. Asserts that the OpenAPI document has the fields of the rows, and no others below the prefix.
    fn section<O: Operation>(self) -> String {
        let Self { id, document, element, rows, complete_below } = self;
        let documented = fields_of(schema(operation(id), document), "");
        let listed = field_names(&rows);
        assert!(listed.is_subset(&documented), "{id}: not documented: {:?}", listed.difference(&documented).collect::<Vec<_>>());
        let required: BTreeSet<String> = documented.into_iter().filter(|field| field.starts_with(complete_below)).collect();
        assert!(required.is_subset(&listed), "{id}: without element: {:?}", required.difference(&listed).collect::<Vec<_>>());
        heading::<O>(id) + &table(element, &rows)
    }
}

/// Returns the section of an operation. Asserts that the OpenAPI document has the fields of the rows, and no others.
fn section<O: Operation>(id: &str, request: &[Row], answer: &[Row]) -> String {
    let operation = operation(id);
    let mut section = heading::<O>(id);
    for (element, rows, document) in [(O::REQUEST_ELEMENT, request, REQUEST), (O::RESPONSE_ELEMENT, answer, ANSWER)] {
        assert_eq!(field_names(rows), fields_from_elements(operation, document), "{id} {element}");
        section += &table(element, rows);
    }
    section
}

/// Returns the fields of a JSON document of an operation that belong to elements.
fn fields_from_elements(operation: &Value, document: &str) -> BTreeSet<String> {
    let mut documented = fields_of(schema(operation, document), "");
    let is_detail = |field: &str| LearnerDetails::FIELDS.iter().any(|(_, detail)| *detail == field);
    documented.retain(|field| {
        // The gateway's own hints and comparisons come from no element. The fields that LRS maintains are not sent.
        let is_read_only = document == REQUEST && field.strip_prefix("learner.").is_some_and(|field| !is_detail(field));
        !is_read_only && !field.starts_with("warnings[].") && !field.ends_with(".differences[]")
    });
    documented
}

fn heading<O: Operation>(id: &str) -> String {
    format!("\n## {id}\n\nLRS calls it {}.\n", O::NAME)
}

/// Returns the table of an element, whose name can have a prefix.
fn table(element: &str, rows: &[Row]) -> String {
    let name = element.rsplit(':').next().expect("a name");
    let mut table = format!("\n| {name} | JSON |\n|---|---|\n");
    for (element, names) in rows {
        writeln!(table, "| {element} | `{}` |", names.join("`, `")).expect("text");
    }
    table
}

fn field_names(rows: &[Row]) -> BTreeSet<String> {
    rows.iter().flat_map(|(_, names)| names.clone()).collect()
}
