//! Connections that wait because the maximum number of connections is open.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Wakes a waiting connection when one of the open connections ends or becomes idle.
#[derive(Debug, Default)]
pub struct Room {
    waiting: AtomicUsize,
    changed: Notify,
}

impl Room {
    /// Waits until there can be room. `look_again` looks for room after the wait has been registered, so that no change is missed.
    pub(super) async fn wait<T>(&self, mut look_again: impl FnMut() -> Option<T>) -> T {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let _waiting = Waiting(self);
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(found) = look_again() {
                return found;
            }
            changed.await;
        }
    }

    /// Lets every waiting connection look again: with time, a client that does not take its answer makes room.
    pub(super) fn announce_time(&self) {
        self.changed.notify_waiters();
    }

    /// Wakes one waiting connection.
    pub(super) fn announce(&self) {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.changed.notify_one();
        }
    }
}

struct Waiting<'r>(&'r Room);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}
