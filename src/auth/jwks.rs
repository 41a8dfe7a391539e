//! The key set of an issuer (JWKS): fetched in the background, and when a token names a key that is not in it.
//!
//! ```text
//!   in the background, every `refresh` ─────────┐
//!   (after a failure: every `cooldown`)         ├──▶ one fetch at a time ──▶ good: the new set, and only that
//!   a token names an unknown key ── `cooldown` ─┘                       └──▶ bad: the last good set stays
//! ```
//!
//! Tokens come from anybody: however many name keys that do not exist, the issuer is asked once in a cool-down, all told.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use reqwest::Url;
use reqwest::header::ACCEPT;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::Instant;

use crate::auth::jwk::Jwks;
use crate::error_chain::root_cause;
use crate::io_runtime;
use crate::lrs::http_client::{HttpClientFactory, read_at_most};
use crate::organisations::ClientFactory as _;

/// Largest key set, in bytes.
const MOST_BYTES: usize = 256 * 1024;

/// Where a key set is, and how often it is fetched.
#[derive(Debug, Clone)]
pub struct JwksSettings {
    /// Its address.
    pub url: Url,
    /// The longest time between two fetches.
    pub refresh: Duration,
    /// The shortest time after a fetch before an unknown key leads to another.
    pub cooldown: Duration,
    /// The longest a fetch may take.
    pub timeout: Duration,
    /// The longest a token waits for one.
    pub longest_wait: Duration,
}

impl JwksSettings {
    /// The longest a fetch may take, connecting included.
    pub const TIMEOUT: Duration = Duration::from_secs(5);

    /// The usual settings, for the key set at this address.
    pub const fn at(url: Url) -> Self {
        Self {
            url,
            refresh: Duration::from_secs(300),
            cooldown: Duration::from_secs(10),
            timeout: Self::TIMEOUT,
            longest_wait: Duration::from_secs(3),
        }
    }
}

/// A set as it was published for some time.
#[derive(Debug, Clone)]
pub struct KeySetVersion {
    /// Its number. What was verified with one edition says nothing about another.
    pub number: u64,
    /// Its keys.
    pub keys: Arc<Jwks>,
}

/// The keys an issuer publishes.
#[derive(Debug)]
pub struct JwksClient {
    settings: JwksSettings,
    http: reqwest::Client,
    state: RwLock<State>,
    /// Held while a fetch is on its way.
    last: Arc<Mutex<Option<Fetch>>>,
}

#[derive(Debug, Default)]
struct State {
    /// The last good set.
    edition: Option<KeySetVersion>,
    /// When it was last seen to be the issuer's.
    seen: Option<Instant>,
    /// Did the last fetch fail?
    failing: bool,
}

/// A fetch that is over.
#[derive(Debug, Clone, Copy)]
struct Fetch {
    began: Instant,
    failed: Option<Instant>,
}

impl JwksClient {
    /// A key set that has not been fetched yet.
    ///
    /// # Errors
    /// What keeps the HTTP client from being built.
    pub fn new(settings: JwksSettings, transport: &HttpClientFactory) -> Result<Self, String> {
        let http = transport.client(None)?;
        Ok(Self { settings, http, state: RwLock::default(), last: Arc::default() })
    }

    /// The last good set.
    pub fn edition(&self) -> Option<KeySetVersion> {
        self.state.read().edition.clone()
    }

    /// Its number, 0 when there has never been one.
    pub fn number(&self) -> u64 {
        self.state.read().edition.as_ref().map_or(0, |edition| edition.number)
    }

    /// How long ago the set was last seen to be the issuer's. `None`: never.
    pub fn age(&self) -> Option<Duration> {
        self.state.read().seen.map(|seen| seen.elapsed())
    }

    /// Fetches the set now and again, for as long as the runtime lasts.
    pub async fn refresh_periodically(self: Arc<Self>) {
        loop {
            let last = Arc::clone(&self.last).lock_owned().await;
            let rest = last.map_or(Duration::ZERO, |last| self.settings.cooldown.saturating_sub(last.began.elapsed()));
            if !rest.is_zero() {
                // A token has just led to a fetch.
                drop(last);
                tokio::time::sleep(rest).await;
                continue;
            }
            let fetched = Arc::clone(&self).fetch(last).await;
            // Replicas that were started together shall not ask together for ever.
            let wait = match fetched {
                Ok(_) => self.settings.refresh.mul_f64(0.8 + 0.2 * fastrand::f64()),
                Err(_) => self.settings.cooldown.min(self.settings.refresh).mul_f64(1.0 + 0.2 * fastrand::f64()),
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Fetches the set once, whatever has been before.
    ///
    /// # Errors
    /// Why there is none, in words for operators.
    pub async fn fetch_now(self: &Arc<Self>) -> Result<Arc<Jwks>, String> {
        Arc::clone(self).fetch(Arc::clone(&self.last).lock_owned().await).await
    }

    /// Looks whether there is a newer edition than this, unless that was just done. Is it known now what the issuer publishes?
    pub async fn look_again(self: &Arc<Self>, than: u64) -> bool {
        let asked = Instant::now();
        let fetch = async {
            let last = Arc::clone(&self.last).lock_owned().await;
            // Others may have fetched it while this one waited.
            if self.number() == than && last.is_none_or(|last| last.may_be_repeated(asked, self.settings.cooldown)) {
                // A task of its own: the fetch is everybody's, and goes on when this caller has gone.
                let _ = tokio::spawn(io_runtime::run(Arc::clone(self).fetch(last))).await;
            }
        };
        let in_time = tokio::time::timeout(self.settings.longest_wait, fetch).await.is_ok();
        let state = self.state.read();
        in_time && !state.failing && state.edition.is_some()
    }

    async fn fetch(self: Arc<Self>, mut last: OwnedMutexGuard<Option<Fetch>>) -> Result<Arc<Jwks>, String> {
        let began = Instant::now();
        let fetched = self.get().await;
        *last = Some(Fetch { began, failed: fetched.is_err().then(Instant::now) });
        self.take(fetched)
    }

    async fn get(&self) -> Result<Jwks, String> {
        let request = self.http.get(self.settings.url.clone()).timeout(self.settings.timeout);
        let mut response =
            request.header(ACCEPT, "application/jwk-set+json, application/json").send().await.map_err(|error| why(&error))?;
        match response.status() {
            status if status.is_redirection() => return Err("redirects, which is not followed: set the address it leads to".into()),
            status if status != 200 => return Err(format!("answers with status {}", status.as_u16())),
            _ => {}
        }
        let body = read_at_most(&mut response, MOST_BYTES).await.map_err(|error| why(&error))?;
        let body = body.ok_or_else(|| format!("is larger than {} KiB", MOST_BYTES / 1024))?;
        Ok(Jwks::read(&body)?)
    }

    fn take(&self, fetched: Result<Jwks, String>) -> Result<Arc<Jwks>, String> {
        let mut state = self.state.write();
        let url = self.settings.url.as_str();
        let was_failing = std::mem::replace(&mut state.failing, fetched.is_err());
        let keys = match fetched {
            Ok(keys) => Arc::new(keys),
            Err(problem) => {
                if !was_failing {
                    tracing::warn!(url, problem, has_keys = state.edition.is_some(), "an issuer's keys cannot be fetched");
                }
                return Err(problem);
            }
        };
        if was_failing {
            tracing::info!(url, "an issuer's keys can be fetched again");
        }
        state.seen = Some(Instant::now());
        match &state.edition {
            Some(edition) if edition.keys == keys => return Ok(keys),
            Some(_) if keys.is_empty() => tracing::warn!(url, "an issuer has withdrawn all its keys"),
            Some(_) => tracing::info!(url, "an issuer has changed its keys"),
            None => {}
        }
        state.edition =
            Some(KeySetVersion { number: state.edition.as_ref().map_or(1, |edition| edition.number + 1), keys: Arc::clone(&keys) });
        Ok(keys)
    }
}

impl Fetch {
    /// May there be another for somebody who asked then?
    fn may_be_repeated(self, asked: Instant, cooldown: Duration) -> bool {
        self.began.elapsed() >= cooldown && self.failed.is_none_or(|failed| failed < asked)
    }
}

/// What went wrong, in words: the innermost cause says most.
fn why(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "does not answer in time".into();
    }
    format!("cannot be reached: {}", root_cause(error))
}
