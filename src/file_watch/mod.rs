//! Watching of files that may change while the process runs, and options for files that only their owner may read.
//!
//! A file counts as changed if its content has changed. To find out, the file is read only if its stamp (size, times, inode: see
//! [`FileStamp`]) has changed, and once a minute nevertheless: on network file systems, stamps can be out of date. So it does not matter
//! whether a file was rewritten, renamed into place, or reached through a symbolic link that now leads elsewhere.

mod read;
mod reload;

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::digest::{Context, Digest, SHA256};

pub use read::{FileContent, FileStamp, read, read_up_to, read_with_stamp};
pub use reload::{ReloadRequests, ReloadTrigger};

/// Interval at which files are looked at.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// Number of polls from one that reads every file to the next one that does.
const POLLS_PER_FULL_POLL: u32 = 30;

/// A look at watched files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Poll {
    /// Reads the files whose stamps have changed.
    Changed,
    /// Reads every file.
    Full,
    /// Reads every file, because an operator has requested it.
    Requested,
}

/// Returns options that create a file readable and writable by its owner only (mode 600 on Unix).
pub fn owner_only_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes an open file readable and writable by its owner only (mode 600 on Unix), if it is a regular file. A file that existed already keeps
/// its permissions when it is opened with [`owner_only_options`].
///
/// # Errors
/// Returns the system's error if the permissions cannot be changed.
pub fn restrict_to_owner(file: &File) -> std::io::Result<()> {
    #[cfg(unix)]
    if file.metadata()?.is_file() {
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    }
    Ok(())
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

/// Files that are read together, and again when one of them has changed.
#[derive(Debug)]
pub struct WatchedFiles {
    paths: Vec<PathBuf>,
    /// Stamps of the files; `None` if a file must be read to see whether it has changed.
    stamps: Option<Vec<FileStamp>>,
    digest: Vec<u8>,
}

impl WatchedFiles {
    /// Reads the files for the first time. Returns their contents in the order of the paths.
    pub fn read(paths: impl Into<Vec<PathBuf>>) -> (Self, Vec<FileContent>) {
        let mut files = Self { paths: paths.into(), stamps: None, digest: Vec::new() };
        let contents = files.read_all();
        (files, contents)
    }

    /// Returns the contents of all files if one of them has changed since they were read last.
    pub fn read_if_changed(&mut self, poll: Poll) -> Option<Vec<FileContent>> {
        let is_current = |stamps: &Vec<FileStamp>| stamps.iter().zip(&self.paths).all(|(stamp, path)| stamp.is_current(path));
        if poll == Poll::Changed && self.stamps.as_ref().is_some_and(is_current) {
            return None;
        }
        let previous = self.digest.clone();
        let contents = self.read_all();
        (self.digest != previous).then_some(contents)
    }

    fn read_all(&mut self) -> Vec<FileContent> {
        let (contents, stamps): (Vec<_>, Vec<_>) = self.paths.iter().map(|path| read_with_stamp(path)).unzip();
        self.stamps = stamps.into_iter().collect();
        let mut digest = ContentDigest::new();
        for content in &contents {
            digest.update(content);
        }
        self.digest = digest.finish().as_ref().to_vec();
        contents
    }
}

/// Polls files periodically, and when a reload is requested, until the future is dropped.
///
/// `reload` reads the files on the blocking pool, so that no thread that serves requests waits for a disk. `report` receives its result.
/// `files` names the files in the log line that says that the watch has stopped.
pub async fn watch<T: Send + 'static, C: Send + 'static>(
    files: &str,
    mut watcher: T,
    mut requests: ReloadRequests,
    reload: impl Fn(&mut T, Poll) -> C + Clone + Send + 'static,
    report: impl Fn(&mut T, C),
) {
    for number in (1..=POLLS_PER_FULL_POLL).cycle() {
        let poll = tokio::select! {
            () = requests.next() => Poll::Requested,
            () = tokio::time::sleep(POLL_INTERVAL) => if number == POLLS_PER_FULL_POLL { Poll::Full } else { Poll::Changed },
        };
        let reload = reload.clone();
        let reloaded = tokio::task::spawn_blocking(move || {
            let changes = reload(&mut watcher, poll);
            (watcher, changes)
        });
        let Ok((returned, changes)) = reloaded.await else {
            tracing::error!(files, "file watch stopped: the watcher panicked");
            return;
        };
        watcher = returned;
        report(&mut watcher, changes);
        if poll == Poll::Requested {
            tracing::info!(files, "files reloaded");
        }
    }
}
