//! A learner's life through the API: not found, obtained, found, updated, verified, read.

use lrs_gateway::simulator::SimulatorSettings;
use serde_json::{Value, json};

use crate::support::{Caller, SimulatedLrs, TestGateway};

/// Every field a learner can be registered with.
fn gwenllian() -> Value {
    json!({
        "title": "Ms", "givenName": "Gwenllian", "middleOtherName": "Mair", "familyName": "Ó Briain-Price", "preferredGivenName": "Gwen",
        "previousFamilyName": "Price", "familyNameAtAge16": "Price", "schoolAtAge16": "Smith & Sons <\"North\">",
        "lastKnownAddressLine1": "1 High St", "lastKnownAddressLine2": "Flat 2", "lastKnownAddressTown": "Trefach",
        "lastKnownAddressCountyOrCity": "Dyfed", "lastKnownPostCode": "ZZ7 7JJ", "dateOfAddressCapture": "2024-02-29",
        "dateOfBirth": "2005-07-21", "placeOfBirth": "Abertawe ", "gender": "FEMALE", "emailAddress": "gwen@mail.example.com",
        "nationality": "GBR", "scottishCandidateNumber": "012345678", "verificationType": "OTHER",
        "otherVerificationDescription": "Student card", "abilityToShare": "SEEN_SHARE", "notes": "Line 1\r\nLine 2",
    })
}

fn demographics(learner: &Value) -> Value {
    let mut search = json!({});
    for field in ["givenName", "familyName", "dateOfBirth", "gender", "lastKnownPostCode"] {
        search[field] = learner[field].clone();
    }
    search
}

async fn post(caller: &Caller, path: &str, body: Value) -> (u16, Value) {
    let answer = caller.post(path, &body).await;
    (answer.status, answer.json())
}

#[tokio::test]
async fn from_unknown_to_verified() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let mut learner = gwenllian();

    // Nobody knows her.
    let (_, found) = post(&caller, "/v1/learners/find-by-demographics", demographics(&learner)).await;
    assert_eq!(found["outcome"], "NO_MATCH");

    // She obtains a ULN, once.
    let (status, obtained) = post(&caller, "/v1/learners/obtain-uln", json!({"learner": learner})).await;
    assert_eq!((status, &obtained["outcome"], &obtained["lrsCode"]), (201, &json!("REGISTERED"), &json!("WSRC0005")));
    let uln = obtained["uln"].as_str().expect("a ULN").to_owned();
    let (status, again) = post(&caller, "/v1/learners/obtain-uln", json!({"learner": learner})).await;
    assert_eq!((status, &again["outcome"], &again["uln"]), (200, &json!("EXISTING"), &json!(uln)));
    let (status, refused) = post(&caller, "/v1/learners/register", json!({"learner": learner})).await;
    assert_eq!((status, &refused["code"], &refused["lrs"]["code"]), (409, &json!("learner_not_registered"), &json!("WSRC0021")));

    // She is found, with all that was registered.
    let by_uln = json!({"uln": uln, "givenName": "Gwenllian", "familyName": "Ó Briain-Price"});
    let (_, found) = post(&caller, "/v1/learners/find-by-uln", by_uln.clone()).await;
    let record = &found["learners"][0];
    for (field, value) in learner.as_object().expect("an object") {
        assert_eq!(&record[field], value, "{field}");
    }
    assert_eq!((&record["uln"], &record["versionNumber"]), (&json!(uln), &json!(1)));

    // She marries: read, merge, update. The version grows; who comes late is refused.
    learner["familyName"] = json!("O'Neill");
    learner["previousFamilyName"] = json!("Ó Briain-Price");
    let update = json!({"uln": uln, "versionNumber": 1, "learner": learner});
    let (status, updated) = post(&caller, "/v1/learners/update", update.clone()).await;
    assert_eq!((status, &updated["outcome"]), (200, &json!("UPDATED")));
    let (status, stale) = post(&caller, "/v1/learners/update", update).await;
    assert_eq!((status, &stale["code"], &stale["lrs"]["code"]), (409, &json!("stale_version"), &json!("WSRC0013")));
    let (_, same) = post(&caller, "/v1/learners/update", json!({"uln": uln, "versionNumber": 2, "learner": learner})).await;
    assert_eq!((&same["outcome"], &same["lrsCode"]), (&json!("NO_CHANGES"), &json!("WSRC0020")));
    let (_, found) = post(&caller, "/v1/learners/find-by-uln", json!({"uln": uln, "givenName": "Gwen", "familyName": "O'Neill"})).await;
    assert_eq!((&found["outcome"], &found["learners"][0]["versionNumber"]), (&json!("EXACT_MATCH"), &json!(2)));

    // She is verified, or not.
    for (changes, outcome, flags) in [
        (json!({}), "MATCH", vec![]),
        (json!({"givenName": "Gwenllia"}), "SIMILAR_MATCH", vec!["VRF1"]),
        (json!({"givenName": "O'Neill", "familyName": "Gwenllian"}), "NO_MATCH", vec!["VRF1", "VRF3", "VRF5", "VRF6"]),
        (json!({"familyName": "Wójcik"}), "NO_MATCH", vec!["VRF4", "VRF5", "VRF6"]),
        (json!({"dateOfBirth": "2005-07-22"}), "NO_MATCH", vec!["VRF7"]),
        (json!({"gender": "MALE"}), "NO_MATCH", vec!["VRF8"]),
        (json!({"uln": "3000000258"}), "ULN_NOT_FOUND", vec![]),
    ] {
        let mut asked =
            json!({"uln": uln, "givenName": "Gwenllian", "familyName": "O'Neill", "dateOfBirth": "2005-07-21", "gender": "FEMALE"});
        for (field, value) in changes.as_object().expect("an object") {
            asked[field] = value.clone();
        }
        let (_, verified) = post(&caller, "/v1/learners/verify", asked).await;
        let told: Vec<&str> =
            verified["failures"].as_array().expect("a list").iter().filter_map(|failure| failure["flag"].as_str()).collect();
        assert_eq!((verified["outcome"].as_str(), told), (Some(outcome), flags), "{changes}");
    }

    // Her record has no events yet; nobody else sees that.
    let events = json!({"uln": uln, "givenName": "Gwenllian", "familyName": "O'Neill"});
    let (_, read) = post(&caller, "/v1/learning-events/search", events.clone()).await;
    assert_eq!((&read["outcome"], &read["events"], &read["foundUln"]), (&json!("EXACT_MATCH"), &json!([]), &json!(uln)));
    let mut wrong = events;
    wrong["dateOfBirth"] = json!("2000-01-01");
    let (_, read) = post(&caller, "/v1/learning-events/search", wrong).await;
    assert_eq!((&read["outcome"], &read["lrsCode"]), (&json!("NOT_VERIFIED"), &json!("WSEC0208")));
}

#[tokio::test]
async fn a_learner_nobody_searched_for_is_not_registered() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let body = json!({"learner": gwenllian()});
    caller.post("/v1/learners/register", &body).await.problem(409, "learner_not_registered");
    caller.post("/v1/learners/find-by-demographics", &demographics(&gwenllian())).await.expect_success();
    let answer = caller.post("/v1/learners/register", &body).await;
    assert_eq!((answer.status, &answer.json()["outcome"]), (201, &json!("REGISTERED")));

    let too_late = SimulatedLrs::with(&SimulatorSettings { registration_window_seconds: 0, ..SimulatorSettings::default() });
    let gateway = TestGateway::to(&too_late.url());
    gateway.caller().post("/v1/learners/obtain-uln", &body).await.problem(409, "learner_not_registered");
}

#[tokio::test]
async fn candidates_are_for_a_person_to_decide() {
    let lrs = SimulatedLrs::start();
    let before = lrs.simulator.register().len();
    let gateway = TestGateway::to(&lrs.url());
    let mut sam = json!({
        "givenName": "Sam", "familyName": "Taylor", "dateOfBirth": "2004-06-01", "gender": "NOT_KNOWN", "lastKnownPostCode": "ZZ9 9ZZ",
        "verificationType": "NOT_PROVIDED", "abilityToShare": "NOT_SEEN",
    });
    let candidates = gateway.caller().post("/v1/learners/obtain-uln", &json!({"learner": sam})).await.expect_success();
    assert_eq!((&candidates["outcome"], candidates.get("uln")), (&json!("POSSIBLE_MATCHES"), None));
    assert_eq!(candidates["learners"].as_array().map(Vec::len), Some(2));
    (sam["givenName"], sam["familyName"], sam["dateOfBirth"]) = (json!("Alex"), json!("Smith"), json!("2003-01-01"));
    let candidates = gateway.caller().post("/v1/learners/obtain-uln", &json!({"learner": sam})).await.expect_success();
    assert_eq!((&candidates["outcome"], &candidates["learners"]), (&json!("TOO_MANY_MATCHES"), &json!([])));
    assert_eq!(lrs.simulator.register().len(), before, "nobody was registered");
}

#[tokio::test]
async fn records_are_read_shared_or_not_and_under_the_masters_uln() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::to(&lrs.url());
    let ana = json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"});
    let read = gateway.caller().post("/v1/learning-events/search", &ana).await.expect_success();
    assert_eq!(read["outcome"], "EXACT_MATCH");
    let sources: Vec<&str> = read["events"].as_array().expect("a list").iter().filter_map(|event| event["source"].as_str()).collect();
    assert_eq!(sources, ["NPD", "ILR", "AO"]);
    assert_eq!(read["events"][1]["dateLoaded"], "2024-07-02T03:15:00+01:00");
    let mut brief = ana;
    brief["getType"] = json!("BRIEF");
    let read = gateway.caller().post("/v1/learning-events/search", &brief).await.expect_success();
    assert_eq!(
        read["events"][1],
        json!({
            "achievementProviderUkprn": "10088881", "credits": 0, "grade": "9999999999", "id": 2, "source": "ILR",
            "subject": "Diploma in Example Engineering", "subjectCode": "603/0000/X"
        })
    );

    let people = |name: &str| {
        let register = lrs.simulator.register();
        let found = register.learners().find(|learner| learner.family_name.as_ref().is_some_and(|family| family.reveal() == name));
        found.and_then(|learner| learner.uln.known().map(|uln| uln.as_str().to_owned())).expect(name)
    };
    let megan = json!({"uln": people("Ó Briain"), "givenName": "Megan", "familyName": "Ó Briain"});
    let read = gateway.caller().post("/v1/learning-events/search", &megan).await.expect_success();
    assert_eq!((&read["outcome"], &read["lrsCode"], &read["events"]), (&json!("NOT_SHARED"), &json!("WSEC0206"), &json!([])));

    let (merged, master) = (people("Rees"), people("Ap Rhys"));
    let rhiannon = json!({"uln": merged, "givenName": "Rhiannon", "familyName": "Rees"});
    let read = gateway.caller().post("/v1/learning-events/search", &rhiannon).await.expect_success();
    assert_eq!((&read["outcome"], &read["incomingUln"], &read["foundUln"]), (&json!("LINKED_LEARNER"), &json!(merged), &json!(master)));
    let verified = gateway.caller().post("/v1/learners/verify", &rhiannon).await.expect_success();
    assert_eq!(
        (&verified["outcome"], &verified["searchedUln"], &verified["uln"]),
        (&json!("LINKED_MATCH"), &json!(merged), &json!(master))
    );
    let rows =
        gateway.caller().post("/v1/learners/retrieve-ulns", &json!({"ulns": [merged, "3000000126", "3000000258"]})).await.expect_success();
    let ulns: Vec<_> =
        rows["learners"].as_array().expect("a list").iter().map(|row| (row["uln"].clone(), row.get("masterUln").cloned())).collect();
    assert_eq!(ulns, [(json!(merged), Some(json!(master))), (json!("3000000126"), None)]);
}

#[tokio::test]
async fn an_update_lrs_does_not_allow_is_refused() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::to(&lrs.url());
    let mut learner = json!({
        "givenName": "Ana", "familyName": "O'Neill", "dateOfBirth": "2003-04-05", "gender": "FEMALE", "lastKnownPostCode": "ZZ99 9ZZ",
        "verificationType": "PASSPORT", "abilityToShare": "NOT_SEEN",
    });
    let update = |uln: &str, learner: &Value| json!({"uln": uln, "versionNumber": 1, "learner": learner});
    gateway.caller().post("/v1/learners/update", &update("3000000126", &learner)).await.problem(422, "share_change_not_allowed");
    learner["abilityToShare"] = json!("SEEN_NOT_SHARED");
    gateway.caller().post("/v1/learners/update", &update("3000000258", &learner)).await.problem(404, "uln_not_found");
    gateway.caller().post("/v1/learners/update", &update("3000000126", &learner)).await.expect_success();
    let ana = json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"});
    assert_eq!(gateway.caller().post("/v1/learning-events/search", &ana).await.expect_success()["outcome"], "NOT_SHARED");
}
