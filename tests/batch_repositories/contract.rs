//! The guarantees of every batch repository. Each function expects an empty queue and leaves it empty. Those of the queue are in
//! [`super::queue_contract`].

use lrs_gateway::batches::model::{Batch, BatchHeader, BatchId, BlobName, EpochMillis, KindTag, LrsText, Part, PartState, Reconciliation};
use lrs_gateway::batches::repository::{BatchRepository, BlobChanges, NewBatch, PartUpdate};

pub use super::queue_contract::*;
use super::{LEASE, claim, claim_leases, claim_one, create, id_at, load, new_batch, ukprn};

pub async fn created_batch_is_stored_with_all_blobs_and_due(repository: &dyn BatchRepository) {
    let new = new_batch(repository, KindTag::Verification, "10088882").await;
    let id = new.batch.id;
    assert_eq!(repository.load(id).await, Ok(None));

    repository.create(&new).await.expect("the batch is created");

    assert_eq!(repository.load(id).await, Ok(Some(new.batch.clone())));
    for (blob, bytes) in &new.blobs {
        assert_eq!(repository.load_blob(id, *blob).await.as_ref(), Ok(&Some(bytes.clone())));
    }
    assert_eq!(repository.load_blob(id, BlobName::JobOutput(1)).await, Ok(None));
    let lease = claim_one(repository).await;
    assert_eq!(lease.id, id);
    repository.release(lease, None).await.expect("the lease is released");
}

pub async fn batch_created_again_stays_as_it_is(repository: &dyn BatchRepository) {
    let first = new_batch(repository, KindTag::Registration, "10088883").await;
    assert_eq!(repository.create(&first).await, Ok(true));
    let mut again = new_batch(repository, KindTag::Registration, "10088883").await;
    again.batch.id = first.batch.id;
    again.batch.parts[0].send_attempts = 7;
    again.blobs.iter_mut().for_each(|(_, bytes)| bytes.extend_from_slice(b" again"));

    assert_eq!(repository.create(&again).await, Ok(true));

    assert_eq!(load(repository, first.batch.id).await, first.batch);
    for (blob, bytes) in &first.blobs {
        assert_eq!(repository.load_blob(first.batch.id, *blob).await.as_ref(), Ok(&Some(bytes.clone())), "{blob}");
    }
    let lease = claim_one(repository).await;
    repository.release(lease, None).await.expect("the lease is released");
}

pub async fn erased_batch_is_not_created_again(repository: &dyn BatchRepository) {
    let organisation = "10088884";
    let new = new_batch(repository, KindTag::Registration, organisation).await;
    assert_eq!(repository.create(&new).await, Ok(true));
    repository.erase(&new.batch).await.expect("the batch is erased");

    for _ in 0..2 {
        assert_eq!(repository.create(&new).await, Ok(false));

        assert_eq!(repository.load(new.batch.id).await, Ok(None));
        for (blob, _) in &new.blobs {
            assert_eq!(repository.load_blob(new.batch.id, *blob).await, Ok(None), "{blob}");
        }
        assert_eq!(repository.list_ids(&ukprn(organisation), KindTag::Registration, None, 10).await, Ok(Vec::new()));
        assert_eq!(claim(repository, LEASE).await.next, None, "no worker visits the batch");
    }
}

pub async fn part_update_needs_the_expected_part(repository: &dyn BatchRepository) {
    let batch = create(repository).await;
    let id = batch.id;
    let waiting = batch.part(2).expect("the part exists").clone();
    let sending = Part { state: PartState::Sending, send_attempts: 1, sender_token: 7, ..waiting.clone() };
    let sending_elsewhere = Part { sender_token: 8, ..sending.clone() };
    let no_blobs = BlobChanges::default();
    let update = async |expected, updated, blobs| repository.update_part(id, PartUpdate { number: 2, expected, updated, blobs }).await;
    assert_eq!(update(&waiting, &sending, &no_blobs).await, Ok(true));
    assert_eq!(update(&waiting, &sending_elsewhere, &no_blobs).await, Ok(false), "another worker has changed the part");
    assert_eq!(update(&waiting, &sending, &no_blobs).await, Ok(true), "the same update is idempotent");

    let submitted = Part {
        state: PartState::Submitted,
        job_id: Some(900_001),
        lrs_code: Some(LrsText::Sealed { sealed: "AQID".to_owned() }),
        sent_at: Some(EpochMillis(1)),
        reconciliation: Some(Reconciliation::starting(EpochMillis(2))),
        ..sending.clone()
    };
    let blobs = BlobChanges {
        put: vec![(BlobName::JobOutput(2), vec![0, 255, 10])],
        delete: vec![BlobName::Records(2), BlobName::ResubmittedBy(2)],
    };
    assert_eq!(update(&sending, &submitted, &blobs).await, Ok(true));
    assert_eq!(repository.load_blob(id, BlobName::JobOutput(2)).await, Ok(Some(vec![0, 255, 10])));
    assert_eq!(repository.load_blob(id, BlobName::Records(2)).await, Ok(None));

    let late = Part { job_id: Some(1), ..submitted.clone() };
    let late_blobs = BlobChanges { put: vec![(BlobName::JobOutput(2), b"late".to_vec())], delete: vec![BlobName::Records(1)] };
    assert_eq!(update(&sending, &late, &late_blobs).await, Ok(false));
    assert_eq!(repository.load_blob(id, BlobName::JobOutput(2)).await, Ok(Some(vec![0, 255, 10])), "a late update overwrites no blob");
    assert!(repository.load_blob(id, BlobName::Records(1)).await.expect("the repository responds").is_some());
    assert_eq!(load(repository, id).await.parts, [batch.parts[0].clone(), submitted.clone(), batch.parts[2].clone()]);

    repository.erase(&batch).await.expect("the batch is erased");
    assert_eq!(update(&submitted, &sending, &blobs).await, Ok(false));
    assert_eq!(repository.load(id).await, Ok(None), "an update does not restore an erased batch");
    assert_eq!(claim(repository, LEASE).await.next, None);
}

pub async fn part_update_of_a_missing_part_or_batch_changes_nothing(repository: &dyn BatchRepository) {
    let batch = create(repository).await;
    let waiting = batch.part(2).expect("the part exists");
    let sending = Part { state: PartState::Sending, ..waiting.clone() };
    let blobs = BlobChanges::default();
    for (id, number) in [(batch.id, 4), (BatchId::new(), 1)] {
        let update = PartUpdate { number, expected: waiting, updated: &sending, blobs: &blobs };
        assert_eq!(repository.update_part(id, update).await, Ok(false), "part {number}");
    }
    assert_eq!(load(repository, batch.id).await, batch);
    repository.erase(&batch).await.expect("the batch is erased");
}

pub async fn lists_are_by_organisation_and_kind_and_newest_first(repository: &dyn BatchRepository) {
    let organisation = ukprn("10077771");
    let mut ids = Vec::new();
    for kind in [KindTag::Registration, KindTag::Achievement, KindTag::Registration, KindTag::Registration] {
        let new = new_batch(repository, kind, organisation.as_str()).await;
        repository.create(&new).await.expect("the batch is created");
        ids.push(new.batch.id);
    }
    for lease in claim_leases(repository).await {
        repository.release(lease, None).await.expect("the lease is released");
    }
    let list = async |kind, after, limit| repository.list_ids(&organisation, kind, after, limit).await.expect("the repository responds");
    assert_eq!(list(KindTag::Registration, None, 10).await, [ids[3], ids[2], ids[0]]);
    assert_eq!(list(KindTag::Registration, None, 2).await, [ids[3], ids[2]]);
    assert_eq!(list(KindTag::Registration, Some(ids[2]), 2).await, [ids[0]]);
    assert_eq!(list(KindTag::Achievement, None, 10).await, [ids[1]]);
    assert!(list(KindTag::Verification, None, 10).await.is_empty());
    let of_another = repository.list_ids(&ukprn("10077772"), KindTag::Registration, None, 10).await;
    assert!(of_another.expect("the repository responds").is_empty());

    repository.erase(&load(repository, ids[2]).await).await.expect("the batch is erased");
    assert_eq!(list(KindTag::Registration, None, 10).await, [ids[3], ids[0]]);
}

pub async fn lists_start_at_the_time_of_a_batch(repository: &dyn BatchRepository) {
    let organisation = ukprn("10077773");
    let now = repository.now().await.expect("the repository has a clock");
    let time = |minutes: i64| EpochMillis(now.0 - minutes * 60_000);
    let ids: Vec<BatchId> = [(30, 0), (20, 0), (20, 1), (10, 0)].map(|(minutes, number)| id_at(time(minutes), number)).into();
    for id in &ids {
        let mut new = new_batch(repository, KindTag::Registration, organisation.as_str()).await;
        new.batch.id = *id;
        repository.create(&new).await.expect("the batch is created");
    }
    for lease in claim_leases(repository).await {
        repository.release(lease, None).await.expect("the lease is released");
    }
    let before = async |minutes, limit| {
        let listed = repository.list_ids(&organisation, KindTag::Registration, Some(BatchId::min_at(time(minutes))), limit).await;
        listed.expect("the repository responds")
    };
    assert_eq!(before(5, 10).await, [ids[3], ids[2], ids[1], ids[0]]);
    assert_eq!(before(10, 10).await, [ids[2], ids[1], ids[0]], "the time itself is not included");
    assert_eq!(before(15, 2).await, [ids[2], ids[1]]);
    assert_eq!(before(20, 10).await, [ids[0]]);
    assert!(before(30, 10).await.is_empty());
}

pub async fn expired_batch_is_deleted_with_its_blobs(repository: &dyn BatchRepository) {
    let batch = create(repository).await;
    for lease in claim_leases(repository).await {
        repository.release(lease, None).await.expect("the lease is released");
    }
    let now = repository.now().await.expect("the repository has a clock");

    repository.set_expiry(&batch, now.after(LEASE)).await.expect("the expiry is set");
    assert_eq!(load(repository, batch.id).await.expires_at, now.after(LEASE));

    repository.set_expiry(&batch, EpochMillis(now.0 - 1)).await.expect("the expiry is set");
    assert_eq!(repository.load(batch.id).await, Ok(None));
    for blob in BlobName::all(3) {
        assert_eq!(repository.load_blob(batch.id, blob).await, Ok(None), "{blob}");
    }
}

pub async fn acceptance_is_known_after_the_batch_is_gone(repository: &dyn BatchRepository) {
    let new = new_batch(repository, KindTag::Registration, "10088881").await;
    assert_eq!(repository.was_accepted(new.batch.id).await, Ok(false));
    let [erased, expired] = [create(repository).await, create(repository).await];
    for lease in claim_leases(repository).await {
        repository.release(lease, None).await.expect("the lease is released");
    }
    let now = repository.now().await.expect("the repository has a clock");
    repository.erase(&erased).await.expect("the batch is erased");
    repository.set_expiry(&expired, EpochMillis(now.0 - 1)).await.expect("the expiry is set");
    for batch in [erased, expired] {
        assert_eq!(repository.load(batch.id).await, Ok(None));
        assert_eq!(repository.was_accepted(batch.id).await, Ok(true));
    }
}

/// Returns a batch of an adopted job, which is not stored yet.
async fn adopted(repository: &dyn BatchRepository, organisation: &str, kind: KindTag, job_id: i64) -> NewBatch {
    let now = repository.now().await.expect("the repository has a clock");
    let header = BatchHeader::new(kind, &ukprn(organisation), 1, now).adopted();
    let parts = vec![Part::adopted(job_id, now)];
    NewBatch { batch: Batch { id: BatchId::new(), header, parts, expires_at: now.after(LEASE) }, blobs: Vec::new() }
}

pub async fn adopted_job_keeps_its_first_batch_until_that_is_erased(repository: &dyn BatchRepository) {
    let [first, second] =
        [adopted(repository, "10077781", KindTag::Registration, 7).await, adopted(repository, "10077781", KindTag::Registration, 7).await];
    let register = async |new: &NewBatch| repository.register_job(&new.batch).await.expect("the repository responds");
    assert_eq!(register(&first).await, first.batch.id);
    assert_eq!(register(&first).await, first.batch.id, "the same registration is idempotent");
    repository.create(&first).await.expect("the batch is created");
    assert_eq!(register(&second).await, first.batch.id);
    for other in [
        adopted(repository, "10077782", KindTag::Registration, 7).await,
        adopted(repository, "10077781", KindTag::Verification, 7).await,
        adopted(repository, "10077781", KindTag::Registration, 8).await,
    ] {
        assert_eq!(register(&other).await, other.batch.id, "another organisation, kind or job");
    }
    repository.unregister_job(&second.batch).await.expect("the repository responds");
    assert_eq!(register(&second).await, first.batch.id, "only the registered batch can end its registration");

    repository.erase(&first.batch).await.expect("the batch is erased");
    assert_eq!(register(&second).await, second.batch.id);
    repository.erase(&first.batch).await.expect("the batch is erased");
    assert_eq!(register(&first).await, second.batch.id, "a late erasure leaves the registration of another batch");
    assert_eq!(claim(repository, LEASE).await.next, None);
}

pub async fn registration_of_a_job_expires_with_its_batch(repository: &dyn BatchRepository) {
    let [first, second] =
        [adopted(repository, "10077783", KindTag::Registration, 9).await, adopted(repository, "10077783", KindTag::Registration, 9).await];
    repository.register_job(&first.batch).await.expect("the repository responds");
    repository.create(&first).await.expect("the batch is created");
    for lease in claim_leases(repository).await {
        repository.release(lease, None).await.expect("the lease is released");
    }
    let now = repository.now().await.expect("the repository has a clock");
    repository.set_expiry(&first.batch, EpochMillis(now.0 - 1)).await.expect("the expiry is set");
    assert_eq!(repository.register_job(&second.batch).await, Ok(second.batch.id));
}

pub async fn shared_values_are_stored_by_name(repository: &dyn BatchRepository) {
    assert!(repository.load_shared().await.expect("the repository responds").is_empty());
    for (name, value) in [("first", &b"old"[..]), ("second", &[0, 255]), ("first", b"new")] {
        repository.store_shared(name, value).await.expect("the value is stored");
    }
    let shared = repository.load_shared().await.expect("the repository responds");
    assert_eq!((shared.len(), shared["first"].as_slice(), shared["second"].as_slice()), (2, &b"new"[..], &[0, 255][..]));
}
