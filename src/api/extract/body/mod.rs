//! JSON request bodies: reading, size limit, validation.

mod media_type;
mod transfer;

use std::ops::Deref;

use actix_web::http::header::CONTENT_LENGTH;
use aws_lc_rs::digest::Digest;
use utoipa::ToSchema;

use crate::api::description::Description;
use crate::api::extract::body::media_type::coding_of_json;
use crate::api::extract::body::transfer::{ReceivedBody, Transfer};
use crate::api::extract::idempotency::IDEMPOTENCY_KEY;
use crate::api::handler::Input;
use crate::app::State;
use crate::app::request_memory::{Reservation, SMALL_BODY_BYTES};
use crate::auth::AdmittedRequest;
use crate::problem::{Code, Problem};
use crate::schema::Warnings;
use crate::schema::deserialize::{FromDocument, ParsedBody, from_json_with_digest};

/// Default for the maximum size of a body, in bytes. It suits requests about a single learner.
pub const DEFAULT_MAX_BYTES: usize = SMALL_BODY_BYTES;

/// Size from which a body is parsed on the blocking pool, in bytes, so that it does not delay other requests.
const OFFLOAD_THRESHOLD_BYTES: usize = 256 * 1024;

/// A valid JSON body of at most `MAX_BYTES` bytes.
#[derive(Debug)]
pub struct Body<T, const MAX_BYTES: usize = DEFAULT_MAX_BYTES> {
    /// The parsed body.
    pub value: T,
    /// What identifies the body, if the request has an `Idempotency-Key`.
    pub digest: Option<Digest>,
    /// Hints about fields, which the answer may state.
    pub warnings: Warnings,
    /// The memory that is reserved for a large body. It must be held as long as anything that was made of the body.
    pub memory: Option<Reservation>,
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
        let codes = [
            Code::MalformedRequest,
            Code::UnknownField,
            Code::BodyTooLarge,
            Code::UnsupportedMediaType,
            Code::ValidationFailed,
            Code::RequestMemoryFull,
        ];
        description.add_problems("Body", &codes);
    }

    async fn read(request: AdmittedRequest, state: &State) -> Result<Self, Problem> {
        let coding = coding_of_json(request.head())?;
        let headers = request.head().headers();
        let content_length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let has_idempotency_key = headers.contains_key(IDEMPOTENCY_KEY);
        let limit = MAX_BYTES.min(state.request_memory.max_body_bytes());
        let memory = state.request_memory.reserve(request.organisation());
        let mut payload = request.into_payload();
        let mut transfer = Transfer::new(coding, content_length, limit, memory);
        transfer.receive(&mut payload).await?;
        let ReceivedBody { bytes, memory } = transfer.finish()?;
        let is_large = bytes.len() >= OFFLOAD_THRESHOLD_BYTES;
        // If the client disconnects, the closure still holds the body, and its memory.
        let parse = move || {
            let parsed = from_json_with_digest(&bytes, has_idempotency_key);
            drop(bytes);
            // What is made of a small body is small.
            let memory = Some(memory).filter(Reservation::is_large);
            parsed.map(|ParsedBody { value, warnings, digest }| Self { value, digest, warnings, memory })
        };
        let parsed = if is_large {
            actix_web::web::block(parse).await.map_err(|error| Problem::new(Code::InternalError).cause(error))?
        } else {
            parse()
        };
        parsed.map_err(Problem::from_field_errors)
    }
}
