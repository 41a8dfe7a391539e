//! The audit trail: one JSON line for each call to LRS, with the caller, the operation and the outcome.
//!
//! LRS's guide requires that the person who triggered a request can be identified. The audit trail holds that information. Lines go to
//! standard output or to a file, apart from logs. No line is dropped: lines that cannot be written are queued and retried, and when too
//! many are queued, the gateway makes no more calls. A call that can change data at LRS has a line before it is sent, too: if the process
//! is killed during the call, that line is the evidence. ULNs are recorded as keyed hashes only, so that the holder of the key can find the
//! calls about a learner in a dispute.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;

use crate::domain::Uln;
use crate::file_watch;
use crate::observability::line_queue::{LineQueue, Urgency, write_part};
use crate::organisations::{CallContext, CallOrigin};
use crate::schema::Scalar as _;
use crate::storage::encryption::KeyRing;

/// Maximum number of queued lines. When it is reached, the gateway makes no more calls.
const MAX_QUEUED_LINES: usize = 10_000;
/// Maximum size of the queued lines in bytes: those of batches have many ULN hashes.
const MAX_QUEUED_BYTES: usize = 64 * 1024 * 1024;
/// Maximum time for which a call waits until the line of its start is written.
const START_TIMEOUT: Duration = Duration::from_secs(2);
/// Time between a failed write and the next one.
const WRITE_RETRY_INTERVAL: Duration = Duration::from_millis(500);
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

/// The destination of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditSink {
    /// Standard output.
    Stdout,
    /// Appends to this file. It may be renamed or removed at any time: the next write creates it again.
    File(PathBuf),
}

/// The audit trail. Clones share one writer.
#[derive(Debug, Clone)]
pub struct AuditLog(Option<Arc<AuditWriter>>);

/// The entry of one call. Dropping it writes its line, with the outcome `ABANDONED` unless the call was completed.
#[derive(Debug)]
pub struct AuditEntry {
    audit: AuditLog,
    context: Option<CallContext>,
    operation: &'static str,
    started_at: Instant,
    ulns: BTreeSet<[u8; ULN_LENGTH]>,
    outcome: &'static str,
    code: Option<String>,
}

/// The queue of lines and the thread that writes them.
#[derive(Debug)]
struct AuditWriter {
    keys: Option<KeyRing>,
    queue: Arc<LineQueue>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// A line of the audit trail.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AuditLine<'a> {
    time: String,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<u32>,
    issuer: &'a str,
    client: &'a str,
    organisation: &'a str,
    user: &'a str,
    operation: &'static str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    lrs_code: Option<&'a str>,
    duration_ms: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    uln_hashes: Vec<String>,
    #[serde(skip_serializing_if = "is_zero")]
    ulns_left_out: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde requires a reference")]
const fn is_zero(number: &usize) -> bool {
    *number == 0
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
        let thread = std::thread::spawn(move || write_lines(&sink, &lines));
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
    pub fn start_entry(&self, context: &CallContext, operation: &'static str, message: &[u8]) -> AuditEntry {
        AuditEntry {
            audit: self.clone(),
            context: self.0.is_some().then(|| context.clone()),
            operation,
            started_at: Instant::now(),
            ulns: if self.records_ulns() { find_ulns(message) } else { BTreeSet::new() },
            outcome: ABANDONED,
            code: None,
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

impl AuditEntry {
    /// Adds the ULNs of the response.
    pub fn response_received(&mut self, message: &[u8]) {
        if self.audit.records_ulns() {
            self.ulns.append(&mut find_ulns(message));
        }
    }

    /// Writes a line that says that the call is about to be sent, and waits until it is written. Returns `false` if it is not written in
    /// time: the call must then not be sent.
    pub async fn record_start(&mut self) -> bool {
        let Some(writer) = self.audit.0.clone() else { return true };
        // Also if the caller disconnects meanwhile: then nothing is sent.
        self.outcome = NOT_SENT;
        let Some(number) = self.queue_line(STARTED, Urgency::Immediate) else { return false };
        if tokio::time::timeout(START_TIMEOUT, writer.queue.written(number)).await.is_err() {
            return false;
        }
        self.outcome = ABANDONED;
        true
    }

    /// Writes the line of a call that was not sent after all.
    pub fn not_sent(mut self) {
        self.outcome = NOT_SENT;
    }

    /// Writes the line with the call's outcome and LRS's code.
    pub fn complete(mut self, outcome: &'static str, code: Option<&str>) {
        self.outcome = outcome;
        self.code = code.map(str::to_owned);
    }
}

impl AuditEntry {
    /// Queues a line with this outcome. Returns its number; `None` if there is no audit trail, or if it is shut down.
    fn queue_line(&self, outcome: &'static str, urgency: Urgency) -> Option<u64> {
        let (Some(writer), Some(context)) = (&self.audit.0, &self.context) else { return None };
        let CallOrigin { request_id, issuer, client, part } = &*context.origin;
        let ulns = self.ulns.iter().take(MAX_ULNS_PER_LINE);
        let hashes = ulns.filter_map(|uln| Some(writer.keys.as_ref()?.pseudonym(std::str::from_utf8(uln).ok()?)));
        let line = AuditLine {
            time: Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            request_id,
            batch_id: part.as_ref().map(|part| part.batch.as_str()),
            part: part.as_ref().map(|part| part.number),
            issuer,
            client,
            organisation: context.organisation.ukprn().as_str(),
            user: context.user.as_str(),
            operation: self.operation,
            outcome,
            lrs_code: self.code.as_deref(),
            duration_ms: u64::try_from(self.started_at.elapsed().as_millis()).unwrap_or(u64::MAX),
            uln_hashes: hashes.collect(),
            ulns_left_out: self.ulns.len().saturating_sub(MAX_ULNS_PER_LINE),
        };
        let mut json = serde_json::to_vec(&line).ok()?;
        json.push(b'\n');
        let queued = writer.queue.push(&json, urgency);
        if queued.is_err() {
            tracing::error!(request_id, operation = self.operation, "audit record lost: audit trail already shut down");
        }
        queued.ok()
    }
}

impl Drop for AuditEntry {
    fn drop(&mut self) {
        self.queue_line(self.outcome, Urgency::Gathered);
    }
}

/// Returns every ULN that is the whole text of an element: ten digits, of which the last is the check digit.
fn find_ulns(xml: &[u8]) -> BTreeSet<[u8; ULN_LENGTH]> {
    let starts = xml.iter().enumerate().filter(|(_, byte)| **byte == b'>').map(|(index, _)| index + 1);
    let texts = starts.filter_map(|start| xml[start..].first_chunk::<ULN_LENGTH>().filter(|_| xml.get(start + ULN_LENGTH) == Some(&b'<')));
    texts.filter(|text| std::str::from_utf8(*text).is_ok_and(|text| Uln::parse(text).is_ok())).copied().collect()
}

/// Writes lines until the queue is closed. Each write takes all queued lines.
fn write_lines(sink: &AuditSink, queue: &LineQueue) {
    let mut is_blocked = false;
    while let Some(lines) = queue.take() {
        let mut remaining = lines.text.as_slice();
        while !remaining.is_empty() {
            match write(sink, remaining) {
                Ok(written_bytes) => {
                    remaining = &remaining[written_bytes..];
                    queue.progress();
                    if std::mem::take(&mut is_blocked) {
                        tracing::info!("audit writes resumed");
                    }
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_blocked, true) {
                        tracing::error!(%error, "audit writes blocked: lines are queued and retried");
                    }
                    std::thread::sleep(WRITE_RETRY_INTERVAL);
                }
            }
        }
        queue.complete();
    }
}

/// Writes a part of the text and returns its length in bytes.
fn write(sink: &AuditSink, text: &[u8]) -> std::io::Result<usize> {
    match sink {
        AuditSink::Stdout => write_to_stdout(text),
        // Only the owner may read the file: user names are personal data.
        AuditSink::File(path) => write_part(&mut file_watch::owner_only_options().create(true).append(true).open(path)?, text),
    }
}

/// Writes a part of the text without the buffer of [`std::io::stdout`], which would hide how much was written before an error.
#[cfg(unix)]
fn write_to_stdout(text: &[u8]) -> std::io::Result<usize> {
    let descriptor = std::os::fd::AsFd::as_fd(&std::io::stdout()).try_clone_to_owned()?;
    write_part(&mut std::fs::File::from(descriptor), text)
}

#[cfg(not(unix))]
fn write_to_stdout(text: &[u8]) -> std::io::Result<usize> {
    use std::io::Write as _;
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text)?;
    stdout.flush()?;
    Ok(text.len())
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
