//! Verification batches (FACTS 2.11, 2.12).

use crate::domain::{BatchLearnerToVerify, EmailAddress, Extensible, LocalDateTime};
use crate::lrs::codes::LrsCode;
use crate::lrs::operation::{Effect, LrsResponse, MessageContext, Operation, Service};
use crate::lrs::services::learner::credentials;
use crate::lrs::services::learner::registration_batch::SubmitBatchResponse;
use crate::lrs::services::learner::verify::VerifiedLearner;
use crate::lrs::soap::write::XmlWriter;
use crate::lrs::soap::xml_mapping::{Fields, elements, wire};

const NAMESPACES: &str = "xmlns:vld=\"http://api.lrs.miap.gov.uk/vldmsg\"";

/// `submitVerifyBatch` (FACTS 2.11).
#[derive(Debug, Clone, Copy)]
pub struct SubmitVerificationBatch<'a> {
    /// Whom LRS tells when it is done.
    pub notify_email: Option<&'a EmailAddress>,
    /// 1 to 200 learners.
    pub learners: &'a [BatchLearnerToVerify],
}

impl Operation for SubmitVerificationBatch<'_> {
    const NAME: &'static str = "submitVerifyBatch";
    const SERVICE: Service = Service::Learner;
    const SOAP_ACTION: &'static str = "";
    const REQUEST_ELEMENT: &'static str = "vld:SubmitVerifyBatch";
    const NAMESPACES: &'static str = NAMESPACES;
    const RESPONSE_ELEMENT: &'static str = "SubmitVerifyBatchResponse";
    const FIELDS: Fields = &[("OrgEmail", "notify_email"), ("Learner", "learners")];
    type Response = SubmitBatchResponse;

    /// It changes nothing in the register; at worst LRS verifies twice.
    fn effect(&self) -> Effect {
        Effect::Read
    }

    fn write(&self, context: &MessageContext<'_>, writer: &mut XmlWriter) {
        credentials(context, writer);
        writer.value("LearnerRecordCount", &self.learners.len());
        writer.nillable("OrgEmail", self.notify_email);
        for learner in self.learners {
            writer.element("Learner", "", |writer| {
                writer.optional("MISIdentifier", learner.mis_identifier.as_ref());
                writer.value("ULN", &learner.uln);
                writer.value("FamilyName", &learner.family_name);
                writer.value("GivenName", &learner.given_name);
                writer.nillable("DateOfBirth", learner.date_of_birth.as_ref());
                writer.nillable("Gender", learner.gender.as_ref());
            });
        }
    }
}

/// `getVerifyBatchOutput` (FACTS 2.12): also of jobs that were submitted through the portal.
#[derive(Debug, Clone, Copy)]
pub struct GetVerificationBatch {
    /// The job.
    pub job_id: i64,
}

impl Operation for GetVerificationBatch {
    const NAME: &'static str = "getVerifyBatchOutput";
    const SERVICE: Service = Service::Learner;
    const SOAP_ACTION: &'static str = "";
    const REQUEST_ELEMENT: &'static str = "vld:GetVerifyBatchOutput";
    const NAMESPACES: &'static str = NAMESPACES;
    const RESPONSE_ELEMENT: &'static str = "GetVerifyBatchOutputResponse";
    type Response = VerificationBatchOutput;

    fn effect(&self) -> Effect {
        Effect::Read
    }

    elements!([] credentials, [job_id: "JobID",]);
}

/// `GetVerifyBatchOutputResponse` (FACTS 2.12).
#[derive(Debug, Clone)]
pub struct VerificationBatchOutput {
    /// How far the job is. The codes are not public (FACTS 3.2).
    pub response_code: Option<LrsCode>,
    /// LRS's word for it. The vocabulary is not public either.
    pub job_status: Option<String>,
    /// When LRS began.
    pub job_started_date_time: Option<Extensible<LocalDateTime>>,
    /// When LRS was done.
    pub job_finished_date_time: Option<Extensible<LocalDateTime>>,
    /// The learners.
    pub verified_learner: Vec<VerifiedLearner>,
}

wire!(VerificationBatchOutput {
    response_code: "ResponseCode",
    job_status: "JobStatus",
    job_started_date_time: "JobStartedDateTime",
    job_finished_date_time: "JobFinishedDateTime",
    verified_learner: "VerifiedLearner",
});

impl LrsResponse for VerificationBatchOutput {
    fn code(&self) -> Option<&LrsCode> {
        self.response_code.as_ref()
    }
}
