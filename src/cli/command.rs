//! What every command shares: its result, and a runtime for asynchronous work.

/// Result of a command: every error, to be printed one per line.
pub type CommandResult = Result<(), Vec<String>>;

/// Runs a future on a new runtime in this thread.
pub fn block_on<F: Future>(future: F) -> F::Output {
    actix_web::rt::System::new().block_on(future)
}
