//! What every command shares: its result, and a runtime for asynchronous work.

use tokio::runtime::{Builder, LocalOptions};

/// Result of a command: every error, to be printed one per line.
pub type CommandResult = Result<(), Vec<String>>;

/// Runs a future on a new runtime in this thread.
///
/// It is a runtime of local tasks, and so the server's threads have such runtimes too. With actix's `System`, tasks that are not local, such as
/// those of the connections to LRS and Redis, would have a queue of their own, and each change between the queues a system call.
///
/// # Panics
/// Panics if the system cannot create a runtime.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    let runtime = runtime.expect("the system can create a runtime");
    let output = runtime.block_on(future);
    // The lookup of a name that DNS does not answer must not delay the end of the program.
    runtime.shutdown_background();
    output
}
