//! Calling LRS: one POST, or a few where they do no harm; one classified result.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::RequestBuilder;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::io_runtime;
use crate::lrs::audit::AuditLog;
use crate::lrs::circuit_breaker::CircuitBreakerSettings;
use crate::lrs::codes::LrsCode;
use crate::lrs::concurrency_limit::{ConcurrencyLimiter, ConcurrencySettings, Permit, Priority};
use crate::lrs::error::LrsError;
use crate::lrs::http_client::read_at_most;
use crate::lrs::http_client::tls_alert::{about_certificates, alert};
use crate::lrs::maintenance::MaintenanceWindow;
use crate::lrs::operation::{Effect, LrsResponse, MessageContext, Operation, Service, Vendor};
use crate::lrs::retry::{self, DEFAULT_MAX_RETRIES, RetryBudget};
use crate::lrs::service_health::{ServiceHealth, ServiceState};
use crate::lrs::services::external::AchievementCodes;
use crate::lrs::soap::fault::Fault;
use crate::lrs::soap::read::{XmlError, XmlReader, decode};
use crate::lrs::soap::xml_mapping::XmlRecord;
use crate::observability::metrics::{self, InFlight};
use crate::observability::telemetry;
use crate::organisations::RequestContext;

/// Longest wait for an answer, if nobody says otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// The same for operations that carry a batch: thousands of records.
pub const DEFAULT_BATCH_TIMEOUT: Duration = Duration::from_secs(120);
/// Largest answer, if nobody says otherwise.
pub const DEFAULT_MAX_RESPONSE_BYTES: usize = 16 * 1024 * 1024;

/// Where LRS is, and how much of it is awaited.
#[derive(Debug, Clone)]
pub struct LrsSettings {
    /// Address that the services' paths are appended to, without a slash at the end.
    pub base_url: String,
    /// Longest wait for a whole answer.
    pub timeout: Duration,
    /// The same for operations that carry a batch.
    pub batch_timeout: Duration,
    /// Largest answer, in bytes.
    pub max_response_bytes: usize,
    /// Who supplies the software.
    pub vendor: Vendor,
    /// How LRS spells what it does not publish about achievements.
    pub achievement_codes: AchievementCodes,
    /// How many calls there may be at once.
    pub concurrency: ConcurrencySettings,
    /// When calls fail at once.
    pub circuit_breaker: CircuitBreakerSettings,
    /// How often a call that did not get through is made again, where that does no harm.
    pub max_retries: u32,
    /// When LRS is known to be closed.
    pub maintenance: Vec<MaintenanceWindow>,
}

/// A call that brought no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallError {
    /// Why.
    pub error: LrsError,
    /// May LRS have done what it was asked to, where doing it twice would be wrong?
    pub outcome_unknown: bool,
}

impl CallError {
    fn of<O: Operation>(operation: &O, failure: LrsError) -> Self {
        Self { outcome_unknown: operation.effect() == Effect::Write && !failure.is_not_executed(), error: failure }
    }
}

/// LRS, reached over each organisation's own connections.
#[derive(Debug, Clone)]
pub struct Lrs {
    settings: Arc<LrsSettings>,
    queue: Arc<ConcurrencyLimiter>,
    state: Arc<ServiceHealth>,
    retries: Arc<RetryBudget>,
    audit: AuditLog,
}

impl LrsSettings {
    /// The usual settings, for LRS at this address.
    pub fn for_url(base_url: String) -> Self {
        Self {
            base_url,
            timeout: DEFAULT_TIMEOUT,
            batch_timeout: DEFAULT_BATCH_TIMEOUT,
            max_response_bytes: DEFAULT_MAX_RESPONSE_BYTES,
            vendor: Vendor::default(),
            achievement_codes: AchievementCodes::default(),
            concurrency: ConcurrencySettings::default(),
            circuit_breaker: CircuitBreakerSettings::default(),
            max_retries: DEFAULT_MAX_RETRIES,
            maintenance: Vec::new(),
        }
    }
}

impl Lrs {
    /// LRS at this address.
    pub fn new(settings: LrsSettings) -> Self {
        let queue = Arc::new(ConcurrencyLimiter::new(settings.concurrency));
        let state = Arc::new(ServiceHealth::new(settings.circuit_breaker, settings.maintenance.clone()));
        Self { settings: Arc::new(settings), queue, state, retries: Arc::default(), audit: AuditLog::off() }
    }

    /// The same, with every call written down.
    #[must_use]
    pub fn with_audit(self, audit: AuditLog) -> Self {
        Self { audit, ..self }
    }

    /// Longest wait for the whole answer to a call that carries no batch.
    pub fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    /// Where a service is.
    pub fn service_url(&self, service: Service) -> String {
        format!("{}{}", self.settings.base_url, service.path())
    }

    /// Where calls are written down.
    pub const fn audit(&self) -> &AuditLog {
        &self.audit
    }

    /// How many calls wait for their turn.
    pub fn queued_calls(&self) -> usize {
        self.queue.queued()
    }

    /// What is known of each service, without calling it.
    pub fn services(&self) -> [ServiceState; 3] {
        self.state.services()
    }

    /// How LRS spells what it does not publish about achievements.
    pub fn achievement_codes(&self) -> &AchievementCodes {
        &self.settings.achievement_codes
    }

    /// Calls an operation on behalf of a person of an organisation.
    ///
    /// # Errors
    /// [`CallFailed`], when there is no answer to this very request.
    pub async fn call<O: Operation>(&self, actor: &RequestContext, operation: &O) -> Result<O::Response, CallError> {
        self.try_call(actor, operation).await.map_err(|failure| CallError::of(operation, failure))
    }

    /// Lines up for a call that carries a batch, so that it is known to begin before anything is said about it.
    ///
    /// # Errors
    /// Why the call cannot be made now. Nothing was sent.
    pub async fn acquire_permit(&self, service: Service, actor: &RequestContext) -> Result<Permit, LrsError> {
        self.state.ensure_callable(service)?;
        self.queue.acquire_within(actor.organisation.ukprn(), Priority::Batch, self.settings.timeout).await.ok_or(LrsError::QueueFull)
    }

    /// Calls an operation whose turn it is.
    ///
    /// # Errors
    /// [`CallFailed`], when there is no answer to this very request.
    pub async fn call_with_permit<O: Operation>(
        &self,
        turn: Permit,
        actor: &RequestContext,
        operation: &O,
    ) -> Result<O::Response, CallError> {
        let deadline = Instant::now() + self.settings.batch_timeout;
        // Batches have a pace of their own: nothing is made again here.
        let outcome = self.call_with_retries(actor, operation, deadline, 0).await;
        drop(turn);
        outcome.map_err(|failure| CallError::of(operation, failure))
    }

    async fn try_call<O: Operation>(&self, actor: &RequestContext, operation: &O) -> Result<O::Response, LrsError> {
        let deadline = Instant::now() + self.settings.timeout;
        self.state.ensure_callable(O::SERVICE)?;
        let _turn = self.queue.acquire(actor.organisation.ukprn(), Priority::Single).await.ok_or(LrsError::QueueFull)?;
        self.call_with_retries(actor, operation, deadline, self.settings.max_retries).await
    }

    /// Makes a call, and makes it again if it did not get through and that does no harm.
    async fn call_with_retries<O: Operation>(
        &self,
        actor: &RequestContext,
        operation: &O,
        deadline: Instant,
        retries: u32,
    ) -> Result<O::Response, LrsError> {
        let context = MessageContext { request: actor, vendor: &self.settings.vendor };
        // One buffer for every attempt: a batch has megabytes.
        let envelope = Bytes::from(operation.envelope(&context).map_err(|_| LrsError::Unwritable)?);
        self.retries.deposit();
        let mut outcome = self.send_once(actor, operation, &envelope, deadline).await;
        let retries = match operation.effect() {
            Effect::Read => retries,
            Effect::Write => 0,
        };
        for retry in 0..retries {
            let Err(failure) = &outcome else { break };
            let again = Instant::now() + retry::backoff(retry);
            if !retry::is_connection_failure(failure) || again >= deadline || !self.retries.try_withdraw(Instant::now()) {
                break;
            }
            tokio::time::sleep_until(again).await;
            // Had it become pointless meanwhile, what the first attempt met says more.
            if self.state.ensure_callable(O::SERVICE).is_err() {
                break;
            }
            outcome = self.send_once(actor, operation, &envelope, deadline).await;
        }
        outcome
    }

    /// Calls once, and tells the breaker what it came to.
    async fn send_once<O: Operation>(
        &self,
        actor: &RequestContext,
        operation: &O,
        envelope: &Bytes,
        deadline: Instant,
    ) -> Result<O::Response, LrsError> {
        let organisation = actor.organisation.ukprn();
        if !self.audit.has_capacity() {
            return Err(LrsError::AuditUnavailable);
        }
        let pass = self.state.begin_call(O::SERVICE, organisation)?;
        let (_in_flight, began) = (InFlight::call(), Instant::now());
        let mut entry = self.audit.begin(actor, O::NAME, envelope);
        let span = tracing::info_span!("call", otel.kind = "client");
        let request = actor
            .organisation
            .http_client()
            .post(self.service_url(O::SERVICE))
            .header(CONTENT_TYPE, "text/xml; charset=utf-8")
            .header("SOAPAction", format!("\"{}\"", O::SOAP_ACTION))
            .headers(telemetry::trace_headers(&span))
            .body(envelope.clone());
        let exchange = exchange(request, self.settings.max_response_bytes).instrument(span.clone());
        let exchanged = tokio::time::timeout_at(deadline, io_runtime::run(exchange)).await;
        let answer = exchanged.map_err(|_| LrsError::Timeout).flatten().and_then(|(status, headers, body)| {
            entry.response_received(&body);
            decode_answer(operation, status, &headers, &body)
        });
        let outcome = answer.as_ref().err().map_or("ANSWERED", LrsError::outcome);
        telemetry::describe(&span, || (O::NAME.to_owned(), [("rpc.method", O::NAME.into()), ("lrs.outcome", outcome.into())]));
        if answer.as_ref().is_err_and(|failure| !matches!(failure, LrsError::Refused(..))) {
            telemetry::failed(&span, outcome);
        }
        metrics::call(O::NAME, outcome, began.elapsed());
        entry.end(outcome, answer.as_ref().map_or_else(LrsError::lrs_code, LrsResponse::code).and_then(LrsCode::printable));
        self.state.record_result(O::SERVICE, &pass, organisation, answer.as_ref().err());
        answer
    }
}

/// Sends a request, and takes an answer of at most so many bytes.
async fn exchange(request: RequestBuilder, most: usize) -> Result<(u16, HeaderMap, Vec<u8>), LrsError> {
    let mut response = request.send().await.map_err(|error| classify_send_error(&error))?;
    let body = read_at_most(&mut response, most).await.map_err(|error| classify_body_error(&error))?.ok_or(LrsError::TooLarge)?;
    Ok((response.status().as_u16(), std::mem::take(response.headers_mut()), body))
}

/// What came back over HTTP, as the answer to this very operation.
fn decode_answer<O: Operation>(operation: &O, status: u16, headers: &HeaderMap, body: &[u8]) -> Result<O::Response, LrsError> {
    let effect = operation.effect();
    let answer = read_answer::<O>(status, content_type(headers), body).map_err(|failure| match failure {
        // Who only reads is refused nothing that writing is refused for.
        LrsError::Refused(rejection, code) if !effect.can_be_rejected_for(rejection) => LrsError::ServiceFailed(Some(code)),
        failure => failure,
    })?;
    match answer.code().and_then(LrsError::of_code) {
        // Refusals of writes mean nothing to who only reads: such a code is passed on as one nobody documented.
        Some(LrsError::Refused(rejection, _)) if !effect.can_be_rejected_for(rejection) => {}
        Some(_) if answer.is_done() => {}
        Some(failure) => return Err(failure),
        None => {}
    }
    operation.check(&answer).map_err(LrsError::Contradiction)?;
    Ok(answer)
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Reads what came back over HTTP as the answer to an operation.
///
/// # Errors
/// [`Failure`], when it is a fault, or no answer at all.
pub fn read_answer<O: Operation>(status: u16, content_type: &str, body: &[u8]) -> Result<O::Response, LrsError> {
    if let Some(failure) = intermediary_response(status, content_type, body) {
        return Err(failure);
    }
    match read_soap::<O>(body) {
        Ok(Ok(answer)) if status == 200 => Ok(answer),
        Ok(Ok(_)) => Err(LrsError::NotAnAnswer { status, what: "with a SOAP answer that is not a fault" }),
        Ok(Err(fault)) => Err(LrsError::of_fault(fault)),
        // LRS's own errors are 500 with a fault: what cannot be read as SOAP at all is of a server before it.
        Err(XmlError::Empty | XmlError::Malformed | XmlError::NotSoap) if status == 500 => {
            Err(LrsError::NotAnAnswer { status, what: "without a SOAP message" })
        }
        Err(unreadable) => Err(of_status(status).unwrap_or(LrsError::Unreadable(unreadable))),
    }
}

fn read_soap<O: Operation>(body: &[u8]) -> Result<Result<O::Response, Fault>, XmlError> {
    let mut reader = XmlReader::new(decode(body)?)?;
    reader.soap_body(|reader, start| match start.name() {
        "Fault" => Fault::read(reader, start).map(Err),
        name if name == O::RESPONSE_ELEMENT => O::Response::read(reader).map(Ok),
        _ => Err(XmlError::Unexpected(O::RESPONSE_ELEMENT)),
    })
}

/// What stands in front of LRS when LRS itself does not answer: redirects, web pages (FACTS 2.16).
fn intermediary_response(status: u16, content_type: &str, body: &[u8]) -> Option<LrsError> {
    // A POST that is sent to a maintenance page, or has got there.
    if matches!(status, 300..=399 | 405) {
        return Some(LrsError::Maintenance(None));
    }
    if !is_web_page(content_type, body) {
        return None;
    }
    if mentions_maintenance(status, body) {
        return Some(if status == 200 { LrsError::Maintenance(None) } else { LrsError::MaintenanceInFront });
    }
    Some(of_status(status).unwrap_or(LrsError::NotAnAnswer { status, what: "a web page instead of SOAP" }))
}

/// What a status says by itself, where the body does not say more.
const fn of_status(status: u16) -> Option<LrsError> {
    match status {
        // Web servers that ask for a client certificate, and do not like what they get, say so before SOAP begins.
        401 | 403 => Some(LrsError::CredentialsRejected(None)),
        408 | 429 | 502..=504 => Some(LrsError::ConnectionLost),
        200 | 500 => None,
        _ => Some(LrsError::NotAnAnswer { status, what: "without a SOAP message" }),
    }
}

fn is_web_page(content_type: &str, body: &[u8]) -> bool {
    let start = String::from_utf8_lossy(&body[..body.len().min(512)]).to_ascii_lowercase();
    let begins = start.trim_start_matches('\u{feff}').trim_start();
    begins.starts_with("<!doctype html")
        || begins.contains("<html")
        || (content_type.to_ascii_lowercase().contains("html") && !begins.contains("envelope"))
}

/// Servers that fail say “unavailable” on any day; one that says so with success means it.
fn mentions_maintenance(status: u16, body: &[u8]) -> bool {
    const ALWAYS: [&str; 3] = ["maintenance", "out of hours", "unsupportedhttpverb"];
    const WITH_SUCCESS: [&str; 3] = ["unavailable", "not available", "try again later"];
    let page = String::from_utf8_lossy(&body[..body.len().min(64 * 1024)]).to_ascii_lowercase();
    let says = |signs: &[&str]| signs.iter().any(|sign| page.contains(sign));
    says(&ALWAYS) || (status == 200 && says(&WITH_SUCCESS))
}

/// Why no response began. Certificate trouble is told by TLS, sometimes only when the answer is awaited (TLS 1.3).
fn classify_send_error(error: &reqwest::Error) -> LrsError {
    if alert(error).is_some_and(about_certificates) {
        LrsError::CredentialsRejected(None)
    } else if error.is_connect() {
        LrsError::Unreachable
    } else if error.is_timeout() {
        LrsError::Timeout
    } else {
        LrsError::ConnectionLost
    }
}

/// Why a response that had begun did not end.
fn classify_body_error(error: &reqwest::Error) -> LrsError {
    match classify_send_error(error) {
        LrsError::ConnectionLost => LrsError::Unreadable(XmlError::Malformed),
        other => other,
    }
}
