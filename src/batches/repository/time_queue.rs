//! Items in memory, ordered by a time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::ops::Bound;

use crate::batches::model::EpochMillis;

/// Items ordered by a time. Each item has one time.
#[derive(Debug)]
pub struct TimeQueue<T> {
    times: HashMap<T, EpochMillis>,
    order: BTreeMap<EpochMillis, BTreeSet<T>>,
}

impl<T> Default for TimeQueue<T> {
    fn default() -> Self {
        Self { times: HashMap::new(), order: BTreeMap::new() }
    }
}

impl<T: Clone + Ord + Hash> TimeQueue<T> {
    /// Inserts an item, or changes its time.
    pub fn insert(&mut self, item: T, time: EpochMillis) {
        self.remove(&item);
        self.times.insert(item.clone(), time);
        self.order.entry(time).or_default().insert(item);
    }

    /// Inserts an item, unless it is in the queue with an earlier time.
    pub fn insert_earlier(&mut self, item: T, time: EpochMillis) {
        if self.time(&item).is_none_or(|current| time < current) {
            self.insert(item, time);
        }
    }

    /// Removes an item and returns its time.
    pub fn remove(&mut self, item: &T) -> Option<EpochMillis> {
        let time = self.times.remove(item)?;
        if let Some(items) = self.order.get_mut(&time) {
            items.remove(item);
            if items.is_empty() {
                self.order.remove(&time);
            }
        }
        Some(time)
    }

    /// Removes and returns the first item if its time has come.
    pub fn pop_until(&mut self, now: EpochMillis) -> Option<T> {
        let item = self.until(now).next()?.clone();
        self.remove(&item);
        Some(item)
    }

    /// Returns the time of an item; `None` if it is not in the queue.
    pub fn time(&self, item: &T) -> Option<EpochMillis> {
        self.times.get(item).copied()
    }

    /// Returns the number of items.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Returns the time of the first item.
    pub fn first_time(&self) -> Option<EpochMillis> {
        self.order.first_key_value().map(|(time, _)| *time)
    }

    /// Returns the first time after `now`.
    pub fn first_time_after(&self, now: EpochMillis) -> Option<EpochMillis> {
        self.order.range((Bound::Excluded(now), Bound::Unbounded)).next().map(|(time, _)| *time)
    }

    /// Returns the items whose time has come by `now`, in order.
    pub fn until(&self, now: EpochMillis) -> impl Iterator<Item = &T> {
        self.order.range(..=now).flat_map(|(_, items)| items)
    }
}
