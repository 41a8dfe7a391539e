//! The guarantees of every queue of batches: due times, leases, and the order in which batches are leased.

use std::time::{Duration, Instant};

use lrs_gateway::batches::model::{BatchId, EpochMillis, Rank};
use lrs_gateway::batches::repository::{BatchRepository, ClaimedBatch, Lease, Place};

use super::{LEASE, claim, claim_leases, claim_one, claim_within, create, create_of, ukprn};
use crate::support::batch_backend::claim_limits;

pub async fn due_batch_is_leased_once(repository: &dyn BatchRepository) {
    let batches = [create(repository).await, create(repository).await];
    let first = repository.claim(LEASE, &claim_limits(1)).await.expect("the repository responds").batches[0].lease;
    let second = claim_leases(repository).await;

    let mut ids: Vec<BatchId> = std::iter::once(&first).chain(&second).map(|lease| lease.id).collect();
    ids.sort();
    assert_eq!(ids, batches.each_ref().map(|batch| batch.id));
    assert_ne!(first.token, second[0].token);
    assert!(claim_leases(repository).await.is_empty());

    for lease in std::iter::once(first).chain(second) {
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
    assert!(later.batches.is_empty());
    assert_eq!(later.next, Some(next), "a claim returns the time until which no batch is due");
    for batch in &batches {
        repository.erase(batch).await.expect("the batch is erased");
    }
    assert_eq!(claim(repository, LEASE).await.next, None);
}

pub async fn release_returns_whether_the_batch_is_due_now(repository: &dyn BatchRepository) {
    let batch = create(repository).await;
    let now = repository.now().await.expect("the repository has a clock");
    let (past, later) = (EpochMillis(now.0 - 1000), now.after(LEASE * 10));
    let due_again = async || {
        repository.wake(batch.id).await.expect("the batch is woken");
        claim_one(repository).await
    };
    let release = async |lease, due_at| repository.release(lease, due_at).await;
    let lease = claim_one(repository).await;
    assert_eq!(release(lease, None).await, Ok(false), "no further visit");
    assert_eq!(release(lease, Some(past)).await, Ok(false), "the lease has ended");

    assert_eq!(release(due_again().await, Some(later)).await, Ok(false), "due later");
    assert_eq!(release(due_again().await, Some(past)).await, Ok(true), "due immediately");
    for due_at in [None, Some(later)] {
        let lease = due_again().await;
        repository.wake(batch.id).await.expect("the batch is woken");
        assert_eq!(release(lease, due_at).await, Ok(true), "woken during the lease");

        let lease = due_again().await;
        repository.schedule(batch.id, past).await.expect("the batch is scheduled");
        assert_eq!(release(lease, due_at).await, Ok(true), "scheduled during the lease for an earlier time");
    }
    let lease = due_again().await;
    repository.schedule(batch.id, now.after(LEASE)).await.expect("the batch is scheduled");
    assert_eq!(release(lease, Some(later)).await, Ok(false), "scheduled for an earlier time that has not come");

    repository.erase(&batch).await.expect("the batch is erased");
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

pub async fn lost_batch_is_enqueued_and_a_queued_one_is_left_as_it_is(repository: &dyn BatchRepository) {
    let (first, second) = (create(repository).await, create(repository).await);
    let enqueue = async |id| repository.enqueue_if_lost(id).await.expect("the repository responds");
    let now = repository.now().await.expect("the repository has a clock");
    for lease in claim_leases(repository).await {
        // The second one comes first: it has the lower rank, and has been due longer.
        let (rank, due_at) = if lease.id == first.id { (30, now.0 - 1000) } else { (3, now.0 - 2000) };
        let place = Place { organisation: ukprn("10088881"), rank: Rank::of_sending(rank) };
        repository.release_to(lease, EpochMillis(due_at), &place).await.expect("the lease is released");
    }
    enqueue(first.id).await;
    let (leased, _) = claim_within(repository, 1, 1, &[]).await;
    assert_eq!(leased[0].1.id, second.id, "a waiting batch keeps its place");

    enqueue(second.id).await;
    repository.release(leased[0].1, None).await.expect("the lease is released");
    let lease = claim_one(repository).await;
    assert_eq!(lease.id, first.id, "a leased batch is not woken");

    repository.release(lease, None).await.expect("the lease is released");
    enqueue(second.id).await;
    let lease = claim_one(repository).await;
    assert_eq!(lease.id, second.id, "a lost batch is due");
    release_all(repository, [lease]).await;
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
    let [ClaimedBatch { lease: expired, .. }] = claim(repository, Duration::from_millis(1)).await.batches[..] else {
        panic!("exactly one batch is due")
    };
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

/// Ends leases of batches that need no further visit.
async fn release_all(repository: &dyn BatchRepository, leases: impl IntoIterator<Item = Lease>) {
    for lease in leases {
        repository.release(lease, None).await.expect("the lease is released");
    }
    assert_eq!(claim(repository, LEASE).await.next, None, "the queue is empty");
}

pub async fn organisation_at_its_limit_is_left_out(repository: &dyn BatchRepository) {
    let (busy, other) = ("10055551", "10055552");
    for organisation in [busy, busy, busy, other] {
        create_of(repository, organisation).await;
    }
    let (first, claim) = claim_within(repository, 10, 5, &[(busy, 0)]).await;
    assert_eq!(first.iter().map(|(organisation, _)| organisation.as_str()).collect::<Vec<_>>(), [other]);
    assert_eq!(claim.contended, [ukprn(busy)]);
    let lease_end = claim.now.after(LEASE);
    assert_eq!(claim.next, Some(lease_end), "a batch that the worker cannot take wakes it at no time");

    let (second, claim) = claim_within(repository, 10, 5, &[(busy, 2), (other, 4)]).await;
    assert_eq!(second.iter().map(|(organisation, _)| organisation.as_str()).collect::<Vec<_>>(), [busy, busy]);
    assert_eq!(claim.contended, [ukprn(busy)]);
    let (third, claim) = claim_within(repository, 10, 1, &[]).await;
    assert_eq!((third.len(), claim.contended.len()), (1, 0));

    let full = claim_within(repository, 0, 5, &[(busy, 1)]).await.1;
    assert!(full.batches.is_empty() && full.next >= Some(lease_end));
    release_all(repository, [first, second, third].concat().into_iter().map(|(_, lease)| lease)).await;
}

pub async fn organisations_have_their_turns_one_after_the_other(repository: &dyn BatchRepository) {
    let organisations = ["10055551", "10055552", "10055553"];
    for organisation in [0, 0, 0, 0, 1, 1, 2].map(|index: usize| organisations[index]) {
        create_of(repository, organisation).await;
        // The order of turns that begin in the same millisecond is that of the organisations.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let mut claimed = Vec::new();
    for _ in 0..7 {
        claimed.extend(claim_within(repository, 1, 1, &[]).await.0);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let order: Vec<usize> = claimed
        .iter()
        .map(|(claimed, _)| organisations.iter().position(|organisation| organisation == claimed).expect("it is known"))
        .collect();
    assert_eq!(order, [0, 1, 2, 0, 1, 0, 0]);
    release_all(repository, claimed.into_iter().map(|(_, lease)| lease)).await;
}

pub async fn turns_of_an_organisation_alternate_between_the_lowest_rank_and_the_longest_waiting(repository: &dyn BatchRepository) {
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(create(repository).await.id);
    }
    let now = repository.now().await.expect("the repository has a clock");
    for lease in claim_leases(repository).await {
        let index = ids.iter().position(|id| *id == lease.id).expect("it is one of these batches");
        // The last one is polled: that comes after all that is sent.
        let rank = Rank::of_sending([30, 30, 20, 1, 2, 0][index]);
        let place = Place { organisation: ukprn("10088881"), rank };
        let due_at = EpochMillis(now.0 - 1000 + i64::try_from(index).expect("a small number"));
        repository.release_to(lease, due_at, &place).await.expect("the lease is released");
    }
    let mut leases = Vec::new();
    for _ in 0..6 {
        leases.extend(claim_within(repository, 1, 1, &[]).await.0.into_iter().map(|(_, lease)| lease));
    }
    let order: Vec<usize> = leases.iter().map(|lease| ids.iter().position(|id| *id == lease.id).expect("it is known")).collect();
    assert_eq!(order, [3, 0, 4, 1, 2, 5]);
    release_all(repository, leases).await;
}

pub async fn batch_of_unknown_place_waits_until_it_gets_one(repository: &dyn BatchRepository) {
    let batch = create(repository).await;
    release_all(repository, [claim_one(repository).await]).await;
    repository.wake(batch.id).await.expect("the batch is woken");

    // Its organisation is not known to the queue, so the limits of organisations do not count.
    let (unknown, _) = claim_within(repository, 10, 0, &[]).await;
    assert_eq!(unknown.iter().map(|(organisation, lease)| (organisation.as_str(), lease.id)).collect::<Vec<_>>(), [("", batch.id)]);
    let (_, lease) = unknown[0];
    let place = Place { organisation: ukprn("10088881"), rank: Rank::FIRST };
    let now = repository.now().await.expect("the repository has a clock");
    repository.release_to(lease, now, &place).await.expect("the lease is released");
    assert!(claim_within(repository, 10, 0, &[]).await.0.is_empty());

    let (known, _) = claim_within(repository, 10, 1, &[]).await;
    assert_eq!(known.iter().map(|(organisation, lease)| (organisation.as_str(), lease.id)).collect::<Vec<_>>(), [("10088881", batch.id)]);
    release_all(repository, known.into_iter().map(|(_, lease)| lease)).await;
}
