//! The fields of a learner: the four records have the same ones, in the order of LRS's contract.
//!
//! A field that is not in all records is an exception, and the constants name it.

use lrs_gateway::domain::{BatchLearner, BatchLearnerResult, Learner, LearnerDetails};
use serde_json::{Map, Value};

use crate::support::fields::{DOCUMENT, assert_same_names, element_names};

/// Elements of a record at LRS that callers do not send as details of the learner.
const IN_RECORDS_ONLY: [&str; 8] =
    ["CreatedDate", "LastUpdatedDate", "ULN", "MasterSubstituted", "TierLevel", "LearnerStatus", "LinkedULNs", "VersionNumber"];
/// Elements of a learner in a batch that are not details of the learner.
const IN_BATCHES_ONLY: [&str; 2] = ["ULN", "MISIdentifier"];
/// Elements that LRS adds to the learners of a batch.
const IN_BATCH_RESULTS_ONLY: [&str; 1] = ["ReturnCode"];

fn without(mut elements: Vec<&'static str>, exceptions: &[&str]) -> Vec<&'static str> {
    elements.retain(|element| !exceptions.contains(element));
    elements
}

fn sorted(mut elements: Vec<&'static str>) -> Vec<&'static str> {
    elements.sort_unstable();
    elements
}

#[test]
fn learner_fields_are_the_same_in_all_four_records() {
    let (details, learner) = (element_names::<LearnerDetails>(), without(element_names::<Learner>(), &IN_RECORDS_ONLY));
    let (in_batch, in_result) = (element_names::<BatchLearner>(), without(element_names::<BatchLearnerResult>(), &IN_BATCH_RESULTS_ONLY));
    assert_same_names(("Learner in src/domain/learner.rs", &learner), ("LearnerDetails", &details));
    assert_same_names(("BatchLearnerResult in src/domain/batch.rs", &in_result), ("BatchLearner", &in_batch));
    // In batches, the order is different.
    let (details, in_batch) = (sorted(details), sorted(without(in_batch, &IN_BATCHES_ONLY)));
    assert_same_names(("BatchLearner in src/domain/batch.rs", &in_batch), ("LearnerDetails in src/domain/learner.rs", &details));
}

/// Returns the properties of a schema component, without their descriptions.
fn properties(component: &str) -> Map<String, Value> {
    let mut properties = DOCUMENT["components"]["schemas"][component]["properties"].as_object().expect(component).clone();
    for property in properties.values_mut() {
        property.as_object_mut().expect("a schema").remove("description");
    }
    properties
}

#[test]
fn learner_fields_have_the_same_type_single_and_in_a_batch() {
    for (single, in_batch) in [("LearnerDetails", "BatchLearner"), ("Learner", "BatchLearnerResult")] {
        let batch_properties = properties(in_batch);
        for (name, property) in properties(single) {
            if let Some(in_a_batch) = batch_properties.get(&name) {
                assert_eq!(*in_a_batch, property, "{name} must have the same type in {in_batch} as in {single}");
            }
        }
    }
}

#[test]
fn learner_elements_have_the_positions_in_the_contract() {
    let mut in_batch_result = contract_column(4);
    in_batch_result.extend(IN_BATCH_RESULTS_ONLY.map(str::to_owned));
    for (record, elements, contract) in [
        ("Learner", element_names::<Learner>(), contract_column(2)),
        ("LearnerDetails", element_names::<LearnerDetails>(), contract_column(3)),
        ("BatchLearner", element_names::<BatchLearner>(), contract_column(4)),
        ("BatchLearnerResult", element_names::<BatchLearnerResult>(), in_batch_result),
    ] {
        let contract: Vec<&str> = contract.iter().map(String::as_str).collect();
        assert_same_names(("the table of docs/LRS-CONTRACT.md, 2.3,", &contract), (record, &elements));
    }
}

/// Returns the elements of a record in the order of their positions, from the table of section 2.3 of the contract. The columns are: the
/// element, its type, then the positions in `Learner`, in `LearnerToRegister` and in `BatchLearner`.
fn contract_column(column: usize) -> Vec<String> {
    let page = include_str!("../docs/LRS-CONTRACT.md");
    let section = page.split_once("### 2.3 ").expect("the section").1;
    let rows = section.lines().skip_while(|line| !line.starts_with("|---|")).skip(1).take_while(|line| line.starts_with("| `"));
    let mut positions: Vec<(usize, String)> = rows.filter_map(|row| position_in(row, column)).collect();
    positions.sort_unstable();
    assert!(positions.len() > 20, "{positions:?}");
    for (expected, (position, element)) in (1..).zip(&positions) {
        assert_eq!(*position, expected, "docs/LRS-CONTRACT.md, 2.3: position of {element} in column {column}; number the column from 1");
    }
    positions.into_iter().map(|(_, element)| element).collect()
}

/// Returns the position and the element of a row. A required element's position ends with `!`. A dash means that the record does not have
/// the element.
fn position_in(row: &str, column: usize) -> Option<(usize, String)> {
    let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
    let position = cells[column].trim_end_matches('!').parse().ok()?;
    Some((position, cells[0].trim_matches('`').to_owned()))
}
