//! How often callers may call: so many a minute for an organisation, for each person of it, and for each person's searches by
//! demographics, which is how a register is trawled.
//!
//! The rule is GCRA, a leaky bucket that needs one number a caller: the moment at which everything used so far would have been used at
//! an even pace. All limits of a call are looked at together, in one round trip to Redis by its clock, and nothing is used up unless all
//! of them have room. Without Redis the same rule runs in memory; when Redis is in trouble, it does so for a share of the limits.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use redis::Script;

use crate::observability::metrics;
use crate::storage::encryption::KeyRing;
use crate::storage::{Redis, Storage};

/// How long Redis may take to say whether a call may be made. Callers wait for it.
const STORE_TIMEOUT: Duration = Duration::from_millis(250);
/// How many callers are remembered in memory before those are forgotten who have used nothing for a while.
const SWEEP_THRESHOLD: usize = 10_000;
const MINUTE: u64 = 60;

/// So many a minute, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// How many a minute, over time.
    pub per_minute: u32,
    /// How many at once, after a pause.
    pub burst: u32,
}

impl Limit {
    /// Microseconds that one call takes up.
    fn interval(self) -> u64 {
        // Above 60 million a minute there is no shorter time to count with.
        (MINUTE * 1_000_000 / u64::from(self.per_minute.max(1))).max(1)
    }

    /// A replica's part of it.
    fn share(self, replicas: u32) -> Self {
        Self { per_minute: (self.per_minute / replicas).max(1), burst: (self.burst / replicas).max(1) }
    }
}

/// The limits of an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Of all its calls.
    pub organisation: Limit,
    /// Of each person's.
    pub person: Limit,
    /// Of each person's searches by demographics.
    pub searches: Limit,
}

/// What an organisation has instead of the usual limits, each for itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RateOverrides {
    /// Of all its calls: a minute, at once.
    pub organisation: [Option<u32>; 2],
    /// Of each person's.
    pub person: [Option<u32>; 2],
    /// Of each person's searches by demographics.
    pub searches: [Option<u32>; 2],
}

impl Rates {
    /// These, but for what an organisation has of its own.
    #[must_use]
    pub fn with(self, own: RateOverrides) -> Self {
        let limit = |usual: Limit, [per_minute, burst]: [Option<u32>; 2]| Limit {
            per_minute: per_minute.unwrap_or(usual.per_minute),
            burst: burst.unwrap_or(usual.burst),
        };
        Self {
            organisation: limit(self.organisation, own.organisation),
            person: limit(self.person, own.person),
            searches: limit(self.searches, own.searches),
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

/// Who calls, for what.
#[derive(Debug, Clone, Copy)]
pub struct RateLimitKey<'a> {
    /// The organisation's UKPRN.
    pub organisation: &'a str,
    /// The person: issuer and user name.
    pub person: (&'a str, &'a str),
    /// Is it a search by demographics?
    pub is_search: bool,
}

/// What a limit has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Left {
    name: &'static str,
    limit: Limit,
    calls: u64,
    /// Until there is as much as there can be, in microseconds.
    reset: u64,
}

/// May the call be made?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimitDecision {
    left: Vec<Left>,
    /// If not: how long to wait, in seconds, and whose limit it is.
    pub refused: Option<(u64, &'static str)>,
}

impl RateLimitDecision {
    /// The header `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-11, 3).
    pub fn policy_header(&self) -> String {
        list(&self.left, |text, left| {
            let _ = write!(text, "\"{}\";q={};w={MINUTE}", left.name, left.limit.per_minute);
        })
    }

    /// The header `RateLimit` (the same, 4): what is left, and the seconds until there is as much as there can be.
    pub fn header(&self) -> String {
        list(&self.left, |text, left| {
            let _ = write!(text, "\"{}\";r={};t={}", left.name, left.calls, left.reset.div_ceil(1_000_000));
        })
    }
}

fn list(left: &[Left], write: impl Fn(&mut String, &Left)) -> String {
    let mut text = String::new();
    for one in left {
        text.push_str(if text.is_empty() { "" } else { ", " });
        write(&mut text, one);
    }
    text
}

/// The rule for all limits of a call: `[(moment, interval, burst)]` in microseconds, the moments moved on if every limit has room.
/// The answer: how long to wait otherwise, and which limit has the longest wait.
fn gcra(now: u64, buckets: &mut [(u64, u64, u32)]) -> Option<(u64, usize)> {
    let waits = buckets.iter().enumerate().filter_map(|(at, (moment, interval, burst))| {
        let next = (*moment).max(now) + interval;
        let earliest = next.saturating_sub(interval * u64::from(*burst));
        (earliest > now).then(|| (earliest - now, at))
    });
    let refused = waits.max();
    if refused.is_none() {
        for (moment, interval, _) in buckets {
            *moment = (*moment).max(now) + *interval;
        }
    }
    refused
}

/// How many calls a bucket has room for.
const fn room(now: u64, (moment, interval, burst): (u64, u64, u32)) -> u64 {
    let moment = if moment > now { moment } else { now };
    (now + interval * burst as u64).saturating_sub(moment) / interval
}

/// The same rule in Redis. KEYS: the buckets, all in one slot. ARGV: interval and burst of each. Returns the longest wait or 0, the
/// number of its bucket, then the moments, relative to now.
static GCRA: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"local time = redis.call('TIME')
        local now = time[1] * 1000000 + time[2]
        local wait, which, moments = 0, 0, {}
        for at, key in ipairs(KEYS) do
            local interval, burst = tonumber(ARGV[2 * at - 1]), tonumber(ARGV[2 * at])
            local moment = math.max(tonumber(redis.call('GET', key)) or now, now)
            local early = moment + interval - interval * burst - now
            if early > wait then wait, which = early, at end
            moments[at] = moment
        end
        local found = {string.format('%.0f', wait), tostring(which)}
        for at, key in ipairs(KEYS) do
            if wait == 0 then
                moments[at] = moments[at] + tonumber(ARGV[2 * at - 1])
                redis.call('SET', key, string.format('%.0f', moments[at]), 'PX', math.ceil((moments[at] - now) / 1000) + 1)
            end
            table.insert(found, string.format('%.0f', moments[at] - now))
        end
        return found",
    )
});

/// The limiter.
#[derive(Debug)]
pub struct RateLimits {
    rates: Rates,
    replicas: u32,
    redis: Option<Arc<Redis>>,
    keys: Arc<KeyRing>,
    here: Mutex<HashMap<String, u64>>,
    began: Instant,
    in_trouble: AtomicBool,
}

impl RateLimits {
    /// A limiter with these limits where an organisation has none of its own. `replicas` is how many gateways there are about, for when
    /// they cannot count together.
    pub fn new(rates: Rates, replicas: u32, storage: &Storage) -> Self {
        Self {
            rates,
            replicas: replicas.max(1),
            redis: storage.redis.clone(),
            keys: Arc::clone(&storage.keys),
            here: Mutex::default(),
            began: Instant::now(),
            in_trouble: AtomicBool::new(false),
        }
    }

    /// The limits of an organisation that has these of its own.
    pub fn rates(&self, own: RateOverrides) -> Rates {
        self.rates.with(own)
    }

    /// Counts a call, if it may be made.
    pub async fn count(&self, call: RateLimitKey<'_>, own: RateOverrides) -> RateLimitDecision {
        let rates = self.rates(own);
        let mut limits = vec![("organisation", rates.organisation), ("person", rates.person)];
        if call.is_search {
            limits.push(("searches", rates.searches));
        }
        // Names of people are not written anywhere, not even as keys.
        let person = self.keys.pseudonym(&format!("{}\n{}\n{}", call.organisation, call.person.0, call.person.1));
        let name = |limit: &str| match limit {
            "organisation" => format!("rate:{{{}}}", call.organisation),
            limit => format!("rate:{{{}}}:{limit}:{person}", call.organisation),
        };
        let names: Vec<String> = limits.iter().map(|(limit, _)| name(limit)).collect();
        let Some(redis) = &self.redis else { return self.count_here(&limits, &names, 1) };
        if let Ok(Some(verdict)) = tokio::time::timeout(STORE_TIMEOUT, count_together(redis, &limits, &names)).await {
            if self.in_trouble.swap(false, Ordering::Relaxed) {
                tracing::info!("limits are counted together again");
                metrics::limits_shared(true);
            }
            return verdict;
        }
        if !self.in_trouble.swap(true, Ordering::Relaxed) {
            metrics::limits_shared(false);
            tracing::error!(replicas = self.replicas, "Redis cannot be used: every replica counts for itself, up to its share");
        }
        self.count_here(&limits, &names, self.replicas)
    }

    fn count_here(&self, limits: &[(&'static str, Limit)], names: &[String], replicas: u32) -> RateLimitDecision {
        // One minute is added so that no moment is before the beginning.
        let now = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX / 4) + MINUTE * 1_000_000;
        let mut here = self.here.lock();
        if here.len() > SWEEP_THRESHOLD {
            here.retain(|_, moment| *moment > now);
        }
        let limits: Vec<(&'static str, Limit)> = limits.iter().map(|(name, limit)| (*name, limit.share(replicas))).collect();
        let mut buckets: Vec<(u64, u64, u32)> = limits
            .iter()
            .zip(names)
            .map(|((_, limit), name)| (here.get(name).copied().unwrap_or(now), limit.interval(), limit.burst))
            .collect();
        let refused = gcra(now, &mut buckets);
        for (name, (moment, ..)) in names.iter().zip(&buckets) {
            here.insert(name.clone(), *moment);
        }
        verdict(&limits, refused, &buckets.iter().map(|(moment, ..)| moment.saturating_sub(now)).collect::<Vec<_>>())
    }
}

async fn count_together(redis: &Redis, limits: &[(&'static str, Limit)], names: &[String]) -> Option<RateLimitDecision> {
    let keys: Vec<String> = names.iter().map(|name| format!("{}:{name}", redis.prefix())).collect();
    let arguments: Vec<String> = limits.iter().flat_map(|(_, limit)| [limit.interval().to_string(), limit.burst.to_string()]).collect();
    // Counting twice would be wrong by one, which does less harm than not counting at all.
    let found: Vec<String> = redis.script(&GCRA, &keys, &arguments).await.ok()?;
    let numbers: Vec<u64> = found.iter().map(|number| number.parse().ok()).collect::<Option<_>>()?;
    let [wait, which, moments @ ..] = &numbers[..] else { return None };
    let refused = (*wait > 0).then(|| (*wait, usize::try_from(*which).unwrap_or(1).saturating_sub(1)));
    (moments.len() == limits.len()).then(|| verdict(limits, refused, moments))
}

/// What is told of limits whose moments are so far ahead, in microseconds.
fn verdict(limits: &[(&'static str, Limit)], refused: Option<(u64, usize)>, ahead: &[u64]) -> RateLimitDecision {
    let left = limits.iter().zip(ahead).map(|((name, limit), ahead)| Left {
        name,
        limit: *limit,
        calls: room(0, (*ahead, limit.interval(), limit.burst)),
        reset: *ahead,
    });
    let refused = refused.and_then(|(wait, which)| Some((wait.div_ceil(1_000_000).max(1), limits.get(which)?.0)));
    RateLimitDecision { left: left.collect(), refused }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    #[test]
    fn a_burst_passes_and_then_an_even_pace() {
        let mut bucket = [(0, SECOND, 3)];
        let mut allowed = |now| gcra(now, &mut bucket).is_none();
        let burst: Vec<bool> = (0..5).map(|_| allowed(100 * SECOND)).collect();
        assert_eq!(burst, [true, true, true, false, false]);
        let paced: Vec<bool> = (0..10).map(|half| allowed(100 * SECOND + half * SECOND / 2)).collect();
        assert_eq!(paced, [false, false, true, false, true, false, true, false, true, false]);
        assert!((0..3).all(|_| allowed(200 * SECOND)), "after a pause there is a burst again");
    }

    #[test]
    fn nothing_is_used_up_where_another_limit_refuses() {
        let mut buckets = [(0, SECOND, 10), (0, SECOND, 1)];
        assert_eq!(gcra(50 * SECOND, &mut buckets), None);
        let before = buckets;
        assert_eq!(gcra(50 * SECOND, &mut buckets), Some((SECOND, 1)));
        assert_eq!(buckets, before);
    }

    #[tokio::test]
    async fn people_searches_and_organisations_have_limits_of_their_own() {
        let limit = |burst| Limit { per_minute: 1, burst };
        let rates = Rates { organisation: limit(5), person: limit(3), searches: limit(1) };
        let limits = RateLimits::new(rates, 1, &Storage::in_memory().expect("random numbers"));
        let count = async |organisation, user, is_search| {
            let verdict = limits.count(RateLimitKey { organisation, person: ("issuer", user), is_search }, RateOverrides::default()).await;
            verdict.refused.map(|(_, whose)| whose)
        };
        assert_eq!(count("10012345", "ana", true).await, None);
        assert_eq!(count("10012345", "ana", true).await, Some("searches"));
        assert_eq!(count("10012345", "ana", false).await, None);
        assert_eq!(count("10012345", "ana", false).await, None);
        assert_eq!(count("10012345", "ana", false).await, Some("person"));
        assert_eq!(count("10012345", "ben", false).await, None);
        assert_eq!(count("10012345", "ben", false).await, None);
        assert_eq!(count("10012345", "ben", false).await, Some("organisation"));
        assert_eq!(count("10054321", "ana", true).await, None, "another organisation, another person");
        let own = RateOverrides { organisation: [None, Some(9)], ..RateOverrides::default() };
        let call = RateLimitKey { organisation: "10012345", person: ("issuer", "cy"), is_search: false };
        assert_eq!(limits.count(call, own).await.refused, None, "limits of its own");
    }

    #[tokio::test]
    async fn headers_say_what_there_is_and_what_is_left() {
        let limits = RateLimits::new(Rates::default(), 1, &Storage::in_memory().expect("random numbers"));
        let call = RateLimitKey { organisation: "10012345", person: ("issuer", "ana"), is_search: true };
        let verdict = limits.count(call, RateOverrides::default()).await;
        assert_eq!(verdict.policy_header(), "\"organisation\";q=600;w=60, \"person\";q=120;w=60, \"searches\";q=60;w=60");
        assert_eq!(verdict.header(), "\"organisation\";r=99;t=1, \"person\";r=39;t=1, \"searches\";r=19;t=1");
    }
}
