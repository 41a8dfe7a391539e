//! A learner as LRS holds one (FACTS 2.2 `lrnr:Learner`).

use super::{AbilityToShare, Date, Gender, Open, Personal, Uln, VerificationType};
use crate::form::answer;

answer! {
    /// A learner as the register holds it. What LRS leaves out or sends empty is absent here.
    ///
    /// Dates and enumerations are LRS's: a text outside the documented ones is passed on as it came.
    #[derive(Debug, Clone, PartialEq)]
    pub struct Learner {
        /// Day the record was created.
        pub created_date: Option<Open<Date>>,
        /// Day the record last changed.
        pub last_updated_date: Option<Open<Date>>,
        /// The learner's ULN. After a merge, the master record's.
        pub uln: Open<Uln>,
        /// `Y` when LRS put the master record in place of the linked one that was asked for.
        pub master_substituted: Option<String>,
        /// Title, free text.
        pub title: Option<Personal<String>>,
        /// Given name.
        pub given_name: Option<Personal<String>>,
        /// Middle or other names.
        pub middle_other_name: Option<Personal<String>>,
        /// Family name.
        pub family_name: Option<Personal<String>>,
        /// The given name the learner prefers.
        pub preferred_given_name: Option<Personal<String>>,
        /// Family name before it changed.
        pub previous_family_name: Option<Personal<String>>,
        /// Family name at the age of 16.
        pub family_name_at_age16: Option<Personal<String>>,
        /// School at the age of 16.
        pub school_at_age16: Option<Personal<String>>,
        /// Address, first line.
        pub last_known_address_line1: Option<Personal<String>>,
        /// Address, second line.
        pub last_known_address_line2: Option<Personal<String>>,
        /// Town of the address.
        pub last_known_address_town: Option<Personal<String>>,
        /// County or city of the address.
        pub last_known_address_county_or_city: Option<Personal<String>>,
        /// Postcode of the address.
        pub last_known_post_code: Option<Personal<String>>,
        /// Day the address was recorded.
        pub date_of_address_capture: Option<Open<Date>>,
        /// Date of birth.
        pub date_of_birth: Option<Open<Date>>,
        /// Place of birth.
        pub place_of_birth: Option<Personal<String>>,
        /// Gender.
        pub gender: Option<Open<Gender>>,
        /// E-mail address.
        pub email_address: Option<Personal<String>>,
        /// Nationality, up to three characters; LRS's list is not public.
        pub nationality: Option<Personal<String>>,
        /// Scottish Candidate Number, nine digits.
        pub scottish_candidate_number: Option<Personal<String>>,
        /// What proved the learner's identity.
        pub verification_type: Option<Open<VerificationType>>,
        /// What it was, when `verificationType` is `OTHER`.
        pub other_verification_description: Option<Personal<String>>,
        /// LRS's tier level, `0` to `2`; its meaning is not public.
        pub tier_level: Option<String>,
        /// Whether the learner shares the learning record.
        pub ability_to_share: Option<Open<AbilityToShare>>,
        /// LRS's learner status, `0` to `2`; only `1` has been seen.
        pub learner_status: Option<String>,
        /// ULNs merged into this record. Keep the master ULN and remember these.
        pub linked_ulns: Vec<Open<Uln>>,
        /// Notes.
        pub notes: Option<Personal<String>>,
        /// Version of the record: an update must name the version it was made from.
        pub version_number: i32,
    }
}
