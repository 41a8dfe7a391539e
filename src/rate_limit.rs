//! Rate limits: per organisation, per person, and for each person's searches by demographics. Frequent searches would let a caller copy
//! the register.
//!
//! The algorithm is GCRA, the generic cell rate algorithm (a leaky bucket). It stores one number per limit: the theoretical arrival time,
//! at which all calls counted so far would have arrived at an even pace. One round trip to Redis checks all limits of a call by the clock
//! of Redis. A call is counted only if every limit allows it. Without Redis the same algorithm runs in memory. While Redis is
//! unavailable, each replica enforces its share of the limits in memory.

mod decision;
mod gcra;
mod limits;
mod sharing;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use redis::Script;

pub use decision::{ExceededLimit, RateLimitDecision};
use gcra::{Bucket, Wait, count_by_gcra};
use limits::{LIMIT_NAMES, MICROS_PER_SECOND, SECONDS_PER_MINUTE};
pub use limits::{Limit, Rates};
use sharing::Sharing;

use crate::observability::metrics;
use crate::organisations::RateOverrides;
use crate::storage::encryption::KeyRing;
use crate::storage::{Redis, Storage};

/// Time limit for counting a call in Redis. The caller waits for it.
const STORE_TIMEOUT: Duration = Duration::from_millis(250);
/// Number of keys in memory above which idle keys are removed.
const SWEEP_THRESHOLD: usize = 10_000;

/// The keys under which the calls of a person are counted, one for each of the [`LIMIT_NAMES`]. They hold a pseudonym of the person, which
/// takes longer to compute than the rest of the count: keep them for the person's next call.
#[derive(Debug, Clone)]
pub struct RateLimitKeys([String; LIMIT_NAMES.len()]);

/// Counts calls against the rate limits.
#[derive(Debug)]
pub struct RateLimiter {
    rates: Rates,
    replicas: u32,
    redis: Option<Arc<Redis>>,
    key_ring: Arc<KeyRing>,
    local_arrivals: Mutex<LocalArrivals>,
    started: Instant,
    sharing: Sharing,
}

/// Theoretical arrival times in memory.
#[derive(Debug)]
struct LocalArrivals {
    /// The times in microseconds since one minute before the limiter was created, by the key of their limit.
    times: HashMap<String, u64>,
    /// Number of keys above which idle keys are removed.
    sweep_threshold: usize,
}

impl RateLimiter {
    /// Creates a limiter. `rates` apply to organisations without overrides. `replicas` is the expected number of replicas; it divides the
    /// limits while Redis is unavailable.
    pub fn new(rates: Rates, replicas: u32, storage: &Storage) -> Self {
        Self {
            rates,
            replicas: replicas.max(1),
            redis: storage.redis.clone(),
            key_ring: Arc::clone(&storage.key_ring),
            local_arrivals: Mutex::new(LocalArrivals { times: HashMap::new(), sweep_threshold: SWEEP_THRESHOLD }),
            started: Instant::now(),
            sharing: Sharing::default(),
        }
    }

    /// Opens the connection to Redis of a thread that will serve requests. Its first call has little time to wait for that.
    pub fn connect(&self) {
        if let Some(redis) = self.redis.clone() {
            tokio::spawn(async move { redis.connect().await });
        }
    }

    /// Returns the limits of an organisation with the given overrides.
    pub fn rates_for(&self, overrides: RateOverrides) -> Rates {
        self.rates.with_overrides(overrides)
    }

    /// Returns the keys of a person, whose user name is that of an issuer, in an organisation.
    pub fn keys(&self, organisation: &str, issuer: &str, user: &str) -> RateLimitKeys {
        let prefix = self.redis.as_ref().map_or(String::new(), |redis| format!("{}:", redis.prefix()));
        // User names are not stored, not even in key names: keys contain a pseudonym.
        let person = self.key_ring.pseudonym(&format!("{organisation}\n{issuer}\n{user}"));
        let person_key = |name: &str| format!("{prefix}rate:{{{organisation}}}:{name}:{person}");
        RateLimitKeys([format!("{prefix}rate:{{{organisation}}}"), person_key("person"), person_key("searches")])
    }

    /// Counts a call if every limit allows it. `is_search` says whether the limit for searches by demographics applies too.
    pub async fn count(&self, keys: &RateLimitKeys, is_search: bool, overrides: RateOverrides) -> RateLimitDecision {
        let Rates { organisation, person, searches } = self.rates_for(overrides);
        let applied = if is_search { LIMIT_NAMES.len() } else { LIMIT_NAMES.len() - 1 };
        let (keys, limits) = (&keys.0[..applied], &[organisation, person, searches][..applied]);
        let Some(redis) = &self.redis else { return self.count_local(keys, limits, 1) };
        // On the heap, so that the future of a call stays small where there is no Redis: it is moved several times.
        let shared = Box::pin(count_shared(redis, keys, limits));
        if let Ok(Some(decision)) = tokio::time::timeout(STORE_TIMEOUT, shared).await {
            if self.sharing.resumes_by_success() {
                tracing::info!("rate limits shared again: Redis is available");
                metrics::set_limits_shared(true);
            }
            return decision;
        }
        if self.sharing.ends_by_failure() {
            metrics::set_limits_shared(false);
            tracing::error!(replicas = self.replicas, "rate limits not shared: Redis is unavailable, each replica enforces its share");
        }
        self.count_local(keys, limits, self.replicas)
    }

    /// Counts a call in memory, against one replica's share of the limits.
    fn count_local(&self, keys: &[String], limits: &[Limit], replicas: u32) -> RateLimitDecision {
        // One minute is added so that no arrival time lies before 0.
        let elapsed = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX / 4);
        let now = elapsed + SECONDS_PER_MINUTE * MICROS_PER_SECOND;
        let mut buckets = [Bucket::default(); LIMIT_NAMES.len()];
        let buckets = &mut buckets[..keys.len()];
        let mut arrivals = self.local_arrivals.lock();
        arrivals.sweep(now);
        for ((bucket, key), limit) in buckets.iter_mut().zip(keys).zip(limits) {
            *bucket = Bucket::new(arrivals.times.get(key).copied().unwrap_or(now), limit.share(replicas));
        }
        let wait = count_by_gcra(now, buckets);
        if wait.is_none() {
            for (bucket, key) in buckets.iter().zip(keys) {
                arrivals.set(key, bucket.arrival);
            }
        }
        drop(arrivals);
        let states = limits.iter().zip(buckets).map(|(limit, bucket)| (limit.share(replicas), bucket.arrival.saturating_sub(now)));
        RateLimitDecision::new(states, wait)
    }
}

impl LocalArrivals {
    /// Removes idle keys if there are many. Half of the keys are new when it happens again, so a call costs the same however many keys
    /// are in use.
    fn sweep(&mut self, now: u64) {
        if self.times.len() > self.sweep_threshold {
            self.times.retain(|_, arrival| *arrival > now);
            self.sweep_threshold = SWEEP_THRESHOLD.max(self.times.len() * 2);
        }
    }

    fn set(&mut self, key: &str, arrival: u64) {
        match self.times.get_mut(key) {
            Some(time) => *time = arrival,
            None => drop(self.times.insert(key.to_owned(), arrival)),
        }
    }
}

/// The script that counts a call in Redis.
static GCRA: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("rate_limit/gcra.lua")));

/// Counts a call in Redis. Returns `None` if Redis is unavailable.
async fn count_shared(redis: &Redis, keys: &[String], limits: &[Limit]) -> Option<RateLimitDecision> {
    let arguments: Vec<String> = limits.iter().flat_map(|limit| [limit.emission_interval().to_string(), limit.burst.to_string()]).collect();
    // A retry may count a call twice. That does less harm than not counting it.
    let result: Vec<String> = redis.run_script(&GCRA, keys, &arguments).await.ok()?;
    let numbers: Vec<u64> = result.iter().map(|number| number.parse().ok()).collect::<Option<_>>()?;
    let [wait, index, until_arrival @ ..] = &numbers[..] else { return None };
    // Lua counts from 1.
    let wait = (*wait > 0).then(|| Wait { micros: *wait, index: usize::try_from(*index).unwrap_or(1).saturating_sub(1) });
    let states = limits.iter().copied().zip(until_arrival.iter().copied());
    (until_arrival.len() == limits.len()).then(|| RateLimitDecision::new(states, wait))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::organisations::LimitOverride;

    #[tokio::test]
    async fn rate_limit_person_searches_and_organisation_count_separately() {
        let limit = |burst| Limit { per_minute: 1, burst };
        let rates = Rates { organisation: limit(5), person: limit(3), searches: limit(1) };
        let limiter = RateLimiter::new(rates, 1, &Storage::in_memory().expect("random numbers"));
        let exceeded = async |organisation, user, is_search| {
            let keys = limiter.keys(organisation, "issuer", user);
            limiter.count(&keys, is_search, RateOverrides::default()).await.exceeded.map(|limit| limit.name)
        };
        assert_eq!(exceeded("10012345", "ana", true).await, None);
        assert_eq!(exceeded("10012345", "ana", true).await, Some("searches"));
        assert_eq!(exceeded("10012345", "ana", false).await, None);
        assert_eq!(exceeded("10012345", "ana", false).await, None);
        assert_eq!(exceeded("10012345", "ana", false).await, Some("person"));
        assert_eq!(exceeded("10012345", "ben", false).await, None);
        assert_eq!(exceeded("10012345", "ben", false).await, None);
        assert_eq!(exceeded("10012345", "ben", false).await, Some("organisation"));
        assert_eq!(exceeded("10054321", "ana", true).await, None, "another organisation, another person");
        let overrides = RateOverrides { organisation: LimitOverride { per_minute: None, burst: Some(9) }, ..RateOverrides::default() };
        let keys = limiter.keys("10012345", "issuer", "cy");
        assert_eq!(limiter.count(&keys, false, overrides).await.exceeded, None, "the organisation's override applies");
    }

    #[test]
    fn rate_limit_keys_in_memory_are_removed_when_idle_and_not_looked_at_for_each_call() {
        let mut arrivals = LocalArrivals { times: HashMap::new(), sweep_threshold: SWEEP_THRESHOLD };
        let mut add = |keys: std::ops::Range<usize>, arrival| {
            for key in keys {
                arrivals.sweep(10);
                arrivals.set(&key.to_string(), arrival);
            }
            (arrivals.times.len(), arrivals.sweep_threshold)
        };
        assert_eq!(add(0..SWEEP_THRESHOLD + 1, 20), (SWEEP_THRESHOLD + 1, SWEEP_THRESHOLD));
        assert_eq!(add(20_000..20_001, 10), (SWEEP_THRESHOLD + 2, 2 * (SWEEP_THRESHOLD + 1)), "all are in use: the next sweep is far away");
        assert_eq!(add(30_000..40_001, 10).0, 2 * (SWEEP_THRESHOLD + 1) + 1);
        assert_eq!(add(0..1, 20), (SWEEP_THRESHOLD + 1, 2 * (SWEEP_THRESHOLD + 1)), "idle keys are removed");
    }
}
