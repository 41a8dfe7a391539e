//! One HTTP exchange with LRS, and the errors of its transport.

use std::io::ErrorKind;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER};
use jiff::Timestamp;
use reqwest::Url;
use tokio::time::Instant;

use crate::error_chain::io_error_kind;
use crate::lrs::error::{CertificateRejection, LrsError};
use crate::lrs::http_client::connect_failure::ConnectFailure;
use crate::lrs::http_client::tls_alert::{is_certificate_alert, received_alert, rustls_error};
use crate::lrs::http_client::{BodyError, Endpoint, read_body};
use crate::lrs::intermediary_response::ResponseHead;
use crate::lrs::retry_after::parse_retry_after;
use crate::organisations::{Connections, SendError};

/// Limits of an exchange.
#[derive(Debug, Clone, Copy)]
pub struct ExchangeLimits {
    /// Maximum size of a response, in bytes.
    pub max_response_bytes: usize,
    /// Time after which a response is late.
    pub prompt_response: Duration,
}

/// Maximum length of a host name (RFC 1035).
const MAX_HOST_LENGTH: usize = 253;

/// A complete HTTP response.
#[derive(Debug)]
pub struct RawResponse {
    /// The HTTP status.
    pub status: u16,
    /// The HTTP headers.
    headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// `true` if the response came after [`ExchangeLimits::prompt_response`].
    is_late: bool,
}

impl RawResponse {
    /// Returns what the head of the response from this address says about who responded and why. Only errors need the headers about time and
    /// place.
    pub fn head(&self, requested: &Url) -> ResponseHead<'_> {
        let (status, content_type, is_late) = (self.status, self.header(&CONTENT_TYPE), self.is_late);
        let head = ResponseHead { status, content_type, is_late, ..ResponseHead::default() };
        if self.status == 200 {
            return head;
        }
        ResponseHead {
            retry_after: parse_retry_after(self.header(&RETRY_AFTER), Timestamp::now()),
            location_origin: location_origin(requested, &self.headers),
            ..head
        }
    }

    /// Returns the value of a header; empty if it is missing or not text.
    fn header(&self, name: &HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Returns scheme, host and port of the address in the header `Location`, which may be relative to the request's; `None` if it is missing or
/// not the address of a web server.
pub fn location_origin(requested: &Url, headers: &HeaderMap) -> Option<String> {
    let url = requested.join(headers.get(LOCATION)?.to_str().ok()?).ok()?;
    (url.host_str()?.len() <= MAX_HOST_LENGTH).then(|| url.origin().ascii_serialization())
}

/// Sends a request and reads the response.
///
/// # Errors
/// Returns [`LrsError::ResponseTooLarge`] if the body is larger than allowed, and the classified transport error if there is no complete
/// response.
pub async fn exchange(
    connections: &Connections,
    endpoint: &Endpoint,
    request: Request<Full<Bytes>>,
    limits: ExchangeLimits,
) -> Result<RawResponse, LrsError> {
    let sent_at = Instant::now();
    let mut exchange = connections.send(endpoint.server(), request).await.map_err(|error| classify_send_error(&error))?;
    let is_late = sent_at.elapsed() >= limits.prompt_response;
    let body = read_body(&mut exchange.response, limits.max_response_bytes).await.map_err(|error| match error {
        BodyError::Transport(error) => classify_transport_error(&error),
        BodyError::TooLarge => LrsError::ResponseTooLarge,
        BodyError::Coding(reason) => LrsError::InvalidHttp(reason),
    })?;
    let (status, headers) = (exchange.response.status().as_u16(), std::mem::take(exchange.response.headers_mut()));
    exchange.complete();
    Ok(RawResponse { status, headers, body, is_late })
}

/// Classifies an error before the response started. TLS alerts about certificates can arrive late: with TLS 1.3 the server may send them
/// after the handshake.
fn classify_send_error(error: &SendError) -> LrsError {
    if let Some(alert) = received_alert(error).filter(|alert| is_certificate_alert(*alert)) {
        return LrsError::CertificateRejected(CertificateRejection::TlsAlert(alert));
    }
    match error {
        SendError::Connect(cause) => LrsError::Unreachable(ConnectFailure::of(&**cause)),
        SendError::Exchange(error) => classify_transport_error(error),
    }
}

/// Classifies an error on a connection: the response's HTTP is invalid, or the connection was lost.
fn classify_transport_error(error: &hyper::Error) -> LrsError {
    if error.is_parse() {
        return LrsError::InvalidHttp("its head cannot be parsed or is too large");
    }
    // hyper reports invalid chunks this way; so does rustls a broken TLS record, which is a broken connection.
    match io_error_kind(error) {
        Some(ErrorKind::InvalidInput | ErrorKind::InvalidData) if rustls_error(error).is_none() => {
            LrsError::InvalidHttp("its chunks cannot be parsed")
        }
        _ => LrsError::ConnectionLost,
    }
}
