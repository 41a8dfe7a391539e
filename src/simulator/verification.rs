//! Verification of a learner against the register (LRS-CONTRACT 2.8, 3.3). LRS's own rule for similar names is not public.

use crate::domain::{Date, Extensible, FromLrs, Gender, Learner, Personal};
use crate::lrs::response_codes::LrsCode;
use crate::lrs::services::learner::{FailureFlag, VerifiedLearner};
use crate::simulator::learner_register::LearnerRegister;
use crate::simulator::learner_search::same_name;
use crate::xml::Element;

/// The result of comparing two names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum NameMatch {
    Same,
    Similar,
    Different,
}

/// A name of the request, its match, and the failure flags it can set.
struct NameCheck<'a> {
    searched: &'a str,
    name_match: NameMatch,
    /// Set if the name is not the same as the record's.
    own_flag: &'static str,
    /// Set if the name is different and is not this other name of the record either.
    other_name: (&'a str, &'static str),
    /// Set if the name is different and is not the record's previous family name either.
    previous_name: (&'a str, &'static str),
}

/// Verifies the learner of a request.
pub fn verify_learner(register: &LearnerRegister, request: &Element) -> VerifiedLearner {
    let mut verified = unknown_uln(request);
    let Some((entry, master)) = register.look_up(request.text_of("ULN").trim()) else { return verified };
    let record = &entry.learner;
    let names = name_checks(request, record);
    let date_differs = differs(verified.searched_date_of_birth.as_ref(), record.date_of_birth.as_ref());
    let gender_differs = differs(verified.searched_gender.as_ref(), record.gender.as_ref());

    let mut flags: Vec<&str> = names.iter().flat_map(NameCheck::failure_flags).collect();
    flags.extend(date_differs.then_some("VRF7"));
    flags.extend(gender_differs.then_some("VRF8"));
    flags.sort_unstable();

    let worst_name = names[0].name_match.max(names[1].name_match);
    let code = match (worst_name, date_differs || gender_differs, master.is_some()) {
        (NameMatch::Different, ..) | (_, true, _) => "WSVRC005",
        (NameMatch::Same, false, false) => "WSVRC001",
        (NameMatch::Same, false, true) => "WSVRC002",
        (NameMatch::Similar, false, false) => "WSVRC003",
        (NameMatch::Similar, false, true) => "WSVRC004",
    };
    verified.response_code = Some(LrsCode::new(code));
    verified.failure_flag = flags.into_iter().map(|flag| FailureFlag(Personal::new(flag.to_owned()))).collect();
    // The record is returned only to callers that sent its values.
    if worst_name == NameMatch::Same && !date_differs && !gender_differs {
        copy_record(&mut verified, &master.unwrap_or(entry).learner);
    }
    verified
}

/// Returns the searched values with the response code for an unknown ULN.
fn unknown_uln(request: &Element) -> VerifiedLearner {
    let text = |name| request.child(name).map(|child| child.text.clone()).filter(|text| !text.is_empty());
    VerifiedLearner {
        mis_identifier: text("MISIdentifier").map(Personal::new),
        searched_uln: text("ULN").map(|uln| Extensible::from_lrs(&uln)),
        searched_family_name: text("FamilyName").map(Personal::new),
        searched_given_name: text("GivenName").map(Personal::new),
        searched_date_of_birth: text("DateOfBirth").map(|date| Extensible::<Date>::from_lrs(&date)),
        searched_gender: text("Gender").map(|gender| Extensible::<Gender>::from_lrs(&gender)),
        response_code: Some(LrsCode::new("WSVRC006")),
        ..VerifiedLearner::default()
    }
}

/// Compares the given name and the family name with the record.
fn name_checks<'a>(request: &'a Element, record: &'a Learner) -> [NameCheck<'a>; 2] {
    let (given_name, family_name) = (text(record.given_name.as_ref()), text(record.family_name.as_ref()));
    let previous_family_name = text(record.previous_family_name.as_ref());
    let (searched_given_name, searched_family_name) = (request.text_of("GivenName"), request.text_of("FamilyName"));
    let given_name_match = match compare_names(searched_given_name, text(record.preferred_given_name.as_ref())) {
        NameMatch::Same => NameMatch::Same,
        // The preferred given name counts only if it is the same.
        _ => compare_names(searched_given_name, given_name),
    };
    [
        NameCheck {
            searched: searched_given_name,
            name_match: given_name_match,
            own_flag: "VRF1",
            other_name: (family_name, "VRF2"),
            previous_name: (previous_family_name, "VRF3"),
        },
        NameCheck {
            searched: searched_family_name,
            name_match: compare_names(searched_family_name, family_name),
            own_flag: "VRF5",
            other_name: (given_name, "VRF4"),
            previous_name: (previous_family_name, "VRF6"),
        },
    ]
}

impl NameCheck<'_> {
    fn failure_flags(&self) -> impl Iterator<Item = &'static str> {
        let Self { searched, name_match, own_flag, other_name: (other_name, other_flag), previous_name: (previous_name, previous_flag) } =
            *self;
        let is_different = name_match == NameMatch::Different;
        let own = (name_match != NameMatch::Same).then_some(own_flag);
        let other = (is_different && !same_name(searched, other_name)).then_some(other_flag);
        let previous = (is_different && !previous_name.is_empty() && !same_name(searched, previous_name)).then_some(previous_flag);
        [own, other, previous].into_iter().flatten()
    }
}

fn copy_record(verified: &mut VerifiedLearner, record: &Learner) {
    verified.uln = Some(record.uln.clone());
    verified.family_name.clone_from(&record.family_name);
    verified.given_name.clone_from(&record.given_name);
    verified.date_of_birth.clone_from(&record.date_of_birth);
    verified.gender.clone_from(&record.gender);
}

/// Returns `true` if a value was sent and the record has another one or none.
fn differs<T: FromLrs>(searched: Option<&Extensible<T>>, known: Option<&Extensible<T>>) -> bool {
    searched.is_some_and(|searched| known.is_none_or(|known| known.to_lrs() != searched.to_lrs()))
}

fn text(name: Option<&Personal<String>>) -> &str {
    name.map_or("", |name| name.reveal())
}

/// Compares two names. Names are similar if they differ in at most two letters, or if one begins with the other.
fn compare_names(searched: &str, known: &str) -> NameMatch {
    if same_name(searched, known) {
        return NameMatch::Same;
    }
    let (searched, known) = (searched.trim().to_lowercase(), known.trim().to_lowercase());
    let (shorter, longer) = if searched.len() < known.len() { (&searched, &known) } else { (&known, &searched) };
    let is_prefix = shorter.chars().count() >= 3 && longer.starts_with(shorter.as_str());
    let has_few_changes = longer.chars().count() >= 4 && strsim::levenshtein(&searched, &known) <= 2;
    if is_prefix || has_few_changes { NameMatch::Similar } else { NameMatch::Different }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compare_names_returns_same_similar_or_different() {
        for (searched, known, expected) in [
            ("ana", "Ana", NameMatch::Same),
            ("Anna", "Ana", NameMatch::Similar),
            ("Rhiannon", "Rhianon", NameMatch::Similar),
            ("Zoë", "Zoë Angharad", NameMatch::Similar),
            ("Li", "Lo", NameMatch::Different),
            ("Smith", "Taylor", NameMatch::Different),
            ("", "Ana", NameMatch::Different),
        ] {
            assert_eq!(compare_names(searched, known), expected, "{searched} {known}");
        }
    }
}
