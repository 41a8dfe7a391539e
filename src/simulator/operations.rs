//! LRS's services and operations, as scenarios name them.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use crate::lrs::Service;
use crate::schema::{Constraints, InvalidValue, Scalar};

/// The request elements of all operations, with their services.
pub const OPERATIONS: [(&str, Service); 13] = [
    ("FindLearnerByULN", Service::Learner),
    ("FindLearnerByDemographics", Service::Learner),
    ("RegisterLearner", Service::Learner),
    ("UpdateLearner", Service::Learner),
    ("SubmitBatch", Service::Learner),
    ("GetSubmitBatchOutput", Service::Learner),
    ("SubmitVerifyBatch", Service::Learner),
    ("GetVerifyBatchOutput", Service::Learner),
    ("VerifyLearner", Service::Learner),
    ("RetrieveULNs", Service::Learner),
    ("GetLearnerLearningEvents", Service::LearnerR9),
    ("SubmitAchievementBatchJob", Service::External),
    ("GetAchievementBatchJob", Service::External),
];

const SERVICE_NAMES: [(Service, &str); 3] =
    [(Service::Learner, "learner"), (Service::LearnerR9, "learner-r9"), (Service::External, "external")];

/// Returns the service of an operation.
///
/// # Errors
/// Returns an [`InvalidValue`] that lists all operations if there is no such operation.
pub fn service_of(operation: &str) -> Result<Service, InvalidValue> {
    let entry = OPERATIONS.iter().find(|(name, _)| *name == operation);
    entry.map(|(_, service)| *service).ok_or_else(|| must_be_one_of(OPERATIONS.iter().map(|(name, _)| *name)))
}

/// Returns the error for a text that is not one of these names.
pub fn must_be_one_of<'n>(names: impl Iterator<Item = &'n str>) -> InvalidValue {
    InvalidValue { code: "unknown_value", detail: format!("must be one of {}", names.collect::<Vec<_>>().join(" ")).into() }
}

impl Scalar for Service {
    const CONSTRAINTS: Constraints = Constraints::new("A service of LRS.", "learner");

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        let entry = SERVICE_NAMES.iter().find(|(_, name)| *name == text);
        entry.map(|(service, _)| *service).ok_or_else(|| must_be_one_of(SERVICE_NAMES.iter().map(|(_, name)| *name)))
    }

    fn text(&self) -> Cow<'_, str> {
        SERVICE_NAMES.iter().find(|(service, _)| service == self).map_or("", |(_, name)| name).into()
    }
}

impl Serialize for Service {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}
