//! How long the holder of a reservation may start its write.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

/// The time until which a reservation certainly holds, as its holder knows it. Clones share it.
///
/// It is counted from before the store was asked, so it ends before the lease in the store does. Another request takes over only after the
/// takeover delay that follows: a write that is sent at the last moment has that time to reach LRS.
#[derive(Debug, Clone)]
pub struct ReservationValidity(Arc<Mutex<Instant>>);

impl ReservationValidity {
    /// Returns a validity that ends at this time.
    pub fn until(end: Instant) -> Self {
        Self(Arc::new(Mutex::new(end)))
    }

    /// Sets a new end, after the lease was renewed.
    pub(super) fn extend(&self, end: Instant) {
        *self.0.lock() = end;
    }

    /// Ends the validity, because another request holds the work now.
    pub(super) fn end(&self) {
        *self.0.lock() = Instant::now();
    }

    /// Returns `true` if the holder may still start its write.
    pub fn holds(&self) -> bool {
        Instant::now() < *self.0.lock()
    }
}
