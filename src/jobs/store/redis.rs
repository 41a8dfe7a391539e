//! Batches in Redis: shared by every replica, and still there when all of them have gone.
//!
//! Of a batch there are one hash (`…:{id}`: header, parts, when it expires, whether it was accepted) and its blobs
//! (`…:{id}:<blob>`): the braces put all of them into one slot of a cluster. Beside them stand the list of each organisation's batches,
//! and three keys in a slot of their own: the queue of what is due, what is leased, and what was woken while it was leased. What must
//! happen together is a script, or a transaction; scripts declare their keys.
//!
//! All changes can be made twice without harm. So when the connection breaks and nobody knows whether one was made, it is made again.

use std::future::Future;
use std::sync::LazyLock;
use std::time::Duration;

use redis::{FromRedisValue, RedisError, RedisResult, Script};

use super::redis_connection::{Connection, Open, describe};
use super::{Blobs, Claim, Lease, NewBatch, Pending, Store, StoreError, UNACCEPTED_FOR, header_of, part_of, text_of};
use crate::domain::Ukprn;
use crate::jobs::model::{Batch, BatchId, Blob, Kind, Moment, Part};

/// How long the list of an organisation's batches outlives its last entry.
const LIST_KEPT_FOR: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// Batches in Redis.
#[derive(Debug)]
pub struct RedisStore {
    connection: Connection,
    prefix: String,
}

/// Marks a batch as accepted; the batch must be there, and nobody must have given it up. KEYS: batch.
static ACCEPT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"local state = redis.call('HGET', KEYS[1], 'accepted')
        if state ~= '0' and state ~= '1' then return 0 end
        redis.call('HSET', KEYS[1], 'accepted', '1')
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

/// Leases what is due, and what was leased too long ago. Leases end at moments of their own, so that nobody takes another's for theirs.
/// KEYS: due, leased, woken. ARGV: lease in milliseconds, most. Returns now, when the next is due, then ids and ends of leases.
static CLAIM: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local text = function(number) return string.format('%.0f', number) end
        for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', text(now), 'LIMIT', 0, 1000)) do
            redis.call('ZREM', KEYS[2], id)
            redis.call('ZADD', KEYS[1], text(now), id)
        end
        local found = {text(now), ''}
        for at, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', text(now), 'LIMIT', 0, ARGV[2])) do
            local last = redis.call('ZREVRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2]
            local ends = math.max(now + ARGV[1], (tonumber(last) or 0) + 1)
            redis.call('ZREM', KEYS[1], id)
            redis.call('ZADD', KEYS[2], text(ends), id)
            table.insert(found, id)
            table.insert(found, text(ends))
        end
        local next = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
        local ends = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2]
        if next and ends then next = text(math.min(next, ends)) end
        found[2] = next or ends or ''
        return found",
    )
});

/// Makes a lease longer. KEYS: leased. ARGV: id, its end, by how many milliseconds. Returns its new end, or nothing.
static RENEW: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
        if not score or tonumber(score) ~= tonumber(ARGV[2]) then return '' end
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
        local ends = string.format('%.0f', math.max(now + ARGV[3], (tonumber(last) or 0) + 1))
        redis.call('ZADD', KEYS[1], ends, ARGV[1])
        return ends",
    )
});

/// Gives a batch back. KEYS: due, leased, woken. ARGV: id, end of its lease, when it is due next or nothing.
static RELEASE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"local score = redis.call('ZSCORE', KEYS[2], ARGV[1])
        if not score or tonumber(score) ~= tonumber(ARGV[2]) then return 0 end
        redis.call('ZREM', KEYS[2], ARGV[1])
        if redis.call('SREM', KEYS[3], ARGV[1]) == 1 then
            redis.call('ZADD', KEYS[1], 0, ARGV[1])
        elseif ARGV[3] ~= '' then
            redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
        end
        return 1",
    )
});

/// Makes a batch due at once, or as soon as whoever has it gives it back. KEYS: due, leased, woken. ARGV: id.
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

impl RedisStore {
    /// Batches in the Redis at this address, under keys that begin with `prefix`. It is connected to when it is first needed.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub fn new(url: &str, ca: Option<Vec<u8>>, prefix: &str) -> Result<Self, String> {
        Ok(Self { connection: Connection::new(url, ca)?, prefix: prefix.to_owned() })
    }

    fn batch_key(&self, id: BatchId) -> String {
        format!("{}:{{{id}}}", self.prefix)
    }

    fn blob_key(&self, id: BatchId, blob: Blob) -> String {
        format!("{}:{{{id}}}:{blob}", self.prefix)
    }

    /// The queue's keys: due, leased, woken.
    fn queue_keys(&self) -> [String; 3] {
        ["due", "leased", "woken"].map(|name| format!("{}:{{queue}}:{name}", self.prefix))
    }

    fn list_key(&self, organisation: &str, kind: Kind) -> String {
        format!("{}:list:{organisation}:{}", self.prefix, kind.name())
    }

    /// Every key a batch may have.
    fn all_keys(&self, batch: &Batch) -> Vec<String> {
        let blobs = Blob::all(batch.header.parts).map(|blob| self.blob_key(batch.id, blob));
        std::iter::once(self.batch_key(batch.id)).chain(blobs).collect()
    }

    /// Does something that can be done twice, and does it twice if the connection breaks.
    async fn run<T, F: Future<Output = RedisResult<T>>>(&self, work: impl Fn(Open) -> F) -> Result<T, StoreError> {
        match self.run_once(&work).await {
            Err(StoreError::AnswerLost(_)) => self.run_once(&work).await,
            done => done,
        }
    }

    async fn run_once<T, F: Future<Output = RedisResult<T>>>(&self, work: impl Fn(Open) -> F) -> Result<T, StoreError> {
        let (number, open) = self.connection.open().await?;
        match work(open).await {
            Ok(done) => Ok(done),
            Err(error) => Err(self.judge(number, &error).await),
        }
    }

    async fn judge(&self, number: u64, error: &RedisError) -> StoreError {
        self.connection.failed(number, error).await;
        let problem = describe(Some(error));
        if error.is_io_error() || error.is_timeout() { StoreError::AnswerLost(problem) } else { StoreError::Unavailable(problem) }
    }

    /// Everything of a batch but that it was accepted.
    async fn put(&self, NewBatch { batch, blobs }: &NewBatch) -> Result<(), StoreError> {
        let header = serde_json::to_string(&batch.header).map_err(|error| StoreError::Unreadable(error.to_string()))?;
        let parts: Vec<(String, String)> =
            batch.numbered().map(|(number, part)| Ok((number.to_string(), text_of(part)?))).collect::<Result<_, StoreError>>()?;
        self.run(|mut open| {
            let mut pipe = redis::pipe();
            let key = self.batch_key(batch.id);
            pipe.atomic().hset(&key, "header", &header).ignore().hset(&key, "expires", batch.expires.0).ignore();
            pipe.hset_nx(&key, "accepted", "0").ignore();
            for (number, part) in &parts {
                pipe.hset(&key, number, part).ignore();
            }
            pipe.pexpire_at(&key, batch.expires.0).ignore();
            for (blob, bytes) in blobs {
                let key = self.blob_key(batch.id, *blob);
                pipe.set(&key, bytes).ignore().pexpire_at(&key, batch.expires.0).ignore();
            }
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
        self.run(|mut open| {
            let (mut list_it, mut queue_it) = (redis::pipe(), redis::cmd("ZADD"));
            list_it.zadd(&list, &id, 0).ignore();
            list_it.pexpire(&list, i64::try_from(LIST_KEPT_FOR.as_millis()).unwrap_or(i64::MAX)).ignore();
            queue_it.arg(&due).arg("NX").arg(sweep).arg(&id);
            async move {
                list_it.query_async::<()>(&mut open).await?;
                queue_it.query_async(&mut open).await
            }
        })
        .await
    }

    async fn script<T: FromRedisValue>(&self, script: &Script, keys: &[String], arguments: &[String]) -> Result<T, StoreError> {
        self.run(|open| invoke(open, script, keys, arguments)).await
    }
}

async fn invoke<T: FromRedisValue>(mut open: Open, script: &Script, keys: &[String], arguments: &[String]) -> RedisResult<T> {
    let mut invocation = script.prepare_invoke();
    for key in keys {
        invocation.key(key);
    }
    for argument in arguments {
        invocation.arg(argument);
    }
    invocation.invoke_async(&mut open).await
}

fn moment_of(text: &str) -> Option<Moment> {
    text.parse().ok().map(Moment)
}

impl Store for RedisStore {
    fn now(&self) -> Pending<'_, Moment> {
        Box::pin(async move {
            let (seconds, micros): (i64, i64) = self.run(|mut open| async move { redis::cmd("TIME").query_async(&mut open).await }).await?;
            Ok(Moment(seconds * 1000 + micros / 1000))
        })
    }

    fn create<'a>(&'a self, new: &'a NewBatch) -> Pending<'a, ()> {
        Box::pin(async move {
            let id = new.batch.id;
            // Until it is accepted, nobody sees it and nobody sends it: whatever fails before that, nothing has happened.
            let prepared = match self.put(new).await {
                Ok(()) => self.enter(&new.batch).await,
                failed => failed,
            };
            if let Err(StoreError::Unavailable(problem) | StoreError::AnswerLost(problem)) = prepared {
                return Err(StoreError::Unavailable(problem));
            }
            let accepted: i64 = self.script(&ACCEPT, &[self.batch_key(id)], &[]).await?;
            if accepted == 0 {
                return Err(StoreError::Unavailable("the batch was not accepted in time".into()));
            }
            // It will be found without this, but later.
            let _ = self.wake(id).await;
            Ok(())
        })
    }

    fn load(&self, id: BatchId) -> Pending<'_, Option<Batch>> {
        Box::pin(async move {
            let key = self.batch_key(id);
            let fields: std::collections::HashMap<String, String> = self
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

    fn blob(&self, id: BatchId, blob: Blob) -> Pending<'_, Option<Vec<u8>>> {
        Box::pin(async move {
            let key = self.blob_key(id, blob);
            self.run(|mut open| {
                let mut command = redis::cmd("GET");
                command.arg(&key);
                async move { command.query_async(&mut open).await }
            })
            .await
        })
    }

    fn change<'a>(&'a self, id: BatchId, number: u32, seen: &'a Part, part: &'a Part, blobs: &'a Blobs) -> Pending<'a, bool> {
        Box::pin(async move {
            let (seen, part) = (text_of(seen)?, text_of(part)?);
            let changed: i64 = self
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

    fn erase<'a>(&'a self, batch: &'a Batch) -> Pending<'a, ()> {
        Box::pin(async move {
            let organisation = batch.header.organisation().map_or_else(String::new, |ukprn| ukprn.as_str().to_owned());
            let (list, id, keys) = (self.list_key(&organisation, batch.header.kind), batch.id.to_string(), self.all_keys(batch));
            let [due, _, woken] = self.queue_keys();
            self.run(|mut open| {
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

    fn keep_until<'a>(&'a self, batch: &'a Batch, moment: Moment) -> Pending<'a, ()> {
        Box::pin(async move {
            let (key, keys) = (self.batch_key(batch.id), self.all_keys(batch));
            self.run(|mut open| {
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

    fn list<'a>(&'a self, organisation: &'a Ukprn, kind: Kind, after: Option<BatchId>, most: usize) -> Pending<'a, Vec<BatchId>> {
        Box::pin(async move {
            let key = self.list_key(organisation.as_str(), kind);
            let from = after.map_or_else(|| "+".to_owned(), |after| format!("({after}"));
            let ids: Vec<String> = self
                .run(|mut open| {
                    let mut command = redis::cmd("ZREVRANGEBYLEX");
                    command.arg(&key).arg(&from).arg("-").arg("LIMIT").arg(0).arg(most);
                    async move { command.query_async(&mut open).await }
                })
                .await?;
            Ok(ids.iter().filter_map(|id| BatchId::parse(id)).collect())
        })
    }

    fn claim(&self, lease: Duration, most: usize) -> Pending<'_, Claim> {
        Box::pin(async move {
            let (keys, arguments) = (self.queue_keys(), [lease.as_millis().to_string(), most.to_string()]);
            let found: Vec<String> = self.run_once(|open| invoke(open, &CLAIM, &keys, &arguments)).await?;
            let unreadable = || StoreError::Unreadable("an answer to a claim".into());
            let [now, next, leased @ ..] = &found[..] else { return Err(unreadable()) };
            let now = moment_of(now).ok_or_else(unreadable)?;
            let mut claimed = Vec::new();
            for pair in leased.chunks_exact(2) {
                let id = BatchId::parse(&pair[0]).ok_or_else(unreadable)?;
                claimed.push(Lease { id, until: moment_of(&pair[1]).ok_or_else(unreadable)? });
            }
            Ok(Claim { now, leases: claimed, next: moment_of(next) })
        })
    }

    fn renew(&self, lease: Lease, by: Duration) -> Pending<'_, Option<Lease>> {
        Box::pin(async move {
            let [_, leased, _] = self.queue_keys();
            let arguments = [lease.id.to_string(), lease.until.0.to_string(), by.as_millis().to_string()];
            let renewed: String = self.run_once(|open| invoke(open, &RENEW, std::slice::from_ref(&leased), &arguments)).await?;
            Ok(moment_of(&renewed).map(|until| Lease { until, ..lease }))
        })
    }

    fn release(&self, lease: Lease, due: Option<Moment>) -> Pending<'_, ()> {
        Box::pin(async move {
            let due = due.map(|due| due.0.to_string()).unwrap_or_default();
            let arguments = [lease.id.to_string(), lease.until.0.to_string(), due];
            self.script::<i64>(&RELEASE, &self.queue_keys(), &arguments).await.map(|_| ())
        })
    }

    fn forget(&self, lease: Lease) -> Pending<'_, ()> {
        Box::pin(async move {
            let given_up: i64 = self.script(&GIVE_UP, &[self.batch_key(lease.id)], &[]).await?;
            // Accepted in this very moment: it is due now.
            self.release(lease, (given_up == 0).then_some(Moment(0))).await
        })
    }

    fn wake(&self, id: BatchId) -> Pending<'_, ()> {
        Box::pin(async move { self.script::<i64>(&WAKE, &self.queue_keys(), &[id.to_string()]).await.map(|_| ()) })
    }

    fn unlist<'a>(&'a self, organisation: &'a Ukprn, kind: Kind, ids: &'a [BatchId]) -> Pending<'a, ()> {
        Box::pin(async move {
            if ids.is_empty() {
                return Ok(());
            }
            let (key, ids) = (self.list_key(organisation.as_str(), kind), ids.iter().map(ToString::to_string).collect::<Vec<_>>());
            self.run(|mut open| {
                let mut command = redis::cmd("ZREM");
                command.arg(&key).arg(&ids);
                async move { command.query_async(&mut open).await }
            })
            .await
        })
    }

    fn replace<'a>(&'a self, name: &'static str, value: &'a [u8]) -> Pending<'a, ()> {
        Box::pin(async move {
            let key = format!("{}:{name}", self.prefix);
            self.run(|mut open| {
                let mut command = redis::cmd("SET");
                command.arg(&key).arg(value);
                async move { command.query_async(&mut open).await }
            })
            .await
        })
    }

    fn agree<'a>(&'a self, name: &'static str, value: &'a [u8]) -> Pending<'a, Vec<u8>> {
        Box::pin(async move {
            let key = format!("{}:{name}", self.prefix);
            self.run(|mut open| {
                let (mut put, mut get) = (redis::cmd("SET"), redis::cmd("GET"));
                put.arg(&key).arg(value).arg("NX");
                get.arg(&key);
                async move {
                    put.query_async::<()>(&mut open).await?;
                    get.query_async(&mut open).await
                }
            })
            .await
        })
    }
}
