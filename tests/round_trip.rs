//! Texts survive the round trip: JSON → SOAP → simulator → SOAP → JSON returns every character unchanged.
//!
//! Each property test uses one gateway and one simulator for all its cases.

use std::cell::RefCell;

use lrs_gateway::domain::{
    AbilityToShare, AddressLine, Date, Gender, LearningEvent, Name, Nationality, Notes, OptionalName, OtherVerificationDescription,
    Personal, Postcode, SchoolName, Uln, VerificationType,
};
use lrs_gateway::schema::{CodeList as _, Scalar};
use lrs_gateway::simulator::NewLearner;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use unicode_normalization::UnicodeNormalization as _;

use crate::support::caller::Answer;
use crate::support::fields::assert_has_every_field;
use crate::support::{Caller, SimulatedLrs, TestGateway};

const DATE_OF_BIRTH: &str = "2004-02-29";
const POSTCODE: &str = "ZZ1 1AA";

/// A client of the gateway that blocks, because property tests are not asynchronous.
struct BlockingCaller {
    caller: Caller,
    runtime: Runtime,
}

impl BlockingCaller {
    fn new(gateway: &TestGateway) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { caller: gateway.caller(), runtime }
    }

    fn post(&self, path: &str, body: &Value) -> Answer {
        self.runtime.block_on(self.caller.post(path, body))
    }
}

/// Runs a property test with this number of random cases.
fn run_cases<S: Strategy>(cases: u32, strategy: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new(config).run(strategy, test).unwrap_or_else(|failure| panic!("{failure}"));
}

/// Returns texts of about this number of characters that XML allows: all scripts, white space and markup characters. They are in the normal form
/// in which the gateway sends texts.
fn text(max_characters: usize) -> impl Strategy<Value = String> {
    let markup = prop::sample::select(vec![
        '<', '>', '&', '"', '\'', ']', '\r', '\n', '\t', ' ', '-', '\u{85}', '\u{2028}', '\u{FEFF}', '\u{FFFD}', '𝄞',
    ]);
    let character = prop_oneof![2 => markup, 2 => prop::char::range('a', 'z'), 3 => any::<char>()];
    prop::collection::vec(character, 0..=max_characters).prop_map(|characters| characters.into_iter().nfc().collect::<String>())
}

fn is_valid<T: Scalar>(text: &str) -> bool {
    T::parse(text).is_ok()
}

/// The texts of a search by demographics.
#[derive(Debug, Clone)]
struct SearchTexts {
    given_name: String,
    family_name: String,
    previous_family_name: String,
    school: String,
    place_of_birth: String,
}

fn search_texts() -> impl Strategy<Value = SearchTexts> {
    let texts = (
        text(35).prop_filter("a name", |text| is_valid::<Name>(text)),
        text(35).prop_filter("a name", |text| is_valid::<Name>(text)),
        text(35).prop_filter("a name or empty", |text| is_valid::<OptionalName>(text)),
        text(254).prop_filter("a school", |text| is_valid::<SchoolName>(text)),
        text(35).prop_filter("a place", |text| is_valid::<OptionalName>(text)),
    );
    texts.prop_map(|(given_name, family_name, previous_family_name, school, place_of_birth)| SearchTexts {
        given_name,
        family_name,
        previous_family_name,
        school,
        place_of_birth,
    })
}

impl SearchTexts {
    fn search(&self) -> Value {
        json!({
            "givenName": self.given_name, "familyName": self.family_name, "dateOfBirth": DATE_OF_BIRTH, "gender": "FEMALE",
            "lastKnownPostCode": POSTCODE, "previousFamilyName": self.previous_family_name, "schoolAtAge16": self.school,
            "placeOfBirth": self.place_of_birth,
        })
    }

    /// Returns a learner for the simulator's register.
    fn learner(&self, uln: Uln) -> NewLearner {
        NewLearner {
            uln,
            given_name: Name::parse(&self.given_name).expect("a valid name"),
            family_name: Name::parse(&self.family_name).expect("a valid name"),
            date_of_birth: Date::parse(DATE_OF_BIRTH).expect("a valid date"),
            gender: Gender::Female,
            last_known_post_code: Postcode::parse(POSTCODE).expect("a valid postcode"),
            title: None,
            preferred_given_name: None,
            previous_family_name: OptionalName::parse(&self.previous_family_name).ok(),
            school_at_age16: SchoolName::parse(&self.school).ok(),
            place_of_birth: OptionalName::parse(&self.place_of_birth).ok(),
            merged_into: None,
            ability_to_share: AbilityToShare::SeenShare,
        }
    }
}

#[test]
fn round_trip_of_search_and_found_learner_keeps_all_characters() {
    let lrs = SimulatedLrs::with_learners(&[]);
    let gateway = TestGateway::to(&lrs.url());
    let caller = BlockingCaller::new(&gateway);
    let ulns = RefCell::new((500_000_000..).filter_map(Uln::from_prefix));
    run_cases(200, &search_texts(), |texts| {
        let search = texts.search();
        let not_found = caller.post("/v1/learners/find-by-demographics", &search).expect_success();
        // LRS echoes the search. An empty text becomes an absent one.
        let mut expected = search;
        for field in ["previousFamilyName", "schoolAtAge16", "placeOfBirth"] {
            if expected[field] == "" {
                expected.as_object_mut().expect("an object").remove(field);
            }
        }
        prop_assert_eq!(&not_found["searched"], &expected);

        let uln = ulns.borrow_mut().next().expect("millions of ULNs");
        let by_uln = json!({"uln": uln.as_str(), "givenName": texts.given_name, "familyName": texts.family_name});
        lrs.simulator.register().add(&texts.learner(uln)).expect("a new ULN");
        let found = caller.post("/v1/learners/find-by-uln", &by_uln).expect_success();
        prop_assert_eq!(&found["searched"], &by_uln);
        let record = &found["learners"][0];
        for field in ["givenName", "familyName", "previousFamilyName", "schoolAtAge16", "placeOfBirth"] {
            prop_assert_eq!(record.get(field), expected.get(field), "{}", field);
        }
        Ok(())
    });
}

/// Returns learners with all fields, and any valid text in each text field.
fn learner() -> impl Strategy<Value = Value> {
    let name = || text(35).prop_filter("a name", |text| is_valid::<Name>(text));
    let names = prop::collection::vec(name(), 2);
    let optional = prop::collection::vec(text(35).prop_filter("a text", |text| is_valid::<OptionalName>(text)), 6);
    let lines = prop::collection::vec(text(50).prop_filter("a line", |text| is_valid::<AddressLine>(text)), 4);
    let long = (
        text(254).prop_filter("a school", |text| is_valid::<SchoolName>(text)),
        text(255).prop_filter("a description", |text| is_valid::<OtherVerificationDescription>(text) && !text.trim().is_empty()),
        text(400).prop_filter("notes", |text| is_valid::<Notes>(text)),
        text(3).prop_filter("a nationality", |text| is_valid::<Nationality>(text)),
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
            "dateOfBirth": format!("{year}-02-28"), "dateOfAddressCapture": "2024-02-29", "lastKnownPostCode": POSTCODE,
            "emailAddress": "a.b@mail.example.com", "scottishCandidateNumber": "012345678",
        })
    })
}

/// The text fields of a learning event, each with the field of a learner that its text is taken from.
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

/// Returns a learning event with the texts of a learner.
fn event(learner: &Value) -> LearningEvent {
    let text = |field| {
        let source = EVENT_TEXTS.iter().find(|(name, _)| *name == field).expect("a text field of an event").1;
        Some(Personal::new(learner[source].as_str().expect("a string").to_owned()))
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
fn round_trip_of_registered_and_updated_learner_keeps_all_characters() {
    let example = learner().new_tree(&mut TestRunner::default()).expect("a learner").current();
    let request = json!({"learner": example, "rejectedCandidates": ["3000000126"]});
    assert_has_every_field("tests/round_trip.rs", "/v1/learners/obtain-uln", &request);
    let lrs = SimulatedLrs::with_learners(&[]);
    let gateway = TestGateway::to(&lrs.url());
    let caller = BlockingCaller::new(&gateway);
    run_cases(30, &(learner(), learner()), |(registered, mut updated)| {
        // LRS rejects some changes of this field, but never a change to this value.
        updated["abilityToShare"] = json!("SEEN_SHARE");

        let obtained = caller.post("/v1/learners/obtain-uln", &json!({"learner": registered}));
        prop_assert_eq!(obtained.status, 201, "{}", obtained.text);
        let obtained = obtained.json();
        let uln = obtained["uln"].as_str().expect("a ULN");
        assert_record_round_trips(&caller, &lrs, uln, 1, &registered)?;

        caller.post("/v1/learners/update", &json!({"uln": uln, "versionNumber": 1, "learner": updated})).expect_success();
        assert_record_round_trips(&caller, &lrs, uln, 2, &updated)
    });
}

/// Asserts that every operation that reads the record returns the texts of the learner.
fn assert_record_round_trips(
    caller: &BlockingCaller,
    lrs: &SimulatedLrs,
    uln: &str,
    version: u32,
    learner: &Value,
) -> Result<(), TestCaseError> {
    assert_found_record_equals_learner(caller, uln, version, learner)?;
    assert_verification_echoes_learner(caller, uln, learner)?;
    lrs.simulator.register().add_events(uln, [event(learner)]);
    assert_last_event_has_texts_of_learner(caller, uln, learner)?;
    assert_retrieved_row_equals_learner(caller, uln, learner)
}

fn assert_found_record_equals_learner(caller: &BlockingCaller, uln: &str, version: u32, learner: &Value) -> Result<(), TestCaseError> {
    let search = json!({"uln": uln, "givenName": learner["givenName"], "familyName": learner["familyName"]});
    let found = caller.post("/v1/learners/find-by-uln", &search).expect_success();
    let record = &found["learners"][0];
    for (field, value) in learner.as_object().expect("an object") {
        let expected = Some(value).filter(|value| **value != "");
        prop_assert_eq!(record.get(field), expected, "{}", field);
    }
    prop_assert_eq!(&record["versionNumber"], version);
    Ok(())
}

fn assert_verification_echoes_learner(caller: &BlockingCaller, uln: &str, learner: &Value) -> Result<(), TestCaseError> {
    let request = identity(uln, learner);
    let verified = caller.post("/v1/learners/verify", &request).expect_success();
    prop_assert_eq!(&verified["outcome"], "MATCH");
    for (field, echo) in [
        ("uln", "searchedUln"),
        ("givenName", "searchedGivenName"),
        ("familyName", "searchedFamilyName"),
        ("dateOfBirth", "searchedDateOfBirth"),
        ("gender", "searchedGender"),
    ] {
        prop_assert_eq!(&verified[echo], &request[field], "{}", echo);
    }
    Ok(())
}

fn assert_last_event_has_texts_of_learner(caller: &BlockingCaller, uln: &str, learner: &Value) -> Result<(), TestCaseError> {
    let read = caller.post("/v1/learning-events/search", &identity(uln, learner)).expect_success();
    prop_assert_eq!(&read["incomingUln"], uln);
    if learner["abilityToShare"] == "SEEN_NOT_SHARED" {
        prop_assert_eq!(&read["events"], &json!([]));
        return Ok(());
    }
    let event = read["events"].as_array().and_then(|events| events.last());
    prop_assert!(event.is_some(), "{}", read);
    for (field, source) in EVENT_TEXTS {
        let expected = Some(&learner[source]).filter(|value| **value != "");
        prop_assert_eq!(event.and_then(|event| event.get(field)), expected, "{}", field);
    }
    Ok(())
}

fn assert_retrieved_row_equals_learner(caller: &BlockingCaller, uln: &str, learner: &Value) -> Result<(), TestCaseError> {
    let rows = caller.post("/v1/learners/retrieve-ulns", &json!({"ulns": [uln]})).expect_success();
    for field in ["givenName", "familyName", "dateOfBirth", "gender"] {
        prop_assert_eq!(&rows["learners"][0][field], &learner[field], "{}", field);
    }
    Ok(())
}

/// Returns the fields that identify a learner in a verification or a search for learning events.
fn identity(uln: &str, learner: &Value) -> Value {
    let mut identity = json!({"uln": uln});
    for field in ["givenName", "familyName", "dateOfBirth", "gender"] {
        identity[field] = learner[field].clone();
    }
    identity
}

/// These texts broke programs that build SOAP messages by hand.
#[tokio::test]
async fn round_trip_of_names_with_markup_and_non_ascii_letters_keeps_all_characters() {
    let lrs = SimulatedLrs::with_learners(&[
        json!({"uln": "3000000126", "givenName": "Li", "familyName": "Zoë O'Neill-Siân", "dateOfBirth": "2004-02-29", "gender": "FEMALE",
               "lastKnownPostCode": "ZZ1 1AA", "schoolAtAge16": "Smith & Sons <\"North\">"}),
    ]);
    let gateway = TestGateway::to(&lrs.url());
    let search = json!({"uln": "3000000126", "givenName": "Li", "familyName": "Zoë O'Neill-Siân"});

    let found = gateway.caller().post("/v1/learners/find-by-uln", &search).await.expect_success();

    assert_eq!(found["learners"][0]["schoolAtAge16"], "Smith & Sons <\"North\">");
    assert_eq!(found["learners"][0]["familyName"], "Zoë O'Neill-Siân");
}
