//! The header `Idempotency-Key`: repeated writes are executed once. The state of the keys is in [`crate::idempotency`].

use std::future::Future;

use actix_web::body::MessageBody as _;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse};
use aws_lc_rs::digest::Digest;
use serde::{Deserialize, Serialize};
use tracing::Instrument as _;
use utoipa::openapi::path::ParameterIn;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use uuid::Uuid;

use crate::api::description::{Description, header, parameter, text};
use crate::api::handler::HeadInput;
use crate::app::State;
use crate::auth::AdmittedRequest;
use crate::idempotency::{Acquisition, Completion, IdempotencyStore, IdempotentRequest, Reservation, ReservationValidity};
use crate::organisations::CallContext;
use crate::problem::{Code, Problem};

/// The request header.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The response header of a replayed answer.
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Maximum length of the header, in characters, with quotation marks if it has them.
const MAX_KEY_LENGTH: usize = 255;

/// Meaning of the request header.
const MEANING: &str = "\
Unique name of this request, such as a UUID: 1 to 255 printable ASCII characters. If the same client repeats the request for the same
organisation within 24 hours, the gateway does not execute it again: you get the same answer, with `Idempotency-Replayed: true`.
While the first request is in progress, the answer is 409 `idempotency_key_in_use`. If the body differs, the answer is 422
`idempotency_key_reused`. If the outcome of the first request is unknown, the gateway checks it before it does anything else.";

/// The idempotency key of a request, if it has one.
#[derive(Debug)]
pub struct IdempotencyKey {
    key: Option<String>,
    operation_id: &'static str,
}

/// One attempt to execute a request.
#[derive(Debug, Clone)]
pub struct WorkAttempt {
    /// Identifier of the work. It is the same for every attempt.
    pub work_id: Uuid,
    /// `true` if the outcome of an earlier attempt is unknown.
    pub is_retry: bool,
    /// Until when the write may start; `None` without a key. Another request with the key can start afterwards.
    pub reservation: Option<ReservationValidity>,
}

impl WorkAttempt {
    /// Checks that no other request with the key can have started. Must be called directly before a write, unless LRS's client checks it
    /// ([`Lrs::call_while_reserved`](crate::lrs::Lrs::call_while_reserved)).
    ///
    /// # Errors
    /// Returns [`Code::IdempotencyKeyInUse`] if the reservation has expired.
    pub fn ensure_reserved(&self) -> Result<(), Problem> {
        if self.reservation.as_ref().is_none_or(ReservationValidity::holds) {
            return Ok(());
        }
        Err(Problem::new(Code::IdempotencyKeyInUse).retry_soon().cause("idempotency reservation expired before the write"))
    }
}

impl HeadInput for IdempotencyKey {
    fn describe(description: &mut Description) {
        let example = "7c4d8e5f-0198-4c1d-9a3b-001122334455";
        let schema = text().min_length(Some(1)).max_length(Some(MAX_KEY_LENGTH)).pattern(Some("^[!-~]([ -~]*[!-~])?$")).examples([example]);
        description.add_parameter("Idempotency-Key", parameter("Idempotency-Key", ParameterIn::Header, schema, MEANING));
        let replayed =
            header(ObjectBuilder::new().schema_type(Type::Boolean), "`true` if this is the stored answer to an earlier request.");
        description.add_header("Idempotency-Replayed", replayed);
        let codes = [
            Code::MalformedRequest,
            Code::IdempotencyKeyInUse,
            Code::IdempotencyKeyReused,
            Code::StoreUnavailable,
            Code::StoreNotDurable,
            Code::StoreUnreadable,
        ];
        description.add_problems("Key", &codes);
    }

    fn from_head(request: &AdmittedRequest) -> Result<Self, Problem> {
        Ok(Self { key: parse_key(request.head())?, operation_id: request.operation_id() })
    }
}

/// Returns the key. It is a string of structured fields (RFC 9651); the quotation marks may be missing, as in most requests.
fn parse_key(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let malformed = |detail: &str| Problem::new(Code::MalformedRequest).detail(format!("The header Idempotency-Key {detail}."));
    let mut headers = request.headers().get_all(IDEMPOTENCY_KEY);
    let Some(header) = headers.next() else { return Ok(None) };
    if headers.next().is_some() {
        return Err(malformed("must occur only once"));
    }
    let value = header.as_bytes();
    let text = value.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(value);
    if text.is_empty() || value.len() > MAX_KEY_LENGTH || !text.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err(malformed(&format!("must have 1 to {MAX_KEY_LENGTH} printable ASCII characters")));
    }
    Ok(Some(String::from_utf8_lossy(text).into_owned()))
}

impl IdempotencyKey {
    /// Executes the work, or replays the answer of an earlier request with the same key. With a key, the work continues if the caller
    /// disconnects.
    ///
    /// # Errors
    /// Returns the problem of the work. Returns [`Code::IdempotencyKeyInUse`] if the work is in progress, [`Code::IdempotencyKeyReused`] if the
    /// key was used with another body, and [`Code::StoreUnavailable`] if the store is unavailable.
    pub async fn run<F>(
        self,
        state: &State,
        context: &CallContext,
        body_digest: Option<Digest>,
        work: impl FnOnce(WorkAttempt) -> F,
    ) -> Result<HttpResponse, Problem>
    where
        F: Future<Output = Result<HttpResponse, Problem>> + 'static,
    {
        self.run_unless_obsolete(state, context, body_digest, async |_| Ok(()), work).await
    }

    /// Does the same as [`Self::run`], and replays an answer only if `ensure_valid`, which gets the id of the work, finds it still true.
    ///
    /// # Errors
    /// The same as [`Self::run`], and the problem of `ensure_valid`.
    pub async fn run_unless_obsolete<F>(
        self,
        state: &State,
        context: &CallContext,
        body_digest: Option<Digest>,
        ensure_valid: impl AsyncFnOnce(Uuid) -> Result<(), Problem>,
        work: impl FnOnce(WorkAttempt) -> F,
    ) -> Result<HttpResponse, Problem>
    where
        F: Future<Output = Result<HttpResponse, Problem>> + 'static,
    {
        let Some(key) = self.key else { return work(WorkAttempt { work_id: Uuid::now_v7(), is_retry: false, reservation: None }).await };
        // Other replicas must be able to decrypt the stored answer.
        state.batches.verify_encryption_keys().await.map_err(|error| not_executed(Problem::from(error)))?;
        let request = IdempotentRequest {
            organisation: context.organisation.ukprn().as_str(),
            issuer: &context.origin.issuer,
            client: &context.origin.client,
            operation: self.operation_id,
            key: &key,
            body_digest,
        };
        let reservation = match state.idempotency.acquire(request).await.map_err(|error| not_executed(error.into()))? {
            Acquisition::Acquired(reservation) => reservation,
            Acquisition::InProgress => return Err(Problem::new(Code::IdempotencyKeyInUse).retry_soon()),
            Acquisition::BodyMismatch => return Err(Problem::new(Code::IdempotencyKeyReused)),
            Acquisition::Completed { work_id, answer } => {
                if let Some(work_id) = work_id {
                    ensure_valid(work_id).await?;
                }
                return replay(&answer);
            }
        };
        let validity = reservation.validity.clone();
        let attempt = WorkAttempt { work_id: reservation.work_id, is_retry: reservation.is_retry, reservation: Some(validity) };
        let (store, work) = (state.idempotency.clone(), work(attempt));
        let task = async move {
            let result = tokio::select! {
                biased;
                result = work => result,
                never = store.renew_periodically(&reservation) => match never {},
            };
            complete(&store, &reservation, result).await
        };
        let result = actix_web::rt::spawn(task.in_current_span()).await;
        // The panic's message is not logged because it can quote personal data.
        result.unwrap_or_else(|_| Err(Problem::new(Code::InternalError).cause("a handler panicked")))
    }
}

/// Records the result of the work in the store, and returns it.
async fn complete(
    store: &IdempotencyStore,
    reservation: &Reservation,
    result: Result<HttpResponse, Problem>,
) -> Result<HttpResponse, Problem> {
    let (completion, result) = match result {
        Ok(response) => match into_stored(response) {
            Ok((stored, response)) => (Completion::Answered(stored), Ok(response)),
            // Only for answers that no handler has. The next request finds out what was executed.
            Err(problem) => (Completion::OutcomeUnknown, Err(problem)),
        },
        // A failed retry says nothing about the outcome of the earlier attempt.
        Err(problem) if reservation.is_retry || problem.is_outcome_unknown() => (Completion::OutcomeUnknown, Err(problem)),
        Err(problem) => (Completion::NotExecuted, Err(problem)),
    };
    if let Err(error) = store.complete(reservation, completion).await {
        tracing::error!(%error, "idempotency result not stored: the key stays in use until the reservation expires");
    }
    result
}

/// The stored form of an answer.
#[derive(Serialize, Deserialize)]
struct StoredAnswer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

/// Serialises an answer for the store, and returns the answer with it.
fn into_stored(response: HttpResponse) -> Result<(Vec<u8>, HttpResponse), Problem> {
    let internal_error = |cause: &str| Problem::new(Code::InternalError).cause(cause);
    let (head, body) = response.into_parts();
    let bytes = body.try_into_bytes().map_err(|_| internal_error("idempotent answer is a stream"))?;
    let header = |name: &HeaderName| Some((name.to_string(), head.headers().get(name)?.to_str().ok()?.to_owned()));
    let headers = [&CONTENT_TYPE, &LOCATION, &RETRY_AFTER].into_iter().filter_map(header).collect();
    let body = String::from_utf8(bytes.to_vec()).map_err(|_| internal_error("idempotent answer is not UTF-8"))?;
    let stored = StoredAnswer { status: head.status().as_u16(), headers, body };
    let json = serde_json::to_vec(&stored).map_err(|_| internal_error("idempotent answer cannot be serialised"))?;
    Ok((json, head.set_body(bytes).map_into_boxed_body()))
}

/// Restores an answer from its stored form.
fn replay(stored: &[u8]) -> Result<HttpResponse, Problem> {
    let unreadable = |_| Problem::new(Code::StoreUnreadable).cause("stored idempotent answer is malformed");
    let StoredAnswer { status, headers, body } = serde_json::from_slice(stored).map_err(unreadable)?;
    let mut response = HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::OK));
    for (name, value) in headers {
        // Answers that an earlier version stored have the path of the batch instead of a reference relative to the path of the request.
        let value = if name == LOCATION.as_str() { value.strip_prefix("/v1/").map_or(value.clone(), str::to_owned) } else { value };
        response.insert_header((name, value));
    }
    Ok(response.insert_header((IDEMPOTENCY_REPLAYED, "true")).body(body))
}

/// Explains why nothing was executed: the store is required to detect duplicates, so the request is refused without it.
fn not_executed(problem: Problem) -> Problem {
    if problem.code() == Code::StoreUnavailable {
        return problem.detail("The store for Idempotency-Keys is unavailable. Nothing was executed. Try again later.");
    }
    problem
}
