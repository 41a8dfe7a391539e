//! Turns: the order in which the waiting batches of an organisation are visited.
//!
//! An organisation has as many visits at a time as it may have parts. Its other due batches wait for a turn. Every second turn goes to the
//! batch with the fewest due parts, so that a small batch does not wait for large ones, and every other turn to the batch that has waited
//! longest, so that small batches do not hold up a large one. A visit ends early if another batch waits, and its batch goes to the end of
//! the line.
//!
//! Each replica keeps turns of the batches that it has claimed itself. A batch whose turn is forgotten becomes due again soon.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::batches::model::BatchId;
use crate::domain::Ukprn;

/// Maximum number of waiting batches of an organisation that are remembered.
const MAX_WAITING: usize = 10_000;

/// The waiting batches of every organisation.
#[derive(Debug, Default)]
pub struct Turns(Mutex<HashMap<Ukprn, Line>>);

/// The waiting batches of one organisation.
#[derive(Debug, Default)]
struct Line {
    waiting: HashMap<BatchId, Waiting>,
    /// Number of batches that have begun to wait so far.
    arrivals: u64,
    /// `true` if the next turn goes to the batch that has waited longest.
    is_longest_next: bool,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    arrival: u64,
    due_parts: usize,
}

impl Turns {
    /// Adds a batch to the waiting ones. A batch that waits already keeps its place.
    pub fn wait(&self, organisation: &Ukprn, id: BatchId, due_parts: usize) {
        let mut lines = self.0.lock();
        let line = lines.entry(organisation.clone()).or_default();
        if line.waiting.len() < MAX_WAITING {
            line.arrivals += 1;
            let arrival = line.waiting.get(&id).map_or(line.arrivals, |waiting| waiting.arrival);
            line.waiting.insert(id, Waiting { arrival, due_parts });
        }
    }

    /// Removes a batch from the waiting ones, because its visit begins.
    pub fn begin(&self, organisation: &Ukprn, id: BatchId) {
        if let Some(line) = self.0.lock().get_mut(organisation) {
            line.waiting.remove(&id);
        }
    }

    /// Returns `true` if a batch of the organisation waits.
    pub fn is_contended(&self, organisation: &Ukprn) -> bool {
        self.0.lock().get(organisation).is_some_and(|line| !line.waiting.is_empty())
    }

    /// Removes and returns the batch whose turn it is.
    pub fn next(&self, organisation: &Ukprn) -> Option<BatchId> {
        let mut lines = self.0.lock();
        let line = lines.get_mut(organisation)?;
        let waiting = line.waiting.iter();
        let next = if line.is_longest_next {
            waiting.min_by_key(|(_, waiting)| waiting.arrival)
        } else {
            waiting.min_by_key(|(_, waiting)| (waiting.due_parts, waiting.arrival))
        };
        let id = next.map(|(id, _)| *id);
        match id {
            Some(id) => {
                line.waiting.remove(&id);
                line.is_longest_next = !line.is_longest_next;
            }
            None => drop(lines.remove(organisation)),
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Scalar as _;

    #[test]
    fn turns_alternate_between_the_smallest_and_the_longest_waiting_batch() {
        let (turns, organisation) = (Turns::default(), Ukprn::parse("10012345").expect("a UKPRN"));
        let ids: Vec<BatchId> = (0..5).map(|_| BatchId::new()).collect();
        for (id, due_parts) in ids.iter().zip([30, 30, 20, 1, 2]) {
            turns.wait(&organisation, *id, due_parts);
        }
        turns.wait(&organisation, ids[0], 29);
        turns.begin(&organisation, ids[2]);
        assert!(turns.is_contended(&organisation));
        let order: Vec<Option<BatchId>> = (0..5).map(|_| turns.next(&organisation)).collect();
        assert_eq!(order, [Some(ids[3]), Some(ids[0]), Some(ids[4]), Some(ids[1]), None]);
        assert!(!turns.is_contended(&organisation));
    }
}
