//! Registration batches (LRS-CONTRACT 2.10, 2.11).

use std::borrow::Cow;

use crate::domain::{BatchLearnerResult, Extensible, JobType, LocalDateTime};
use crate::lrs::operation::{Effect, LrsResponse, MessageContext, Operation, Service};
use crate::lrs::response_codes::LrsCode;
use crate::lrs::services::learner::credentials;
use crate::xml::{FieldMapping, PackedXml, XmlRecord, XmlWriter};

const NAMESPACES: &str = "xmlns:bat=\"http://api.lrs.miap.gov.uk/batchmsg\"";

/// Maximum number of learners that LRS accepts in one job (LRS-CONTRACT 6.1).
pub const MAX_LEARNERS_PER_JOB: usize = 200;

/// Writes a learner of a registration or verification batch.
pub fn write_batch_learner(learner: &impl XmlRecord, writer: &mut XmlWriter) {
    writer.element("Learner", "", |writer| learner.write(writer));
}

/// `submitBatchRegistration` (LRS-CONTRACT 2.10): submits a registration job.
#[derive(Debug, Clone, Copy)]
pub struct SubmitRegistrationJob<'a> {
    /// Whether to register learners or only to search for them.
    pub job_type: JobType,
    /// 1 to [`MAX_LEARNERS_PER_JOB`] learners, as [`write_batch_learner`] writes them.
    pub learners: &'a PackedXml,
}

impl Operation for SubmitRegistrationJob<'_> {
    const NAME: &'static str = "submitBatchRegistration";
    const SERVICE: Service = Service::Learner;
    const REQUEST_ELEMENT: &'static str = "bat:SubmitBatch";
    const NAMESPACES: &'static str = NAMESPACES;
    const RESPONSE_ELEMENT: &'static str = "SubmitBatchResponse";
    const FIELDS: FieldMapping = &[("JobType", "jobType"), ("Learner", "learners")];
    const EFFECT: Effect = Effect::Write;
    type Response = SubmitBatchResponse;

    fn effect(&self) -> Effect {
        match self.job_type {
            JobType::Check => Effect::Read,
            JobType::Full => Self::EFFECT,
        }
    }

    fn write(&self, context: &MessageContext<'_>, writer: &mut XmlWriter) {
        credentials(context, writer);
        writer.value("JobType", &self.job_type);
        writer.value("LearnerRecordCount", &self.learners.record_count());
        self.learners.write(writer, Cow::Borrowed);
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
    const REQUEST_ELEMENT: &'static str = "bat:GetSubmitBatchOutput";
    const NAMESPACES: &'static str = NAMESPACES;
    const RESPONSE_ELEMENT: &'static str = "GetSubmitBatchOutputResponse";
    const FIELDS: FieldMapping = &[("JobID", "jobId")];
    const EFFECT: Effect = Effect::Read;
    type Response = RegistrationBatchOutput;

    fn write(&self, context: &MessageContext<'_>, writer: &mut XmlWriter) {
        credentials(context, writer);
        writer.value("JobID", &self.job_id);
    }
}

/// `SubmitBatchResponse` and `SubmitVerifyBatchResponse` (LRS-CONTRACT 2.10, 2.12).
#[derive(Debug, Clone, PartialEq, Eq, XmlRecord)]
pub struct SubmitBatchResponse {
    /// The code of the outcome. The codes of verification batches are not public, so the job's number decides (LRS-CONTRACT 3.5).
    pub response_code: Option<LrsCode>,
    /// LRS's number of the job; 0 if LRS created none.
    pub job_id: Option<i64>,
}

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
// The strict values decide whether the job has ended.
#[derive(Debug, Clone, Default, XmlRecord)]
#[xml(tolerant)]
pub struct RegistrationBatchOutput {
    /// The code of the job's status.
    #[xml(strict)]
    pub response_code: Option<LrsCode>,
    /// The job's status in LRS's words. The list of words is not public, so the code decides.
    #[xml(strict)]
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
    #[xml(strict)]
    pub job_finished_date_time: Option<Extensible<LocalDateTime>>,
    /// The learners with their results.
    pub learner: Vec<BatchLearnerResult>,
}

impl LrsResponse for RegistrationBatchOutput {
    fn code(&self) -> Option<&LrsCode> {
        self.response_code.as_ref()
    }
}
