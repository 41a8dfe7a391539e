//! The destination of the audit trail, and the thread that writes to it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::file_watch;
use crate::observability::line_queue::{LineQueue, write_part};

/// Time between a failed write and the next one.
const WRITE_RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// The destination of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditSink {
    /// Standard output.
    Stdout,
    /// Appends to this file. It may be renamed or removed at any time: the next write creates it again.
    File(PathBuf),
}

/// A destination that stays open between writes.
struct OpenSink {
    sink: AuditSink,
    /// `None` before the first write, and after one that failed.
    file: Option<File>,
}

impl OpenSink {
    /// Writes a part of the text and returns its length in bytes.
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let file = match self.file.take().filter(|file| self.sink.is_current(file)) {
            Some(file) => file,
            None => self.sink.open()?,
        };
        let written_bytes = write_part(&mut &file, text)?;
        self.file = Some(file);
        Ok(written_bytes)
    }
}

impl AuditSink {
    fn open(&self) -> io::Result<File> {
        match self {
            Self::Stdout => open_stdout(),
            // Only the owner may read the file: user names are personal data.
            Self::File(path) => file_watch::owner_only_options().create(true).append(true).open(path),
        }
    }

    /// Returns `true` if the lines still belong into this open file: it was neither renamed nor removed.
    fn is_current(&self, file: &File) -> bool {
        match self {
            Self::Stdout => true,
            Self::File(path) => is_same_file(path, file).unwrap_or(false),
        }
    }
}

/// Returns `true` if the path leads to this file. The system does not give the inode of an open file to another one.
#[cfg(unix)]
fn is_same_file(path: &Path, file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;

    let (expected, actual) = (file.metadata()?, std::fs::metadata(path)?);
    Ok((expected.dev(), expected.ino()) == (actual.dev(), actual.ino()))
}

/// Files have no identity that can be compared: the file is opened for each write.
#[cfg(not(unix))]
fn is_same_file(_: &Path, _: &File) -> io::Result<bool> {
    Ok(false)
}

/// Opens standard output without the buffer of [`std::io::stdout`], which would hide how much was written before an error.
#[cfg(unix)]
fn open_stdout() -> io::Result<File> {
    Ok(File::from(std::os::fd::AsFd::as_fd(&io::stdout()).try_clone_to_owned()?))
}

#[cfg(windows)]
fn open_stdout() -> io::Result<File> {
    Ok(File::from(std::os::windows::io::AsHandle::as_handle(&io::stdout()).try_clone_to_owned()?))
}

/// Writes lines until the queue is closed. Each write takes all queued lines.
pub fn write_lines(sink: AuditSink, queue: &LineQueue) {
    let (mut sink, mut is_blocked) = (OpenSink { sink, file: None }, false);
    while let Some(lines) = queue.take() {
        let mut remaining = lines.text.as_slice();
        while !remaining.is_empty() {
            match sink.write(remaining) {
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
        queue.complete(lines);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audit_file_renamed_removed_or_replaced_next_write_is_in_the_file_of_that_name() {
        let directory = tempfile::tempdir().expect("the directory is created");
        let (path, other) = (directory.path().join("audit.jsonl"), directory.path().join("other.jsonl"));
        let mut sink = OpenSink { sink: AuditSink::File(path.clone()), file: None };
        let mut write = |line: &str| assert_eq!(sink.write(line.as_bytes()).ok(), Some(line.len()));
        let read = |path: &Path| std::fs::read_to_string(path).expect("the file exists");
        write("1\n");
        write("2\n");
        assert_eq!(read(&path), "1\n2\n");
        std::fs::rename(&path, &other).expect("the file is renamed");
        write("3\n");
        assert_eq!((read(&path), read(&other)), ("3\n".to_owned(), "1\n2\n".to_owned()));
        std::fs::remove_file(&path).expect("the file is removed");
        write("4\n");
        assert_eq!(read(&path), "4\n");
        std::fs::rename(&other, &path).expect("the file is replaced");
        write("5\n");
        assert_eq!(read(&path), "1\n2\n5\n");
    }

    #[cfg(unix)]
    #[test]
    fn audit_file_created_again_is_readable_by_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;

        let directory = tempfile::tempdir().expect("the directory is created");
        let path = directory.path().join("audit.jsonl");
        let mut sink = OpenSink { sink: AuditSink::File(path.clone()), file: None };
        for _ in 0..2 {
            sink.write(b"line\n").expect("the line is written");
            assert_eq!(std::fs::metadata(&path).expect("the file exists").permissions().mode() & 0o777, 0o600);
            std::fs::remove_file(&path).expect("the file is removed");
        }
    }
}
