//! The thread that writes log lines to standard error.
//!
//! A reader of standard error that stalls must not stop the program: a thread that serves requests never writes to it. When too many lines
//! wait, new ones are dropped and counted, and a line says how many, as soon as lines are written again.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use crate::observability::line_queue::{LineQueue, Urgency, write_part};
use crate::observability::metrics;

/// Maximum number and size of the lines that wait.
const MAX_WAITING_LINES: usize = 10_000;
const MAX_WAITING_BYTES: usize = 4 * 1024 * 1024;
/// Maximum time for which the end of the process waits for its last lines.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// The writer of the process, if it has one.
static WRITER: OnceLock<LogWriter> = OnceLock::new();

/// Queues log lines for the writing thread. Clones share it.
#[derive(Debug, Clone)]
pub struct LogWriter(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: LineQueue,
    /// Number of dropped lines that no line has stated yet.
    dropped_lines: AtomicU64,
}

impl LogWriter {
    /// Returns the writer of the process. The first call starts the writing thread.
    pub fn of_process() -> Self {
        WRITER.get_or_init(|| Self::start(standard_error())).clone()
    }

    fn start(mut sink: impl Write + Send + 'static) -> Self {
        let queue = LineQueue::new(MAX_WAITING_LINES, MAX_WAITING_BYTES);
        let shared = Arc::new(Shared { queue, dropped_lines: AtomicU64::new(0) });
        let writer = Arc::clone(&shared);
        std::thread::spawn(move || writer.write_lines(&mut sink));
        Self(shared)
    }

    /// Queues a line. Never waits for the reader of standard error.
    pub fn write(&self, line: &[u8]) {
        if !self.0.queue.has_capacity() || self.0.queue.push(line, Urgency::Gathered).is_err() {
            self.0.count_dropped(1);
        }
    }
}

impl Shared {
    fn write_lines(&self, sink: &mut impl Write) {
        while let Some(lines) = self.queue.take() {
            if write_all(sink, &lines.text).is_err() {
                self.count_dropped(lines.count);
            }
            // Only after the write: while it waits for the reader, lines are dropped.
            let dropped = self.dropped_lines.swap(0, Ordering::Relaxed);
            if dropped > 0 && write_all(sink, dropped_line(dropped).as_bytes()).is_err() {
                self.dropped_lines.fetch_add(dropped, Ordering::Relaxed);
            }
            self.queue.complete(lines);
        }
    }

    fn count_dropped(&self, lines: usize) {
        self.dropped_lines.fetch_add(lines as u64, Ordering::Relaxed);
        metrics::record_dropped_log_lines(lines);
    }
}

/// Writes an error that ends the process to standard error, after all log lines. Waits for a reader only for a limited time.
pub fn print_error(text: &str) {
    let line = format!("{text}\n");
    match WRITER.get() {
        // Queued even if the queue is full: it is the most important line.
        Some(writer) => drop(writer.0.queue.push(line.as_bytes(), Urgency::Immediate)),
        None => drop(std::io::stderr().write_all(line.as_bytes())),
    }
}

/// Waits until the log lines of the process are written, for a limited time, when it is dropped.
#[derive(Debug)]
pub struct FlushOnDrop;

impl Drop for FlushOnDrop {
    fn drop(&mut self) {
        if let Some(writer) = WRITER.get() {
            writer.0.queue.flush(FLUSH_TIMEOUT);
        }
    }
}

/// Returns the line that states the number of dropped lines, in the form of the other lines.
fn dropped_line(dropped: u64) -> String {
    let line = json!({
        "timestamp": Timestamp::now().to_string(),
        "level": "WARN",
        "message": "log lines dropped: standard error was not read or could not be written",
        "dropped": dropped,
        "target": module_path!(),
    });
    format!("{line}\n")
}

/// Returns a handle of standard error without the lock of [`std::io::stderr`]: a write that waits must not stop another use of it.
fn standard_error() -> Box<dyn Write + Send> {
    #[cfg(unix)]
    if let Ok(descriptor) = std::os::fd::AsFd::as_fd(&std::io::stderr()).try_clone_to_owned() {
        return Box::new(std::fs::File::from(descriptor));
    }
    Box::new(std::io::stderr())
}

fn write_all(sink: &mut impl Write, mut text: &[u8]) -> std::io::Result<()> {
    while !text.is_empty() {
        text = &text[write_part(sink, text)?..];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::sync::mpsc;
    use std::time::Instant;

    use super::*;

    /// A reader that takes a text only when the test lets it.
    struct SlowReader {
        permits: mpsc::Receiver<()>,
        texts: mpsc::Sender<String>,
    }

    impl Write for SlowReader {
        fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
            self.permits.recv().map_err(|_| ErrorKind::BrokenPipe)?;
            let _ = self.texts.send(String::from_utf8_lossy(text).into_owned());
            Ok(text.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn log_line_while_reader_stalls_is_dropped_beyond_the_limit_and_a_line_states_how_many() {
        let ((permit, permits), (texts, read)) = (mpsc::channel(), mpsc::channel());
        let writer = LogWriter::start(SlowReader { permits, texts });
        let started_at = Instant::now();
        for number in 0..MAX_WAITING_LINES + 25 {
            writer.write(format!("line {number}\n").as_bytes());
        }
        assert!(started_at.elapsed() < Duration::from_secs(5), "a stalled reader stops no thread that logs");
        let mut text = String::new();
        while !text.contains("dropped") {
            permit.send(()).expect("the thread runs");
            text += &read.recv_timeout(Duration::from_secs(10)).expect("lines are written again");
        }
        let notice = text.lines().find(|line| line.contains("dropped")).expect("the notice");
        let notice: serde_json::Value = serde_json::from_str(notice).expect("the notice is JSON");
        assert_eq!((&notice["dropped"], &notice["level"]), (&json!(25), &json!("WARN")), "{notice}");
    }
}
