//! Idempotency keys: a write with a key is executed once (draft-ietf-httpapi-idempotency-key-header-07).
//!
//! A caller gives each write its own key. The first request with the key reserves the work and executes it. Requests that arrive meanwhile
//! learn that the work is in progress. Requests that arrive later get the stored answer. The outcome may stay unknown, because LRS's
//! response was lost or the process stopped. The next request with the key then reserves the work again; it learns that an earlier attempt
//! was made, and must check LRS before it writes.
//!
//! ```text
//!      acquire               complete: Answered
//!    ─────────▶ InProgress ─────────────────────────▶ Answered
//!                │  ▲  └─ complete: NotExecuted ─▶ (deleted)
//!                │  └───────── acquire (is_retry) ──────┐
//!                └─ complete: OutcomeUnknown ─▶ OutcomeUnknown
//! ```
//!
//! A reservation is a lease, which its holder renews while it works. When a process stops, its leases expire within seconds. A lease can
//! also expire because the store was unavailable. So a request that finds a lease expired waits before it takes over: with the store, the
//! holder's renewal comes back. A holder that could not renew does not start its write: see [`ReservationValidity`]. A reservation that is
//! taken over counts as `OutcomeUnknown`, and its token is the fencing token: the former holder can neither renew nor complete it.
//!
//! The stored entries in Redis have other names: `first` and `again` (`InProgress`, without and with `is_retry`), `done` (`Answered`) and
//! `unknown` (`OutcomeUnknown`). `acquire` returns the answer of an entry that is `Answered` as [`Acquisition::Completed`].
//!
//! Neither the key nor the body is stored: entries are named by pseudonyms. Answers are stored encrypted.

mod validity;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::Digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use redis::Script;
use tokio::time::error::Elapsed;
use uuid::Uuid;

pub use self::validity::ReservationValidity;
use crate::storage::encryption::{CipherError, KeyRing, to_hex};
use crate::storage::{LrsIdentity, Redis, Storage, StoreError};

/// Times of a reservation.
#[derive(Debug, Clone, Copy)]
pub struct ReservationTimes {
    /// Time from the last renewal to the end of the reservation.
    pub lease: Duration,
    /// Time between two renewals.
    pub renewal_interval: Duration,
    /// Time that the holder of an expired lease gets to renew it, before another request takes over. Longer than two renewals.
    pub takeover_delay: Duration,
}

impl Default for ReservationTimes {
    /// Returns times with which a key is free again nine seconds after its process has stopped.
    fn default() -> Self {
        Self { lease: Duration::from_secs(6), renewal_interval: Duration::from_millis(1_200), takeover_delay: Duration::from_secs(3) }
    }
}

/// Time for which an idempotency key is stored.
pub const KEY_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// Time limit for one operation of the store.
const STORE_TIMEOUT: Duration = Duration::from_secs(3);
/// Number of entries in memory above which expired entries are removed.
const SWEEP_THRESHOLD: usize = 10_000;

/// A write with an idempotency key.
#[derive(Debug, Clone, Copy)]
pub struct IdempotentRequest<'a> {
    /// UKPRN of the organisation.
    pub organisation: &'a str,
    /// Issuer of the caller's token.
    pub issuer: &'a str,
    /// Name of the calling program at the issuer.
    pub client: &'a str,
    /// The API operation that the key belongs to.
    pub operation: &'a str,
    /// The caller's idempotency key.
    pub key: &'a str,
    /// Digest of the JSON value of the request body, however it is written; `None` for a request without one.
    pub body_digest: Option<Digest>,
}

/// Result of [`IdempotencyStore::acquire`].
#[derive(Debug)]
pub enum Acquisition {
    /// The caller must execute the work, and then call [`IdempotencyStore::complete`].
    Acquired(Reservation),
    /// Another request executes the work.
    InProgress,
    /// The key was used with another body.
    BodyMismatch,
    /// The work is done.
    Completed {
        /// Id of the work; `None` if an earlier version stored the answer.
        work_id: Option<Uuid>,
        /// Its answer.
        answer: Vec<u8>,
    },
}

/// The exclusive right to execute the work; finish it with [`IdempotencyStore::complete`].
#[derive(Debug)]
pub struct Reservation {
    /// Key of the entry.
    name: String,
    token: Uuid,
    /// Id of the work, the same for each attempt.
    pub work_id: Uuid,
    /// `true` if an earlier attempt was made and its outcome is unknown.
    pub is_retry: bool,
    /// Until when the work may start its write.
    pub validity: ReservationValidity,
}

/// Result of the work.
#[derive(Debug)]
pub enum Completion {
    /// An answer, which is returned to later requests with the key.
    Answered(Vec<u8>),
    /// The work had no effect. The key can be used again.
    NotExecuted,
    /// The work may have had an effect.
    OutcomeUnknown,
}

/// Reason why the store failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdempotencyError {
    /// The store is unavailable or contains unreadable data.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stored answer cannot be decrypted.
    #[error("the stored answer cannot be decrypted: it is {0}")]
    Cipher(#[from] CipherError),
}

/// Store of idempotency keys and their answers.
#[derive(Debug)]
pub struct IdempotencyStore {
    entries: Entries,
    key_ring: Arc<KeyRing>,
    lrs: LrsIdentity,
    times: ReservationTimes,
}

#[derive(Debug)]
enum Entries {
    Redis(Arc<Redis>),
    Memory(Mutex<HashMap<String, Entry>>),
}

/// An entry in memory.
#[derive(Debug, Clone)]
struct Entry {
    body_pseudonym: String,
    state: State,
    token: Uuid,
    work_id: Uuid,
    expires_at: Instant,
}

#[derive(Debug, Clone)]
enum State {
    InProgress {
        until: Instant,
        /// Time at which a request found the lease expired.
        expired_at: Option<Instant>,
    },
    Finished(FinalState),
}

#[derive(Debug, Clone)]
enum FinalState {
    /// Contains the encrypted answer.
    Answered(Vec<u8>),
    OutcomeUnknown,
}

/// Result of looking up an entry: an [`Acquisition`] whose answer is still encrypted.
enum Lookup {
    Acquired {
        work_id: Uuid,
        is_retry: bool,
    },
    InProgress,
    /// The lease has expired. After a delay it can be taken over.
    Expired,
    BodyMismatch,
    Completed {
        work_id: Option<Uuid>,
        ciphertext: Vec<u8>,
    },
}

/// Ids of a reservation that is about to be made.
#[derive(Debug, Clone, Copy)]
struct ReservationIds {
    token: Uuid,
    work_id: Uuid,
}

static ACQUIRE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("idempotency/acquire.lua")));
static RENEW: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("idempotency/renew.lua")));
static COMPLETE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("idempotency/complete.lua")));

impl IdempotencyStore {
    /// Creates a store.
    pub fn new(storage: &Storage, times: ReservationTimes) -> Self {
        let entries = storage.redis.as_ref().map_or_else(|| Entries::Memory(Mutex::default()), |redis| Entries::Redis(Arc::clone(redis)));
        Self { entries, key_ring: Arc::clone(&storage.key_ring), lrs: storage.lrs.clone(), times }
    }

    /// Looks up a request's key, and reserves the work if no other request holds it.
    ///
    /// # Errors
    /// Returns [`IdempotencyError`] if the store fails. The work must not be executed then. If the reservation was made all the same, later
    /// requests get [`Acquisition::InProgress`], and after the timeout a reservation with `is_retry`.
    pub async fn acquire(&self, request: IdempotentRequest<'_>) -> Result<Acquisition, IdempotencyError> {
        let IdempotentRequest { organisation, issuer, client, operation, key, body_digest } = request;
        let identity = serde_json::to_string(&[organisation, issuer, client, operation, key, self.lrs.as_str()]).unwrap_or_default();
        // Earlier versions named entries without the LRS.
        let earlier_identity = serde_json::to_string(&[organisation, issuer, client, operation, key]).unwrap_or_default();
        // One name per encryption key: entries named with older keys are found too.
        let names = [identity, earlier_identity].map(|identity| self.key_ring.pseudonyms(&identity).collect::<Vec<_>>()).concat();
        let names: Vec<String> = names.into_iter().map(|pseudonym| format!("once:{{{organisation}}}:{pseudonym}")).collect();
        let body_digest = to_hex(body_digest.as_ref().map_or(&[], AsRef::as_ref));
        let body_pseudonyms: Vec<String> = self.key_ring.pseudonyms(&body_digest).collect();
        let body_pseudonyms = [body_pseudonyms.clone(), body_pseudonyms].concat();
        let ids = ReservationIds { token: Uuid::now_v7(), work_id: Uuid::now_v7() };
        let lookup = async || match &self.entries {
            Entries::Redis(redis) => self.acquire_shared(redis, &names, &body_pseudonyms, ids).await,
            Entries::Memory(entries) => Ok((self.acquire_local(entries, &names[0], &body_pseudonyms[0], ids), names[0].clone())),
        };
        let mut asked_at = Instant::now();
        let (mut lookup_result, mut name) = lookup().await?;
        if matches!(lookup_result, Lookup::Expired) {
            tokio::time::sleep(self.times.takeover_delay).await;
            asked_at = Instant::now();
            (lookup_result, name) = lookup().await?;
        }
        Ok(match lookup_result {
            Lookup::Acquired { work_id, is_retry } => {
                let validity = ReservationValidity::until(asked_at + self.times.lease);
                Acquisition::Acquired(Reservation { name, token: ids.token, work_id, is_retry, validity })
            }
            Lookup::InProgress | Lookup::Expired => Acquisition::InProgress,
            Lookup::BodyMismatch => Acquisition::BodyMismatch,
            Lookup::Completed { work_id, ciphertext } => {
                Acquisition::Completed { work_id, answer: self.key_ring.decrypt(&name, ciphertext)? }
            }
        })
    }

    /// Acquires in Redis. Returns the lookup and the name of the entry.
    async fn acquire_shared(
        &self,
        redis: &Redis,
        names: &[String],
        body_pseudonyms: &[String],
        ids: ReservationIds,
    ) -> Result<(Lookup, String), StoreError> {
        let keys: Vec<String> = names.iter().map(|name| format!("{}:{name}", redis.prefix())).collect();
        let milliseconds = |duration: Duration| duration.as_millis().to_string();
        let times = [self.times.lease, KEY_LIFETIME, self.times.takeover_delay].map(milliseconds);
        let mut arguments = vec![ids.token.to_string(), ids.work_id.to_string()];
        arguments.extend(times);
        arguments.extend_from_slice(body_pseudonyms);
        let acquire = async {
            redis.ensure_durable().await?;
            redis.run_script::<[String; 4]>(&ACQUIRE, &keys, &arguments).await
        };
        let [status, work_id, answer, index] = tokio::time::timeout(STORE_TIMEOUT, acquire).await.map_err(timed_out)??;
        let malformed = || StoreError::Malformed("the entry of an Idempotency-Key".into());
        // Lua counts from 1.
        let name = index.parse::<usize>().ok().and_then(|index| names.get(index.wrapping_sub(1))).ok_or_else(malformed)?;
        let lookup = match status.as_str() {
            "first" | "again" => {
                Lookup::Acquired { work_id: Uuid::parse_str(&work_id).map_err(|_| malformed())?, is_retry: status == "again" }
            }
            "in_progress" => Lookup::InProgress,
            "expired" => Lookup::Expired,
            "body_mismatch" => Lookup::BodyMismatch,
            "done" => Lookup::Completed {
                work_id: Uuid::parse_str(&work_id).ok(),
                ciphertext: STANDARD.decode(&answer).map_err(|_| malformed())?,
            },
            _ => return Err(malformed()),
        };
        Ok((lookup, name.clone()))
    }

    /// Acquires in memory.
    fn acquire_local(
        &self,
        entries: &Mutex<HashMap<String, Entry>>,
        name: &str,
        body_pseudonym: &str,
        ReservationIds { token, work_id }: ReservationIds,
    ) -> Lookup {
        let now = Instant::now();
        let mut entries = entries.lock();
        if entries.len() > SWEEP_THRESHOLD {
            entries.retain(|_, entry| now < entry.expires_at);
        }
        let state = State::InProgress { until: now + self.times.lease, expired_at: None };
        match entries.get_mut(name).filter(|entry| now < entry.expires_at) {
            None => {
                let body_pseudonym = body_pseudonym.to_owned();
                entries.insert(name.to_owned(), Entry { body_pseudonym, state, token, work_id, expires_at: now + KEY_LIFETIME });
                Lookup::Acquired { work_id, is_retry: false }
            }
            Some(entry) if entry.body_pseudonym != body_pseudonym => Lookup::BodyMismatch,
            Some(Entry { state: State::Finished(FinalState::Answered(ciphertext)), work_id, .. }) => {
                Lookup::Completed { work_id: Some(*work_id), ciphertext: ciphertext.clone() }
            }
            Some(Entry { state: State::InProgress { until, .. }, .. }) if now < *until => Lookup::InProgress,
            Some(entry) => {
                // The holder gets time to renew the lease: its thread may have been busy.
                if let State::InProgress { expired_at, .. } = &mut entry.state
                    && now.duration_since(*expired_at.get_or_insert(now)) < self.times.takeover_delay
                {
                    return Lookup::Expired;
                }
                (entry.state, entry.token) = (state, token);
                Lookup::Acquired { work_id: entry.work_id, is_retry: true }
            }
        }
    }

    /// Renews a reservation until the future is dropped.
    ///
    /// If the reservation is lost, work that has not started its write must not start it: its [`ReservationValidity`] has ended. Other work
    /// goes on, because LRS may have its request already. The loss is logged.
    pub async fn renew_periodically(&self, reservation: &Reservation) -> Infallible {
        loop {
            tokio::time::sleep(self.times.renewal_interval).await;
            let asked_at = Instant::now();
            match self.renew(reservation).await {
                Ok(true) => reservation.validity.extend(asked_at + self.times.lease),
                Ok(false) => {
                    reservation.validity.end();
                    tracing::error!("idempotency reservation lost during its request: another request with the key may have started");
                    return std::future::pending().await;
                }
                // The next renewal can still be in time.
                Err(error) => tracing::warn!(%error, "idempotency reservation not renewed"),
            }
        }
    }

    /// Extends the lease of a reservation. Returns `false` if another request holds it now.
    async fn renew(&self, reservation: &Reservation) -> Result<bool, StoreError> {
        match &self.entries {
            Entries::Redis(redis) => {
                let keys = [format!("{}:{}", redis.prefix(), reservation.name)];
                let arguments = [reservation.token.to_string(), self.times.lease.as_millis().to_string()];
                let renew = redis.run_script::<i64>(&RENEW, &keys, &arguments);
                Ok(tokio::time::timeout(self.times.renewal_interval, renew).await.map_err(timed_out)?? == 1)
            }
            Entries::Memory(entries) => {
                let mut entries = entries.lock();
                let held = entries.get_mut(&reservation.name).filter(|entry| entry.token == reservation.token);
                Ok(held.is_some_and(|entry| {
                    entry.state = State::InProgress { until: Instant::now() + self.times.lease, expired_at: None };
                    true
                }))
            }
        }
    }

    /// Records the result of the work. Does nothing if the reservation has timed out and another request holds the work now.
    ///
    /// # Errors
    /// Returns [`IdempotencyError`] if the result cannot be stored. Later requests get [`Acquisition::InProgress`], and after the timeout a
    /// reservation with `is_retry`.
    pub async fn complete(&self, reservation: &Reservation, completion: Completion) -> Result<(), IdempotencyError> {
        let final_state = match completion {
            Completion::Answered(answer) => Some(FinalState::Answered(self.key_ring.encrypt(&reservation.name, &answer)?)),
            Completion::NotExecuted => None,
            Completion::OutcomeUnknown => Some(FinalState::OutcomeUnknown),
        };
        match &self.entries {
            Entries::Redis(redis) => complete_shared(redis, reservation, final_state).await?,
            Entries::Memory(entries) => complete_local(entries, reservation, final_state),
        }
        Ok(())
    }
}

/// Records a final state in Redis; deletes the entry if there is none.
async fn complete_shared(redis: &Redis, reservation: &Reservation, final_state: Option<FinalState>) -> Result<(), StoreError> {
    let (state, answer) = match final_state {
        Some(FinalState::Answered(ciphertext)) => ("done", ciphertext),
        Some(FinalState::OutcomeUnknown) => ("unknown", Vec::new()),
        None => ("", Vec::new()),
    };
    let keys = [format!("{}:{}", redis.prefix(), reservation.name)];
    let arguments = [reservation.token.to_string(), state.to_owned(), STANDARD.encode(&answer)];
    let complete = redis.run_script::<i64>(&COMPLETE, &keys, &arguments);
    tokio::time::timeout(STORE_TIMEOUT, complete).await.map_err(timed_out)??;
    Ok(())
}

/// Records a final state in memory; deletes the entry if there is none.
fn complete_local(entries: &Mutex<HashMap<String, Entry>>, reservation: &Reservation, final_state: Option<FinalState>) {
    let mut entries = entries.lock();
    let Some(entry) = entries.get_mut(&reservation.name).filter(|entry| entry.token == reservation.token) else { return };
    match final_state {
        Some(final_state) => entry.state = State::Finished(final_state),
        None => drop(entries.remove(&reservation.name)),
    }
}

/// Returns the error for an operation that exceeded [`STORE_TIMEOUT`].
fn timed_out(_: Elapsed) -> StoreError {
    StoreError::ReplyLost("timeout".into())
}
