//! Achievements, which awarding organisations submit in batches (FACTS 2.13).

use crate::domain::codes::{AchievementAction, AchievementJobStatus};
use crate::domain::{BoundedText, Date, Extensible, Gender, MisIdentifier, Name, Personal, Ukprn, Uln, XmlDateTime};
use crate::schema::{answer, kept_request};

/// A unit or qualification by its reference number: 1 to 50 characters. LRS publishes no narrower rule.
pub type QualificationReference = BoundedText<1, 50>;
/// A grade, or a language: up to 50 characters. LRS publishes no list.
pub type ShortText = BoundedText<0, 50>;
/// A postcode of any country: LRS publishes no rule for those of achievements (FACTS 2.13).
pub type AnyPostcode = BoundedText<0, 20>;
/// Why an achievement is changed: up to 255 characters.
pub type ActionReason = BoundedText<0, 255>;

kept_request! {
    /// An achievement to create, update, withdraw or reinstate.
    #[derive(Debug, Clone)]
    pub struct Achievement {
        /// What LRS is to do with it.
        pub action: AchievementAction,
        /// Day of that action.
        pub action_date: Date,
        /// Why, for updates and withdrawals.
        pub action_reason: Option<ActionReason>,
        /// Day the achievement was awarded.
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
        /// Postcode of the learner's address, of any country: up to 20 characters.
        pub learner_postcode: Option<AnyPostcode>,
        /// UKPRN of the provider where it was achieved.
        pub provider_ukprn: Ukprn,
        /// Reference number of the unit or qualification, up to 50 characters.
        pub unit_or_qualification_reference_number: QualificationReference,
        /// Grade, up to 50 characters.
        pub grade: Option<ShortText>,
        /// Language of the assessment, up to 50 characters.
        pub language_for_assessment: Option<ShortText>,
        /// Your own name for this record; it comes back with the result.
        pub mis_identifier: Option<MisIdentifier>,
    }
}

answer! {
    /// An achievement job as LRS tells of it: its status, its counters, and the file of what LRS did not take.
    #[derive(Debug, Default, Clone, PartialEq)]
    pub struct AchievementJob {
        /// LRS's code. The codes of achievement jobs are not public.
        pub response_code: Option<String>,
        /// What LRS did not take and why, as LRS wrote it. The format is not public.
        pub achievement_batch_error_file: Option<Personal<String>>,
        /// Achievements created.
        pub achievements_created: Option<i32>,
        /// Achievements that were provisional and are final now.
        pub achievements_promoted_to_final: Option<i32>,
        /// Achievements reinstated.
        pub achievements_reinstated: Option<i32>,
        /// Achievements updated.
        pub achievements_updated: Option<i32>,
        /// Achievements withdrawn.
        pub achievements_withdrawn: Option<i32>,
        /// Achievements that break a business rule.
        pub business_rule_errors: Option<i32>,
        /// How long LRS took, in LRS's words.
        pub duration: Option<String>,
        /// When LRS was done.
        pub end_date: Option<Extensible<XmlDateTime>>,
        /// Achievements with a wrong field.
        pub field_data_errors: Option<i32>,
        /// LRS's name for what was submitted.
        pub filename: Option<String>,
        /// LRS's number of the job.
        pub job_id: Option<i32>,
        /// Achievements whose learner does not fit.
        pub learner_data_errors: Option<i32>,
        /// How many achievements LRS counted.
        pub number_of_records: Option<i32>,
        /// How many in a hundred LRS took.
        pub percentage_successful_records: Option<String>,
        /// Why LRS took none.
        pub rejection_reason: Option<Personal<String>>,
        /// When LRS began.
        pub start_date: Option<Extensible<XmlDateTime>>,
        /// How far the job is.
        pub status: Option<Extensible<AchievementJobStatus>>,
        /// When LRS got it.
        pub submitted_date: Option<Extensible<XmlDateTime>>,
        /// Final achievements taken.
        pub successful_final_achievements: Option<i32>,
        /// Provisional achievements taken.
        pub successful_provisional_achievements: Option<i32>,
        /// LRS's word for the kind of submission.
        pub r#type: Option<String>,
        /// Who submitted it.
        pub user: Option<Personal<String>>,
    }
}
