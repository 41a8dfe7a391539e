//! Amendments against the simulator: what the register holds afterwards, idempotency keys, and the audit trail.

use lrs_gateway::simulator::{Fault, FaultStep};
use serde_json::{Value, json};

use super::AMEND;
use crate::support::caller::{Answer, Caller};
use crate::support::fields::full_learner;
use crate::support::{SimulatedLrs, TestGateway};

struct Fixture {
    lrs: SimulatedLrs,
    gateway: TestGateway,
    uln: String,
}

impl Fixture {
    /// Registers a learner with every field.
    async fn new() -> Self {
        let lrs = SimulatedLrs::start();
        let gateway = TestGateway::to(&lrs.url());
        let obtained = gateway.caller().post("/v1/learners/obtain-uln", &json!({"learner": full_learner()})).await.json();
        let uln = obtained["uln"].as_str().expect("a ULN").to_owned();
        Self { lrs, gateway, uln }
    }

    fn amendment(&self, changes: &Value, clear: &Value) -> Value {
        let learner = full_learner();
        json!({"uln": self.uln, "givenName": learner["givenName"], "familyName": learner["familyName"], "changes": changes, "clear": clear})
    }

    async fn amend(&self, changes: Value, clear: Value) -> Answer {
        self.gateway.caller().post(AMEND, &self.amendment(&changes, &clear)).await
    }

    fn caller_with_key(&self) -> Caller {
        self.gateway.caller().with_header("Idempotency-Key", "amendment-1")
    }

    /// Returns the record that the register holds.
    async fn record(&self, family_name: &Value) -> Value {
        let search = json!({"uln": self.uln, "givenName": full_learner()["givenName"], "familyName": family_name});
        self.gateway.caller().post("/v1/learners/find-by-uln", &search).await.expect_success()["learners"][0].clone()
    }

    fn inject_fault(&self, fault: Fault) {
        self.lrs.simulator.inject_faults(vec![FaultStep::new(fault).for_operation("UpdateLearner").times(1)]);
    }

    /// Returns how many updates LRS received, and how many it executed.
    fn updates(&self) -> (usize, usize) {
        (self.lrs.simulator.request_count("UpdateLearner"), self.lrs.simulator.executed_count("UpdateLearner"))
    }
}

#[tokio::test]
async fn amend_changes_and_clears_the_named_fields_and_no_others() {
    let fixture = Fixture::new().await;
    let before = fixture.record(&full_learner()["familyName"]).await;
    let changes = json!({"familyName": "Môr-Hughes", "dateOfAddressCapture": "2025-03-01", "abilityToShare": "SEEN_SHARE"});

    let result = fixture.amend(changes.clone(), json!(["notes", "emailAddress", "notes"])).await.expect_success();

    let after = fixture.record(&json!("Môr-Hughes")).await;
    let mut expected = before.clone();
    for (field, value) in changes.as_object().expect("an object") {
        expected[field] = value.clone();
    }
    let expected = expected.as_object_mut().expect("an object");
    for field in ["notes", "emailAddress"] {
        assert!(expected.remove(field).is_some(), "{field}");
    }
    expected.insert("versionNumber".into(), json!(2));
    assert_eq!(after, json!(expected));
    // LRS does not return the new version and date of the record.
    expected.remove("versionNumber");
    expected.remove("lastUpdatedDate");
    assert_eq!((&result["outcome"], &result["lrsCode"], &result["learner"]), (&json!("UPDATED"), &json!("WSRC0006"), &json!(expected)));
}

#[tokio::test]
async fn amend_every_field_is_written() {
    let fixture = Fixture::new().await;
    let mut changes = full_learner();
    for (field, value) in changes.as_object_mut().expect("an object") {
        *value = json!(match field.as_str() {
            "gender" => "NOT_SPECIFIED",
            "verificationType" => "OTHER",
            "abilityToShare" => "SEEN_SHARE",
            "dateOfBirth" | "dateOfAddressCapture" => "2001-01-01",
            "lastKnownPostCode" => "ZZ3 3AB",
            "emailAddress" => "new@example.com",
            "nationality" => "NEW",
            "scottishCandidateNumber" => "987654321",
            _ => field,
        });
    }

    fixture.amend(changes.clone(), json!([])).await.expect_success();

    let search = json!({"uln": fixture.uln, "givenName": "givenName", "familyName": "familyName"});
    let found = fixture.gateway.caller().post("/v1/learners/find-by-uln", &search).await.expect_success()["learners"][0].clone();
    for (field, value) in changes.as_object().expect("an object") {
        assert_eq!(&found[field], value, "{field}");
    }
}

#[tokio::test]
async fn amend_with_the_values_of_the_record_sends_nothing() {
    let fixture = Fixture::new().await;
    let mut learner = full_learner();
    learner.as_object_mut().expect("an object").retain(|_, value| value != "");

    let result = fixture.amend(learner, json!([])).await.expect_success();

    assert_eq!((&result["outcome"], &result["lrsCode"]), (&json!("NO_CHANGES"), &json!("WSRC0004")));
    assert_eq!((&result["learner"]["versionNumber"], fixture.updates()), (&json!(1), (0, 0)));
}

#[tokio::test]
async fn update_with_required_fields_clears_the_others_which_amend_keeps() {
    let fixture = Fixture::new().await;
    let mut required = full_learner();
    let names = [
        "givenName",
        "familyName",
        "dateOfBirth",
        "gender",
        "lastKnownPostCode",
        "verificationType",
        "otherVerificationDescription",
        "abilityToShare",
    ];
    required.as_object_mut().expect("an object").retain(|field, _| names.contains(&field.as_str()));
    required["lastKnownPostCode"] = json!("ZZ9 9ZZ");

    fixture.amend(json!({"lastKnownPostCode": "ZZ8 8LL"}), json!([])).await.expect_success();
    let amended = fixture.record(&required["familyName"]).await;
    let update = json!({"uln": fixture.uln, "versionNumber": 2, "learner": required});
    fixture.gateway.caller().post("/v1/learners/update", &update).await.expect_success();
    let updated = fixture.record(&required["familyName"]).await;

    for field in ["notes", "placeOfBirth", "schoolAtAge16"] {
        assert!(amended[field].is_string() && updated[field].is_null(), "{field}: {updated}");
    }
}

#[tokio::test]
async fn amend_rejected_by_lrs_leaves_the_record_unchanged() {
    let fixture = Fixture::new().await;
    fixture.amend(json!({"abilityToShare": "SEEN_SHARE"}), json!([])).await.expect_success();
    fixture.amend(json!({"abilityToShare": "NOT_SEEN"}), json!([])).await.problem(422, "share_change_not_allowed");
    assert_eq!(fixture.record(&full_learner()["familyName"]).await["abilityToShare"], "SEEN_SHARE");
}

#[tokio::test]
async fn idempotency_key_amendment_executed_but_response_lost_is_found_with_its_new_name() {
    let fixture = Fixture::new().await;
    let amendment = fixture.amendment(&json!({"familyName": "Hughes"}), &json!(["notes"]));
    fixture.inject_fault(Fault::ResetAfter);
    let problem = fixture.caller_with_key().post(AMEND, &amendment).await.problem(504, "lrs_timeout");
    assert_eq!(problem["outcomeUnknown"], true);

    let retried = fixture.caller_with_key().post(AMEND, &amendment).await.expect_success();
    assert_eq!((&retried["outcome"], &retried["lrsCode"]), (&json!("UPDATED"), &json!("WSRC0004")), "{retried}");
    assert_eq!((&retried["learner"]["familyName"], &retried["learner"]["versionNumber"]), (&json!("Hughes"), &json!(2)));
    let replayed = fixture.caller_with_key().post(AMEND, &amendment).await;
    assert_eq!((replayed.header("idempotency-replayed"), replayed.json()), ("true", retried));
    assert_eq!(fixture.updates(), (1, 1));
    // Without a key, nothing says that the name in the request was the former one.
    assert_eq!(fixture.gateway.caller().post(AMEND, &amendment).await.expect_success()["outcome"], "NO_MATCH");
}

#[tokio::test]
async fn idempotency_key_amendment_not_executed_and_response_lost_is_repeated() {
    let fixture = Fixture::new().await;
    let amendment = fixture.amendment(&json!({"familyName": "Hughes"}), &json!([]));
    fixture.inject_fault(Fault::ResetBefore);
    fixture.caller_with_key().post(AMEND, &amendment).await.problem(504, "lrs_timeout");

    let retried = fixture.caller_with_key().post(AMEND, &amendment).await.expect_success();
    assert_eq!((&retried["outcome"], &retried["lrsCode"]), (&json!("UPDATED"), &json!("WSRC0006")), "{retried}");
    assert_eq!(fixture.updates(), (2, 1));
}
