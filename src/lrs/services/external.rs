//! The operations of `ExternalService.svc`: achievement batches of awarding organisations (FACTS 2.13). Every element is in a
//! namespace, and the organisation is named by its LRS reference only.

use std::borrow::Cow;

use crate::domain::{Achievement, AchievementAction, AchievementJob, Date, EmailAddress, SubmissionType};
use crate::lrs::codes::LrsCode;
use crate::lrs::operation::{Effect, LrsResponse, MessageContext, Operation, Service};
use crate::lrs::soap::read::{XmlError, XmlReader};
use crate::lrs::soap::write::{ToXmlText, XmlWriter};
use crate::lrs::soap::xml_mapping::{Fields, Wrapped, XmlRecord, wire};
use crate::schema::Scalar as _;

const NAMESPACES: &str = "xmlns:svc=\"http://api.lrs.qcf.gov.uk/services\" xmlns:mod=\"http://api.lrs.qcf.gov.uk/model\"";

/// How many achievements LRS takes in a job (FACTS 5.1).
pub const MOST_ACHIEVEMENTS: usize = 10_000;

/// How LRS spells what is not public about achievements (FACTS 4).
#[derive(Debug, Clone)]
pub struct AchievementCodes {
    /// Numbers of [`AchievementAction::ALL`], in that order.
    pub actions: [i32; 4],
    /// Words for [`SubmissionType::ALL`], in that order.
    pub submission_types: [String; 2],
}

/// Placeholders that fit what is known.
impl Default for AchievementCodes {
    fn default() -> Self {
        Self { actions: [1, 2, 3, 4], submission_types: ["Final", "Provisional"].map(str::to_owned) }
    }
}

impl AchievementCodes {
    const fn action(&self, action: AchievementAction) -> i32 {
        self.actions[action as usize]
    }

    fn submission_type(&self, submission_type: SubmissionType) -> &str {
        &self.submission_types[submission_type as usize]
    }
}

/// The awarding organisation and the person. Members are in the order of their names.
fn invoking_user(context: &MessageContext<'_>, writer: &mut XmlWriter) {
    let organisation = &context.request.organisation;
    writer.element("svc:invokingUser", "", |writer| {
        writer.value("mod:OrgPassword", organisation.password());
        writer.nillable("mod:OrganisationRef", organisation.organisation_ref());
        writer.value("mod:UserName", &context.request.user);
    });
}

/// `SubmitAchievementBatchJob` (FACTS 2.13).
#[derive(Debug, Clone, Copy)]
pub struct SubmitAchievementBatch<'a> {
    /// Final or provisional.
    pub submission_type: SubmissionType,
    /// Whom LRS tells when it is done.
    pub notify_email: Option<&'a EmailAddress>,
    /// 1 to [`MOST_ACHIEVEMENTS`] achievements.
    pub achievements: &'a [Achievement],
    /// LRS's spelling.
    pub codes: &'a AchievementCodes,
}

impl Operation for SubmitAchievementBatch<'_> {
    const NAME: &'static str = "SubmitAchievementBatchJob";
    const SERVICE: Service = Service::External;
    const SOAP_ACTION: &'static str = "http://api.lrs.qcf.gov.uk/services/IExternalService/SubmitAchievementBatchJob";
    const REQUEST_ELEMENT: &'static str = "svc:SubmitAchievementBatchJob";
    const NAMESPACES: &'static str = NAMESPACES;
    const RESPONSE_ELEMENT: &'static str = "SubmitAchievementBatchJobResponse";
    const FIELDS: Fields = &[
        ("emailAddress", "notify_email"),
        ("submissionType", "submission_type"),
        ("achievements/Achievement/AchievementAwardDate", "achievement_award_date"),
        ("achievements/Achievement/Action", "action"),
        ("achievements/Achievement/ActionDate", "action_date"),
        ("achievements/Achievement/ActionReason", "action_reason"),
        ("achievements/Achievement/DateofBirth", "date_of_birth"),
        ("achievements/Achievement/FamilyName", "family_name"),
        ("achievements/Achievement/Gender", "gender"),
        ("achievements/Achievement/GivenName", "given_name"),
        ("achievements/Achievement/Grade", "grade"),
        ("achievements/Achievement/LanguageForAssessment", "language_for_assessment"),
        ("achievements/Achievement/LearnerPostcode", "learner_postcode"),
        ("achievements/Achievement/MisIdentifier", "mis_identifier"),
        ("achievements/Achievement/ProviderUkprn", "provider_ukprn"),
        ("achievements/Achievement/Uln", "uln"),
        ("achievements/Achievement/UnitOrQualificationReferenceNumber", "unit_or_qualification_reference_number"),
    ];
    type Response = SubmitAchievementBatchResponse;

    /// LRS does not say what becomes of the same achievements submitted twice.
    fn effect(&self) -> Effect {
        Effect::Write
    }

    fn write(&self, context: &MessageContext<'_>, writer: &mut XmlWriter) {
        invoking_user(context, writer);
        writer.optional("svc:emailAddress", self.notify_email);
        writer.value("svc:submissionType", self.codes.submission_type(self.submission_type));
        writer.element("svc:achievements", "", |writer| {
            for achievement in self.achievements {
                writer.element("svc:Achievement", "", |writer| self.write_achievement(achievement, writer));
            }
        });
    }
}

impl SubmitAchievementBatch<'_> {
    /// `svc:Achievement`: members in the order of their names, `DateofBirth` as LRS spells it.
    fn write_achievement(&self, achievement: &Achievement, writer: &mut XmlWriter) {
        writer.value("svc:AchievementAwardDate", &Midnight(&achievement.achievement_award_date));
        writer.value("svc:Action", &self.codes.action(achievement.action));
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
    }
}

/// A day where LRS wants a moment: its beginning.
struct Midnight<'a>(&'a Date);

impl ToXmlText for Midnight<'_> {
    fn to_xml_text(&self) -> Cow<'_, str> {
        Cow::Owned(format!("{}T00:00:00", self.0.text()))
    }
}

/// `SubmitAchievementBatchJobResponse` (FACTS 2.13).
#[derive(Debug, Clone)]
pub struct SubmitAchievementBatchResponse {
    /// What it wraps.
    pub result: Option<Wrapped<SubmitAchievementBatchResult>>,
}

wire!(SubmitAchievementBatchResponse { result: "SubmitAchievementBatchJobResult" });

/// `SubmitAchievementBatchJobResult` (FACTS 2.13).
#[derive(Debug, Clone)]
pub struct SubmitAchievementBatchResult {
    /// The outcome. The codes are not public: go by the job.
    pub response_code: Option<LrsCode>,
    /// The job; 0 when there is none.
    pub job_id: Option<i64>,
}

wire!(SubmitAchievementBatchResult, in "a:" { response_code: "ResponseCode", job_id: "JobId" });

impl SubmitAchievementBatchResponse {
    /// The job LRS has made, if it has.
    pub fn job(&self) -> Option<i64> {
        self.result.as_ref()?.job_id.filter(|job| *job > 0)
    }
}

impl LrsResponse for SubmitAchievementBatchResponse {
    fn code(&self) -> Option<&LrsCode> {
        self.result.as_ref()?.response_code.as_ref()
    }

    fn is_done(&self) -> bool {
        self.job().is_some()
    }
}

/// `GetAchievementBatchJob` (FACTS 2.13): also of jobs that were submitted through the portal.
#[derive(Debug, Clone, Copy)]
pub struct GetAchievementBatch {
    /// The job.
    pub job_id: i64,
}

impl Operation for GetAchievementBatch {
    const NAME: &'static str = "GetAchievementBatchJob";
    const SERVICE: Service = Service::External;
    const SOAP_ACTION: &'static str = "http://api.lrs.qcf.gov.uk/services/IExternalService/GetAchievementBatchJob";
    const REQUEST_ELEMENT: &'static str = "svc:GetAchievementBatchJob";
    const NAMESPACES: &'static str = NAMESPACES;
    const RESPONSE_ELEMENT: &'static str = "GetAchievementBatchJobResponse";
    const FIELDS: Fields = &[("jobId", "job_id")];
    type Response = AchievementBatchResponse;

    fn effect(&self) -> Effect {
        Effect::Read
    }

    fn write(&self, context: &MessageContext<'_>, writer: &mut XmlWriter) {
        invoking_user(context, writer);
        writer.value("svc:jobId", &self.job_id);
    }

    fn check(&self, answer: &AchievementBatchResponse) -> Result<(), &'static str> {
        let told = answer.job.as_ref().and_then(|job| job.job_id).map_or(0, i64::from);
        if told > 0 && told != self.job_id { Err("it is about another job") } else { Ok(()) }
    }
}

/// `GetAchievementBatchJobResponse` (FACTS 2.13).
#[derive(Debug, Clone)]
pub struct AchievementBatchResponse {
    /// The job; none when LRS does not know it.
    pub job: Option<AchievementJob>,
    code: Option<LrsCode>,
}

impl AchievementBatchResponse {
    /// The answer that tells of this job.
    pub fn new(job: Option<AchievementJob>) -> Self {
        let code = job.as_ref().and_then(|job| job.response_code.as_deref()).map(LrsCode::new);
        Self { job, code }
    }
}

/// What wraps the job.
struct ExternalResult {
    result: Option<Wrapped<AchievementJob>>,
}

wire!(ExternalResult { result: "GetAchievementBatchJobResult" });

impl XmlRecord for AchievementBatchResponse {
    const FIELDS: Fields = ExternalResult::FIELDS;

    fn read(reader: &mut XmlReader<'_>) -> Result<Self, XmlError> {
        Ok(Self::new(ExternalResult::read(reader)?.result.map(|Wrapped(job)| job)))
    }

    fn write(&self, writer: &mut XmlWriter) {
        ExternalResult { result: self.job.clone().map(Wrapped) }.write(writer);
    }
}

impl LrsResponse for AchievementBatchResponse {
    fn code(&self) -> Option<&LrsCode> {
        self.code.as_ref()
    }
}

// `mod:AchievementBatchJobResponse` (FACTS 2.13).
wire!(AchievementJob, in "a:" {
    response_code: "ResponseCode",
    achievement_batch_error_file: "AchievementBatchErrorFile",
    achievements_created: "AchievementsCreated",
    achievements_promoted_to_final: "AchievementsPromotedToFinal",
    achievements_reinstated: "AchievementsReinstated",
    achievements_updated: "AchievementsUpdated",
    achievements_withdrawn: "AchievementsWithdrawn",
    business_rule_errors: "BusinessRuleErrors",
    duration: "Duration",
    end_date: "EndDate",
    field_data_errors: "FieldDataErrors",
    filename: "Filename",
    job_id: "JobID",
    learner_data_errors: "LearnerDataErrors",
    number_of_records: "NumberOfRecords",
    percentage_successful_records: "PercentageSuccessfulRecords",
    rejection_reason: "RejectionReason",
    start_date: "StartDate" nil,
    status: "Status",
    submitted_date: "SubmittedDate",
    successful_final_achievements: "SuccessfulFinalAchievements",
    successful_provisional_achievements: "SuccessfulProvisionalAchievements",
    r#type: "Type",
    user: "User",
});
