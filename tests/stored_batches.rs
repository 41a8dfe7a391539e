//! Batches that an earlier version has stored: records and fingerprints as lists in JSON.

use std::time::{Duration, Instant};

use lrs_gateway::batches::metadata::BatchMetadata;
use lrs_gateway::batches::model::{Batch, BatchHeader, BatchId, BlobName, KindTag, Part};
use lrs_gateway::batches::repository::NewBatch;
use lrs_gateway::domain::{JobType, SubmissionType, Ukprn, UserName};
use lrs_gateway::schema::Scalar as _;
use serde_json::{Value, json};

use crate::support::batch_backend::{BatchBackend, KEY, key_ring, test_each_backend};
use crate::support::caller::PROVIDER;
use crate::support::gateway::AWARDING;
use crate::support::{SimulatedLrs, TestGateway};

/// Minimum time until a batch is visited again after a visit that failed.
const MIN_DEFERRAL: Duration = Duration::from_secs(30);

test_each_backend!(
    registration_batch_of_an_earlier_version_is_sent_and_its_results_are_matched,
    achievement_batch_of_an_earlier_version_is_sent,
    batch_of_a_later_version_waits_and_nothing_is_sent,
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

    let path = format!("/v1/registration-batches/{}", stored.batch.id);
    assert_eq!(gateway.caller().request("GET", &path).await.expect_success()["status"], "ACCEPTED");
    assert!(lrs.simulator.jobs().submissions().is_empty());
    let batch = backend.repository.load(stored.batch.id).await.expect("the repository responds");
    assert_eq!(batch.expect("the batch is stored").parts, stored.batch.parts);
}
