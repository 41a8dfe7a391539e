//! The operations of `ExternalService.svc`: achievement batches of awarding organisations (LRS-CONTRACT 2.15, 2.16). Every element is in a
//! namespace, and the organisation is identified by its LRS reference only.

use std::borrow::Cow;
use std::cell::Cell;
use std::ops::Range;

use crate::domain::{Achievement, AchievementJob, Date, EmailAddress, SubmissionType};
use crate::lrs::operation::{Effect, LrsResponse, MessageContext, Operation, Service};
use crate::lrs::response_codes::LrsCode;
use crate::schema::Scalar as _;
use crate::xml::{FieldMapping, PackedXml, ToXmlText, Wrapped, XmlError, XmlReader, XmlRecord, XmlWriter};

const NAMESPACES: &str = "xmlns:svc=\"http://api.lrs.qcf.gov.uk/services\" xmlns:mod=\"http://api.lrs.qcf.gov.uk/model\"";

/// Maximum number of achievements that LRS accepts in one job (LRS-CONTRACT 6.1).
pub const MAX_ACHIEVEMENTS_PER_JOB: usize = 10_000;

/// What packed achievements have in place of the element `svc:Action`, in the order of [`AchievementCodes::actions`]: the codes are a setting that
/// can change until an achievement is sent. A placeholder is longer than its element, so that the message fits into the space that is reserved
/// for the packed achievements. Stored batches have these texts: they must not change.
const ACTION_PLACEHOLDERS: [&str; 4] = [
    "<?the element svc:Action with the code of CREATE?>",
    "<?the element svc:Action with the code of UPDATE?>",
    "<?the element svc:Action with the code of WITHDRAW?>",
    "<?the element svc:Action with the code of REINSTATE?>",
];

/// The start of every placeholder. No tag starts like this.
const PLACEHOLDER_START: &str = "<?";

/// The codes of achievement batches that LRS does not publish (LRS-CONTRACT 5.5).
#[derive(Debug, Clone)]
pub struct AchievementCodes {
    /// The codes of [`AchievementAction::ALL`](crate::domain::AchievementAction), in that order.
    pub actions: [i32; 4],
    /// The codes of [`SubmissionType::ALL`], in that order.
    pub submission_types: [String; 2],
}

/// Placeholders that agree with all published information.
impl Default for AchievementCodes {
    fn default() -> Self {
        Self { actions: [1, 2, 3, 4], submission_types: ["Final", "Provisional"].map(str::to_owned) }
    }
}

impl AchievementCodes {
    fn submission_type(&self, submission_type: SubmissionType) -> &str {
        &self.submission_types[submission_type as usize]
    }
}

/// Writes the awarding organisation and the user. The elements are in alphabetical order.
fn invoking_user(context: &MessageContext<'_>, writer: &mut XmlWriter) {
    let organisation = &context.caller.organisation;
    writer.element("svc:invokingUser", "", |writer| {
        writer.value("mod:OrgPassword", organisation.password());
        writer.nillable("mod:OrganisationRef", organisation.organisation_ref());
        writer.value("mod:UserName", &context.caller.user);
    });
}

/// `SubmitAchievementBatchJob` (LRS-CONTRACT 2.15): submits an achievement job.
#[derive(Debug, Clone, Copy)]
pub struct SubmitAchievementJob<'a> {
    /// Whether the achievements are final or provisional.
    pub submission_type: SubmissionType,
    /// The address that LRS notifies when the job is finished.
    pub notify_email: Option<&'a EmailAddress>,
    /// 1 to [`MAX_ACHIEVEMENTS_PER_JOB`] achievements, as [`write_achievement`] writes them.
    pub achievements: &'a PackedXml,
    /// LRS's codes.
    pub codes: &'a AchievementCodes,
}

impl Operation for SubmitAchievementJob<'_> {
    const NAME: &'static str = "SubmitAchievementBatchJob";
    const SERVICE: Service = Service::External;
    const SOAP_ACTION: &'static str = "\"http://api.lrs.qcf.gov.uk/services/IExternalService/SubmitAchievementBatchJob\"";
    const REQUEST_ELEMENT: &'static str = "svc:SubmitAchievementBatchJob";
    const NAMESPACES: &'static str = NAMESPACES;
    const RESPONSE_ELEMENT: &'static str = "SubmitAchievementBatchJobResponse";
    const FIELDS: FieldMapping = &[
        ("emailAddress", "notifyEmail"),
        ("submissionType", "submissionType"),
        ("achievements/Achievement/AchievementAwardDate", "achievementAwardDate"),
        ("achievements/Achievement/Action", "action"),
        ("achievements/Achievement/ActionDate", "actionDate"),
        ("achievements/Achievement/ActionReason", "actionReason"),
        ("achievements/Achievement/DateofBirth", "dateOfBirth"),
        ("achievements/Achievement/FamilyName", "familyName"),
        ("achievements/Achievement/Gender", "gender"),
        ("achievements/Achievement/GivenName", "givenName"),
        ("achievements/Achievement/Grade", "grade"),
        ("achievements/Achievement/LanguageForAssessment", "languageForAssessment"),
        ("achievements/Achievement/LearnerPostcode", "learnerPostcode"),
        ("achievements/Achievement/MisIdentifier", "misIdentifier"),
        ("achievements/Achievement/ProviderUkprn", "providerUkprn"),
        ("achievements/Achievement/Uln", "uln"),
        ("achievements/Achievement/UnitOrQualificationReferenceNumber", "unitOrQualificationReferenceNumber"),
    ];
    /// It is not documented what LRS does with achievements that are submitted twice.
    const EFFECT: Effect = Effect::Write;
    type Response = SubmitAchievementBatchResponse;

    fn write(&self, context: &MessageContext<'_>, writer: &mut XmlWriter) {
        invoking_user(context, writer);
        writer.optional("svc:emailAddress", self.notify_email);
        writer.value("svc:submissionType", self.codes.submission_type(self.submission_type));
        let has_unknown_placeholder = Cell::new(false);
        writer.element("svc:achievements", "", |writer| {
            self.achievements.write(writer, |tag| {
                if let Some(action) = ACTION_PLACEHOLDERS.iter().position(|placeholder| *placeholder == tag) {
                    return Cow::Owned(format!("<svc:Action>{}</svc:Action>", self.codes.actions[action]));
                }
                has_unknown_placeholder.set(has_unknown_placeholder.get() || tag.starts_with(PLACEHOLDER_START));
                Cow::Borrowed(tag)
            });
        });
        if has_unknown_placeholder.get() {
            // Another version has stored it. A message with an illegal character is never sent: the part waits.
            writer.text("\0");
        }
    }
}

/// Writes an achievement. The elements are in alphabetical order; `DateofBirth` is LRS's spelling. A placeholder stands for the action.
pub fn write_achievement(achievement: &Achievement, writer: &mut XmlWriter) {
    writer.element("svc:Achievement", "", |writer| {
        writer.value("svc:AchievementAwardDate", &Midnight(&achievement.achievement_award_date));
        writer.markup(ACTION_PLACEHOLDERS[achievement.action as usize]);
        writer.value("svc:ActionDate", &Midnight(&achievement.action_date));
        writer.optional("svc:ActionReason", achievement.action_reason.as_ref());
        writer.optional("svc:DateofBirth", achievement.date_of_birth.as_ref().map(Midnight).as_ref());
        writer.value("svc:FamilyName", &achievement.family_name);
        writer.optional("svc:Gender", achievement.gender.as_ref());
        writer.value("svc:GivenName", &achievement.given_name);
        writer.optional("svc:Grade", achievement.grade.as_ref());
        writer.optional("svc:LanguageForAssessment", achievement.language_for_assessment.as_ref());
        writer.optional("svc:LearnerPostcode", achievement.learner_postcode.as_ref());
        writer.optional("svc:MisIdentifier", achievement.mis_identifier.as_ref());
        writer.value("svc:ProviderUkprn", &achievement.provider_ukprn);
        writer.value("svc:Uln", &achievement.uln);
        writer.value("svc:UnitOrQualificationReferenceNumber", &achievement.unit_or_qualification_reference_number);
    });
}

/// A date as `xs:dateTime`, at the start of the day.
struct Midnight<'a>(&'a Date);

impl ToXmlText for Midnight<'_> {
    fn to_xml_text(&self) -> Cow<'_, str> {
        Cow::Owned([&self.0.text(), "T00:00:00"].concat())
    }
}

/// `SubmitAchievementBatchJobResponse` (LRS-CONTRACT 2.15).
#[derive(Debug, Clone, XmlRecord)]
pub struct SubmitAchievementBatchResponse {
    /// The result.
    #[xml(name = "SubmitAchievementBatchJobResult")]
    pub result: Option<Wrapped<SubmitAchievementBatchResult>>,
}

/// `SubmitAchievementBatchJobResult` (LRS-CONTRACT 2.15).
#[derive(Debug, Clone, XmlRecord)]
#[xml(prefix = "a")]
pub struct SubmitAchievementBatchResult {
    /// The code of the outcome. The codes are not public, so the job's number decides.
    pub response_code: Option<LrsCode>,
    /// LRS's number of the job; 0 if LRS created none.
    #[xml(name = "JobId")]
    pub job_id: Option<i64>,
}

impl SubmitAchievementBatchResponse {
    /// Returns the number of the job that LRS created, if any.
    pub fn accepted_job_id(&self) -> Option<i64> {
        self.result.as_ref()?.job_id.filter(|job| *job > 0)
    }
}

impl LrsResponse for SubmitAchievementBatchResponse {
    fn code(&self) -> Option<&LrsCode> {
        self.result.as_ref()?.response_code.as_ref()
    }

    fn is_executed(&self) -> bool {
        self.accepted_job_id().is_some()
    }
}

/// `GetAchievementBatchJob` (LRS-CONTRACT 2.16): polls an achievement job, also one that was submitted in LRS's portal.
#[derive(Debug, Clone, Copy)]
pub struct GetAchievementJob {
    /// LRS's number of the job.
    pub job_id: i64,
}

impl Operation for GetAchievementJob {
    const NAME: &'static str = "GetAchievementBatchJob";
    const SERVICE: Service = Service::External;
    const SOAP_ACTION: &'static str = "\"http://api.lrs.qcf.gov.uk/services/IExternalService/GetAchievementBatchJob\"";
    const REQUEST_ELEMENT: &'static str = "svc:GetAchievementBatchJob";
    const NAMESPACES: &'static str = NAMESPACES;
    const RESPONSE_ELEMENT: &'static str = "GetAchievementBatchJobResponse";
    const FIELDS: FieldMapping = &[("jobId", "jobId")];
    const EFFECT: Effect = Effect::Read;
    type Response = AchievementBatchResponse;

    fn write(&self, context: &MessageContext<'_>, writer: &mut XmlWriter) {
        invoking_user(context, writer);
        writer.value("svc:jobId", &self.job_id);
    }

    /// Requires that the response is for the requested job, if it states a job.
    fn check_response(&self, response: &AchievementBatchResponse) -> Result<(), &'static str> {
        let job_id = response.job.as_ref().and_then(|job| job.job_id).map_or(0, i64::from);
        if job_id > 0 && job_id != self.job_id { Err("it is for a different job than the request") } else { Ok(()) }
    }
}

/// `GetAchievementBatchJobResponse` (LRS-CONTRACT 2.16).
#[derive(Debug, Clone)]
pub struct AchievementBatchResponse {
    /// The job; `None` if LRS does not know it.
    pub job: Option<AchievementJob>,
    code: Option<LrsCode>,
}

impl AchievementBatchResponse {
    /// Creates the response for a job.
    pub fn new(job: Option<AchievementJob>) -> Self {
        let code = job.as_ref().and_then(|job| job.response_code.as_deref()).map(LrsCode::new);
        Self { job, code }
    }
}

/// The element around the job.
#[derive(XmlRecord)]
struct JobResult {
    #[xml(name = "GetAchievementBatchJobResult")]
    result: Option<Wrapped<AchievementJob>>,
}

impl XmlRecord for AchievementBatchResponse {
    const FIELDS: FieldMapping = JobResult::FIELDS;

    fn read(reader: &mut XmlReader<'_>) -> Result<Self, XmlError> {
        Ok(Self::new(JobResult::read(reader)?.result.map(|Wrapped(job)| job)))
    }

    fn write_fields(&self, fields: Range<usize>, writer: &mut XmlWriter) {
        JobResult { result: self.job.clone().map(Wrapped) }.write_fields(fields, writer);
    }
}

impl LrsResponse for AchievementBatchResponse {
    fn code(&self) -> Option<&LrsCode> {
        self.code.as_ref()
    }
}
