//! Writes that are done once, however often they are asked for (draft-ietf-httpapi-idempotency-key-header-07).
//!
//! A caller gives a write a key of its own. The first request with it does the work; while it is being done, others are told so; when it
//! is done, they get the same answer. What came of a write may stay unknown: because LRS's answer was lost, or because the process that
//! was at it is gone. Then the next request with the key is told that it is not the first, and must look before it does anything.
//!
//! ```text
//!            begin              end: an answer to keep
//!    ───▶ first, again ──────────────────────────────────▶ done
//!           │      ▲  └─ end: nothing was done ─▶ (forgotten)
//!           │      └─────────────── begin ──────────┐
//!           └─ end: nobody knows; or no end ─▶ unknown
//! ```
//!
//! Neither key nor body is written anywhere: entries have names made with the encryption keys. Answers are sealed.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use redis::Script;
use uuid::Uuid;

use crate::storage::encryption::{DecryptError, KeyRing};
use crate::storage::{Redis, Storage, StoreError};

/// How long a key is remembered.
pub const KEY_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// How long the store may take.
const STORE_TIMEOUT: Duration = Duration::from_secs(3);
/// How many entries are kept in memory before those are looked for whose time is over.
const SWEEP_THRESHOLD: usize = 10_000;

/// What a write is known by: whose it is, which operation, and the caller's key.
#[derive(Debug, Clone, Copy)]
pub struct IdempotentRequest<'a> {
    /// The organisation's UKPRN.
    pub organisation: &'a str,
    /// The program that calls: issuer, and its name there.
    pub client: (&'a str, &'a str),
    /// The operation.
    pub operation: &'a str,
    /// The caller's key.
    pub key: &'a str,
    /// What tells its body from others.
    pub body: &'a [u8],
}

/// What is to be done about a request.
#[derive(Debug)]
pub enum Acquisition {
    /// The work.
    Acquired(Reservation),
    /// Nothing: somebody is at it.
    InProgress,
    /// Nothing: the key was used for another body.
    BodyMismatch,
    /// Nothing: it is done, and this was the answer.
    Done(Vec<u8>),
}

/// The right to do the work. What came of it is told with [`Idempotency::end`].
#[derive(Debug)]
pub struct Reservation {
    name: String,
    token: Uuid,
    /// Identifies the work. It stays the same however often it is begun.
    pub work: Uuid,
    /// Was it begun before, and nobody knows what came of it?
    pub again: bool,
}

/// What came of the work.
#[derive(Debug)]
pub enum Completion {
    /// An answer, for all who ask again.
    Answered(Vec<u8>),
    /// Nothing was done.
    NothingDone,
    /// Nobody knows.
    Unknown,
}

/// Why a write cannot be begun.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdempotencyError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The answer that is kept.
    #[error("an answer that was kept is {0}")]
    Sealed(#[from] DecryptError),
}

/// The keys in use.
#[derive(Debug)]
pub struct IdempotencyStore {
    entries: Entries,
    keys: Arc<KeyRing>,
    longest: Duration,
}

#[derive(Debug)]
enum Entries {
    Redis(Arc<Redis>),
    Memory(Mutex<HashMap<String, Entry>>),
}

#[derive(Debug, Clone)]
struct Entry {
    fingerprint: String,
    state: State,
    token: Uuid,
    work: Uuid,
    ends: Instant,
}

#[derive(Debug, Clone)]
enum State {
    Running { until: Instant },
    Done(Vec<u8>),
    Unknown,
}

/// KEYS: the names an entry can have, the newest key's first. ARGV: token, work, how long the work may take, how long the entry is kept,
/// the fingerprint that goes with each name. Returns what is so, the work, the answer, which name. Asked twice it says the same.
static BEGIN: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local at = 1
        for number, key in ipairs(KEYS) do
            if redis.call('EXISTS', key) == 1 then at = number break end
        end
        local key, fingerprint = KEYS[at], ARGV[4 + at]
        local until_then = string.format('%.0f', now + ARGV[3])
        local entry = redis.call('HMGET', key, 'fingerprint', 'state', 'until', 'token', 'work', 'answer')
        if not entry[1] then
            redis.call('HSET', key, 'fingerprint', fingerprint, 'state', 'first', 'until', until_then, 'token', ARGV[1], 'work', ARGV[2])
            redis.call('PEXPIRE', key, ARGV[4])
            return {'first', ARGV[2], '', tostring(at)}
        end
        if entry[1] ~= fingerprint then return {'other', '', '', tostring(at)} end
        if entry[2] == 'done' then return {'done', '', entry[6], tostring(at)} end
        if entry[4] == ARGV[1] then return {entry[2], entry[5], '', tostring(at)} end
        if entry[2] ~= 'unknown' and tonumber(entry[3]) > now then return {'running', '', '', tostring(at)} end
        redis.call('HSET', key, 'state', 'again', 'until', until_then, 'token', ARGV[1])
        return {'again', entry[5], '', tostring(at)}",
    )
});

/// KEYS: the entry. ARGV: token, its new state or nothing, the answer.
static END: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
        if ARGV[2] == '' then
            redis.call('DEL', KEYS[1])
        else
            redis.call('HSET', KEYS[1], 'state', ARGV[2], 'answer', ARGV[3])
        end
        return 1",
    )
});

impl IdempotencyStore {
    /// Keys remembered where this says. `longest` is how long the work of a request may take: who is at it longer than that is gone.
    pub fn new(storage: &Storage, longest: Duration) -> Self {
        let entries = storage.redis.as_ref().map_or_else(|| Entries::Memory(Mutex::default()), |redis| Entries::Redis(Arc::clone(redis)));
        Self { entries, keys: Arc::clone(&storage.keys), longest }
    }

    /// Looks a request up, and takes its work on if nobody has.
    ///
    /// # Errors
    /// [`CannotBegin`]. Nothing was begun, or nobody will end it: whoever asks next is told that somebody is at it, and later, to look.
    pub async fn acquire(&self, request: IdempotentRequest<'_>) -> Result<Acquisition, IdempotencyError> {
        let IdempotentRequest { organisation, client, operation, key, body } = request;
        let whole = serde_json::to_string(&[organisation, client.0, client.1, operation, key]).unwrap_or_default();
        let body = crate::storage::encryption::to_hex(body);
        // Entries that were made with older keys are found too.
        let names = self.keys.pseudonyms(&whole).map(|name| format!("once:{{{organisation}}}:{name}")).collect::<Vec<_>>();
        let fingerprints = self.keys.pseudonyms(&body).collect::<Vec<_>>();
        let (token, work) = (Uuid::now_v7(), Uuid::now_v7());
        let (begun, name) = match &self.entries {
            Entries::Redis(redis) => self.begin_there(redis, &names, &fingerprints, [token, work]).await?,
            Entries::Memory(entries) => self.begin_here(entries, &names[0], &fingerprints[0], [token, work]),
        };
        Ok(match begun {
            Lookup::Work { work, again } => Acquisition::Acquired(Reservation { name, token, work, again }),
            Lookup::Running => Acquisition::InProgress,
            Lookup::OtherBody => Acquisition::BodyMismatch,
            Lookup::Done(sealed) => Acquisition::Done(self.keys.decrypt(&name, &sealed)?),
        })
    }

    async fn begin_there(
        &self,
        redis: &Redis,
        names: &[String],
        fingerprints: &[String],
        [token, work]: [Uuid; 2],
    ) -> Result<(Lookup, String), StoreError> {
        let keys: Vec<String> = names.iter().map(|name| format!("{}:{name}", redis.prefix())).collect();
        let milliseconds = |duration: Duration| duration.as_millis().to_string();
        let mut arguments = vec![token.to_string(), work.to_string(), milliseconds(self.longest), milliseconds(KEY_LIFETIME)];
        arguments.extend_from_slice(fingerprints);
        let begin = redis.script::<[String; 4]>(&BEGIN, &keys, &arguments);
        let too_late = |_| StoreError::AnswerLost("it took too long".into());
        let [state, work, answer, at] = tokio::time::timeout(STORE_TIMEOUT, begin).await.map_err(too_late)??;
        let unreadable = || StoreError::Unreadable("what was done about an Idempotency-Key".into());
        let name = at.parse::<usize>().ok().and_then(|at| names.get(at.wrapping_sub(1))).ok_or_else(unreadable)?;
        let looked = match state.as_str() {
            "first" | "again" => Lookup::Work { work: Uuid::parse_str(&work).map_err(|_| unreadable())?, again: state == "again" },
            "running" => Lookup::Running,
            "other" => Lookup::OtherBody,
            "done" => Lookup::Done(STANDARD.decode(&answer).map_err(|_| unreadable())?),
            _ => return Err(unreadable()),
        };
        Ok((looked, name.clone()))
    }

    fn begin_here(
        &self,
        entries: &Mutex<HashMap<String, Entry>>,
        name: &str,
        fingerprint: &str,
        [token, work]: [Uuid; 2],
    ) -> (Lookup, String) {
        let now = Instant::now();
        let mut entries = entries.lock();
        if entries.len() > SWEEP_THRESHOLD {
            entries.retain(|_, entry| now < entry.ends);
        }
        let running = State::Running { until: now + self.longest };
        let looked = match entries.get_mut(name).filter(|entry| now < entry.ends) {
            None => {
                let entry = Entry { fingerprint: fingerprint.to_owned(), state: running, token, work, ends: now + KEY_LIFETIME };
                entries.insert(name.to_owned(), entry);
                Lookup::Work { work, again: false }
            }
            Some(entry) if entry.fingerprint != fingerprint => Lookup::OtherBody,
            Some(Entry { state: State::Done(answer), .. }) => Lookup::Done(answer.clone()),
            Some(Entry { state: State::Running { until, .. }, .. }) if now < *until => Lookup::Running,
            Some(entry) => {
                (entry.state, entry.token) = (running, token);
                Lookup::Work { work: entry.work, again: true }
            }
        };
        (looked, name.to_owned())
    }

    /// Hears what came of the work.
    ///
    /// # Errors
    /// When that cannot be kept: whoever asks next is told that somebody is at it, and later, to look.
    pub async fn complete(&self, turn: &Reservation, ended: Completion) -> Result<(), IdempotencyError> {
        let (state, answer) = match ended {
            Completion::Answered(answer) => ("done", self.keys.encrypt(&turn.name, &answer)?),
            Completion::NothingDone => ("", Vec::new()),
            Completion::Unknown => ("unknown", Vec::new()),
        };
        match &self.entries {
            Entries::Redis(redis) => {
                let keys = [format!("{}:{}", redis.prefix(), turn.name)];
                let arguments = [turn.token.to_string(), state.to_owned(), STANDARD.encode(&answer)];
                let end = redis.script::<i64>(&END, &keys, &arguments);
                let too_late = |_| StoreError::AnswerLost("it took too long".into());
                tokio::time::timeout(STORE_TIMEOUT, end).await.map_err(too_late)??;
            }
            Entries::Memory(entries) => {
                let mut entries = entries.lock();
                let Some(entry) = entries.get_mut(&turn.name).filter(|entry| entry.token == turn.token) else { return Ok(()) };
                match state {
                    "done" => entry.state = State::Done(answer),
                    "unknown" => entry.state = State::Unknown,
                    _ => drop(entries.remove(&turn.name)),
                }
            }
        }
        Ok(())
    }
}

/// What an entry says.
enum Lookup {
    Work { work: Uuid, again: bool },
    Running,
    OtherBody,
    Done(Vec<u8>),
}
