//! The audit trail: one JSON line for each call to LRS, with the caller, the operation and the outcome.
//!
//! LRS's guide requires that the person who triggered a request can be identified. The audit trail holds that information. Lines go to
//! standard output or to a file, apart from logs. No line is dropped: lines that cannot be written are queued and retried, and when too
//! many are queued, the gateway makes no more calls. ULNs are recorded as keyed hashes only, so that the holder of the key can find the
//! calls about a learner in a dispute.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;

use crate::domain::Uln;
use crate::file_watch;
use crate::organisations::{CallContext, CallOrigin};
use crate::schema::Scalar as _;
use crate::storage::encryption::KeyRing;

/// Maximum number of queued lines. When it is reached, the gateway makes no more calls.
const MAX_QUEUED_LINES: usize = 10_000;
/// Time between a failed write and the next one.
const WRITE_RETRY_INTERVAL: Duration = Duration::from_millis(500);
/// Maximum number of ULN hashes in a line. Batches have thousands of ULNs.
const MAX_ULNS_PER_LINE: usize = 1_000;
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
    lines: Mutex<Option<mpsc::Sender<String>>>,
    queued_lines: Arc<AtomicUsize>,
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
        let (sender, receiver) = mpsc::channel();
        let queued_lines = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&queued_lines);
        let thread = std::thread::spawn(move || write_lines(&sink, &receiver, &counter));
        Self(Some(Arc::new(AuditWriter { keys, lines: Mutex::new(Some(sender)), queued_lines, thread: Mutex::new(Some(thread)) })))
    }

    /// Returns `true` if a call can be recorded.
    pub fn has_capacity(&self) -> bool {
        self.queued_lines() < MAX_QUEUED_LINES
    }

    /// Returns the number of lines that are not written yet.
    pub fn queued_lines(&self) -> usize {
        self.0.as_ref().map_or(0, |writer| writer.queued_lines.load(Ordering::Relaxed))
    }

    /// Starts the entry of a call that sends this message.
    pub fn start_entry(&self, context: &CallContext, operation: &'static str, message: &[u8]) -> AuditEntry {
        AuditEntry {
            audit: self.clone(),
            context: self.0.is_some().then(|| context.clone()),
            operation,
            started_at: Instant::now(),
            ulns: if self.records_ulns() { find_ulns(message) } else { BTreeSet::new() },
            outcome: "ABANDONED",
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
        // Without a sender, the thread ends after the last line.
        drop(writer.lines.lock().take());
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

    /// Writes the line with the call's outcome and LRS's code.
    pub fn complete(mut self, outcome: &'static str, code: Option<&str>) {
        self.outcome = outcome;
        self.code = code.map(str::to_owned);
    }
}

impl Drop for AuditEntry {
    fn drop(&mut self) {
        let (Some(writer), Some(context)) = (&self.audit.0, &self.context) else { return };
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
            outcome: self.outcome,
            lrs_code: self.code.as_deref(),
            duration_ms: u64::try_from(self.started_at.elapsed().as_millis()).unwrap_or(u64::MAX),
            uln_hashes: hashes.collect(),
            ulns_left_out: self.ulns.len().saturating_sub(MAX_ULNS_PER_LINE),
        };
        let Ok(mut json) = serde_json::to_string(&line) else { return };
        json.push('\n');
        writer.queued_lines.fetch_add(1, Ordering::Relaxed);
        let lines = writer.lines.lock();
        if lines.as_ref().is_none_or(|lines| lines.send(json).is_err()) {
            tracing::error!(request_id, operation = self.operation, "audit record lost: audit trail already shut down");
        }
    }
}

/// Returns every ULN that is the whole text of an element: ten digits, of which the last is the check digit.
fn find_ulns(xml: &[u8]) -> BTreeSet<[u8; ULN_LENGTH]> {
    let starts = xml.iter().enumerate().filter(|(_, byte)| **byte == b'>').map(|(index, _)| index + 1);
    let texts = starts.filter_map(|start| xml[start..].first_chunk::<ULN_LENGTH>().filter(|_| xml.get(start + ULN_LENGTH) == Some(&b'<')));
    texts.filter(|text| std::str::from_utf8(*text).is_ok_and(|text| Uln::parse(text).is_ok())).copied().collect()
}

/// Writes lines until all senders are dropped. Each write takes all queued lines.
fn write_lines(sink: &AuditSink, lines: &mpsc::Receiver<String>, queued_lines: &AtomicUsize) {
    let mut is_blocked = false;
    while let Ok(mut text) = lines.recv() {
        let mut count = 1;
        for line in lines.try_iter().take(MAX_QUEUED_LINES) {
            text.push_str(&line);
            count += 1;
        }
        let mut remaining = text.as_bytes();
        while !remaining.is_empty() {
            match write(sink, remaining) {
                Ok(written_bytes) => {
                    remaining = &remaining[written_bytes..];
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
        queued_lines.fetch_sub(count, Ordering::Relaxed);
    }
}

/// Writes a part of the text and returns its length in bytes.
fn write(sink: &AuditSink, text: &[u8]) -> std::io::Result<usize> {
    let written_bytes = match sink {
        AuditSink::Stdout => {
            let mut stdout = std::io::stdout().lock();
            stdout.write_all(text)?;
            stdout.flush()?;
            text.len()
        }
        // Only the owner may read the file: user names are personal data.
        AuditSink::File(path) => file_watch::owner_only_options().create(true).append(true).open(path)?.write(text)?,
    };
    if written_bytes == 0 { Err(std::io::ErrorKind::WriteZero.into()) } else { Ok(written_bytes) }
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
