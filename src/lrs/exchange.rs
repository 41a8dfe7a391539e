//! One HTTP exchange with LRS, and the errors of its transport.

use reqwest::RequestBuilder;
use reqwest::header::{CONTENT_TYPE, HeaderMap};

use crate::lrs::error::LrsError;
use crate::lrs::http_client::read_body;
use crate::lrs::http_client::tls_alert::{is_certificate_alert, received_alert};
use crate::xml::XmlError;

/// A complete HTTP response.
#[derive(Debug)]
pub struct RawResponse {
    /// The HTTP status.
    pub status: u16,
    /// The HTTP headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Vec<u8>,
}

impl RawResponse {
    /// Returns the media type; empty if the header is missing.
    pub fn content_type(&self) -> &str {
        self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Sends a request and reads the response.
///
/// # Errors
/// Returns [`LrsError::ResponseTooLarge`] if the body has more than `max_response_bytes`, and the classified transport error if there is
/// no complete response.
pub async fn exchange(request: RequestBuilder, max_response_bytes: usize) -> Result<RawResponse, LrsError> {
    let mut response = request.send().await.map_err(|error| classify_send_error(&error))?;
    let body = read_body(&mut response, max_response_bytes).await.map_err(|error| classify_body_error(&error))?;
    let body = body.ok_or(LrsError::ResponseTooLarge)?;
    Ok(RawResponse { status: response.status().as_u16(), headers: std::mem::take(response.headers_mut()), body })
}

/// Classifies an error before the response started. TLS alerts about certificates can arrive late: with TLS 1.3 the server may send them
/// after the handshake.
fn classify_send_error(error: &reqwest::Error) -> LrsError {
    if received_alert(error).is_some_and(is_certificate_alert) {
        LrsError::CredentialsRejected(None)
    } else if error.is_connect() {
        LrsError::Unreachable
    } else if error.is_timeout() {
        LrsError::Timeout
    } else {
        LrsError::ConnectionLost
    }
}

/// Classifies an error after the response started. A truncated response is invalid.
fn classify_body_error(error: &reqwest::Error) -> LrsError {
    match classify_send_error(error) {
        LrsError::ConnectionLost => LrsError::InvalidResponse(XmlError::Malformed.into()),
        error => error,
    }
}
