//! `Idempotency-Key`: a write that is asked for twice is done once. What is remembered is in [`crate::idempotency`].

use std::future::Future;

use actix_web::body::MessageBody as _;
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use aws_lc_rs::digest::Digest;
use serde::{Deserialize, Serialize};
use tracing::Instrument as _;
use utoipa::IntoParams;
use uuid::Uuid;

use crate::auth::{Caller, ExtractFuture, after_authentication};
use crate::batches::BatchService;
use crate::idempotency::{Acquisition, Completion, IdempotencyStore, IdempotentRequest, Reservation};
use crate::problem::{Code, Problem};

/// The request header.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The response header of an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Most characters of a key.
const LONGEST_KEY: usize = 255;

/// How the document describes the header.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IdempotencyKeyParameter {
    /// A name of your own for this request, such as a UUID, of up to 255 printable ASCII characters. Sent again within 24 hours with the
    /// same body by the same client for the same organisation, the request is not done again: you get the same answer, with
    /// `Idempotency-Replayed: true`. While the first request is being worked on, the answer is 409 `idempotency_key_in_use`; with another
    /// body it is 422 `idempotency_key_reused`. If nobody knows what came of the first, the gateway finds out before it does anything.
    #[param(rename = "Idempotency-Key", required = false, min_length = 1, max_length = 255)]
    #[expect(dead_code, reason = "described, and read as `Once`")]
    idempotency_key: Option<String>,
}

/// Does the work of a request once, if the caller has given it a key.
#[derive(Debug)]
pub struct IdempotencyKey {
    key: Option<String>,
    store: Data<IdempotencyStore>,
    jobs: Data<BatchService>,
}

/// The work of a request.
#[derive(Debug, Clone, Copy)]
pub struct WorkId {
    /// Identifies the work; the same in every attempt.
    pub work: Uuid,
    /// Was there an attempt before of which nobody knows what came?
    pub again: bool,
}

impl FromRequest for IdempotencyKey {
    type Error = Problem;
    type Future = ExtractFuture<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let once = match (request.app_data::<Data<IdempotencyStore>>(), request.app_data::<Data<BatchService>>()) {
            (Some(store), Some(jobs)) => key_of(request).map(|key| Self { key, store: store.clone(), jobs: jobs.clone() }),
            _ => Err(Problem::new(Code::InternalError).cause("the server was started without a store")),
        };
        after_authentication(request, once)
    }
}

/// The key as a text of structured fields (RFC 9651), or without the quotation marks, as most send it.
fn key_of(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let wrong = |detail: &str| Problem::new(Code::MalformedRequest).detail(format!("The header Idempotency-Key {detail}."));
    let mut headers = request.headers().get_all(IDEMPOTENCY_KEY);
    let Some(header) = headers.next() else { return Ok(None) };
    if headers.next().is_some() {
        return Err(wrong("is there more than once"));
    }
    let text = header.as_bytes();
    let text = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text);
    if text.is_empty() || text.len() > LONGEST_KEY || !text.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err(wrong(&format!("must have 1 to {LONGEST_KEY} printable ASCII characters")));
    }
    Ok(Some(String::from_utf8_lossy(text).into_owned()))
}

impl IdempotencyKey {
    /// Does the work, or gives the answer that was given before. With a key, the work goes on if the caller leaves.
    ///
    /// # Errors
    /// The work's; that it is being done; that the key was used for another body; that the store cannot be used.
    pub async fn run<S, F>(
        self,
        operation: &str,
        caller: &Caller<S>,
        body: Option<Digest>,
        work: impl FnOnce(WorkId) -> F,
    ) -> Result<HttpResponse, Problem>
    where
        F: Future<Output = Result<HttpResponse, Problem>> + 'static,
    {
        let Some(key) = self.key else { return work(WorkId { work: Uuid::now_v7(), again: false }).await };
        // What is sealed for others must be sealed so that they can open it.
        self.jobs.verify_encryption_keys().await.map_err(|error| nothing_begun(Problem::from(error)))?;
        let request = IdempotentRequest {
            organisation: caller.organisation.ukprn().as_str(),
            client: (&caller.client_identity.issuer, &caller.client_identity.client),
            operation,
            key: &key,
            body: body.as_ref().map_or(&[], AsRef::as_ref),
        };
        let turn = match self.store.acquire(request).await.map_err(|error| nothing_begun(error.into()))? {
            Acquisition::Acquired(turn) => turn,
            Acquisition::InProgress => return Err(Problem::new(Code::IdempotencyKeyInUse).retry_soon()),
            Acquisition::BodyMismatch => return Err(Problem::new(Code::IdempotencyKeyReused)),
            Acquisition::Done(answer) => return replayed(&answer),
        };
        let attempt = WorkId { work: turn.work, again: turn.again };
        let (store, work) = (self.store, work(attempt));
        let whole = async move { ended(&store, &turn, work.await).await };
        let done = actix_web::rt::spawn(whole.in_current_span()).await;
        // What it panicked with may quote a value.
        done.unwrap_or_else(|_| Err(Problem::new(Code::InternalError).cause("a handler panicked")))
    }
}

/// Keeps what came of the work, and gives it to the caller.
async fn ended(store: &IdempotencyStore, turn: &Reservation, outcome: Result<HttpResponse, Problem>) -> Result<HttpResponse, Problem> {
    let (ended, outcome) = match outcome {
        Ok(response) => {
            let (answer, response) = kept(response)?;
            (Completion::Answered(answer), Ok(response))
        }
        // What an attempt before came to, is not known any better now.
        Err(problem) if turn.again || problem.is_outcome_unknown() => (Completion::Unknown, Err(problem)),
        Err(problem) => (Completion::NothingDone, Err(problem)),
    };
    if let Err(error) = store.complete(turn, ended).await {
        tracing::error!(%error, "what came of a request with an Idempotency-Key was not kept: who asks again must wait a while");
    }
    outcome
}

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
struct StoredResponse {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

/// What to keep of an answer, and the answer.
fn kept(response: HttpResponse) -> Result<(Vec<u8>, HttpResponse), Problem> {
    let broken = |problem: &str| Problem::new(Code::InternalError).cause(problem);
    let (head, body) = response.into_parts();
    let bytes = body.try_into_bytes().map_err(|_| broken("an answer that is not there at once"))?;
    let text = |name: &HeaderName| Some((name.to_string(), head.headers().get(name)?.to_str().ok()?.to_owned()));
    let headers = [&CONTENT_TYPE, &LOCATION, &RETRY_AFTER].into_iter().filter_map(text).collect();
    let body = String::from_utf8(bytes.to_vec()).map_err(|_| broken("an answer that is not text"))?;
    let kept = StoredResponse { status: head.status().as_u16(), headers, body };
    let json = serde_json::to_vec(&kept).map_err(|_| broken("an answer that is not JSON"))?;
    Ok((json, head.set_body(bytes).map_into_boxed_body()))
}

/// An answer that was given before.
fn replayed(answer: &[u8]) -> Result<HttpResponse, Problem> {
    let unreadable = |_| Problem::new(Code::StoreUnreadable).cause("an answer that was kept");
    let StoredResponse { status, headers, body } = serde_json::from_slice(answer).map_err(unreadable)?;
    let mut response = HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::OK));
    for header in headers {
        response.insert_header(header);
    }
    Ok(response.insert_header((REPLAYED, "true")).body(body))
}

/// Without the store nobody knows whether the request is the first.
fn nothing_begun(problem: Problem) -> Problem {
    if problem.code() == Code::StoreUnavailable {
        return problem.detail("The gateway's store cannot be used, which remembers Idempotency-Keys. Nothing was done: try again later.");
    }
    problem
}
