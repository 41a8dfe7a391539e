//! Batches that another version has stored: an earlier one, with records and fingerprints as lists in JSON, or a later one.

use std::time::{Duration, Instant};

use lrs_gateway::batches::batch_kind::pack;
use lrs_gateway::batches::kinds::achievement::Achievements;
use lrs_gateway::batches::metadata::BatchMetadata;
use lrs_gateway::batches::model::{Batch, BatchHeader, BatchId, BlobName, KindTag, Part};
use lrs_gateway::batches::repository::NewBatch;
use lrs_gateway::domain::{Achievement, JobType, SubmissionType, Ukprn, UserName};
use lrs_gateway::schema::Scalar as _;
use lrs_gateway::schema::deserialize::from_json;
use serde_json::{Value, json};

use crate::support::batch_backend::{BatchBackend, KEY, key_ring, test_each_backend};
use crate::support::caller::PROVIDER;
use crate::support::gateway::AWARDING;
use crate::support::{FakeServer, SimulatedLrs, TestGateway, wait_until};

/// Minimum time until a batch is visited again after a visit that failed.
const MIN_DEFERRAL: Duration = Duration::from_secs(30);

/// Packed achievements as this version stores them: one with every field, and one with each of the other actions. Stored batches look like
/// this, so a change of any tag or placeholder needs a version that reads both.
const STORED_ACHIEVEMENTS: &str = concat!(
    "\0\x01\x11<svc:Achievement>\0\0",
    "\x02\x1a<svc:AchievementAwardDate>\x1b</svc:AchievementAwardDate>\x132025-06-30T00:00:00",
    "\x03\x32<?the element svc:Action with the code of CREATE?>\0\0",
    "\x04\x10<svc:ActionDate>\x11</svc:ActionDate>\x132025-07-01T00:00:00",
    "\x05\x12<svc:ActionReason>\x13</svc:ActionReason>\x06Appeal",
    "\x06\x11<svc:DateofBirth>\x12</svc:DateofBirth>\x132003-04-05T00:00:00",
    "\x07\x10<svc:FamilyName>\x11</svc:FamilyName>\x07O'Neill",
    "\x08\x0c<svc:Gender>\x0d</svc:Gender>\x012",
    "\x09\x0f<svc:GivenName>\x10</svc:GivenName>\x03Ana",
    "\x0a\x0b<svc:Grade>\x0c</svc:Grade>\x0ePass &lt;*&gt;",
    "\x0b\x1b<svc:LanguageForAssessment>\x1c</svc:LanguageForAssessment>\x07English",
    "\x0c\x15<svc:LearnerPostcode>\x16</svc:LearnerPostcode>\x08ZZ99 9ZZ",
    "\x0d\x13<svc:MisIdentifier>\x14</svc:MisIdentifier>\x06CAND-1",
    "\x0e\x13<svc:ProviderUkprn>\x14</svc:ProviderUkprn>\x0810088881",
    "\x0f\x09<svc:Uln>\x0a</svc:Uln>\x0a3000000126",
    "\x10\x28<svc:UnitOrQualificationReferenceNumber>\x29</svc:UnitOrQualificationReferenceNumber>\x0a600/0000/9",
    "\x11\x12</svc:Achievement>\0\0",
    "\0\x01\0\x02\x132025-06-30T00:00:00\x12\x32<?the element svc:Action with the code of UPDATE?>\0\0\x04\x132025-07-01T00",
    ":00:00\x07\x07O'Neill\x09\x03Ana\x0e\x0810088881\x0f\x0a3000000126\x10\x0a600/0000/9\x11\0",
    "\0\x01\0\x02\x132025-06-30T00:00:00\x13\x34<?the element svc:Action with the code of WITHDRAW?>\0\0\x04\x132025-07-01T",
    "00:00:00\x07\x07O'Neill\x09\x03Ana\x0e\x0810088881\x0f\x0a3000000126\x10\x0a600/0000/9\x11\0",
    "\0\x01\0\x02\x132025-06-30T00:00:00\x14\x35<?the element svc:Action with the code of REINSTATE?>\0\0\x04\x132025-07-01",
    "T00:00:00\x07\x07O'Neill\x09\x03Ana\x0e\x0810088881\x0f\x0a3000000126\x10\x0a600/0000/9\x11\0",
);

test_each_backend!(
    registration_batch_of_an_earlier_version_is_sent_and_its_results_are_matched,
    achievement_batch_of_an_earlier_version_is_sent,
    batch_of_a_later_version_waits_and_nothing_is_sent,
    achievement_with_an_unknown_placeholder_waits_and_nothing_is_sent,
);

/// Returns a batch as an earlier version stored it.
async fn stored_batch(backend: &BatchBackend, kind: KindTag, organisation: &str, records: &Value, fingerprints: &Value) -> NewBatch {
    let (id, now) = (BatchId::new(), backend.repository.now().await.expect("the repository responds"));
    let header = BatchHeader::new(kind, &Ukprn::parse(organisation).expect("the UKPRN is valid"), 1, now);
    let record_count = u32::try_from(records.as_array().map_or(0, Vec::len)).expect("few records");
    let metadata = BatchMetadata {
        user: UserName::parse("j.bloggs").expect("the user name is valid"),
        job_type: Some(JobType::Full),
        notify_email: None,
        submission_type: Some(SubmissionType::Final),
        request_id: None,
        issuer: None,
        client: None,
    };
    let blobs = [
        (BlobName::Metadata, serde_json::to_vec(&metadata)),
        (BlobName::Records(1), serde_json::to_vec(records)),
        (BlobName::Fingerprints(1), serde_json::to_vec(fingerprints)),
    ];
    let encrypt = |(name, json): (BlobName, serde_json::Result<Vec<u8>>)| {
        (name, key_ring(KEY).encrypt(&format!("{id}:{name}"), &json.expect("JSON")).expect("encrypted"))
    };
    let batch = Batch { id, header, parts: vec![Part::waiting(0, record_count, now)], expires_at: now.after(Duration::from_secs(3600)) };
    NewBatch { batch, blobs: blobs.map(encrypt).to_vec() }
}

/// Returns a batch of packed achievements.
async fn stored_achievements(backend: &BatchBackend, packed: &str) -> NewBatch {
    let count = packed.matches("600/0000/9").count();
    let each = |value: Value| Value::Array(vec![value; count]);
    let mut stored = stored_batch(backend, KindTag::Achievement, AWARDING, &each(json!({})), &each(json!({"k": [1, 2], "u": true}))).await;
    let id = stored.batch.id;
    let (name, encrypted) = stored.blobs.iter_mut().find(|(name, _)| *name == BlobName::Records(1)).expect("the batch has records");
    *encrypted = key_ring(KEY).encrypt(&format!("{id}:{name}"), packed.as_bytes()).expect("encrypted");
    stored
}

/// Waits until a visit of the only batch has failed.
async fn wait_until_deferred(backend: &BatchBackend) {
    // Until the visit has failed, the next time is that of the batch or of the end of its lease.
    let started_at = Instant::now();
    loop {
        let queue = backend.peek_queue().await;
        if queue.next.is_some_and(|next| next.since(queue.now) > MIN_DEFERRAL) {
            break;
        }
        assert!(started_at.elapsed() < Duration::from_secs(10), "the batch is not deferred: {:?}", queue.next);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Stores a batch, and starts a gateway that finds it.
async fn start_with(batch: &NewBatch, backend: &BatchBackend, lrs: &SimulatedLrs) -> TestGateway {
    backend.repository.create(batch).await.expect("the batch is created");
    TestGateway::with(&lrs.url(), backend.options(KEY))
}

async fn registration_batch_of_an_earlier_version_is_sent_and_its_results_are_matched(backend: BatchBackend) {
    let lrs = SimulatedLrs::with_instant_jobs();
    let learner = |identifier: &str, given_name: &str| {
        json!({"misIdentifier": identifier, "givenName": given_name, "familyName": "O'Neill & Price", "dateOfBirth": "2005-07-21",
            "lastKnownPostCode": "ZZ99 9ZZ", "gender": "FEMALE", "abilityToShare": "SEEN_SHARE", "verificationType": "PASSPORT"})
    };
    let records = json!([learner("STU-1", "Gwenllian"), learner("STU-2", "Zebedee")]);
    let fingerprints = json!([{"m": "STU-1", "k": [1, 2]}, {"m": "STU-2", "k": [3, 4]}]);
    let stored = stored_batch(&backend, KindTag::Registration, PROVIDER, &records, &fingerprints).await;
    let gateway = start_with(&stored, &backend, &lrs).await;
    let caller = gateway.caller().with_header("Prefer", "wait=30");

    let path = format!("/v1/registration-batches/{}", stored.batch.id);
    assert_eq!(caller.request("GET", &path).await.expect_success()["status"], "COMPLETE");

    let results = caller.request("GET", &format!("{path}/results")).await.expect_success();
    let results = [0, 1].map(|row| &results["results"][row]);
    assert!(results.iter().all(|row| row["uln"].is_string()), "{results:?}");
    assert_eq!(results.map(|row| &row["misIdentifier"]), [&json!("STU-1"), &json!("STU-2")]);
}

async fn achievement_batch_of_an_earlier_version_is_sent(backend: BatchBackend) {
    let lrs = SimulatedLrs::with_instant_jobs();
    let records = json!([{"action": "CREATE", "actionDate": "2025-07-01", "achievementAwardDate": "2025-06-30", "uln": "3000000126",
        "givenName": "Ana", "familyName": "O'Neill", "dateOfBirth": "2003-04-05", "providerUkprn": "10088881",
        "unitOrQualificationReferenceNumber": "600/0000/9", "grade": "Pass", "misIdentifier": "CAND-1"}]);
    let fingerprints = json!([{"m": "CAND-1", "k": [1, 2], "u": true}]);
    let stored = stored_batch(&backend, KindTag::Achievement, AWARDING, &records, &fingerprints).await;
    let gateway = start_with(&stored, &backend, &lrs).await;
    let caller = gateway.caller().with_claims(json!({"org": AWARDING, "preferred_username": "a.officer"})).with_header("Prefer", "wait=30");

    let path = format!("/v1/achievement-batches/{}", stored.batch.id);
    assert_eq!(caller.request("GET", &path).await.expect_success()["status"], "COMPLETE");

    let results = caller.request("GET", &format!("{path}/results")).await.expect_success();
    assert_eq!((&results["results"][0]["outcome"], &results["results"][0]["misIdentifier"]), (&json!("ACCEPTED"), &json!("CAND-1")));
}

async fn batch_of_a_later_version_waits_and_nothing_is_sent(backend: BatchBackend) {
    let lrs = SimulatedLrs::with_instant_jobs();
    let records = json!([{"givenName": "Gwenllian", "familyName": "Price"}]);
    let mut stored = stored_batch(&backend, KindTag::Registration, PROVIDER, &records, &json!([{"k": [1, 2]}])).await;
    let (_, encrypted_records) = stored.blobs.iter_mut().find(|(name, _)| *name == BlobName::Records(1)).expect("the batch has records");
    encrypted_records[0] = 255; // a format that this version does not know
    let gateway = start_with(&stored, &backend, &lrs).await;

    wait_until_deferred(&backend).await;
    let path = format!("/v1/registration-batches/{}", stored.batch.id);
    assert_eq!(gateway.caller().request("GET", &path).await.expect_success()["status"], "ACCEPTED");
    assert!(lrs.simulator.jobs().submissions().is_empty());
    let batch = backend.repository.load(stored.batch.id).await.expect("the repository responds");
    assert_eq!(batch.expect("the batch is stored").parts, stored.batch.parts);
}

async fn achievement_with_an_unknown_placeholder_waits_and_nothing_is_sent(backend: BatchBackend) {
    let lrs = SimulatedLrs::with_instant_jobs();
    let packed = STORED_ACHIEVEMENTS.replace("the code of WITHDRAW?>", "the code of SUSPEND!?>");
    assert_ne!(packed, STORED_ACHIEVEMENTS);
    let stored = stored_achievements(&backend, &packed).await;
    let gateway = start_with(&stored, &backend, &lrs).await;

    wait_until_deferred(&backend).await;

    let caller = gateway.caller().with_claims(json!({"org": AWARDING, "preferred_username": "a.officer"}));
    let path = format!("/v1/achievement-batches/{}", stored.batch.id);
    assert_eq!(caller.request("GET", &path).await.expect_success()["status"], "ACCEPTED");
    assert_eq!(lrs.simulator.request_count("SubmitAchievementBatchJob"), 0);
    let batch = backend.repository.load(stored.batch.id).await.expect("the repository responds");
    assert_eq!(batch.expect("the batch is stored").parts, stored.batch.parts, "the part waits, and its records are kept");
}

#[test]
fn achievements_are_stored_as_batches_have_them() {
    let required = json!({"actionDate": "2025-07-01", "achievementAwardDate": "2025-06-30", "uln": "3000000126", "givenName": "Ana",
        "familyName": "O'Neill", "providerUkprn": "10088881", "unitOrQualificationReferenceNumber": "600/0000/9"});
    let optional = json!({"actionReason": "Appeal", "dateOfBirth": "2003-04-05", "gender": "FEMALE", "learnerPostcode": "ZZ99 9ZZ",
        "grade": "Pass <*>", "languageForAssessment": "English", "misIdentifier": "CAND-1"});
    let achievement = |action: &str, optional: &Value| -> Achievement {
        let mut fields = required.as_object().expect("an object").clone();
        fields.extend(optional.as_object().expect("an object").clone());
        fields.insert("action".to_owned(), json!(action));
        from_json(Value::Object(fields).to_string().as_bytes()).expect("the achievement is valid")
    };
    let all = [("CREATE", &optional), ("UPDATE", &json!({})), ("WITHDRAW", &json!({})), ("REINSTATE", &json!({}))];
    let packed = pack::<Achievements>(&all.map(|(action, optional)| achievement(action, optional))).expect("legal characters");
    assert_eq!(String::from_utf8(packed).expect("a text"), STORED_ACHIEVEMENTS);
}

#[tokio::test]
async fn stored_achievements_are_sent_with_the_codes_of_their_actions() {
    let backend = BatchBackend::in_memory();
    let lrs = FakeServer::with_response(Vec::new());
    let stored = stored_achievements(&backend, STORED_ACHIEVEMENTS).await;
    backend.repository.create(&stored).await.expect("the batch is created");
    let _gateway = TestGateway::with(&lrs.url(), backend.options(KEY));

    wait_until(|| !lrs.received().is_empty(), || "the batch is sent".to_owned()).await;

    let body = &lrs.received()[0].body;
    let sent = body.split("svc:achievements>").nth(1).expect("the message has achievements");
    let end = "<svc:ProviderUkprn>10088881</svc:ProviderUkprn><svc:Uln>3000000126</svc:Uln>\
               <svc:UnitOrQualificationReferenceNumber>600/0000/9</svc:UnitOrQualificationReferenceNumber></svc:Achievement>";
    let start = |action: i32| {
        format!(
            "<svc:Achievement><svc:AchievementAwardDate>2025-06-30T00:00:00</svc:AchievementAwardDate>\
             <svc:Action>{action}</svc:Action><svc:ActionDate>2025-07-01T00:00:00</svc:ActionDate>"
        )
    };
    let full = "<svc:ActionReason>Appeal</svc:ActionReason><svc:DateofBirth>2003-04-05T00:00:00</svc:DateofBirth>\
                <svc:FamilyName>O'Neill</svc:FamilyName><svc:Gender>2</svc:Gender><svc:GivenName>Ana</svc:GivenName>\
                <svc:Grade>Pass &lt;*&gt;</svc:Grade><svc:LanguageForAssessment>English</svc:LanguageForAssessment>\
                <svc:LearnerPostcode>ZZ99 9ZZ</svc:LearnerPostcode><svc:MisIdentifier>CAND-1</svc:MisIdentifier>";
    let short = "<svc:FamilyName>O'Neill</svc:FamilyName><svc:GivenName>Ana</svc:GivenName>";
    let expected: String =
        [(1, full), (2, short), (3, short), (4, short)].map(|(action, texts)| [start(action).as_str(), texts, end].concat()).concat();
    assert_eq!(sent.strip_suffix("</"), Some(expected.as_str()));
}
