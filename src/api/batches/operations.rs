//! Steps that the handlers of all batch resources share.

use std::time::Duration;

use actix_web::http::header::{HeaderName, LOCATION, RETRY_AFTER};
use actix_web::{HttpResponse, HttpResponseBuilder};
use aws_lc_rs::digest::Digest;

use crate::api::batches::answers::BatchState;
use crate::api::batches::resource::BatchResource;
use crate::api::extract::idempotency::{IdempotencyKey, WorkAttempt};
use crate::api::extract::prefer::PreferWait;
use crate::app::State;
use crate::app::request_memory::Reservation;
use crate::batches::BatchService;
use crate::batches::batch_kind::BatchKind;
use crate::batches::metadata::BatchMetadata;
use crate::batches::model::{Batch, BatchId};
use crate::batches::partition::Parts;
use crate::organisations::CallContext;
use crate::problem::{Code, Problem};
use crate::schema::FieldWarning;

/// The response header that states the applied preference (RFC 7240).
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// A batch to submit.
pub struct Submission<K: BatchKind> {
    /// The organisation and the person.
    pub context: CallContext,
    /// The data of the batch as a whole.
    pub metadata: BatchMetadata,
    /// The records, divided into parts.
    pub records: Parts<K>,
    /// The memory that is reserved for the records.
    pub memory: Option<Reservation>,
    /// Hints about the records, for the answer.
    pub warnings: Option<Vec<FieldWarning>>,
}

/// Accepts a batch, and waits for it if the caller prefers to. A retry answers with the batch that the earlier attempt accepted, if there is
/// one.
///
/// # Errors
/// Returns a problem if the batch has too many records, if the organisation lacks a reference that LRS requires, or if the store fails.
pub async fn submit<K: BatchResource>(
    service: &BatchService,
    submission: Submission<K>,
    attempt: WorkAttempt,
    wait: PreferWait,
) -> Result<HttpResponse, Problem> {
    let Submission { context, metadata, records, memory, warnings } = submission;
    require_organisation_ref::<K>(&context)?;
    let (count, max) = (records.record_count(), K::max_records(service.settings()));
    if count > max {
        return Err(Problem::from_field_error(K::RECORDS_POINTER, "too_many", format!("must have at most {max} items, has {count}")));
    }
    let id = BatchId::from_uuid(attempt.work_id);
    // In this order: the batch may be accepted meanwhile.
    let was_accepted = attempt.is_retry && service.was_accepted(id).await?;
    let existing = if attempt.is_retry { service.find(K::KIND, &context, id).await? } else { None };
    let batch = match existing {
        Some(batch) => batch,
        None if was_accepted => return Err(Problem::batch_erased()),
        None => {
            attempt.ensure_reserved()?;
            service.submit(id, &context, &metadata, records).await.map_err(Problem::batch_not_accepted)?
        }
    };
    // The records are in the store now. The wait for the batch needs no memory for them.
    drop(memory);
    let location = format!("{}/{}", K::PATH, batch.id);
    Ok(answer_accepted(service, batch, location, wait, warnings).await)
}

/// Submits a batch under an idempotency key. A batch that was erased or has expired is not submitted again.
///
/// # Errors
/// Returns a problem of [`submit`], or of [`IdempotencyKey::run`]. Returns [`Code::BatchErased`] if the batch of an earlier request with the key does
/// not exist any more.
pub async fn submit_once<K: BatchResource>(
    state: &State,
    idempotency_key: IdempotencyKey,
    digest: Option<Digest>,
    submission: Submission<K>,
    wait: PreferWait,
) -> Result<HttpResponse, Problem> {
    let (service, context) = (state.batches.clone(), submission.context.clone());
    let ensure_exists = async |work_id| match service.find(K::KIND, &context, BatchId::from_uuid(work_id)).await? {
        Some(_) => Ok(()),
        None => Err(Problem::batch_erased()),
    };
    let submitting = state.batches.clone();
    let work = async move |attempt: WorkAttempt| submit(&submitting, submission, attempt, wait).await;
    idempotency_key.run_unless_obsolete(state, &context, digest, ensure_exists, work).await
}

/// Finds a batch of the caller's organisation.
///
/// # Errors
/// Returns [`Code::BatchNotFound`] if there is no such batch or if it belongs to another organisation, so that the two cannot be
/// distinguished. Returns a problem if the store fails.
pub async fn find<K: BatchKind>(service: &BatchService, context: &CallContext, id: BatchId) -> Result<Batch, Problem> {
    service.find(K::KIND, context, id).await?.ok_or(Problem::new(Code::BatchNotFound))
}

/// Checks that the organisation has the reference that LRS requires for the kind of batch.
///
/// # Errors
/// Returns [`Code::ProductNotEnabled`] if the organisation lacks the reference.
pub fn require_organisation_ref<K: BatchResource>(context: &CallContext) -> Result<(), Problem> {
    if !K::REQUIRES_ORGANISATION_REF || context.organisation.organisation_ref().is_some() {
        return Ok(());
    }
    let ukprn = context.organisation.ukprn();
    let detail =
        format!("Organisation {ukprn} has no organisation_ref in its file, which achievement batches require. Ask the operator to add it.");
    Err(Problem::new(Code::ProductNotEnabled).detail(detail))
}

/// Answers that a batch was accepted, after waiting if the caller prefers to: 200 if the wait saw its end, otherwise 202. `location` refers to
/// the batch, relative to the request.
pub async fn answer_accepted(
    service: &BatchService,
    batch: Batch,
    location: String,
    wait: PreferWait,
    warnings: Option<Vec<FieldWarning>>,
) -> HttpResponse {
    let observed = ObservedBatch::after_wait(service, batch, wait).await;
    let is_end = observed.waited.is_some() && observed.batch.is_finished();
    let mut response = if is_end { HttpResponse::Ok() } else { HttpResponse::Accepted() };
    response.insert_header((LOCATION, location));
    let state = observed.describe(service, &mut response);
    response.json(BatchState { warnings, ..state })
}

/// Answers with the state of a batch, after waiting if the caller prefers to.
pub async fn answer_state(service: &BatchService, mut response: HttpResponseBuilder, batch: Batch, wait: PreferWait) -> HttpResponse {
    let state = ObservedBatch::after_wait(service, batch, wait).await.describe(service, &mut response);
    response.json(state)
}

/// A batch as it is now.
struct ObservedBatch {
    batch: Batch,
    /// The preference that was applied.
    waited: Option<Duration>,
}

impl ObservedBatch {
    /// Waits for the batch if the caller prefers to.
    async fn after_wait(service: &BatchService, batch: Batch, wait: PreferWait) -> Self {
        let Some(duration) = wait.0 else { return Self { batch, waited: None } };
        match service.wait(batch.clone(), duration).await {
            Ok(batch) => Self { batch, waited: Some(duration) },
            // The batch is accepted even if the store fails now, so the answer must not be a problem.
            Err(error) => {
                tracing::warn!(batch = %batch.id, %error, "batch state not read while waiting: answered with the last known state");
                Self { batch, waited: None }
            }
        }
    }

    /// Returns the state of the batch, and sets the headers that belong to it.
    fn describe(&self, service: &BatchService, response: &mut HttpResponseBuilder) -> BatchState {
        if let Some(duration) = self.waited {
            response.insert_header((PREFERENCE_APPLIED, format!("wait={}", duration.as_secs())));
        }
        let state = BatchState::new(service, &self.batch);
        if let Some(seconds) = state.retry_after_seconds {
            response.insert_header((RETRY_AFTER, seconds));
        }
        state
    }
}
