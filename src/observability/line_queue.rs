//! Lines on their way to a thread that writes them, so that no thread that serves requests waits for a disk or for the reader of a pipe.

use std::cell::Cell;
use std::io::{ErrorKind, Write};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

/// Minimum time between two writes, in which lines gather. To wake a thread for each line costs more than to write the line, so the writing
/// thread looks for lines at this interval while there are any, and sleeps only after an interval without one. A line that comes then is
/// written at once.
const GATHER_TIME: Duration = Duration::from_millis(5);

/// Maximum size of a buffer that is kept for the next lines, in bytes.
const MAX_KEPT_BYTES: usize = 64 * 1024;

/// Pause before the next attempt to write to a pipe that is full and does not block.
const FULL_PIPE_PAUSE: Duration = Duration::from_millis(20);

thread_local! {
    static LINE_BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends the thread's buffer, empty, to write a line. If that writes another line, such as a text form that logs, that line gets a new one.
pub fn with_line_buffer<T>(write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let mut buffer = LINE_BUFFER.take();
    let result = write(&mut buffer);
    if buffer.capacity() <= MAX_KEPT_BYTES {
        buffer.clear();
        LINE_BUFFER.set(buffer);
    }
    result
}

/// Writes a part of the text and returns its length in bytes. Waits while the sink is a full pipe: another program that shares it can have
/// made it non-blocking.
///
/// # Errors
/// Returns the I/O error if nothing can be written.
pub fn write_part(sink: &mut impl Write, text: &[u8]) -> std::io::Result<usize> {
    loop {
        match sink.write(text) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(FULL_PIPE_PAUSE),
            written => return written,
        }
    }
}

/// A queue of lines, which many threads fill and one thread empties.
#[derive(Debug)]
pub struct LineQueue {
    max_lines: usize,
    max_bytes: usize,
    state: Mutex<State>,
    /// Notified when a line is queued while the writing thread sleeps, when a line is urgent, and when the queue is closed.
    changed: Condvar,
    /// Number of lines written so far.
    written_lines: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    /// The lines that the writing thread has not taken.
    text: Vec<u8>,
    lines: usize,
    /// An empty buffer for the lines after those that the writing thread takes next.
    spare: Vec<u8>,
    /// Lines and bytes that the writing thread has taken and not yet written.
    taken_lines: usize,
    taken_bytes: usize,
    /// Time at which the writing thread took lines last.
    taken_at: Option<Instant>,
    /// Time since which lines wait without progress: the first of them was queued, or a part of them was written, then.
    waiting_since: Option<Instant>,
    /// Number of lines queued so far.
    queued_so_far: u64,
    /// `true` while the writing thread waits for a line.
    is_asleep: bool,
    is_urgent: bool,
    is_closed: bool,
}

/// When a line must be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// With the lines of the next milliseconds.
    Gathered,
    /// At once, with the lines before it.
    Immediate,
}

/// The queue is closed: no thread writes its lines any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueClosed;

/// Lines that the writing thread has taken.
#[derive(Debug)]
pub struct Lines {
    /// The lines, each with its line end.
    pub text: Vec<u8>,
    /// Their number.
    pub count: usize,
}

impl LineQueue {
    /// Creates a queue that is full at this number of lines or bytes.
    pub fn new(max_lines: usize, max_bytes: usize) -> Self {
        Self { max_lines, max_bytes, state: Mutex::default(), changed: Condvar::new(), written_lines: watch::Sender::new(0) }
    }

    /// Returns `true` if the queue is not full.
    pub fn has_capacity(&self) -> bool {
        let state = self.state.lock();
        state.lines + state.taken_lines < self.max_lines && state.text.len() + state.taken_bytes < self.max_bytes
    }

    /// Returns the number of lines that are not written yet.
    pub fn waiting_lines(&self) -> usize {
        let state = self.state.lock();
        state.lines + state.taken_lines
    }

    /// Returns `true` if lines wait, and none has been written for this time.
    pub fn has_stalled_for(&self, time: Duration) -> bool {
        self.state.lock().waiting_since.is_some_and(|waiting_since| waiting_since.elapsed() >= time)
    }

    /// Queues a line, even if the queue is full. Returns its number, for [`LineQueue::written`].
    ///
    /// # Errors
    /// Returns [`QueueClosed`] if the line will not be written.
    pub fn push(&self, line: &[u8], urgency: Urgency) -> Result<u64, QueueClosed> {
        let mut state = self.state.lock();
        if state.is_closed {
            return Err(QueueClosed);
        }
        let wakes = std::mem::take(&mut state.is_asleep) || (urgency == Urgency::Immediate && !state.is_urgent);
        state.is_urgent |= urgency == Urgency::Immediate;
        state.text.extend_from_slice(line);
        state.lines += 1;
        state.queued_so_far += 1;
        state.waiting_since.get_or_insert_with(Instant::now);
        let number = state.queued_so_far;
        drop(state);
        if wakes {
            self.changed.notify_one();
        }
        Ok(number)
    }

    /// Returns when the line with this number, and all lines before it, are written.
    pub async fn written(&self, number: u64) {
        // The sender is a part of the queue, so it cannot be gone.
        let _ = self.written_lines.subscribe().wait_for(|written| *written >= number).await;
    }

    /// Waits until all lines that are queued now are written, but at most for this time.
    pub fn flush(&self, timeout: Duration) {
        const INTERVAL: Duration = Duration::from_millis(2);
        let (deadline, number) = (Instant::now() + timeout, self.state.lock().queued_so_far);
        while *self.written_lines.borrow() < number && Instant::now() < deadline {
            std::thread::sleep(INTERVAL);
        }
    }

    /// Closes the queue. The writing thread still gets the lines that are queued.
    pub fn close(&self) {
        self.state.lock().is_closed = true;
        self.changed.notify_one();
    }

    /// Waits for lines and takes all of them; `None` when the queue is closed and empty. Called by the writing thread, which calls
    /// [`LineQueue::complete`] when it has written them.
    pub fn take(&self) -> Option<Lines> {
        let mut state = self.state.lock();
        let gathered_at = state.taken_at.map_or_else(Instant::now, |taken_at| taken_at + GATHER_TIME);
        while !state.is_urgent && !state.is_closed && !self.changed.wait_until(&mut state, gathered_at).timed_out() {}
        while state.text.is_empty() {
            if state.is_closed {
                return None;
            }
            state.is_asleep = true;
            self.changed.wait(&mut state);
            state.is_asleep = false;
        }
        state.is_urgent = false;
        let spare = std::mem::take(&mut state.spare);
        let lines = Lines { text: std::mem::replace(&mut state.text, spare), count: std::mem::take(&mut state.lines) };
        (state.taken_lines, state.taken_bytes) = (lines.count, lines.text.len());
        state.taken_at = Some(Instant::now());
        Some(lines)
    }

    /// Records that a part of the lines that were taken last is written.
    pub fn progress(&self) {
        self.state.lock().waiting_since = Some(Instant::now());
    }

    /// Records that the lines that were taken last are written.
    pub fn complete(&self, lines: Lines) {
        let Lines { mut text, count } = lines;
        text.clear();
        let mut state = self.state.lock();
        if text.capacity() <= MAX_KEPT_BYTES {
            state.spare = text;
        }
        (state.taken_lines, state.taken_bytes) = (0, 0);
        state.waiting_since = (state.lines > 0).then(Instant::now);
        drop(state);
        self.written_lines.send_modify(|written| *written += count as u64);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Starts a thread that takes lines and gives each take's text to the returned channel.
    fn start_taking(queue: &Arc<LineQueue>) -> std::sync::mpsc::Receiver<String> {
        let (queue, (sender, takes)) = (queue.clone(), std::sync::mpsc::channel());
        std::thread::spawn(move || {
            while let Some(lines) = queue.take() {
                let _ = sender.send(String::from_utf8_lossy(&lines.text).into_owned());
                queue.complete(lines);
            }
        });
        takes
    }

    #[test]
    fn line_buffer_lent_while_a_line_is_written_is_another_one() {
        for _ in 0..2 {
            with_line_buffer(|outer| {
                assert!(outer.is_empty());
                outer.extend_from_slice(b"outer");
                with_line_buffer(|inner| {
                    assert!(inner.is_empty());
                    inner.extend_from_slice(b"inner");
                });
                assert_eq!(outer, b"outer");
            });
        }
        with_line_buffer(|large| large.resize(2 * MAX_KEPT_BYTES, 0));
        with_line_buffer(|next| assert!(next.is_empty() && next.capacity() <= MAX_KEPT_BYTES));
    }

    #[test]
    fn lines_queued_while_writer_gathers_are_taken_together_and_in_order() {
        let queue = Arc::new(LineQueue::new(1_000, 1_000_000));
        let takes = start_taking(&queue);
        for number in 0..100 {
            queue.push(format!("{number}\n").as_bytes(), Urgency::Gathered).expect("the queue is open");
        }
        queue.close();
        let takes: Vec<String> = takes.iter().collect();
        assert!(takes.len() < 100, "{takes:?}");
        assert_eq!(takes.concat(), (0..100).map(|number| format!("{number}\n")).collect::<String>());
        assert_eq!(queue.push(b"late\n", Urgency::Gathered), Err(QueueClosed));
    }

    #[test]
    fn line_of_sleeping_writer_and_urgent_line_of_gathering_writer_are_taken_without_another_line() {
        let queue = Arc::new(LineQueue::new(1_000, 1_000_000));
        let takes = start_taking(&queue);
        let next = || takes.recv_timeout(Duration::from_secs(10)).expect("the line is taken");
        for round in 0..20 {
            while !queue.state.lock().is_asleep {
                std::thread::yield_now();
            }
            queue.push(b"alone\n", Urgency::Gathered).expect("the queue is open");
            assert_eq!(next(), "alone\n", "round {round}");
            queue.push(b"urgent\n", Urgency::Immediate).expect("the queue is open");
            assert_eq!(next(), "urgent\n", "round {round}");
        }
        queue.close();
        assert!(takes.recv().is_err(), "the writer ends");
    }
}
