//! Verification batches (LRS-CONTRACT 2.12, 2.13).

use std::borrow::Cow;

use crate::domain::{EmailAddress, Extensible, LocalDateTime};
use crate::lrs::operation::{Effect, LrsResponse, MessageContext, Operation, Service};
use crate::lrs::response_codes::LrsCode;
use crate::lrs::services::learner::credentials;
use crate::lrs::services::learner::registration_batch::SubmitBatchResponse;
use crate::lrs::services::learner::verify::VerifiedLearner;
use crate::xml::{FieldMapping, PackedXml, XmlRecord, XmlWriter};

const NAMESPACES: &str = "xmlns:vld=\"http://api.lrs.miap.gov.uk/vldmsg\"";

/// `submitVerifyBatch` (LRS-CONTRACT 2.12): submits a verification job.
#[derive(Debug, Clone, Copy)]
pub struct SubmitVerificationJob<'a> {
    /// The address that LRS notifies when the job is finished.
    pub notify_email: Option<&'a EmailAddress>,
    /// 1 to [`MAX_LEARNERS_PER_JOB`](super::MAX_LEARNERS_PER_JOB) learners, as [`write_batch_learner`](super::write_batch_learner) writes them.
    pub learners: &'a PackedXml,
}

impl Operation for SubmitVerificationJob<'_> {
    const NAME: &'static str = "submitVerifyBatch";
    const SERVICE: Service = Service::Learner;
    const REQUEST_ELEMENT: &'static str = "vld:SubmitVerifyBatch";
    const NAMESPACES: &'static str = NAMESPACES;
    const RESPONSE_ELEMENT: &'static str = "SubmitVerifyBatchResponse";
    const FIELDS: FieldMapping = &[("OrgEmail", "notifyEmail"), ("Learner", "learners")];
    /// A repeated job changes no records: at worst LRS verifies twice.
    const EFFECT: Effect = Effect::Read;
    type Response = SubmitBatchResponse;

    fn write(&self, context: &MessageContext<'_>, writer: &mut XmlWriter) {
        credentials(context, writer);
        writer.value("LearnerRecordCount", &self.learners.record_count());
        writer.nillable("OrgEmail", self.notify_email);
        self.learners.write(writer, Cow::Borrowed);
    }
}

/// `getVerifyBatchOutput` (LRS-CONTRACT 2.13): polls a verification job, also one that was submitted in LRS's portal.
#[derive(Debug, Clone, Copy)]
pub struct GetVerificationJob {
    /// LRS's number of the job.
    pub job_id: i64,
}

impl Operation for GetVerificationJob {
    const NAME: &'static str = "getVerifyBatchOutput";
    const SERVICE: Service = Service::Learner;
    const REQUEST_ELEMENT: &'static str = "vld:GetVerifyBatchOutput";
    const NAMESPACES: &'static str = NAMESPACES;
    const RESPONSE_ELEMENT: &'static str = "GetVerifyBatchOutputResponse";
    const FIELDS: FieldMapping = &[("JobID", "jobId")];
    const EFFECT: Effect = Effect::Read;
    type Response = VerificationBatchOutput;

    fn write(&self, context: &MessageContext<'_>, writer: &mut XmlWriter) {
        credentials(context, writer);
        writer.value("JobID", &self.job_id);
    }
}

/// `GetVerifyBatchOutputResponse` (LRS-CONTRACT 2.13).
#[derive(Debug, Clone, Default, XmlRecord)]
pub struct VerificationBatchOutput {
    /// The code of the job's status. The codes are not public (LRS-CONTRACT 3.5).
    pub response_code: Option<LrsCode>,
    /// The job's status in LRS's words. The list of words is not public.
    pub job_status: Option<String>,
    /// When LRS started the job.
    pub job_started_date_time: Option<Extensible<LocalDateTime>>,
    /// When LRS finished the job.
    pub job_finished_date_time: Option<Extensible<LocalDateTime>>,
    /// The learners with their results.
    pub verified_learner: Vec<VerifiedLearner>,
}

impl LrsResponse for VerificationBatchOutput {
    fn code(&self) -> Option<&LrsCode> {
        self.response_code.as_ref()
    }
}
