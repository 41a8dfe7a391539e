//! The path of a call to LRS: concurrency limit, retries, circuit breaker, audit trail, HTTP exchange.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, Request};
use tokio::time::Instant;
use tracing::Span;

use crate::idempotency::ReservationValidity;
use crate::lrs::audit::AuditLog;
use crate::lrs::call_log;
use crate::lrs::concurrency_limit::{ConcurrencyLimiter, ConcurrencyPermit, Priority};
use crate::lrs::error::{CallError, LrsError};
use crate::lrs::exchange::{ExchangeLimits, exchange};
use crate::lrs::http_client::Endpoint;
use crate::lrs::operation::{Effect, LrsResponse, MessageContext, Operation, Service};
use crate::lrs::response_classification::classify_response;
use crate::lrs::response_codes::LrsCode;
use crate::lrs::retry::{self, RetryBudget};
use crate::lrs::service_health::{ServiceHealth, ServiceState};
use crate::lrs::services::external::AchievementCodes;
use crate::lrs::settings::LrsSettings;
use crate::observability::metrics::{self, InFlight};
use crate::observability::trace_context;
use crate::organisations::CallContext;

const SOAP_ACTION: HeaderName = HeaderName::from_static("soapaction");

/// The client of LRS. Each call uses the connections of its organisation.
#[derive(Debug, Clone)]
pub struct Lrs {
    settings: Arc<LrsSettings>,
    limiter: Arc<ConcurrencyLimiter>,
    health: Arc<ServiceHealth>,
    retry_budget: Arc<RetryBudget>,
    audit: AuditLog,
}

/// The limits of one call.
#[derive(Clone, Copy)]
struct CallLimits<'a> {
    deadline: Instant,
    max_retries: u32,
    /// The reservation that must hold when a request is sent.
    reservation: Option<&'a ReservationValidity>,
}

impl Lrs {
    /// Creates a client without an audit trail.
    pub fn new(settings: LrsSettings) -> Self {
        let limiter = Arc::new(ConcurrencyLimiter::new(settings.concurrency));
        let health = Arc::new(ServiceHealth::new(settings.circuit_breaker, settings.maintenance.clone()));
        Self { settings: Arc::new(settings), limiter, health, retry_budget: Arc::default(), audit: AuditLog::disabled() }
    }

    /// Returns the client with an audit trail that records every call.
    #[must_use]
    pub fn with_audit(self, audit: AuditLog) -> Self {
        Self { audit, ..self }
    }

    /// Returns the timeout of a call that carries no batch.
    pub fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    /// Returns the address of a service.
    pub fn endpoint(&self, service: Service) -> &Endpoint {
        self.settings.address.service(service)
    }

    /// Returns the audit trail.
    pub const fn audit(&self) -> &AuditLog {
        &self.audit
    }

    /// Returns the number of calls that wait for a permit.
    pub fn queued_calls(&self) -> usize {
        self.limiter.queued_calls()
    }

    /// Returns the observed state of each service, without a call to LRS.
    pub fn service_states(&self) -> [ServiceState; 3] {
        self.health.service_states()
    }

    /// Returns LRS's codes about achievements, which LRS does not publish.
    pub fn achievement_codes(&self) -> &AchievementCodes {
        &self.settings.achievement_codes
    }

    /// Calls an operation for a user of an organisation. Retries connection failures of reads.
    ///
    /// # Errors
    /// Returns [`CallError`] if there is no valid response to this request.
    pub async fn call<O: Operation>(&self, context: &CallContext, operation: &O) -> Result<O::Response, CallError> {
        self.call_before(context, operation, Instant::now() + self.settings.timeout).await
    }

    /// Calls an operation like [`Lrs::call`], but with a deadline of the caller's. Calls that belong together can share one.
    ///
    /// # Errors
    /// Returns [`CallError`] if there is no valid response to this request.
    pub async fn call_before<O: Operation>(
        &self,
        context: &CallContext,
        operation: &O,
        deadline: Instant,
    ) -> Result<O::Response, CallError> {
        let limits = CallLimits { deadline, max_retries: self.settings.max_retries, reservation: None };
        self.call_single(context, operation, limits).await.map_err(|error| CallError::new(error, operation.effect()))
    }

    /// Calls an operation like [`Lrs::call`], but sends nothing once the reservation of the request's idempotency key has expired: another
    /// request may have started the same write. The reservation is checked after all waits, directly before the request is sent.
    ///
    /// # Errors
    /// Returns [`CallError`] if there is no valid response to this request.
    pub async fn call_while_reserved<O: Operation>(
        &self,
        context: &CallContext,
        operation: &O,
        reservation: Option<&ReservationValidity>,
    ) -> Result<O::Response, CallError> {
        self.call_while_reserved_before(context, operation, reservation, Instant::now() + self.settings.timeout).await
    }

    /// Calls an operation like [`Lrs::call_while_reserved`], but with a deadline of the caller's.
    ///
    /// # Errors
    /// Returns [`CallError`] if there is no valid response to this request.
    pub async fn call_while_reserved_before<O: Operation>(
        &self,
        context: &CallContext,
        operation: &O,
        reservation: Option<&ReservationValidity>,
        deadline: Instant,
    ) -> Result<O::Response, CallError> {
        let limits = CallLimits { deadline, max_retries: self.settings.max_retries, reservation };
        self.call_single(context, operation, limits).await.map_err(|error| CallError::new(error, operation.effect()))
    }

    /// Acquires the permit for a call about a part of a batch: its submission or a poll. Waits up to `lrs.timeout_seconds`. The caller can
    /// then persist that the call starts before it is sent.
    ///
    /// # Errors
    /// Returns the reason why the call is not possible now. Nothing was sent.
    pub async fn acquire_permit(&self, service: Service, context: &CallContext) -> Result<ConcurrencyPermit, LrsError> {
        self.health.ensure_callable(service)?;
        // Calls that only read wait too: the schedule of the batch repeats them.
        if !self.audit.records_writes() {
            return Err(LrsError::AuditUnavailable);
        }
        let permit = self.limiter.acquire_within(context.organisation.ukprn(), Priority::Batch, self.settings.timeout).await;
        permit.ok_or(LrsError::QueueFull)
    }

    /// Calls an operation with a permit. Does not retry: the batch worker has its own schedule.
    ///
    /// # Errors
    /// Returns [`CallError`] if there is no valid response to this request.
    pub async fn call_with_permit<O: Operation>(
        &self,
        permit: ConcurrencyPermit,
        context: &CallContext,
        operation: &O,
    ) -> Result<O::Response, CallError> {
        let limits = CallLimits { deadline: Instant::now() + self.settings.batch_timeout, max_retries: 0, reservation: None };
        let result = self.call_within(context, operation, limits).await;
        drop(permit);
        result.map_err(|error| CallError::new(error, operation.effect()))
    }

    async fn call_single<O: Operation>(
        &self,
        context: &CallContext,
        operation: &O,
        limits: CallLimits<'_>,
    ) -> Result<O::Response, LrsError> {
        self.health.ensure_callable(O::SERVICE)?;
        if operation.effect() == Effect::Write && !self.audit.records_writes() {
            return Err(LrsError::AuditUnavailable);
        }
        let permit = self.limiter.acquire(context.organisation.ukprn(), Priority::Single).await;
        let _permit = permit.ok_or(LrsError::QueueFull)?;
        self.call_within(context, operation, limits).await
    }

    /// Sends a request, and retries connection failures of reads until the deadline.
    async fn call_within<O: Operation>(
        &self,
        context: &CallContext,
        operation: &O,
        limits: CallLimits<'_>,
    ) -> Result<O::Response, LrsError> {
        let message_context = MessageContext { caller: context, vendor: &self.settings.vendor };
        // All attempts share one buffer: the envelope of a batch has megabytes.
        let envelope = Bytes::from(operation.envelope(&message_context).map_err(|_| LrsError::IllegalCharacter)?);
        self.retry_budget.deposit();
        let mut result = self.send_once(context, operation, &envelope, limits).await;
        let max_retries = match operation.effect() {
            Effect::Read => limits.max_retries,
            Effect::Write => 0,
        };
        for retry in 0..max_retries {
            let Err(error) = &result else { break };
            let retry_at = Instant::now() + retry::backoff(retry);
            if !retry::is_connection_failure(error) || retry_at >= limits.deadline || !self.retry_budget.try_withdraw(Instant::now()) {
                break;
            }
            tokio::time::sleep_until(retry_at).await;
            // If LRS has become unavailable in the meantime, the error of the first attempt is more informative.
            if self.health.ensure_callable(O::SERVICE).is_err() {
                break;
            }
            result = self.send_once(context, operation, &envelope, limits).await;
        }
        if let Err(error) = &result {
            call_log::log_failure(context.organisation.ukprn(), O::NAME, error);
        }
        result
    }

    /// Sends one request and records the result in the circuit breaker, the audit trail, metrics and traces.
    async fn send_once<O: Operation>(
        &self,
        context: &CallContext,
        operation: &O,
        envelope: &Bytes,
        limits: CallLimits<'_>,
    ) -> Result<O::Response, LrsError> {
        let organisation = context.organisation.ukprn();
        if !self.audit.has_capacity() {
            return Err(LrsError::AuditUnavailable);
        }
        let permit = self.health.acquire_breaker_permit(O::SERVICE, organisation)?;
        let (_in_flight, started_at) = (InFlight::call(), Instant::now());
        let mut entry = self.audit.start_entry(context, O::NAME, envelope);
        if operation.effect() == Effect::Write && !entry.record_start().await {
            return Err(LrsError::AuditUnavailable);
        }
        if limits.reservation.is_some_and(|reservation| !reservation.holds()) {
            entry.not_sent();
            return Err(LrsError::ReservationExpired);
        }
        let span = trace_context::call_span();
        let LrsSettings { max_response_bytes, prompt_response, .. } = *self.settings;
        let (endpoint, connections) = (self.endpoint(O::SERVICE), context.organisation.connections());
        let generation = connections.generation();
        let request = http_request::<O>(endpoint, envelope, &span);
        let post = exchange(connections, endpoint, request, ExchangeLimits { max_response_bytes, prompt_response });
        let response = tokio::time::timeout_at(limits.deadline, post).await;
        let response = response.map_err(|_| LrsError::Timeout).flatten();
        let status = response.as_ref().ok().map(|response| response.status);
        let result = response.and_then(|response| {
            entry.response_received(&response.body);
            classify_response(operation, &response.head(endpoint.url()), &response.body)
        });
        let outcome = result.as_ref().err().map_or("ANSWERED", LrsError::label);
        trace_context::describe_span(&span, || (O::NAME.to_owned(), [("rpc.method", O::NAME.into()), ("lrs.outcome", outcome.into())]));
        if let Some(status) = status {
            trace_context::record_status(&span, status);
        }
        if result.as_ref().is_err_and(LrsError::is_from_another_server) {
            // DNS may lead to LRS again.
            connections.close(generation);
        }
        if result.as_ref().is_err_and(|error| !matches!(error, LrsError::Rejected(..))) {
            trace_context::record_error(&span, outcome);
        }
        metrics::record_lrs_call(O::NAME, outcome, status, started_at.elapsed());
        entry.complete(outcome, result.as_ref().map_or_else(LrsError::lrs_code, LrsResponse::code).and_then(LrsCode::loggable));
        self.health.record_result(O::SERVICE, &permit, organisation, result.as_ref().err());
        result
    }
}

fn http_request<O: Operation>(endpoint: &Endpoint, envelope: &Bytes, span: &Span) -> Request<Full<Bytes>> {
    let mut request = endpoint.request(Method::POST, envelope.clone());
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8"));
    headers.insert(SOAP_ACTION, HeaderValue::from_static(O::SOAP_ACTION));
    trace_context::add_trace_headers(span, headers);
    request
}
