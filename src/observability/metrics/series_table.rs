//! Handles of metric series, kept by their labels. To look a series up in the recorder costs several times as much as to record a value.

use std::cell::RefCell;

/// The series of one or more metrics that one thread has used, by the values `K` of their labels. Label values come from closed lists, so
/// the table is small.
#[derive(Debug)]
pub struct SeriesTable<K, S>(RefCell<Vec<(K, S)>>);

impl<K: PartialEq, S> SeriesTable<K, S> {
    /// Creates a table without series.
    pub const fn new() -> Self {
        Self(RefCell::new(Vec::new()))
    }

    /// Records values in the series with these labels. Creates them at their first use.
    pub fn record(&self, labels: K, create: impl FnOnce() -> S, record: impl FnOnce(&S)) {
        let mut table = self.0.borrow_mut();
        let index = table.iter().position(|(known, _)| *known == labels).unwrap_or_else(|| {
            table.push((labels, create()));
            table.len() - 1
        });
        record(&table[index].1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_is_created_once_for_the_same_labels() {
        let (table, created) = (SeriesTable::new(), RefCell::new(Vec::new()));
        for labels in [("find", 200), ("find", 422), ("find", 200), ("list", 200), ("find", 422)] {
            table.record(
                labels,
                || {
                    created.borrow_mut().push(labels);
                    labels
                },
                |series| assert_eq!(*series, labels),
            );
        }
        assert_eq!(created.take(), [("find", 200), ("find", 422), ("list", 200)]);
    }
}
