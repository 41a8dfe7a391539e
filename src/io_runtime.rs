//! A second Tokio runtime for outgoing connections: to LRS, Redis and identity providers.
//!
//! The thread that opens a connection drives it, but all threads may use it. The server's worker threads stop during shutdown, each as
//! soon as it is idle. A connection that such a thread drives would break while calls of other threads still use it. The threads of this
//! runtime last as long as the process.

use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// Upper bound of worker threads. More would be idle: this runtime does I/O only, the server's threads do the computation.
const MAX_THREADS: usize = 4;

static RUNTIME: LazyLock<Option<Runtime>> = LazyLock::new(|| {
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(MAX_THREADS));
    Builder::new_multi_thread().worker_threads(threads).thread_name("connections").enable_all().build().ok()
});

/// Runs a future on the I/O runtime. The future is aborted when the caller's future is dropped; its panic becomes the caller's panic.
pub async fn run<F>(future: F) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    match &*RUNTIME {
        Some(runtime) => AbortOnDrop(runtime.spawn(future)).await,
        // The system has no threads left: run on the caller's runtime.
        None => future.await,
    }
}

/// Runs a future on the I/O runtime to its end, even if the caller's future is dropped. Its panic becomes the caller's panic.
pub async fn run_to_end<F>(future: F) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    let Some(runtime) = &*RUNTIME else { return future.await };
    match runtime.spawn(future).await {
        Ok(output) => output,
        Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
        // The task is cancelled only at the end of the process.
        Err(_) => std::future::pending().await,
    }
}

/// A task that is aborted when this is dropped.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Future for AbortOnDrop<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match Pin::new(&mut self.0).poll(context) {
            Poll::Ready(Ok(output)) => Poll::Ready(output),
            Poll::Ready(Err(error)) if error.is_panic() => resume_unwind(error.into_panic()),
            // The task is cancelled only by this type's drop or at the end of the process, so no caller waits for the result.
            Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
        }
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn io_runtime_future_runs_on_its_threads_and_is_aborted_with_caller() {
        let thread_name = run(async { std::thread::current().name().map(str::to_owned) }).await;
        assert_eq!(thread_name.as_deref(), Some("connections"));
        let guard = Arc::new(());
        let task_guard = Arc::clone(&guard);
        let endless = run(async move {
            std::future::pending::<()>().await;
            drop(task_guard);
        });
        assert!(tokio::time::timeout(Duration::from_millis(50), endless).await.is_err());
        while Arc::strong_count(&guard) > 1 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    #[should_panic(expected = "task panic")]
    async fn io_runtime_future_panics_caller_panics() {
        run(async { panic!("task panic") }).await;
    }
}
