//! LRS's services and operations, as scenarios name them.

use crate::lrs::Service;
use crate::schema::InvalidValue;

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

/// Returns the service of an operation.
///
/// # Errors
/// Returns an [`InvalidValue`] that lists all operations if there is no such operation.
pub fn service_of(operation: &str) -> Result<Service, InvalidValue> {
    let entry = OPERATIONS.iter().find(|(name, _)| *name == operation);
    let detail = || format!("must be one of {}", OPERATIONS.map(|(name, _)| name).join(", "));
    entry.map(|(_, service)| *service).ok_or_else(|| InvalidValue { code: "unknown_value", detail: detail().into() })
}
