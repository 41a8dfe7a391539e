//! Watching of files that may change while the process runs, and options for files that only their owner may read.
//!
//! The content of a file is compared, not its metadata. So it does not matter how a file was changed.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use aws_lc_rs::digest::{Context, Digest, SHA256};

/// Interval at which files are read.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// Content of a file, or a text that says why it cannot be read.
pub type FileContent = Result<Vec<u8>, String>;

/// Reads a file.
///
/// # Errors
/// Returns a text without the file name if the file cannot be read.
pub fn read(path: &Path) -> FileContent {
    std::fs::read(path).map_err(|error| format!("cannot be read: {error}"))
}

/// Returns options that create a file readable and writable by its owner only (mode 600 on Unix).
pub fn owner_only_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Returns `true` if the file's permissions let every user of the machine read it. `false` where files have no such permissions.
pub fn is_readable_by_others(path: &Path) -> bool {
    #[cfg(unix)]
    return std::fs::metadata(path).is_ok_and(|metadata| std::os::unix::fs::MetadataExt::mode(&metadata) & 0o004 != 0);
    #[cfg(not(unix))]
    false
}

/// Digest of the content of several files. It changes if a file's content changes, or if a file becomes readable or unreadable.
pub struct ContentDigest(Context);

impl ContentDigest {
    /// Returns the digest of no file.
    pub fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    /// Adds the content of a file.
    pub fn update(&mut self, content: &FileContent) {
        let (is_readable, bytes) = match content {
            Ok(bytes) => (1, bytes.as_slice()),
            Err(error) => (0, error.as_bytes()),
        };
        self.0.update(&[is_readable]);
        self.0.update(&(bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    /// Returns the digest of all files added.
    pub fn finish(self) -> Digest {
        self.0.finish()
    }
}

impl Default for ContentDigest {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns the digest of the content of files.
pub fn content_digest<'c>(contents: impl IntoIterator<Item = &'c FileContent>) -> Vec<u8> {
    let mut digest = ContentDigest::new();
    contents.into_iter().for_each(|content| digest.update(content));
    digest.finish().as_ref().to_vec()
}

/// Polls files periodically until the future is dropped.
///
/// `reload` reads the files on the blocking pool, so that no thread that serves requests waits for a disk. `report` receives its result.
/// `files` names the files in the log line that says that the watch has stopped.
pub async fn watch<T: Send + 'static, C: Send + 'static>(
    files: &str,
    mut watcher: T,
    reload: impl Fn(&mut T) -> C + Clone + Send + 'static,
    report: impl Fn(&mut T, C),
) {
    loop {
        tokio::time::sleep(POLL_INTERVAL).await;
        let reload = reload.clone();
        let reloaded = tokio::task::spawn_blocking(move || {
            let changes = reload(&mut watcher);
            (watcher, changes)
        });
        let Ok((returned, changes)) = reloaded.await else {
            tracing::error!(files, "file watch stopped: the watcher panicked");
            return;
        };
        watcher = returned;
        report(&mut watcher, changes);
    }
}
