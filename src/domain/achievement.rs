//! Achievements, which awarding organisations submit in batches (LRS-CONTRACT 2.15, 2.16).

use crate::domain::codes::{AchievementAction, AchievementJobStatus};
use crate::domain::{BoundedText, Date, EXAMPLE_LEARNER, Extensible, Gender, MisIdentifier, Name, Personal, Ukprn, Uln, XmlDateTime};
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
#[request(examples = EXAMPLE_LEARNER, identified_by = mis_identifier)]
pub struct Achievement {
    /// The change to make.
    pub action: AchievementAction,
    /// Date of the change.
    #[request(example = "2026-07-01")]
    pub action_date: Date,
    /// Reason for an update or withdrawal, up to 255 characters.
    #[request(example = "Marked again")]
    pub action_reason: Option<ActionReason>,
    /// Date of the award.
    #[request(example = "2026-06-30")]
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
    #[request(example = "ZZ99 9ZZ")]
    pub learner_postcode: Option<AnyPostcode>,
    /// UKPRN of the provider where the learner achieved it.
    pub provider_ukprn: Ukprn,
    /// Reference number of the unit or qualification, up to 50 characters.
    #[request(example = "600/0001/1")]
    pub unit_or_qualification_reference_number: QualificationReference,
    /// Grade, up to 50 characters.
    #[request(example = "Pass")]
    pub grade: Option<ShortText>,
    /// Language of the assessment, up to 50 characters.
    #[request(example = "English")]
    pub language_for_assessment: Option<ShortText>,
    /// Your own identifier of this record. The result repeats it.
    #[request(example = "CAND-7")]
    pub mis_identifier: Option<MisIdentifier>,
}

/// LRS's report on an achievement job: its status, its counts and the file of rejected achievements.
// The strict values decide whether the job has ended and which achievements LRS rejected.
#[derive(Debug, Default, Clone, PartialEq, Answer, XmlRecord)]
#[xml(prefix = "a", tolerant)]
pub struct AchievementJob {
    /// LRS's response code. The codes of achievement jobs are not public.
    #[xml(strict)]
    #[answer(example = "WSRC9999")]
    pub response_code: Option<String>,
    /// The rejected achievements with LRS's reasons, as LRS sent them. The format is not public.
    #[xml(strict)]
    #[answer(example = "1,3000000126,no such learner")]
    pub achievement_batch_error_file: Option<Personal<String>>,
    /// Number of achievements created.
    #[answer(example = 180)]
    pub achievements_created: Option<i32>,
    /// Number of provisional achievements that became final.
    #[answer(example = 12)]
    pub achievements_promoted_to_final: Option<i32>,
    /// Number of achievements reinstated.
    #[answer(example = 1)]
    pub achievements_reinstated: Option<i32>,
    /// Number of achievements updated.
    #[answer(example = 4)]
    pub achievements_updated: Option<i32>,
    /// Number of achievements withdrawn.
    #[answer(example = 2)]
    pub achievements_withdrawn: Option<i32>,
    /// Number of achievements that violate a business rule.
    #[answer(example = 1)]
    pub business_rule_errors: Option<i32>,
    /// Duration of the job, as LRS words it.
    #[answer(example = "00:12:30")]
    pub duration: Option<String>,
    /// When LRS finished the job.
    #[xml(strict)]
    #[answer(example = "2026-09-01T10:12:30+01:00")]
    pub end_date: Option<Extensible<XmlDateTime>>,
    /// Number of achievements with an invalid field.
    #[answer(example = 0)]
    pub field_data_errors: Option<i32>,
    /// LRS's name of the submission.
    #[answer(example = "Example Awards 17")]
    pub filename: Option<String>,
    /// LRS's number of the job.
    #[xml(strict)]
    #[answer(example = 900_123)]
    pub job_id: Option<i32>,
    /// Number of achievements whose learner does not match LRS's record.
    #[answer(example = 0)]
    pub learner_data_errors: Option<i32>,
    /// Number of achievements in the job, as LRS counted them.
    #[answer(example = 200)]
    pub number_of_records: Option<i32>,
    /// Percentage of achievements that LRS accepted.
    #[answer(example = "99.5")]
    pub percentage_successful_records: Option<String>,
    /// Reason why LRS rejected all achievements.
    #[answer(example = "The number of records is wrong.")]
    pub rejection_reason: Option<Personal<String>>,
    /// When LRS started the job.
    #[xml(nil)]
    #[answer(example = "2026-09-01T10:00:00+01:00")]
    pub start_date: Option<Extensible<XmlDateTime>>,
    /// Status of the job.
    #[xml(strict)]
    pub status: Option<Extensible<AchievementJobStatus>>,
    /// When LRS received the job.
    #[answer(example = "2026-09-01T09:15:30+01:00")]
    pub submitted_date: Option<Extensible<XmlDateTime>>,
    /// Number of final achievements accepted.
    #[answer(example = 199)]
    pub successful_final_achievements: Option<i32>,
    /// Number of provisional achievements accepted.
    #[answer(example = 0)]
    pub successful_provisional_achievements: Option<i32>,
    /// Type of the submission, as LRS words it.
    #[answer(example = "Final")]
    pub r#type: Option<String>,
    /// The user who submitted the job.
    #[answer(example = "j.bloggs")]
    pub user: Option<Personal<String>>,
}
