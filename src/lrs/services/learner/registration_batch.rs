//! Registration batches (LRS-CONTRACT 2.10, 2.11).

use crate::domain::{BatchLearner, BatchLearnerResult, Extensible, JobType, LocalDateTime};
use crate::lrs::operation::{Effect, LrsResponse, MessageContext, Operation, Service};
use crate::lrs::response_codes::LrsCode;
use crate::lrs::services::learner::credentials;
use crate::lrs::services::request_elements::request_elements;
use crate::lrs::soap::write::XmlWriter;
use crate::lrs::soap::xml_mapping::{FieldMapping, XmlRecord as _, xml_record};

const NAMESPACES: &str = "xmlns:bat=\"http://api.lrs.miap.gov.uk/batchmsg\"";

/// Maximum number of learners that LRS accepts in one job (LRS-CONTRACT 6.1).
pub const MAX_LEARNERS_PER_JOB: usize = 200;

/// `submitBatchRegistration` (LRS-CONTRACT 2.10): submits a registration job.
#[derive(Debug, Clone, Copy)]
pub struct SubmitRegistrationJob<'a> {
    /// Whether to register learners or only to search for them.
    pub job_type: JobType,
    /// 1 to [`MAX_LEARNERS_PER_JOB`] learners.
    pub learners: &'a [BatchLearner],
}

impl Operation for SubmitRegistrationJob<'_> {
    const NAME: &'static str = "submitBatchRegistration";
    const SERVICE: Service = Service::Learner;
    const SOAP_ACTION: &'static str = "";
    const REQUEST_ELEMENT: &'static str = "bat:SubmitBatch";
    const NAMESPACES: &'static str = NAMESPACES;
    const RESPONSE_ELEMENT: &'static str = "SubmitBatchResponse";
    const FIELDS: FieldMapping = &[("JobType", "job_type"), ("Learner", "learners")];
    type Response = SubmitBatchResponse;

    fn effect(&self) -> Effect {
        match self.job_type {
            JobType::Check => Effect::Read,
            JobType::Full => Effect::Write,
        }
    }

    fn write(&self, context: &MessageContext<'_>, writer: &mut XmlWriter) {
        credentials(context, writer);
        writer.value("JobType", &self.job_type);
        writer.value("LearnerRecordCount", &self.learners.len());
        for learner in self.learners {
            writer.element("Learner", "", |writer| learner.write(writer));
        }
    }
}

/// `getBatchRegistrationOutput` (LRS-CONTRACT 2.11): polls a registration job, also one that was submitted in LRS's portal.
#[derive(Debug, Clone, Copy)]
pub struct GetRegistrationJob {
    /// LRS's number of the job.
    pub job_id: i64,
}

impl Operation for GetRegistrationJob {
    const NAME: &'static str = "getBatchRegistrationOutput";
    const SERVICE: Service = Service::Learner;
    const SOAP_ACTION: &'static str = "";
    const REQUEST_ELEMENT: &'static str = "bat:GetSubmitBatchOutput";
    const NAMESPACES: &'static str = NAMESPACES;
    const RESPONSE_ELEMENT: &'static str = "GetSubmitBatchOutputResponse";
    type Response = RegistrationBatchOutput;

    fn effect(&self) -> Effect {
        Effect::Read
    }

    request_elements!([] credentials, [job_id: "JobID",]);
}

/// `SubmitBatchResponse` and `SubmitVerifyBatchResponse` (LRS-CONTRACT 2.10, 2.12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmitBatchResponse {
    /// The code of the outcome. The codes of verification batches are not public, so the job's number decides (LRS-CONTRACT 3.5).
    pub response_code: Option<LrsCode>,
    /// LRS's number of the job; 0 if LRS created none.
    pub job_id: Option<i64>,
}

xml_record!(SubmitBatchResponse { response_code: "ResponseCode", job_id: "JobID" });

impl SubmitBatchResponse {
    /// Returns the number of the job that LRS created, if any.
    pub fn accepted_job_id(&self) -> Option<i64> {
        self.job_id.filter(|job| *job > 0)
    }
}

impl LrsResponse for SubmitBatchResponse {
    fn code(&self) -> Option<&LrsCode> {
        self.response_code.as_ref()
    }

    fn is_executed(&self) -> bool {
        self.accepted_job_id().is_some()
    }
}

/// `GetSubmitBatchOutputResponse` (LRS-CONTRACT 2.11).
#[derive(Debug, Clone)]
pub struct RegistrationBatchOutput {
    /// The code of the job's status.
    pub response_code: Option<LrsCode>,
    /// The job's status in LRS's words. The list of words is not public, so the code decides.
    pub job_status: Option<String>,
    /// Number of learners registered.
    pub new_learners_count: Option<i32>,
    /// Number of learners who had a ULN.
    pub exists_updated_learners_count: Option<i32>,
    /// Number of learners with possible matches.
    pub possible_match_learners_count: Option<i32>,
    /// Number of learners not found.
    pub learners_not_found_count: Option<i32>,
    /// Number of learners rejected.
    pub rejected_learners_count: Option<i32>,
    /// When LRS started the job.
    pub job_started_date_time: Option<Extensible<LocalDateTime>>,
    /// When LRS finished the job.
    pub job_finished_date_time: Option<Extensible<LocalDateTime>>,
    /// The learners with their results.
    pub learner: Vec<BatchLearnerResult>,
}

xml_record!(RegistrationBatchOutput {
    response_code: "ResponseCode",
    job_status: "JobStatus",
    new_learners_count: "NewLearnersCount",
    exists_updated_learners_count: "ExistsUpdatedLearnersCount",
    possible_match_learners_count: "PossibleMatchLearnersCount",
    learners_not_found_count: "LearnersNotFoundCount",
    rejected_learners_count: "RejectedLearnersCount",
    job_started_date_time: "JobStartedDateTime",
    job_finished_date_time: "JobFinishedDateTime",
    learner: "Learner",
});

impl LrsResponse for RegistrationBatchOutput {
    fn code(&self) -> Option<&LrsCode> {
        self.response_code.as_ref()
    }
}

/// The elements of `lrnr:BatchLearner` (LRS-CONTRACT 2.3), in another order than those of a single learner, and the elements after them.
macro_rules! batch_learner {
    ($record:ty $(, $last:ident : $element:literal)?) => {
        xml_record!($record {
            uln: "ULN",
            mis_identifier: "MISIdentifier",
            title: "Title",
            given_name: "GivenName",
            preferred_given_name: "PreferredGivenName",
            middle_other_name: "MiddleOtherName",
            family_name: "FamilyName",
            previous_family_name: "PreviousFamilyName",
            family_name_at_age16: "FamilyNameAtAge16",
            school_at_age16: "SchoolAtAge16",
            last_known_address_line1: "LastKnownAddressLine1",
            last_known_address_line2: "LastKnownAddressLine2",
            last_known_address_town: "LastKnownAddressTown",
            last_known_address_county_or_city: "LastKnownAddressCountyOrCity",
            last_known_post_code: "LastKnownPostCode",
            date_of_address_capture: "DateOfAddressCapture",
            date_of_birth: "DateOfBirth",
            place_of_birth: "PlaceOfBirth",
            email_address: "EmailAddress",
            gender: "Gender",
            nationality: "Nationality",
            scottish_candidate_number: "ScottishCandidateNumber",
            ability_to_share: "AbilityToShare",
            verification_type: "VerificationType",
            other_verification_description: "OtherVerificationDescription",
            notes: "Notes",
            $($last: $element,)?
        });
    };
}

batch_learner!(BatchLearner);
// `lrnr:OutputBatchLearner` (LRS-CONTRACT 2.3).
batch_learner!(BatchLearnerResult, return_code: "ReturnCode");
