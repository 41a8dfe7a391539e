//! Rate limits: per organisation, per person, and for each person's searches by demographics. Frequent searches would let a caller copy
//! the register.
//!
//! The algorithm is GCRA, the generic cell rate algorithm (a leaky bucket). It stores one number per limit: the theoretical arrival time,
//! at which all calls counted so far would have arrived at an even pace. One round trip to Redis checks all limits of a call by the clock
//! of Redis. A call is counted only if every limit allows it. Without Redis the same algorithm runs in memory. While Redis is
//! unavailable, each replica enforces its share of the limits in memory.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use redis::Script;

use crate::observability::metrics;
use crate::organisations::{LimitOverride, RateOverrides};
use crate::storage::encryption::KeyRing;
use crate::storage::{Redis, Storage};

/// Time limit for counting a call in Redis. The caller waits for it.
const STORE_TIMEOUT: Duration = Duration::from_millis(250);
/// Number of keys in memory above which idle keys are removed.
const SWEEP_THRESHOLD: usize = 10_000;
const SECONDS_PER_MINUTE: u64 = 60;
const MICROS_PER_SECOND: u64 = 1_000_000;

/// A rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Calls per minute, on average.
    pub per_minute: u32,
    /// Calls at once, after a pause.
    pub burst: u32,
}

impl Limit {
    /// Returns the emission interval in microseconds: the time between two calls at an even pace.
    fn emission_interval(self) -> u64 {
        // The minimum of 1 microsecond applies above 60 million calls per minute.
        (SECONDS_PER_MINUTE * MICROS_PER_SECOND / u64::from(self.per_minute.max(1))).max(1)
    }

    /// Returns one replica's share of the limit.
    fn share(self, replicas: u32) -> Self {
        Self { per_minute: (self.per_minute / replicas).max(1), burst: (self.burst / replicas).max(1) }
    }

    fn with_override(self, limit: LimitOverride) -> Self {
        Self { per_minute: limit.per_minute.unwrap_or(self.per_minute), burst: limit.burst.unwrap_or(self.burst) }
    }
}

/// The rate limits of an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Limit of all calls of the organisation.
    pub organisation: Limit,
    /// Limit of each person's calls.
    pub person: Limit,
    /// Limit of each person's searches by demographics.
    pub searches: Limit,
}

impl Rates {
    /// Returns these limits with an organisation's overrides applied.
    #[must_use]
    pub fn with_overrides(self, overrides: RateOverrides) -> Self {
        Self {
            organisation: self.organisation.with_override(overrides.organisation),
            person: self.person.with_override(overrides.person),
            searches: self.searches.with_override(overrides.searches),
        }
    }
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            organisation: Limit { per_minute: 600, burst: 100 },
            person: Limit { per_minute: 120, burst: 40 },
            searches: Limit { per_minute: 60, burst: 20 },
        }
    }
}

/// The caller and the class of a call.
#[derive(Debug, Clone, Copy)]
pub struct RateLimitKey<'a> {
    /// UKPRN of the organisation.
    pub organisation: &'a str,
    /// Issuer of the person's token.
    pub issuer: &'a str,
    /// User name of the person.
    pub user: &'a str,
    /// `true` for a search by demographics.
    pub is_search: bool,
}

/// Result of counting a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimitDecision {
    limits: Vec<LimitState>,
    /// The exceeded limit. `None` if the call is allowed.
    pub exceeded: Option<ExceededLimit>,
}

/// A limit that rejects a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExceededLimit {
    /// Name of the limit: `organisation`, `person` or `searches`.
    pub name: &'static str,
    /// Seconds until the limit allows the call.
    pub retry_after_seconds: u64,
}

/// State of a limit after a call was counted or rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LimitState {
    name: &'static str,
    limit: Limit,
    remaining_calls: u64,
    /// Microseconds until the full burst is available.
    reset: u64,
}

impl RateLimitDecision {
    /// Returns the value of the `RateLimit-Policy` header (draft-ietf-httpapi-ratelimit-headers-11, section 3).
    pub fn policy_header(&self) -> String {
        self.header_list(|text, state| {
            let _ = write!(text, "\"{}\";q={};w={SECONDS_PER_MINUTE}", state.name, state.limit.per_minute);
        })
    }

    /// Returns the value of the `RateLimit` header (same draft, section 4): remaining calls, and seconds until the full burst is available.
    pub fn header(&self) -> String {
        self.header_list(|text, state| {
            let _ = write!(text, "\"{}\";r={};t={}", state.name, state.remaining_calls, state.reset.div_ceil(MICROS_PER_SECOND));
        })
    }

    fn header_list(&self, write_item: impl Fn(&mut String, &LimitState)) -> String {
        let mut text = String::new();
        for state in &self.limits {
            text.push_str(if text.is_empty() { "" } else { ", " });
            write_item(&mut text, state);
        }
        text
    }
}

/// Counts calls against the rate limits.
#[derive(Debug)]
pub struct RateLimiter {
    rates: Rates,
    replicas: u32,
    redis: Option<Arc<Redis>>,
    key_ring: Arc<KeyRing>,
    /// Theoretical arrival times in microseconds since one minute before `started`.
    local_arrivals: Mutex<HashMap<String, u64>>,
    started: Instant,
    is_redis_unavailable: AtomicBool,
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
            local_arrivals: Mutex::default(),
            started: Instant::now(),
            is_redis_unavailable: AtomicBool::new(false),
        }
    }

    /// Returns the limits of an organisation with the given overrides.
    pub fn rates_for(&self, overrides: RateOverrides) -> Rates {
        self.rates.with_overrides(overrides)
    }

    /// Counts a call if every limit allows it.
    pub async fn count(&self, call: RateLimitKey<'_>, overrides: RateOverrides) -> RateLimitDecision {
        let limits = self.limits_of(call, overrides);
        let Some(redis) = &self.redis else { return self.count_local(&limits, 1) };
        if let Ok(Some(decision)) = tokio::time::timeout(STORE_TIMEOUT, count_shared(redis, &limits)).await {
            if self.is_redis_unavailable.swap(false, Ordering::Relaxed) {
                tracing::info!("rate limits shared again: Redis is available");
                metrics::set_limits_shared(true);
            }
            return decision;
        }
        if !self.is_redis_unavailable.swap(true, Ordering::Relaxed) {
            metrics::set_limits_shared(false);
            tracing::error!(replicas = self.replicas, "rate limits not shared: Redis is unavailable, each replica enforces its share");
        }
        self.count_local(&limits, self.replicas)
    }

    /// Returns the limits that apply to a call.
    fn limits_of(&self, call: RateLimitKey<'_>, overrides: RateOverrides) -> Vec<AppliedLimit> {
        let RateLimitKey { organisation, issuer, user, is_search } = call;
        let rates = self.rates_for(overrides);
        // User names are not stored, not even in key names: keys contain a pseudonym.
        let person = self.key_ring.pseudonym(&format!("{organisation}\n{issuer}\n{user}"));
        let person_key = |name: &str| format!("rate:{{{organisation}}}:{name}:{person}");
        let mut limits = vec![
            AppliedLimit { name: "organisation", limit: rates.organisation, key: format!("rate:{{{organisation}}}") },
            AppliedLimit { name: "person", limit: rates.person, key: person_key("person") },
        ];
        if is_search {
            limits.push(AppliedLimit { name: "searches", limit: rates.searches, key: person_key("searches") });
        }
        limits
    }

    /// Counts a call in memory, against one replica's share of the limits.
    fn count_local(&self, limits: &[AppliedLimit], replicas: u32) -> RateLimitDecision {
        // One minute is added so that no arrival time lies before 0.
        let elapsed = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX / 4);
        let now = elapsed + SECONDS_PER_MINUTE * MICROS_PER_SECOND;
        let limits: Vec<AppliedLimit> =
            limits.iter().map(|applied| AppliedLimit { limit: applied.limit.share(replicas), ..applied.clone() }).collect();
        let mut arrivals = self.local_arrivals.lock();
        if arrivals.len() > SWEEP_THRESHOLD {
            arrivals.retain(|_, arrival| *arrival > now);
        }
        let mut buckets: Vec<Bucket> =
            limits.iter().map(|applied| Bucket::new(arrivals.get(&applied.key).copied().unwrap_or(now), applied.limit)).collect();
        let wait = count_by_gcra(now, &mut buckets);
        for (applied, bucket) in limits.iter().zip(&buckets) {
            arrivals.insert(applied.key.clone(), bucket.arrival);
        }
        let until_arrival: Vec<u64> = buckets.iter().map(|bucket| bucket.arrival.saturating_sub(now)).collect();
        decision(&limits, wait, &until_arrival)
    }
}

/// A limit that applies to a call, with the key of its theoretical arrival time.
#[derive(Debug, Clone)]
struct AppliedLimit {
    name: &'static str,
    limit: Limit,
    key: String,
}

/// The script that counts a call in Redis.
static GCRA: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("rate_limit/gcra.lua")));

/// Counts a call in Redis. Returns `None` if Redis is unavailable.
async fn count_shared(redis: &Redis, limits: &[AppliedLimit]) -> Option<RateLimitDecision> {
    let keys: Vec<String> = limits.iter().map(|applied| format!("{}:{}", redis.prefix(), applied.key)).collect();
    let arguments: Vec<String> =
        limits.iter().flat_map(|applied| [applied.limit.emission_interval().to_string(), applied.limit.burst.to_string()]).collect();
    // A retry may count a call twice. That does less harm than not counting it.
    let result: Vec<String> = redis.run_script(&GCRA, &keys, &arguments).await.ok()?;
    let numbers: Vec<u64> = result.iter().map(|number| number.parse().ok()).collect::<Option<_>>()?;
    let [wait, index, until_arrival @ ..] = &numbers[..] else { return None };
    // Lua counts from 1.
    let wait = (*wait > 0).then(|| Wait { micros: *wait, index: usize::try_from(*index).unwrap_or(1).saturating_sub(1) });
    (until_arrival.len() == limits.len()).then(|| decision(limits, wait, until_arrival))
}

/// Returns the decision for limits whose theoretical arrival times lie `until_arrival` microseconds ahead. All times are relative to now,
/// which is 0.
fn decision(limits: &[AppliedLimit], wait: Option<Wait>, until_arrival: &[u64]) -> RateLimitDecision {
    let states = limits.iter().zip(until_arrival).map(|(applied, until_arrival)| LimitState {
        name: applied.name,
        limit: applied.limit,
        remaining_calls: Bucket::new(*until_arrival, applied.limit).remaining_calls(0),
        reset: *until_arrival,
    });
    let exceeded = wait.and_then(|wait| {
        let retry_after_seconds = wait.micros.div_ceil(MICROS_PER_SECOND).max(1);
        Some(ExceededLimit { name: limits.get(wait.index)?.name, retry_after_seconds })
    });
    RateLimitDecision { limits: states.collect(), exceeded }
}

/// A limit and its usage, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bucket {
    /// Theoretical arrival time.
    arrival: u64,
    /// Emission interval.
    interval: u64,
    burst: u32,
}

impl Bucket {
    fn new(arrival: u64, limit: Limit) -> Self {
        Self { arrival, interval: limit.emission_interval(), burst: limit.burst }
    }

    /// Returns the number of calls that are allowed at once now.
    fn remaining_calls(self, now: u64) -> u64 {
        (now + self.interval * u64::from(self.burst)).saturating_sub(self.arrival.max(now)) / self.interval
    }
}

/// The time until a limit allows a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Wait {
    micros: u64,
    /// Index of the limit.
    index: usize,
}

/// Counts a call at `now` if every limit allows it; otherwise changes nothing and returns the longest wait.
fn count_by_gcra(now: u64, buckets: &mut [Bucket]) -> Option<Wait> {
    let waits = buckets.iter().enumerate().filter_map(|(index, bucket)| {
        let next_arrival = bucket.arrival.max(now) + bucket.interval;
        let earliest = next_arrival.saturating_sub(bucket.interval * u64::from(bucket.burst));
        (earliest > now).then(|| Wait { micros: earliest - now, index })
    });
    let longest = waits.max();
    if longest.is_none() {
        for bucket in buckets {
            bucket.arrival = bucket.arrival.max(now) + bucket.interval;
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = MICROS_PER_SECOND;

    #[test]
    fn rate_limit_burst_is_allowed_then_even_pace() {
        let mut bucket = [Bucket { arrival: 0, interval: SECOND, burst: 3 }];
        let mut is_allowed = |now| count_by_gcra(now, &mut bucket).is_none();
        let burst: Vec<bool> = (0..5).map(|_| is_allowed(100 * SECOND)).collect();
        assert_eq!(burst, [true, true, true, false, false]);
        let paced: Vec<bool> = (0..10).map(|half| is_allowed(100 * SECOND + half * SECOND / 2)).collect();
        assert_eq!(paced, [false, false, true, false, true, false, true, false, true, false]);
        assert!((0..3).all(|_| is_allowed(200 * SECOND)), "after a pause the full burst is available");
    }

    #[test]
    fn rate_limit_one_of_two_exceeded_counts_neither() {
        let mut buckets = [10, 1].map(|burst| Bucket { arrival: 0, interval: SECOND, burst });
        assert_eq!(count_by_gcra(50 * SECOND, &mut buckets), None);
        let before = buckets;
        assert_eq!(count_by_gcra(50 * SECOND, &mut buckets), Some(Wait { micros: SECOND, index: 1 }));
        assert_eq!(buckets, before);
    }

    #[tokio::test]
    async fn rate_limit_person_searches_and_organisation_count_separately() {
        let limit = |burst| Limit { per_minute: 1, burst };
        let rates = Rates { organisation: limit(5), person: limit(3), searches: limit(1) };
        let limiter = RateLimiter::new(rates, 1, &Storage::in_memory().expect("random numbers"));
        let exceeded = async |organisation, user, is_search| {
            let call = RateLimitKey { organisation, issuer: "issuer", user, is_search };
            limiter.count(call, RateOverrides::default()).await.exceeded.map(|limit| limit.name)
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
        let call = RateLimitKey { organisation: "10012345", issuer: "issuer", user: "cy", is_search: false };
        assert_eq!(limiter.count(call, overrides).await.exceeded, None, "the organisation's override applies");
    }

    #[tokio::test]
    async fn rate_limit_headers_contain_policy_and_remaining_calls() {
        let limiter = RateLimiter::new(Rates::default(), 1, &Storage::in_memory().expect("random numbers"));
        let call = RateLimitKey { organisation: "10012345", issuer: "issuer", user: "ana", is_search: true };
        let decision = limiter.count(call, RateOverrides::default()).await;
        assert_eq!(decision.policy_header(), "\"organisation\";q=600;w=60, \"person\";q=120;w=60, \"searches\";q=60;w=60");
        assert_eq!(decision.header(), "\"organisation\";r=99;t=1, \"person\";r=39;t=1, \"searches\";r=19;t=1");
    }
}
