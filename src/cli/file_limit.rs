//! The limit of open files of this process. Each connection takes a file descriptor.

/// Descriptors for Redis, files, the log and the audit trail, and some to spare.
const OTHER_DESCRIPTORS: u64 = 300;

/// Raises the limit to the highest value that the process may set. Returns it; `None` if there is no limit, or none that can be read.
///
/// Systems start programs with a low limit for the sake of old ones that cannot handle more.
#[cfg(unix)]
pub fn raise() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
    {
        tracing::warn!(%error, "limit of open files not raised");
    }
    getrlimit(Resource::Nofile).current
}

#[cfg(not(unix))]
pub const fn raise() -> Option<u64> {
    None
}

/// Returns the number of descriptors with which no call fails: for all connections of clients, and for each organisation a connection to LRS
/// of each thread. Only the thread that opened a connection uses it, so even calls that follow each other open one on each thread.
pub fn needed(max_connections: usize, workers: usize, organisations: usize) -> u64 {
    let connections = max_connections as u64;
    connections + connections / 8 + workers as u64 * organisations as u64 + OTHER_DESCRIPTORS
}

#[cfg(all(test, unix))]
mod tests {
    use rustix::process::{Resource, getrlimit};

    use super::*;

    #[test]
    fn file_limit_is_raised_to_the_highest_that_is_allowed() {
        assert_eq!(raise(), getrlimit(Resource::Nofile).maximum);
    }

    #[test]
    fn file_descriptors_are_needed_for_clients_and_organisations() {
        assert_eq!(needed(2000, 1, 790), 2000 + 250 + 790 + 300);
        assert_eq!(needed(2000, 4, 790), 2000 + 250 + 4 * 790 + 300);
    }
}
