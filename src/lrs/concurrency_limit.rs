//! The concurrency limit of calls to LRS, and the queue of calls that wait for a permit.
//!
//! LRS is one service for the whole country and slows down under too many concurrent calls. So the gateway limits the calls in flight,
//! in total and for each organisation. When a limit is reached, calls wait in a queue for a short time. Single calls have a user who
//! waits for the result, so they go before calls that carry batches. Among calls of the same priority, the organisation with the fewest
//! calls in flight goes first. Queued calls hold no permits, so an organisation that has reached its own limit does not block others.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::domain::Ukprn;

/// The limits of calls in flight and of queued calls.
#[derive(Debug, Clone, Copy)]
pub struct ConcurrencySettings {
    /// Maximum number of calls in flight.
    pub max_concurrent_calls: usize,
    /// Maximum number of calls in flight of one organisation.
    pub max_concurrent_calls_per_organisation: usize,
    /// Maximum number of queued calls, for each priority.
    pub queue_capacity: usize,
    /// Maximum time that a single call is queued.
    pub queue_timeout: Duration,
}

impl Default for ConcurrencySettings {
    fn default() -> Self {
        Self {
            max_concurrent_calls: 64,
            max_concurrent_calls_per_organisation: 4,
            queue_capacity: 64,
            queue_timeout: Duration::from_secs(2),
        }
    }
}

/// The priority of a call. The first variant goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// A single call.
    Single,
    /// A call that carries a batch.
    Batch,
}

/// Limits the calls in flight and queues further calls.
#[derive(Debug)]
pub struct ConcurrencyLimiter {
    settings: ConcurrencySettings,
    calls: Mutex<Calls>,
}

/// Permits one call. The call ends when the permit is dropped.
#[derive(Debug)]
pub struct ConcurrencyPermit {
    limiter: Arc<ConcurrencyLimiter>,
    organisation: Ukprn,
}

impl ConcurrencyLimiter {
    /// Creates a limiter without calls.
    pub fn new(settings: ConcurrencySettings) -> Self {
        Self { settings, calls: Mutex::default() }
    }

    /// Acquires a permit, after a wait of at most the queue timeout. Returns `None` if the queue is full or the timeout has passed.
    pub async fn acquire(self: &Arc<Self>, organisation: &Ukprn, priority: Priority) -> Option<ConcurrencyPermit> {
        self.acquire_within(organisation, priority, self.settings.queue_timeout).await
    }

    /// Acquires a permit, after a wait of at most `timeout`. Returns `None` if the queue is full or the timeout has passed.
    pub async fn acquire_within(
        self: &Arc<Self>,
        organisation: &Ukprn,
        priority: Priority,
        timeout: Duration,
    ) -> Option<ConcurrencyPermit> {
        let permit_receiver = {
            let mut calls = self.calls.lock();
            // No queued call has capacity here: it would have got its permit when the previous call ended.
            if calls.has_capacity(&self.settings, organisation, priority) {
                return Some(self.start_call(&mut calls, organisation.clone()));
            }
            calls.enqueue(&self.settings, organisation, priority)?
        };
        tokio::time::timeout(timeout, permit_receiver).await.ok()?.ok()
    }

    /// Returns the number of queued calls.
    pub fn queued_calls(&self) -> usize {
        self.calls.lock().queue.iter().filter(|call| !call.is_cancelled()).count()
    }

    fn start_call(self: &Arc<Self>, calls: &mut Calls, organisation: Ukprn) -> ConcurrencyPermit {
        calls.in_flight += 1;
        *calls.in_flight_per_organisation.entry(organisation.clone()).or_default() += 1;
        ConcurrencyPermit { limiter: Arc::clone(self), organisation }
    }

    /// Removes the queued calls that have capacity now, and returns them with their permits.
    fn start_queued_calls(self: &Arc<Self>, calls: &mut Calls) -> Vec<(oneshot::Sender<ConcurrencyPermit>, ConcurrencyPermit)> {
        calls.remove_cancelled();
        let mut started = Vec::new();
        while let Some(index) = calls.next_startable(&self.settings) {
            let QueuedCall { organisation, permit_sender, .. } = calls.queue.remove(index);
            started.push((permit_sender, self.start_call(calls, organisation)));
        }
        started
    }
}

impl Drop for ConcurrencyPermit {
    fn drop(&mut self) {
        let started = {
            let mut calls = self.limiter.calls.lock();
            calls.end_call(&self.organisation);
            self.limiter.start_queued_calls(&mut calls)
        };
        // The lock is released: if a queued call was cancelled in the meantime, its permit is dropped here, which takes the lock again.
        for (sender, permit) in started {
            drop(sender.send(permit));
        }
    }
}

/// The number of calls in flight, and the queued calls in order of arrival.
#[derive(Debug, Default)]
struct Calls {
    in_flight: usize,
    in_flight_per_organisation: HashMap<Ukprn, usize>,
    queue: Vec<QueuedCall>,
}

#[derive(Debug)]
struct QueuedCall {
    organisation: Ukprn,
    priority: Priority,
    permit_sender: oneshot::Sender<ConcurrencyPermit>,
}

impl QueuedCall {
    fn is_cancelled(&self) -> bool {
        self.permit_sender.is_closed()
    }
}

impl Calls {
    fn in_flight_of(&self, organisation: &Ukprn) -> usize {
        self.in_flight_per_organisation.get(organisation).copied().unwrap_or(0)
    }

    /// Returns `true` if such a call can start now. Batches leave the last permit to single calls, so that a batch never blocks a user.
    fn has_capacity(&self, settings: &ConcurrencySettings, organisation: &Ukprn, priority: Priority) -> bool {
        let reserved = |limit: usize| usize::from(priority == Priority::Batch && limit > 1);
        let is_below = |in_flight: usize, limit: usize| in_flight + reserved(limit) < limit;
        is_below(self.in_flight, settings.max_concurrent_calls)
            && is_below(self.in_flight_of(organisation), settings.max_concurrent_calls_per_organisation)
    }

    /// Returns the index of the queued call that starts next; `None` if none has capacity.
    fn next_startable(&self, settings: &ConcurrencySettings) -> Option<usize> {
        let startable = self.queue.iter().enumerate().filter(|(_, call)| self.has_capacity(settings, &call.organisation, call.priority));
        startable.min_by_key(|(index, call)| (call.priority, self.in_flight_of(&call.organisation), *index)).map(|(index, _)| index)
    }

    /// Queues a call. If the queue is full, the latest call of the organisation with the most queued calls is removed, provided that
    /// this organisation has fewer. Returns `None` if there is no capacity.
    fn enqueue(
        &mut self,
        settings: &ConcurrencySettings,
        organisation: &Ukprn,
        priority: Priority,
    ) -> Option<oneshot::Receiver<ConcurrencyPermit>> {
        self.remove_cancelled();
        if self.queue.iter().filter(|call| call.priority == priority).count() >= settings.queue_capacity {
            let index = self.displaceable(organisation, priority)?;
            self.queue.remove(index);
        }
        let (permit_sender, permit_receiver) = oneshot::channel();
        self.queue.push(QueuedCall { organisation: organisation.clone(), priority, permit_sender });
        Some(permit_receiver)
    }

    /// Returns the index of the queued call that makes room for a call of this organisation. `None` if no organisation has more queued
    /// calls of this priority than this one would have.
    fn displaceable(&self, organisation: &Ukprn, priority: Priority) -> Option<usize> {
        let mut queued_per_organisation: HashMap<&Ukprn, usize> = HashMap::new();
        for call in self.queue.iter().filter(|call| call.priority == priority) {
            *queued_per_organisation.entry(&call.organisation).or_default() += 1;
        }
        let own_queued = queued_per_organisation.get(organisation).copied().unwrap_or(0);
        let (largest, largest_queued) = queued_per_organisation.into_iter().max_by_key(|(_, queued)| *queued)?;
        if largest_queued <= own_queued + 1 {
            return None;
        }
        self.queue.iter().rposition(|call| call.priority == priority && call.organisation == *largest)
    }

    fn remove_cancelled(&mut self) {
        self.queue.retain(|call| !call.is_cancelled());
    }

    fn end_call(&mut self, organisation: &Ukprn) {
        self.in_flight -= 1;
        if let Some(in_flight) = self.in_flight_per_organisation.get_mut(organisation) {
            *in_flight -= 1;
            if *in_flight == 0 {
                self.in_flight_per_organisation.remove(organisation);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    use super::Priority::{Batch, Single};
    use super::*;
    use crate::schema::Scalar as _;

    fn organisation(number: u32) -> Ukprn {
        Ukprn::parse(&format!("1000000{number}")).expect("a UKPRN")
    }

    fn limiter(max_calls: usize, max_calls_per_organisation: usize, queue_capacity: usize) -> Arc<ConcurrencyLimiter> {
        Arc::new(ConcurrencyLimiter::new(ConcurrencySettings {
            max_concurrent_calls: max_calls,
            max_concurrent_calls_per_organisation: max_calls_per_organisation,
            queue_capacity,
            queue_timeout: Duration::from_secs(60),
        }))
    }

    /// A call that waits for its permit.
    type WaitingCall = Pin<Box<dyn Future<Output = Option<ConcurrencyPermit>>>>;

    /// Queues a call.
    fn enqueue(limiter: &Arc<ConcurrencyLimiter>, number: u32, priority: Priority) -> WaitingCall {
        let limiter = Arc::clone(limiter);
        let mut call: WaitingCall = Box::pin(async move { limiter.acquire(&organisation(number), priority).await });
        assert!(poll(&mut call).is_pending(), "the call of {number} is queued");
        call
    }

    fn poll(call: &mut WaitingCall) -> Poll<Option<ConcurrencyPermit>> {
        call.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    /// Acquires a permit without waiting.
    fn try_acquire(limiter: &Arc<ConcurrencyLimiter>, number: u32, priority: Priority) -> Option<ConcurrencyPermit> {
        match pin!(limiter.acquire(&organisation(number), priority)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(permit) => permit,
            Poll::Pending => None,
        }
    }

    fn granted(call: &mut WaitingCall) -> ConcurrencyPermit {
        match poll(call) {
            Poll::Ready(Some(permit)) => permit,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn concurrency_limit_reached_denies_permit() {
        let limiter = limiter(3, 2, 8);
        let first = [try_acquire(&limiter, 1, Single), try_acquire(&limiter, 1, Single)].map(|permit| permit.expect("capacity"));
        assert!(try_acquire(&limiter, 1, Single).is_none(), "the limit of the organisation is reached");
        let other = try_acquire(&limiter, 2, Single).expect("capacity for another organisation");
        assert!(try_acquire(&limiter, 3, Single).is_none(), "the total limit is reached");
        drop(first);
        assert_eq!([try_acquire(&limiter, 3, Single), try_acquire(&limiter, 3, Single)].into_iter().flatten().count(), 2);
        drop(other);
        assert_eq!(limiter.calls.lock().in_flight, 0);
        assert!(limiter.calls.lock().in_flight_per_organisation.is_empty());
    }

    #[tokio::test]
    async fn concurrency_limit_of_organisation_reached_does_not_block_others() {
        let limiter = limiter(2, 1, 8);
        let permit = try_acquire(&limiter, 1, Single).expect("capacity");
        let mut queued = [enqueue(&limiter, 1, Single), enqueue(&limiter, 1, Single)];
        drop(try_acquire(&limiter, 2, Single).expect("capacity"));
        drop(permit);
        let permit = granted(&mut queued[0]);
        assert!(poll(&mut queued[1]).is_pending());
        drop(permit);
        granted(&mut queued[1]);
    }

    #[tokio::test]
    async fn queue_order_is_single_calls_then_organisation_with_fewest_calls() {
        let limiter = limiter(2, 2, 8);
        let first = try_acquire(&limiter, 1, Single).expect("capacity");
        let second = try_acquire(&limiter, 1, Single).expect("capacity");
        let mut batch = enqueue(&limiter, 3, Batch);
        let mut same_organisation = enqueue(&limiter, 1, Single);
        let mut other_organisation = enqueue(&limiter, 2, Single);
        drop(first);
        let other_permit = granted(&mut other_organisation);
        assert!(poll(&mut same_organisation).is_pending() && poll(&mut batch).is_pending());
        drop(second);
        let same_permit = granted(&mut same_organisation);
        drop(other_permit);
        assert!(poll(&mut batch).is_pending(), "the last permit is not for batches");
        drop(same_permit);
        granted(&mut batch);
    }

    #[tokio::test]
    async fn batch_calls_leave_last_permit_for_single_calls() {
        let limiter = limiter(8, 3, 8);
        let batches = [try_acquire(&limiter, 1, Batch), try_acquire(&limiter, 1, Batch)].map(|permit| permit.expect("capacity"));
        let _queued = enqueue(&limiter, 1, Batch);
        let single = try_acquire(&limiter, 1, Single).expect("the last permit is for a single call");
        drop((batches, single));
        let limit_of_one = self::limiter(1, 1, 8);
        assert!(try_acquire(&limit_of_one, 1, Batch).is_some(), "a limit of one leaves nothing to reserve");
    }

    #[tokio::test]
    async fn queue_full_displaces_call_of_organisation_with_most_queued_calls() {
        let limiter = limiter(1, 1, 3);
        let _permit = try_acquire(&limiter, 9, Single).expect("capacity");
        let mut queued = [enqueue(&limiter, 1, Single), enqueue(&limiter, 1, Single), enqueue(&limiter, 1, Single)];
        let is_rejected = |number| {
            let limiter = Arc::clone(&limiter);
            async move { limiter.acquire_within(&organisation(number), Single, Duration::from_secs(60)).await.is_none() }
        };
        assert!(is_rejected(1).await, "the organisation fills the queue itself");
        let mut other = enqueue(&limiter, 2, Single);
        assert!(matches!(poll(&mut queued[2]), Poll::Ready(None)), "the latest call is displaced");
        assert!(poll(&mut queued[1]).is_pending() && poll(&mut other).is_pending());
        assert!(is_rejected(2).await, "two calls of one organisation and one of the other are the fairest distribution");
        let _batch = enqueue(&limiter, 1, Batch);
        drop(queued);
        let _requeued = enqueue(&limiter, 1, Single);
    }

    #[tokio::test]
    async fn queued_call_cancelled_frees_queue_and_permit() {
        let limiter = limiter(1, 1, 1);
        let permit = try_acquire(&limiter, 1, Single).expect("capacity");
        assert!(limiter.acquire_within(&organisation(2), Single, Duration::from_millis(5)).await.is_none(), "the timeout passes");
        drop(enqueue(&limiter, 2, Single));
        let granted_but_not_received = enqueue(&limiter, 3, Single);
        drop(permit);
        assert!(try_acquire(&limiter, 2, Single).is_none());
        drop(granted_but_not_received);
        assert!(try_acquire(&limiter, 2, Single).is_some());
    }
}
