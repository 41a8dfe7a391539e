//! Learning events: the entries of a learner's Personal Learning Record, PLR (LRS-CONTRACT 2.14).

use crate::domain::{Date, DetailLevel, Extensible, Gender, LocalDateTime, Name, Personal, Uln};
use crate::schema::{Answer, Request};
use crate::xml::XmlRecord;

/// The learner whose learning events to read. ULN and names must match LRS's record; date of birth and gender are compared if
/// given.
#[derive(Debug, Clone, Request, XmlRecord)]
#[xml(prefix = "tem", camel_case)]
pub struct LearningEventsSearch {
    /// The learner's ULN.
    pub uln: Uln,
    /// The learner's given name.
    pub given_name: Name,
    /// The learner's family name.
    pub family_name: Name,
    /// The learner's date of birth.
    #[xml(nil)]
    pub date_of_birth: Option<Date>,
    /// The learner's gender.
    #[xml(nil)]
    pub gender: Option<Gender>,
    /// How much LRS returns of each event.
    #[request(default = DetailLevel::Full)]
    pub get_type: DetailLevel,
}

/// An achievement or a participation of the learner. A field is absent if LRS leaves it out, sends it as nil or sends it empty:
/// the form depends on the source of the event, and all three mean that no value is known.
// LRS never leaves out the elements marked `nil`: without a value they are nil.
#[derive(Debug, Clone, Default, PartialEq, Answer, XmlRecord)]
#[xml(prefix = "a", tolerant)]
pub struct LearningEvent {
    /// Date of the award.
    #[xml(nil)]
    pub achievement_award_date: Option<Extensible<Date>>,
    /// Name of the provider where the learner achieved it.
    pub achievement_provider_name: Option<Personal<String>>,
    /// UKPRN of that provider.
    #[xml(nil)]
    pub achievement_provider_ukprn: Option<Personal<String>>,
    /// Name of the awarding organisation.
    pub awarding_organisation_name: Option<Personal<String>>,
    /// LRS's code of the awarding organisation. Despite the name it is often not a UKPRN; `UNKNWN` has been observed.
    pub awarding_organisation_ukprn: Option<Personal<String>>,
    /// The collection that a return belongs to. `W` (ILR) and `A` (NPD) have been observed.
    pub collection_type: Option<Personal<String>>,
    /// Number of credits.
    pub credits: Option<Personal<i64>>,
    /// When LRS loaded the event. LRS records London time; this is the same time with its offset from UTC.
    pub date_loaded: Option<Extensible<LocalDateTime>>,
    /// Grade, as the source has it. `9999999999` is the ILR's filler for “no grade”.
    #[xml(nil)]
    pub grade: Option<Personal<String>>,
    /// LRS's number of the event.
    pub id: Option<i32>,
    /// Language of the assessment.
    pub language_for_assessment: Option<Personal<String>>,
    /// Level, such as `Level 2` or `Entry Level`.
    #[xml(nil)]
    pub level: Option<Personal<String>>,
    /// Last day of participation. May be in the future.
    pub participation_end_date: Option<Extensible<Date>>,
    /// First day of participation.
    pub participation_start_date: Option<Extensible<Date>>,
    /// Type of the qualification.
    pub qualification_type: Option<Personal<String>>,
    /// Restriction. `0` has been observed.
    pub restriction: Option<Personal<String>>,
    /// Number of the return.
    pub return_number: Option<Personal<String>>,
    /// Source of the event. `ILR`, `NPD`, `AO` and `QCFU` have been observed.
    #[xml(nil)]
    pub source: Option<Personal<String>>,
    /// Status. `F` (final) has been observed.
    pub status: Option<Personal<String>>,
    /// Title of the subject or qualification.
    #[xml(nil)]
    pub subject: Option<Personal<String>>,
    /// Code of the subject or qualification.
    #[xml(nil)]
    pub subject_code: Option<Personal<String>>,
    /// Whether the data are disputed. `N` has been observed.
    pub under_data_challenge: Option<Personal<String>>,
}
