//! What a visit has stored, so that it need not read the batch again.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::batches::model::{Batch, Part};

/// The parts that a visit has stored, by number.
#[derive(Debug, Default)]
pub struct StoredParts(Mutex<HashMap<u32, Part>>);

impl StoredParts {
    /// Records that a part is stored in this state.
    pub fn insert(&self, number: u32, part: Part) {
        self.0.lock().insert(number, part);
    }

    /// Records that the stored state of a part is not known.
    pub fn remove(&self, number: u32) {
        self.0.lock().remove(&number);
    }

    /// Returns a batch as it is after its visit; `None` if that is not known, or if it is finished.
    ///
    /// It is known if the visit has stored every part that was not settled before. A caller's later decision about a part wakes the batch, so
    /// the next visit sees it. Before a batch counts as finished, its parts are read again.
    pub fn unfinished(&self, before: &Batch) -> Option<Batch> {
        let mut stored = std::mem::take(&mut *self.0.lock());
        let after = |(number, part): (u32, &Part)| stored.remove(&number).or_else(|| part.is_settled().then(|| part.clone()));
        let parts = before.numbered_parts().map(after).collect::<Option<Vec<Part>>>()?;
        Some(Batch { id: before.id, header: before.header.clone(), parts, expires_at: before.expires_at })
            .filter(|batch| !batch.is_finished())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batches::model::{BatchHeader, BatchId, EpochMillis, KindTag, PartState};
    use crate::domain::Ukprn;
    use crate::schema::Scalar as _;

    /// Returns a batch with parts in these states.
    fn batch(states: &[PartState]) -> Batch {
        let now = EpochMillis(1_000_000);
        let organisation = Ukprn::parse("10088881").expect("the UKPRN is valid");
        let header = BatchHeader::new(KindTag::Registration, &organisation, states.len(), now);
        let part = |state: &PartState| Part { state: *state, ..Part::waiting(0, 1, now) };
        Batch { id: BatchId::new(), header, parts: states.iter().map(part).collect(), expires_at: now }
    }

    #[test]
    fn batch_after_a_visit_has_the_stored_parts_and_those_that_were_settled_before() {
        let before = batch(&[PartState::Waiting, PartState::Failed, PartState::Waiting]);
        let stored = StoredParts::default();
        let submitted = Part { state: PartState::Submitted, job_id: Some(7), ..before.parts[0].clone() };
        let sending = Part { state: PartState::Sending, ..before.parts[2].clone() };
        stored.insert(1, before.parts[0].clone());
        stored.insert(1, submitted.clone());
        stored.insert(3, sending.clone());

        let after = stored.unfinished(&before).expect("the batch is known");

        assert_eq!(after, Batch { parts: vec![submitted, before.parts[1].clone(), sending], ..before.clone() });
        assert_eq!(stored.unfinished(&before), None, "each visit stores its parts itself");
    }

    #[test]
    fn batch_after_a_visit_is_unknown_if_a_part_is_unknown_or_all_are_settled() {
        let before = batch(&[PartState::Waiting, PartState::Waiting]);
        let stored = StoredParts::default();
        stored.insert(1, before.parts[0].clone());
        assert_eq!(stored.unfinished(&before), None, "part 2 was not stored");

        stored.insert(1, before.parts[0].clone());
        stored.insert(2, before.parts[1].clone());
        stored.remove(2);
        assert_eq!(stored.unfinished(&before), None, "the state of part 2 is not known any more");

        for (number, part) in before.numbered_parts() {
            stored.insert(number, Part { state: PartState::Failed, ..part.clone() });
        }
        assert_eq!(stored.unfinished(&before), None, "a finished batch is read again");
    }
}
