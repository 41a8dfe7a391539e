//! Files that may change while the program runs. What is looked at is their content, so it does not matter how one was changed. And
//! files that are written for their owner alone.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use aws_lc_rs::digest::{Context, Digest, SHA256};

/// How often files are looked at.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// What is in a file, or why it cannot be read.
pub type Content = Result<Vec<u8>, String>;

/// Reads a file.
///
/// # Errors
/// Why it cannot be read, without its name.
pub fn read(path: &Path) -> Content {
    std::fs::read(path).map_err(|error| format!("cannot be read: {error}"))
}

/// How a file is opened that, if it is made, only its owner can read.
pub fn owner_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// What tells some files' content from other versions of it.
pub struct Fingerprint(Context);

impl Fingerprint {
    /// Of nothing so far.
    pub fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    /// Takes in one more file.
    pub fn include(&mut self, content: &Content) {
        let (mark, bytes) = content.as_ref().map_or_else(|problem| (0, problem.as_bytes()), |bytes| (1, bytes.as_slice()));
        self.0.update(&[mark]);
        self.0.update(&(bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    /// That of all of them.
    pub fn finish(self) -> Digest {
        self.0.finish()
    }
}

impl Default for Fingerprint {
    fn default() -> Self {
        Self::new()
    }
}

/// Looks at files again and again, beside the threads that serve everybody, for as long as this is awaited; `tell` hears what each look
/// has shown. `what` begins the sentence that it is not watched any more.
pub async fn watch<T: Send + 'static, C: Send + 'static>(
    what: &str,
    mut watched: T,
    look: impl Fn(&mut T) -> C + Clone + Send + 'static,
    tell: impl Fn(&mut T, C),
) {
    loop {
        tokio::time::sleep(POLL_INTERVAL).await;
        let look = look.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let shown = look(&mut watched);
            (watched, shown)
        });
        let Ok((back, shown)) = looked.await else {
            tracing::error!("{what} not watched any more: the watcher panicked");
            return;
        };
        watched = back;
        tell(&mut watched, shown);
    }
}
