//! Why a connection was not established, in words for callers and operators.

use std::error::Error;
use std::io::{self, ErrorKind};

use rustls::{AlertDescription, CertificateError};

use crate::error_chain::{causes, io_error_kind};
use crate::lrs::http_client::tls_alert::{received_alert, rustls_error};

/// The reason why a connection was not established. The text is a clause that contains no address and no personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConnectFailure {
    /// DNS has no address for the name, or does not respond.
    #[error("its name cannot be resolved (DNS)")]
    NameNotResolved,
    /// No server listens at the address, or a firewall refuses the connection.
    #[error("it refused the connection")]
    Refused,
    /// The connection was not established within the connect timeout.
    #[error("it did not accept the connection in time")]
    TimedOut,
    /// The server's certificate has expired, or is not valid yet.
    #[error("its certificate has expired or is not valid yet")]
    CertificateNotCurrent,
    /// The server's certificate is for another name.
    #[error("its certificate is for another name")]
    CertificateForAnotherName,
    /// The server's certificate is not trusted, usually because its issuer is unknown.
    #[error("its certificate is not trusted, usually because its issuer is unknown")]
    CertificateUntrusted,
    /// The server ended the TLS handshake with an alert that does not concern the client certificate.
    #[error("it ended the TLS handshake with the alert {0:?}")]
    TlsAlert(AlertDescription),
    /// The TLS handshake failed for another reason, such as a server that does not speak TLS.
    #[error("the TLS handshake failed")]
    TlsFailed,
    /// The server closed the connection during the TLS handshake or directly after it, without an alert.
    #[error("it closed the connection before the request was sent")]
    Closed,
    /// The proxy requires a user name and a password.
    #[error("the proxy requires a user name and a password")]
    ProxyLoginRequired,
    /// The proxy refused to connect to LRS, could not, or rejected the login: some proxies do not say that it is wrong.
    #[error("the proxy did not open a connection to it")]
    ProxyRefused,
    /// No connection to the proxy was established.
    #[error("the proxy cannot be reached")]
    ProxyUnreachable,
    /// The gateway has no file descriptor for another connection.
    #[error("the gateway has no file descriptor for another connection")]
    NoFileDescriptor,
    /// Any other reason, such as a network without a route.
    #[error("there is no network connection to it")]
    Other,
}

/// The error of a name that cannot be resolved. The HTTP client reports it as a cause.
#[derive(Debug, thiserror::Error)]
#[error("the name {name} cannot be resolved: {reason}")]
pub struct NameNotResolved {
    /// The name.
    pub name: String,
    /// The reason.
    pub reason: String,
    /// The lack of a file descriptor that may be the real reason: resolvers of operating systems report it as an unknown name.
    #[source]
    pub shortage: Option<io::Error>,
}

/// The error of a connection that was not complete within the connect timeout.
#[derive(Debug, thiserror::Error)]
#[error("no connection within the time limit")]
pub struct ConnectTimedOut;

impl ConnectFailure {
    /// Returns the reason why there is no connection, from the HTTP client's error.
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        // Before the others: it is behind a failure to resolve a name or to reach a proxy.
        if causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).any(lacks_file_descriptor) {
            return Self::NoFileDescriptor;
        }
        if let Some(failure) = proxy_failure(error) {
            return failure;
        }
        if causes(error).any(<dyn Error>::is::<NameNotResolved>) {
            return Self::NameNotResolved;
        }
        if let Some(alert) = received_alert(error) {
            return Self::TlsAlert(alert);
        }
        if let Some(failure) = untrusted_server(error) {
            return failure;
        }
        match io_error_kind(error) {
            _ if causes(error).any(<dyn Error>::is::<ConnectTimedOut>) => Self::TimedOut,
            _ if rustls_error(error).is_some() => Self::TlsFailed,
            Some(ErrorKind::ConnectionRefused) => Self::Refused,
            Some(ErrorKind::TimedOut) => Self::TimedOut,
            Some(ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe) => Self::Closed,
            // The connection was there: HTTP had begun.
            _ if causes(error).any(<dyn Error>::is::<hyper::Error>) => Self::Closed,
            _ => Self::Other,
        }
    }

    /// Returns the name of the reason in logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::NameNotResolved => "NAME_NOT_RESOLVED",
            Self::Refused => "REFUSED",
            Self::TimedOut => "TIMED_OUT",
            Self::CertificateNotCurrent => "CERTIFICATE_NOT_CURRENT",
            Self::CertificateForAnotherName => "CERTIFICATE_FOR_ANOTHER_NAME",
            Self::CertificateUntrusted => "CERTIFICATE_UNTRUSTED",
            Self::TlsAlert(_) => "TLS_ALERT",
            Self::TlsFailed => "TLS_FAILED",
            Self::Closed => "CLOSED",
            Self::ProxyLoginRequired => "PROXY_LOGIN_REQUIRED",
            Self::ProxyRefused => "PROXY_REFUSED",
            Self::ProxyUnreachable => "PROXY_UNREACHABLE",
            Self::NoFileDescriptor => "NO_FILE_DESCRIPTOR",
            Self::Other => "OTHER",
        }
    }
}

/// Returns `true` if the process, or the system, has as many open files as it may have.
#[cfg(unix)]
pub(super) fn lacks_file_descriptor(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| matches!(code, libc::EMFILE | libc::ENFILE))
}

#[cfg(not(unix))]
pub(super) const fn lacks_file_descriptor(_: &io::Error) -> bool {
    false
}

/// Returns the failure of a connection through a proxy. The HTTP client's error about it has no public type: only its text tells.
/// tests/proxy.rs fails if this text changes.
fn proxy_failure(error: &(dyn Error + 'static)) -> Option<ConnectFailure> {
    let text = causes(error).map(ToString::to_string).find(|text| text.starts_with("tunnel error: "))?;
    Some(match text.trim_start_matches("tunnel error: ") {
        "proxy authorization required" => ConnectFailure::ProxyLoginRequired,
        "failed to create underlying connection" => ConnectFailure::ProxyUnreachable,
        _ => ConnectFailure::ProxyRefused,
    })
}

/// Returns why the server's certificate is not accepted; `None` if that is not the reason.
fn untrusted_server(error: &(dyn Error + 'static)) -> Option<ConnectFailure> {
    use CertificateError as Cause;
    match rustls_error(error) {
        Some(rustls::Error::InvalidCertificate(cause)) => Some(match cause {
            Cause::NotValidForName | Cause::NotValidForNameContext { .. } => ConnectFailure::CertificateForAnotherName,
            Cause::Expired | Cause::ExpiredContext { .. } | Cause::NotValidYet | Cause::NotValidYetContext { .. } => {
                ConnectFailure::CertificateNotCurrent
            }
            _ => ConnectFailure::CertificateUntrusted,
        }),
        Some(_) => None,
        // The system's TLS (OpenSSL) gives the cause as text only. tests/renegotiation/native.rs fails if OpenSSL changes this text.
        None => {
            let cause = causes(error).map(ToString::to_string).find(|text| text.contains("certificate verify failed"))?;
            let has_any = |texts: [&str; 2]| texts.iter().any(|text| cause.contains(text));
            Some(match () {
                () if has_any(["hostname mismatch", "IP address mismatch"]) => ConnectFailure::CertificateForAnotherName,
                () if has_any(["has expired", "not yet valid"]) => ConnectFailure::CertificateNotCurrent,
                () => ConnectFailure::CertificateUntrusted,
            })
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("tunnel error: failed to create underlying connection")]
    struct TunnelError(#[source] Box<dyn Error>);

    fn not_resolved(shortage: Option<io::Error>) -> NameNotResolved {
        NameNotResolved { name: "lrs.example".into(), reason: "Name or service not known".into(), shortage }
    }

    #[test]
    fn lack_of_file_descriptors_is_found_behind_the_failures_that_it_causes() {
        let no_descriptor = || io::Error::from_raw_os_error(libc::EMFILE);
        for (error, expected) in [
            (Box::new(no_descriptor()) as Box<dyn Error>, ConnectFailure::NoFileDescriptor),
            (Box::new(io::Error::other(no_descriptor())), ConnectFailure::NoFileDescriptor),
            (Box::new(not_resolved(Some(no_descriptor()))), ConnectFailure::NoFileDescriptor),
            (Box::new(not_resolved(None)), ConnectFailure::NameNotResolved),
            (Box::new(TunnelError(no_descriptor().into())), ConnectFailure::NoFileDescriptor),
            (Box::new(TunnelError(not_resolved(Some(no_descriptor())).into())), ConnectFailure::NoFileDescriptor),
            (Box::new(TunnelError(not_resolved(None).into())), ConnectFailure::ProxyUnreachable),
        ] {
            assert_eq!(ConnectFailure::of(&*error), expected, "{error:?}");
        }
    }
}
