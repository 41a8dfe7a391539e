//! Who may call LRS now, and who waits.
//!
//! LRS is one service for the whole country, and answers slowly when it is asked too much at once. So there is a limit to the calls in
//! flight, and one to those of each organisation. Who finds them reached waits a short while in line. Single calls, at the other end
//! of which somebody sits and waits, go before calls that carry batches; among these, the organisation that has the fewest calls in
//! flight goes first. Nobody who waits holds anything: who waits for their own organisation's calls does not keep others from theirs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;

use crate::domain::Ukprn;

/// How many calls there may be at once, and how long others wait.
#[derive(Debug, Clone, Copy)]
pub struct ConcurrencySettings {
    /// Most calls in flight.
    pub max_concurrent_calls: usize,
    /// Most of one organisation.
    pub max_concurrent_calls_per_organisation: usize,
    /// Most that wait: single calls, and as many that carry batches.
    pub queue_capacity: usize,
    /// Longest wait of a single call.
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

/// What waits: the first kind goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// A single call.
    Single,
    /// A call that carries a batch.
    Batch,
}

/// The line before LRS.
#[derive(Debug)]
pub struct ConcurrencyLimiter {
    settings: ConcurrencySettings,
    line: Mutex<Line>,
}

/// A turn at LRS. It is over when this is dropped.
#[derive(Debug)]
pub struct Permit {
    queue: Arc<ConcurrencyLimiter>,
    organisation: Ukprn,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let next = {
            let mut line = self.queue.lock();
            line.end(&self.organisation);
            self.queue.whose_turn(&mut line)
        };
        // Whoever has left meanwhile drops the turn, which takes the lock again.
        for (waiting, turn) in next {
            drop(waiting.send(turn));
        }
    }
}

impl ConcurrencyLimiter {
    /// A line with nobody in it.
    pub fn new(settings: ConcurrencySettings) -> Self {
        Self { settings, line: Mutex::default() }
    }

    /// A turn for a call of this organisation, now or soon. `None`: there are too many others.
    pub async fn acquire(self: &Arc<Self>, organisation: &Ukprn, work: Priority) -> Option<Permit> {
        self.acquire_within(organisation, work, self.settings.queue_timeout).await
    }

    /// The same for who can wait this long.
    pub async fn acquire_within(self: &Arc<Self>, organisation: &Ukprn, work: Priority, longest: Duration) -> Option<Permit> {
        let waiting = {
            let mut line = self.lock();
            // Nobody in the line could begin: those who can are told when a turn ends.
            if line.has_capacity(&self.settings, organisation, work) {
                return Some(self.begin(&mut line, organisation.clone()));
            }
            line.join(&self.settings, organisation, work)?
        };
        tokio::time::timeout(longest, waiting).await.ok()?.ok()
    }

    /// How many wait.
    pub fn queued(&self) -> usize {
        self.lock().waiting.iter().filter(|waiting| !waiting.begin.is_closed()).count()
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock()
    }

    fn begin(self: &Arc<Self>, line: &mut Line, organisation: Ukprn) -> Permit {
        line.in_flight += 1;
        *line.of_organisation.entry(organisation.clone()).or_default() += 1;
        Permit { queue: Arc::clone(self), organisation }
    }

    /// Takes out of the line who can begin now.
    fn whose_turn(self: &Arc<Self>, line: &mut Line) -> Vec<(oneshot::Sender<Permit>, Permit)> {
        line.waiting.retain(|waiting| !waiting.begin.is_closed());
        let mut next = Vec::new();
        while let Some(at) = line.next(&self.settings) {
            let Waiting { organisation, begin, .. } = line.waiting.remove(at);
            next.push((begin, self.begin(line, organisation)));
        }
        next
    }
}

/// What is in flight, and who waits, in the order of their coming.
#[derive(Debug, Default)]
struct Line {
    in_flight: usize,
    of_organisation: HashMap<Ukprn, usize>,
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    organisation: Ukprn,
    work: Priority,
    begin: oneshot::Sender<Permit>,
}

impl Line {
    fn of(&self, organisation: &Ukprn) -> usize {
        self.of_organisation.get(organisation).copied().unwrap_or(0)
    }

    /// Could such a call begin now? Batches leave the last place to single calls, so that a front desk always gets through.
    fn has_capacity(&self, settings: &ConcurrencySettings, organisation: &Ukprn, work: Priority) -> bool {
        let left_free = |limit: usize| usize::from(work == Priority::Batch && limit > 1);
        let fits = |in_flight: usize, limit: usize| in_flight + left_free(limit) < limit;
        fits(self.in_flight, settings.max_concurrent_calls) && fits(self.of(organisation), settings.max_concurrent_calls_per_organisation)
    }

    fn next(&self, settings: &ConcurrencySettings) -> Option<usize> {
        let could = self.waiting.iter().enumerate().filter(|(_, one)| self.has_capacity(settings, &one.organisation, one.work));
        could.min_by_key(|(at, one)| (one.work, self.of(&one.organisation), *at)).map(|(at, _)| at)
    }

    /// Lines up, if there is room. In a full line, the organisation that has the most in it makes room for one that has fewer.
    fn join(&mut self, settings: &ConcurrencySettings, organisation: &Ukprn, work: Priority) -> Option<oneshot::Receiver<Permit>> {
        self.waiting.retain(|waiting| !waiting.begin.is_closed());
        if self.waiting.iter().filter(|waiting| waiting.work == work).count() >= settings.queue_capacity {
            let mut share: HashMap<&Ukprn, usize> = HashMap::new();
            for waiting in self.waiting.iter().filter(|waiting| waiting.work == work) {
                *share.entry(&waiting.organisation).or_default() += 1;
            }
            let ours = share.get(organisation).copied().unwrap_or(0);
            let (most, theirs) = share.into_iter().max_by_key(|(_, share)| *share)?;
            if theirs <= ours + 1 {
                return None;
            }
            let last = self.waiting.iter().rposition(|waiting| waiting.work == work && waiting.organisation == *most)?;
            self.waiting.remove(last);
        }
        let (begin, waiting) = oneshot::channel();
        self.waiting.push(Waiting { organisation: organisation.clone(), work, begin });
        Some(waiting)
    }

    fn end(&mut self, organisation: &Ukprn) {
        self.in_flight -= 1;
        if let Some(in_flight) = self.of_organisation.get_mut(organisation) {
            *in_flight -= 1;
            if *in_flight == 0 {
                self.of_organisation.remove(organisation);
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

    fn queue(at_once: usize, at_once_per_organisation: usize, length: usize) -> Arc<ConcurrencyLimiter> {
        Arc::new(ConcurrencyLimiter::new(ConcurrencySettings {
            max_concurrent_calls: at_once,
            max_concurrent_calls_per_organisation: at_once_per_organisation,
            queue_capacity: length,
            queue_timeout: Duration::from_secs(60),
        }))
    }

    /// Somebody who wants a turn.
    type Somebody = Pin<Box<dyn Future<Output = Option<Permit>>>>;

    fn wants(queue: &Arc<ConcurrencyLimiter>, number: u32, work: Priority) -> Somebody {
        let queue = Arc::clone(queue);
        let mut somebody: Somebody = Box::pin(async move { queue.acquire(&organisation(number), work).await });
        assert!(look(&mut somebody).is_pending(), "{number} would have to wait");
        somebody
    }

    fn look(somebody: &mut Somebody) -> Poll<Option<Permit>> {
        somebody.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    /// A turn that is there now, or none.
    fn now(queue: &Arc<ConcurrencyLimiter>, number: u32, work: Priority) -> Option<Permit> {
        match pin!(queue.acquire(&organisation(number), work)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(turn) => turn,
            Poll::Pending => None,
        }
    }

    fn got(somebody: &mut Somebody) -> Permit {
        match look(somebody) {
            Poll::Ready(Some(turn)) => turn,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn there_are_no_more_than_the_limits_allow() {
        let queue = queue(3, 2, 8);
        let first = [now(&queue, 1, Single), now(&queue, 1, Single)].map(|turn| turn.expect("room"));
        assert!(now(&queue, 1, Single).is_none(), "an organisation has its limit");
        let other = now(&queue, 2, Single).expect("room for another");
        assert!(now(&queue, 3, Single).is_none(), "and all together have one");
        drop(first);
        assert_eq!([now(&queue, 3, Single), now(&queue, 3, Single)].into_iter().flatten().count(), 2);
        drop(other);
        assert_eq!(queue.lock().in_flight, 0);
        assert!(queue.lock().of_organisation.is_empty());
    }

    #[tokio::test]
    async fn who_waits_for_their_own_organisation_holds_up_nobody() {
        let queue = queue(2, 1, 8);
        let one = now(&queue, 1, Single).expect("room");
        let mut waiting = [wants(&queue, 1, Single), wants(&queue, 1, Single)];
        drop(now(&queue, 2, Single).expect("room"));
        drop(one);
        let one = got(&mut waiting[0]);
        assert!(look(&mut waiting[1]).is_pending());
        drop(one);
        got(&mut waiting[1]);
    }

    #[tokio::test]
    async fn single_calls_go_before_batches_and_the_organisation_with_the_fewest_first() {
        let queue = queue(2, 2, 8);
        let (one, other) = (now(&queue, 1, Single).expect("room"), now(&queue, 1, Single).expect("room"));
        let mut batch = wants(&queue, 3, Batch);
        let mut same = wants(&queue, 1, Single);
        let mut second = wants(&queue, 2, Single);
        drop(one);
        let second_turn = got(&mut second);
        assert!(look(&mut same).is_pending() && look(&mut batch).is_pending());
        drop(other);
        let same_turn = got(&mut same);
        drop(second_turn);
        assert!(look(&mut batch).is_pending(), "the last place is not for batches");
        drop(same_turn);
        got(&mut batch);
    }

    #[tokio::test]
    async fn batches_leave_a_place_free() {
        let queue = queue(8, 3, 8);
        let batches = [now(&queue, 1, Batch), now(&queue, 1, Batch)].map(|turn| turn.expect("room"));
        let _waiting = wants(&queue, 1, Batch);
        let single = now(&queue, 1, Single).expect("the front desk gets through");
        drop((batches, single));
        let alone = self::queue(1, 1, 8);
        assert!(now(&alone, 1, Batch).is_some(), "a single place is for everybody");
    }

    #[tokio::test]
    async fn a_full_line_turns_away_whoever_has_the_most_in_it() {
        let queue = queue(1, 1, 3);
        let _turn = now(&queue, 9, Single).expect("room");
        let mut crowd = [wants(&queue, 1, Single), wants(&queue, 1, Single), wants(&queue, 1, Single)];
        let refused = |number| {
            let queue = Arc::clone(&queue);
            async move { queue.acquire_within(&organisation(number), Single, Duration::from_secs(60)).await.is_none() }
        };
        assert!(refused(1).await, "its own crowd");
        let mut other = wants(&queue, 2, Single);
        assert!(matches!(look(&mut crowd[2]), Poll::Ready(None)), "the last of the crowd makes room");
        assert!(look(&mut crowd[1]).is_pending() && look(&mut other).is_pending());
        assert!(refused(2).await, "two of one and one of the other is as fair as it gets");
        let _batch = wants(&queue, 1, Batch);
        drop(crowd);
        let _again = wants(&queue, 1, Single);
    }

    #[tokio::test]
    async fn who_leaves_the_line_leaves_nothing_behind() {
        let queue = queue(1, 1, 1);
        let turn = now(&queue, 1, Single).expect("room");
        assert!(queue.acquire_within(&organisation(2), Single, Duration::from_millis(5)).await.is_none(), "nobody waits for ever");
        drop(wants(&queue, 2, Single));
        let given_but_not_taken = wants(&queue, 3, Single);
        drop(turn);
        assert!(now(&queue, 2, Single).is_none());
        drop(given_but_not_taken);
        assert!(now(&queue, 2, Single).is_some());
    }
}
