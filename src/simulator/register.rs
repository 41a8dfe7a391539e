//! The register of learners, and who matches a search (FACTS 2.3, 2.4).
//!
//! LRS's matching algorithm is not public. What is known of it is kept: postcodes are compared without the space, given
//! names also with the preferred one, more than ten candidates are too many, merged records answer with their master.

use std::collections::HashMap;

use crate::domain::{
    AbilityToShare, Date, FromLrs as _, Gender, Learner, Name, Open, OptionalName, Personal, Postcode, SchoolName, Uln, VerificationType,
};
use crate::form::{Value as _, form};

/// LRS shows at most this many possible matches.
const MOST_CANDIDATES: usize = 10;

form! {
    /// A learner to put into the register.
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
        /// The master record, if this one was merged into another.
        pub merged_into: Option<Uln>,
    }
}

/// What a search came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// Nobody.
    Nobody,
    /// More than [`MOST_CANDIDATES`].
    TooMany,
    /// Candidates.
    Possible(Vec<Learner>),
    /// The one.
    Exact(Box<Learner>),
    /// The master record of the one.
    Master(Box<Learner>),
}

/// What a demographic search names. Texts are as the message has them.
#[derive(Debug, Clone, Copy)]
pub struct Demographics<'a> {
    /// Given name.
    pub given_name: &'a str,
    /// Family name.
    pub family_name: &'a str,
    /// Date of birth, `YYYY-MM-DD`.
    pub date_of_birth: &'a str,
    /// Gender, LRS's code.
    pub gender: &'a str,
    /// Postcode.
    pub post_code: &'a str,
}

#[derive(Debug)]
struct Entry {
    learner: Learner,
    master: Option<String>,
}

/// The register.
#[derive(Debug, Default)]
pub struct Register {
    entries: Vec<Entry>,
    by_uln: HashMap<String, usize>,
}

/// There is a learner with this ULN already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken;

impl Register {
    /// Puts a learner in.
    ///
    /// # Errors
    /// [`Taken`]
    pub fn add(&mut self, new: NewLearner) -> Result<(), Taken> {
        let uln = new.uln.as_str().to_owned();
        if self.by_uln.contains_key(&uln) {
            return Err(Taken);
        }
        let master = new.merged_into.as_ref().map(|master| master.as_str().to_owned());
        if let (Some(index), false) = (master.as_ref().and_then(|master| self.by_uln.get(master)), master.as_ref() == Some(&uln)) {
            self.entries[*index].learner.linked_ulns.push(Open::Known(new.uln.clone()));
        }
        self.by_uln.insert(uln, self.entries.len());
        self.entries.push(Entry { learner: new.record(), master });
        Ok(())
    }

    /// How many records there are, merged ones included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Is there no record?
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Every record.
    pub fn learners(&self) -> impl Iterator<Item = &Learner> {
        self.entries.iter().map(|entry| &entry.learner)
    }

    /// The learner with this ULN, if both names fit.
    pub fn find_by_uln(&self, uln: &str, given_name: &str, family_name: &str) -> Found {
        match self.by_uln.get(uln).map(|index| &self.entries[*index]) {
            Some(entry) if names_fit(&entry.learner, given_name, family_name) => self.answer(entry),
            _ => Found::Nobody,
        }
    }

    /// Learners with these names and date of birth; the one whose gender and postcode fit as well.
    pub fn find_by_demographics(&self, search: &Demographics<'_>) -> Found {
        let candidates: Vec<&Entry> = self
            .entries
            .iter()
            .filter(|Entry { learner, .. }| {
                names_fit(learner, search.given_name, search.family_name)
                    && learner.date_of_birth.as_ref().is_some_and(|date| date.to_lrs() == search.date_of_birth)
            })
            .collect();
        let mut exact = candidates.iter().filter(|Entry { learner, .. }| {
            learner.gender.as_ref().is_some_and(|gender| gender.to_lrs() == search.gender)
                && text(learner.last_known_post_code.as_ref()).is_some_and(|code| same_postcode(code, search.post_code))
        });
        match (exact.next(), exact.next()) {
            (Some(one), None) => self.answer(one),
            _ if candidates.is_empty() => Found::Nobody,
            _ if candidates.len() > MOST_CANDIDATES => Found::TooMany,
            _ => {
                let mut learners: Vec<Learner> = Vec::new();
                for candidate in candidates {
                    let learner = self.master_of(candidate).unwrap_or(&candidate.learner);
                    if !learners.iter().any(|there| there.uln == learner.uln) {
                        learners.push(learner.clone());
                    }
                }
                Found::Possible(learners)
            }
        }
    }

    fn answer(&self, entry: &Entry) -> Found {
        match self.master_of(entry) {
            None => Found::Exact(Box::new(entry.learner.clone())),
            Some(master) => Found::Master(Box::new(Learner { master_substituted: Some("Y".into()), ..master.clone() })),
        }
    }

    fn master_of(&self, entry: &Entry) -> Option<&Learner> {
        let index = self.by_uln.get(entry.master.as_ref()?)?;
        Some(&self.entries[*index].learner)
    }
}

impl NewLearner {
    fn record(self) -> Learner {
        let personal = |text: &str| Personal::new(text.to_owned());
        let optional = |text: &Option<OptionalName>| text.as_ref().map(|text| personal(text.as_str()));
        let known_date = |text| Date::from_lrs(text).map(Open::Known);
        Learner {
            created_date: known_date("2021-09-06"),
            last_updated_date: known_date("2024-01-15"),
            uln: Open::Known(self.uln),
            master_substituted: None,
            title: optional(&self.title),
            given_name: Some(personal(self.given_name.as_str())),
            middle_other_name: None,
            family_name: Some(personal(self.family_name.as_str())),
            preferred_given_name: optional(&self.preferred_given_name),
            previous_family_name: optional(&self.previous_family_name),
            family_name_at_age16: None,
            school_at_age16: self.school_at_age16.map(|school| personal(school.as_str())),
            last_known_address_line1: None,
            last_known_address_line2: None,
            last_known_address_town: None,
            last_known_address_county_or_city: None,
            last_known_post_code: Some(personal(&self.last_known_post_code.text())),
            date_of_address_capture: None,
            date_of_birth: Some(Open::Known(self.date_of_birth)),
            place_of_birth: optional(&self.place_of_birth),
            gender: Some(Open::Known(self.gender)),
            email_address: None,
            nationality: None,
            scottish_candidate_number: None,
            verification_type: Some(Open::Known(VerificationType::RelationshipWithSchool)),
            other_verification_description: None,
            tier_level: Some("0".into()),
            ability_to_share: Some(Open::Known(AbilityToShare::SeenShare)),
            learner_status: Some("1".into()),
            linked_ulns: Vec::new(),
            notes: None,
            version_number: 1,
        }
    }
}

fn text(value: Option<&Personal<String>>) -> Option<&str> {
    value.map(|value| value.reveal().as_str())
}

fn names_fit(learner: &Learner, given_name: &str, family_name: &str) -> bool {
    let fits = |value: &Option<Personal<String>>, wanted: &str| text(value.as_ref()).is_some_and(|name| same_name(name, wanted));
    (fits(&learner.given_name, given_name) || fits(&learner.preferred_given_name, given_name))
        && (fits(&learner.family_name, family_name) || fits(&learner.previous_family_name, family_name))
}

fn same_name(one: &str, other: &str) -> bool {
    one == other || one.trim().to_lowercase() == other.trim().to_lowercase()
}

fn same_postcode(one: &str, other: &str) -> bool {
    let bare = |code: &str| code.chars().filter(|c| *c != ' ').map(|c| c.to_ascii_uppercase()).collect::<String>();
    bare(one) == bare(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::read::from_json;

    fn learner(json: &str) -> NewLearner {
        let defaults =
            r#""givenName":"Zoë","familyName":"O'Neill-Siân","dateOfBirth":"2004-02-29","gender":"FEMALE","lastKnownPostCode":"ZZ1 1AA""#;
        from_json(format!("{{{defaults}{}{json}}}", if json.is_empty() { "" } else { "," }).as_bytes()).expect("valid")
    }

    fn register(learners: &[&str]) -> Register {
        let mut register = Register::default();
        for json in learners {
            register.add(learner(json)).expect("free");
        }
        register
    }

    const ZOE: Demographics<'_> =
        Demographics { given_name: "Zoë", family_name: "O'Neill-Siân", date_of_birth: "2004-02-29", gender: "2", post_code: "zz11aa" };

    #[test]
    fn a_postcode_without_its_space_is_the_same() {
        assert!(matches!(register(&[r#""uln":"3000000126""#]).find_by_demographics(&ZOE), Found::Exact(_)));
    }

    #[test]
    fn the_preferred_name_finds_too() {
        let register = register(&[r#""uln":"3000000126","preferredGivenName":"Zo""#]);
        assert!(matches!(register.find_by_demographics(&Demographics { given_name: "ZO", ..ZOE }), Found::Exact(_)));
    }

    #[test]
    fn another_gender_or_postcode_is_a_possible_match() {
        let register = register(&[r#""uln":"3000000126""#]);
        for search in [Demographics { gender: "1", ..ZOE }, Demographics { post_code: "ZZ2 2AA", ..ZOE }] {
            assert!(matches!(register.find_by_demographics(&search), Found::Possible(learners) if learners.len() == 1));
        }
        assert_eq!(register.find_by_demographics(&Demographics { date_of_birth: "2004-02-28", ..ZOE }), Found::Nobody);
    }

    #[test]
    fn twins_in_every_particular_are_possible_matches() {
        let register = register(&[r#""uln":"3000000126""#, r#""uln":"3000000258""#]);
        assert!(matches!(register.find_by_demographics(&ZOE), Found::Possible(learners) if learners.len() == 2));
    }

    #[test]
    fn eleven_candidates_are_too_many() {
        let mut register = Register::default();
        let ulns = (300_000_000..).filter_map(Uln::from_prefix).take(11);
        for uln in ulns {
            assert_ne!(register.find_by_demographics(&Demographics { gender: "9", ..ZOE }), Found::TooMany);
            register.add(NewLearner { uln: uln.clone(), ..learner(r#""uln":"3000000126""#) }).expect("free");
        }
        assert_eq!(register.find_by_demographics(&Demographics { gender: "9", ..ZOE }), Found::TooMany);
    }

    #[test]
    fn a_merged_record_answers_with_its_master() {
        let register = register(&[r#""uln":"3000000126""#, r#""uln":"3000000258","mergedInto":"3000000126""#]);
        let Found::Master(master) = register.find_by_uln("3000000258", "zoë", "o'neill-siân") else { panic!("no master") };
        assert_eq!(master.uln.to_lrs(), "3000000126");
        assert_eq!(master.master_substituted.as_deref(), Some("Y"));
        assert_eq!(master.linked_ulns.len(), 1);
        assert!(matches!(register.find_by_uln("3000000126", "Zoë", "O'Neill-Siân"), Found::Exact(_)));
        assert_eq!(register.find_by_uln("3000000126", "Zoë", "Smith"), Found::Nobody);
    }
}
