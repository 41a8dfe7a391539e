//! Learning events: the entries of a personal learning record, PLR (FACTS 2.9).

use crate::domain::{Date, Extensible, Gender, GetType, LocalDateTime, Name, Personal, Uln};
use crate::schema::{answer, request};

request! {
    /// Whose learning events to read. ULN and names must fit the register; date of birth and gender sharpen the check.
    #[derive(Debug, Clone)]
    pub struct GetLearningEvents {
        /// ULN.
        pub uln: Uln,
        /// Given name.
        pub given_name: Name,
        /// Family name.
        pub family_name: Name,
        /// Date of birth.
        pub date_of_birth: Option<Date>,
        /// Gender.
        pub gender: Option<Gender>,
        /// How much of each event to return.
        pub get_type: GetType = GetType::Full,
    }
}

answer! {
    /// Something a learner achieved or took part in. LRS leaves fields out, sends them as nil or empty, depending on where
    /// the event comes from; all three mean that nothing is known, and the field is absent here.
    #[derive(Debug, Clone, PartialEq)]
    pub struct LearningEvent {
        /// Day the achievement was awarded.
        pub achievement_award_date: Option<Extensible<Date>>,
        /// Name of the provider where it was achieved.
        pub achievement_provider_name: Option<Personal<String>>,
        /// UKPRN of that provider.
        pub achievement_provider_ukprn: Option<Personal<String>>,
        /// Name of the awarding organisation.
        pub awarding_organisation_name: Option<Personal<String>>,
        /// LRS's code of the awarding organisation. In spite of its name often not a UKPRN; `UNKNWN` has been seen.
        pub awarding_organisation_ukprn: Option<Personal<String>>,
        /// Which collection a return belongs to: `W` (ILR) and `A` (NPD) have been seen.
        pub collection_type: Option<Personal<String>>,
        /// Credits.
        pub credits: Option<Personal<i64>>,
        /// When LRS loaded the event. LRS keeps London's time; here with its offset from UTC.
        pub date_loaded: Option<Extensible<LocalDateTime>>,
        /// Grade, as the source has it. `9999999999` is the ILR's filler for “no grade”.
        pub grade: Option<Personal<String>>,
        /// LRS's number of the event.
        pub id: Option<i32>,
        /// Language of the assessment.
        pub language_for_assessment: Option<Personal<String>>,
        /// Level, such as `Level 2` or `Entry Level`.
        pub level: Option<Personal<String>>,
        /// Last day of participation. May lie in the future.
        pub participation_end_date: Option<Extensible<Date>>,
        /// First day of participation.
        pub participation_start_date: Option<Extensible<Date>>,
        /// Type of the qualification.
        pub qualification_type: Option<Personal<String>>,
        /// Restriction; `0` has been seen.
        pub restriction: Option<Personal<String>>,
        /// Number of the return.
        pub return_number: Option<Personal<String>>,
        /// Where it comes from: `ILR`, `NPD`, `AO` and `QCFU` have been seen.
        pub source: Option<Personal<String>>,
        /// Status; `F`, final, has been seen.
        pub status: Option<Personal<String>>,
        /// Title of the subject or qualification.
        pub subject: Option<Personal<String>>,
        /// Code of the subject or qualification.
        pub subject_code: Option<Personal<String>>,
        /// Is somebody disputing it? `N` has been seen.
        pub under_data_challenge: Option<Personal<String>>,
    }
}
