//! The lifecycle of a learner against the simulator: searched, registered, updated, verified, and learning events read.

use std::time::{Duration, Instant};

use lrs_gateway::simulator::SimulatorSettings;
use serde_json::{Value, json};

use crate::support::caller::Answer;
use crate::support::fields::full_learner;
use crate::support::{Caller, SimulatedLrs, TestGateway};

const FIND_BY_ULN: &str = "/v1/learners/find-by-uln";
const FIND_BY_DEMOGRAPHICS: &str = "/v1/learners/find-by-demographics";
const OBTAIN_ULN: &str = "/v1/learners/obtain-uln";
const REGISTER: &str = "/v1/learners/register";
const UPDATE: &str = "/v1/learners/update";
const VERIFY: &str = "/v1/learners/verify";
const SEARCH_EVENTS: &str = "/v1/learning-events/search";

/// A learner that is not in the simulator's register, with every field of a registration.
fn new_learner() -> Value {
    let mut learner = full_learner();
    for (field, value) in [
        ("givenName", "Gwenllian"),
        ("familyName", "Ó Briain-Price"),
        ("preferredGivenName", "Gwen"),
        ("previousFamilyName", "Price"),
        ("lastKnownPostCode", "ZZ7 7JJ"),
        ("dateOfBirth", "2005-07-21"),
        ("placeOfBirth", "Abertawe "),
        ("gender", "FEMALE"),
        ("abilityToShare", "SEEN_SHARE"),
        ("notes", "Line 1\r\nLine 2"),
    ] {
        learner[field] = json!(value);
    }
    learner
}

/// The same learner after a marriage.
fn married_learner() -> Value {
    let mut learner = new_learner();
    learner["familyName"] = json!("O'Neill");
    learner["previousFamilyName"] = json!("Ó Briain-Price");
    learner
}

/// A search for the learner by demographics.
fn demographics(learner: &Value) -> Value {
    let mut search = json!({});
    for field in ["givenName", "familyName", "dateOfBirth", "gender", "lastKnownPostCode"] {
        search[field] = learner[field].clone();
    }
    search
}

/// A gateway in front of a simulator with the sample learners.
struct Fixture {
    lrs: SimulatedLrs,
    gateway: TestGateway,
}

impl Fixture {
    fn new() -> Self {
        Self::with(&SimulatorSettings::default())
    }

    fn with(settings: &SimulatorSettings) -> Self {
        let lrs = SimulatedLrs::with(settings);
        let gateway = TestGateway::to(&lrs.url());
        Self { lrs, gateway }
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.gateway.caller().post(path, &body).await
    }

    /// Registers [`new_learner`] and returns the new ULN.
    async fn register_new_learner(&self) -> String {
        let answer = self.post(OBTAIN_ULN, json!({"learner": new_learner()})).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["uln"].as_str().expect("a ULN").to_owned()
    }

    /// Registers [`new_learner`], updates it to [`married_learner`] and returns the new ULN. The record then has version 2.
    async fn register_and_update_learner(&self) -> String {
        let uln = self.register_new_learner().await;
        let update = json!({"uln": uln, "versionNumber": 1, "learner": married_learner()});
        assert_eq!(self.post(UPDATE, update).await.expect_success()["outcome"], "UPDATED");
        uln
    }

    /// Returns the ULN of the sample learner with this family name.
    fn uln_of(&self, family_name: &str) -> String {
        let register = self.lrs.simulator.register();
        let found = register.learners().find(|learner| learner.family_name.as_ref().is_some_and(|name| name.reveal() == family_name));
        found.and_then(|learner| learner.uln.known().map(|uln| uln.as_str().to_owned())).expect(family_name)
    }
}

#[tokio::test]
async fn obtain_uln_registers_unknown_learner_once() {
    let fixture = Fixture::new();
    let learner = new_learner();
    assert_eq!(fixture.post(FIND_BY_DEMOGRAPHICS, demographics(&learner)).await.expect_success()["outcome"], "NO_MATCH");

    let first = fixture.post(OBTAIN_ULN, json!({"learner": learner})).await;
    let second = fixture.post(OBTAIN_ULN, json!({"learner": learner})).await.expect_success();
    let rejected = fixture.post(REGISTER, json!({"learner": learner})).await.problem(409, "learner_not_registered");

    let registered = first.json();
    assert_eq!((first.status, &registered["outcome"], &registered["lrsCode"]), (201, &json!("REGISTERED"), &json!("WSRC0005")));
    assert!(registered["uln"].is_string(), "{registered}");
    assert_eq!((&second["outcome"], &second["uln"]), (&json!("EXISTING"), &registered["uln"]));
    assert_eq!(rejected["lrs"]["code"], "WSRC0021");
}

#[tokio::test]
async fn find_by_uln_after_registration_returns_all_registered_fields() {
    let fixture = Fixture::new();
    let uln = fixture.register_new_learner().await;

    let search = json!({"uln": uln, "givenName": "Gwenllian", "familyName": "Ó Briain-Price"});
    let found = fixture.post(FIND_BY_ULN, search).await.expect_success();

    let record = &found["learners"][0];
    for (field, value) in new_learner().as_object().expect("an object") {
        assert_eq!(&record[field], value, "{field}");
    }
    assert_eq!((&record["uln"], &record["versionNumber"]), (&json!(uln), &json!(1)));
}

#[tokio::test]
async fn update_increments_version_and_rejects_stale_version() {
    let fixture = Fixture::new();
    let uln = fixture.register_new_learner().await;
    let update = |version: u32| json!({"uln": uln, "versionNumber": version, "learner": married_learner()});

    let updated = fixture.post(UPDATE, update(1)).await.expect_success();
    let stale = fixture.post(UPDATE, update(1)).await.problem(409, "stale_version");
    let unchanged = fixture.post(UPDATE, update(2)).await.expect_success();
    let search = json!({"uln": uln, "givenName": "Gwen", "familyName": "O'Neill"});
    let found = fixture.post(FIND_BY_ULN, search).await.expect_success();

    assert_eq!(updated["outcome"], "UPDATED");
    assert_eq!(stale["lrs"]["code"], "WSRC0013");
    assert_eq!((&unchanged["outcome"], &unchanged["lrsCode"]), (&json!("NO_CHANGES"), &json!("WSRC0020")));
    assert_eq!((&found["outcome"], &found["learners"][0]["versionNumber"]), (&json!("EXACT_MATCH"), &json!(2)));
}

#[tokio::test]
async fn verify_updated_learner_returns_outcome_and_flags_of_differences() {
    let fixture = Fixture::new();
    let uln = fixture.register_and_update_learner().await;

    for (changes, outcome, flags) in [
        (json!({}), "MATCH", vec![]),
        (json!({"givenName": "Gwenllia"}), "SIMILAR_MATCH", vec!["VRF1"]),
        (json!({"givenName": "O'Neill", "familyName": "Gwenllian"}), "NO_MATCH", vec!["VRF1", "VRF3", "VRF5", "VRF6"]),
        (json!({"familyName": "Wójcik"}), "NO_MATCH", vec!["VRF4", "VRF5", "VRF6"]),
        (json!({"dateOfBirth": "2005-07-22"}), "NO_MATCH", vec!["VRF7"]),
        (json!({"gender": "MALE"}), "NO_MATCH", vec!["VRF8"]),
        (json!({"uln": "3000000258"}), "ULN_NOT_FOUND", vec![]),
    ] {
        let mut request =
            json!({"uln": uln, "givenName": "Gwenllian", "familyName": "O'Neill", "dateOfBirth": "2005-07-21", "gender": "FEMALE"});
        for (field, value) in changes.as_object().expect("an object") {
            request[field] = value.clone();
        }

        let verified = fixture.post(VERIFY, request).await.expect_success();

        let failures = verified["failures"].as_array().expect("an array");
        let returned_flags: Vec<&str> = failures.iter().filter_map(|failure| failure["flag"].as_str()).collect();
        assert_eq!((verified["outcome"].as_str(), returned_flags), (Some(outcome), flags), "{changes}");
    }
}

#[tokio::test]
async fn learning_events_of_new_learner_are_empty_and_hidden_from_wrong_date_of_birth() {
    let fixture = Fixture::new();
    let uln = fixture.register_and_update_learner().await;
    let search = json!({"uln": uln, "givenName": "Gwenllian", "familyName": "O'Neill"});
    let mut wrong_search = search.clone();
    wrong_search["dateOfBirth"] = json!("2000-01-01");

    let read = fixture.post(SEARCH_EVENTS, search).await.expect_success();
    let hidden = fixture.post(SEARCH_EVENTS, wrong_search).await.expect_success();

    assert_eq!((&read["outcome"], &read["events"], &read["foundUln"]), (&json!("EXACT_MATCH"), &json!([]), &json!(uln)));
    assert_eq!((&hidden["outcome"], &hidden["lrsCode"]), (&json!("NOT_VERIFIED"), &json!("WSEC0208")));
}

#[tokio::test]
async fn register_without_preceding_search_is_rejected() {
    let fixture = Fixture::new();
    let registration = json!({"learner": new_learner()});

    fixture.post(REGISTER, registration.clone()).await.problem(409, "learner_not_registered");
    fixture.post(FIND_BY_DEMOGRAPHICS, demographics(&new_learner())).await.expect_success();
    let answer = fixture.post(REGISTER, registration).await;

    assert_eq!((answer.status, &answer.json()["outcome"]), (201, &json!("REGISTERED")));
}

#[tokio::test]
async fn register_after_registration_window_is_rejected() {
    let fixture = Fixture::with(&SimulatorSettings { registration_window_seconds: 0, ..SimulatorSettings::default() });

    let answer = fixture.post(OBTAIN_ULN, json!({"learner": new_learner()})).await;

    answer.problem(409, "learner_not_registered");
}

#[tokio::test]
async fn obtain_uln_with_candidates_registers_no_learner() {
    let fixture = Fixture::new();
    let learners_before = fixture.lrs.simulator.register().len();
    let mut learner = json!({
        "givenName": "Sam", "familyName": "Taylor", "dateOfBirth": "2004-06-01", "gender": "NOT_KNOWN", "lastKnownPostCode": "ZZ9 9ZZ",
        "verificationType": "NOT_PROVIDED", "abilityToShare": "NOT_SEEN",
    });

    let two_candidates = fixture.post(OBTAIN_ULN, json!({"learner": learner})).await.expect_success();
    (learner["givenName"], learner["familyName"], learner["dateOfBirth"]) = (json!("Alex"), json!("Smith"), json!("2003-01-01"));
    let too_many_candidates = fixture.post(OBTAIN_ULN, json!({"learner": learner})).await.expect_success();

    assert_eq!((&two_candidates["outcome"], two_candidates.get("uln")), (&json!("POSSIBLE_MATCHES"), None));
    assert_eq!(two_candidates["learners"].as_array().map(Vec::len), Some(2));
    assert_eq!((&too_many_candidates["outcome"], &too_many_candidates["learners"]), (&json!("TOO_MANY_MATCHES"), &json!([])));
    assert_eq!(fixture.lrs.simulator.register().len(), learners_before, "number of registered learners");
}

#[tokio::test]
async fn learning_events_of_sample_learner_are_returned_in_full_and_brief() {
    let fixture = Fixture::new();
    let search = json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"});
    let mut brief_search = search.clone();
    brief_search["detailLevel"] = json!("BRIEF");

    let full = fixture.post(SEARCH_EVENTS, search).await.expect_success();
    let brief = fixture.post(SEARCH_EVENTS, brief_search).await.expect_success();

    assert_eq!(full["outcome"], "EXACT_MATCH");
    let sources: Vec<&str> = full["events"].as_array().expect("an array").iter().filter_map(|event| event["source"].as_str()).collect();
    assert_eq!(sources, ["NPD", "ILR", "AO"]);
    assert_eq!(full["events"][1]["dateLoaded"], "2024-07-02T03:15:00+01:00");
    assert_eq!(
        brief["events"][1],
        json!({
            "achievementProviderUkprn": "10088881", "credits": 0, "grade": "9999999999", "id": 2, "source": "ILR",
            "subject": "Diploma in Example Engineering", "subjectCode": "603/0000/X"
        })
    );
}

#[tokio::test]
async fn learning_events_not_shared_are_not_returned() {
    let fixture = Fixture::new();
    let search = json!({"uln": fixture.uln_of("Ó Briain"), "givenName": "Megan", "familyName": "Ó Briain"});

    let read = fixture.post(SEARCH_EVENTS, search).await.expect_success();

    assert_eq!((&read["outcome"], &read["lrsCode"], &read["events"]), (&json!("NOT_SHARED"), &json!("WSEC0206"), &json!([])));
}

#[tokio::test]
async fn merged_learner_is_read_and_verified_under_master_uln() {
    let fixture = Fixture::new();
    let (merged, master) = (fixture.uln_of("Rees"), fixture.uln_of("Ap Rhys"));
    let search = json!({"uln": merged, "givenName": "Rhiannon", "familyName": "Rees"});

    let read = fixture.post(SEARCH_EVENTS, search.clone()).await.expect_success();
    let verified = fixture.post(VERIFY, search).await.expect_success();
    let ulns = json!({"ulns": [merged, "3000000126", "3000000258"]});
    let retrieved = fixture.post("/v1/learners/retrieve-ulns", ulns).await.expect_success();

    assert_eq!((&read["outcome"], &read["incomingUln"], &read["foundUln"]), (&json!("LINKED_LEARNER"), &json!(merged), &json!(master)));
    assert_eq!(
        (&verified["outcome"], &verified["searchedUln"], &verified["uln"]),
        (&json!("LINKED_MATCH"), &json!(merged), &json!(master))
    );
    let rows = retrieved["learners"].as_array().expect("an array").iter();
    let rows: Vec<_> = rows.map(|row| (row["uln"].clone(), row.get("masterUln").cloned())).collect();
    assert_eq!(rows, [(json!(merged), Some(json!(master))), (json!("3000000126"), None)]);
}

/// An update of the sample learner with ULN 3000000126, whose record has version 1.
fn sample_learner_update(uln: &str, ability_to_share: &str) -> Value {
    let learner = json!({
        "givenName": "Ana", "familyName": "O'Neill", "dateOfBirth": "2003-04-05", "gender": "FEMALE", "lastKnownPostCode": "ZZ99 9ZZ",
        "verificationType": "PASSPORT", "abilityToShare": ability_to_share,
    });
    json!({"uln": uln, "versionNumber": 1, "learner": learner})
}

#[tokio::test]
async fn update_rejected_by_lrs_leaves_version_unchanged() {
    let fixture = Fixture::new();

    let not_allowed = fixture.post(UPDATE, sample_learner_update("3000000126", "NOT_SEEN")).await;
    let unknown_uln = fixture.post(UPDATE, sample_learner_update("3000000258", "SEEN_NOT_SHARED")).await;
    let allowed = fixture.post(UPDATE, sample_learner_update("3000000126", "SEEN_NOT_SHARED")).await;

    not_allowed.problem(422, "share_change_not_allowed");
    unknown_uln.problem(404, "uln_not_found");
    allowed.expect_success();
}

#[tokio::test]
async fn update_to_not_shared_hides_learning_events() {
    let fixture = Fixture::new();
    let search = json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"});

    fixture.post(UPDATE, sample_learner_update("3000000126", "SEEN_NOT_SHARED")).await.expect_success();
    let read = fixture.post(SEARCH_EVENTS, search).await.expect_success();

    assert_eq!(read["outcome"], "NOT_SHARED");
}

/// Searches for a namesake of two sample learners, which finds possible matches, and returns the registration of the namesake.
async fn search_for_namesake(caller: &Caller) -> Value {
    let mut learner = new_learner();
    for (field, value) in [("givenName", "Sam"), ("familyName", "Taylor"), ("dateOfBirth", "2004-06-01"), ("lastKnownPostCode", "ZZ8 8LL")]
    {
        learner[field] = json!(value);
    }
    let search = json!({
        "givenName": "Sam", "familyName": "Taylor", "dateOfBirth": "2004-06-01", "gender": "FEMALE", "lastKnownPostCode": "ZZ8 8LL"
    });
    assert_eq!(caller.post(FIND_BY_DEMOGRAPHICS, &search).await.expect_success()["outcome"], "POSSIBLE_MATCHES");
    json!({"learner": learner})
}

#[tokio::test]
async fn registration_after_possible_matches_is_rejected_until_the_wait_is_over() {
    let settings = SimulatorSettings { possible_match_wait_seconds: 1, ..SimulatorSettings::default() };
    let lrs = SimulatedLrs::with(&settings);
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let started_at = Instant::now();
    let registration = search_for_namesake(&caller).await;

    let problem = caller.post(REGISTER, &registration).await.problem(409, "learner_not_registered");
    assert_eq!(problem["lrs"]["code"], "WSRC0021");
    // Another search does not start the wait again.
    while caller.post(REGISTER, &search_for_namesake(&caller).await).await.status != 201 {
        assert!(started_at.elapsed() < Duration::from_secs(30), "the learner is not registered after the wait");
    }

    assert!(started_at.elapsed() >= Duration::from_secs(1), "{:?}", started_at.elapsed());
}

#[tokio::test]
async fn registration_after_possible_matches_needs_no_wait_by_default() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let registration = search_for_namesake(&caller).await;
    assert_eq!(caller.post(REGISTER, &registration).await.status, 201);
}

#[tokio::test]
async fn obtain_uln_after_a_person_rejected_all_candidates_registers_the_learner_once_the_wait_is_over() {
    let settings = SimulatorSettings { possible_match_wait_seconds: 1, ..SimulatorSettings::default() };
    let lrs = SimulatedLrs::with(&settings);
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let started_at = Instant::now();
    let mut request = search_for_namesake(&caller).await;
    let candidates = caller.post(OBTAIN_ULN, &request).await.expect_success();
    let learners = candidates["learners"].as_array().expect("candidates");
    assert!(learners.iter().all(|learner| learner["differences"].as_array().is_some_and(|fields| !fields.is_empty())), "{candidates}");
    request["rejectedCandidates"] = learners.iter().map(|learner| learner["uln"].clone()).collect();

    let keyed = gateway.caller().with_header("Idempotency-Key", "namesake");
    keyed.post(OBTAIN_ULN, &request).await.problem(409, "registration_too_soon");
    let registered = loop {
        // The key is free again: nothing was registered.
        let answer = keyed.post(OBTAIN_ULN, &request).await;
        if answer.status == 201 {
            break answer.json();
        }
        assert!(started_at.elapsed() < Duration::from_secs(30), "the learner is not registered after the wait");
    };

    assert_eq!(registered["outcome"], "REGISTERED");
    assert_eq!(keyed.post(OBTAIN_ULN, &request).await.header("idempotency-replayed"), "true");
    assert_eq!(caller.post(OBTAIN_ULN, &request).await.expect_success()["uln"], registered["uln"]);
}

#[tokio::test]
async fn version_number_written_with_a_point_or_an_exponent_is_the_same_integer() {
    let fixture = Fixture::new();
    let uln = fixture.register_new_learner().await;
    let update = async |version: &str| {
        let learner = married_learner();
        let body = format!("{{\"uln\": \"{uln}\", \"versionNumber\": {version}, \"learner\": {learner}}}");
        fixture.gateway.caller().post_text(UPDATE, "application/json", body).await
    };
    for (version, code) in [("1.5", "malformed_request"), ("\"1\"", "malformed_request"), ("1e10", "validation_failed")] {
        let answer = update(version).await;
        assert_eq!((&answer.json()["code"], &answer.json()["errors"][0]["pointer"]), (&json!(code), &json!("/versionNumber")), "{version}");
    }
    assert_eq!(update("1.0").await.expect_success()["outcome"], "UPDATED");
    update("10e-1").await.problem(409, "stale_version");
    assert_eq!(update("0.2e1").await.expect_success()["lrsCode"], "WSRC0020", "LRS has this version, and nothing to change");
    let as_number = format!("{{\"uln\": {uln}.0, \"givenName\": \"A\", \"familyName\": \"B\"}}");
    let answer = fixture.gateway.caller().post_text("/v1/learners/find-by-uln", "application/json", as_number).await;
    assert_eq!(answer.errors(), [("/uln".to_owned(), "wrong_type".to_owned())], "a ULN is a text");
}
