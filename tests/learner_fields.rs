//! The fields of a learner's records: their elements, against the table of LRS's contract, and their types.

use lrs_gateway::domain::{BatchLearner, BatchLearnerResult, Learner, LearnerDetails};
use serde_json::{Map, Value};

use crate::support::fields::{assert_same_names, component, element_names};

/// Elements that LRS adds to the learners of a batch.
const IN_BATCH_RESULTS_ONLY: [&str; 1] = ["ReturnCode"];

#[test]
fn learner_elements_have_the_positions_in_the_contract() {
    let mut in_batch_result = contract_column(4);
    in_batch_result.extend(IN_BATCH_RESULTS_ONLY.map(str::to_owned));
    for (record, elements, contract) in [
        ("Learner in src/domain/learner.rs", element_names::<Learner>(), contract_column(2)),
        ("LearnerDetails in src/domain/learner.rs", element_names::<LearnerDetails>(), contract_column(3)),
        ("BatchLearner in src/domain/batch.rs", element_names::<BatchLearner>(), contract_column(4)),
        ("BatchLearnerResult in src/domain/batch.rs", element_names::<BatchLearnerResult>(), in_batch_result),
    ] {
        let contract: Vec<&str> = contract.iter().map(String::as_str).collect();
        assert_same_names(("the table of docs/LRS-CONTRACT.md, 2.3,", &contract), (record, &elements));
    }
}

/// Returns the properties of a schema component, without their descriptions.
fn properties(name: &str) -> Map<String, Value> {
    let mut properties = component(name)["properties"].as_object().expect(name).clone();
    for property in properties.values_mut() {
        property.as_object_mut().expect("a schema").remove("description");
    }
    properties
}

#[test]
fn learner_fields_have_the_same_type_single_and_in_a_batch() {
    for (single, in_batch) in [("LearnerDetails", "BatchLearner"), ("Learner", "BatchLearnerResult")] {
        let batch_properties = properties(in_batch);
        let in_both = properties(single).into_iter().filter_map(|(name, property)| Some((batch_properties.get(&name)?, name, property)));
        let compared = in_both.map(|(in_a_batch, name, property)| {
            assert_eq!(*in_a_batch, property, "{name} must have the same type in {in_batch} as in {single}");
        });
        assert!(compared.count() >= 24, "{single} and {in_batch} have the details of a learner");
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
