//! The guarantees of every batch repository. Each function expects an empty queue and leaves it empty.

use std::time::{Duration, Instant};

use lrs_gateway::batches::model::{BatchId, BlobName, EpochMillis, KindTag, LrsText, Part, PartState, Reconciliation};
use lrs_gateway::batches::repository::{BatchRepository, BlobChanges, PartUpdate};

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

pub async fn due_batch_is_leased_once(repository: &dyn BatchRepository) {
    let batches = [create(repository).await, create(repository).await];
    let first = repository.claim(LEASE, 1).await.expect("the repository responds").leases;
    let second = claim_leases(repository).await;

    let mut ids: Vec<BatchId> = first.iter().chain(&second).map(|lease| lease.id).collect();
    ids.sort();
    assert_eq!(ids, batches.each_ref().map(|batch| batch.id));
    assert_ne!(first[0].token, second[0].token);
    assert!(claim_leases(repository).await.is_empty());

    for lease in first.into_iter().chain(second) {
        repository.release(lease, None).await.expect("the lease is released");
    }
    assert_eq!(claim(repository, LEASE).await.next, None);
}

pub async fn released_batch_is_due_at_its_next_time(repository: &dyn BatchRepository) {
    let batches = [create(repository).await, create(repository).await];
    let leases = claim_leases(repository).await;
    let now = claim(repository, LEASE).await.now;
    let next = now.after(Duration::from_secs(60));

    repository.release(leases[0], Some(next)).await.expect("the lease is released");
    repository.release(leases[1], None).await.expect("the lease is released");

    let later = claim(repository, LEASE).await;
    assert!(later.leases.is_empty());
    assert_eq!(later.next, Some(next), "a claim returns the time until which no batch is due");
    for batch in &batches {
        repository.erase(batch).await.expect("the batch is erased");
    }
    assert_eq!(claim(repository, LEASE).await.next, None);
}

pub async fn backlog_counts_unfinished_and_overdue_batches(repository: &dyn BatchRepository) {
    let count = async || {
        let backlog = repository.backlog().await.expect("the repository responds");
        (backlog.unfinished, backlog.claimable, backlog.oldest_claimable_age.as_secs())
    };
    assert_eq!(count().await, (0, 0, 0));
    let batches = [create(repository).await, create(repository).await];
    assert_eq!(count().await, (2, 2, 0), "new batches are due immediately, not since 1970");
    let leases = claim_leases(repository).await;
    assert_eq!(count().await, (2, 0, 0), "leased batches are not overdue");

    let now = repository.now().await.expect("the repository has a clock");
    repository.release(leases[0], Some(now.after(LEASE))).await.expect("the lease is released");
    assert_eq!(count().await, (2, 0, 0), "a batch that is due later is not overdue");
    repository.release(leases[1], Some(EpochMillis(now.0 - 5_000))).await.expect("the lease is released");
    let (unfinished, overdue, oldest) = count().await;
    assert_eq!((unfinished, overdue), (2, 1));
    assert!((5..30).contains(&oldest), "{oldest} seconds");

    let lease = claim_one(repository).await;
    repository.release(lease, None).await.expect("the lease is released");
    assert_eq!(count().await, (1, 0, 0), "a finished batch is not counted");
    for batch in &batches {
        repository.erase(batch).await.expect("the batch is erased");
    }
    assert_eq!(count().await, (0, 0, 0));
}

pub async fn woken_batch_is_due_immediately(repository: &dyn BatchRepository) {
    let batch = create(repository).await;
    let lease = claim_one(repository).await;
    repository.wake(batch.id).await.expect("the batch is woken");
    assert!(claim_leases(repository).await.is_empty(), "a batch that is woken during its lease stays leased");
    let much_later = claim(repository, LEASE).await.now.after(LEASE);
    repository.release(lease, Some(much_later)).await.expect("the lease is released");
    let lease = claim_one(repository).await;
    repository.release(lease, Some(much_later)).await.expect("the lease is released");
    assert!(claim_leases(repository).await.is_empty(), "the batch was woken once");

    repository.wake(batch.id).await.expect("the batch is woken");
    let lease = claim_one(repository).await;

    repository.erase(&batch).await.expect("the batch is erased");
    repository.release_missing(lease).await.expect("the lease is released");
    assert_eq!(claim(repository, LEASE).await.next, None);
}

pub async fn scheduled_batch_is_due_at_that_time_or_earlier(repository: &dyn BatchRepository) {
    let batch = create(repository).await;
    let lease = claim_one(repository).await;
    let now = repository.now().await.expect("the repository has a clock");
    let (soon, later) = (now.after(Duration::from_secs(60)), now.after(Duration::from_secs(120)));
    let schedule = async |time| repository.schedule(batch.id, time).await.expect("the batch is scheduled");
    schedule(soon).await;
    repository.release(lease, None).await.expect("the lease is released");
    assert_eq!(claim(repository, LEASE).await.next, Some(soon), "the end of the lease does not remove the visit");
    schedule(later).await;
    assert_eq!(claim(repository, LEASE).await.next, Some(soon), "a later time changes nothing");

    schedule(now).await;
    let lease = claim_one(repository).await;
    schedule(soon).await;
    repository.release(lease, Some(later)).await.expect("the lease is released");
    assert_eq!(claim(repository, LEASE).await.next, Some(soon));

    schedule(now).await;
    let lease = claim_one(repository).await;
    schedule(now).await;
    assert!(claim_leases(repository).await.is_empty(), "a leased batch is not leased twice");
    repository.release(lease, Some(later)).await.expect("the lease is released");
    let lease = claim_one(repository).await;
    repository.release(lease, None).await.expect("the lease is released");
    assert_eq!(claim(repository, LEASE).await.next, None);
    repository.erase(&batch).await.expect("the batch is erased");
}

pub async fn expired_lease_is_taken_over(repository: &dyn BatchRepository) {
    let batch = create(repository).await;
    let [expired] = claim(repository, Duration::from_millis(1)).await.leases[..] else { panic!("exactly one batch is due") };
    let started_at = Instant::now();
    let current = loop {
        if let [lease] = claim_leases(repository).await[..] {
            break lease;
        }
        assert!(started_at.elapsed() < Duration::from_secs(5), "the expired lease is not taken over");
        tokio::task::yield_now().await;
    };
    assert_eq!(current.id, batch.id);

    assert_eq!(repository.renew(expired, LEASE).await, Ok(false), "another worker holds the batch");
    repository.release(expired, Some(EpochMillis(0))).await.expect("the release is ignored");
    assert!(claim_leases(repository).await.is_empty());

    let lease_end = claim(repository, LEASE).await.next.expect("the lease has an end");
    assert_eq!(repository.renew(current, LEASE * 2).await, Ok(true));
    assert_eq!(repository.renew(current, LEASE * 2).await, Ok(true), "the holder can renew the lease repeatedly");
    assert!(claim(repository, LEASE).await.next.expect("the lease has an end") >= lease_end.after(LEASE));

    repository.release(current, None).await.expect("the lease is released");
    assert_eq!(repository.renew(current, LEASE).await, Ok(false), "a released lease cannot be renewed");
    assert_eq!(claim(repository, LEASE).await.next, None);
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

pub async fn shared_values_are_stored_by_name(repository: &dyn BatchRepository) {
    assert!(repository.load_shared().await.expect("the repository responds").is_empty());
    for (name, value) in [("first", &b"old"[..]), ("second", &[0, 255]), ("first", b"new")] {
        repository.store_shared(name, value).await.expect("the value is stored");
    }
    let shared = repository.load_shared().await.expect("the repository responds");
    assert_eq!((shared.len(), shared["first"].as_slice(), shared["second"].as_slice()), (2, &b"new"[..], &[0, 255][..]));
}
