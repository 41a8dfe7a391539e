//! The register of learners: search, registration and update (LRS-CONTRACT 2.4 to 2.7).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::domain::{AbilityToShare, BatchLearner, Extensible, FromLrs as _, Learner, LearnerDetails, LearningEvent, Personal, Uln};
use crate::schema::Scalar as _;
use crate::simulator::learner_record::{
    NewLearner, RegisterEntry, details_from_batch_learner, record_from_details, record_from_new_learner,
};
use crate::simulator::learner_search::{Demographics, SearchMatches, names_match};
use crate::simulator::timestamps::current_date;

/// Maximum number of possible matches that LRS returns.
const MAX_POSSIBLE_MATCHES: usize = 10;

/// Default time between a search and the registration that it permits. LRS's own limit is not public.
pub const DEFAULT_REGISTRATION_WINDOW: Duration = Duration::from_secs(300);

/// The first nine digits of the first ULN that the register assigns. The tenth digit is the check digit.
const FIRST_ASSIGNED_PREFIX: u32 = 910_000_001;

/// The register.
#[derive(Debug)]
pub struct LearnerRegister {
    entries: Vec<RegisterEntry>,
    /// Indexes into `entries`.
    by_uln: HashMap<String, usize>,
    /// Recent searches, by [`Demographics::registration_key`].
    searches: HashMap<String, RecordedSearch>,
    registration_window: Duration,
    possible_match_wait: Duration,
    next_prefix: u32,
}

/// A recent search for a learner.
#[derive(Debug, Clone, Copy)]
struct RecordedSearch {
    /// The time of the last search.
    last_at: Instant,
    /// The time of the first search that found possible matches.
    possible_matches_at: Option<Instant>,
}

/// The reason why LRS does not register or update a learner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegisterError {
    /// The learner exists already, the organisation has not searched for the learner recently, or the wait after possible matches is not over.
    NotRegistered,
    /// No record has the ULN, or the record was merged into another.
    UlnNotFound,
    /// The version number is not the current one.
    StaleVersion,
    /// The ability to share cannot return to "not seen".
    AbilityToShareNotReversible,
    /// The update does not change anything.
    NoChanges,
}

/// The error of adding a learner whose ULN belongs to another learner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UlnTaken;

impl Default for LearnerRegister {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            by_uln: HashMap::new(),
            searches: HashMap::new(),
            registration_window: DEFAULT_REGISTRATION_WINDOW,
            possible_match_wait: Duration::ZERO,
            next_prefix: FIRST_ASSIGNED_PREFIX,
        }
    }
}

impl LearnerRegister {
    /// Adds a learner.
    ///
    /// # Errors
    /// Returns [`UlnTaken`] if the register has a record with the ULN.
    pub fn add(&mut self, new: &NewLearner) -> Result<(), UlnTaken> {
        let uln = new.uln.as_str().to_owned();
        if self.by_uln.contains_key(&uln) {
            return Err(UlnTaken);
        }
        let master_uln = new.merged_into.as_ref().map(|master| master.as_str().to_owned());
        if let Some(index) = master_uln.as_ref().and_then(|master| self.by_uln.get(master)) {
            self.entries[*index].learner.linked_ulns.push(Extensible::Known(new.uln.clone()));
        }
        self.insert(uln, record_from_new_learner(new), master_uln);
        Ok(())
    }

    /// Sets the time between a search and the registration that it permits.
    pub const fn set_registration_window(&mut self, window: Duration) {
        self.registration_window = window;
    }

    /// Sets the time that must pass after a search with possible matches before the learner can be registered.
    pub const fn set_possible_match_wait(&mut self, wait: Duration) {
        self.possible_match_wait = wait;
    }

    /// Adds learning events to a learner.
    pub fn add_events(&mut self, uln: &str, events: impl IntoIterator<Item = LearningEvent>) {
        if let Some(index) = self.by_uln.get(uln) {
            self.entries[*index].events.extend(events);
        }
    }

    /// Adds the event of an achievement to a learner, or replaces the one with the same number.
    pub fn put_achievement(&mut self, uln: &str, event_id: i32, event: LearningEvent) {
        if let Some(index) = self.by_uln.get(uln) {
            self.entries[*index].achievements.insert(event_id, event);
        }
    }

    /// Removes the event of an achievement from a learner.
    pub fn remove_achievement(&mut self, uln: &str, event_id: i32) {
        if let Some(index) = self.by_uln.get(uln) {
            self.entries[*index].achievements.remove(&event_id);
        }
    }

    /// Records a search of an organisation and its result. It permits the organisation to register the learner.
    pub fn record_search(&mut self, organisation: &str, search: &Demographics<'_>, matches: &SearchMatches) {
        let (window, now) = (self.registration_window, Instant::now());
        self.searches.retain(|_, search| search.last_at.elapsed() <= window);
        let recorded = self
            .searches
            .entry(search.registration_key(organisation))
            .or_insert(RecordedSearch { last_at: now, possible_matches_at: None });
        recorded.last_at = now;
        if matches!(matches, SearchMatches::PossibleMatches(_)) {
            recorded.possible_matches_at.get_or_insert(now);
        }
    }

    /// Registers a learner.
    ///
    /// # Errors
    /// Returns [`RegisterError::NotRegistered`] if the learner exists, if the organisation has not searched for the learner recently, or if
    /// the wait after possible matches is not over.
    pub fn register(&mut self, organisation: &str, details: &LearnerDetails) -> Result<Uln, RegisterError> {
        let (gender, date_of_birth) = (details.gender.to_lrs(), details.date_of_birth.text());
        let demographics = Demographics {
            given_name: details.given_name.as_str(),
            family_name: details.family_name.as_str(),
            date_of_birth: &date_of_birth,
            gender: &gender,
            post_code: details.last_known_post_code.as_str(),
        };
        let last_search = self.searches.get(&demographics.registration_key(organisation));
        let is_searched = last_search.is_some_and(|search| {
            search.last_at.elapsed() < self.registration_window
                && search.possible_matches_at.is_none_or(|found_at| found_at.elapsed() >= self.possible_match_wait)
        });
        if !is_searched || self.learners().any(|learner| demographics.is_exact_match(learner)) {
            return Err(RegisterError::NotRegistered);
        }
        self.insert_with_next_uln(details).ok_or(RegisterError::NotRegistered)
    }

    /// Registers a learner of a batch, which requires no search. `None`: a required value is missing.
    pub fn register_from_batch(&mut self, learner: &BatchLearner) -> Option<Uln> {
        self.insert_with_next_uln(&details_from_batch_learner(learner)?)
    }

    fn insert_with_next_uln(&mut self, details: &LearnerDetails) -> Option<Uln> {
        let uln = (self.next_prefix..=999_999_999).filter_map(Uln::from_prefix).find(|uln| !self.by_uln.contains_key(uln.as_str()))?;
        self.next_prefix = uln.as_str()[..9].parse::<u32>().ok()? + 1;
        let learner = record_from_details(&uln, details, 1, None);
        self.insert(uln.as_str().to_owned(), learner, None);
        Some(uln)
    }

    fn insert(&mut self, uln: String, learner: Learner, master_uln: Option<String>) {
        self.by_uln.insert(uln, self.entries.len());
        self.entries.push(RegisterEntry::new(learner, master_uln));
    }

    /// Replaces the details of a learner.
    ///
    /// # Errors
    /// Returns a [`RegisterError`] if the record is unknown or merged, if `version_number` is not the current one, if the ability to share
    /// would return to "not seen", or if the details are the current ones.
    pub fn update(&mut self, uln: &Uln, version_number: i32, details: &LearnerDetails) -> Result<(), RegisterError> {
        let index = *self.by_uln.get(uln.as_str()).ok_or(RegisterError::UlnNotFound)?;
        let entry = &mut self.entries[index];
        if entry.master_uln.is_some() {
            return Err(RegisterError::UlnNotFound);
        }
        let current = &entry.learner;
        if current.version_number != Some(version_number) {
            return Err(RegisterError::StaleVersion);
        }
        // A learner who has seen the privacy notice cannot become one who has not.
        let has_seen_notice = current.ability_to_share.as_ref().is_some_and(|share| share.known() != Some(&AbilityToShare::NotSeen));
        if has_seen_notice && details.ability_to_share == AbilityToShare::NotSeen {
            return Err(RegisterError::AbilityToShareNotReversible);
        }
        let updated = record_from_details(uln, details, version_number, Some(current));
        if updated == *current {
            return Err(RegisterError::NoChanges);
        }
        entry.learner = Learner { version_number: Some(version_number + 1), last_updated_date: Some(current_date()), ..updated };
        Ok(())
    }

    /// Returns the record with this ULN, and its master record if it was merged into another.
    pub fn look_up(&self, uln: &str) -> Option<(&RegisterEntry, Option<&RegisterEntry>)> {
        let entry = &self.entries[*self.by_uln.get(uln)?];
        Some((entry, self.master_of(entry)))
    }

    /// Returns the number of records, including merged ones.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns `true` if the register has no record.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the learners of all records.
    pub fn learners(&self) -> impl Iterator<Item = &Learner> {
        self.entries.iter().map(|entry| &entry.learner)
    }

    /// Finds the learner with this ULN, if both names match.
    pub fn find_by_uln(&self, uln: &str, given_name: &str, family_name: &str) -> SearchMatches {
        match self.by_uln.get(uln).map(|index| &self.entries[*index]) {
            Some(entry) if names_match(&entry.learner, given_name, family_name) => self.single_match(entry),
            _ => SearchMatches::NoMatch,
        }
    }

    /// Finds learners by names and date of birth. The match is exact if gender and postcode match one learner, too.
    pub fn find_by_demographics(&self, search: &Demographics<'_>) -> SearchMatches {
        let candidates: Vec<&RegisterEntry> = self.entries.iter().filter(|entry| search.is_possible_match(&entry.learner)).collect();
        let mut exact = candidates.iter().filter(|entry| search.is_exact_match(&entry.learner));
        match (exact.next(), exact.next()) {
            (Some(entry), None) => self.single_match(entry),
            _ if candidates.is_empty() => SearchMatches::NoMatch,
            _ if candidates.len() > MAX_POSSIBLE_MATCHES => SearchMatches::TooManyMatches,
            _ => SearchMatches::PossibleMatches(self.without_merged(candidates)),
        }
    }

    /// Replaces merged records by their master records, without duplicates.
    fn without_merged(&self, candidates: Vec<&RegisterEntry>) -> Vec<Learner> {
        let mut learners: Vec<Learner> = Vec::new();
        for candidate in candidates {
            let learner = &self.master_of(candidate).unwrap_or(candidate).learner;
            if !learners.iter().any(|other| other.uln == learner.uln) {
                learners.push(learner.clone());
            }
        }
        learners
    }

    fn single_match(&self, entry: &RegisterEntry) -> SearchMatches {
        match self.master_of(entry) {
            None => SearchMatches::ExactMatch(Box::new(entry.learner.clone())),
            Some(master) => SearchMatches::LinkedLearner(Box::new(Learner {
                master_substituted: Some(Personal::new("Y".into())),
                ..master.learner.clone()
            })),
        }
    }

    fn master_of(&self, entry: &RegisterEntry) -> Option<&RegisterEntry> {
        let index = self.by_uln.get(entry.master_uln.as_ref()?)?;
        Some(&self.entries[*index])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::deserialize::from_json;

    fn learner(json: &str) -> NewLearner {
        let defaults =
            r#""givenName":"Zoë","familyName":"O'Neill-Siân","dateOfBirth":"2004-02-29","gender":"FEMALE","lastKnownPostCode":"ZZ1 1AA""#;
        from_json(format!("{{{defaults}{}{json}}}", if json.is_empty() { "" } else { "," }).as_bytes()).expect("valid learner")
    }

    fn register(learners: &[&str]) -> LearnerRegister {
        let mut register = LearnerRegister::default();
        for json in learners {
            register.add(&learner(json)).expect("unused ULN");
        }
        register
    }

    const ZOE: Demographics<'_> =
        Demographics { given_name: "Zoë", family_name: "O'Neill-Siân", date_of_birth: "2004-02-29", gender: "2", post_code: "zz11aa" };

    #[test]
    fn search_post_code_without_space_is_an_exact_match() {
        assert!(matches!(register(&[r#""uln":"3000000126""#]).find_by_demographics(&ZOE), SearchMatches::ExactMatch(_)));
    }

    #[test]
    fn search_preferred_given_name_is_an_exact_match() {
        let register = register(&[r#""uln":"3000000126","preferredGivenName":"Zo""#]);
        assert!(matches!(register.find_by_demographics(&Demographics { given_name: "ZO", ..ZOE }), SearchMatches::ExactMatch(_)));
    }

    #[test]
    fn search_other_gender_or_post_code_is_a_possible_match() {
        let register = register(&[r#""uln":"3000000126""#]);
        for search in [Demographics { gender: "1", ..ZOE }, Demographics { post_code: "ZZ2 2AA", ..ZOE }] {
            assert!(matches!(register.find_by_demographics(&search), SearchMatches::PossibleMatches(learners) if learners.len() == 1));
        }
        assert_eq!(register.find_by_demographics(&Demographics { date_of_birth: "2004-02-28", ..ZOE }), SearchMatches::NoMatch);
    }

    #[test]
    fn search_two_identical_learners_are_possible_matches() {
        let register = register(&[r#""uln":"3000000126""#, r#""uln":"3000000258""#]);
        assert!(matches!(register.find_by_demographics(&ZOE), SearchMatches::PossibleMatches(learners) if learners.len() == 2));
    }

    #[test]
    fn search_eleven_candidates_are_too_many_matches() {
        let mut register = LearnerRegister::default();
        let ulns = (300_000_000..).filter_map(Uln::from_prefix).take(11);
        for uln in ulns {
            assert_ne!(register.find_by_demographics(&Demographics { gender: "9", ..ZOE }), SearchMatches::TooManyMatches);
            register.add(&NewLearner { uln: uln.clone(), ..learner(r#""uln":"3000000126""#) }).expect("unused ULN");
        }
        assert_eq!(register.find_by_demographics(&Demographics { gender: "9", ..ZOE }), SearchMatches::TooManyMatches);
    }

    #[test]
    fn search_merged_record_returns_its_master() {
        let register = register(&[r#""uln":"3000000126""#, r#""uln":"3000000258","mergedInto":"3000000126""#]);
        let SearchMatches::LinkedLearner(master) = register.find_by_uln("3000000258", "zoë", "o'neill-siân") else { panic!("no master") };
        assert_eq!(master.uln.to_lrs(), "3000000126");
        assert_eq!(master.master_substituted, Some(Personal::new("Y".into())));
        assert_eq!(master.linked_ulns.len(), 1);
        assert!(matches!(register.find_by_uln("3000000126", "Zoë", "O'Neill-Siân"), SearchMatches::ExactMatch(_)));
        assert_eq!(register.find_by_uln("3000000126", "Zoë", "Smith"), SearchMatches::NoMatch);
    }
}
