//! JSON request bodies: reading, size limit, validation.

use std::ops::Deref;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use aws_lc_rs::digest::{Digest, SHA256, digest};
use futures_util::StreamExt as _;
use utoipa::ToSchema;

use crate::api::description::Description;
use crate::api::extract::idempotency::IDEMPOTENCY_KEY;
use crate::api::handler::Input;
use crate::auth::AdmittedRequest;
use crate::problem::{Code, Problem};
use crate::schema::Warnings;
use crate::schema::deserialize::{FromDocument, from_json_with_warnings};

/// Default for the maximum size of a body, in bytes. It suits requests about a single learner.
pub const DEFAULT_MAX_BYTES: usize = 64 * 1024;

/// Time for the transfer of a body of any size. Large bodies get more, see [`MIN_BYTES_PER_SECOND`].
const BASE_TRANSFER_TIME: Duration = Duration::from_secs(20);
/// Transfer rate that determines how much longer the transfer of a large body may take, in bytes per second.
const MIN_BYTES_PER_SECOND: usize = 512 * 1024;

/// Size from which a body is parsed on the blocking pool, in bytes, so that it does not delay other requests.
const OFFLOAD_THRESHOLD_BYTES: usize = 256 * 1024;

/// Number of bytes above the maximum that the gateway reads and discards. Clients that read the answer only after they have sent everything
/// would otherwise not receive it.
const DRAINED_BYTES: usize = 8 * 1024 * 1024;

/// A valid JSON body of at most `MAX_BYTES` bytes.
#[derive(Debug)]
pub struct Body<T, const MAX_BYTES: usize = DEFAULT_MAX_BYTES> {
    /// The parsed body.
    pub value: T,
    /// The digest of the bytes, if the request has an `Idempotency-Key`.
    pub digest: Option<Digest>,
    /// Hints about fields, which the answer may state.
    pub warnings: Warnings,
}

impl<T, const MAX_BYTES: usize> Deref for Body<T, MAX_BYTES> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: FromDocument + ToSchema + Send + 'static, const MAX_BYTES: usize> Input for Body<T, MAX_BYTES> {
    fn describe(description: &mut Description) {
        description.set_request_body::<T>();
    }

    async fn read(request: AdmittedRequest) -> Result<Self, Problem> {
        if !is_json(request.head()) {
            return Err(Problem::new(Code::UnsupportedMediaType));
        }
        let headers = request.head().headers();
        let content_length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let has_idempotency_key = headers.contains_key(IDEMPOTENCY_KEY);
        let mut payload = request.into_payload();
        let read = read::<MAX_BYTES>(&mut payload, content_length.unwrap_or(0));
        let too_slow = |_| Problem::new(Code::MalformedRequest).detail("The request body did not arrive in time. Send it faster.");
        let max_transfer_time = BASE_TRANSFER_TIME + Duration::from_secs((MAX_BYTES / MIN_BYTES_PER_SECOND) as u64);
        let bytes = tokio::time::timeout(max_transfer_time, read).await.map_err(too_slow)??;
        let is_large = bytes.len() >= OFFLOAD_THRESHOLD_BYTES;
        let parse = move || {
            let digest = has_idempotency_key.then(|| digest(&SHA256, &bytes));
            from_json_with_warnings(&bytes).map(|(value, warnings)| Self { value, digest, warnings })
        };
        let parsed = if is_large {
            actix_web::web::block(parse).await.map_err(|error| Problem::new(Code::InternalError).cause(error))?
        } else {
            parse()
        };
        parsed.map_err(Problem::from_field_errors)
    }
}

async fn read<const MAX_BYTES: usize>(payload: &mut Payload, content_length: usize) -> Result<Vec<u8>, Problem> {
    let incomplete =
        |error| Problem::new(Code::MalformedRequest).detail("The connection was lost before the request body was complete.").cause(error);
    let mut bytes = Vec::with_capacity(content_length.min(MAX_BYTES));
    let mut length = 0;
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(incomplete)?;
        length += chunk.len();
        if length > MAX_BYTES + DRAINED_BYTES {
            break;
        }
        if length <= MAX_BYTES {
            bytes.extend_from_slice(&chunk);
        }
    }
    if length > MAX_BYTES {
        return Err(Problem::new(Code::BodyTooLarge).detail(format!("The request body must have at most {MAX_BYTES} bytes.")));
    }
    Ok(bytes)
}

/// Returns `true` for uncompressed `application/json`. A `charset`, if there is one, must be UTF-8.
fn is_json(request: &HttpRequest) -> bool {
    if request.headers().get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return false;
    }
    let Some(value) = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let mut parts = value.split(';').map(str::trim);
    let has_json_type = parts.next().is_some_and(|mime| mime.eq_ignore_ascii_case("application/json"));
    has_json_type
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, charset)) if name.eq_ignore_ascii_case("charset") => charset.trim_matches('"').eq_ignore_ascii_case("utf-8"),
            _ => true,
        })
}
