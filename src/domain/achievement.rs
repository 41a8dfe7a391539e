//! Achievements, which awarding organisations submit in batches (LRS-CONTRACT 2.15, 2.16).

use crate::domain::codes::{AchievementAction, AchievementJobStatus};
use crate::domain::{BoundedText, Date, Extensible, Gender, MisIdentifier, Name, Personal, Ukprn, Uln, XmlDateTime};
use crate::schema::{Answer, Request};
use crate::xml::XmlRecord;

/// The reference number of a unit or qualification: 1 to 50 characters. LRS publishes no narrower constraint.
pub type QualificationReference = BoundedText<1, 50>;
/// A grade or a language: up to 50 characters. LRS publishes no list.
pub type ShortText = BoundedText<0, 50>;
/// A postcode of any country: up to 20 characters. LRS publishes no constraint for postcodes of achievements (LRS-CONTRACT 2.15, 2.16).
pub type AnyPostcode = BoundedText<0, 20>;
/// The reason for a change: up to 255 characters.
pub type ActionReason = BoundedText<0, 255>;

/// An achievement to create, update, withdraw or reinstate.
#[derive(Debug, Clone, Request)]
pub struct Achievement {
    /// The change to make.
    pub action: AchievementAction,
    /// Date of the change.
    pub action_date: Date,
    /// Reason for an update or withdrawal, up to 255 characters.
    pub action_reason: Option<ActionReason>,
    /// Date of the award.
    pub achievement_award_date: Date,
    /// The learner's ULN.
    pub uln: Uln,
    /// The learner's given name.
    pub given_name: Name,
    /// The learner's family name.
    pub family_name: Name,
    /// The learner's date of birth.
    pub date_of_birth: Option<Date>,
    /// The learner's gender.
    pub gender: Option<Gender>,
    /// Postcode of the learner's address in any country, up to 20 characters.
    pub learner_postcode: Option<AnyPostcode>,
    /// UKPRN of the provider where the learner achieved it.
    pub provider_ukprn: Ukprn,
    /// Reference number of the unit or qualification, up to 50 characters.
    pub unit_or_qualification_reference_number: QualificationReference,
    /// Grade, up to 50 characters.
    pub grade: Option<ShortText>,
    /// Language of the assessment, up to 50 characters.
    pub language_for_assessment: Option<ShortText>,
    /// Your own identifier of this record. The result repeats it.
    pub mis_identifier: Option<MisIdentifier>,
}

/// LRS's report on an achievement job: its status, its counts and the file of rejected achievements.
// The strict values decide whether the job has ended and which achievements LRS rejected.
#[derive(Debug, Default, Clone, PartialEq, Answer, XmlRecord)]
#[xml(prefix = "a", tolerant)]
pub struct AchievementJob {
    /// LRS's response code. The codes of achievement jobs are not public.
    #[xml(strict)]
    pub response_code: Option<String>,
    /// The rejected achievements with LRS's reasons, as LRS sent them. The format is not public.
    #[xml(strict)]
    pub achievement_batch_error_file: Option<Personal<String>>,
    /// Number of achievements created.
    pub achievements_created: Option<i32>,
    /// Number of provisional achievements that became final.
    pub achievements_promoted_to_final: Option<i32>,
    /// Number of achievements reinstated.
    pub achievements_reinstated: Option<i32>,
    /// Number of achievements updated.
    pub achievements_updated: Option<i32>,
    /// Number of achievements withdrawn.
    pub achievements_withdrawn: Option<i32>,
    /// Number of achievements that violate a business rule.
    pub business_rule_errors: Option<i32>,
    /// Duration of the job, as LRS words it.
    pub duration: Option<String>,
    /// When LRS finished the job.
    #[xml(strict)]
    pub end_date: Option<Extensible<XmlDateTime>>,
    /// Number of achievements with an invalid field.
    pub field_data_errors: Option<i32>,
    /// LRS's name of the submission.
    pub filename: Option<String>,
    /// LRS's number of the job.
    #[xml(strict)]
    pub job_id: Option<i32>,
    /// Number of achievements whose learner does not match LRS's record.
    pub learner_data_errors: Option<i32>,
    /// Number of achievements in the job, as LRS counted them.
    pub number_of_records: Option<i32>,
    /// Percentage of achievements that LRS accepted.
    pub percentage_successful_records: Option<String>,
    /// Reason why LRS rejected all achievements.
    pub rejection_reason: Option<Personal<String>>,
    /// When LRS started the job.
    #[xml(nil)]
    pub start_date: Option<Extensible<XmlDateTime>>,
    /// Status of the job.
    #[xml(strict)]
    pub status: Option<Extensible<AchievementJobStatus>>,
    /// When LRS received the job.
    pub submitted_date: Option<Extensible<XmlDateTime>>,
    /// Number of final achievements accepted.
    pub successful_final_achievements: Option<i32>,
    /// Number of provisional achievements accepted.
    pub successful_provisional_achievements: Option<i32>,
    /// Type of the submission, as LRS words it.
    pub r#type: Option<String>,
    /// The user who submitted the job.
    pub user: Option<Personal<String>>,
}
