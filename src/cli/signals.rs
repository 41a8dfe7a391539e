//! Signals of the operating system. The program catches every signal that would end it otherwise, so that it never ends without a log line.

use actix_web::rt::spawn;
use tokio::sync::mpsc;

/// A signal that asks for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalEvent {
    /// The process must end, because of the signal with this name.
    Shutdown(&'static str),
    /// Files and key sets must be read again.
    Reload,
}

/// The effect of SIGHUP, which a terminal also sends when it is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hangup {
    /// Files and key sets are read again.
    Reloads,
    /// The process ends.
    ShutsDown,
}

/// The signals of this process.
#[derive(Debug)]
pub struct Signals(mpsc::UnboundedReceiver<SignalEvent>);

impl Signals {
    /// Catches all signals from now on, for the rest of the process. Must be called in a runtime.
    pub fn catch(hangup: Hangup) -> Self {
        let (events, receiver) = mpsc::unbounded_channel();
        catch_all(hangup, &events);
        Self(receiver)
    }

    /// Waits for the next signal that asks for something. The others are logged.
    pub async fn next(&mut self) -> SignalEvent {
        match self.0.recv().await {
            Some(event) => event,
            // No signal can be caught.
            None => std::future::pending().await,
        }
    }

    /// Waits for a signal that ends the process, and returns its name.
    pub async fn shutdown(&mut self) -> &'static str {
        loop {
            if let SignalEvent::Shutdown(signal) = self.next().await {
                return signal;
            }
        }
    }
}

/// Catches SIGTERM, SIGINT (Ctrl-C), SIGQUIT and SIGHUP, and every other signal whose default is to end the process, except those that report
/// an error of the program itself. Rust's runtime ignores SIGPIPE.
#[cfg(unix)]
fn catch_all(hangup: Hangup, events: &mpsc::UnboundedSender<SignalEvent>) {
    use tokio::signal::unix::SignalKind;

    let on_hangup = match hangup {
        Hangup::Reloads => SignalEvent::Reload,
        Hangup::ShutsDown => SignalEvent::Shutdown("SIGHUP"),
    };
    catch(SignalKind::terminate(), "SIGTERM", Some(SignalEvent::Shutdown("SIGTERM")), events);
    catch(SignalKind::interrupt(), "SIGINT", Some(SignalEvent::Shutdown("SIGINT")), events);
    catch(SignalKind::quit(), "SIGQUIT", Some(SignalEvent::Shutdown("SIGQUIT")), events);
    // A program that was started to outlive its terminal, such as with `nohup`, ignores SIGHUP, and must not end with the terminal.
    if hangup == Hangup::Reloads || !ignores_hangup() {
        catch(SignalKind::hangup(), "SIGHUP", Some(on_hangup), events);
    }
    let others = [
        (libc::SIGUSR1, "SIGUSR1"),
        (libc::SIGUSR2, "SIGUSR2"),
        (libc::SIGALRM, "SIGALRM"),
        (libc::SIGVTALRM, "SIGVTALRM"),
        (libc::SIGPROF, "SIGPROF"),
        (libc::SIGIO, "SIGIO"),
        // A write beyond the size limit of files then fails with an error, which the audit trail handles.
        (libc::SIGXFSZ, "SIGXFSZ"),
        (libc::SIGXCPU, "SIGXCPU"),
        #[cfg(target_os = "linux")]
        (libc::SIGPWR, "SIGPWR"),
        #[cfg(target_os = "linux")]
        (libc::SIGSTKFLT, "SIGSTKFLT"),
    ];
    for (number, name) in others {
        catch(SignalKind::from_raw(number), name, None, events);
    }
    #[cfg(target_os = "linux")]
    for number in libc::SIGRTMIN()..=libc::SIGRTMAX() {
        catch(SignalKind::from_raw(number), "SIGRT", None, events);
    }
}

/// Returns `true` if the process ignores SIGHUP, as its parent has set. Known on Linux only.
#[cfg(unix)]
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    // The first bit is signal 1.
    ignored.is_some_and(|ignored| ignored >> (libc::SIGHUP - 1) & 1 == 1)
}

/// Catches a signal. One without an event is logged and has no other effect.
#[cfg(unix)]
fn catch(
    kind: tokio::signal::unix::SignalKind,
    name: &'static str,
    event: Option<SignalEvent>,
    events: &mpsc::UnboundedSender<SignalEvent>,
) {
    let mut signal = match tokio::signal::unix::signal(kind) {
        Ok(signal) => signal,
        Err(error) => {
            tracing::warn!(signal = name, %error, "signal cannot be caught: it ends the process");
            return;
        }
    };
    let events = events.clone();
    spawn(async move {
        while signal.recv().await.is_some() {
            if let Some(event) = event {
                // The receiver is gone while the process shuts down: then nothing is left to do.
                let _ = events.send(event);
            } else {
                tracing::warn!(signal = name, "signal ignored");
            }
        }
    });
}

/// Catches Ctrl-C.
#[cfg(not(unix))]
fn catch_all(_: Hangup, events: &mpsc::UnboundedSender<SignalEvent>) {
    let events = events.clone();
    spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            let _ = events.send(SignalEvent::Shutdown("CTRL_C"));
        }
    });
}
