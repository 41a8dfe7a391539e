//! Whether the replicas share the rate limits now. Each thread has a connection to Redis of its own: one can fail while others work.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::runtime::{self, Handle};

/// Time for which a failure counts if its thread has made no call since.
const FAILURE_AGE: Duration = Duration::from_secs(60);

/// The limits are shared unless a thread cannot count in Redis.
#[derive(Debug, Default)]
pub(super) struct Sharing {
    /// The time of the last failure, by the runtime of each thread whose last call could not be counted in Redis.
    failures: Mutex<HashMap<runtime::Id, Instant>>,
    /// `true` while there are failures. A success of another time takes no lock.
    has_failures: AtomicBool,
}

impl Sharing {
    /// Records that the current runtime could count a call in Redis. Returns `true` if the limits are shared again.
    pub fn resumes_by_success(&self) -> bool {
        self.has_failures.load(Ordering::Relaxed) && self.succeed(Handle::current().id(), Instant::now())
    }

    /// Records that the current runtime could not count a call in Redis. Returns `true` if the limits were shared before.
    pub fn ends_by_failure(&self) -> bool {
        self.fail(Handle::current().id(), Instant::now())
    }

    fn succeed(&self, runtime: runtime::Id, now: Instant) -> bool {
        let mut failures = self.failures.lock();
        let had_failures = !failures.is_empty();
        failures.retain(|failed, at| *failed != runtime && now.duration_since(*at) < FAILURE_AGE);
        self.has_failures.store(!failures.is_empty(), Ordering::Relaxed);
        had_failures && failures.is_empty()
    }

    fn fail(&self, runtime: runtime::Id, now: Instant) -> bool {
        let mut failures = self.failures.lock();
        let is_first = failures.is_empty();
        failures.insert(runtime, now);
        self.has_failures.store(true, Ordering::Relaxed);
        is_first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_limits_count_as_shared_again_when_each_thread_can_share_them_or_is_idle() {
        let runtimes = [(), ()].map(|()| tokio::runtime::Builder::new_current_thread().build().expect("a runtime"));
        let [first, second] = runtimes.each_ref().map(|runtime| runtime.handle().id());
        let (sharing, now) = (Sharing::default(), Instant::now());
        assert!(!sharing.succeed(first, now));
        assert!(sharing.fail(first, now));
        assert!(!sharing.fail(second, now) && !sharing.fail(first, now), "reported before");
        assert!(!sharing.succeed(second, now), "the first thread cannot count in Redis");
        assert!(sharing.succeed(first, now));
        assert!(!sharing.succeed(first, now) && !sharing.succeed(second, now), "reported before");
        assert!(sharing.fail(first, now));
        assert!(!sharing.succeed(second, now));
        assert!(sharing.succeed(second, now + FAILURE_AGE), "the first thread makes no calls");
    }
}
