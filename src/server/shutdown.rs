//! Signals that end the process.

/// Installs the signal handlers and returns a future that resolves on SIGTERM or SIGINT (Ctrl-C).
///
/// The SIGTERM handler is installed at once: a SIGTERM that arrives before the future is awaited is not lost. SIGINT is handled while the
/// future is awaited.
pub fn shutdown_signal() -> impl Future<Output = ()> {
    #[cfg(unix)]
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok();
    async move {
        let interrupt = tokio::signal::ctrl_c();
        #[cfg(unix)]
        if let Some(terminate) = &mut terminate {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt => {}
            }
            return;
        }
        let _ = interrupt.await;
    }
}
