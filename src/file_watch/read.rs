//! Reading of files that people put in place: bounded, and never blocked by something that is no file.

use std::fs::{File, Metadata, OpenOptions};
use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Content of a file, or a text that says why it cannot be read.
pub type FileContent = Result<Vec<u8>, String>;

/// Maximum size of a file. The largest that is useful, a list of all public certificate authorities, has a quarter of it.
const MAX_FILE_BYTES: u64 = BYTES_PER_MEBIBYTE;
const BYTES_PER_MEBIBYTE: u64 = 1024 * 1024;

/// Mark with which editors on Windows begin a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Age from which a file's times identify its content. File systems store times in steps of up to two seconds: a file that changes twice
/// in one step has the same times after both changes.
const SETTLING_TIME: Duration = Duration::from_secs(3);

/// Reads a file of up to 1 MiB, without its byte order mark.
///
/// # Errors
/// Returns a text without the file name if the file cannot be read, is not a regular file, or is too large.
pub fn read(path: &Path) -> FileContent {
    read_up_to(path, MAX_FILE_BYTES)
}

/// Reads a file like [`read`], but of up to this number of bytes.
///
/// # Errors
/// The same as [`read`].
pub fn read_up_to(path: &Path, max_bytes: u64) -> FileContent {
    open(path, max_bytes).and_then(|(file, _)| read_opened(&file, max_bytes))
}

/// Reads a file like [`read`]. Also returns its stamp, unless the file cannot be read or has changed within the last seconds.
pub fn read_with_stamp(path: &Path) -> (FileContent, Option<FileStamp>) {
    match open(path, MAX_FILE_BYTES) {
        // The stamp is of the time before the content is read, so a change while it is read leads to another stamp.
        Ok((file, metadata)) => match read_opened(&file, MAX_FILE_BYTES) {
            Ok(content) => (Ok(content), FileStamp::if_settled(&metadata)),
            Err(error) => (Err(error), None),
        },
        Err(error) => (Err(error), None),
    }
}

/// What distinguishes a version of a file from another one, without its content: device, inode, size and times. Symbolic links are
/// followed, so a link that leads elsewhere has another stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp {
    size: u64,
    modified_at: Option<SystemTime>,
    #[cfg(unix)]
    device_and_inode: (u64, u64),
    /// Time of the last change of content or metadata, in seconds and nanoseconds. Programs cannot set it.
    #[cfg(unix)]
    changed_at: (i64, i64),
}

impl FileStamp {
    /// Returns `true` if the file at this path still has this stamp.
    pub fn is_current(&self, path: &Path) -> bool {
        std::fs::metadata(path).is_ok_and(|metadata| Self::of(&metadata) == *self)
    }

    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt as _;
        Self {
            size: metadata.len(),
            modified_at: metadata.modified().ok(),
            #[cfg(unix)]
            device_and_inode: (metadata.dev(), metadata.ino()),
            #[cfg(unix)]
            changed_at: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Returns the stamp if the file's last change is long enough ago. A time in the future is not.
    fn if_settled(metadata: &Metadata) -> Option<Self> {
        let stamp = Self::of(metadata);
        #[cfg(unix)]
        let changed_at = u64::try_from(stamp.changed_at.0).ok().map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        #[cfg(not(unix))]
        let changed_at = stamp.modified_at;
        let age = SystemTime::now().duration_since(changed_at?).ok()?;
        (age > SETTLING_TIME).then_some(stamp)
    }
}

/// Opens a regular file. Opening a FIFO waits for its writer, and opening a device can have any effect, so the kind of file is looked at
/// first. A FIFO that takes the file's place in between is opened without waiting, and found by the second look.
fn open(path: &Path, max_bytes: u64) -> Result<(File, Metadata), String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    check(&std::fs::metadata(path).map_err(unreadable)?, max_bytes)?;
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    let file = options.open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    check(&metadata, max_bytes)?;
    Ok((file, metadata))
}

fn check(metadata: &Metadata, max_bytes: u64) -> Result<(), String> {
    if !metadata.is_file() {
        return Err(format!("cannot be read: is {}, must be a regular file", kind(metadata)));
    }
    check_size(metadata.len(), max_bytes)
}

fn check_size(bytes: u64, max_bytes: u64) -> Result<(), String> {
    if bytes > max_bytes {
        return Err(format!("cannot be read: is larger than {} MiB, the largest size of such a file", max_bytes / BYTES_PER_MEBIBYTE));
    }
    Ok(())
}

fn kind(metadata: &Metadata) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        let file_type = metadata.file_type();
        if file_type.is_fifo() {
            return "a named pipe (FIFO)";
        }
        if file_type.is_socket() {
            return "a socket";
        }
        if file_type.is_block_device() || file_type.is_char_device() {
            return "a device";
        }
    }
    if metadata.is_dir() { "a directory" } else { "not a file" }
}

fn read_opened(file: &File, max_bytes: u64) -> FileContent {
    let mut content = Vec::new();
    // The size of the metadata is not relied on: the file may grow, and some file systems report none.
    file.take(max_bytes + 1).read_to_end(&mut content).map_err(|error| format!("cannot be read: {error}"))?;
    check_size(content.len() as u64, max_bytes)?;
    if content.starts_with(BYTE_ORDER_MARK) {
        content.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(content)
}
