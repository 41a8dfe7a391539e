//! Settings of the audit trail, from `[audit]`.

use std::path::Path;

use crate::config::file::AuditSection;
use crate::file_watch;
use crate::lrs::audit::{AuditLog, AuditSink};
use crate::storage::encryption::KeyRing;

/// Sink and keys of the audit trail.
#[derive(Debug)]
pub struct AuditSettings {
    /// `None` if the audit trail is disabled.
    sink: Option<AuditSink>,
    /// Keys of the pseudonyms of ULNs; `None` if the audit trail contains no ULNs.
    pub keys: Option<KeyRing>,
}

impl AuditSettings {
    /// Starts the audit trail if it is a file. A command keeps standard output for its report.
    pub fn start_if_file(self) -> AuditLog {
        let sink = self.sink.filter(|sink| matches!(sink, AuditSink::File(_)));
        Self { sink, ..self }.start()
    }

    /// Starts the audit trail.
    pub fn start(self) -> AuditLog {
        self.sink.map_or_else(AuditLog::disabled, |sink| AuditLog::start(sink, self.keys))
    }
}

/// Reads the section and its key file.
///
/// # Errors
/// Returns every error of the key file and of the audit file.
pub(super) fn read(section: &AuditSection, base: &Path) -> Result<AuditSettings, Vec<String>> {
    let mut errors = Vec::new();
    let keys = section.key_file.as_ref().map(|file| {
        let path = base.join(file);
        let content = file_watch::read(&path).map_err(|error| format!("{}: {error}", path.display()));
        content.and_then(|content| KeyRing::parse(&content))
    });
    let keys = keys.transpose().map_err(|error| errors.push(format!("audit.key_file: {error}"))).ok().flatten();
    let file = section.file.as_ref().map(|file| base.join(file));
    if let Some(file) = file.as_ref().filter(|_| section.enabled) {
        // Opened now, so that a file that cannot be written stops the start, not the first call.
        if let Err(error) = file_watch::owner_only_options().create(true).append(true).open(file) {
            errors.push(format!("audit.file: {}: cannot be written: {error}", file.display()));
        }
    }
    let sink = section.enabled.then(|| file.map_or(AuditSink::Stdout, AuditSink::File));
    if errors.is_empty() { Ok(AuditSettings { sink, keys }) } else { Err(errors) }
}
