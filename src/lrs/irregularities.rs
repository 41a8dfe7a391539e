//! Records what LRS's responses have that the gateway passes over, for operators: counters, and one log line for each cause.
//!
//! Names of elements are LRS's, not personal. Their number is limited, so that LRS cannot increase the number of series without end.

use std::collections::BTreeSet;

use parking_lot::Mutex;

use crate::observability::metrics;
use crate::xml::{Irregularities, OTHER_ELEMENT};

/// Maximum number of elements that are counted by operation and name, in one process.
const MAX_ELEMENTS: usize = 200;

/// The causes that were logged since the start of the process.
static LOGGED: Mutex<Logged> = Mutex::new(Logged { replaced: BTreeSet::new(), lost: BTreeSet::new(), unknown: BTreeSet::new() });

struct Logged {
    replaced: BTreeSet<&'static str>,
    lost: BTreeSet<(&'static str, &'static str)>,
    unknown: BTreeSet<(&'static str, String)>,
}

/// Counts the irregularities of a response to this operation, and logs each cause once.
pub fn record(operation: &'static str, irregularities: &Irregularities) {
    if irregularities.is_empty() {
        return;
    }
    let Irregularities { replaced_characters, lost_values, unknown_elements } = irregularities;
    let mut logged = LOGGED.lock();
    if *replaced_characters > 0 {
        metrics::record_replaced_characters(operation, *replaced_characters);
        if logged.replaced.insert(operation) {
            tracing::warn!(operation, characters = replaced_characters, "LRS response has characters that XML forbids: replaced by U+FFFD");
        }
    }
    for element in lost_values {
        metrics::record_lost_value(operation, element);
        if logged.lost.insert((operation, element)) {
            tracing::warn!(operation, element, "LRS response has a value of the wrong kind: left out");
        }
    }
    for element in unknown_elements {
        let (element, is_new) = logged.add_unknown(operation, element);
        metrics::record_unknown_element(operation, element);
        if is_new {
            tracing::warn!(operation, element, "LRS response has an element that the gateway does not know: ignored");
        }
    }
}

impl Logged {
    /// Returns the name under which to count an unknown element, and whether it is new.
    fn add_unknown<'e>(&mut self, operation: &'static str, element: &'e str) -> (&'e str, bool) {
        let is_known = self.unknown.contains(&(operation, element.to_owned()));
        let element = if is_known || self.unknown.len() < MAX_ELEMENTS { element } else { OTHER_ELEMENT };
        (element, self.unknown.insert((operation, element.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_elements_are_counted_by_name_up_to_the_limit() {
        let mut logged = Logged { replaced: BTreeSet::new(), lost: BTreeSet::new(), unknown: BTreeSet::new() };
        for number in 0..MAX_ELEMENTS {
            let name = format!("Element{number}");
            assert_eq!(logged.add_unknown("learnerByULN", &name), (&*name, true));
        }
        assert_eq!(logged.add_unknown("learnerByULN", "Element7"), ("Element7", false));
        assert_eq!(logged.add_unknown("learnerByULN", "Late"), (OTHER_ELEMENT, true));
        assert_eq!(logged.add_unknown("learnerByULN", "Later"), (OTHER_ELEMENT, false));
    }
}
