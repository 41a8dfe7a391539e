//! A request body, read and checked in one go.

use std::ops::Deref;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::{FromRequest, HttpRequest};
use aws_lc_rs::digest::{Digest, SHA256, digest};
use futures_util::StreamExt as _;

use crate::api::extract::idempotency::IDEMPOTENCY_KEY;
use crate::auth::{ExtractFuture, authenticated};
use crate::problem::{Code, Problem};
use crate::schema::deserialize::{FromDocument, from_json};

/// Most bytes of a request about a single learner.
pub const MAX_BYTES: usize = 64 * 1024;

/// How long a body may take to arrive, and what it must bring a second beyond that.
const SLOWEST_BODY: Duration = Duration::from_secs(20);
const FEWEST_BYTES_A_SECOND: usize = 512 * 1024;

/// Larger bodies are read beside the threads that serve everybody.
const LARGE: usize = 256 * 1024;

/// How much of a body that is too large is read before the answer: clients that only listen after they have sent
/// everything would otherwise never see it.
const DRAINED_BYTES: usize = 8 * 1024 * 1024;

/// A JSON body of at most `MOST` bytes that became a `T`.
#[derive(Debug)]
pub struct Body<T, const MOST: usize = MAX_BYTES> {
    /// What it became.
    pub value: T,
    /// What tells its bytes from others, if the request has a key to compare them by.
    pub digest: Option<Digest>,
}

impl<T, const MOST: usize> Deref for Body<T, MOST> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: FromDocument + Send + 'static, const MOST: usize> FromRequest for Body<T, MOST> {
    type Error = Problem;
    type Future = ExtractFuture<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = is_json(request);
        let announced = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let has_key = request.headers().contains_key(IDEMPOTENCY_KEY);
        let (admitted, mut payload) = (authenticated(request.clone()), payload.take());
        Box::pin(async move {
            admitted.await;
            if !is_json {
                return Err(Problem::new(Code::UnsupportedMediaType));
            }
            let reading = read::<MOST>(&mut payload, announced.unwrap_or(0));
            let too_slow = |_| Problem::new(Code::MalformedRequest).detail("The request body did not arrive in time.");
            let longest = SLOWEST_BODY + Duration::from_secs((MOST / FEWEST_BYTES_A_SECOND) as u64);
            let bytes = tokio::time::timeout(longest, reading).await.map_err(too_slow)??;
            let large = bytes.len() >= LARGE;
            let parse = move || from_json(&bytes).map(|value| Self { value, digest: has_key.then(|| digest(&SHA256, &bytes)) });
            let parsed = if large {
                actix_web::web::block(parse).await.map_err(|error| Problem::new(Code::InternalError).cause(error))?
            } else {
                parse()
            };
            parsed.map_err(Problem::of_mistakes)
        })
    }
}

async fn read<const MOST: usize>(payload: &mut Payload, announced: usize) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::with_capacity(announced.min(MOST));
    let mut length = 0;
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| Problem::new(Code::MalformedRequest).detail("The request body broke off.").cause(error))?;
        length += chunk.len();
        if length > MOST + DRAINED_BYTES {
            break;
        }
        if length <= MOST {
            bytes.extend_from_slice(&chunk);
        }
    }
    if length > MOST {
        return Err(Problem::new(Code::BodyTooLarge).detail(format!("The request body must have at most {MOST} bytes.")));
    }
    Ok(bytes)
}

/// `application/json`, in UTF-8 if it says anything about that, and not compressed.
fn is_json(request: &HttpRequest) -> bool {
    if request.headers().get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return false;
    }
    let Some(value) = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let mut parts = value.split(';').map(str::trim);
    let json = parts.next().is_some_and(|mime| mime.eq_ignore_ascii_case("application/json"));
    json && parts.all(|parameter| match parameter.split_once('=') {
        Some((name, charset)) if name.eq_ignore_ascii_case("charset") => charset.trim_matches('"').eq_ignore_ascii_case("utf-8"),
        _ => true,
    })
}
