//! Stores keep their promises: the same tests for every one of them, in memory and in Redis alone, as a cluster, and behind a sentinel.

use std::time::{Duration, Instant};

use lrs_gateway::batches::model::{Batch, BatchHeader, BatchId, EpochMillis, KindTag, Part, PartBlob, PartState};
use lrs_gateway::batches::repository::memory::MemoryRepository;
use lrs_gateway::batches::repository::{BatchRepository, BlobChanges, Claim, Lease, NewBatch, PartUpdate, StoreError};
use lrs_gateway::domain::Ukprn;
use lrs_gateway::schema::Scalar as _;

use crate::support::redis::{RedisCluster, SentinelRedis, TestRedis, free_port, store as store_at};
use crate::support::reply_cutting_proxy::ReplyCuttingProxy;

const LEASE: Duration = Duration::from_secs(30);

fn ukprn(text: &str) -> Ukprn {
    Ukprn::parse(text).expect("a UKPRN")
}

/// A batch of three parts.
async fn batch_of(store: &dyn BatchRepository, kind: KindTag, organisation: &str) -> NewBatch {
    let now = store.now().await.expect("a clock");
    let parts: Vec<Part> = (0..3).map(|number| Part::waiting(number * 200, 200, now)).collect();
    let header = BatchHeader::new(kind, &ukprn(organisation), 3, now);
    let batch = Batch { id: BatchId::new(), header, parts, expires_at: now.after(Duration::from_secs(3600)) };
    let blob = |blob: PartBlob| (blob, format!("sealed {blob}").into_bytes());
    let blobs = [PartBlob::Metadata, PartBlob::Records(1), PartBlob::Records(2), PartBlob::Records(3), PartBlob::Fingerprints(1)].map(blob);
    NewBatch { batch, blobs: blobs.into() }
}

async fn create(store: &dyn BatchRepository) -> Batch {
    let new = batch_of(store, KindTag::Registration, "10088881").await;
    store.create(&new).await.expect("created");
    new.batch
}

/// Leases everything that is due.
async fn claim(store: &dyn BatchRepository, lease: Duration) -> Claim {
    store.claim(lease, 100).await.expect("a claim")
}

async fn leased(store: &dyn BatchRepository) -> Vec<Lease> {
    claim(store, LEASE).await.leases
}

/// Every promise, one after the other: a batch of one test must not be due in the next.
async fn keeps_its_promises(store: &dyn BatchRepository) {
    a_batch_is_there_as_a_whole(store).await;
    a_part_changes_only_from_what_was_seen(store).await;
    a_batch_is_leased_to_one_at_a_time(store).await;
    what_there_is_to_do_is_counted(store).await;
    a_batch_that_is_woken_is_due_at_once(store).await;
    a_lease_that_has_run_out_is_anothers(store).await;
    lists_are_an_organisations_own_and_newest_first(store).await;
    batches_leave(store).await;
    replicas_share_small_things(store).await;
}

async fn a_batch_is_there_as_a_whole(store: &dyn BatchRepository) {
    let new = batch_of(store, KindTag::Verification, "10088882").await;
    let id = new.batch.id;
    assert_eq!(store.load(id).await, Ok(None));
    store.create(&new).await.expect("created");
    assert_eq!(store.load(id).await, Ok(Some(new.batch.clone())));
    for (blob, bytes) in &new.blobs {
        assert_eq!(store.load_blob(id, *blob).await.as_ref(), Ok(&Some(bytes.clone())));
    }
    assert_eq!(store.load_blob(id, PartBlob::JobOutput(1)).await, Ok(None));
    let leases = leased(store).await;
    assert_eq!(leases.iter().map(|lease| lease.id).collect::<Vec<_>>(), [id], "it is due at once");
    store.release(leases[0], None).await.expect("released");
}

async fn a_part_changes_only_from_what_was_seen(store: &dyn BatchRepository) {
    let batch = create(store).await;
    let seen = batch.part(2).expect("a part").clone();
    let sending = Part { state: PartState::Sending, send_attempts: 1, sender_token: 7, ..seen.clone() };
    let none = BlobChanges::default();
    assert_eq!(store.update_part(batch.id, PartUpdate { number: 2, expected: &seen, updated: &sending, blobs: &none }).await, Ok(true));
    assert_eq!(
        store
            .update_part(
                batch.id,
                PartUpdate { number: 2, expected: &seen, updated: &Part { sender_token: 8, ..sending.clone() }, blobs: &none }
            )
            .await,
        Ok(false),
        "somebody else has it"
    );
    assert_eq!(
        store.update_part(batch.id, PartUpdate { number: 2, expected: &seen, updated: &sending, blobs: &none }).await,
        Ok(true),
        "to say the same twice does no harm"
    );

    let done = Part { state: PartState::Submitted, job_id: Some(900_001), lrs_code: Some("WSRC0007".into()), ..sending.clone() };
    let blobs = BlobChanges {
        put: vec![(PartBlob::JobOutput(2), vec![0, 255, 10])],
        erase: vec![PartBlob::Records(2), PartBlob::ResubmittedBy(2)],
    };
    assert_eq!(store.update_part(batch.id, PartUpdate { number: 2, expected: &sending, updated: &done, blobs: &blobs }).await, Ok(true));
    assert_eq!(store.load_blob(batch.id, PartBlob::JobOutput(2)).await, Ok(Some(vec![0, 255, 10])));
    assert_eq!(store.load_blob(batch.id, PartBlob::Records(2)).await, Ok(None));
    let late = BlobChanges { put: vec![(PartBlob::JobOutput(2), b"late".to_vec())], erase: vec![PartBlob::Records(1)] };
    assert_eq!(
        store
            .update_part(
                batch.id,
                PartUpdate { number: 2, expected: &sending, updated: &Part { job_id: Some(1), ..done.clone() }, blobs: &late }
            )
            .await,
        Ok(false)
    );
    assert_eq!(store.load_blob(batch.id, PartBlob::JobOutput(2)).await, Ok(Some(vec![0, 255, 10])), "a late worker overwrites nothing");
    assert!(store.load_blob(batch.id, PartBlob::Records(1)).await.expect("read").is_some());
    let parts = store.load(batch.id).await.expect("read").expect("there").parts;
    assert_eq!(parts, [batch.parts[0].clone(), done.clone(), batch.parts[2].clone()]);

    assert_eq!(
        store.update_part(batch.id, PartUpdate { number: 4, expected: &seen, updated: &sending, blobs: &none }).await,
        Ok(false),
        "there is no such part"
    );
    assert_eq!(
        store.update_part(BatchId::new(), PartUpdate { number: 1, expected: &seen, updated: &sending, blobs: &none }).await,
        Ok(false),
        "there is no such batch"
    );
    store.erase(&batch).await.expect("erased");
    assert_eq!(store.update_part(batch.id, PartUpdate { number: 2, expected: &done, updated: &sending, blobs: &blobs }).await, Ok(false));
    assert_eq!(store.load(batch.id).await, Ok(None), "nothing comes back");
}

async fn a_batch_is_leased_to_one_at_a_time(store: &dyn BatchRepository) {
    let batches = [create(store).await, create(store).await];
    let first = store.claim(LEASE, 1).await.expect("a claim");
    let second = leased(store).await;
    let mut ids: Vec<BatchId> = first.leases.iter().chain(&second).map(|lease| lease.id).collect();
    ids.sort();
    assert_eq!(ids, batches.each_ref().map(|batch| batch.id));
    assert_ne!(first.leases[0].token, second[0].token);
    assert!(leased(store).await.is_empty());

    let now = claim(store, LEASE).await.now;
    store.release(first.leases[0], Some(now.after(Duration::from_secs(60)))).await.expect("released");
    store.release(second[0], None).await.expect("released");
    let later = claim(store, LEASE).await;
    assert!(later.leases.is_empty());
    assert_eq!(later.next, Some(now.after(Duration::from_secs(60))), "workers know how long there is nothing to do");
    store.erase(&batches[0]).await.expect("erased");
    store.erase(&batches[1]).await.expect("erased");
    assert_eq!(claim(store, LEASE).await.next, None);
}

async fn what_there_is_to_do_is_counted(store: &dyn BatchRepository) {
    let counted = async || {
        let backlog = store.backlog().await.expect("a backlog");
        (backlog.unfinished, backlog.overdue, backlog.oldest_overdue)
    };
    let none = Duration::ZERO;
    assert_eq!(counted().await, (0, 0, none));
    let batches = [create(store).await, create(store).await];
    assert_eq!(counted().await, (2, 2, none), "they are due at once, not since 1970");
    let leases = leased(store).await;
    assert_eq!(counted().await, (2, 0, none), "workers have them");
    let now = store.now().await.expect("a clock");
    store.release(leases[0], Some(now.after(LEASE))).await.expect("released");
    assert_eq!(counted().await, (2, 0, none), "due later");
    store.release(leases[1], Some(EpochMillis(now.0 - 5_000))).await.expect("released");
    let (unfinished, due, oldest) = counted().await;
    assert_eq!((unfinished, due), (2, 1));
    assert!((Duration::from_secs(5)..LEASE).contains(&oldest), "{oldest:?}");
    let [lease] = leased(store).await[..] else { panic!("one lease") };
    store.release(lease, None).await.expect("released");
    assert_eq!(counted().await, (1, 0, none), "one is over");
    for batch in batches {
        store.erase(&batch).await.expect("erased");
    }
    assert_eq!(counted().await, (0, 0, none));
}

async fn a_batch_that_is_woken_is_due_at_once(store: &dyn BatchRepository) {
    let batch = create(store).await;
    let [lease] = leased(store).await[..] else { panic!("one lease") };
    store.wake(batch.id).await.expect("woken");
    assert!(leased(store).await.is_empty(), "its worker keeps it");
    let far = claim(store, LEASE).await.now.after(LEASE);
    store.release(lease, Some(far)).await.expect("released");
    let [lease] = leased(store).await[..] else { panic!("due at once, because it was woken") };
    store.release(lease, Some(far)).await.expect("released");
    assert!(leased(store).await.is_empty(), "it was woken once");
    store.wake(batch.id).await.expect("woken");
    let [lease] = leased(store).await[..] else { panic!("due at once") };
    store.erase(&batch).await.expect("erased");
    store.release_missing(lease).await.expect("forgotten");
    assert_eq!(claim(store, LEASE).await.next, None);
}

async fn a_lease_that_has_run_out_is_anothers(store: &dyn BatchRepository) {
    let batch = create(store).await;
    let [late] = claim(store, Duration::from_millis(1)).await.leases[..] else { panic!("one lease") };
    let started = Instant::now();
    let taken_over = loop {
        if let [lease] = leased(store).await[..] {
            break lease;
        }
        assert!(started.elapsed() < Duration::from_secs(5), "it is never taken over");
        tokio::task::yield_now().await;
    };
    assert_eq!(taken_over.id, batch.id);
    assert_eq!(store.renew(late, LEASE).await, Ok(false), "it is somebody else's");
    store.release(late, Some(EpochMillis(0))).await.expect("nothing happens");
    assert!(leased(store).await.is_empty());
    let before = claim(store, LEASE).await.next.expect("the end of the lease");
    assert_eq!(store.renew(taken_over, LEASE * 2).await, Ok(true));
    assert_eq!(store.renew(taken_over, LEASE * 2).await, Ok(true), "as often as its holder wants");
    assert!(claim(store, LEASE).await.next.expect("the end of the lease") >= before.after(LEASE));
    store.release(taken_over, None).await.expect("released");
    assert_eq!(store.renew(taken_over, LEASE).await, Ok(false), "it was given back");
    assert_eq!(claim(store, LEASE).await.next, None);
    store.erase(&batch).await.expect("erased");
}

async fn lists_are_an_organisations_own_and_newest_first(store: &dyn BatchRepository) {
    let mine = ukprn("10077771");
    let mut ids = Vec::new();
    for kind in [KindTag::Registration, KindTag::Achievement, KindTag::Registration, KindTag::Registration] {
        let new = batch_of(store, kind, mine.as_str()).await;
        store.create(&new).await.expect("created");
        ids.push(new.batch.id);
        tokio::time::sleep(Duration::from_millis(2)).await; // identifiers count milliseconds
    }
    for lease in leased(store).await {
        store.release(lease, None).await.expect("released");
    }
    let list = async |kind, after, most| store.list_ids(&mine, kind, after, most).await.expect("a list");
    assert_eq!(list(KindTag::Registration, None, 10).await, [ids[3], ids[2], ids[0]]);
    assert_eq!(list(KindTag::Registration, None, 2).await, [ids[3], ids[2]]);
    assert_eq!(list(KindTag::Registration, Some(ids[2]), 2).await, [ids[0]]);
    assert_eq!(list(KindTag::Achievement, None, 10).await, [ids[1]]);
    assert!(list(KindTag::Verification, None, 10).await.is_empty());
    assert!(store.list_ids(&ukprn("10077772"), KindTag::Registration, None, 10).await.expect("a list").is_empty());
    store.erase(&store.load(ids[2]).await.expect("read").expect("there")).await.expect("erased");
    assert_eq!(list(KindTag::Registration, None, 10).await, [ids[3], ids[0]]);
}

async fn batches_leave(store: &dyn BatchRepository) {
    let batch = create(store).await;
    for lease in leased(store).await {
        store.release(lease, None).await.expect("released");
    }
    let now = store.now().await.expect("a clock");
    store.set_expiry(&batch, now.after(LEASE)).await.expect("kept");
    assert_eq!(store.load(batch.id).await.expect("read").expect("there").expires_at, now.after(LEASE));
    store.set_expiry(&batch, EpochMillis(now.0 - 1)).await.expect("kept");
    assert_eq!(store.load(batch.id).await, Ok(None));
    for blob in PartBlob::all(3) {
        assert_eq!(store.load_blob(batch.id, blob).await, Ok(None), "{blob}");
    }
}

async fn replicas_share_small_things(store: &dyn BatchRepository) {
    assert!(store.load_shared().await.expect("read").is_empty());
    store.store_shared("motto", b"first").await.expect("shared");
    store.store_shared("colour", &[0, 255]).await.expect("shared");
    store.store_shared("motto", b"second").await.expect("shared");
    let shared = store.load_shared().await.expect("read");
    assert_eq!((shared.len(), shared["motto"].as_slice(), shared["colour"].as_slice()), (2, &b"second"[..], &[0, 255][..]));
}

#[tokio::test]
async fn the_store_in_memory_keeps_its_promises() {
    keeps_its_promises(&MemoryRepository::default()).await;
}

#[tokio::test]
async fn redis_keeps_the_promises() {
    let redis = TestRedis::start();
    keeps_its_promises(&*redis.store()).await;
}

#[tokio::test]
async fn a_cluster_of_redis_keeps_the_promises() {
    let cluster = RedisCluster::start();
    let store = store_at(&cluster.url(), None);
    keeps_its_promises(&store).await;
    let used = cluster.nodes.iter().filter(|node| node.commands() > 20).count();
    assert_eq!(used, 3, "batches are spread over the nodes");
}

#[tokio::test]
async fn redis_behind_a_sentinel_keeps_the_promises_and_survives_its_master() {
    let mut watched = SentinelRedis::start();
    let store = store_at(&watched.url(), None);
    keeps_its_promises(&store).await;
    let batch = create(&store).await;
    let replicated: i64 = watched.master.ask(&["WAIT", "1", "5000"]);
    assert_eq!(replicated, 1);
    watched.master.kill();
    let started = Instant::now();
    loop {
        match store.wake(batch.id).await {
            Ok(()) => break,
            Err(error) => assert!(started.elapsed() < Duration::from_secs(30), "no new master: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(store.load(batch.id).await.expect("read").expect("there"), batch);
}

#[tokio::test]
async fn redis_is_spoken_to_over_tls_with_a_password() {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).expect("a certificate");
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: String| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let (certificate, key) = (file("redis.pem", certified.cert.pem()), file("redis.key", certified.signing_key.serialize_pem()));
    let tls_port = free_port();
    let _redis = TestRedis::with(
        free_port(),
        &[
            "--save",
            "",
            "--tls-port",
            &tls_port.to_string(),
            "--tls-cert-file",
            &certificate,
            "--tls-key-file",
            &key,
            "--tls-ca-cert-file",
            &certificate,
            "--tls-auth-clients",
            "no",
            "--user",
            "gateway",
            "on",
            ">secret",
            "~test:*",
            "+@all",
        ],
    );
    let url = |password: &str| format!("rediss://gateway:{password}@127.0.0.1:{tls_port}/0");
    let trusting = |url: &str| store_at(url, Some(certified.cert.pem().into_bytes()));
    keeps_its_promises(&trusting(&url("secret"))).await;
    let Err(StoreError::Unavailable(problem)) = trusting(&url("wrong")).now().await else { panic!("it lets everybody in") };
    assert!(!problem.contains("wrong"), "{problem}");
    let distrusting = store_at(&url("secret"), None);
    assert!(distrusting.now().await.is_err(), "the web does not vouch for it");
}

#[tokio::test]
async fn nothing_is_accepted_by_a_redis_that_is_not_there() {
    let mut redis = TestRedis::start();
    let store = redis.store();
    let new = batch_of(&*store, KindTag::Registration, "10088881").await;
    redis.kill();
    assert!(matches!(store.create(&new).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.load(new.batch.id).await, Err(StoreError::Unavailable(_) | StoreError::ReplyLost(_))));
    assert!(store.claim(LEASE, 1).await.is_err() && store.now().await.is_err());
    redis.restart();
    tokio::time::sleep(Duration::from_millis(300)).await; // a failure to connect is believed for so long
    store.create(&new).await.expect("created");
    assert_eq!(store.load(new.batch.id).await, Ok(Some(new.batch)));
}

#[tokio::test]
async fn a_batch_that_was_never_accepted_is_never_seen_and_goes_away() {
    let redis = TestRedis::start();
    let store = redis.store();
    let batch = create(&*store).await;
    let key = format!("test:{{{}}}", batch.id);
    // As if its replica had died between keeping it and accepting it.
    let _: i64 = redis.ask(&["HSET", &key, "accepted", "0"]);
    assert_eq!(store.load(batch.id).await, Ok(None));
    let [lease] = leased(&*store).await[..] else { panic!("it is due") };
    store.release_missing(lease).await.expect("forgotten");
    assert!(!redis.keys().contains(&key));
    assert_eq!(claim(&*store, LEASE).await.next, None);
}

#[tokio::test]
async fn a_batch_that_may_have_been_accepted_is_not_said_to_be_refused() {
    let redis = TestRedis::start();
    let direct = redis.store();
    let first = create(&*direct).await; // Redis knows the scripts now
    let new = batch_of(&*direct, KindTag::Registration, "10088881").await;
    // The request that accepts: a script about the batch itself. It is done, and nobody learns of it.
    let id = new.batch.id.to_string();
    let accepts = move |request: &[u8]| {
        let request = String::from_utf8_lossy(request);
        request.contains("EVALSHA") && request.contains(&id)
    };
    let proxy = ReplyCuttingProxy::start(redis.port(), accepts);
    let cut = store_at(&proxy.redis_url(), None);
    assert!(cut.load(first.id).await.expect("read").is_some(), "the way is open");
    let outcome = cut.create(&new).await;
    assert!(matches!(outcome, Err(StoreError::ReplyLost(_))), "{outcome:?}");
    assert_eq!(direct.load(new.batch.id).await, Ok(Some(new.batch)), "it was accepted");
}

#[tokio::test]
async fn a_batch_that_could_not_be_prepared_is_not_accepted() {
    let redis = TestRedis::start();
    let direct = redis.store();
    create(&*direct).await;
    let new = batch_of(&*direct, KindTag::Registration, "10088881").await;
    let proxy = ReplyCuttingProxy::start(redis.port(), |request| String::from_utf8_lossy(request).contains("PXAT"));
    let cut = store_at(&proxy.redis_url(), None);
    let outcome = cut.create(&new).await;
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    assert_eq!(direct.load(new.batch.id).await, Ok(None));
}

#[tokio::test]
async fn keys_leave_by_themselves_and_say_nothing_personal() {
    let redis = TestRedis::start();
    let store = redis.store();
    let batch = create(&*store).await;
    for key in redis.keys() {
        let of_batch = key.starts_with(&format!("test:{{{}}}", batch.id));
        let time: i64 = redis.ask(&["PTTL", &key]);
        assert!(time > 0 || key == "test:{queue}:due", "{key} stays for ever");
        assert!(of_batch || ["test:{queue}:due", "test:list:10088881:registration"].contains(&key.as_str()), "{key}");
    }
    store.erase(&batch).await.expect("erased");
    assert!(redis.keys().is_empty(), "{:?}", redis.keys());
}
