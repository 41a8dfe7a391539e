//! The queue of batches in memory. It works as the one in Redis does: `keys.rs` describes it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use crate::batches::model::{BatchId, EpochMillis, Rank};
use crate::batches::repository::time_queue::TimeQueue;
use crate::batches::repository::{Backlog, Claim, ClaimLimits, ClaimedBatch, Lease, Place};
use crate::domain::Ukprn;

/// An organisation; `None` for batches whose place is not known.
type Organisation = Option<Ukprn>;

/// The queue of batches.
#[derive(Debug, Default)]
pub struct MemoryQueue {
    /// Waiting batches, by due time.
    scheduled: TimeQueue<BatchId>,
    /// The same batches, by organisation, rank and due time.
    lines: BTreeSet<(Organisation, Rank, EpochMillis, BatchId)>,
    /// Where each waiting or leased batch waits.
    places: HashMap<BatchId, (Organisation, Rank)>,
    /// Organisations with waiting batches, by the time of their next turn.
    organisations: TimeQueue<Organisation>,
    /// Organisations whose next turn goes to the batch that has waited longest.
    longest_next: HashSet<Organisation>,
    /// Leased batches, by the end of the lease.
    leased: TimeQueue<BatchId>,
    /// Batches that were woken during their lease.
    woken: HashSet<BatchId>,
    /// Tokens of the leases.
    tokens: HashMap<BatchId, u64>,
}

impl MemoryQueue {
    /// Makes a batch due at a time, unless it is due earlier. Without a place, it keeps the one that it has.
    pub fn put(&mut self, id: BatchId, due_at: EpochMillis, place: Option<Place>) {
        let place = place.map_or_else(|| self.place_of(id), |place| (Some(place.organisation), place.rank));
        self.put_at(id, due_at, place);
    }

    /// Makes a batch due immediately, or at the end of its current lease.
    pub fn wake(&mut self, id: BatchId, now: EpochMillis) {
        if self.leased.time(&id).is_some() {
            self.woken.insert(id);
        } else {
            let (organisation, _) = self.place_of(id);
            self.put_at(id, now, (organisation, Rank::FIRST));
        }
    }

    /// Makes a batch due immediately if it is neither waiting nor leased.
    pub fn enqueue_if_lost(&mut self, id: BatchId, now: EpochMillis) {
        if self.scheduled.time(&id).is_none() && self.leased.time(&id).is_none() {
            self.put(id, now, None);
        }
    }

    fn put_at(&mut self, id: BatchId, due_at: EpochMillis, place: (Organisation, Rank)) {
        let (old_organisation, old_rank) = self.place_of(id);
        let old_due_at = self.scheduled.time(&id);
        if let Some(old_due_at) = old_due_at {
            self.lines.remove(&(old_organisation, old_rank, old_due_at, id));
        }
        let due_at = old_due_at.map_or(due_at, |old_due_at| old_due_at.min(due_at));
        self.scheduled.insert(id, due_at);
        self.lines.insert((place.0.clone(), place.1, due_at, id));
        self.organisations.insert_earlier(place.0.clone(), due_at);
        self.places.insert(id, place);
    }

    /// Takes a batch out of the queue, and ends its lease.
    pub fn remove(&mut self, id: BatchId, now: EpochMillis) {
        let (organisation, rank) = self.place_of(id);
        if let Some(due_at) = self.scheduled.remove(&id) {
            self.lines.remove(&(organisation.clone(), rank, due_at, id));
        }
        self.leased.remove(&id);
        self.tokens.remove(&id);
        self.woken.remove(&id);
        self.places.remove(&id);
        self.set_turn(&organisation, now);
    }

    /// Extends a lease. Returns `false` if it has expired.
    pub fn renew(&mut self, lease: Lease, until: EpochMillis) -> bool {
        let is_held = self.is_held(lease);
        if is_held {
            self.leased.insert(lease.id, until);
        }
        is_held
    }

    /// Ends a lease, if its holder still has it, and sets the next due time. Returns `true` if the batch is due now.
    pub fn release(&mut self, lease: Lease, due_at: Option<EpochMillis>, place: Option<Place>, now: EpochMillis) -> bool {
        let id = lease.id;
        if !self.is_held(lease) {
            return false;
        }
        self.leased.remove(&id);
        self.tokens.remove(&id);
        if self.woken.remove(&id) {
            let organisation = place.map_or_else(|| self.place_of(id).0, |place| Some(place.organisation));
            self.put_at(id, now, (organisation, Rank::FIRST));
        } else if let Some(due_at) = due_at {
            self.put(id, due_at, place);
        }
        let scheduled = self.scheduled.time(&id);
        if scheduled.is_none() {
            self.places.remove(&id);
        }
        scheduled.is_some_and(|scheduled| scheduled <= now)
    }

    /// Returns the numbers of unfinished and claimable batches.
    pub fn backlog(&self, now: EpochMillis) -> Backlog {
        // A turn that is later than now has come nevertheless if the clock has gone back.
        let first_turn = self.organisations.first_time().filter(|turn| *turn <= now).or_else(|| self.scheduled.first_time());
        Backlog {
            unfinished: self.scheduled.len() + self.leased.len(),
            claimable: self.scheduled.until(now).count(),
            oldest_claimable_age: first_turn.map_or(Duration::ZERO, |first_turn| now.since(first_turn)),
        }
    }

    /// Makes batches with an expired lease due again, then leases due batches.
    pub fn claim(&mut self, now: EpochMillis, lease_duration: Duration, limits: &ClaimLimits) -> Claim {
        while let Some(id) = self.leased.pop_until(now) {
            self.tokens.remove(&id);
            self.put(id, now, None);
        }
        if let Some(first) = self.scheduled.until(now).next().copied() {
            // The clock may have gone back since the turn was set. Then it has come nevertheless.
            self.organisations.insert_earlier(self.place_of(first).0, now);
        }
        let (token, lease_end) = (fastrand::u64(..), now.after(lease_duration));
        let exceptions: HashMap<&Ukprn, usize> = limits.exceptions.iter().map(|(organisation, limit)| (organisation, *limit)).collect();
        let mut claim = Claim { now, batches: Vec::new(), next: self.organisations.first_time_after(now), contended: Vec::new() };
        let candidates = self.organisations.until(now).take(limits.batches + exceptions.len() + 1);
        for organisation in candidates.cloned().collect::<Vec<_>>() {
            let limit = organisation
                .as_ref()
                .map_or(usize::MAX, |organisation| exceptions.get(organisation).copied().unwrap_or(limits.batches_per_organisation));
            let left = limits.batches - claim.batches.len();
            if limit > 0 && left == 0 {
                claim.next = Some(now);
            } else if limit > 0 {
                let ids = self.lease(&organisation, now, limit.min(left), lease_end, token);
                let claimed = |id| ClaimedBatch { lease: Lease { id, token }, organisation: organisation.clone() };
                claim.batches.extend(ids.into_iter().map(claimed));
                self.set_turn(&organisation, now);
                claim.contended.extend(organisation.clone().filter(|_| self.has_turn(&organisation, now)));
            }
        }
        let left_out = exceptions.iter().filter(|(_, limit)| **limit == 0).map(|(organisation, _)| Some((*organisation).clone()));
        claim.contended.extend(left_out.filter(|organisation| self.has_turn(organisation, now)).flatten());
        claim.next = [claim.next, self.leased.first_time()].into_iter().flatten().min();
        claim
    }

    /// Leases up to `limit` due batches of an organisation. A leased batch that was scheduled is woken instead.
    fn lease(&mut self, organisation: &Organisation, now: EpochMillis, limit: usize, until: EpochMillis, token: u64) -> Vec<BatchId> {
        let mut leased = Vec::new();
        while leased.len() < limit {
            let Some((rank, due_at, id)) = self.take_turn(organisation, now) else { break };
            self.scheduled.remove(&id);
            self.lines.remove(&(organisation.clone(), rank, due_at, id));
            if self.leased.time(&id).is_some() {
                self.woken.insert(id);
            } else {
                self.leased.insert(id, until);
                self.tokens.insert(id, token);
                leased.push(id);
            }
        }
        leased
    }

    /// Returns the batch of an organisation whose turn it is.
    fn take_turn(&mut self, organisation: &Organisation, now: EpochMillis) -> Option<(Rank, EpochMillis, BatchId)> {
        let due = || self.firsts(organisation).filter(|(_, due_at, _)| *due_at <= now);
        let lowest = due().next()?;
        let longest = due().min_by_key(|(_, due_at, _)| *due_at)?;
        if self.longest_next.remove(organisation) {
            return Some(longest);
        }
        self.longest_next.insert(organisation.clone());
        Some(lowest)
    }

    /// Returns the first batch of each line of an organisation.
    fn firsts(&self, organisation: &Organisation) -> impl Iterator<Item = (Rank, EpochMillis, BatchId)> {
        Rank::all().filter_map(move |rank| {
            let start = (organisation.clone(), rank, EpochMillis(i64::MIN), BatchId::min_at(EpochMillis(0)));
            let (of, line, due_at, id) = self.lines.range(start..).next()?;
            (of == organisation && *line == rank).then_some((rank, *due_at, *id))
        })
    }

    /// Sets the time of an organisation's next turn: when its first batch is due, but behind the organisations that wait already.
    fn set_turn(&mut self, organisation: &Organisation, now: EpochMillis) {
        let first = self.firsts(organisation).map(|(_, due_at, _)| due_at).min();
        if let Some(first) = first {
            self.organisations.insert(organisation.clone(), first.max(now));
        } else {
            self.organisations.remove(organisation);
            self.longest_next.remove(organisation);
        }
    }

    fn has_turn(&self, organisation: &Organisation, now: EpochMillis) -> bool {
        self.organisations.time(organisation).is_some_and(|turn| turn <= now)
    }

    fn place_of(&self, id: BatchId) -> (Organisation, Rank) {
        self.places.get(&id).cloned().unwrap_or((None, Rank::FIRST))
    }

    /// Returns `true` if the lease has not expired.
    fn is_held(&self, lease: Lease) -> bool {
        self.leased.time(&lease.id).is_some() && self.tokens.get(&lease.id) == Some(&lease.token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Scalar as _;

    #[test]
    fn due_batches_are_claimed_after_the_clock_has_gone_back() {
        let lease = Duration::from_secs(60);
        let limits = |batches| ClaimLimits { batches, batches_per_organisation: batches, exceptions: Vec::new() };
        let place = Place { organisation: Ukprn::parse("10088881").expect("the UKPRN is valid"), rank: Rank::FIRST };
        let before = EpochMillis(1_000_000_000_000);
        let ahead = before.after(Duration::from_secs(600));
        let mut queue = MemoryQueue::default();
        for _ in 0..3 {
            queue.put(BatchId::new(), before, Some(place.clone()));
        }
        assert_eq!(queue.claim(ahead, lease, &limits(1)).batches.len(), 1);

        let now = before.after(Duration::from_secs(5));
        let backlog = queue.backlog(now);
        assert_eq!((backlog.claimable, backlog.oldest_claimable_age.as_secs()), (2, 5));
        assert_eq!(queue.claim(now, lease, &limits(10)).batches.len(), 2);
    }
}
