//! The client that fetches an issuer's JSON Web Key Set (JWKS): periodically, and if a token names a key that the set does not have.
//!
//! ```text
//!   periodically, every `refresh_interval` ─────────┐
//!   (after a failure: every `cooldown`)             ├──▶ one fetch at a time ──▶ success: the new set replaces the old one
//!   a token names an unknown key, per `cooldown` ───┘                       └──▶ failure: the last valid set stays
//! ```
//!
//! Anyone can send tokens. However many of them name unknown keys, the gateway fetches the set at most once per cooldown.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use hyper::header::{ACCEPT, HeaderValue};
use parking_lot::RwLock;
use reqwest::Url;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::Instant;

use crate::auth::jwk::Jwks;
use crate::error_chain::root_cause;
use crate::lrs::http_client::connect_failure::ConnectFailure;
use crate::lrs::http_client::{BodyError, Endpoint, HttpClientFactory, read_body};
use crate::organisations::{ConnectionFactory as _, Connections, SendError};

/// The error of a fetch that takes too long.
const TOO_SLOW: &str = "does not respond in time";
/// Maximum size of a key set, in bytes.
const MAX_JWKS_BYTES: usize = 256 * 1024;

/// The location of a key set, and the times that govern fetching it.
#[derive(Debug, Clone)]
pub struct JwksSettings {
    /// URL of the key set.
    pub url: Url,
    /// Maximum time between two periodic fetches.
    pub refresh_interval: Duration,
    /// Minimum time after a fetch before an unknown key causes another one.
    pub cooldown: Duration,
    /// Maximum duration of a fetch.
    pub timeout: Duration,
    /// Maximum time that the verification of a token waits for a fetch.
    pub max_wait: Duration,
}

impl JwksSettings {
    /// Default for the maximum time between two periodic fetches.
    pub const REFRESH_INTERVAL: Duration = Duration::from_secs(300);

    /// Default for the minimum time after a fetch before an unknown key causes another one.
    pub const COOLDOWN: Duration = Duration::from_secs(10);

    /// Default for the maximum duration of a fetch, including connecting.
    pub const TIMEOUT: Duration = Duration::from_secs(5);

    /// Returns the default settings for the key set at this URL.
    pub const fn for_url(url: Url) -> Self {
        Self {
            url,
            refresh_interval: Self::REFRESH_INTERVAL,
            cooldown: Self::COOLDOWN,
            timeout: Self::TIMEOUT,
            max_wait: Duration::from_secs(3),
        }
    }
}

/// A fetched key set and its version.
#[derive(Debug, Clone)]
pub struct VersionedJwks {
    /// Number of the version, from 1. A verification with one version proves nothing for another.
    pub version: u64,
    /// The keys.
    pub keys: Arc<Jwks>,
}

/// A client for the key set of one issuer.
#[derive(Debug)]
pub struct JwksClient {
    settings: JwksSettings,
    endpoint: Endpoint,
    connections: Connections,
    state: RwLock<JwksState>,
    /// The last completed fetch. The lock is held during a fetch, so that there is only one at a time.
    last_fetch: Arc<Mutex<Option<Fetch>>>,
}

#[derive(Debug, Default)]
struct JwksState {
    /// The last valid set.
    current: Option<VersionedJwks>,
    /// Time of the last successful fetch.
    confirmed_at: Option<Instant>,
    /// `true` if the last fetch failed.
    is_failing: bool,
}

/// A completed fetch.
#[derive(Debug, Clone, Copy)]
struct Fetch {
    started_at: Instant,
    failed_at: Option<Instant>,
}

impl JwksClient {
    /// Creates a client that has not fetched the set yet.
    ///
    /// # Errors
    /// Returns a message if the address or the TLS settings cannot be used.
    pub fn new(settings: JwksSettings, http: &HttpClientFactory) -> Result<Self, String> {
        let (endpoint, connections) = (Endpoint::new(settings.url.clone())?, http.connections(None)?);
        Ok(Self { settings, endpoint, connections, state: RwLock::default(), last_fetch: Arc::default() })
    }

    /// Returns the last valid set.
    pub fn current(&self) -> Option<VersionedJwks> {
        self.state.read().current.clone()
    }

    /// Returns the version of the last valid set; 0 if there is none.
    pub fn version(&self) -> u64 {
        self.state.read().current.as_ref().map_or(0, |current| current.version)
    }

    /// Returns the time since the last successful fetch; `None` if there is none.
    pub fn age(&self) -> Option<Duration> {
        self.state.read().confirmed_at.map(|confirmed_at| confirmed_at.elapsed())
    }

    /// Fetches the set periodically, until the runtime ends.
    pub async fn refresh_periodically(self: Arc<Self>) {
        loop {
            let last_fetch = Arc::clone(&self.last_fetch).lock_owned().await;
            let cooldown_left =
                last_fetch.map_or(Duration::ZERO, |fetch| self.settings.cooldown.saturating_sub(fetch.started_at.elapsed()));
            if !cooldown_left.is_zero() {
                // An unknown key has just caused a fetch.
                drop(last_fetch);
                tokio::time::sleep(cooldown_left).await;
                continue;
            }
            let fetched = Arc::clone(&self).fetch(last_fetch).await;
            // The jitter spreads the fetches of replicas that started together.
            let pause = match fetched {
                Ok(_) => self.settings.refresh_interval.mul_f64(0.8 + 0.2 * fastrand::f64()),
                Err(_) => self.settings.cooldown.min(self.settings.refresh_interval).mul_f64(1.0 + 0.2 * fastrand::f64()),
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Fetches the set once, regardless of the cooldown.
    ///
    /// # Errors
    /// Returns a message for operators if the set cannot be fetched or parsed.
    pub async fn fetch_now(self: &Arc<Self>) -> Result<Arc<Jwks>, String> {
        Arc::clone(self).fetch(Arc::clone(&self.last_fetch).lock_owned().await).await
    }

    /// Fetches the set because a token names a key that this version does not have, unless there is a newer version or the cooldown has not
    /// passed. Returns `true` if the current set is known to be the one that the issuer publishes.
    pub async fn refresh_on_demand(self: &Arc<Self>, known_version: u64) -> bool {
        let requested_at = Instant::now();
        let refresh = async {
            let last_fetch = Arc::clone(&self.last_fetch).lock_owned().await;
            // Another request may have fetched the set while this one waited for the lock.
            if self.version() == known_version && last_fetch.is_none_or(|fetch| fetch.allows_refetch(requested_at, self.settings.cooldown))
            {
                // A separate task, because other requests need the result too: the fetch continues if this caller disconnects.
                let _ = tokio::spawn(Arc::clone(self).fetch(last_fetch)).await;
            }
        };
        let is_in_time = tokio::time::timeout(self.settings.max_wait, refresh).await.is_ok();
        let state = self.state.read();
        is_in_time && !state.is_failing && state.current.is_some()
    }

    async fn fetch(self: Arc<Self>, mut last_fetch: OwnedMutexGuard<Option<Fetch>>) -> Result<Arc<Jwks>, String> {
        let started_at = Instant::now();
        let fetched = tokio::time::timeout(self.settings.timeout, self.get()).await.unwrap_or_else(|_| Err(TOO_SLOW.into()));
        *last_fetch = Some(Fetch { started_at, failed_at: fetched.is_err().then(Instant::now) });
        self.update(fetched)
    }

    async fn get(&self) -> Result<Jwks, String> {
        let mut request = self.endpoint.request(Method::GET, Bytes::new());
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/jwk-set+json, application/json"));
        let mut exchange = self.connections.send(self.endpoint.server(), request).await.map_err(|error| fetch_error(&error))?;
        match exchange.response.status() {
            status if status.is_redirection() => {
                return Err("responds with a redirect, which the gateway does not follow: set the URL that it redirects to".into());
            }
            status if status != 200 => return Err(format!("responds with status {}", status.as_u16())),
            _ => {}
        }
        let body = read_body(&mut exchange.response, MAX_JWKS_BYTES).await.map_err(|error| match error {
            BodyError::Transport(error) => fetch_error(&SendError::Exchange(error)),
            BodyError::TooLarge => format!("is larger than {} KiB", MAX_JWKS_BYTES / 1024),
            BodyError::Coding(reason) => format!("responds with invalid HTTP: {reason}"),
        })?;
        exchange.complete();
        Ok(Jwks::parse(&body)?)
    }

    /// Records the result of a fetch, and logs changes.
    fn update(&self, fetched: Result<Jwks, String>) -> Result<Arc<Jwks>, String> {
        let mut state = self.state.write();
        let url = self.settings.url.as_str();
        let was_failing = std::mem::replace(&mut state.is_failing, fetched.is_err());
        let keys = match fetched {
            Ok(keys) => Arc::new(keys),
            Err(error) => {
                if !was_failing {
                    tracing::warn!(url, error, has_keys = state.current.is_some(), "issuer key set cannot be fetched");
                }
                return Err(error);
            }
        };
        if was_failing {
            tracing::info!(url, "issuer key set fetched again");
        }
        state.confirmed_at = Some(Instant::now());
        match &state.current {
            Some(current) if current.keys == keys => return Ok(keys),
            Some(_) if keys.is_empty() => tracing::warn!(url, "issuer key set empty: issuer withdrew all keys"),
            Some(_) => tracing::info!(url, "issuer key set changed"),
            None => {}
        }
        let version = state.current.as_ref().map_or(1, |current| current.version + 1);
        state.current = Some(VersionedJwks { version, keys: Arc::clone(&keys) });
        Ok(keys)
    }
}

impl Fetch {
    /// Returns `true` if the cooldown has passed and no fetch has failed since `requested_at`.
    fn allows_refetch(self, requested_at: Instant, cooldown: Duration) -> bool {
        self.started_at.elapsed() >= cooldown && self.failed_at.is_none_or(|failed_at| failed_at < requested_at)
    }
}

/// Describes a failed fetch for operators. The innermost cause is the most specific.
fn fetch_error(error: &SendError) -> String {
    if matches!(error, SendError::Connect(cause) if ConnectFailure::of(&**cause) == ConnectFailure::TimedOut) {
        return TOO_SLOW.into();
    }
    format!("cannot be reached: {}", root_cause(error))
}
