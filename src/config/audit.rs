//! Where the audit trail goes, from its section of the file.

use std::path::Path;

use crate::config::file::AuditSection;
use crate::file_watch;
use crate::lrs::audit::{AuditLog, AuditSink};
use crate::storage::encryption::KeyRing;

/// What the section says, read.
#[derive(Debug)]
pub struct AuditSettings {
    target: Option<AuditSink>,
    /// The keys that ULNs are hashed with.
    pub keys: Option<KeyRing>,
}

impl AuditSettings {
    /// Begins the trail.
    pub fn begin(self) -> AuditLog {
        self.target.map_or_else(AuditLog::off, |target| AuditLog::to(target, self.keys))
    }
}

pub(super) fn read(section: &AuditSection, base: &Path) -> Result<AuditSettings, Vec<String>> {
    let mut problems = Vec::new();
    let keys = section.key_file.as_ref().map(|file| {
        let path = base.join(file);
        let content = file_watch::read(&path).map_err(|problem| format!("{}: {problem}", path.display()));
        content.and_then(|content| KeyRing::read(&content))
    });
    let keys = keys.transpose().map_err(|problem| problems.push(format!("audit.key_file: {problem}"))).ok().flatten();
    let file = section.file.as_ref().map(|file| base.join(file));
    if let Some(file) = file.as_ref().filter(|_| section.enabled) {
        // To be found out now, and not with the first call.
        if let Err(error) = std::fs::OpenOptions::new().create(true).append(true).open(file) {
            problems.push(format!("audit.file: {}: cannot be written: {error}", file.display()));
        }
    }
    let target = section.enabled.then(|| file.map_or(AuditSink::Output, AuditSink::File));
    if problems.is_empty() { Ok(AuditSettings { target, keys }) } else { Err(problems) }
}
