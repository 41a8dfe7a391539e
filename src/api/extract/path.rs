//! Batch ids and part numbers in paths.

use utoipa::openapi::path::ParameterIn;

use crate::api::description::{Description, EXAMPLE_BATCH_ID, batch_id, integer, parameter};
use crate::api::handler::HeadInput;
use crate::auth::AdmittedRequest;
use crate::batches::model::BatchId;
use crate::problem::{Code, Problem};

/// The batch that a path names with `{batchId}`.
#[derive(Debug, Clone, Copy)]
pub struct BatchPath {
    /// The batch.
    pub batch_id: BatchId,
}

impl HeadInput for BatchPath {
    fn describe(description: &mut Description) {
        description.add_parameter(
            "batchId",
            parameter("batchId", ParameterIn::Path, batch_id().examples([EXAMPLE_BATCH_ID]), "Identifier of the batch."),
        );
        description.add_problems("Batch", &[Code::BatchNotFound]);
    }

    fn from_head(request: &AdmittedRequest) -> Result<Self, Problem> {
        let batch_id = request.head().match_info().get("batchId").and_then(BatchId::parse);
        batch_id.map(|batch_id| Self { batch_id }).ok_or(Problem::new(Code::BatchNotFound))
    }
}

/// The part of a batch that a path names with `{batchId}` and `{part}`.
#[derive(Debug, Clone, Copy)]
pub struct PartPath {
    /// The batch.
    pub batch_id: BatchId,
    /// The number of the part, from 1.
    pub part: u32,
}

impl HeadInput for PartPath {
    fn describe(description: &mut Description) {
        BatchPath::describe(description);
        description.add_parameter("part", parameter("part", ParameterIn::Path, integer(1).examples([1]), "Number of the part, from 1."));
        description.add_problems("Part", &[Code::NotFound]);
    }

    fn from_head(request: &AdmittedRequest) -> Result<Self, Problem> {
        let BatchPath { batch_id } = BatchPath::from_head(request)?;
        let part = request.head().match_info().get("part").and_then(|text| text.parse().ok()).filter(|part| *part > 0);
        part.map(|part| Self { batch_id, part }).ok_or_else(part_not_found)
    }
}

/// Returns the problem of a part number that the batch does not have.
pub fn part_not_found() -> Problem {
    Problem::new(Code::NotFound).detail("The batch has no part with this number. Read the batch to see its parts.")
}
