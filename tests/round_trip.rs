//! Nothing is lost on the way: JSON → SOAP → simulator → SOAP → JSON gives back every character.

use std::cell::RefCell;

use lrs_gateway::domain::{Date, Gender, Name, OptionalName, Postcode, SchoolName, Uln};
use lrs_gateway::form::Value;
use lrs_gateway::simulator::register::NewLearner;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use crate::support::{Gateway, Lrs};

/// Any text of at most `most` characters that XML can carry: every script, every white space, every markup character.
fn text(most: usize) -> impl Strategy<Value = String> {
    let markup = prop::sample::select(vec![
        '<', '>', '&', '"', '\'', ']', '\r', '\n', '\t', ' ', '-', '\u{85}', '\u{2028}', '\u{FEFF}', '\u{FFFD}', '𝄞',
    ]);
    let any = prop_oneof![2 => markup, 2 => prop::char::range('a', 'z'), 3 => any::<char>()];
    prop::collection::vec(any, 0..=most).prop_map(|chars| chars.into_iter().collect::<String>())
}

fn parsed<T: Value>(text: &str) -> bool {
    T::parse(text).is_ok()
}

#[test]
fn arbitrary_texts_come_back_byte_for_byte() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let lrs = Lrs::with_learners(&[]);
    let gateway = Gateway::to(&lrs.url());
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
        let missing = runtime.block_on(caller.post("/v1/learners/find-by-demographics", &search)).ok();
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
        };
        let uln = learner.uln.as_str().to_owned();
        lrs.simulator.register().add(learner).expect("a new ULN");
        let by_uln = json!({"uln": uln, "givenName": given, "familyName": family});
        let found = runtime.block_on(caller.post("/v1/learners/find-by-uln", &by_uln)).ok();
        prop_assert_eq!(&found["searched"], &by_uln);
        let held = &found["learners"][0];
        for field in ["givenName", "familyName", "previousFamilyName", "schoolAtAge16", "placeOfBirth"] {
            prop_assert_eq!(held.get(field), expected.get(field), "{}", field);
        }
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}

#[tokio::test]
async fn the_names_that_break_hand_written_soap_do_not_break() {
    let lrs = Lrs::with_learners(&[
        json!({"uln": "3000000126", "givenName": "Li", "familyName": "Zoë O'Neill-Siân", "dateOfBirth": "2004-02-29", "gender": "FEMALE",
               "lastKnownPostCode": "ZZ1 1AA", "schoolAtAge16": "Smith & Sons <\"North\">"}),
    ]);
    let search = json!({"uln": "3000000126", "givenName": "Li", "familyName": "Zoë O'Neill-Siân"});
    let found = Gateway::to(&lrs.url()).caller().post("/v1/learners/find-by-uln", &search).await.ok();
    assert_eq!(found["learners"][0]["schoolAtAge16"], "Smith & Sons <\"North\">");
    assert_eq!(found["learners"][0]["familyName"], "Zoë O'Neill-Siân");
}
