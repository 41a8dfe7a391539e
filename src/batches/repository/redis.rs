//! Batches in Redis: shared by every replica, and still there when all of them have gone.
//!
//! Of a batch there are one hash (`…:{id}`: header, parts, when it expires, whether it was accepted) and its blobs
//! (`…:{id}:<blob>`): the braces put all of them into one slot of a cluster. Beside them stand the list of each organisation's batches,
//! and four keys in a slot of their own: the queue of what is due, what is leased, what was woken while it was leased, and who leased
//! it. What must happen together is a script, or a transaction; scripts declare their keys.
//!
//! All changes can be made twice without harm. So when the connection breaks and nobody knows whether one was made, it is made again.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use redis::Script;

use crate::batches::model::{Batch, BatchId, EpochMillis, KindTag, Part, PartBlob};
use crate::batches::repository::{
    Backlog, BatchRepository, Blobs, BoxFuture, Claim, Lease, NewBatch, StoreError, UNACCEPTED_FOR, header_of, part_of, text_of,
};
use crate::domain::Ukprn;
use crate::storage::{Redis, invoke};

/// How long what is kept of a batch before it is accepted stays.
const PREPARED_FOR: Duration = Duration::from_secs(10 * 60);

/// Batches in Redis.
#[derive(Debug)]
pub struct RedisRepository {
    redis: Arc<Redis>,
}

/// Marks a batch as accepted, and sets when it leaves; the batch must be there, and nobody must have given it up. KEYS: batch, blobs.
/// ARGV: when it leaves.
static ACCEPT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"local state = redis.call('HGET', KEYS[1], 'accepted')
        if state == '1' then return 1 end
        if state ~= '0' then return 0 end
        redis.call('HSET', KEYS[1], 'accepted', '1', 'expires', ARGV[1])
        for _, key in ipairs(KEYS) do redis.call('PEXPIREAT', key, ARGV[1]) end
        return 1",
    )
});

/// Gives up a batch that was never accepted; its blobs leave by themselves. KEYS: batch.
static GIVE_UP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"if redis.call('HGET', KEYS[1], 'accepted') == '1' then return 0 end
        redis.call('DEL', KEYS[1])
        return 1",
    )
});

/// Changes a part if it is as its changer has seen it. KEYS: batch, blobs to put, blobs to erase. ARGV: field, seen, new, number of
/// blobs to put, their values.
static CHANGE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"local now = redis.call('HGET', KEYS[1], ARGV[1])
        if now == ARGV[3] then return 1 end
        if now ~= ARGV[2] then return 0 end
        redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
        local expires = redis.call('HGET', KEYS[1], 'expires')
        local put = tonumber(ARGV[4])
        for at = 1, #KEYS - 1 do
            if at <= put then
                redis.call('SET', KEYS[1 + at], ARGV[4 + at])
                redis.call('PEXPIREAT', KEYS[1 + at], expires)
            else
                redis.call('DEL', KEYS[1 + at])
            end
        end
        return 1",
    )
});

/// Milliseconds since 1970 by the clock of the server that has the queue: in a cluster, others may go otherwise. KEYS: due.
static NOW: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"local time = redis.call('TIME')
        return string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))",
    )
});

/// Leases what is due, and what was leased too long ago. KEYS: due, leased, woken, tokens. ARGV: lease in milliseconds, most, token.
/// Returns now, when the next is due, then the leased batches.
static CLAIM: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"local time = redis.call('TIME')
        local text = function(number) return string.format('%.0f', number) end
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', text(now), 'LIMIT', 0, 1000)) do
            redis.call('ZREM', KEYS[2], id)
            redis.call('HDEL', KEYS[4], id)
            redis.call('ZADD', KEYS[1], text(now), id)
        end
        local found = {text(now), ''}
        for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', text(now), 'LIMIT', 0, ARGV[2])) do
            redis.call('ZREM', KEYS[1], id)
            redis.call('ZADD', KEYS[2], text(now + ARGV[1]), id)
            redis.call('HSET', KEYS[4], id, ARGV[3])
            table.insert(found, id)
        end
        local next = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
        local ends = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2]
        if next and ends then next = text(math.min(next, ends)) end
        found[2] = next or ends or ''
        return found",
    )
});

/// How many there are, how many of them are due, and for how many milliseconds the first has been. Who was woken is due at once, not
/// since 1970. KEYS: due, leased.
static BACKLOG: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local first = redis.call('ZRANGEBYSCORE', KEYS[1], '(0', string.format('%.0f', now), 'WITHSCORES', 'LIMIT', 0, 1)[2]
        local all = redis.call('ZCARD', KEYS[1]) + redis.call('ZCARD', KEYS[2])
        return {all, redis.call('ZCOUNT', KEYS[1], '-inf', string.format('%.0f', now)), math.floor(now - (first or now))}",
    )
});

/// Makes a lease longer. KEYS: due, leased, woken, tokens. ARGV: id, token, from now on how many milliseconds.
static RENEW: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"if redis.call('HGET', KEYS[4], ARGV[1]) ~= ARGV[2] then return 0 end
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        redis.call('ZADD', KEYS[2], string.format('%.0f', now + ARGV[3]), ARGV[1])
        return 1",
    )
});

/// Gives a batch back. KEYS: due, leased, woken, tokens. ARGV: id, token, when it is due next or nothing.
static RELEASE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"if redis.call('HGET', KEYS[4], ARGV[1]) ~= ARGV[2] then return 0 end
        redis.call('HDEL', KEYS[4], ARGV[1])
        redis.call('ZREM', KEYS[2], ARGV[1])
        if redis.call('SREM', KEYS[3], ARGV[1]) == 1 then
            redis.call('ZADD', KEYS[1], 0, ARGV[1])
        elseif ARGV[3] ~= '' then
            redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
        end
        return 1",
    )
});

/// Makes a batch due at once, or as soon as whoever has it gives it back. KEYS: due, leased, woken, tokens. ARGV: id.
static WAKE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"if redis.call('ZSCORE', KEYS[2], ARGV[1]) then
            redis.call('SADD', KEYS[3], ARGV[1])
        else
            redis.call('ZADD', KEYS[1], 0, ARGV[1])
        end
        return 1",
    )
});

impl RedisRepository {
    /// Batches in this Redis.
    pub const fn new(redis: Arc<Redis>) -> Self {
        Self { redis }
    }

    fn batch_key(&self, id: BatchId) -> String {
        format!("{}:{{{id}}}", self.redis.prefix())
    }

    fn blob_key(&self, id: BatchId, blob: PartBlob) -> String {
        format!("{}:{{{id}}}:{blob}", self.redis.prefix())
    }

    /// The queue's keys: due, leased, woken, tokens.
    fn queue_keys(&self) -> [String; 4] {
        ["due", "leased", "woken", "tokens"].map(|name| format!("{}:{{queue}}:{name}", self.redis.prefix()))
    }

    fn shared_key(&self) -> String {
        format!("{}:shared", self.redis.prefix())
    }

    fn list_key(&self, organisation: &str, kind: KindTag) -> String {
        format!("{}:list:{organisation}:{}", self.redis.prefix(), kind.name())
    }

    /// Every key a batch may have.
    fn all_keys(&self, batch: &Batch) -> Vec<String> {
        let blobs = PartBlob::all(batch.header.parts).map(|blob| self.blob_key(batch.id, blob));
        std::iter::once(self.batch_key(batch.id)).chain(blobs).collect()
    }

    /// Everything of a batch but that it was accepted.
    async fn put(&self, NewBatch { batch, blobs }: &NewBatch) -> Result<(), StoreError> {
        let header = serde_json::to_string(&batch.header).map_err(|error| StoreError::Unreadable(error.to_string()))?;
        let parts: Vec<(String, String)> =
            batch.numbered().map(|(number, part)| Ok((number.to_string(), text_of(part)?))).collect::<Result<_, StoreError>>()?;
        let until = batch.header.created.after(PREPARED_FOR).0;
        // Should this be repeated, and its first attempt be carried out late, it changes nothing any more.
        self.redis
            .run(|mut open| {
                let mut pipe = redis::pipe();
                let key = self.batch_key(batch.id);
                pipe.atomic().hset_nx(&key, "header", &header).ignore().hset_nx(&key, "expires", batch.expires.0).ignore();
                for (number, part) in &parts {
                    pipe.hset_nx(&key, number, part).ignore();
                }
                for (blob, bytes) in blobs {
                    pipe.cmd("SET").arg(self.blob_key(batch.id, *blob)).arg(bytes).arg("NX").arg("PXAT").arg(until).ignore();
                }
                pipe.hset_nx(&key, "accepted", "0").ignore().cmd("PEXPIREAT").arg(&key).arg(until).arg("NX").ignore();
                async move { pipe.query_async(&mut open).await }
            })
            .await
    }

    async fn enter(&self, batch: &Batch) -> Result<(), StoreError> {
        let [due, ..] = self.queue_keys();
        let organisation = batch.header.organisation().map_or_else(String::new, |ukprn| ukprn.as_str().to_owned());
        let list = self.list_key(&organisation, batch.header.kind);
        let id = batch.id.to_string();
        // Not before it would be swept away, if it is not accepted.
        let sweep = batch.header.created.after(UNACCEPTED_FOR).0;
        let (oldest, listed_for) = oldest_listed(batch);
        self.redis
            .run(|mut open| {
                let (mut list_it, mut queue_it) = (redis::pipe(), redis::cmd("ZADD"));
                list_it.zadd(&list, &id, 0).ignore().pexpire(&list, listed_for).ignore();
                list_it.cmd("ZREMRANGEBYLEX").arg(&list).arg("-").arg(format!("({oldest}")).ignore();
                queue_it.arg(&due).arg("NX").arg(sweep).arg(&id);
                async move {
                    list_it.query_async::<()>(&mut open).await?;
                    queue_it.query_async(&mut open).await
                }
            })
            .await
    }
}

/// The identifier below which batches of a list are long gone, and how long the list is kept, in milliseconds: twice as long as a batch.
fn oldest_listed(batch: &Batch) -> (BatchId, i64) {
    let listed_for = batch.expires.since(batch.header.created) * 2;
    let oldest = EpochMillis(batch.header.created.0 - i64::try_from(listed_for.as_millis()).unwrap_or(0));
    (BatchId::first_at(oldest), i64::try_from(listed_for.as_millis()).unwrap_or(i64::MAX))
}

fn moment_of(text: &str) -> Option<EpochMillis> {
    text.parse().ok().map(EpochMillis)
}

impl BatchRepository for RedisRepository {
    fn now(&self) -> BoxFuture<'_, EpochMillis> {
        Box::pin(async move {
            let now: String = self.redis.script(&NOW, &self.queue_keys()[..1], &[]).await?;
            moment_of(&now).ok_or_else(|| StoreError::Unreadable("a time".into()))
        })
    }

    fn create<'a>(&'a self, new: &'a NewBatch) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let batch = &new.batch;
            // Until it is accepted, nobody sees it and nobody sends it: whatever fails before that, nothing has happened.
            let prepared = match self.put(new).await {
                Ok(()) => self.enter(batch).await,
                failed => failed,
            };
            if let Err(StoreError::Unavailable(problem) | StoreError::AnswerLost(problem)) = prepared {
                return Err(StoreError::Unavailable(problem));
            }
            let blobs = new.blobs.iter().map(|(blob, _)| self.blob_key(batch.id, *blob));
            let keys: Vec<String> = std::iter::once(self.batch_key(batch.id)).chain(blobs).collect();
            let accepted: i64 = self.redis.script(&ACCEPT, &keys, &[batch.expires.0.to_string()]).await?;
            if accepted == 0 {
                return Err(StoreError::Unavailable("the batch was not accepted in time".into()));
            }
            // It will be found without this, but later.
            let _ = self.wake(batch.id).await;
            Ok(())
        })
    }

    fn load(&self, id: BatchId) -> BoxFuture<'_, Option<Batch>> {
        Box::pin(async move {
            let key = self.batch_key(id);
            let fields: HashMap<String, String> = self
                .redis
                .run(|mut open| {
                    let mut command = redis::cmd("HGETALL");
                    command.arg(&key);
                    async move { command.query_async(&mut open).await }
                })
                .await?;
            if fields.get("accepted").map(String::as_str) != Some("1") {
                return Ok(None);
            }
            let missing = || StoreError::Unreadable("a batch without one of its fields".into());
            let header = header_of(fields.get("header").ok_or_else(missing)?)?;
            let expires = fields.get("expires").and_then(|text| moment_of(text)).ok_or_else(missing)?;
            let numbers = 1..=header.parts;
            let parts =
                numbers.map(|number| part_of(fields.get(&number.to_string()).ok_or_else(missing)?)).collect::<Result<_, StoreError>>()?;
            Ok(Some(Batch { id, header, parts, expires }))
        })
    }

    fn blob(&self, id: BatchId, blob: PartBlob) -> BoxFuture<'_, Option<Vec<u8>>> {
        Box::pin(async move {
            let key = self.blob_key(id, blob);
            self.redis
                .run(|mut open| {
                    let mut command = redis::cmd("GET");
                    command.arg(&key);
                    async move { command.query_async(&mut open).await }
                })
                .await
        })
    }

    fn change<'a>(&'a self, id: BatchId, number: u32, seen: &'a Part, part: &'a Part, blobs: &'a Blobs) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let (seen, part) = (text_of(seen)?, text_of(part)?);
            let changed: i64 = self
                .redis
                .run(|mut open| {
                    let mut invocation = CHANGE.prepare_invoke();
                    invocation.key(self.batch_key(id));
                    let put = blobs.put.iter().map(|(blob, _)| *blob);
                    for blob in put.chain(blobs.erase.iter().copied()) {
                        invocation.key(self.blob_key(id, blob));
                    }
                    invocation.arg(number).arg(&seen).arg(&part).arg(blobs.put.len());
                    for (_, bytes) in &blobs.put {
                        invocation.arg(bytes);
                    }
                    async move { invocation.invoke_async(&mut open).await }
                })
                .await?;
            Ok(changed == 1)
        })
    }

    fn erase<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let organisation = batch.header.organisation().map_or_else(String::new, |ukprn| ukprn.as_str().to_owned());
            let (list, id, keys) = (self.list_key(&organisation, batch.header.kind), batch.id.to_string(), self.all_keys(batch));
            let [due, _, woken, _] = self.queue_keys();
            self.redis
                .run(|mut open| {
                    let (mut erase, mut unlist, mut unqueue) = (redis::cmd("DEL"), redis::cmd("ZREM"), redis::pipe());
                    erase.arg(&keys);
                    unlist.arg(&list).arg(&id);
                    unqueue.zrem(&due, &id).ignore().srem(&woken, &id).ignore();
                    async move {
                        erase.query_async::<()>(&mut open).await?;
                        unlist.query_async::<()>(&mut open).await?;
                        unqueue.query_async(&mut open).await
                    }
                })
                .await
        })
    }

    fn extend_expiry<'a>(&'a self, batch: &'a Batch, moment: EpochMillis) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let (key, keys) = (self.batch_key(batch.id), self.all_keys(batch));
            self.redis
                .run(|mut open| {
                    // Should it be erased in this very moment, what comes back is no batch, and leaves by itself.
                    let mut pipe = redis::pipe();
                    pipe.atomic().hset(&key, "expires", moment.0).ignore();
                    for key in &keys {
                        pipe.pexpire_at(key, moment.0).ignore();
                    }
                    async move { pipe.query_async(&mut open).await }
                })
                .await
        })
    }

    fn list<'a>(&'a self, organisation: &'a Ukprn, kind: KindTag, after: Option<BatchId>, most: usize) -> BoxFuture<'a, Vec<BatchId>> {
        Box::pin(async move {
            let key = self.list_key(organisation.as_str(), kind);
            let from = after.map_or_else(|| "+".to_owned(), |after| format!("({after}"));
            let ids: Vec<String> = self
                .redis
                .run(|mut open| {
                    let mut command = redis::cmd("ZREVRANGEBYLEX");
                    command.arg(&key).arg(&from).arg("-").arg("LIMIT").arg(0).arg(most);
                    async move { command.query_async(&mut open).await }
                })
                .await?;
            Ok(ids.iter().filter_map(|id| BatchId::parse(id)).collect())
        })
    }

    fn claim(&self, lease: Duration, most: usize) -> BoxFuture<'_, Claim> {
        Box::pin(async move {
            let token = fastrand::u64(..);
            let (keys, arguments) = (self.queue_keys(), [lease.as_millis().to_string(), most.to_string(), token.to_string()]);
            let found: Vec<String> = self.redis.run_once(|open| invoke(open, &CLAIM, &keys, &arguments)).await?;
            let unreadable = || StoreError::Unreadable("an answer to a claim".into());
            let [now, next, ids @ ..] = &found[..] else { return Err(unreadable()) };
            let leases = ids.iter().filter_map(|id| BatchId::parse(id)).map(|id| Lease { id, token });
            Ok(Claim { now: moment_of(now).ok_or_else(unreadable)?, leases: leases.collect(), next: moment_of(next) })
        })
    }

    fn backlog(&self) -> BoxFuture<'_, Backlog> {
        Box::pin(async move {
            let (unfinished, due, oldest) = self.redis.script(&BACKLOG, &self.queue_keys()[..2], &[]).await?;
            Ok(Backlog { unfinished, due, oldest: Duration::from_millis(oldest) })
        })
    }

    fn renew(&self, lease: Lease, length: Duration) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            let arguments = [lease.id.to_string(), lease.token.to_string(), length.as_millis().to_string()];
            self.redis.script::<i64>(&RENEW, &self.queue_keys(), &arguments).await.map(|renewed| renewed == 1)
        })
    }

    fn release(&self, lease: Lease, due: Option<EpochMillis>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let due = due.map(|due| due.0.to_string()).unwrap_or_default();
            let arguments = [lease.id.to_string(), lease.token.to_string(), due];
            self.redis.script::<i64>(&RELEASE, &self.queue_keys(), &arguments).await.map(|_| ())
        })
    }

    fn forget(&self, lease: Lease) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let given_up: i64 = self.redis.script(&GIVE_UP, &[self.batch_key(lease.id)], &[]).await?;
            // Accepted in this very moment: it is due now.
            self.release(lease, (given_up == 0).then_some(EpochMillis(0))).await
        })
    }

    fn wake(&self, id: BatchId) -> BoxFuture<'_, ()> {
        Box::pin(async move { self.redis.script::<i64>(&WAKE, &self.queue_keys(), &[id.to_string()]).await.map(|_| ()) })
    }

    fn shared(&self) -> BoxFuture<'_, HashMap<String, Vec<u8>>> {
        Box::pin(async move {
            let key = self.shared_key();
            self.redis
                .run(|mut open| {
                    let mut command = redis::cmd("HGETALL");
                    command.arg(&key);
                    async move { command.query_async(&mut open).await }
                })
                .await
        })
    }

    fn share<'a>(&'a self, name: &'a str, value: &'a [u8]) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let key = self.shared_key();
            self.redis
                .run(|mut open| {
                    let mut command = redis::cmd("HSET");
                    command.arg(&key).arg(name).arg(value);
                    async move { command.query_async(&mut open).await }
                })
                .await
        })
    }
}
