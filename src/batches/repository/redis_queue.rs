//! The queue of batches in Redis. Each operation is one script; `keys.rs` describes what they keep.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use redis::Script;

use crate::batches::model::{BatchId, EpochMillis};
use crate::batches::repository::keys::BatchKeys;
use crate::batches::repository::{Backlog, Claim, ClaimLimits, ClaimedBatch, Lease, Place, StoreError};
use crate::domain::Ukprn;
use crate::schema::Scalar as _;
use crate::storage::{LrsIdentity, Redis, invoke_script};

static NOW: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("now.lua")));
static CLAIM: LazyLock<Script> = LazyLock::new(|| queue_script(include_str!("claim.lua")));
static BACKLOG: LazyLock<Script> = LazyLock::new(|| queue_script(include_str!("backlog.lua")));
static RENEW: LazyLock<Script> = LazyLock::new(|| queue_script(include_str!("renew.lua")));
static RELEASE: LazyLock<Script> = LazyLock::new(|| queue_script(include_str!("release.lua")));
static SCHEDULE: LazyLock<Script> = LazyLock::new(|| queue_script(include_str!("schedule.lua")));
static WAKE: LazyLock<Script> = LazyLock::new(|| queue_script(include_str!("wake.lua")));
static ENQUEUE_IF_LOST: LazyLock<Script> = LazyLock::new(|| queue_script(include_str!("enqueue_if_lost.lua")));
static DEQUEUE: LazyLock<Script> = LazyLock::new(|| queue_script(include_str!("dequeue.lua")));

/// Reply of `release.lua` if the lease is ended and the batch is due now.
const RELEASED_AND_DUE: i64 = 2;

/// Reply to a claim: now, next time, ids of the leased batches, their organisations, contended organisations.
type ClaimReply = (String, String, Vec<String>, Vec<String>, Vec<String>);

/// Returns a script of the queue.
pub fn queue_script(text: &str) -> Script {
    Script::new(&[include_str!("queue.lua"), text].concat())
}

/// The queue of the batches for one LRS.
#[derive(Debug)]
pub struct RedisQueue {
    redis: Arc<Redis>,
    lrs_tag: String,
}

impl RedisQueue {
    /// Returns the queue in this Redis of the batches for this LRS.
    pub fn new(redis: Arc<Redis>, lrs: &LrsIdentity) -> Self {
        Self { redis, lrs_tag: lrs.tag() }
    }

    /// Returns the keys of batches for this LRS.
    pub fn keys(&self) -> BatchKeys<'_> {
        BatchKeys { prefix: self.redis.prefix(), lrs_tag: &self.lrs_tag }
    }

    /// Returns the keys of the queue, and those of waiting and leased batches of earlier queues.
    fn all_due_and_leased(&self) -> Vec<String> {
        let [earlier_due, earlier_leased, ..] = self.keys().earlier_queue();
        [self.keys().queue(), vec![self.keys().due_of_last_version(), earlier_due, earlier_leased]].concat()
    }

    /// Runs a script that returns a number.
    async fn run(&self, script: &Script, arguments: &[String]) -> Result<i64, StoreError> {
        self.redis.run_script(script, &self.keys().queue(), arguments).await
    }

    /// Returns the time by the clock of the server that has the queue.
    pub async fn now(&self) -> Result<EpochMillis, StoreError> {
        let now: String = self.redis.run_script(&NOW, &self.keys().queue()[..1], &[]).await?;
        parse_millis(&now).ok_or_else(|| StoreError::Malformed("time".into()))
    }

    /// Makes a batch due at a time, now if there is none, unless it is due earlier. Without a place, it keeps the one that it has.
    pub async fn put(&self, id: BatchId, due_at: Option<EpochMillis>, place: Option<Place>) -> Result<(), StoreError> {
        self.run(&SCHEDULE, &[id.to_string(), millis_text(due_at), place_text(place.as_ref())]).await.map(|_| ())
    }

    /// Makes a batch due immediately, or at the end of its current lease.
    pub async fn wake(&self, id: BatchId) -> Result<(), StoreError> {
        self.run(&WAKE, &[id.to_string()]).await.map(|_| ())
    }

    /// Makes a batch due immediately if it is in no queue.
    pub async fn enqueue_if_lost(&self, id: BatchId) -> Result<(), StoreError> {
        self.redis.run_script::<i64>(&ENQUEUE_IF_LOST, &self.all_due_and_leased(), &[id.to_string()]).await.map(|_| ())
    }

    /// Takes a batch out of the queue.
    pub async fn remove(&self, id: BatchId) -> Result<(), StoreError> {
        self.run(&DEQUEUE, &[id.to_string()]).await.map(|_| ())
    }

    /// Leases due batches.
    pub async fn claim(&self, lease_duration: Duration, limits: &ClaimLimits) -> Result<Claim, StoreError> {
        let token = fastrand::u64(..);
        let mut keys = self.keys().queue();
        keys.push(self.keys().due_of_last_version());
        keys.extend(self.keys().earlier_queue());
        let ClaimLimits { batches, batches_per_organisation, exceptions } = limits;
        let mut arguments = vec![lease_duration.as_millis().to_string(), batches.to_string(), batches_per_organisation.to_string()];
        arguments.push(token.to_string());
        arguments.extend(exceptions.iter().flat_map(|(organisation, limit)| [organisation.to_string(), limit.to_string()]));
        // Not repeated: a second claim would lease other batches. The leases of a lost reply expire.
        let (now, next, ids, organisations, contended): ClaimReply =
            self.redis.run_once(|handle| invoke_script(handle, &CLAIM, &keys, &arguments)).await?;
        let claimed = |(id, organisation): (&String, &String)| {
            let lease = Lease { id: BatchId::parse(id)?, token };
            Some(ClaimedBatch { lease, organisation: Ukprn::parse(organisation).ok() })
        };
        Ok(Claim {
            now: parse_millis(&now).ok_or_else(|| StoreError::Malformed("reply to a claim".into()))?,
            batches: ids.iter().zip(&organisations).filter_map(claimed).collect(),
            next: parse_millis(&next),
            contended: contended.iter().filter_map(|organisation| Ukprn::parse(organisation).ok()).collect(),
        })
    }

    /// Counts unfinished and claimable batches.
    pub async fn backlog(&self) -> Result<Backlog, StoreError> {
        let (unfinished, claimable, oldest_ms) = self.redis.run_script(&BACKLOG, &self.all_due_and_leased(), &[]).await?;
        Ok(Backlog { unfinished, claimable, oldest_claimable_age: Duration::from_millis(oldest_ms) })
    }

    /// Extends a lease. Returns `false` if it has expired.
    pub async fn renew(&self, lease: Lease, lease_duration: Duration) -> Result<bool, StoreError> {
        let arguments = [lease.id.to_string(), lease.token.to_string(), lease_duration.as_millis().to_string()];
        self.run(&RENEW, &arguments).await.map(|renewed| renewed == 1)
    }

    /// Ends a lease and sets the next due time. Without a place, the batch keeps the one that it has. Returns `true` if the batch is due now.
    pub async fn release(&self, lease: Lease, due_at: Option<EpochMillis>, place: Option<&Place>) -> Result<bool, StoreError> {
        let arguments = [lease.id.to_string(), lease.token.to_string(), millis_text(due_at), place_text(place)];
        self.run(&RELEASE, &arguments).await.map(|released| released == RELEASED_AND_DUE)
    }

    /// Ends a lease. The batch is due again in the queue that was the same for every LRS. Returns `true` if it is due now in the own queue.
    pub async fn release_to_any_lrs(&self, lease: Lease, due_at: EpochMillis) -> Result<bool, StoreError> {
        let [earlier_due, ..] = self.keys().earlier_queue();
        let keys = [self.keys().queue(), vec![earlier_due]].concat();
        let arguments = [lease.id.to_string(), lease.token.to_string(), millis_text(Some(due_at)), String::new()];
        self.redis.run_script(&RELEASE, &keys, &arguments).await.map(|released: i64| released == RELEASED_AND_DUE)
    }
}

/// Parses a time that a script returns, or that is stored.
pub fn parse_millis(text: &str) -> Option<EpochMillis> {
    text.parse().ok().map(EpochMillis)
}

fn millis_text(time: Option<EpochMillis>) -> String {
    time.map(|time| time.0.to_string()).unwrap_or_default()
}

/// Returns a place as the scripts write it.
pub fn place_text(place: Option<&Place>) -> String {
    place.map(|Place { organisation, rank }| format!("{organisation}:{}", rank.number())).unwrap_or_default()
}
