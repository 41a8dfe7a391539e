//! Does the connection to LRS work? One request over an organisation's own connections, and in words what became of it.
//!
//! It is a GET of the learner service's path, without a word about anybody: whatever LRS answers to it, there was a connection.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::{Response, Url};
use rustls::{AlertDescription, CertificateError};

use crate::error_chain::{causes, root_cause};
use crate::lrs::http_client::tls_alert::{about_certificates, alert, rustls_error};
use crate::lrs::{Lrs, Service};
use crate::organisations::Organisation;

/// As much of an answer as is looked at.
const MOST_OF_A_PAGE: usize = 64 * 1024;

/// The way out of renegotiation.
const RENEGOTIATION: &str = if cfg!(feature = "native-tls") {
    "LRS asks for the client certificate by renegotiation of TLS 1.2, which the default TLS cannot answer: set lrs.tls_backend = \"native\""
} else {
    "LRS asks for the client certificate by renegotiation of TLS 1.2, which the default TLS cannot answer: build with \
     `cargo build --release --features native-tls` and set lrs.tls_backend = \"native\""
};

/// Connects as this organisation, and says what came of it.
///
/// # Errors
/// What keeps the organisation from LRS, and what to do about it.
pub async fn connect(lrs: &Lrs, organisation: &Organisation) -> Result<String, String> {
    let address = lrs.service_url(Service::Learner);
    let at = |what: String| format!("organisation {}: {address}: {what}", organisation.ukprn());
    let url = Url::parse(&address).map_err(|error| at(error.to_string()))?;
    let host = url.host_str().unwrap_or_default();
    url.socket_addrs(|| None).map_err(|error| {
        at(format!("the name {host} cannot be resolved ({error}): look at lrs.environment or lrs.base_url, and at this machine's DNS"))
    })?;
    RENEGOTIATIONS.listen();
    let answered = match organisation.http_client().get(url.clone()).timeout(lrs.timeout()).send().await {
        Ok(response) => Ok((response.status().as_u16(), start_of_page(response).await)),
        Err(error) => Err(explained(&error, organisation.certificate_validity().is_some())),
    };
    // The refusal ends connections in many ways, or in none: that there was one is more certain.
    if RENEGOTIATIONS.refused() {
        return Err(at(RENEGOTIATION.into()));
    }
    let (status, page) = answered.map_err(at)?;
    if let Some(refusal) = refusal_of_iis(status, &page) {
        return Err(at(format!("TLS works, but LRS's web server {refusal} (HTTP status {status})")));
    }
    let how = if url.scheme() == "https" { "connected, TLS works" } else { "connected, without TLS" };
    let remark = if matches!(status, 401 | 403) { ": LRS may not know this certificate" } else { "" };
    Ok(at(format!("{how}, HTTP status {status}{remark}")))
}

async fn start_of_page(mut response: Response) -> String {
    let mut page = Vec::new();
    while page.len() < MOST_OF_A_PAGE
        && let Ok(Some(chunk)) = response.chunk().await
    {
        page.extend_from_slice(&chunk);
    }
    String::from_utf8_lossy(&page).into_owned()
}

/// IIS lets everybody in and says on a page that it does not like the certificate.
fn refusal_of_iis(status: u16, page: &str) -> Option<&'static str> {
    const REFUSALS: [(&str, &str); 5] = [
        ("403.7", "says that it was shown no client certificate: look at the organisation's client_certificate, and ask LRS"),
        ("403.12", "does not know whose client certificate this is: ask LRS to register it"),
        ("403.13", "says that the client certificate was revoked, or cannot find out: ask LRS"),
        ("403.16", "does not trust the client certificate: its issuers must be in the file after it, and be those that LRS knows"),
        ("403.17", "says that the client certificate has expired, or is not valid yet"),
    ];
    // A page that names another number, such as 403.70, means something else.
    let says = |code: &str| page.match_indices(code).any(|(at, _)| !page[at + code.len()..].starts_with(|c: char| c.is_ascii_digit()));
    REFUSALS.iter().find(|(code, _)| status == 403 && says(code)).map(|(_, meaning)| *meaning)
}

/// Why there was no answer, and what to do.
fn explained(error: &reqwest::Error, has_certificate: bool) -> String {
    if let Some(alert) = alert(error) {
        return of_alert(alert, error.is_connect(), has_certificate);
    }
    if let Some(distrust) = distrust(error) {
        return distrust;
    }
    let kind = causes(error).find_map(|cause| cause.downcast_ref::<std::io::Error>()).map(std::io::Error::kind);
    match (error.is_connect(), error.is_timeout(), kind) {
        (true, true, _) => "no connection within lrs.connect_timeout_seconds: a firewall or proxy may be in the way, LRS is called \
             directly, on the port of its address"
            .into(),
        (false, true, _) => "connected, but no answer within lrs.timeout_seconds".into(),
        (true, _, Some(ErrorKind::ConnectionRefused)) => "the connection is refused: nobody listens there, or a firewall refuses it".into(),
        (true, ..) if matches!(rustls_error(error), Some(rustls::Error::InvalidMessage(_))) => {
            "what answers there does not speak TLS: look at the port of lrs.base_url".into()
        }
        (true, _, Some(ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof)) => {
            "the other side ended the connection during the TLS handshake, without saying why: it may want another client certificate, or \
             something between may not let this address through"
                .into()
        }
        (true, ..) => format!("no connection: {}", root_cause(error)),
        (false, ..) => format!("TLS works, but the connection ended without an answer: {}", root_cause(error)),
    }
}

/// What the other side's alert says. They come in the handshake or, with TLS 1.3, when it seems to be over.
fn of_alert(alert: AlertDescription, in_handshake: bool, has_certificate: bool) -> String {
    let name = format!("TLS alert {alert:?}");
    match alert {
        AlertDescription::ProtocolVersion => format!("no version of TLS in common ({name}): 1.2 or newer is spoken here"),
        alert if !about_certificates(alert) => format!("the other side ended the connection ({name})"),
        _ if !has_certificate => {
            format!("LRS wants a client certificate ({name}), and the organisation has none: set client_certificate in its file")
        }
        AlertDescription::HandshakeFailure if in_handshake => {
            format!("no agreement ({name}): LRS wants another client certificate, or no cipher suite is in common")
        }
        AlertDescription::UnknownCA => format!(
            "LRS does not trust the organisation's client certificate ({name}): its issuers must be in the file after it, and be those that \
             LRS knows"
        ),
        _ => format!("LRS refuses the organisation's client certificate ({name}): ask LRS whether it is registered and not revoked"),
    }
}

/// Why the other side is not taken for LRS.
fn distrust(error: &reqwest::Error) -> Option<String> {
    use CertificateError as Problem;
    const NAME: &str = "LRS's certificate is for another name: look at lrs.base_url";
    const TIME: &str = "LRS's certificate is not valid today: look at this machine's clock, and tell LRS";
    const UNKNOWN: &str = "LRS's certificate is not trusted: if its authority is one of your own, give it in lrs.ca_certificate_file";
    let (meaning, words) = match rustls_error(error) {
        Some(rustls::Error::InvalidCertificate(problem)) => (
            match problem {
                Problem::NotValidForName | Problem::NotValidForNameContext { .. } => NAME,
                Problem::Expired | Problem::ExpiredContext { .. } | Problem::NotValidYet | Problem::NotValidYetContext { .. } => TIME,
                _ => UNKNOWN,
            },
            problem.to_string(),
        ),
        Some(_) => return None,
        // The system's TLS has words only.
        None => {
            let words = causes(error).map(ToString::to_string).find(|words| words.contains("certificate verify failed"))?;
            let speaks_of = |signs: [&str; 2]| signs.iter().any(|sign| words.contains(sign));
            let meaning = match () {
                () if speaks_of(["hostname mismatch", "IP address mismatch"]) => NAME,
                () if speaks_of(["has expired", "not yet valid"]) => TIME,
                () => UNKNOWN,
            };
            (meaning, words)
        }
    };
    Some(format!("{meaning} ({words})"))
}

static RENEGOTIATIONS: Renegotiations = Renegotiations { refused: AtomicBool::new(false) };

/// Renegotiations that rustls was asked for and refused. It tells nobody but the log; what follows is the server's choice: OpenSSL sends
/// an alert, IIS resets the connection.
struct Renegotiations {
    refused: AtomicBool,
}

impl Renegotiations {
    fn listen(&'static self) {
        if log::set_logger(self).is_ok() {
            log::set_max_level(log::LevelFilter::Warn);
        }
        self.refused.store(false, Ordering::SeqCst);
    }

    fn refused(&self) -> bool {
        self.refused.load(Ordering::SeqCst)
    }
}

impl log::Log for Renegotiations {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with("rustls")
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) && record.args().to_string().contains("NoRenegotiation") {
            self.refused.store(true, Ordering::SeqCst);
        }
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_iis_are_read() {
        let page = |code: &str| format!("<h2>HTTP Error {code} - Forbidden</h2>");
        assert!(refusal_of_iis(403, &page("403.7")).is_some_and(|words| words.contains("no client certificate")));
        assert!(refusal_of_iis(403, &page("403.16")).is_some_and(|words| words.contains("does not trust")));
        for (status, code) in [(403, "403.1"), (403, "403.70"), (403, "403"), (200, "403.7")] {
            assert_eq!(refusal_of_iis(status, &page(code)), None, "{status} {code}");
        }
    }
}
