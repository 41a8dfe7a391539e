//! How the simulator compares a learner with the register (FACTS 2.10, 3.5). LRS's own rule for “similar” is not public.

use crate::domain::{Date, Extensible, FromLrs, Gender, Learner, Personal};
use crate::lrs::codes::LrsCode;
use crate::lrs::services::learner::{FailureFlag, VerifiedLearner};
use crate::lrs::soap::element::Element;
use crate::simulator::learner_register::{Register, same_name};

/// How well a name fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Same,
    Similar,
    Different,
}

/// What verifying this learner comes to.
pub fn compare(register: &Register, asked: &Element) -> VerifiedLearner {
    let text = |name| asked.child(name).map(|child| child.text.clone()).filter(|text| !text.is_empty());
    let mut verified = VerifiedLearner {
        mis_identifier: text("MISIdentifier").map(Personal::new),
        searched_uln: text("ULN").map(|uln| Extensible::from_lrs(&uln)),
        searched_family_name: text("FamilyName").map(Personal::new),
        searched_given_name: text("GivenName").map(Personal::new),
        searched_date_of_birth: text("DateOfBirth").map(|date| Extensible::<Date>::from_lrs(&date)),
        searched_gender: text("Gender").map(|gender| Extensible::<Gender>::from_lrs(&gender)),
        response_code: Some(LrsCode::new("WSVRC006")),
        uln: None,
        family_name: None,
        given_name: None,
        date_of_birth: None,
        gender: None,
        failure_flag: Vec::new(),
    };
    let Some((entry, master)) = register.look_up(asked.text_of("ULN").trim()) else { return verified };
    let record = &entry.learner;
    let (given, family) = (asked.text_of("GivenName"), asked.text_of("FamilyName"));
    let mut flags = Vec::new();
    let mut given_fit = name_fit(given, name(record.given_name.as_ref()));
    if given_fit != Fit::Same && name_fit(given, name(record.preferred_given_name.as_ref())) == Fit::Same {
        given_fit = Fit::Same;
    }
    let family_fit = name_fit(family, name(record.family_name.as_ref()));
    flag_name(
        &mut flags,
        given,
        given_fit,
        ["VRF1", "VRF2", "VRF3"],
        [name(record.family_name.as_ref()), name(record.previous_family_name.as_ref())],
    );
    flag_name(
        &mut flags,
        family,
        family_fit,
        ["VRF5", "VRF4", "VRF6"],
        [name(record.given_name.as_ref()), name(record.previous_family_name.as_ref())],
    );
    let date_differs = differs(verified.searched_date_of_birth.as_ref(), record.date_of_birth.as_ref());
    let gender_differs = differs(verified.searched_gender.as_ref(), record.gender.as_ref());
    flags.extend(date_differs.then_some("VRF7"));
    flags.extend(gender_differs.then_some("VRF8"));
    flags.sort_unstable();

    let linked = master.is_some();
    let code = match (given_fit.max(family_fit), date_differs || gender_differs, linked) {
        (Fit::Different, ..) | (_, true, _) => "WSVRC005",
        (Fit::Same, false, false) => "WSVRC001",
        (Fit::Same, false, true) => "WSVRC002",
        (Fit::Similar, false, false) => "WSVRC003",
        (Fit::Similar, false, true) => "WSVRC004",
    };
    verified.response_code = Some(LrsCode::new(code));
    verified.failure_flag = flags.into_iter().map(|flag| FailureFlag(Personal::new(flag.to_owned()))).collect();
    // Only who knows the learner already is shown the record.
    if code == "WSVRC001" || code == "WSVRC002" {
        show(&mut verified, master.map_or(record, |master| &master.learner));
    }
    verified
}

fn show(verified: &mut VerifiedLearner, record: &Learner) {
    verified.uln = Some(record.uln.clone());
    verified.family_name.clone_from(&record.family_name);
    verified.given_name.clone_from(&record.given_name);
    verified.date_of_birth.clone_from(&record.date_of_birth);
    verified.gender.clone_from(&record.gender);
}

/// A name that is only similar fails against its own field; one that is different also against those it may be mixed up with.
fn flag_name(
    flags: &mut Vec<&'static str>,
    asked: &str,
    fit: Fit,
    [own, other, previous]: [&'static str; 3],
    [other_name, previous_name]: [&str; 2],
) {
    if fit == Fit::Same {
        return;
    }
    flags.push(own);
    if fit == Fit::Different {
        flags.extend((!same_name(asked, other_name)).then_some(other));
        flags.extend((!previous_name.is_empty() && !same_name(asked, previous_name)).then_some(previous));
    }
}

fn differs<T: FromLrs>(asked: Option<&Extensible<T>>, known: Option<&Extensible<T>>) -> bool {
    asked.is_some_and(|asked| known.is_none_or(|known| known.to_lrs() != asked.to_lrs()))
}

fn name(name: Option<&Personal<String>>) -> &str {
    name.map_or("", |name| name.reveal())
}

/// Similar names differ in at most two letters, or one begins with the other.
fn name_fit(asked: &str, known: &str) -> Fit {
    if same_name(asked, known) {
        return Fit::Same;
    }
    let (asked, known) = (asked.trim().to_lowercase(), known.trim().to_lowercase());
    let (shorter, longer) = if asked.len() < known.len() { (&asked, &known) } else { (&known, &asked) };
    let begins = shorter.chars().count() >= 3 && longer.starts_with(shorter.as_str());
    if begins || (longer.chars().count() >= 4 && strsim::levenshtein(&asked, &known) <= 2) { Fit::Similar } else { Fit::Different }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_similar_or_different() {
        for (asked, known, fit) in [
            ("ana", "Ana", Fit::Same),
            ("Anna", "Ana", Fit::Similar),
            ("Rhiannon", "Rhianon", Fit::Similar),
            ("Zoë", "Zoë Angharad", Fit::Similar),
            ("Li", "Lo", Fit::Different),
            ("Smith", "Taylor", Fit::Different),
            ("", "Ana", Fit::Different),
        ] {
            assert_eq!(name_fit(asked, known), fit, "{asked} {known}");
        }
    }
}
