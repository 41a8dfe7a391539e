//! LRS's services and operations, as scenarios name them, and their `SOAPAction` (LRS-CONTRACT 1.2, 2.2).

use crate::lrs::Service;
use crate::schema::InvalidValue;

/// The request elements of all operations that the simulator executes, with their services.
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

/// The request elements of the published operations that the simulator refuses by name. All belong to the R9 service.
pub const REFUSED_OPERATIONS: [&str; 4] = ["LearnerByUln", "UpdateLearnerSubsetFields", "ViewAudit", "GetOrganisation"];

const VERIFY_ACTION: &str = "http://tempuri.org/LearnerPortType/verifyLearner";
const R9_ACTIONS: &str = "http://tempuri.org/ILearnerServiceR9/";
const EXTERNAL_ACTIONS: &str = "http://api.lrs.qcf.gov.uk/services/IExternalService/";

/// Returns the `SOAPAction` of requests with this element to a service, without quotes.
pub fn soap_action(service: Service, element: &str) -> String {
    match service {
        Service::Learner if element == "VerifyLearner" => VERIFY_ACTION.to_owned(),
        Service::Learner => String::new(),
        Service::LearnerR9 => format!("{R9_ACTIONS}{element}"),
        Service::External => format!("{EXTERNAL_ACTIONS}{element}"),
    }
}

/// Returns the request element that belongs to a `SOAPAction` of a service; `None` if none does, or several.
pub fn operation_of_action(service: Service, action: &str) -> Option<&'static str> {
    let executed = OPERATIONS.iter().filter(|(_, operation_service)| *operation_service == service).map(|(element, _)| *element);
    let refused = REFUSED_OPERATIONS.into_iter().filter(|_| service == Service::LearnerR9);
    executed.chain(refused).find(|element| !action.is_empty() && soap_action(service, element) == action)
}

/// Returns the service of an operation.
///
/// # Errors
/// Returns an [`InvalidValue`] that lists all operations if there is no such operation.
pub fn service_of(operation: &str) -> Result<Service, InvalidValue> {
    let entry = OPERATIONS.iter().find(|(name, _)| *name == operation);
    let detail = || format!("must be one of {}", OPERATIONS.map(|(name, _)| name).join(", "));
    entry.map(|(_, service)| *service).ok_or_else(|| InvalidValue { code: "unknown_value", detail: detail().into() })
}
