//! Problem responses of each kind of operation in the OpenAPI document.

use std::collections::{BTreeMap, BTreeSet};

use utoipa::IntoResponses;
use utoipa::openapi::{Ref, RefOr, Response};

use crate::problem::CATALOGUE;

/// Declares sets of problem responses. A set has one response per status, by reference, except for the statuses listed.
macro_rules! problem_responses {
    ($($(#[$doc:meta])* $name:ident $(except $($status:literal)+)?;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                problem_statuses()
                    .filter(|status| ![$($($status),+)?].contains(status))
                    .map(|status| (status.to_string(), RefOr::Ref(Ref::from_response_name(component_name(status)))))
                    .collect()
            }
        }
    )+};
}

problem_responses! {
    /// Problems of operations that read from LRS.
    ReadProblems except 404 406 409;
    /// Problems of operations that register or update learners.
    WriteProblems except 406;
    /// Problems of operations that do not call LRS: LRS status and organisation.
    StatusProblems except 404 406 409 413 415 422 502 504;
    /// Problems of the readiness check.
    ReadinessProblems except 400 401 403 404 406 409 413 415 422 429 431 500 502 504;
    /// Problems of submitting a batch.
    SubmitProblems except 404 406 502 504;
    /// Problems of tracking a job.
    TrackProblems except 404 406 409 502 504;
    /// Problems of reading or erasing a batch.
    BatchProblems except 406 409 413 415 422 502 504;
    /// Problems of reading the results of a batch.
    ResultProblems except 409 413 415 422 502 504;
    /// Problems of deciding about a part.
    DecisionProblems except 406 413 415 422 502 504;
}

/// Returns every status that a problem of an operation can have, in ascending order.
pub fn problem_statuses() -> impl Iterator<Item = u16> {
    // 405 belongs to no operation: it means that the path has no such operation.
    let statuses: BTreeSet<u16> = CATALOGUE.iter().map(|entry| entry.status).filter(|status| *status != 405).collect();
    statuses.into_iter()
}

/// Returns the name of the OpenAPI component that describes the problems of a status.
pub fn component_name(status: u16) -> String {
    format!("Problem{status}")
}
