//! Bodies of responses: their size limit and their content coding.

use std::io::Read as _;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http_body_util::BodyExt as _;
use hyper::Response;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONTENT_ENCODING, HeaderMap};

/// The reason why a body cannot be read.
#[derive(Debug)]
pub enum BodyError {
    /// The connection failed before the body was complete, or its chunks are invalid.
    Transport(hyper::Error),
    /// The body is larger than allowed, as it was sent or after decompression.
    TooLarge,
    /// The body does not have the content coding that its header states, or the header states one that the gateway did not ask for.
    Coding(&'static str),
}

/// Reads the body of a response and decompresses it.
///
/// The HTTP client could decompress too, but reads neither a coding in capitals (RFC 9110, 8.4.1) nor the second member of a gzip file
/// (RFC 1952, 2.2).
///
/// # Errors
/// Returns [`BodyError`] if the body is incomplete, larger than `max_bytes` or not decodable.
pub async fn read_body(response: &mut Response<Incoming>, max_bytes: usize) -> Result<Bytes, BodyError> {
    let body = read_bytes(response.body_mut(), max_bytes).await?;
    if body.is_empty() {
        return Ok(body);
    }
    let mut codings = codings(response.headers()).filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"));
    match (codings.next(), codings.next()) {
        (None, _) => Ok(body),
        // A second coding could be a third and a thousandth.
        (Some(coding), None) if ["gzip", "x-gzip"].iter().any(|gzip| coding.eq_ignore_ascii_case(gzip)) => decompress(&body, max_bytes),
        _ => Err(BodyError::Coding("its body has another content coding than gzip, or several")),
    }
}

/// Reads a body as it was sent. One that arrives in one piece is not copied.
async fn read_bytes(incoming: &mut Incoming, max_bytes: usize) -> Result<Bytes, BodyError> {
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        // Trailers are ignored.
        let Ok(chunk) = frame.map_err(BodyError::Transport)?.into_data() else { continue };
        if body.len() + chunk.len() > max_bytes {
            return Err(BodyError::TooLarge);
        }
        if body.is_empty() && incoming.is_end_stream() {
            return Ok(chunk);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}

fn codings(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers.get_all(CONTENT_ENCODING).into_iter().flat_map(|value| value.to_str().unwrap_or("?").split(',')).map(str::trim)
}

/// Decompresses all members of a gzip file.
fn decompress(gzip: &[u8], max_bytes: usize) -> Result<Bytes, BodyError> {
    let mut body = Vec::new();
    let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(gzip)
        .take(limit)
        .read_to_end(&mut body)
        .map_err(|_| BodyError::Coding("its body is not the gzip that its header states"))?;
    if body.len() > max_bytes { Err(BodyError::TooLarge) } else { Ok(body.into()) }
}
