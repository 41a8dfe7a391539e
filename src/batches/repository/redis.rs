//! Batches in Redis: shared by all replicas, and kept when the replicas stop.
//!
//! A batch is one hash and its blobs; a list of each organisation's batches and the [queue](super::redis_queue) are separate (`keys.rs`).
//! Changes that must happen together are one script or one transaction. Scripts declare all their keys.
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
use crate::batches::repository::redis_queue::{RedisQueue, parse_millis, place_text, queue_script};
use crate::batches::repository::{
    ACCEPTANCE_MARK_LIFETIME, Backlog, BatchRepository, BoxFuture, Claim, ClaimLimits, Lease, NewBatch, PartUpdate, Place, StoreError,
    StoreProbe,
};
use crate::domain::Ukprn;
use crate::storage::{LrsIdentity, Redis};

/// Expiry of a batch's data before the batch is accepted. After that time it is not accepted.
const PREPARED_EXPIRY: Duration = Duration::from_secs(10 * 60);
/// Time after which a batch that is still not accepted is discarded.
const DISCARD_AFTER: Duration = Duration::from_secs(60);

/// Time for which the list keeps the id of a batch, as a multiple of the time for which the batch is stored unless a part is resubmitted.
const LIST_RETENTION_FACTOR: u32 = 6;

/// Maximum number of bytes of the blobs of a batch that one script stores and accepts. A script copies its arguments, and Redis does nothing else
/// meanwhile.
const MAX_SCRIPT_BLOB_BYTES: usize = 256 * 1024;
/// Maximum number of parts of such a batch. Lua's `unpack` returns at most about 8,000 values, and a part has two.
const MAX_SCRIPT_PARTS: usize = 1_000;

/// Reply of the scripts that accept a batch: it is accepted, now or before.
const ACCEPTED: i64 = 1;
/// Reply of the scripts that accept a batch: it was accepted before, and is gone.
const GONE: i64 = 2;

static ACCEPT: LazyLock<Script> = LazyLock::new(|| Script::new(concat!(include_str!("acceptance.lua"), include_str!("accept.lua"))));
static ACCEPT_AND_ENQUEUE: LazyLock<Script> =
    LazyLock::new(|| queue_script(concat!(include_str!("acceptance.lua"), include_str!("accept_and_enqueue.lua"))));
static STORE_AND_ACCEPT: LazyLock<Script> = LazyLock::new(|| queue_script(include_str!("store_and_accept.lua")));
static DISCARD_UNACCEPTED: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("discard_unaccepted.lua")));
static REGISTER_JOB: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("register_job.lua")));
static UNREGISTER_JOB: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("unregister_job.lua")));
static UPDATE_PART: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("update_part.lua")));

/// Batches in Redis.
#[derive(Debug)]
pub struct RedisRepository {
    redis: Arc<Redis>,
    queue: RedisQueue,
}

impl RedisRepository {
    /// Creates a repository in this Redis, of batches for this LRS.
    pub fn new(redis: Arc<Redis>, lrs: &LrsIdentity) -> Self {
        Self { queue: RedisQueue::new(Arc::clone(&redis), lrs), redis }
    }

    fn keys(&self) -> BatchKeys<'_> {
        self.queue.keys()
    }

    async fn run_command<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        self.redis.run_with_retry(move |mut handle| async move { command.query_async(&mut handle).await }).await
    }

    async fn run_pipeline<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, StoreError> {
        self.redis.run_with_retry(move |mut handle| async move { pipeline.query_async(&mut handle).await }).await
    }

    /// Creates a batch. Returns the reply of the script.
    async fn create_on_server(&self, new: &NewBatch) -> Result<i64, StoreError> {
        let batch = &new.batch;
        let blob_bytes: usize = new.blobs.iter().map(|(_, bytes)| bytes.len()).sum();
        if blob_bytes <= MAX_SCRIPT_BLOB_BYTES && batch.parts.len() <= MAX_SCRIPT_PARTS {
            return self.store_and_accept(new).await;
        }
        let mut prepare = self.prepare(new)?;
        self.add_to_list(&mut prepare, batch);
        self.run_pipeline::<()>(&prepare).await.map_err(without_effect)?;
        let keys = [self.keys().queue(), self.acceptance_keys(new)].concat();
        let [expiry, mark_lifetime] = acceptance_arguments(batch);
        let arguments = [expiry, mark_lifetime, batch.id.to_string(), place_text(Place::of_new(batch).as_ref())];
        self.redis.run_script(&ACCEPT_AND_ENQUEUE, &keys, &arguments).await
    }

    /// Creates a small batch in one step.
    async fn store_and_accept(&self, new: &NewBatch) -> Result<i64, StoreError> {
        let batch = &new.batch;
        let mut fields = vec!["header".to_owned(), to_json(&batch.header)?];
        for (number, part) in batch.numbered_parts() {
            fields.extend([number.to_string(), to_json(part)?]);
        }
        let mut invocation = STORE_AND_ACCEPT.prepare_invoke();
        invocation.key(self.keys().queue()).key(self.keys().batch(batch.id)).key(self.keys().acceptance(batch.id));
        let list = self.list_update(batch);
        invocation.key(list.key);
        for (blob, _) in &new.blobs {
            invocation.key(self.keys().blob(batch.id, *blob));
        }
        invocation.arg(&acceptance_arguments(batch)).arg(batch.id.to_string()).arg(place_text(Place::of_new(batch).as_ref()));
        invocation.arg(list.retention_ms).arg(list.end_of_expired);
        // A server that was stopped may execute the script long after the caller was answered.
        invocation.arg(batch.header.created_at.after(PREPARED_EXPIRY).0).arg(fields.len()).arg(fields);
        for (_, bytes) in &new.blobs {
            invocation.arg(bytes);
        }
        let invocation = &invocation;
        self.redis.run_with_retry(move |mut handle| async move { invocation.invoke_async(&mut handle).await }).await
    }

    /// Does the same as [`Self::create_on_server`], where the batch, its list and the queue can be on different servers.
    async fn create_in_cluster(&self, new: &NewBatch) -> Result<i64, StoreError> {
        let batch = &new.batch;
        let mut add_to_list = redis::pipe();
        self.add_to_list(&mut add_to_list, batch);
        let enqueued = async {
            self.run_pipeline::<()>(&self.prepare(new)?).await?;
            self.run_pipeline::<()>(&add_to_list).await?;
            // Due when it can be discarded. Acceptance makes it due earlier.
            self.queue.put(batch.id, Some(batch.header.created_at.after(DISCARD_AFTER)), Place::of_new(batch)).await
        };
        enqueued.await.map_err(without_effect)?;
        let accepted: i64 = self.redis.run_script(&ACCEPT, &self.acceptance_keys(new), &acceptance_arguments(batch)).await?;
        if accepted == ACCEPTED {
            // If this fails, a worker finds the batch at its due time.
            let _ = self.queue.put(batch.id, None, None).await;
        }
        Ok(accepted)
    }

    /// Returns the commands that write everything of a batch except its acceptance.
    fn prepare(&self, NewBatch { batch, blobs }: &NewBatch) -> Result<Pipeline, StoreError> {
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
        Ok(pipeline)
    }

    /// Adds the commands that add a batch to its organisation's list.
    fn add_to_list(&self, pipeline: &mut Pipeline, batch: &Batch) {
        let ListUpdate { key, retention_ms, end_of_expired } = self.list_update(batch);
        pipeline.zadd(&key, batch.id.to_string(), 0).ignore().pexpire(&key, retention_ms).ignore();
        pipeline.cmd("ZREMRANGEBYLEX").arg(&key).arg("-").arg(end_of_expired).ignore();
    }

    /// Returns how the list of an organisation changes when a batch is added. The list outlives its batches, also those that were resubmitted, and
    /// keeps no ids of batches that expired long ago.
    fn list_update(&self, batch: &Batch) -> ListUpdate {
        let created_at = batch.header.created_at;
        let retention = batch.expires_at.since(created_at) * LIST_RETENTION_FACTOR;
        let retention_ms = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        let oldest_id = BatchId::min_at(EpochMillis(created_at.0.saturating_sub(retention_ms)));
        ListUpdate { key: self.keys().list_of(&batch.header), retention_ms, end_of_expired: format!("({oldest_id}") }
    }

    /// Removes a batch that does not exist any more from its organisation's list and from the queue.
    async fn remove_from_list_and_queue(&self, batch: &Batch) -> Result<(), StoreError> {
        self.run_command::<()>(redis::cmd("ZREM").arg(self.keys().list_of(&batch.header)).arg(batch.id.to_string())).await?;
        self.queue.remove(batch.id).await
    }

    /// Returns the keys that change when a batch is accepted.
    fn acceptance_keys(&self, NewBatch { batch, blobs }: &NewBatch) -> Vec<String> {
        let blobs = blobs.iter().map(|(blob, _)| self.keys().blob(batch.id, *blob));
        [self.keys().batch(batch.id), self.keys().acceptance(batch.id)].into_iter().chain(blobs).collect()
    }
}

/// A change of an organisation's list of batches.
struct ListUpdate {
    key: String,
    /// Lifetime of the list from now.
    retention_ms: i64,
    /// The first id that the list keeps.
    end_of_expired: String,
}

/// Returns the expiry of a batch and the lifetime of the mark of its acceptance, for the scripts that accept it.
fn acceptance_arguments(batch: &Batch) -> [String; 2] {
    [batch.expires_at.0.to_string(), milliseconds(ACCEPTANCE_MARK_LIFETIME).to_string()]
}

/// Returns the error of a step before the acceptance of a batch. The step may have been executed, but has no effect.
fn without_effect(error: StoreError) -> StoreError {
    match error {
        StoreError::ReplyLost(reason) => StoreError::Unavailable(reason),
        error => error,
    }
}

impl BatchRepository for RedisRepository {
    fn ensure_durable(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.redis.ensure_durable())
    }

    fn now(&self) -> BoxFuture<'_, EpochMillis> {
        Box::pin(self.queue.now())
    }

    fn probe(&self) -> BoxFuture<'_, StoreProbe> {
        Box::pin(self.redis.probe())
    }

    fn create<'a>(&'a self, new: &'a NewBatch) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            // Until the batch is accepted, no caller sees it and no worker sends it. A failure before that has no effect.
            match if self.redis.is_cluster() { self.create_in_cluster(new).await? } else { self.create_on_server(new).await? } {
                ACCEPTED => Ok(true),
                GONE => self.remove_from_list_and_queue(&new.batch).await.map_err(without_effect).map(|()| false),
                _ => Err(StoreError::Unavailable("the batch was not accepted in time".into())),
            }
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

    fn was_accepted(&self, id: BatchId) -> BoxFuture<'_, bool> {
        Box::pin(async move { self.run_command(redis::cmd("EXISTS").arg(self.keys().acceptance(id))).await })
    }

    fn register_job<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, BatchId> {
        Box::pin(async move {
            let Some(job) = self.keys().job(batch) else { return Ok(batch.id) };
            let arguments = [batch.id.to_string(), batch.expires_at.0.to_string()];
            let registered: String = self.redis.run_script(&REGISTER_JOB, &[job], &arguments).await?;
            BatchId::parse(&registered).ok_or_else(|| StoreError::Malformed("batch of an LRS job".into()))
        })
    }

    fn unregister_job<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if let Some(job) = self.keys().job(batch) {
                self.redis.run_script::<i64>(&UNREGISTER_JOB, &[job], &[batch.id.to_string()]).await?;
            }
            Ok(())
        })
    }

    fn erase<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            // First, so that no request to track the job gets this batch any more.
            self.unregister_job(batch).await?;
            let mut pipeline = redis::pipe();
            pipeline.atomic().cmd("SET").arg(self.keys().acceptance(batch.id)).arg(1);
            pipeline.arg("PX").arg(milliseconds(ACCEPTANCE_MARK_LIFETIME)).ignore();
            pipeline.cmd("DEL").arg(self.keys().all_of(batch)).ignore();
            self.run_pipeline::<()>(&pipeline).await?;
            self.remove_from_list_and_queue(batch).await
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
            self.run_pipeline::<()>(&pipeline).await?;
            if let Some(job) = self.keys().job(batch) {
                self.run_command::<()>(redis::cmd("PEXPIREAT").arg(job).arg(expires_at.0)).await?;
            }
            Ok(())
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

    fn claim<'a>(&'a self, lease_duration: Duration, limits: &'a ClaimLimits) -> BoxFuture<'a, Claim> {
        Box::pin(self.queue.claim(lease_duration, limits))
    }

    fn backlog(&self) -> BoxFuture<'_, Backlog> {
        Box::pin(self.queue.backlog())
    }

    fn renew(&self, lease: Lease, lease_duration: Duration) -> BoxFuture<'_, bool> {
        Box::pin(self.queue.renew(lease, lease_duration))
    }

    fn release(&self, lease: Lease, due_at: Option<EpochMillis>) -> BoxFuture<'_, bool> {
        Box::pin(self.queue.release(lease, due_at, None))
    }

    fn release_to<'a>(&'a self, lease: Lease, due_at: EpochMillis, place: &'a Place) -> BoxFuture<'a, bool> {
        Box::pin(self.queue.release(lease, Some(due_at), Some(place)))
    }

    fn release_to_any_lrs(&self, lease: Lease, due_at: EpochMillis) -> BoxFuture<'_, bool> {
        Box::pin(self.queue.release_to_any_lrs(lease, due_at))
    }

    fn release_missing(&self, lease: Lease) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            let discarded: i64 = self.redis.run_script(&DISCARD_UNACCEPTED, &[self.keys().batch(lease.id)], &[]).await?;
            if discarded == 0 {
                // The batch has just been accepted. It is due at the end of this lease.
                self.queue.wake(lease.id).await?;
            }
            self.queue.release(lease, None, None).await
        })
    }

    fn schedule(&self, id: BatchId, due_at: EpochMillis) -> BoxFuture<'_, ()> {
        Box::pin(self.queue.put(id, Some(due_at), None))
    }

    fn wake(&self, id: BatchId) -> BoxFuture<'_, ()> {
        Box::pin(self.queue.wake(id))
    }

    fn enqueue_if_lost(&self, id: BatchId) -> BoxFuture<'_, ()> {
        Box::pin(self.queue.enqueue_if_lost(id))
    }

    fn load_shared(&self) -> BoxFuture<'_, HashMap<String, Vec<u8>>> {
        Box::pin(async move { self.run_command(redis::cmd("HGETALL").arg(self.keys().shared())).await })
    }

    fn store_shared<'a>(&'a self, name: &'a str, value: &'a [u8]) -> BoxFuture<'a, ()> {
        Box::pin(async move { self.run_command(redis::cmd("HSET").arg(self.keys().shared()).arg(name).arg(value)).await })
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Malformed(error.to_string()))
}

fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Malformed(format!("batch: {error}")))
}
