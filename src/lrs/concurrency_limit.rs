//! Who may call LRS now, and who waits.
//!
//! LRS is one service for the whole country, and answers slowly when it is asked too much at once. So there is a limit to the calls in
//! flight, and one to those of each organisation. Who finds them reached waits a short while in line. Single calls, at the other end
//! of which somebody sits and waits, go before calls that carry batches; among these, the organisation that has the fewest calls in
//! flight goes first. Nobody who waits holds anything: who waits for their own organisation's calls does not keep others from theirs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::domain::Ukprn;

/// How many calls there may be at once, and how long others wait.
#[derive(Debug, Clone, Copy)]
pub struct QueueSettings {
    /// Most calls in flight.
    pub at_once: usize,
    /// Most of one organisation.
    pub at_once_per_organisation: usize,
    /// Most that wait: single calls, and as many that carry batches.
    pub length: usize,
    /// Longest wait of a single call.
    pub longest: Duration,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self { at_once: 64, at_once_per_organisation: 4, length: 64, longest: Duration::from_secs(2) }
    }
}

/// What waits: the first kind goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// A single call.
    Single,
    /// A call that carries a batch.
    Batch,
}

/// The line before LRS.
#[derive(Debug)]
pub struct Queue {
    settings: QueueSettings,
    line: Mutex<Line>,
}

/// A turn at LRS. It is over when this is dropped.
#[derive(Debug)]
pub struct Turn {
    queue: Arc<Queue>,
    organisation: Ukprn,
}

impl Drop for Turn {
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

impl Queue {
    /// A line with nobody in it.
    pub fn new(settings: QueueSettings) -> Self {
        Self { settings, line: Mutex::default() }
    }

    /// A turn for a call of this organisation, now or soon. `None`: there are too many others.
    pub async fn turn(self: &Arc<Self>, organisation: &Ukprn, work: Work) -> Option<Turn> {
        self.turn_within(organisation, work, self.settings.longest).await
    }

    /// The same for who can wait this long.
    pub async fn turn_within(self: &Arc<Self>, organisation: &Ukprn, work: Work, longest: Duration) -> Option<Turn> {
        let waiting = {
            let mut line = self.lock();
            // Nobody in the line could begin: those who can are told when a turn ends.
            if line.has_room(&self.settings, organisation, work) {
                return Some(self.begin(&mut line, organisation.clone()));
            }
            line.join(&self.settings, organisation, work)?
        };
        tokio::time::timeout(longest, waiting).await.ok()?.ok()
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.lock().waiting.iter().filter(|waiting| !waiting.begin.is_closed()).count()
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(self: &Arc<Self>, line: &mut Line, organisation: Ukprn) -> Turn {
        line.in_flight += 1;
        *line.of_organisation.entry(organisation.clone()).or_default() += 1;
        Turn { queue: Arc::clone(self), organisation }
    }

    /// Takes out of the line who can begin now.
    fn whose_turn(self: &Arc<Self>, line: &mut Line) -> Vec<(oneshot::Sender<Turn>, Turn)> {
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
    work: Work,
    begin: oneshot::Sender<Turn>,
}

impl Line {
    fn of(&self, organisation: &Ukprn) -> usize {
        self.of_organisation.get(organisation).copied().unwrap_or(0)
    }

    /// Could such a call begin now? Batches leave the last place to single calls, so that a front desk always gets through.
    fn has_room(&self, settings: &QueueSettings, organisation: &Ukprn, work: Work) -> bool {
        let left_free = |limit: usize| usize::from(work == Work::Batch && limit > 1);
        let fits = |in_flight: usize, limit: usize| in_flight + left_free(limit) < limit;
        fits(self.in_flight, settings.at_once) && fits(self.of(organisation), settings.at_once_per_organisation)
    }

    fn next(&self, settings: &QueueSettings) -> Option<usize> {
        let could = self.waiting.iter().enumerate().filter(|(_, one)| self.has_room(settings, &one.organisation, one.work));
        could.min_by_key(|(at, one)| (one.work, self.of(&one.organisation), *at)).map(|(at, _)| at)
    }

    /// Lines up, if there is room. In a full line, the organisation that has the most in it makes room for one that has fewer.
    fn join(&mut self, settings: &QueueSettings, organisation: &Ukprn, work: Work) -> Option<oneshot::Receiver<Turn>> {
        self.waiting.retain(|waiting| !waiting.begin.is_closed());
        if self.waiting.iter().filter(|waiting| waiting.work == work).count() >= settings.length {
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

    use super::Work::{Batch, Single};
    use super::*;
    use crate::schema::Value as _;

    fn organisation(number: u32) -> Ukprn {
        Ukprn::parse(&format!("1000000{number}")).expect("a UKPRN")
    }

    fn queue(at_once: usize, at_once_per_organisation: usize, length: usize) -> Arc<Queue> {
        Arc::new(Queue::new(QueueSettings { at_once, at_once_per_organisation, length, longest: Duration::from_secs(60) }))
    }

    /// Somebody who wants a turn.
    type Somebody = Pin<Box<dyn Future<Output = Option<Turn>>>>;

    fn wants(queue: &Arc<Queue>, number: u32, work: Work) -> Somebody {
        let queue = Arc::clone(queue);
        let mut somebody: Somebody = Box::pin(async move { queue.turn(&organisation(number), work).await });
        assert!(look(&mut somebody).is_pending(), "{number} would have to wait");
        somebody
    }

    fn look(somebody: &mut Somebody) -> Poll<Option<Turn>> {
        somebody.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    /// A turn that is there now, or none.
    fn now(queue: &Arc<Queue>, number: u32, work: Work) -> Option<Turn> {
        match pin!(queue.turn(&organisation(number), work)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(turn) => turn,
            Poll::Pending => None,
        }
    }

    fn got(somebody: &mut Somebody) -> Turn {
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
            async move { queue.turn_within(&organisation(number), Single, Duration::from_secs(60)).await.is_none() }
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
        assert!(queue.turn_within(&organisation(2), Single, Duration::from_millis(5)).await.is_none(), "nobody waits for ever");
        drop(wants(&queue, 2, Single));
        let given_but_not_taken = wants(&queue, 3, Single);
        drop(turn);
        assert!(now(&queue, 2, Single).is_none());
        drop(given_but_not_taken);
        assert!(now(&queue, 2, Single).is_some());
    }
}
