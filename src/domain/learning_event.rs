//! Learning events: the entries of a learner's Personal Learning Record, PLR (LRS-CONTRACT 2.14).

use crate::domain::{Date, DetailLevel, EXAMPLE_LEARNER, Extensible, Gender, LocalDateTime, Name, Personal, Uln};
use crate::schema::{Answer, Request};
use crate::xml::XmlRecord;

/// The learner whose learning events to read. ULN and names must match LRS's record; date of birth and gender are compared if
/// given.
#[derive(Debug, Clone, Request, XmlRecord)]
#[request(examples = EXAMPLE_LEARNER)]
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
    #[xml(name = "getType")]
    pub detail_level: DetailLevel,
}

/// An achievement or a participation of the learner. A field is absent if LRS leaves it out, sends it as nil or sends it empty:
/// the form depends on the source of the event, and all three mean that no value is known.
// LRS never leaves out the elements marked `nil`: without a value they are nil.
#[derive(Debug, Clone, Default, PartialEq, Answer, XmlRecord)]
#[xml(prefix = "a", tolerant)]
pub struct LearningEvent {
    /// Date of the award.
    #[xml(nil)]
    #[answer(example = "2019-08-22")]
    pub achievement_award_date: Option<Extensible<Date>>,
    /// Name of the provider where the learner achieved it.
    #[answer(example = "Example College")]
    pub achievement_provider_name: Option<Personal<String>>,
    /// UKPRN of that provider.
    #[xml(nil)]
    #[answer(example = "10012345")]
    pub achievement_provider_ukprn: Option<Personal<String>>,
    /// Name of the awarding organisation.
    #[answer(example = "Example Awards")]
    pub awarding_organisation_name: Option<Personal<String>>,
    /// LRS's code of the awarding organisation. Despite the name it is often not a UKPRN; `UNKNWN` has been observed.
    #[answer(example = "100060")]
    pub awarding_organisation_ukprn: Option<Personal<String>>,
    /// The collection that a return belongs to. `W` (ILR) and `A` (NPD) have been observed.
    #[answer(example = "W")]
    pub collection_type: Option<Personal<String>>,
    /// Number of credits, which LRS declares with 64 bits.
    #[answer(example = 15)]
    pub credits: Option<Personal<i64>>,
    /// When LRS loaded the event. LRS records London time; this is the same time with its offset from UTC.
    pub date_loaded: Option<Extensible<LocalDateTime>>,
    /// Grade, as the source has it. `9999999999` is the ILR's filler for “no grade”.
    #[xml(nil)]
    #[answer(example = "Pass")]
    pub grade: Option<Personal<String>>,
    /// LRS's number of the event.
    #[answer(example = 5001)]
    pub id: Option<i32>,
    /// Language of the assessment.
    #[answer(example = "English")]
    pub language_for_assessment: Option<Personal<String>>,
    /// Level, such as `Level 2` or `Entry Level`.
    #[xml(nil)]
    #[answer(example = "Level 2")]
    pub level: Option<Personal<String>>,
    /// Last day of participation. May be in the future.
    #[answer(example = "2019-07-19")]
    pub participation_end_date: Option<Extensible<Date>>,
    /// First day of participation.
    #[answer(example = "2018-09-03")]
    pub participation_start_date: Option<Extensible<Date>>,
    /// Type of the qualification.
    #[answer(example = "Vocationally-Related Qualification")]
    pub qualification_type: Option<Personal<String>>,
    /// Restriction. `0` has been observed.
    #[answer(example = "0")]
    pub restriction: Option<Personal<String>>,
    /// Number of the return.
    #[answer(example = "14")]
    pub return_number: Option<Personal<String>>,
    /// Source of the event. `ILR`, `NPD`, `AO` and `QCFU` have been observed.
    #[xml(nil)]
    #[answer(example = "AO")]
    pub source: Option<Personal<String>>,
    /// Status. `F` (final) has been observed.
    #[answer(example = "F")]
    pub status: Option<Personal<String>>,
    /// Title of the subject or qualification.
    #[xml(nil)]
    #[answer(example = "Level 2 Certificate in Example Studies")]
    pub subject: Option<Personal<String>>,
    /// Code of the subject or qualification.
    #[xml(nil)]
    #[answer(example = "600/0000/X")]
    pub subject_code: Option<Personal<String>>,
    /// Whether the data are disputed. `N` has been observed.
    #[answer(example = "N")]
    pub under_data_challenge: Option<Personal<String>>,
}
