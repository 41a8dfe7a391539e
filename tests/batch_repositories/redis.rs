//! Batch repositories in Redis: deployments, lost connections, and what the keys contain.

use std::time::{Duration, Instant};

use lrs_gateway::batches::model::{BlobName, EpochMillis, KindTag, Part, PartState};
use lrs_gateway::batches::repository::{BatchRepository as _, BlobChanges, PartUpdate, StoreError};

use super::{LEASE, assert_contract, claim, claim_one, create, id_at, new_batch, ukprn};
use crate::support::batch_backend::claim_limits;
use crate::support::redis::{RedisCluster, SentinelRedis, TestRedis, free_port, queue_key, repository_at};
use crate::support::reply_cutting_proxy::ReplyCuttingProxy;

/// More bytes than the blobs of a batch can have that is stored and accepted in one step.
const LARGE_BLOB_BYTES: usize = 300_000;

#[tokio::test]
async fn redis_cluster_fulfils_the_contract_and_spreads_batches() {
    let cluster = RedisCluster::start();
    assert_contract(&repository_at(&cluster.url(), None)).await;
    let used_nodes = cluster.nodes.iter().filter(|node| node.command_count() > 20).count();
    assert_eq!(used_nodes, 3);
}

#[tokio::test]
async fn redis_sentinel_fulfils_the_contract_and_survives_loss_of_the_master() {
    let mut deployment = SentinelRedis::start();
    let repository = repository_at(&deployment.url(), None);
    assert_contract(&repository).await;
    let batch = create(&repository).await;
    let replicated: i64 = deployment.master.query(&["WAIT", "1", "5000"]);
    assert_eq!(replicated, 1);

    deployment.master.kill();

    let started_at = Instant::now();
    while let Err(error) = repository.wake(batch.id).await {
        assert!(started_at.elapsed() < Duration::from_secs(30), "no new master: {error}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(repository.load(batch.id).await, Ok(Some(batch)));
}

#[tokio::test]
async fn redis_with_tls_and_password_fulfils_the_contract() {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).expect("a certificate is created");
    let directory = tempfile::tempdir().expect("a temporary directory is created");
    let write = |name: &str, text: String| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("the file is written");
        path.display().to_string()
    };
    let (certificate, key) = (write("redis.pem", certified.cert.pem()), write("redis.key", certified.signing_key.serialize_pem()));
    let tls_port = free_port();
    let tls = ["--tls-port", &tls_port.to_string(), "--tls-cert-file", &certificate, "--tls-key-file", &key];
    let client_tls = ["--tls-ca-cert-file", &certificate, "--tls-auth-clients", "no"];
    let user = ["--user", "gateway", "on", ">secret", "~test:*", "+@all"];
    let _redis = TestRedis::with(free_port(), &[&["--save", ""], &tls[..], &client_tls, &user].concat());
    let url = |password: &str| format!("rediss://gateway:{password}@127.0.0.1:{tls_port}/0");
    let trusting = |url: &str| repository_at(url, Some(certified.cert.pem().into_bytes()));

    assert_contract(&trusting(&url("secret"))).await;
    let Err(StoreError::Unavailable(problem)) = trusting(&url("wrong")).now().await else { panic!("a wrong password is accepted") };
    assert!(!problem.contains("wrong"), "{problem}");
    let trusting_public_roots_only = repository_at(&url("secret"), None);
    assert!(trusting_public_roots_only.now().await.is_err(), "the certificate is not signed by a public root");
}

#[tokio::test]
async fn unreachable_redis_accepts_no_batch() {
    let mut redis = TestRedis::start();
    let repository = redis.repository();
    let new = new_batch(&*repository, KindTag::Registration, "10088881").await;

    redis.kill();
    assert!(repository.now().await.is_err(), "the client knows from now on that the connection is broken");
    for repository in [&*repository, &*redis.repository()] {
        // One had a connection, the other one has never had one: both send nothing, and their answers say so.
        let outcome = repository.create(&new).await;
        assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
        let outcome = repository.load(new.batch.id).await;
        assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
        assert!(repository.claim(LEASE, &claim_limits(1)).await.is_err());
    }

    redis.restart();
    // The client waits a moment after a failed connection before it connects again.
    let started_at = Instant::now();
    while let Err(error) = repository.create(&new).await {
        assert!(started_at.elapsed() < Duration::from_secs(5), "the client does not reconnect: {error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(repository.load(new.batch.id).await, Ok(Some(new.batch)));
}

#[tokio::test]
async fn redis_lost_during_the_acceptance_may_have_accepted_the_batch() {
    let mut redis = TestRedis::start();
    let repository = redis.repository();
    let new = new_batch(&*repository, KindTag::Registration, "10088881").await;

    redis.kill();

    // The connection is open as far as the client knows. So it sends the batch, and nothing shows how much of it Redis has received.
    let outcome = repository.create(&new).await;
    assert!(matches!(outcome, Err(StoreError::ReplyLost(_))), "{outcome:?}");
    let outcome = repository.create(&new).await;
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "the next attempt finds the connection broken: {outcome:?}");
}

#[tokio::test]
async fn part_of_a_batch_that_is_not_accepted_cannot_be_updated() {
    let redis = TestRedis::start();
    let repository = redis.repository();
    let batch = create(&*repository).await;
    let key = format!("test:{{{}}}", batch.id);
    let waiting = batch.part(1).expect("the part exists");
    let sending = Part { state: PartState::Sending, ..waiting.clone() };
    let blobs = BlobChanges { put: Vec::new(), delete: vec![BlobName::Records(1)] };
    let update = || PartUpdate { number: 1, expected: waiting, updated: &sending, blobs: &blobs };
    // In a cluster, a batch is stored and queued like this before it is accepted.
    let _: i64 = redis.query(&["HSET", &key, "accepted", "0"]);

    assert_eq!(repository.update_part(batch.id, update()).await, Ok(false));

    assert!(repository.load_blob(batch.id, BlobName::Records(1)).await.expect("Redis responds").is_some());
    let _: i64 = redis.query(&["HSET", &key, "accepted", "1"]);
    assert_eq!(repository.load(batch.id).await, Ok(Some(batch.clone())), "the part has not changed");
    assert_eq!(repository.update_part(batch.id, update()).await, Ok(true), "only the acceptance was missing");
}

#[tokio::test]
async fn batch_without_acceptance_is_not_visible_and_is_deleted() {
    let redis = TestRedis::start();
    let repository = redis.repository();
    let batch = create(&*repository).await;
    let key = format!("test:{{{}}}", batch.id);
    // This is the state after a replica has stopped between preparing and accepting the batch.
    let _: i64 = redis.query(&["HSET", &key, "accepted", "0"]);

    assert_eq!(repository.load(batch.id).await, Ok(None));
    let lease = claim_one(&*repository).await;
    repository.release_missing(lease).await.expect("the lease is released");

    assert!(!redis.keys().contains(&key));
    assert_eq!(claim(&*repository, LEASE).await.next, None);
}

#[tokio::test]
async fn lost_reply_to_the_acceptance_is_reported_as_unknown_outcome() {
    let redis = TestRedis::start();
    let direct = redis.repository();
    let first = create(&*direct).await; // Redis has the scripts now, so the next calls are `EVALSHA`.
    let new = new_batch(&*direct, KindTag::Registration, "10088881").await;
    // The only script with a key of the batch itself is its acceptance.
    let id = format!("{{{}}}", new.batch.id);
    let is_acceptance = move |request: &[u8]| {
        let request = String::from_utf8_lossy(request);
        request.contains("EVALSHA") && request.contains(&id)
    };
    let proxy = ReplyCuttingProxy::start(redis.port(), is_acceptance);
    let repository = repository_at(&proxy.redis_url(), None);
    assert!(repository.load(first.id).await.expect("the proxy forwards").is_some());

    let outcome = repository.create(&new).await;

    assert!(matches!(outcome, Err(StoreError::ReplyLost(_))), "{outcome:?}");
    assert_eq!(direct.load(new.batch.id).await, Ok(Some(new.batch)), "the batch was accepted");
}

#[tokio::test]
async fn lost_reply_to_the_preparation_is_reported_as_not_accepted() {
    let redis = TestRedis::start();
    let direct = redis.repository();
    let mut new = new_batch(&*direct, KindTag::Registration, "10088881").await;
    // The blobs of a large batch are written with `PXAT` before the batch is accepted.
    new.blobs[1].1 = vec![0; LARGE_BLOB_BYTES];
    let proxy = ReplyCuttingProxy::start(redis.port(), |request| String::from_utf8_lossy(request).contains("PXAT"));
    let repository = repository_at(&proxy.redis_url(), None);

    let outcome = repository.create(&new).await;

    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    assert_eq!(direct.load(new.batch.id).await, Ok(None));
}

#[tokio::test]
async fn batch_that_arrives_at_redis_too_late_is_not_accepted() {
    let redis = TestRedis::start();
    let repository = redis.repository();
    let mut new = new_batch(&*repository, KindTag::Registration, "10088881").await;
    new.batch.header.created_at.0 -= 11 * 60 * 1000;

    let outcome = repository.create(&new).await;

    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    assert_eq!(redis.keys(), Vec::<String>::new());
}

#[tokio::test]
async fn large_batch_is_stored_with_all_blobs_and_due() {
    let redis = TestRedis::start();
    let repository = redis.repository();
    let mut new = new_batch(&*repository, KindTag::Registration, "10088881").await;
    new.blobs[1].1 = vec![0; LARGE_BLOB_BYTES];

    assert_eq!(repository.create(&new).await, Ok(true));

    assert_eq!(repository.load(new.batch.id).await, Ok(Some(new.batch.clone())));
    for (name, bytes) in new.blobs {
        assert_eq!(repository.load_blob(new.batch.id, name).await, Ok(Some(bytes)), "{name}");
    }
    assert_eq!(claim_one(&*repository).await.id, new.batch.id);
}

#[tokio::test]
async fn small_batch_of_more_parts_than_a_script_takes_is_stored() {
    let redis = TestRedis::start();
    let repository = redis.repository();
    let mut new = new_batch(&*repository, KindTag::Registration, "10088881").await;
    new.batch.parts = vec![new.batch.parts[0].clone(); 4_000];
    new.batch.header.part_count = 4_000;

    assert_eq!(repository.create(&new).await, Ok(true));

    assert_eq!(repository.load(new.batch.id).await, Ok(Some(new.batch)));
}

#[tokio::test]
async fn list_keeps_a_batch_that_lives_several_times_as_long_as_planned() {
    let redis = TestRedis::start();
    let repository = redis.repository();
    let mut old = new_batch(&*repository, KindTag::Registration, "10088881").await;
    let created_at = old.batch.header.created_at;
    let lifetime = old.batch.expires_at.since(created_at);
    // Its parts were resubmitted again and again, each time shortly before its end.
    old.batch.id = id_at(EpochMillis(created_at.0 - i64::try_from(lifetime.as_millis() * 5).expect("the time is short")), 1);
    repository.create(&old).await.expect("the batch is created");

    let new = create(&*repository).await;

    let organisation = ukprn("10088881");
    let listed = repository.list_ids(&organisation, KindTag::Registration, None, 10).await;
    assert_eq!(listed, Ok(vec![new.id, old.batch.id]));
    let expires_in_ms: u64 = redis.query(&["PTTL", "test:list:10088881:registration"]);
    assert!(Duration::from_millis(expires_in_ms) > lifetime * 5);
}

#[tokio::test]
async fn redis_keys_expire_and_contain_no_personal_data() {
    let redis = TestRedis::start();
    let repository = redis.repository();
    let batch = create(&*repository).await;

    for key in redis.keys() {
        let expires_in_ms: i64 = redis.query(&["PTTL", &key]);
        let is_of_queue = ["scheduled", "lines", "places", "organisations"].map(queue_key).contains(&key);
        assert!(expires_in_ms > 0 || is_of_queue, "{key} does not expire");
        let is_of_batch = key.starts_with(&format!("test:{{{}}}", batch.id));
        assert!(is_of_batch || is_of_queue || key == "test:list:10088881:registration", "{key}");
    }

    repository.erase(&batch).await.expect("the batch is erased");
    // What stays says only that there was a batch with this id.
    let mark = format!("test:{{{}}}:accepted", batch.id);
    assert_eq!(redis.keys(), std::slice::from_ref(&mark));
    assert_eq!(redis.query::<String>(&["GET", &mark]), "1");
    let expires_in_ms: u64 = redis.query(&["PTTL", &mark]);
    assert!((1..=24 * 60 * 60 * 1000).contains(&expires_in_ms), "{expires_in_ms}");
}
