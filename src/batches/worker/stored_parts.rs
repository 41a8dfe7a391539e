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
