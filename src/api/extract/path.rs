//! Batch ids and part numbers in paths.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use crate::auth::{ExtractFuture, after_authentication};
use crate::batches::model::BatchId;
use crate::problem::{Code, Problem};

/// The batch that a path names with `{batchId}`.
#[derive(Debug, Clone, Copy)]
pub struct BatchPath {
    /// The batch.
    pub batch_id: BatchId,
}

impl FromRequest for BatchPath {
    type Error = Problem;
    type Future = ExtractFuture<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        after_authentication(request, batch_id(request).map(|batch_id| Self { batch_id }))
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

impl FromRequest for PartPath {
    type Error = Problem;
    type Future = ExtractFuture<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let path = batch_id(request).and_then(|batch_id| Ok(Self { batch_id, part: part_number(request)? }));
        after_authentication(request, path)
    }
}

fn batch_id(request: &HttpRequest) -> Result<BatchId, Problem> {
    request.match_info().get("batchId").and_then(BatchId::parse).ok_or(Problem::new(Code::BatchNotFound))
}

fn part_number(request: &HttpRequest) -> Result<u32, Problem> {
    request.match_info().get("part").and_then(|text| text.parse().ok()).ok_or_else(part_not_found)
}

/// Returns the problem of a part number that the batch does not have.
pub fn part_not_found() -> Problem {
    Problem::new(Code::NotFound).detail("The batch has no part with this number. Read the batch to see its parts.")
}
