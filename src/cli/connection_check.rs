//! Connection check: one request to LRS over an organisation's own connection, and a report in plain words.
//!
//! The request is a GET of the learner service's path. It contains no personal data. Any HTTP response to it proves that there is a
//! connection.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::{Method, Response};
use reqwest::Url;
use rustls::AlertDescription;

use crate::error_chain::root_cause;
use crate::lrs::http_client::connect_failure::ConnectFailure;
use crate::lrs::http_client::read_body;
use crate::lrs::http_client::tls_alert::{is_certificate_alert, received_alert};
use crate::lrs::{Lrs, Service, iis_certificate_code, location_origin};
use crate::organisations::{Organisation, SendError};

/// Maximum size of a page that is searched for IIS' error codes.
const MAX_PAGE_BYTES: usize = 1024 * 1024;

/// Text about an LRS that requests the client certificate by renegotiation, with its solution.
const RENEGOTIATION: &str = if cfg!(feature = "native-tls") {
    "LRS requests the client certificate by renegotiation of TLS 1.2. The default TLS backend cannot do this. Set \
     lrs.tls_backend = \"native\""
} else {
    "LRS requests the client certificate by renegotiation of TLS 1.2. The default TLS backend cannot do this. Build the program with \
     `cargo build --release --features native-tls` and set lrs.tls_backend = \"native\""
};

/// Connects to LRS as an organisation, and returns a report of the result.
///
/// # Errors
/// Returns the error and its solution if the organisation cannot connect.
pub async fn check_connection(lrs: &Lrs, organisation: &Organisation) -> Result<String, String> {
    let endpoint = lrs.endpoint(Service::Learner);
    let url = endpoint.url();
    let report = |text: String| format!("organisation {}: {url}: {text}", organisation.ukprn());
    RENEGOTIATION_DETECTOR.start();
    let get = async {
        let exchange = organisation.connections().send(endpoint.server(), endpoint.request(Method::GET, Bytes::new())).await?;
        let (status, headers) = (exchange.response.status().as_u16(), exchange.response.headers());
        Ok::<_, SendError>((status, location_origin(url, headers), read_page(exchange.response).await))
    };
    let result = match tokio::time::timeout(lrs.timeout(), get).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(error)) => Err(explain_error(&error, url, organisation.certificate_validity().is_some())),
        Err(_) => Err("connected, but no complete response within lrs.timeout_seconds".to_owned()),
    };
    // A server can react to the refused renegotiation with any error or with a response. The detector is more certain than either.
    if RENEGOTIATION_DETECTOR.was_refused() {
        return Err(report(RENEGOTIATION.into()));
    }
    let (status, new_address, page) = result.map_err(report)?;
    if matches!(status, 301 | 308) {
        let target = new_address.unwrap_or_else(|| "an address that it does not state".to_owned());
        return Err(report(format!(
            "TLS works, but LRS has moved to {target} (HTTP status {status}). Ask LRS for its address, and check lrs.environment or \
             lrs.base_url"
        )));
    }
    if status == 407 {
        return Err(report(explain_connect_failure(ConnectFailure::ProxyLoginRequired, url)));
    }
    if let Some(error) = explain_iis_error(status, &page) {
        return Err(report(format!("TLS works, but LRS's web server {error} (HTTP status {status})")));
    }
    let connection = if url.scheme() == "https" { "connected, TLS works" } else { "connected, without TLS" };
    let remark = match status {
        401 => ": LRS may not know this certificate",
        403 => ": LRS may not know this certificate, or a firewall may block this machine's address",
        _ => "",
    };
    Ok(report(format!("{connection}, HTTP status {status}{remark}")))
}

async fn read_page(mut response: Response<Incoming>) -> Bytes {
    read_body(&mut response, MAX_PAGE_BYTES).await.unwrap_or_default()
}

/// Explains an error page of IIS about the client certificate.
fn explain_iis_error(status: u16, page: &[u8]) -> Option<&'static str> {
    Some(match iis_certificate_code(status, page)? {
        "403.7" => "received no client certificate. Check the organisation's client_certificate, and ask LRS",
        "403.12" => "cannot assign the client certificate to an account. Ask LRS to register the certificate",
        "403.13" => "reports that the client certificate was revoked, or that this cannot be checked. Ask LRS",
        "403.16" => "does not trust the client certificate. The issuers must follow it in its file, and LRS must know them",
        _ => "reports that the client certificate has expired, or is not valid yet",
    })
}

/// Explains why there was no response.
fn explain_error(error: &SendError, url: &Url, has_certificate: bool) -> String {
    if let Some(alert) = received_alert(error) {
        return explain_alert(alert, matches!(error, SendError::Connect(_)), has_certificate);
    }
    // An error of HTTP: the connection was there.
    if let SendError::Connect(cause) = error
        && !cause.is::<hyper::Error>()
    {
        let failure = ConnectFailure::of(&**cause);
        let explanation = explain_connect_failure(failure, url);
        let is_explained_by_cause =
            matches!(failure, ConnectFailure::TimedOut | ConnectFailure::Refused | ConnectFailure::TlsFailed | ConnectFailure::Closed);
        return if is_explained_by_cause { explanation } else { format!("{explanation} ({})", root_cause(error)) };
    }
    format!("TLS works, but the connection ended without a response: {}", root_cause(error))
}

fn explain_connect_failure(failure: ConnectFailure, url: &Url) -> String {
    let explanation = match failure {
        ConnectFailure::NameNotResolved => {
            let host = url.host_str().unwrap_or_default();
            return format!("the name {host} cannot be resolved. Check lrs.environment or lrs.base_url, and this machine's DNS");
        }
        ConnectFailure::TimedOut => {
            "no connection within lrs.connect_timeout_seconds. A firewall may block it. If this network requires a proxy, set lrs.proxy_url"
        }
        ConnectFailure::Refused => "the connection is refused. No server listens at this address, or a firewall refuses the connection",
        ConnectFailure::CertificateForAnotherName => "LRS's certificate is for another name. Check lrs.base_url",
        ConnectFailure::CertificateNotCurrent => {
            "LRS's certificate is not valid today. Check this machine's clock. If it is right, report the problem to LRS"
        }
        ConnectFailure::CertificateUntrusted => {
            "LRS's certificate is not trusted. If an authority of your own has issued it, set lrs.ca_certificate_file"
        }
        ConnectFailure::TlsFailed => "the server does not speak TLS, or its TLS is not supported. Check the port of lrs.base_url",
        ConnectFailure::Closed => {
            "the server closed the connection during the TLS handshake, without an alert. It may require another client certificate, or a \
             firewall may block this machine's address"
        }
        ConnectFailure::ProxyLoginRequired => {
            "the proxy requires a login. Set the user name in lrs.proxy_url, and lrs.proxy_password_file. If both are set, they are wrong"
        }
        ConnectFailure::ProxyRefused => {
            "the proxy did not open a connection to LRS. It must allow CONNECT to this address and port. If it requires a login, check it"
        }
        ConnectFailure::ProxyUnreachable => "the proxy cannot be reached. Check lrs.proxy_url",
        ConnectFailure::NoFileDescriptor => "this process may open no more files. Raise its limit (`ulimit -n`)",
        ConnectFailure::TlsAlert(_) | ConnectFailure::Other => "no connection",
    };
    explanation.into()
}

/// Explains the server's TLS alert. An alert arrives in the handshake or, with TLS 1.3, after the client has completed it.
fn explain_alert(alert: AlertDescription, in_handshake: bool, has_certificate: bool) -> String {
    let name = format!("TLS alert {alert:?}");
    match alert {
        AlertDescription::ProtocolVersion => format!("no version of TLS in common ({name}). The gateway uses TLS 1.2 or newer"),
        alert if !is_certificate_alert(alert) => format!("the server closed the connection ({name})"),
        _ if !has_certificate => {
            format!("LRS requires a client certificate ({name}), and the organisation has none. Set client_certificate in its file")
        }
        AlertDescription::HandshakeFailure if in_handshake => {
            format!("the TLS handshake failed ({name}). LRS requires another client certificate, or no cipher suite is in common")
        }
        AlertDescription::UnknownCA => format!(
            "LRS does not trust the organisation's client certificate ({name}). The issuers must follow it in its file, and LRS must know \
             them"
        ),
        _ => format!("LRS rejects the organisation's client certificate ({name}). Ask LRS whether it is registered and not revoked"),
    }
}

static RENEGOTIATION_DETECTOR: RenegotiationDetector = RenegotiationDetector { refused: AtomicBool::new(false) };

/// Detects that the server requested a renegotiation and rustls refused it.
///
/// rustls 0.23 has no typed way to tell: it answers the request with a warning alert, reports that in its log alone, and goes on. What
/// follows is the server's choice: OpenSSL sends a fatal alert, IIS resets the connection. The detector therefore reads the log of rustls.
/// tests/renegotiation/mod.rs connects to a server that renegotiates, and fails if rustls changes this log line.
struct RenegotiationDetector {
    refused: AtomicBool,
}

impl RenegotiationDetector {
    /// Starts to detect, and forgets earlier renegotiations.
    fn start(&'static self) {
        if log::set_logger(self).is_ok() {
            log::set_max_level(log::LevelFilter::Warn);
        }
        self.refused.store(false, Ordering::SeqCst);
    }

    /// Returns `true` if a renegotiation was refused since the start.
    fn was_refused(&self) -> bool {
        self.refused.load(Ordering::SeqCst)
    }
}

impl log::Log for RenegotiationDetector {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with("rustls")
    }

    /// Looks for the alert by the name that rustls gives it, as in "Sending warning alert NoRenegotiation".
    fn log(&self, record: &log::Record<'_>) {
        let alert = format!("{:?}", AlertDescription::NoRenegotiation);
        if self.enabled(record.metadata()) && record.args().to_string().contains(&alert) {
            self.refused.store(true, Ordering::SeqCst);
        }
    }

    fn flush(&self) {}
}
