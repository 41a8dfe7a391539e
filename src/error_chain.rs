//! An error and the errors that caused it.

use std::error::Error;
use std::io;
use std::iter::successors;

/// Iterates over an error and its causes, outermost first.
///
/// `std::io::Error` does not report the error it wraps as a source; connectors wrap TLS errors that way, so wrapped errors are followed
/// too.
pub fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    successors(Some(error), |&error| match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner as &(dyn Error + 'static)),
        None => error.source(),
    })
}

/// Returns the kind of the input or output error among an error and its causes, if there is one.
pub fn io_error_kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    causes(error).find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind)
}

/// Returns an error and its causes in one line, separated by colons.
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Returns the text of the innermost cause, which names the actual fault.
pub fn root_cause(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("request failed")]
    struct RequestError(#[source] io::Error);

    #[test]
    fn error_chain_follows_sources_and_errors_wrapped_in_io_errors() {
        let error = RequestError(io::Error::other(RequestError(io::ErrorKind::ConnectionRefused.into())));
        assert_eq!(error_chain(&error), "request failed: request failed: request failed: connection refused");
        assert_eq!(root_cause(&error), "connection refused");
    }
}
