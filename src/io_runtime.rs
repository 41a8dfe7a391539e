//! Threads for connections to others: LRS, Redis, identity providers.
//!
//! A connection is worked at by the thread that opened it, and may be used by all. The threads that serve callers end when the process
//! is asked to, each as soon as it has nothing to do: connections that were theirs would break under calls that others still make.

use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// More would be idle: what takes time is done by those who serve callers.
const MAX_THREADS: usize = 4;

/// They last as long as the process.
static RUNTIME: LazyLock<Option<Runtime>> = LazyLock::new(|| {
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(MAX_THREADS));
    Builder::new_multi_thread().worker_threads(threads).thread_name("connections").enable_all().build().ok()
});

/// Does something there. It ends with whoever waits for it.
pub async fn run<F>(work: F) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    match &*RUNTIME {
        Some(threads) => AbortOnDrop(threads.spawn(work)).await,
        // A system without threads to spare: it is done here.
        None => work.await,
    }
}

/// Something that is being done, for as long as it is waited for.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Future for AbortOnDrop<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match Pin::new(&mut self.0).poll(context) {
            Poll::Ready(Ok(done)) => Poll::Ready(done),
            Poll::Ready(Err(error)) if error.is_panic() => resume_unwind(error.into_panic()),
            // Nobody else ends it, and the threads last as long as the process: it is over.
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
    async fn it_is_done_on_threads_of_its_own_and_ends_with_who_waits() {
        let name = run(async { std::thread::current().name().map(str::to_owned) }).await;
        assert_eq!(name.as_deref(), Some("connections"));
        let held = Arc::new(());
        let theirs = Arc::clone(&held);
        let endless = run(async move {
            std::future::pending::<()>().await;
            drop(theirs);
        });
        assert!(tokio::time::timeout(Duration::from_millis(50), endless).await.is_err());
        while Arc::strong_count(&held) > 1 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    #[should_panic(expected = "here too")]
    async fn a_panic_there_is_one_here() {
        run(async { panic!("here too") }).await;
    }
}
