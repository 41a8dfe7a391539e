//! Connection check: one request to LRS over an organisation's own connection, and a report in plain words.
//!
//! The request is a GET of the learner service's path. It contains no personal data. Any HTTP response to it proves that there is a
//! connection.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::{Response, Url};
use rustls::{AlertDescription, CertificateError};

use crate::error_chain::{causes, root_cause};
use crate::lrs::http_client::tls_alert::{is_certificate_alert, received_alert, rustls_error};
use crate::lrs::{Lrs, Service};
use crate::organisations::Organisation;

/// Number of bytes of a response that are searched for IIS' error codes.
const MAX_PAGE_BYTES: usize = 64 * 1024;

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
    let address = lrs.service_url(Service::Learner);
    let report = |text: String| format!("organisation {}: {address}: {text}", organisation.ukprn());
    let url = Url::parse(&address).map_err(|error| report(error.to_string()))?;
    let host = url.host_str().unwrap_or_default();
    url.socket_addrs(|| None).map_err(|error| {
        report(format!("the name {host} cannot be resolved ({error}). Check lrs.environment or lrs.base_url, and this machine's DNS"))
    })?;
    RENEGOTIATION_DETECTOR.start();
    let result = match organisation.http_client().get(url.clone()).timeout(lrs.timeout()).send().await {
        Ok(response) => Ok((response.status().as_u16(), read_page(response).await)),
        Err(error) => Err(explain_error(&error, organisation.certificate_validity().is_some())),
    };
    // A server can react to the refused renegotiation with any error or with a response. The detector is more certain than either.
    if RENEGOTIATION_DETECTOR.was_refused() {
        return Err(report(RENEGOTIATION.into()));
    }
    let (status, page) = result.map_err(report)?;
    if let Some(error) = explain_iis_error(status, &page) {
        return Err(report(format!("TLS works, but LRS's web server {error} (HTTP status {status})")));
    }
    let connection = if url.scheme() == "https" { "connected, TLS works" } else { "connected, without TLS" };
    let remark = if matches!(status, 401 | 403) { ": LRS may not know this certificate" } else { "" };
    Ok(report(format!("{connection}, HTTP status {status}{remark}")))
}

async fn read_page(mut response: Response) -> String {
    let mut page = Vec::new();
    while page.len() < MAX_PAGE_BYTES
        && let Ok(Some(chunk)) = response.chunk().await
    {
        page.extend_from_slice(&chunk);
    }
    String::from_utf8_lossy(&page).into_owned()
}

/// Explains an error page of IIS about the client certificate. IIS accepts every certificate in the handshake, then rejects it with a page.
fn explain_iis_error(status: u16, page: &str) -> Option<&'static str> {
    const EXPLANATIONS: [(&str, &str); 5] = [
        ("403.7", "received no client certificate. Check the organisation's client_certificate, and ask LRS"),
        ("403.12", "cannot assign the client certificate to an account. Ask LRS to register the certificate"),
        ("403.13", "reports that the client certificate was revoked, or that this cannot be checked. Ask LRS"),
        ("403.16", "does not trust the client certificate. The issuers must follow it in its file, and LRS must know them"),
        ("403.17", "reports that the client certificate has expired, or is not valid yet"),
    ];
    // The code must end where the number ends: 403.70 is another error.
    let has_code = |code: &str| page.match_indices(code).any(|(at, _)| !page[at + code.len()..].starts_with(|c: char| c.is_ascii_digit()));
    EXPLANATIONS.iter().find(|(code, _)| status == 403 && has_code(code)).map(|(_, explanation)| *explanation)
}

/// Explains why there was no response.
fn explain_error(error: &reqwest::Error, has_certificate: bool) -> String {
    if let Some(alert) = received_alert(error) {
        return explain_alert(alert, error.is_connect(), has_certificate);
    }
    if let Some(explanation) = explain_untrusted_server(error) {
        return explanation;
    }
    let kind = causes(error).find_map(|cause| cause.downcast_ref::<std::io::Error>()).map(std::io::Error::kind);
    match (error.is_connect(), error.is_timeout(), kind) {
        (true, true, _) => {
            "no connection within lrs.connect_timeout_seconds. A firewall or a proxy may block it: the gateway connects to LRS \
             directly, on the port of the address"
                .into()
        }
        (false, true, _) => "connected, but no response within lrs.timeout_seconds".into(),
        (true, _, Some(ErrorKind::ConnectionRefused)) => {
            "the connection is refused. No server listens at this address, or a firewall refuses the connection".into()
        }
        (true, ..) if matches!(rustls_error(error), Some(rustls::Error::InvalidMessage(_))) => {
            "the server does not speak TLS. Check the port of lrs.base_url".into()
        }
        (true, _, Some(ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof)) => {
            "the server closed the connection during the TLS handshake, without an alert. It may require another client certificate, or a \
             firewall may block this machine's address"
                .into()
        }
        (true, ..) => format!("no connection: {}", root_cause(error)),
        (false, ..) => format!("TLS works, but the connection ended without a response: {}", root_cause(error)),
    }
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

/// Explains why the server's certificate is not accepted.
fn explain_untrusted_server(error: &reqwest::Error) -> Option<String> {
    const WRONG_NAME: &str = "LRS's certificate is for another name. Check lrs.base_url";
    const NOT_CURRENT: &str = "LRS's certificate is not valid today. Check this machine's clock. If it is right, report the problem to LRS";
    const UNTRUSTED: &str = "LRS's certificate is not trusted. If an authority of your own has issued it, set lrs.ca_certificate_file";
    let (explanation, cause) = match rustls_error(error) {
        Some(rustls::Error::InvalidCertificate(cause)) => {
            use CertificateError as Cause;
            let explanation = match cause {
                Cause::NotValidForName | Cause::NotValidForNameContext { .. } => WRONG_NAME,
                Cause::Expired | Cause::ExpiredContext { .. } | Cause::NotValidYet | Cause::NotValidYetContext { .. } => NOT_CURRENT,
                _ => UNTRUSTED,
            };
            (explanation, cause.to_string())
        }
        Some(_) => return None,
        // The system's TLS (OpenSSL) gives the cause as text only. tests/renegotiation/native.rs fails if OpenSSL changes this text.
        None => {
            let cause = causes(error).map(ToString::to_string).find(|text| text.contains("certificate verify failed"))?;
            let has_any = |texts: [&str; 2]| texts.iter().any(|text| cause.contains(text));
            let explanation = match () {
                () if has_any(["hostname mismatch", "IP address mismatch"]) => WRONG_NAME,
                () if has_any(["has expired", "not yet valid"]) => NOT_CURRENT,
                () => UNTRUSTED,
            };
            (explanation, cause)
        }
    };
    Some(format!("{explanation} ({cause})"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iis_error_page_known_codes_only_are_explained() {
        let page = |code: &str| format!("<h2>HTTP Error {code} - Forbidden</h2>");
        assert!(explain_iis_error(403, &page("403.7")).is_some_and(|text| text.contains("no client certificate")));
        assert!(explain_iis_error(403, &page("403.16")).is_some_and(|text| text.contains("does not trust")));
        for (status, code) in [(403, "403.1"), (403, "403.70"), (403, "403"), (200, "403.7")] {
            assert_eq!(explain_iis_error(status, &page(code)), None, "{status} {code}");
        }
    }
}
