//! Requests of operators to read all watched files again.

use tokio::sync::watch;

/// Requests reloads.
#[derive(Debug)]
pub struct ReloadTrigger(watch::Sender<()>);

/// Receives requested reloads.
#[derive(Debug, Clone)]
pub struct ReloadRequests(watch::Receiver<()>);

impl ReloadTrigger {
    /// Creates a trigger without receivers.
    pub fn new() -> Self {
        Self(watch::Sender::new(()))
    }

    /// Returns a receiver of later requests.
    pub fn requests(&self) -> ReloadRequests {
        ReloadRequests(self.0.subscribe())
    }

    /// Requests a reload from every receiver. A receiver that is busy with a reload makes another one after it.
    pub fn request(&self) {
        self.0.send_replace(());
    }
}

impl Default for ReloadTrigger {
    fn default() -> Self {
        Self::new()
    }
}

impl ReloadRequests {
    /// Returns when a reload is requested. Pending for ever if the trigger is gone.
    pub(super) async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
