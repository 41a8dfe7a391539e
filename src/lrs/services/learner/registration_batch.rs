//! Registration batches (FACTS 2.7, 2.8).

use crate::domain::{BatchLearner, BatchLearnerResult, Extensible, JobType, LocalDateTime};
use crate::lrs::codes::LrsCode;
use crate::lrs::operation::{Effect, LrsResponse, MessageContext, Operation, Service};
use crate::lrs::services::learner::credentials;
use crate::lrs::soap::write::XmlWriter;
use crate::lrs::soap::xml_mapping::{Fields, XmlRecord as _, elements, wire};

const NAMESPACES: &str = "xmlns:bat=\"http://api.lrs.miap.gov.uk/batchmsg\"";

/// How many learners LRS takes in a batch (FACTS 5.1).
pub const MOST_LEARNERS: usize = 200;

/// `submitBatchRegistration` (FACTS 2.7).
#[derive(Debug, Clone, Copy)]
pub struct SubmitRegistrationBatch<'a> {
    /// Register, or only look.
    pub job_type: JobType,
    /// 1 to [`MOST_LEARNERS`] learners.
    pub learners: &'a [BatchLearner],
}

impl Operation for SubmitRegistrationBatch<'_> {
    const NAME: &'static str = "submitBatchRegistration";
    const SERVICE: Service = Service::Learner;
    const SOAP_ACTION: &'static str = "";
    const REQUEST_ELEMENT: &'static str = "bat:SubmitBatch";
    const NAMESPACES: &'static str = NAMESPACES;
    const RESPONSE_ELEMENT: &'static str = "SubmitBatchResponse";
    const FIELDS: Fields = &[("JobType", "job_type"), ("Learner", "learners")];
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

/// `getBatchRegistrationOutput` (FACTS 2.8): also of jobs that were submitted through the portal.
#[derive(Debug, Clone, Copy)]
pub struct GetRegistrationBatch {
    /// The job.
    pub job_id: i64,
}

impl Operation for GetRegistrationBatch {
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

    elements!([] credentials, [job_id: "JobID",]);
}

/// `SubmitBatchResponse`, and that of verification batches (FACTS 2.7, 2.11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmitBatchResponse {
    /// The outcome. The codes of verification batches are not public: go by the job (FACTS 3.2).
    pub response_code: Option<LrsCode>,
    /// The job; 0 when there is none.
    pub job_id: Option<i64>,
}

wire!(SubmitBatchResponse { response_code: "ResponseCode", job_id: "JobID" });

impl SubmitBatchResponse {
    /// The job LRS has made, if it has.
    pub fn job(&self) -> Option<i64> {
        self.job_id.filter(|job| *job > 0)
    }
}

impl LrsResponse for SubmitBatchResponse {
    fn code(&self) -> Option<&LrsCode> {
        self.response_code.as_ref()
    }

    fn is_done(&self) -> bool {
        self.job().is_some()
    }
}

/// `GetSubmitBatchOutputResponse` (FACTS 2.8).
#[derive(Debug, Clone)]
pub struct RegistrationBatchOutput {
    /// How far the job is.
    pub response_code: Option<LrsCode>,
    /// LRS's word for it. The vocabulary is not public: go by the code.
    pub job_status: Option<String>,
    /// How many learners were registered.
    pub new_learners_count: Option<i32>,
    /// How many had a ULN.
    pub exists_updated_learners_count: Option<i32>,
    /// For how many there are candidates.
    pub possible_match_learners_count: Option<i32>,
    /// How many were not found.
    pub learners_not_found_count: Option<i32>,
    /// How many were rejected.
    pub rejected_learners_count: Option<i32>,
    /// When LRS began.
    pub job_started_date_time: Option<Extensible<LocalDateTime>>,
    /// When LRS was done.
    pub job_finished_date_time: Option<Extensible<LocalDateTime>>,
    /// The learners.
    pub learner: Vec<BatchLearnerResult>,
}

wire!(RegistrationBatchOutput {
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

/// `lrnr:BatchLearner` (FACTS 2.2), not in the order of a single learner, and what follows it.
macro_rules! batch_learner {
    ($record:ty $(, $more:ident : $element:literal)?) => {
        wire!($record {
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
            $($more: $element,)?
        });
    };
}

batch_learner!(BatchLearner);
// `lrnr:OutputBatchLearner` (FACTS 2.2).
batch_learner!(BatchLearnerResult, return_code: "ReturnCode");
