//! Records of the learner register, and their construction from requests and settings.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::domain::{
    AbilityToShare, BatchLearner, BoundedText, Date, Extensible, FromLrs as _, Gender, Learner, LearnerDetails, LearningEvent, Name,
    OptionalName, Personal, Postcode, SchoolName, Uln, VerificationType,
};
use crate::schema::{Scalar, input};
use crate::simulator::timestamps::current_date;

/// One record of the register.
#[derive(Debug)]
pub struct RegisterEntry {
    /// The learner's details.
    pub learner: Learner,
    pub(super) events: Vec<LearningEvent>,
    /// Events from achievement batches, by event number. Awarding organisations can withdraw them.
    pub(super) achievements: BTreeMap<i32, LearningEvent>,
    /// The ULN of the master record, if this record was merged into another.
    pub(super) master_uln: Option<String>,
}

impl RegisterEntry {
    /// Returns a record without learning events.
    pub const fn new(learner: Learner, master_uln: Option<String>) -> Self {
        Self { learner, events: Vec::new(), achievements: BTreeMap::new(), master_uln }
    }

    /// Returns the learner's events, including those from achievement batches.
    pub fn learning_events(&self) -> impl Iterator<Item = &LearningEvent> {
        self.events.iter().chain(self.achievements.values())
    }
}

input! {
    /// A learner to add to the register.
    #[derive(Debug, Clone)]
    pub struct NewLearner {
        /// ULN.
        pub uln: Uln,
        /// Given name.
        pub given_name: Name,
        /// Family name.
        pub family_name: Name,
        /// Date of birth.
        pub date_of_birth: Date,
        /// Gender.
        pub gender: Gender,
        /// Postcode.
        pub last_known_post_code: Postcode,
        /// Title.
        pub title: Option<OptionalName>,
        /// Preferred given name.
        pub preferred_given_name: Option<OptionalName>,
        /// Previous family name.
        pub previous_family_name: Option<OptionalName>,
        /// School at the age of 16.
        pub school_at_age16: Option<SchoolName>,
        /// Place of birth.
        pub place_of_birth: Option<OptionalName>,
        /// ULN of the master record, if this record was merged into another.
        pub merged_into: Option<Uln>,
        /// Whether the learner shares the learning record.
        pub ability_to_share: AbilityToShare = AbilityToShare::SeenShare,
    }
}

/// Returns the record of a learner from settings or sample data, created some years ago.
pub fn record_from_new_learner(new: NewLearner) -> Learner {
    let known_date = |text| Date::from_lrs(text).map(Extensible::Known);
    let details = LearnerDetails {
        title: new.title,
        given_name: new.given_name,
        middle_other_name: None,
        family_name: new.family_name,
        preferred_given_name: new.preferred_given_name,
        previous_family_name: new.previous_family_name,
        family_name_at_age16: None,
        school_at_age16: new.school_at_age16,
        last_known_address_line1: None,
        last_known_address_line2: None,
        last_known_address_town: None,
        last_known_address_county_or_city: None,
        last_known_post_code: new.last_known_post_code,
        date_of_address_capture: None,
        date_of_birth: new.date_of_birth,
        place_of_birth: new.place_of_birth,
        gender: new.gender,
        email_address: None,
        nationality: None,
        scottish_candidate_number: None,
        verification_type: VerificationType::RelationshipWithSchool,
        other_verification_description: None,
        ability_to_share: new.ability_to_share,
        notes: None,
    };
    Learner {
        created_date: known_date("2021-09-06"),
        last_updated_date: known_date("2024-01-15"),
        ..record_from_details(new.uln, &details, 1, None)
    }
}

/// Returns the record that contains these details.
///
/// Values that are not part of the details come from the previous record. An empty text counts as absent.
pub fn record_from_details(uln: Uln, details: &LearnerDetails, version_number: i32, previous: Option<&Learner>) -> Learner {
    Learner {
        created_date: previous.map_or_else(|| Some(current_date()), |learner| learner.created_date.clone()),
        last_updated_date: previous.map_or_else(|| Some(current_date()), |learner| learner.last_updated_date.clone()),
        uln: Extensible::Known(uln),
        master_substituted: None,
        title: text(details.title.as_ref()),
        given_name: text(Some(&details.given_name)),
        middle_other_name: text(details.middle_other_name.as_ref()),
        family_name: text(Some(&details.family_name)),
        preferred_given_name: text(details.preferred_given_name.as_ref()),
        previous_family_name: text(details.previous_family_name.as_ref()),
        family_name_at_age16: text(details.family_name_at_age16.as_ref()),
        school_at_age16: text(details.school_at_age16.as_ref()),
        last_known_address_line1: text(details.last_known_address_line1.as_ref()),
        last_known_address_line2: text(details.last_known_address_line2.as_ref()),
        last_known_address_town: text(details.last_known_address_town.as_ref()),
        last_known_address_county_or_city: text(details.last_known_address_county_or_city.as_ref()),
        last_known_post_code: non_empty(Some(details.last_known_post_code.text())),
        date_of_address_capture: details.date_of_address_capture.map(Extensible::Known),
        date_of_birth: Some(Extensible::Known(details.date_of_birth)),
        place_of_birth: text(details.place_of_birth.as_ref()),
        gender: Some(Extensible::Known(details.gender)),
        email_address: non_empty(details.email_address.as_ref().map(Scalar::text)),
        nationality: text(details.nationality.as_ref()),
        scottish_candidate_number: non_empty(details.scottish_candidate_number.as_ref().map(Scalar::text)),
        verification_type: Some(Extensible::Known(details.verification_type)),
        other_verification_description: text(details.other_verification_description.as_ref()),
        tier_level: Some(Personal::new("0".into())),
        ability_to_share: Some(Extensible::Known(details.ability_to_share)),
        learner_status: Some(Personal::new("1".into())),
        linked_ulns: previous.map(|learner| learner.linked_ulns.clone()).unwrap_or_default(),
        notes: text(details.notes.as_ref()),
        version_number,
    }
}

/// Returns the registration details of a batch learner. `None`: a required value is missing.
pub fn details_from_batch_learner(learner: &BatchLearner) -> Option<LearnerDetails> {
    let learner = learner.clone();
    Some(LearnerDetails {
        title: learner.title,
        given_name: learner.given_name,
        middle_other_name: learner.middle_other_name,
        family_name: learner.family_name,
        preferred_given_name: learner.preferred_given_name,
        previous_family_name: learner.previous_family_name,
        family_name_at_age16: learner.family_name_at_age16,
        school_at_age16: learner.school_at_age16,
        last_known_address_line1: learner.last_known_address_line1,
        last_known_address_line2: learner.last_known_address_line2,
        last_known_address_town: learner.last_known_address_town,
        last_known_address_county_or_city: learner.last_known_address_county_or_city,
        last_known_post_code: learner.last_known_post_code?,
        date_of_address_capture: learner.date_of_address_capture,
        date_of_birth: learner.date_of_birth?,
        place_of_birth: learner.place_of_birth,
        gender: learner.gender?,
        email_address: learner.email_address,
        nationality: learner.nationality,
        scottish_candidate_number: learner.scottish_candidate_number,
        verification_type: learner.verification_type?,
        other_verification_description: learner.other_verification_description,
        ability_to_share: learner.ability_to_share?,
        notes: learner.notes,
    })
}

fn text<const MIN: usize, const MAX: usize>(text: Option<&BoundedText<MIN, MAX>>) -> Option<Personal<String>> {
    text.filter(|text| !text.as_str().is_empty()).map(|text| Personal::new(text.as_str().to_owned()))
}

fn non_empty(text: Option<Cow<'_, str>>) -> Option<Personal<String>> {
    text.filter(|text| !text.is_empty()).map(|text| Personal::new(text.into_owned()))
}
