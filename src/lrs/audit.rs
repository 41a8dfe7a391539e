//! The audit trail: one JSON line for each call to LRS, with the caller, the operation and the outcome.
//!
//! LRS's guide requires that the person who triggered a request can be identified. The audit trail holds that information. Lines go to
//! standard output or to a file, apart from logs. No line is dropped: lines that cannot be written are queued and retried, and when too
//! many are queued, the gateway makes no more calls. A call that can change data at LRS has a line before it is sent, too: if the process
//! is killed during the call, that line is the evidence. ULNs are recorded as keyed hashes only, so that the holder of the key can find the
//! calls about a learner in a dispute.

mod sink;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use memchr::memchr_iter;
use parking_lot::Mutex;

use crate::domain::Uln;
use crate::observability::json_line::{write_member, write_text_member};
use crate::observability::line_queue::{LineQueue, Urgency, with_line_buffer};
use crate::organisations::{CallContext, CallOrigin};
use crate::schema::Scalar as _;
use crate::storage::encryption::KeyRing;

pub use sink::AuditSink;

/// Maximum number of queued lines. When it is reached, the gateway makes no more calls.
const MAX_QUEUED_LINES: usize = 10_000;
/// Maximum size of the queued lines in bytes: those of batches have many ULN hashes.
const MAX_QUEUED_BYTES: usize = 64 * 1024 * 1024;
/// Maximum time for which a call waits until the line of its start is written.
const START_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum number of ULN hashes in a line. Batches have thousands of ULNs.
const MAX_ULNS_PER_LINE: usize = 1_000;
/// Outcome of the line before a call is sent that can change data at LRS.
const STARTED: &str = "STARTED";
/// Outcome of a call that was not sent after all.
const NOT_SENT: &str = "NOT_SENT";
/// Outcome of a call that was cancelled.
const ABANDONED: &str = "ABANDONED";
/// Digits of a ULN.
const ULN_LENGTH: usize = 10;

/// The audit trail. Clones share one writer.
#[derive(Debug, Clone)]
pub struct AuditLog(Option<Arc<AuditWriter>>);

/// The entry of one call. Dropping it writes its line, with the outcome `ABANDONED` unless the call was completed.
#[derive(Debug)]
pub struct AuditEntry<'c> {
    audit: &'c AuditLog,
    context: &'c CallContext,
    operation: &'static str,
    started_at: Instant,
    ulns: BTreeSet<[u8; ULN_LENGTH]>,
    /// Outcome of the line that is written when the entry is dropped; `None` after [`AuditEntry::complete`].
    outcome: Option<&'static str>,
}

/// The queue of lines and the thread that writes them.
#[derive(Debug)]
struct AuditWriter {
    keys: Option<KeyRing>,
    queue: Arc<LineQueue>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl AuditLog {
    /// Creates an audit trail that records nothing.
    pub const fn disabled() -> Self {
        Self(None)
    }

    /// Starts the writer thread. Without keys, lines contain no ULN hashes.
    pub fn start(sink: AuditSink, keys: Option<KeyRing>) -> Self {
        let queue = Arc::new(LineQueue::new(MAX_QUEUED_LINES, MAX_QUEUED_BYTES));
        let lines = Arc::clone(&queue);
        let thread = std::thread::spawn(move || sink::write_lines(sink, &lines));
        Self(Some(Arc::new(AuditWriter { keys, queue, thread: Mutex::new(Some(thread)) })))
    }

    /// Returns `true` if a call can be recorded.
    pub fn has_capacity(&self) -> bool {
        self.0.as_ref().is_none_or(|writer| writer.queue.has_capacity())
    }

    /// Returns `true` if a call that can change data can be recorded before it is sent: lines are written. While they are not, each such call
    /// would wait in vain.
    pub fn records_writes(&self) -> bool {
        self.has_capacity() && self.0.as_ref().is_none_or(|writer| !writer.queue.has_stalled_for(START_TIMEOUT))
    }

    /// Returns the number of lines that are not written yet.
    pub fn queued_lines(&self) -> usize {
        self.0.as_ref().map_or(0, |writer| writer.queue.waiting_lines())
    }

    /// Starts the entry of a call that sends this message.
    pub fn start_entry<'c>(&'c self, context: &'c CallContext, operation: &'static str, message: &[u8]) -> AuditEntry<'c> {
        AuditEntry {
            audit: self,
            context,
            operation,
            started_at: Instant::now(),
            ulns: if self.records_ulns() { find_ulns(message) } else { BTreeSet::new() },
            outcome: Some(ABANDONED),
        }
    }

    /// Writes all queued lines, however long that takes, and stops the writer thread.
    pub fn shut_down(&self) {
        let Some(writer) = &self.0 else { return };
        let waiting = self.queued_lines();
        if waiting > 0 {
            tracing::info!(waiting, "audit trail shutting down: writing queued lines");
        }
        // The thread ends after the last line.
        writer.queue.close();
        if let Some(thread) = writer.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("audit writer panicked");
        }
    }

    /// Returns `true` if lines contain ULN hashes.
    fn records_ulns(&self) -> bool {
        self.0.as_ref().is_some_and(|writer| writer.keys.is_some())
    }
}

impl AuditEntry<'_> {
    /// Adds the ULNs of the response.
    pub fn response_received(&mut self, message: &[u8]) {
        if self.audit.records_ulns() {
            self.ulns.append(&mut find_ulns(message));
        }
    }

    /// Writes a line that says that the call is about to be sent, and waits until it is written. Returns `false` if it is not written in
    /// time: the call must then not be sent.
    pub async fn record_start(&mut self) -> bool {
        let Some(writer) = &self.audit.0 else { return true };
        // Also if the caller disconnects meanwhile: then nothing is sent.
        self.outcome = Some(NOT_SENT);
        let Some(number) = self.queue_line(STARTED, None, Urgency::Immediate) else { return false };
        if tokio::time::timeout(START_TIMEOUT, writer.queue.written(number)).await.is_err() {
            return false;
        }
        self.outcome = Some(ABANDONED);
        true
    }

    /// Writes the line of a call that was not sent after all.
    pub fn not_sent(mut self) {
        self.outcome = Some(NOT_SENT);
    }

    /// Writes the line with the call's outcome and LRS's code.
    pub fn complete(mut self, outcome: &'static str, code: Option<&str>) {
        self.outcome = None;
        self.queue_line(outcome, code, Urgency::Gathered);
    }

    /// Queues a line with this outcome. Returns its number; `None` if there is no audit trail, or if it is shut down.
    fn queue_line(&self, outcome: &'static str, code: Option<&str>, urgency: Urgency) -> Option<u64> {
        let writer = self.audit.0.as_ref()?;
        let queued = with_line_buffer(|line| {
            self.write_line(line, writer.keys.as_ref(), outcome, code);
            writer.queue.push(line, urgency)
        });
        if queued.is_err() {
            let request_id = &self.context.origin.request_id;
            tracing::error!(request_id, operation = self.operation, "audit record lost: audit trail already shut down");
        }
        queued.ok()
    }

    fn write_line(&self, line: &mut Vec<u8>, keys: Option<&KeyRing>, outcome: &str, code: Option<&str>) {
        let CallOrigin { request_id, issuer, client, part } = &*self.context.origin;
        // Writing to a vector does not fail.
        let _ = write!(line, "{{\"time\":\"{:.3}\",", Timestamp::now());
        write_text_member(line, "requestId", request_id);
        if let Some(part) = part {
            write_text_member(line, "batchId", &part.batch);
            write_member(line, "part", &part.number);
        }
        write_text_member(line, "issuer", issuer);
        write_text_member(line, "client", client);
        write_text_member(line, "organisation", self.context.organisation.ukprn().as_str());
        write_text_member(line, "user", self.context.user.as_str());
        write_text_member(line, "operation", self.operation);
        write_text_member(line, "outcome", outcome);
        if let Some(code) = code {
            write_text_member(line, "lrsCode", code);
        }
        write_member(line, "durationMs", &self.started_at.elapsed().as_millis());
        let ulns = self.ulns.iter().take(MAX_ULNS_PER_LINE);
        let hashes: Vec<String> = ulns.filter_map(|uln| Some(keys?.pseudonym(std::str::from_utf8(uln).ok()?))).collect();
        if !hashes.is_empty() {
            write_member(line, "ulnHashes", &hashes);
        }
        if self.ulns.len() > MAX_ULNS_PER_LINE {
            write_member(line, "ulnsLeftOut", &(self.ulns.len() - MAX_ULNS_PER_LINE));
        }
        // The last member has no comma.
        line.pop();
        line.extend_from_slice(b"}\n");
    }
}

impl Drop for AuditEntry<'_> {
    fn drop(&mut self) {
        if let Some(outcome) = self.outcome {
            self.queue_line(outcome, None, Urgency::Gathered);
        }
    }
}

/// Returns every ULN that is the whole text of an element: ten digits, of which the last is the check digit.
fn find_ulns(xml: &[u8]) -> BTreeSet<[u8; ULN_LENGTH]> {
    let texts = memchr_iter(b'>', xml).filter_map(|end_of_tag| {
        let (text, next) = xml[end_of_tag + 1..].split_first_chunk::<ULN_LENGTH>()?;
        (next.first() == Some(&b'<')).then_some(text)
    });
    texts.filter(|text| std::str::from_utf8(*text).is_ok_and(|text| Uln::parse(text).is_ok())).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn find_ulns_element_text_is_valid_uln_returns_it() {
        let found =
            |xml: &str| find_ulns(xml.as_bytes()).into_iter().map(|uln| String::from_utf8_lossy(&uln).into_owned()).collect::<Vec<_>>();
        assert_eq!(found("<a><ULN>3000000126</ULN><x:Uln>3000000258</x:Uln><ULN>3000000126</ULN></a>"), ["3000000126", "3000000258"]);
        for no_uln in
            ["", ">", "<ULN>3000000127</ULN>", "<ULN>30000001260</ULN>", "<ULN>300000012</ULN>", "3000000126", "<a b=\"3000000126\"/>"]
        {
            assert!(found(no_uln).is_empty(), "{no_uln}");
        }
    }
}
