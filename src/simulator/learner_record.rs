//! Records of the learner register, and their construction from requests and settings.
//!
//! LRS's element names are the same in all records of a learner. So a record is made from another by writing its elements and reading
//! them again, and no code lists the fields.

use std::collections::BTreeMap;

use crate::domain::{
    AbilityToShare, BatchLearner, Date, Extensible, FromLrs as _, Gender, Learner, LearnerDetails, LearningEvent, Name, OptionalName,
    Personal, Postcode, SchoolName, Uln, VerificationType,
};
use crate::schema::Settings;
use crate::simulator::timestamps::current_date;
use crate::xml::{XmlRecord, XmlWriter};

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

/// A learner to add to the register.
#[derive(Debug, Clone, Settings, XmlRecord)]
#[setting(page)]
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
    #[setting(default = AbilityToShare::SeenShare)]
    pub ability_to_share: AbilityToShare,
}

/// Returns the record of a learner from settings or sample data, created some years ago.
pub fn record_from_new_learner(new: &NewLearner) -> Learner {
    let known_date = |text| Date::from_lrs(text).map(Extensible::Known);
    Learner {
        created_date: known_date("2021-09-06"),
        last_updated_date: known_date("2024-01-15"),
        verification_type: Some(Extensible::Known(VerificationType::RelationshipWithSchool)),
        ..record_with_elements(1, |writer| new.write(writer))
    }
}

/// Returns the record that contains these details.
///
/// Values that are not part of the details come from the previous record.
pub fn record_from_details(uln: &Uln, details: &LearnerDetails, version_number: i32, previous: Option<&Learner>) -> Learner {
    let today = Some(current_date());
    let (created_date, last_updated_date, linked_ulns) = previous.map_or_else(
        || (today.clone(), today.clone(), Vec::new()),
        |learner| (learner.created_date.clone(), learner.last_updated_date.clone(), learner.linked_ulns.clone()),
    );
    let record = record_with_elements(version_number, |writer| {
        writer.value("ULN", uln);
        details.write(writer);
    });
    Learner { created_date, last_updated_date, linked_ulns, ..record }
}

/// Returns the registration details of a batch learner. `None`: a required value is missing.
pub fn details_from_batch_learner(learner: &BatchLearner) -> Option<LearnerDetails> {
    LearnerDetails::read_written(|writer| writer.element("Learner", "", |writer| learner.write(writer))).ok()
}

/// Returns the record that has this version number and the elements that `write` writes. An empty element counts as absent.
fn record_with_elements(version_number: i32, write: impl FnOnce(&mut XmlWriter)) -> Learner {
    let record = Learner::read_written(|writer| {
        writer.element("Learner", "", |writer| {
            write(writer);
            writer.value("VersionNumber", &version_number);
        });
    });
    Learner {
        tier_level: Some(Personal::new("0".into())),
        learner_status: Some(Personal::new("1".into())),
        ..record.expect("a parsed value can be written and read")
    }
}
