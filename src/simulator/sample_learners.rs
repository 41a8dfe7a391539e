//! Sample learners, all invented: random names, and postcodes in an area that is not in use.

use crate::domain::{AbilityToShare, Date, Gender, Name, OptionalName, Postcode, SchoolName, Uln};
use crate::schema::Scalar as _;
use crate::simulator::learner_record::NewLearner;
use crate::simulator::learner_register::LearnerRegister;
use crate::simulator::sample_events::{awarding_organisation_event, college_event, school_event};

/// Default number of random learners.
pub const DEFAULT_RANDOM_LEARNERS: usize = 300;

/// Adds the documented learners and `random_learners` random ones to a register. With 0, it adds no learner at all.
pub fn add_sample_learners(register: &mut LearnerRegister, random_learners: usize) {
    if random_learners == 0 {
        return;
    }
    for learner in documented_learners() {
        let _ = register.add(&learner);
    }
    register.add_events("3000000126", [school_event(1), college_event(2), awarding_organisation_event(3)]);
    let mut random = RandomNumbers(RANDOM_SEED);
    let mut ulns = (710_000_001..).step_by(7).filter_map(Uln::from_prefix);
    for (index, uln) in (0..random_learners).zip(&mut ulns) {
        let _ = register.add(&random_learner(&mut random, index, uln.clone()));
        let event_id = i32::try_from(index).unwrap_or(0) * 3 + 100;
        let events = [school_event(event_id), college_event(event_id + 1), awarding_organisation_event(event_id + 2)];
        register.add_events(uln.as_str(), events.into_iter().take(random.below(4)));
    }
}

fn random_learner(random: &mut RandomNumbers, index: usize, uln: Uln) -> NewLearner {
    let (gender, given_names) =
        if index.is_multiple_of(2) { (Gender::Female, &GIVEN_NAMES_FEMALE) } else { (Gender::Male, &GIVEN_NAMES_MALE) };
    let date_of_birth = format!("{}-{:02}-{:02}", 1998 + random.below(13), 1 + random.below(12), 1 + random.below(28));
    let post_code = format!("ZZ{} {}{}{}", 1 + random.below(20), random.below(10), random.letter(), random.letter());
    let (given_name, family_name) = (random.choose(given_names), random.choose(&FAMILY_NAMES));
    let mut learner = learner(uln, [given_name, family_name], &date_of_birth, gender, &post_code);
    if random.below(3) == 0 {
        learner.school_at_age16 = SchoolName::parse(random.choose(&SCHOOLS)).ok();
    }
    if random.below(12) == 0 {
        learner.previous_family_name = OptionalName::parse(random.choose(&FAMILY_NAMES)).ok();
    }
    learner
}

/// Returns the learners that demonstrate each search outcome. `docs/SIMULATOR.md` lists them.
fn documented_learners() -> Vec<NewLearner> {
    let mut learners = Vec::new();
    let mut ulns = (700_000_001..).filter_map(Uln::from_prefix);
    let mut next_uln = || ulns.next().expect("there are millions of ULNs");

    // Exact match.
    let ana = Uln::parse("3000000126").expect("valid constant");
    learners.push(learner(ana, ["Ana", "O'Neill"], "2003-04-05", Gender::Female, "ZZ99 9ZZ"));
    // Exact match by the preferred given name. Has every optional value.
    let mut zoe = learner(next_uln(), ["Zoë Angharad", "O'Neill-Siân"], "2004-02-29", Gender::Female, "ZZ1 1AA");
    zoe.preferred_given_name = OptionalName::parse("Zoë").ok();
    zoe.title = OptionalName::parse("Ms").ok();
    zoe.previous_family_name = OptionalName::parse("Siân").ok();
    zoe.school_at_age16 = SchoolName::parse("Smith & Sons <\"North\">").ok();
    zoe.place_of_birth = OptionalName::parse("Abertawe ").ok();
    learners.push(zoe);
    // Very short names.
    learners.push(learner(next_uln(), ["Li", "Ng"], "2005-11-30", Gender::NotSpecified, "ZZ1 2BB"));
    // A merged record and its master.
    let master = next_uln();
    learners.push(learner(master.clone(), ["Rhiannon", "Ap Rhys"], "2002-08-17", Gender::Female, "ZZ3 3DD"));
    let mut merged = learner(next_uln(), ["Rhiannon", "Rees"], "2002-08-17", Gender::Female, "ZZ3 4EE");
    merged.merged_into = Some(master);
    learners.push(merged);
    // A learner who does not share the learning record.
    let mut megan = learner(next_uln(), ["Megan", "Ó Briain"], "2003-10-09", Gender::Female, "ZZ4 4EE");
    megan.ability_to_share = AbilityToShare::SeenNotShared;
    learners.push(megan);
    // Two learners with the same names and date of birth.
    learners.push(learner(next_uln(), ["Sam", "Taylor"], "2004-06-01", Gender::Male, "ZZ5 5FF"));
    learners.push(learner(next_uln(), ["Sam", "Taylor"], "2004-06-01", Gender::Female, "ZZ6 6GG"));
    // Twelve learners with the same names and date of birth: too many matches.
    for district in 1..=12 {
        learners.push(learner(next_uln(), ["Alex", "Smith"], "2003-01-01", Gender::NotKnown, &format!("ZZ{district} 7HH")));
    }
    learners
}

fn learner(uln: Uln, [given_name, family_name]: [&str; 2], date_of_birth: &str, gender: Gender, post_code: &str) -> NewLearner {
    const VALID: &str = "sample values are valid";
    NewLearner {
        uln,
        given_name: Name::parse(given_name).expect(VALID),
        family_name: Name::parse(family_name).expect(VALID),
        date_of_birth: Date::parse(date_of_birth).expect(VALID),
        gender,
        last_known_post_code: Postcode::parse(post_code).expect(VALID),
        title: None,
        preferred_given_name: None,
        previous_family_name: None,
        school_at_age16: None,
        place_of_birth: None,
        merged_into: None,
        ability_to_share: AbilityToShare::SeenShare,
    }
}

/// Seed of the random learners. It is fixed, so every register has the same learners.
const RANDOM_SEED: u64 = 2026;

/// A linear congruential generator.
struct RandomNumbers(u64);

impl RandomNumbers {
    /// Returns a number from 0 to `limit - 1`.
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % limit
    }

    fn choose<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.below(texts.len())]
    }

    /// Returns a letter that the last part of a postcode can have.
    fn letter(&mut self) -> &'static str {
        self.choose(&["A", "B", "D", "E", "F", "G", "H", "J", "L", "N", "P", "Q", "R", "S", "T", "U", "W", "X", "Y", "Z"])
    }
}

const GIVEN_NAMES_FEMALE: [&str; 20] = [
    "Amelia", "Siân", "Zoë", "Niamh", "Aoife", "Chloë", "Fatima", "Priya", "Grace", "Lowri", "Ffion", "Róisín", "Mei", "Anaïs", "Ruth",
    "Mary-Jane", "Oluwaseun", "Eilidh", "Isla", "Nia",
];
const GIVEN_NAMES_MALE: [&str; 20] = [
    "Oliver", "Rhys", "Seán", "Mohammed", "Dafydd", "Li", "Eoin", "José", "Aleksander", "Jean-Luc", "Owain", "Arjun", "Kwame", "Finn",
    "Björn", "Tomasz", "Ioan", "Ciarán", "N'Golo", "Harri",
];
const FAMILY_NAMES: [&str; 30] = [
    "O'Neill", "Jones-Parry", "Smith", "Ó Briain", "Evans", "D'Souza", "Nguyen", "Müller", "MacDonald", "Patel", "Llewellyn", "St. John",
    "O'Sullivan-Reyes", "Khan", "Adeyemi", "Fitzgerald", "Ap Rhys", "Kowalski", "Brontë", "Li", "García", "van der Berg", "Williams",
    "Taylor", "McCann", "Øster", "Hussain", "Price", "Bâ", "Wójcik",
];
const SCHOOLS: [&str; 6] = [
    "Northfield Academy",
    "Ysgol Bryn Hafod",
    "St Brigid's College",
    "Smith & Sons <\"North\"> School",
    "King Offa School",
    "Lagan Grammar",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sample_learners_are_the_same_in_every_register() {
        let ulns = || {
            let mut register = LearnerRegister::default();
            add_sample_learners(&mut register, DEFAULT_RANDOM_LEARNERS);
            register.learners().map(|learner| learner.uln.to_lrs().into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(ulns(), ulns());
        assert_eq!(ulns().len(), DEFAULT_RANDOM_LEARNERS + 20);
    }

    #[test]
    fn sample_learners_count_zero_leaves_the_register_empty() {
        let mut register = LearnerRegister::default();
        add_sample_learners(&mut register, 0);
        assert!(register.is_empty());
    }
}
