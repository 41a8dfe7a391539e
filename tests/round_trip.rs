//! Nothing is lost on the way: JSON → SOAP → simulator → SOAP → JSON gives back every character.

use std::cell::RefCell;

use lrs_gateway::domain::{
    AbilityToShare, AddressLine, Date, Gender, LearningEvent, Name, Nationality, Notes, OptionalName, OtherVerificationDescription,
    Personal, Postcode, SchoolName, Uln, VerificationType,
};
use lrs_gateway::schema::Scalar as _;
use lrs_gateway::simulator::NewLearner;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::support::{SimulatedLrs, TestGateway};

/// Any text of at most `most` characters that XML can carry: every script, every white space, every markup character.
fn text(most: usize) -> impl Strategy<Value = String> {
    let markup = prop::sample::select(vec![
        '<', '>', '&', '"', '\'', ']', '\r', '\n', '\t', ' ', '-', '\u{85}', '\u{2028}', '\u{FEFF}', '\u{FFFD}', '𝄞',
    ]);
    let any = prop_oneof![2 => markup, 2 => prop::char::range('a', 'z'), 3 => any::<char>()];
    prop::collection::vec(any, 0..=most).prop_map(|chars| chars.into_iter().collect::<String>())
}

fn parsed<T: lrs_gateway::schema::Scalar>(text: &str) -> bool {
    T::parse(text).is_ok()
}

#[test]
fn arbitrary_texts_come_back_byte_for_byte() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let lrs = SimulatedLrs::with_learners(&[]);
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let person = (
        text(35).prop_filter("a name", |text| parsed::<Name>(text)),
        text(35).prop_filter("a name", |text| parsed::<Name>(text)),
        text(35).prop_filter("a name or empty", |text| parsed::<OptionalName>(text)),
        text(254).prop_filter("a school", |text| parsed::<SchoolName>(text)),
        text(35).prop_filter("a place", |text| parsed::<OptionalName>(text)),
    );
    let ulns = RefCell::new((500_000_000..).filter_map(Uln::from_prefix));
    let config = Config { cases: 200, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&person, |(given, family, previous, school, place)| {
        let born = "2004-02-29";
        let search = json!({
            "givenName": given, "familyName": family, "dateOfBirth": born, "gender": "FEMALE", "lastKnownPostCode": "ZZ1 1AA",
            "previousFamilyName": previous, "schoolAtAge16": school, "placeOfBirth": place,
        });
        let missing = runtime.block_on(caller.post("/v1/learners/find-by-demographics", &search)).expect_success();
        // What was searched for comes back as it was, except that an empty text comes back as none.
        let mut expected = search.clone();
        for field in ["previousFamilyName", "schoolAtAge16", "placeOfBirth"] {
            if expected[field] == "" {
                expected.as_object_mut().expect("an object").remove(field);
            }
        }
        prop_assert_eq!(&missing["searched"], &expected);

        // And so does what the register holds.
        let learner = NewLearner {
            uln: ulns.borrow_mut().next().expect("there are millions"),
            given_name: Name::parse(&given).expect("valid"),
            family_name: Name::parse(&family).expect("valid"),
            date_of_birth: Date::parse(born).expect("valid"),
            gender: Gender::Female,
            last_known_post_code: Postcode::parse("ZZ1 1AA").expect("valid"),
            title: None,
            preferred_given_name: None,
            previous_family_name: OptionalName::parse(&previous).ok(),
            school_at_age16: SchoolName::parse(&school).ok(),
            place_of_birth: OptionalName::parse(&place).ok(),
            merged_into: None,
            ability_to_share: AbilityToShare::SeenShare,
        };
        let uln = learner.uln.as_str().to_owned();
        lrs.simulator.register().add(learner).expect("a new ULN");
        let by_uln = json!({"uln": uln, "givenName": given, "familyName": family});
        let found = runtime.block_on(caller.post("/v1/learners/find-by-uln", &by_uln)).expect_success();
        prop_assert_eq!(&found["searched"], &by_uln);
        let held = &found["learners"][0];
        for field in ["givenName", "familyName", "previousFamilyName", "schoolAtAge16", "placeOfBirth"] {
            prop_assert_eq!(held.get(field), expected.get(field), "{}", field);
        }
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}

/// A learner with every field, each of its texts arbitrary.
fn learner() -> impl Strategy<Value = Value> {
    let name = || text(35).prop_filter("a name", |text| parsed::<Name>(text));
    let names = prop::collection::vec(name(), 2);
    let optional = prop::collection::vec(text(35).prop_filter("a text", |text| parsed::<OptionalName>(text)), 6);
    let lines = prop::collection::vec(text(50).prop_filter("a line", |text| parsed::<AddressLine>(text)), 4);
    let long = (
        text(254).prop_filter("a school", |text| parsed::<SchoolName>(text)),
        text(255).prop_filter("a description", |text| parsed::<OtherVerificationDescription>(text) && !text.trim().is_empty()),
        text(400).prop_filter("notes", |text| parsed::<Notes>(text)),
        text(3).prop_filter("a nationality", |text| parsed::<Nationality>(text)),
    );
    let codes = (prop::sample::select(Gender::ALL), prop::sample::select(VerificationType::ALL), prop::sample::select(AbilityToShare::ALL));
    (names, optional, lines, long, codes, 1800..=2099_i32).prop_map(|(names, optional, lines, long, codes, year)| {
        let (school, description, notes, nationality) = long;
        let (gender, verification, share) = codes;
        json!({
            "givenName": names[0], "familyName": names[1], "title": optional[0], "middleOtherName": optional[1],
            "preferredGivenName": optional[2], "previousFamilyName": optional[3], "familyNameAtAge16": optional[4], "placeOfBirth": optional[5],
            "lastKnownAddressLine1": lines[0], "lastKnownAddressLine2": lines[1], "lastKnownAddressTown": lines[2],
            "lastKnownAddressCountyOrCity": lines[3], "schoolAtAge16": school, "otherVerificationDescription": description, "notes": notes,
            "nationality": nationality, "gender": gender.text(), "verificationType": verification.text(), "abilityToShare": share.text(),
            "dateOfBirth": format!("{year}-02-28"), "dateOfAddressCapture": "2024-02-29", "lastKnownPostCode": "ZZ1 1AA",
            "emailAddress": "a.b@mail.example.com", "scottishCandidateNumber": "012345678",
        })
    })
}

/// Texts of a learning event, and the arbitrary texts of a learner that they are taken from.
const EVENT_TEXTS: [(&str, &str); 16] = [
    ("achievementProviderName", "schoolAtAge16"),
    ("achievementProviderUkprn", "title"),
    ("awardingOrganisationName", "notes"),
    ("awardingOrganisationUkprn", "middleOtherName"),
    ("collectionType", "nationality"),
    ("grade", "givenName"),
    ("languageForAssessment", "preferredGivenName"),
    ("level", "previousFamilyName"),
    ("qualificationType", "otherVerificationDescription"),
    ("restriction", "familyNameAtAge16"),
    ("returnNumber", "placeOfBirth"),
    ("source", "lastKnownAddressLine1"),
    ("status", "lastKnownAddressLine2"),
    ("subject", "familyName"),
    ("subjectCode", "lastKnownAddressTown"),
    ("underDataChallenge", "lastKnownAddressCountyOrCity"),
];

/// A learning event with the texts of a learner.
fn event(learner: &Value) -> LearningEvent {
    let text = |field| {
        let source = EVENT_TEXTS.iter().find(|(name, _)| *name == field).expect("a text of an event").1;
        Some(Personal::new(learner[source].as_str().expect("a text").to_owned()))
    };
    LearningEvent {
        achievement_award_date: None,
        achievement_provider_name: text("achievementProviderName"),
        achievement_provider_ukprn: text("achievementProviderUkprn"),
        awarding_organisation_name: text("awardingOrganisationName"),
        awarding_organisation_ukprn: text("awardingOrganisationUkprn"),
        collection_type: text("collectionType"),
        credits: None,
        date_loaded: None,
        grade: text("grade"),
        id: None,
        language_for_assessment: text("languageForAssessment"),
        level: text("level"),
        participation_end_date: None,
        participation_start_date: None,
        qualification_type: text("qualificationType"),
        restriction: text("restriction"),
        return_number: text("returnNumber"),
        source: text("source"),
        status: text("status"),
        subject: text("subject"),
        subject_code: text("subjectCode"),
        under_data_challenge: text("underDataChallenge"),
    }
}

#[test]
fn a_registered_and_updated_learner_comes_back_byte_for_byte() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let lrs = SimulatedLrs::with_learners(&[]);
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let post = |path: &str, body: Value| runtime.block_on(caller.post(path, &body));
    let config = Config { cases: 30, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&(learner(), learner()), |(first, mut second)| {
        let obtained = post("/v1/learners/obtain-uln", json!({"learner": first}));
        prop_assert_eq!(obtained.status, 201, "{}", obtained.text);
        let uln = obtained.json()["uln"].clone();
        second["abilityToShare"] = json!("SEEN_SHARE"); // the only change of it that LRS always allows
        for (version, learner) in [(1, &first), (2, &second)] {
            if version == 2 {
                post("/v1/learners/update", json!({"uln": uln, "versionNumber": 1, "learner": second})).expect_success();
            }
            let names = json!({"uln": uln, "givenName": learner["givenName"], "familyName": learner["familyName"]});
            let found = post("/v1/learners/find-by-uln", names.clone()).expect_success();
            let record = &found["learners"][0];
            for (field, value) in learner.as_object().expect("an object") {
                let expected = Some(value).filter(|value| **value != "");
                prop_assert_eq!(record.get(field), expected, "{}", field);
            }
            prop_assert_eq!(&record["versionNumber"], version);
            let mut asked = names;
            asked["dateOfBirth"] = learner["dateOfBirth"].clone();
            asked["gender"] = learner["gender"].clone();
            let verified = post("/v1/learners/verify", asked.clone()).expect_success();
            prop_assert_eq!(&verified["outcome"], "MATCH");
            for (field, echo) in [
                ("uln", "searchedUln"),
                ("givenName", "searchedGivenName"),
                ("familyName", "searchedFamilyName"),
                ("dateOfBirth", "searchedDateOfBirth"),
                ("gender", "searchedGender"),
            ] {
                prop_assert_eq!(&verified[echo], &asked[field], "{}", echo);
            }
            lrs.simulator.register().add_events(uln.as_str().expect("a text"), [event(learner)]);
            let events = post("/v1/learning-events/search", asked).expect_success();
            prop_assert_eq!(&events["incomingUln"], &uln);
            if learner["abilityToShare"] == "SEEN_NOT_SHARED" {
                prop_assert_eq!(&events["events"], &json!([]));
            } else {
                let read = events["events"].as_array().and_then(|events| events.last());
                prop_assert!(read.is_some(), "{}", events);
                for (field, source) in EVENT_TEXTS {
                    let sent = Some(&learner[source]).filter(|value| **value != "");
                    prop_assert_eq!(read.and_then(|read| read.get(field)), sent, "{}", field);
                }
            }
            let rows = post("/v1/learners/retrieve-ulns", json!({"ulns": [uln]})).expect_success();
            for field in ["givenName", "familyName", "dateOfBirth", "gender"] {
                prop_assert_eq!(&rows["learners"][0][field], &learner[field], "{}", field);
            }
        }
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}

#[tokio::test]
async fn the_names_that_break_hand_written_soap_do_not_break() {
    let lrs = SimulatedLrs::with_learners(&[
        json!({"uln": "3000000126", "givenName": "Li", "familyName": "Zoë O'Neill-Siân", "dateOfBirth": "2004-02-29", "gender": "FEMALE",
               "lastKnownPostCode": "ZZ1 1AA", "schoolAtAge16": "Smith & Sons <\"North\">"}),
    ]);
    let search = json!({"uln": "3000000126", "givenName": "Li", "familyName": "Zoë O'Neill-Siân"});
    let found = TestGateway::to(&lrs.url()).caller().post("/v1/learners/find-by-uln", &search).await.expect_success();
    assert_eq!(found["learners"][0]["schoolAtAge16"], "Smith & Sons <\"North\">");
    assert_eq!(found["learners"][0]["familyName"], "Zoë O'Neill-Siân");
}
