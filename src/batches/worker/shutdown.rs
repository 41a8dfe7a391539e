//! The signal that stops a worker.

use tokio::sync::watch;

/// Receives the request to stop.
#[derive(Debug, Clone)]
pub struct ShutdownSignal(watch::Receiver<bool>);

impl ShutdownSignal {
    /// Creates the sender, which requests shutdown with `true`, and the signal.
    pub fn channel() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Returns `true` if shutdown is requested.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves when shutdown is requested; pending if the sender is dropped.
    pub async fn requested(&mut self) {
        if self.0.wait_for(|requested| *requested).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Returns the output of a future; `None` if shutdown is requested first.
    pub async fn unless_requested<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut signal = self.clone();
        tokio::select! {
            biased;
            () = signal.requested() => None,
            output = future => Some(output),
        }
    }
}
