//! The audit trail: one JSON line for each call to LRS, about who asked for what and what came of it.
//!
//! LRS's guide wants the person identified who triggered a request; this is where that can be looked up. Lines go to standard output or
//! to a file, apart from logs. Nothing is dropped: what cannot be written waits, is tried again, and when too much waits, no more calls
//! are made. ULNs are in it as keyed hashes only, so that a dispute about a learner can be matched by who has the key.

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
use crate::organisations::{ClientIdentity, RequestContext};
use crate::schema::Scalar as _;
use crate::storage::encryption::KeyRing;

/// How many lines may wait to be written before no more calls are made.
const MOST_WAITING: usize = 10_000;
/// How long after a failure writing is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// How many ULNs of a call are told at most. Batches have thousands.
const MOST_ULNS: usize = 1_000;
const ULN_LENGTH: usize = 10;

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditSink {
    /// Standard output.
    Output,
    /// This file, at its end. It may be renamed or removed at any time: it is made anew.
    File(PathBuf),
}

/// The audit trail.
#[derive(Debug, Clone)]
pub struct AuditLog(Option<Arc<AuditWriter>>);

#[derive(Debug)]
struct AuditWriter {
    keys: Option<KeyRing>,
    lines: Mutex<Option<mpsc::Sender<String>>>,
    waiting: Arc<AtomicUsize>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// A line.
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

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl AuditLog {
    /// None at all.
    pub const fn off() -> Self {
        Self(None)
    }

    /// A trail that goes there. Without keys, ULNs are not in it at all.
    pub fn to(target: AuditSink, keys: Option<KeyRing>) -> Self {
        let (lines, written) = mpsc::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&waiting);
        let writer = std::thread::spawn(move || write_all(&target, &written, &left));
        Self(Some(Arc::new(AuditWriter { keys, lines: Mutex::new(Some(lines)), waiting, writer: Mutex::new(Some(writer)) })))
    }

    /// Can what is done be written down?
    pub fn has_capacity(&self) -> bool {
        self.0.as_ref().is_none_or(|trail| trail.waiting.load(Ordering::Relaxed) < MOST_WAITING)
    }

    /// A call is about to be made with this message.
    pub fn begin(&self, actor: &RequestContext, operation: &'static str, message: &[u8]) -> AuditRecord {
        let ulns = if self.0.as_ref().is_some_and(|trail| trail.keys.is_some()) { ulns_in(message) } else { BTreeSet::new() };
        let actor = self.0.is_some().then(|| actor.clone());
        AuditRecord { audit: self.clone(), actor, operation, began: Instant::now(), ulns, outcome: "ABANDONED", code: None }
    }

    /// How many lines wait to be written.
    pub fn queued_lines(&self) -> usize {
        self.0.as_ref().map_or(0, |trail| trail.waiting.load(Ordering::Relaxed))
    }

    /// Writes what waits, however long that takes, and ends.
    pub fn end(&self) {
        let Some(trail) = &self.0 else { return };
        let waiting = self.queued_lines();
        if waiting > 0 {
            tracing::info!(waiting, "the audit trail is written to its end");
        }
        drop(trail.lines.lock().take());
        if let Some(writer) = trail.writer.lock().take()
            && writer.join().is_err()
        {
            tracing::error!("the audit trail ended with a panic");
        }
    }
}

/// A call to be written down. If nobody waits for its end, that is written down.
#[derive(Debug)]
pub struct AuditRecord {
    audit: AuditLog,
    actor: Option<RequestContext>,
    operation: &'static str,
    began: Instant,
    ulns: BTreeSet<[u8; ULN_LENGTH]>,
    outcome: &'static str,
    code: Option<String>,
}

impl AuditRecord {
    /// This came back.
    pub fn response_received(&mut self, message: &[u8]) {
        if self.audit.0.as_ref().is_some_and(|trail| trail.keys.is_some()) {
            self.ulns.append(&mut ulns_in(message));
        }
    }

    /// This is what it came to, and LRS's code for it.
    pub fn end(mut self, outcome: &'static str, code: Option<&str>) {
        self.outcome = outcome;
        self.code = code.map(str::to_owned);
    }
}

impl Drop for AuditRecord {
    fn drop(&mut self) {
        let (Some(trail), Some(actor)) = (&self.audit.0, &self.actor) else { return };
        let ClientIdentity { request_id, issuer, client, part } = &*actor.client_identity;
        let told = self.ulns.iter().take(MOST_ULNS);
        let hashes = told.filter_map(|uln| Some(trail.keys.as_ref()?.pseudonym(std::str::from_utf8(uln).ok()?)));
        let line = AuditLine {
            time: Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            request_id,
            batch_id: part.as_ref().map(|(batch, _)| batch.as_str()),
            part: part.as_ref().map(|(_, number)| *number),
            issuer,
            client,
            organisation: actor.organisation.ukprn().as_str(),
            user: actor.user.as_str(),
            operation: self.operation,
            outcome: self.outcome,
            lrs_code: self.code.as_deref(),
            duration_ms: u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            uln_hashes: hashes.collect(),
            ulns_left_out: self.ulns.len().saturating_sub(MOST_ULNS),
        };
        let Ok(mut json) = serde_json::to_string(&line) else { return };
        json.push('\n');
        trail.waiting.fetch_add(1, Ordering::Relaxed);
        let lines = trail.lines.lock();
        if lines.as_ref().is_none_or(|lines| lines.send(json).is_err()) {
            tracing::error!(request_id, operation = self.operation, "a call is not in the audit trail: it has ended");
        }
    }
}

/// Every ULN that stands alone in an element: ten digits of which the last one checks the others.
fn ulns_in(xml: &[u8]) -> BTreeSet<[u8; ULN_LENGTH]> {
    let starts = xml.iter().enumerate().filter(|(_, byte)| **byte == b'>').map(|(at, _)| at + 1);
    let texts = starts.filter_map(|at| xml[at..].first_chunk::<ULN_LENGTH>().filter(|_| xml.get(at + ULN_LENGTH) == Some(&b'<')));
    texts.filter(|text| std::str::from_utf8(*text).is_ok_and(|text| Uln::parse(text).is_ok())).copied().collect()
}

/// Writes lines until there are no more, all that wait at a time.
fn write_all(target: &AuditSink, lines: &mpsc::Receiver<String>, waiting: &AtomicUsize) {
    let mut fails = false;
    while let Ok(mut text) = lines.recv() {
        let mut count = 1;
        for line in lines.try_iter().take(MOST_WAITING) {
            text.push_str(&line);
            count += 1;
        }
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            match write(target, rest) {
                Ok(written) => {
                    rest = &rest[written..];
                    if std::mem::take(&mut fails) {
                        tracing::info!("the audit trail can be written again");
                    }
                }
                Err(error) => {
                    if !std::mem::replace(&mut fails, true) {
                        tracing::error!(%error, "the audit trail cannot be written: what is to be written waits");
                    }
                    std::thread::sleep(AGAIN_AFTER);
                }
            }
        }
        waiting.fetch_sub(count, Ordering::Relaxed);
    }
}

/// Writes some of it, and says how much.
fn write(target: &AuditSink, text: &[u8]) -> std::io::Result<usize> {
    let written = match target {
        AuditSink::Output => {
            let mut output = std::io::stdout().lock();
            output.write_all(text)?;
            output.flush()?;
            text.len()
        }
        // User names are personal data.
        AuditSink::File(path) => file_watch::owner_only().create(true).append(true).open(path)?.write(text)?,
    };
    if written == 0 { Err(std::io::ErrorKind::WriteZero.into()) } else { Ok(written) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ulns_are_found_wherever_they_stand_alone() {
        let found =
            |xml: &str| ulns_in(xml.as_bytes()).into_iter().map(|uln| String::from_utf8_lossy(&uln).into_owned()).collect::<Vec<_>>();
        assert_eq!(found("<a><ULN>3000000126</ULN><x:Uln>3000000258</x:Uln><ULN>3000000126</ULN></a>"), ["3000000126", "3000000258"]);
        for nothing in
            ["", ">", "<ULN>3000000127</ULN>", "<ULN>30000001260</ULN>", "<ULN>300000012</ULN>", "3000000126", "<a b=\"3000000126\"/>"]
        {
            assert!(found(nothing).is_empty(), "{nothing}");
        }
    }
}
