//! The register of learners: who matches a search, who may be registered, what changes (FACTS 2.3 to 2.6).
//!
//! LRS's matching algorithm is not public. What is known of it is kept: postcodes are compared without the space, given
//! names also with the preferred one, more than ten candidates are too many, merged records answer with their master.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use crate::domain::{AbilityToShare, BatchLearner, Extensible, FromLrs as _, Learner, LearnerDetails, LearningEvent, Personal, Uln};
use crate::schema::Scalar as _;
use crate::simulator::learner_record::{details_of, record_of, record_of_new, today};

pub use crate::simulator::learner_record::{Entry, NewLearner};

/// LRS shows at most this many possible matches.
const MOST_CANDIDATES: usize = 10;

/// What a search came to.
#[derive(Debug, Clone, PartialEq)]
pub enum SearchMatches {
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

/// The register.
#[derive(Debug)]
pub struct Register {
    entries: Vec<Entry>,
    by_uln: HashMap<String, usize>,
    searches: HashMap<String, Instant>,
    registration_window: Duration,
    next_prefix: u32,
}

impl Default for Register {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            by_uln: HashMap::new(),
            searches: HashMap::new(),
            registration_window: DEFAULT_WINDOW,
            next_prefix: 910_000_001,
        }
    }
}

/// How long after a search a learner may be registered. LRS's own time is not public.
pub const DEFAULT_WINDOW: Duration = Duration::from_secs(300);

/// Why LRS does not do what it is asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// `WSRC0021`: there is such a learner, or there was no recent search.
    NotRegistered,
    /// `WSRC0019`
    UlnNotFound,
    /// `WSRC0013`
    StaleVersion,
    /// `WSRC0014`
    ShareChange,
    /// `WSRC0020`
    NoChanges,
}

/// There is a learner with this ULN already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UlnTaken;

impl Register {
    /// Puts a learner in.
    ///
    /// # Errors
    /// [`Taken`]
    pub fn add(&mut self, new: NewLearner) -> Result<(), UlnTaken> {
        let uln = new.uln.as_str().to_owned();
        if self.by_uln.contains_key(&uln) {
            return Err(UlnTaken);
        }
        let master = new.merged_into.as_ref().map(|master| master.as_str().to_owned());
        if let (Some(index), false) = (master.as_ref().and_then(|master| self.by_uln.get(master)), master.as_ref() == Some(&uln)) {
            self.entries[*index].learner.linked_ulns.push(Extensible::Known(new.uln.clone()));
        }
        self.enter(uln, record_of_new(new), master);
        Ok(())
    }

    /// Sets how long after a search a learner may be registered.
    pub const fn set_registration_window(&mut self, window: Duration) {
        self.registration_window = window;
    }

    /// Gives a learner events.
    pub fn add_events(&mut self, uln: &str, events: impl IntoIterator<Item = LearningEvent>) {
        if let Some(index) = self.by_uln.get(uln) {
            self.entries[*index].events.extend(events);
        }
    }

    /// Gives a learner an achievement, in place of the one with the same number.
    pub fn put_achievement(&mut self, uln: &str, number: i32, event: LearningEvent) {
        if let Some(index) = self.by_uln.get(uln) {
            self.entries[*index].achievements.insert(number, event);
        }
    }

    /// Takes an achievement away from a learner.
    pub fn remove_achievement(&mut self, uln: &str, number: i32) {
        if let Some(index) = self.by_uln.get(uln) {
            self.entries[*index].achievements.remove(&number);
        }
    }

    /// Remembers that an organisation searched for somebody: a condition for registering them.
    pub fn remember_search(&mut self, organisation: &str, search: &Demographics<'_>) {
        let window = self.registration_window;
        self.searches.retain(|_, at| at.elapsed() <= window);
        self.searches.insert(search.key(organisation), Instant::now());
    }

    /// Registers a learner whom the organisation has searched for.
    ///
    /// # Errors
    /// [`Refused::NotRegistered`]
    pub fn register(&mut self, organisation: &str, details: &LearnerDetails) -> Result<Uln, Refused> {
        let (gender, date_of_birth) = (details.gender.to_lrs(), details.date_of_birth.text());
        let demographics = Demographics {
            given_name: details.given_name.as_str(),
            family_name: details.family_name.as_str(),
            date_of_birth: &date_of_birth,
            gender: &gender,
            post_code: details.last_known_post_code.as_str(),
        };
        let searched = self.searches.get(&demographics.key(organisation)).is_some_and(|at| at.elapsed() < self.registration_window);
        let taken = self.entries.iter().any(|entry| is_candidate(entry, &demographics) && is_exact(entry, &demographics));
        if !searched || taken {
            return Err(Refused::NotRegistered);
        }
        self.take_up(details).ok_or(Refused::NotRegistered)
    }

    /// Registers a learner of a batch, for which no search is needed; `None` if too little is known.
    pub fn register_from_batch(&mut self, learner: &BatchLearner) -> Option<Uln> {
        self.take_up(&details_of(learner)?)
    }

    /// Gives a learner the next free ULN.
    fn take_up(&mut self, details: &LearnerDetails) -> Option<Uln> {
        let uln = (self.next_prefix..=999_999_999).filter_map(Uln::from_prefix).find(|uln| !self.by_uln.contains_key(uln.as_str()))?;
        self.next_prefix = uln.as_str()[..9].parse::<u32>().ok()? + 1;
        let learner = record_of(uln.clone(), details, 1, None);
        self.enter(uln.as_str().to_owned(), learner, None);
        Some(uln)
    }

    fn enter(&mut self, uln: String, learner: Learner, master: Option<String>) {
        self.by_uln.insert(uln, self.entries.len());
        self.entries.push(Entry { learner, events: Vec::new(), achievements: BTreeMap::new(), master });
    }

    /// Replaces a learner's record, if `version` is the one it has.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn update(&mut self, uln: &Uln, version: i32, details: &LearnerDetails) -> Result<(), Refused> {
        let index = *self.by_uln.get(uln.as_str()).ok_or(Refused::UlnNotFound)?;
        let entry = &mut self.entries[index];
        if entry.master.is_some() {
            return Err(Refused::UlnNotFound);
        }
        let now = &entry.learner;
        if now.version_number != version {
            return Err(Refused::StaleVersion);
        }
        // Who has seen the privacy notice cannot have not seen it.
        let seen = now.ability_to_share.as_ref().is_some_and(|share| share.known() != Some(&AbilityToShare::NotSeen));
        if seen && details.ability_to_share == AbilityToShare::NotSeen {
            return Err(Refused::ShareChange);
        }
        let same = record_of(uln.clone(), details, version, Some(now));
        if same == *now {
            return Err(Refused::NoChanges);
        }
        entry.learner = Learner { version_number: version + 1, last_updated_date: Some(today()), ..same };
        Ok(())
    }

    /// The record with this ULN, and the one it was merged into, if it was.
    pub fn look_up(&self, uln: &str) -> Option<(&Entry, Option<&Entry>)> {
        let entry = &self.entries[*self.by_uln.get(uln)?];
        let master = entry.master.as_ref().and_then(|master| self.by_uln.get(master)).map(|index| &self.entries[*index]);
        Some((entry, master))
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
    pub fn find_by_uln(&self, uln: &str, given_name: &str, family_name: &str) -> SearchMatches {
        match self.by_uln.get(uln).map(|index| &self.entries[*index]) {
            Some(entry) if names_fit(&entry.learner, given_name, family_name) => self.answer(entry),
            _ => SearchMatches::Nobody,
        }
    }

    /// Learners with these names and date of birth; the one whose gender and postcode fit as well.
    pub fn find_by_demographics(&self, search: &Demographics<'_>) -> SearchMatches {
        let candidates: Vec<&Entry> = self.entries.iter().filter(|entry| is_candidate(entry, search)).collect();
        let mut exact = candidates.iter().filter(|entry| is_exact(entry, search));
        match (exact.next(), exact.next()) {
            (Some(one), None) => self.answer(one),
            _ if candidates.is_empty() => SearchMatches::Nobody,
            _ if candidates.len() > MOST_CANDIDATES => SearchMatches::TooMany,
            _ => {
                let mut learners: Vec<Learner> = Vec::new();
                for candidate in candidates {
                    let learner = self.master_of(candidate).unwrap_or(&candidate.learner);
                    if !learners.iter().any(|there| there.uln == learner.uln) {
                        learners.push(learner.clone());
                    }
                }
                SearchMatches::Possible(learners)
            }
        }
    }

    fn answer(&self, entry: &Entry) -> SearchMatches {
        match self.master_of(entry) {
            None => SearchMatches::Exact(Box::new(entry.learner.clone())),
            Some(master) => {
                SearchMatches::Master(Box::new(Learner { master_substituted: Some(Personal::new("Y".into())), ..master.clone() }))
            }
        }
    }

    fn master_of(&self, entry: &Entry) -> Option<&Learner> {
        let index = self.by_uln.get(entry.master.as_ref()?)?;
        Some(&self.entries[*index].learner)
    }
}

impl Demographics<'_> {
    /// What must be the same in a search and the registration after it.
    fn key(&self, organisation: &str) -> String {
        let Self { given_name, family_name, date_of_birth, gender, post_code } = self;
        let names = format!("{}\n{}", given_name.trim().to_lowercase(), family_name.trim().to_lowercase());
        format!("{organisation}\n{names}\n{date_of_birth}\n{gender}\n{}", bare_postcode(post_code))
    }
}

fn text(value: Option<&Personal<String>>) -> Option<&str> {
    value.map(|value| value.reveal().as_str())
}

/// The names and the date of birth fit.
fn is_candidate(Entry { learner, .. }: &Entry, search: &Demographics<'_>) -> bool {
    names_fit(learner, search.given_name, search.family_name)
        && learner.date_of_birth.as_ref().is_some_and(|date| date.to_lrs() == search.date_of_birth)
}

/// And so do gender and postcode.
fn is_exact(Entry { learner, .. }: &Entry, search: &Demographics<'_>) -> bool {
    learner.gender.as_ref().is_some_and(|gender| gender.to_lrs() == search.gender)
        && text(learner.last_known_post_code.as_ref()).is_some_and(|code| same_postcode(code, search.post_code))
}

/// Do both names fit the learner's, old and preferred ones included?
pub fn names_fit(learner: &Learner, given_name: &str, family_name: &str) -> bool {
    let fits = |value: &Option<Personal<String>>, wanted: &str| text(value.as_ref()).is_some_and(|name| same_name(name, wanted));
    (fits(&learner.given_name, given_name) || fits(&learner.preferred_given_name, given_name))
        && (fits(&learner.family_name, family_name) || fits(&learner.previous_family_name, family_name))
}

/// Are these the same, but for case and the space around them?
pub fn same_name(one: &str, other: &str) -> bool {
    one == other || one.trim().to_lowercase() == other.trim().to_lowercase()
}

fn same_postcode(one: &str, other: &str) -> bool {
    bare_postcode(one) == bare_postcode(other)
}

fn bare_postcode(code: &str) -> String {
    code.chars().filter(|c| *c != ' ').map(|c| c.to_ascii_uppercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::deserialize::from_json;

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
        assert!(matches!(register(&[r#""uln":"3000000126""#]).find_by_demographics(&ZOE), SearchMatches::Exact(_)));
    }

    #[test]
    fn the_preferred_name_finds_too() {
        let register = register(&[r#""uln":"3000000126","preferredGivenName":"Zo""#]);
        assert!(matches!(register.find_by_demographics(&Demographics { given_name: "ZO", ..ZOE }), SearchMatches::Exact(_)));
    }

    #[test]
    fn another_gender_or_postcode_is_a_possible_match() {
        let register = register(&[r#""uln":"3000000126""#]);
        for search in [Demographics { gender: "1", ..ZOE }, Demographics { post_code: "ZZ2 2AA", ..ZOE }] {
            assert!(matches!(register.find_by_demographics(&search), SearchMatches::Possible(learners) if learners.len() == 1));
        }
        assert_eq!(register.find_by_demographics(&Demographics { date_of_birth: "2004-02-28", ..ZOE }), SearchMatches::Nobody);
    }

    #[test]
    fn twins_in_every_particular_are_possible_matches() {
        let register = register(&[r#""uln":"3000000126""#, r#""uln":"3000000258""#]);
        assert!(matches!(register.find_by_demographics(&ZOE), SearchMatches::Possible(learners) if learners.len() == 2));
    }

    #[test]
    fn eleven_candidates_are_too_many() {
        let mut register = Register::default();
        let ulns = (300_000_000..).filter_map(Uln::from_prefix).take(11);
        for uln in ulns {
            assert_ne!(register.find_by_demographics(&Demographics { gender: "9", ..ZOE }), SearchMatches::TooMany);
            register.add(NewLearner { uln: uln.clone(), ..learner(r#""uln":"3000000126""#) }).expect("free");
        }
        assert_eq!(register.find_by_demographics(&Demographics { gender: "9", ..ZOE }), SearchMatches::TooMany);
    }

    #[test]
    fn a_merged_record_answers_with_its_master() {
        let register = register(&[r#""uln":"3000000126""#, r#""uln":"3000000258","mergedInto":"3000000126""#]);
        let SearchMatches::Master(master) = register.find_by_uln("3000000258", "zoë", "o'neill-siân") else { panic!("no master") };
        assert_eq!(master.uln.to_lrs(), "3000000126");
        assert_eq!(master.master_substituted, Some(Personal::new("Y".into())));
        assert_eq!(master.linked_ulns.len(), 1);
        assert!(matches!(register.find_by_uln("3000000126", "Zoë", "O'Neill-Siân"), SearchMatches::Exact(_)));
        assert_eq!(register.find_by_uln("3000000126", "Zoë", "Smith"), SearchMatches::Nobody);
    }
}
