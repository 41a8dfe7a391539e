//! Which problems each kind of operation can end in, for the OpenAPI document.

use std::collections::{BTreeMap, BTreeSet};

use utoipa::IntoResponses;
use utoipa::openapi::{Ref, RefOr, Response};

use crate::problem::CATALOGUE;

/// Declares a set of problems as responses of an operation: one a status, shared by reference.
macro_rules! problem_sets {
    ($($(#[$doc:meta])* $name:ident $(leaves out $($without:literal)+)?;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                problem_statuses()
                    .filter(|status| ![$($($without),+)?].contains(status))
                    .map(|status| (status.to_string(), RefOr::Ref(Ref::from_response_name(component_name(status)))))
                    .collect()
            }
        }
    )+};
}

problem_sets! {
    /// What reading from LRS can end in.
    Problems leaves out 404 406 409;
    /// What registering and updating can end in.
    WriteProblems leaves out 406;
    /// What asking how LRS is can end in.
    StatusProblems leaves out 404 406 409 413 415 422 502 504;
    /// What asking whether the gateway is ready can end in.
    ReadyProblems leaves out 400 401 403 404 406 409 413 415 422 429 431 500 502 504;
    /// What submitting a batch can end in.
    SubmitProblems leaves out 404 406 502 504;
    /// What following a job can end in.
    TrackProblems leaves out 404 406 409 502 504;
    /// What asking about a batch can end in.
    BatchProblems leaves out 406 409 413 415 422 502 504;
    /// What reading results can end in.
    ResultProblems leaves out 409 413 415 422 502 504;
    /// What deciding about a part can end in.
    DecisionProblems leaves out 406 413 415 422 502 504;
}

/// Every status that a problem has.
pub fn problem_statuses() -> impl Iterator<Item = u16> {
    // 405 is no operation's answer: it says that there is no such operation.
    let statuses: BTreeSet<u16> = CATALOGUE.iter().map(|row| row.status).filter(|status| *status != 405).collect();
    statuses.into_iter()
}

/// The name that the document has for the problems of a status.
pub fn component_name(status: u16) -> String {
    format!("Problem{status}")
}
