//! Batches in Redis: shared by all replicas, and kept when the replicas stop.
//!
//! A batch is one hash and its blobs; a list of each organisation's batches and the queue are separate (`keys.rs`). Changes that
//! must happen together are one script or one transaction. Scripts declare all their keys.
//!
//! All writes except claims are idempotent. So when the connection breaks and it is unknown whether a write took effect, it is repeated.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use redis::{Cmd, FromRedisValue, Pipeline, Script};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::batches::model::{Batch, BatchHeader, BatchId, BlobName, EpochMillis, KindTag};
use crate::batches::repository::keys::BatchKeys;
use crate::batches::repository::{Backlog, BatchRepository, BoxFuture, Claim, Lease, NewBatch, PartUpdate, StoreError, StoreProbe};
use crate::domain::Ukprn;
use crate::storage::{LrsIdentity, Redis, invoke_script};

/// Expiry of a batch's data before the batch is accepted.
const PREPARED_EXPIRY: Duration = Duration::from_secs(10 * 60);
/// Time after which a batch that is still not accepted is discarded.
const DISCARD_AFTER: Duration = Duration::from_secs(60);

/// Time for which the list keeps the id of a batch, as a multiple of the time for which the batch is stored unless a part is resubmitted.
const LIST_RETENTION_FACTOR: u32 = 6;

static ACCEPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("accept.lua")));
static DISCARD_UNACCEPTED: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("discard_unaccepted.lua")));
static UPDATE_PART: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("update_part.lua")));
static NOW: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("now.lua")));
static CLAIM: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("claim.lua")));
static BACKLOG: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("backlog.lua")));
static RENEW: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("renew.lua")));
static RELEASE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("release.lua")));
static WAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("wake.lua")));

/// Batches in Redis.
#[derive(Debug)]
pub struct RedisRepository {
    redis: Arc<Redis>,
    lrs_tag: String,
}

impl RedisRepository {
    /// Creates a repository in this Redis, of batches for this LRS.
    pub fn new(redis: Arc<Redis>, lrs: &LrsIdentity) -> Self {
        Self { redis, lrs_tag: lrs.tag() }
    }

    fn keys(&self) -> BatchKeys<'_> {
        BatchKeys { prefix: self.redis.prefix(), lrs_tag: &self.lrs_tag }
    }

    async fn run_command<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        self.redis.run_with_retry(move |mut handle| async move { command.query_async(&mut handle).await }).await
    }

    async fn run_pipeline<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, StoreError> {
        self.redis.run_with_retry(move |mut handle| async move { pipeline.query_async(&mut handle).await }).await
    }

    /// Writes everything of a batch except its acceptance.
    async fn write_prepared(&self, NewBatch { batch, blobs }: &NewBatch) -> Result<(), StoreError> {
        let key = self.keys().batch(batch.id);
        let expires_at = batch.header.created_at.after(PREPARED_EXPIRY).0;
        // `NX` everywhere: if this is repeated and the first attempt is executed late, the late attempt changes nothing.
        let mut pipeline = redis::pipe();
        pipeline.atomic().hset_nx(&key, "header", to_json(&batch.header)?).ignore();
        pipeline.hset_nx(&key, "expires", batch.expires_at.0).ignore();
        for (number, part) in batch.numbered_parts() {
            pipeline.hset_nx(&key, number.to_string(), to_json(part)?).ignore();
        }
        for (blob, bytes) in blobs {
            pipeline.cmd("SET").arg(self.keys().blob(batch.id, *blob)).arg(bytes).arg("NX").arg("PXAT").arg(expires_at).ignore();
        }
        pipeline.hset_nx(&key, "accepted", "0").ignore().cmd("PEXPIREAT").arg(&key).arg(expires_at).arg("NX").ignore();
        self.run_pipeline(&pipeline).await
    }

    /// Adds a batch to its organisation's list and to the queue.
    async fn enqueue(&self, batch: &Batch) -> Result<(), StoreError> {
        let id = batch.id.to_string();
        let created_at = batch.header.created_at;
        // The list outlives its batches, also those that were resubmitted, and keeps no ids of batches that expired long ago.
        let list = self.keys().list_of(&batch.header);
        let list_retention = batch.expires_at.since(created_at) * LIST_RETENTION_FACTOR;
        let list_retention_ms = i64::try_from(list_retention.as_millis()).unwrap_or(i64::MAX);
        let oldest_id = BatchId::min_at(EpochMillis(created_at.0.saturating_sub(list_retention_ms)));
        let mut add_to_list = redis::pipe();
        add_to_list.zadd(&list, &id, 0).ignore().pexpire(&list, list_retention_ms).ignore();
        add_to_list.cmd("ZREMRANGEBYLEX").arg(&list).arg("-").arg(format!("({oldest_id}")).ignore();
        // Due when it can be discarded. Acceptance wakes it earlier.
        let [due, ..] = self.keys().queue();
        let mut add_to_queue = redis::cmd("ZADD");
        add_to_queue.arg(&due).arg("NX").arg(created_at.after(DISCARD_AFTER).0).arg(&id);
        let (add_to_list, add_to_queue) = (&add_to_list, &add_to_queue);
        self.redis
            .run_with_retry(move |mut handle| async move {
                add_to_list.query_async::<()>(&mut handle).await?;
                add_to_queue.query_async(&mut handle).await
            })
            .await
    }
}

impl BatchRepository for RedisRepository {
    fn ensure_durable(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.redis.ensure_durable())
    }

    fn now(&self) -> BoxFuture<'_, EpochMillis> {
        Box::pin(async move {
            let now: String = self.redis.run_script(&NOW, &self.keys().queue()[..1], &[]).await?;
            parse_millis(&now).ok_or_else(|| StoreError::Malformed("time".into()))
        })
    }

    fn probe(&self) -> BoxFuture<'_, StoreProbe> {
        Box::pin(self.redis.probe())
    }

    fn create<'a>(&'a self, new: &'a NewBatch) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let batch = &new.batch;
            // Until the batch is accepted, no caller sees it and no worker sends it. A failure before that has no effect.
            let prepared = match self.write_prepared(new).await {
                Ok(()) => self.enqueue(batch).await,
                failed => failed,
            };
            if let Err(StoreError::Unavailable(reason) | StoreError::ReplyLost(reason)) = prepared {
                return Err(StoreError::Unavailable(reason));
            }
            let blobs = new.blobs.iter().map(|(blob, _)| self.keys().blob(batch.id, *blob));
            let keys: Vec<String> = std::iter::once(self.keys().batch(batch.id)).chain(blobs).collect();
            let accepted: i64 = self.redis.run_script(&ACCEPT, &keys, &[batch.expires_at.0.to_string()]).await?;
            if accepted == 0 {
                return Err(StoreError::Unavailable("the batch was not accepted in time".into()));
            }
            // If this fails, a worker finds the batch at its due time.
            let _ = self.wake(batch.id).await;
            Ok(())
        })
    }

    fn load(&self, id: BatchId) -> BoxFuture<'_, Option<Batch>> {
        Box::pin(async move {
            let fields: HashMap<String, String> = self.run_command(redis::cmd("HGETALL").arg(self.keys().batch(id))).await?;
            if fields.get("accepted").map(String::as_str) != Some("1") {
                return Ok(None);
            }
            let field = |name: &str| fields.get(name).ok_or_else(|| StoreError::Malformed("batch without a field".into()));
            let header: BatchHeader = from_json(field("header")?)?;
            let expires_at = parse_millis(field("expires")?).ok_or_else(|| StoreError::Malformed("expiry of a batch".into()))?;
            let numbers = 1..=header.part_count;
            let parts = numbers.map(|number| from_json(field(&number.to_string())?)).collect::<Result<_, StoreError>>()?;
            Ok(Some(Batch { id, header, parts, expires_at }))
        })
    }

    fn load_blob(&self, id: BatchId, blob: BlobName) -> BoxFuture<'_, Option<Vec<u8>>> {
        Box::pin(async move { self.run_command(redis::cmd("GET").arg(self.keys().blob(id, blob))).await })
    }

    fn update_part<'a>(&'a self, id: BatchId, PartUpdate { number, expected, updated, blobs }: PartUpdate<'a>) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let mut invocation = UPDATE_PART.prepare_invoke();
            invocation.key(self.keys().batch(id));
            let put = blobs.put.iter().map(|(blob, _)| *blob);
            for blob in put.chain(blobs.delete.iter().copied()) {
                invocation.key(self.keys().blob(id, blob));
            }
            // The script compares parts as text: two parts are equal if their JSON is.
            invocation.arg(number).arg(to_json(expected)?).arg(to_json(updated)?).arg(blobs.put.len());
            for (_, bytes) in &blobs.put {
                invocation.arg(bytes);
            }
            let invocation = &invocation;
            let run = move |mut handle| async move { invocation.invoke_async::<i64>(&mut handle).await };
            Ok(self.redis.run_with_retry(run).await? == 1)
        })
    }

    fn erase<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let id = batch.id.to_string();
            let [due, _, woken, _] = self.keys().queue();
            let (mut delete, mut unlist, mut dequeue) = (redis::cmd("DEL"), redis::cmd("ZREM"), redis::pipe());
            delete.arg(self.keys().all_of(batch));
            unlist.arg(self.keys().list_of(&batch.header)).arg(&id);
            dequeue.zrem(&due, &id).ignore().srem(&woken, &id).ignore();
            let (delete, unlist, dequeue) = (&delete, &unlist, &dequeue);
            self.redis
                .run_with_retry(move |mut handle| async move {
                    delete.query_async::<()>(&mut handle).await?;
                    unlist.query_async::<()>(&mut handle).await?;
                    dequeue.query_async(&mut handle).await
                })
                .await
        })
    }

    fn set_expiry<'a>(&'a self, batch: &'a Batch, expires_at: EpochMillis) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            // If the batch is erased at the same time, this creates a hash that is no batch. It expires, too.
            let mut pipeline = redis::pipe();
            pipeline.atomic().hset(self.keys().batch(batch.id), "expires", expires_at.0).ignore();
            for key in self.keys().all_of(batch) {
                pipeline.pexpire_at(key, expires_at.0).ignore();
            }
            self.run_pipeline(&pipeline).await
        })
    }

    fn list_ids<'a>(&'a self, organisation: &'a Ukprn, kind: KindTag, after: Option<BatchId>, limit: usize) -> BoxFuture<'a, Vec<BatchId>> {
        Box::pin(async move {
            let start = after.map_or_else(|| "+".to_owned(), |after| format!("({after}"));
            let mut command = redis::cmd("ZREVRANGEBYLEX");
            command.arg(self.keys().list(organisation.as_str(), kind)).arg(&start).arg("-").arg("LIMIT").arg(0).arg(limit);
            let ids: Vec<String> = self.run_command(&command).await?;
            Ok(ids.iter().filter_map(|id| BatchId::parse(id)).collect())
        })
    }

    fn claim(&self, lease_duration: Duration, limit: usize) -> BoxFuture<'_, Claim> {
        Box::pin(async move {
            let token = fastrand::u64(..);
            let keys = [self.keys().queue(), self.keys().earlier_queue()].concat();
            let arguments = [lease_duration.as_millis().to_string(), limit.to_string(), token.to_string()];
            // Not repeated: a second claim would lease other batches. The leases of a lost reply expire.
            let reply: Vec<String> = self.redis.run_once(|handle| invoke_script(handle, &CLAIM, &keys, &arguments)).await?;
            let unreadable = || StoreError::Malformed("reply to a claim".into());
            let [now, next, ids @ ..] = &reply[..] else { return Err(unreadable()) };
            let leases = ids.iter().filter_map(|id| BatchId::parse(id)).map(|id| Lease { id, token }).collect();
            Ok(Claim { now: parse_millis(now).ok_or_else(unreadable)?, leases, next: parse_millis(next) })
        })
    }

    fn backlog(&self) -> BoxFuture<'_, Backlog> {
        Box::pin(async move {
            let keys = [&self.keys().queue()[..2], &self.keys().earlier_queue()[..2]].concat();
            let (unfinished, claimable, oldest_ms) = self.redis.run_script(&BACKLOG, &keys, &[]).await?;
            Ok(Backlog { unfinished, claimable, oldest_claimable_age: Duration::from_millis(oldest_ms) })
        })
    }

    fn renew(&self, lease: Lease, lease_duration: Duration) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            let arguments = [lease.id.to_string(), lease.token.to_string(), lease_duration.as_millis().to_string()];
            self.redis.run_script::<i64>(&RENEW, &self.keys().queue(), &arguments).await.map(|renewed| renewed == 1)
        })
    }

    fn release(&self, lease: Lease, due_at: Option<EpochMillis>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let due_at = due_at.map(|due_at| due_at.0.to_string()).unwrap_or_default();
            let arguments = [lease.id.to_string(), lease.token.to_string(), due_at];
            self.redis.run_script::<i64>(&RELEASE, &self.keys().queue(), &arguments).await.map(|_| ())
        })
    }

    fn release_to_any_lrs(&self, lease: Lease, due_at: EpochMillis) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let ([_, leased, woken, tokens], [earlier_due, ..]) = (self.keys().queue(), self.keys().earlier_queue());
            let arguments = [lease.id.to_string(), lease.token.to_string(), due_at.0.to_string()];
            self.redis.run_script::<i64>(&RELEASE, &[earlier_due, leased, woken, tokens], &arguments).await.map(|_| ())
        })
    }

    fn release_missing(&self, lease: Lease) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let discarded: i64 = self.redis.run_script(&DISCARD_UNACCEPTED, &[self.keys().batch(lease.id)], &[]).await?;
            // 0 if the batch has just been accepted. It is due now.
            self.release(lease, (discarded == 0).then_some(EpochMillis(0))).await
        })
    }

    fn schedule(&self, id: BatchId, due_at: EpochMillis) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let [due, ..] = self.keys().queue();
            self.run_command(redis::cmd("ZADD").arg(&due).arg("LT").arg(due_at.0).arg(id.to_string())).await
        })
    }

    fn wake(&self, id: BatchId) -> BoxFuture<'_, ()> {
        Box::pin(async move { self.redis.run_script::<i64>(&WAKE, &self.keys().queue(), &[id.to_string()]).await.map(|_| ()) })
    }

    fn load_shared(&self) -> BoxFuture<'_, HashMap<String, Vec<u8>>> {
        Box::pin(async move { self.run_command(redis::cmd("HGETALL").arg(self.keys().shared())).await })
    }

    fn store_shared<'a>(&'a self, name: &'a str, value: &'a [u8]) -> BoxFuture<'a, ()> {
        Box::pin(async move { self.run_command(redis::cmd("HSET").arg(self.keys().shared()).arg(name).arg(value)).await })
    }
}

fn parse_millis(text: &str) -> Option<EpochMillis> {
    text.parse().ok().map(EpochMillis)
}

fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Malformed(error.to_string()))
}

fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Malformed(format!("batch: {error}")))
}
