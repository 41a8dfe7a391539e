//! Invented learners. Nobody here exists: names are drawn at random, all postcodes are in an area that is not in use.

use crate::domain::{AbilityToShare, Date, Extensible, Gender, LearningEvent, Name, OptionalName, Personal, Postcode, SchoolName, Uln};
use crate::schema::Scalar as _;
use crate::simulator::learner_register::{NewLearner, Register};

/// How many learners the register begins with, if nobody says otherwise.
pub const DEFAULT_COUNT: usize = 300;

const WOMEN: [&str; 20] = [
    "Amelia",
    "Siân",
    "Zoë",
    "Niamh",
    "Aoife",
    "Chloë",
    "Fatima",
    "Priya",
    "Grace",
    "Lowri",
    "Ffion",
    "Róisín",
    "Mei",
    "Anaïs",
    "Ruth",
    "Mary-Jane",
    "Oluwaseun",
    "Eilidh",
    "Isla",
    "Nia",
];
const MEN: [&str; 20] = [
    "Oliver",
    "Rhys",
    "Seán",
    "Mohammed",
    "Dafydd",
    "Li",
    "Eoin",
    "José",
    "Aleksander",
    "Jean-Luc",
    "Owain",
    "Arjun",
    "Kwame",
    "Finn",
    "Björn",
    "Tomasz",
    "Ioan",
    "Ciarán",
    "N'Golo",
    "Harri",
];
const FAMILIES: [&str; 30] = [
    "O'Neill",
    "Jones-Parry",
    "Smith",
    "Ó Briain",
    "Evans",
    "D'Souza",
    "Nguyen",
    "Müller",
    "MacDonald",
    "Patel",
    "Llewellyn",
    "St. John",
    "O'Sullivan-Reyes",
    "Khan",
    "Adeyemi",
    "Fitzgerald",
    "Ap Rhys",
    "Kowalski",
    "Brontë",
    "Li",
    "García",
    "van der Berg",
    "Williams",
    "Taylor",
    "McCann",
    "Øster",
    "Hussain",
    "Price",
    "Bâ",
    "Wójcik",
];
const SCHOOLS: [&str; 6] = [
    "Northfield Academy",
    "Ysgol Bryn Hafod",
    "St Brigid's College",
    "Smith & Sons <\"North\"> School",
    "King Offa School",
    "Lagan Grammar",
];

/// Deterministic: the same learners every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % sides
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }
}

/// Fills the register: first the learners that documentation and tests know by name, then `count` others.
pub fn settle(register: &mut Register, count: usize) {
    if count == 0 {
        return;
    }
    for learner in known() {
        let _ = register.add(learner);
    }
    register.add_events("3000000126", [school_event(1), college_event(2), award(3)]);
    let mut dice = Dice(2026);
    let mut ulns = (710_000_001..).step_by(7).filter_map(Uln::from_prefix);
    for (number, uln) in (0..count).zip(&mut ulns) {
        let (gender, names) = if number % 2 == 0 { (Gender::Female, &WOMEN) } else { (Gender::Male, &MEN) };
        let date = format!("{}-{:02}-{:02}", 1998 + dice.roll(13), 1 + dice.roll(12), 1 + dice.roll(28));
        let postcode = format!("ZZ{} {}{}{}", 1 + dice.roll(20), dice.roll(10), letter(&mut dice), letter(&mut dice));
        let mut new = person(uln, dice.pick(names), dice.pick(&FAMILIES), &date, gender, &postcode);
        if dice.roll(3) == 0 {
            new.school_at_age16 = SchoolName::parse(dice.pick(&SCHOOLS)).ok();
        }
        if dice.roll(12) == 0 {
            new.previous_family_name = OptionalName::parse(dice.pick(&FAMILIES)).ok();
        }
        let uln = new.uln.as_str().to_owned();
        let _ = register.add(new);
        let number = i32::try_from(number).unwrap_or(0) * 3 + 100;
        let events = [school_event(number), college_event(number + 1), award(number + 2)];
        register.add_events(&uln, events.into_iter().take(dice.roll(4)));
    }
}

/// What is the same in every invented event: nothing but its number and source.
pub fn event(id: i32, source: &str) -> LearningEvent {
    LearningEvent {
        achievement_award_date: None,
        achievement_provider_name: None,
        achievement_provider_ukprn: None,
        awarding_organisation_name: None,
        awarding_organisation_ukprn: None,
        collection_type: None,
        credits: Some(Personal::new(0)),
        date_loaded: Some(Extensible::from_lrs("2024-07-02 03:15:00")),
        grade: None,
        id: Some(id),
        language_for_assessment: None,
        level: None,
        participation_end_date: None,
        participation_start_date: None,
        qualification_type: None,
        restriction: None,
        return_number: None,
        source: Some(Personal::new(source.to_owned())),
        status: Some(Personal::new("F".to_owned())),
        subject: None,
        subject_code: None,
        under_data_challenge: Some(Personal::new("N".to_owned())),
    }
}

/// A GCSE, from the National Pupil Database.
fn school_event(id: i32) -> LearningEvent {
    let text = |text: &str| Some(Personal::new(text.to_owned()));
    LearningEvent {
        achievement_award_date: Some(Extensible::from_lrs("2021-08-12")),
        achievement_provider_name: text("Northfield Academy"),
        collection_type: text("A"),
        grade: text("7"),
        qualification_type: text("GCSE"),
        restriction: text("0"),
        return_number: text("01"),
        subject: text("Example Mathematics"),
        subject_code: text("601/0000/1"),
        ..event(id, "NPD")
    }
}

/// A course at a college, from the ILR: under way, so without a grade.
fn college_event(id: i32) -> LearningEvent {
    let text = |text: &str| Some(Personal::new(text.to_owned()));
    LearningEvent {
        achievement_provider_name: text("Example College"),
        achievement_provider_ukprn: text("10088881"),
        collection_type: text("W"),
        grade: text("9999999999"),
        participation_end_date: Some(Extensible::from_lrs("2058-07-31")),
        participation_start_date: Some(Extensible::from_lrs("2022-09-05")),
        return_number: text("02"),
        subject: text("Diploma in Example Engineering"),
        subject_code: text("603/0000/X"),
        ..event(id, "ILR")
    }
}

/// A certificate, from an awarding organisation.
fn award(id: i32) -> LearningEvent {
    let text = |text: &str| Some(Personal::new(text.to_owned()));
    LearningEvent {
        achievement_award_date: Some(Extensible::from_lrs("2023-06-30")),
        awarding_organisation_name: text("Example Awards"),
        awarding_organisation_ukprn: text("100999"),
        grade: text("Pass"),
        language_for_assessment: text("English"),
        level: text("Level 2"),
        qualification_type: text("Vocationally-Related Qualification"),
        subject: text("Level 2 Certificate in Example Studies"),
        subject_code: text("600/0000/X"),
        ..event(id, "AO")
    }
}

fn letter(dice: &mut Dice) -> &'static str {
    dice.pick(&["A", "B", "D", "E", "F", "G", "H", "J", "L", "N", "P", "Q", "R", "S", "T", "U", "W", "X", "Y", "Z"])
}

/// Learners to demonstrate every outcome with (`docs/SIMULATOR.md` lists them).
fn known() -> Vec<NewLearner> {
    let mut people = Vec::new();
    let mut ulns = (700_000_001..).filter_map(Uln::from_prefix);
    let mut next = || ulns.next().expect("there are millions");

    // An exact match.
    let ana = Uln::parse("3000000126").expect("a constant");
    people.push(person(ana, "Ana", "O'Neill", "2003-04-05", Gender::Female, "ZZ99 9ZZ"));
    // Found by the name she prefers; every optional particular.
    let mut zoe = person(next(), "Zoë Angharad", "O'Neill-Siân", "2004-02-29", Gender::Female, "ZZ1 1AA");
    zoe.preferred_given_name = OptionalName::parse("Zoë").ok();
    zoe.title = OptionalName::parse("Ms").ok();
    zoe.previous_family_name = OptionalName::parse("Siân").ok();
    zoe.school_at_age16 = SchoolName::parse("Smith & Sons <\"North\">").ok();
    zoe.place_of_birth = OptionalName::parse("Abertawe ").ok();
    people.push(zoe);
    // The shortest of names.
    people.push(person(next(), "Li", "Ng", "2005-11-30", Gender::NotSpecified, "ZZ1 2BB"));
    // A record that was merged into another.
    let master = next();
    people.push(person(master.clone(), "Rhiannon", "Ap Rhys", "2002-08-17", Gender::Female, "ZZ3 3DD"));
    let mut merged = person(next(), "Rhiannon", "Rees", "2002-08-17", Gender::Female, "ZZ3 4EE");
    merged.merged_into = Some(master);
    people.push(merged);
    // One who does not share the learning record.
    let mut megan = person(next(), "Megan", "Ó Briain", "2003-10-09", Gender::Female, "ZZ4 4EE");
    megan.ability_to_share = AbilityToShare::SeenNotShared;
    people.push(megan);
    // Two people with the same names and date of birth.
    people.push(person(next(), "Sam", "Taylor", "2004-06-01", Gender::Male, "ZZ5 5FF"));
    people.push(person(next(), "Sam", "Taylor", "2004-06-01", Gender::Female, "ZZ6 6GG"));
    // Twelve of them: too many.
    for house in 1..=12 {
        people.push(person(next(), "Alex", "Smith", "2003-01-01", Gender::NotKnown, &format!("ZZ{house} 7HH")));
    }
    people
}

fn person(uln: Uln, given: &str, family: &str, born: &str, gender: Gender, postcode: &str) -> NewLearner {
    NewLearner {
        uln,
        given_name: Name::parse(given).expect("invented with care"),
        family_name: Name::parse(family).expect("invented with care"),
        date_of_birth: Date::parse(born).expect("invented with care"),
        gender,
        last_known_post_code: Postcode::parse(postcode).expect("invented with care"),
        title: None,
        preferred_given_name: None,
        previous_family_name: None,
        school_at_age16: None,
        place_of_birth: None,
        merged_into: None,
        ability_to_share: AbilityToShare::SeenShare,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_register_is_the_same_every_time() {
        let ulns = || {
            let mut register = Register::default();
            settle(&mut register, DEFAULT_COUNT);
            register.learners().map(|learner| learner.uln.to_lrs().into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(ulns(), ulns());
        assert_eq!(ulns().len(), DEFAULT_COUNT + 20);
    }

    #[test]
    fn a_register_can_begin_empty() {
        let mut register = Register::default();
        settle(&mut register, 0);
        assert!(register.is_empty());
    }
}
