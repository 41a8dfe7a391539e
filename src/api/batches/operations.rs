//! Operations that all batch resources share.

use actix_web::http::header::{HeaderName, LOCATION, RETRY_AFTER};
use actix_web::web::Json;
use actix_web::{HttpResponse, HttpResponseBuilder};

use crate::api::batches::answers::{BatchList, BatchState};
use crate::api::batches::requests::TrackJob;
use crate::api::batches::resource::BatchResource;
use crate::api::extract::idempotency::WorkAttempt;
use crate::api::extract::pagination::Pagination;
use crate::api::extract::path::{PartPath, part_not_found};
use crate::api::extract::prefer::PreferWait;
use crate::batches::batch_kind::BatchKind;
use crate::batches::metadata::BatchMetadata;
use crate::batches::model::{Batch, BatchId};
use crate::batches::partition::Parts;
use crate::batches::{BatchService, Decision, DecisionOutcome};
use crate::organisations::CallContext;
use crate::problem::{Code, Problem};

/// Default number of batches on a page.
const DEFAULT_PAGE_SIZE: usize = 20;
/// Maximum number of batches on a page.
const MAX_PAGE_SIZE: usize = 100;

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
    let Submission { context, metadata, records } = submission;
    require_organisation_ref::<K>(&context)?;
    let (count, max) = (records.record_count(), K::max_records(service.settings()));
    if count > max {
        return Err(Problem::from_field_error(K::RECORDS_POINTER, "too_many", format!("must have at most {max} items, has {count}")));
    }
    let id = BatchId::from_uuid(attempt.work_id);
    let existing = if attempt.is_retry { service.find(K::KIND, &context, id).await? } else { None };
    let batch = match existing {
        Some(batch) => batch,
        None => service.submit(id, &context, &metadata, records).await.map_err(Problem::batch_not_accepted)?,
    };
    answer_accepted::<K>(service, batch, wait).await
}

/// Accepts an LRS job that was submitted elsewhere as a batch, and waits for it if the caller prefers to.
///
/// # Errors
/// Returns a problem if the job number is too large, if the organisation lacks a reference that LRS requires, or if the store fails.
pub async fn track<K: BatchResource>(
    service: &BatchService,
    context: &CallContext,
    job: &TrackJob,
    wait: PreferWait,
) -> Result<HttpResponse, Problem> {
    require_organisation_ref::<K>(context)?;
    let job_id = job.lrs_job_id.0;
    if job_id > K::MAX_JOB_ID {
        let detail = format!("must be at most {} for this kind of job", K::MAX_JOB_ID);
        return Err(Problem::from_field_error("/lrsJobId", "out_of_range", detail));
    }
    let batch = service.track::<K>(context, job_id).await.map_err(Problem::batch_not_accepted)?;
    answer_accepted::<K>(service, batch, wait).await
}

/// Finds a batch of the caller's organisation.
///
/// # Errors
/// Returns [`Code::BatchNotFound`] if there is no such batch or if it belongs to another organisation, so that the two cannot be
/// distinguished. Returns a problem if the store fails.
pub async fn find<K: BatchKind>(service: &BatchService, context: &CallContext, id: BatchId) -> Result<Batch, Problem> {
    service.find(K::KIND, context, id).await?.ok_or(Problem::new(Code::BatchNotFound))
}

/// Answers with the state of a batch, after waiting if the caller prefers to.
///
/// # Errors
/// Returns a problem if the batch cannot be found.
pub async fn read<K: BatchKind>(
    service: &BatchService,
    context: &CallContext,
    id: BatchId,
    wait: PreferWait,
) -> Result<HttpResponse, Problem> {
    let batch = find::<K>(service, context, id).await?;
    answer_state(service, HttpResponse::Ok(), batch, wait).await
}

/// Lists the batches of the caller's organisation.
///
/// # Errors
/// Returns a problem if the store fails.
pub async fn list<K: BatchKind>(
    service: &BatchService,
    context: &CallContext,
    pagination: Pagination<BatchId>,
) -> Result<Json<BatchList>, Problem> {
    let limit = pagination.limit(DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE);
    let page = service.list(K::KIND, context, pagination.cursor, limit).await?;
    let batches = page.batches.iter().map(|batch| BatchState { parts: None, ..BatchState::from(batch) }).collect();
    Ok(Json(BatchList { batches, next: page.next.map(|id| id.to_string()) }))
}

/// Erases a batch.
///
/// # Errors
/// Returns a problem if the batch cannot be found or if the store fails.
pub async fn erase<K: BatchKind>(service: &BatchService, context: &CallContext, id: BatchId) -> Result<HttpResponse, Problem> {
    service.erase(&find::<K>(service, context, id).await?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Applies the caller's decision about an unconfirmed part.
///
/// # Errors
/// Returns a problem if the batch or the part cannot be found, if the part is not unconfirmed, or if the store fails.
pub async fn decide<K: BatchKind>(
    service: &BatchService,
    context: &CallContext,
    path: PartPath,
    decision: Decision,
) -> Result<HttpResponse, Problem> {
    let batch = find::<K>(service, context, path.batch_id).await?;
    match service.decide(context, &batch, path.part, decision).await? {
        DecisionOutcome::Applied => {
            let batch = find::<K>(service, context, path.batch_id).await?;
            Ok(HttpResponse::Accepted().json(BatchState::from(&batch)))
        }
        DecisionOutcome::NoSuchPart => Err(part_not_found()),
        DecisionOutcome::NotAwaitingDecision => Err(Problem::new(Code::PartNotAwaitingDecision)),
    }
}

fn require_organisation_ref<K: BatchResource>(context: &CallContext) -> Result<(), Problem> {
    if !K::REQUIRES_ORGANISATION_REF || context.organisation.organisation_ref().is_some() {
        return Ok(());
    }
    let ukprn = context.organisation.ukprn();
    let detail =
        format!("Organisation {ukprn} has no organisation_ref in its file, which achievement batches require. Ask the operator to add it.");
    Err(Problem::new(Code::ProductNotEnabled).detail(detail))
}

async fn answer_accepted<K: BatchResource>(service: &BatchService, batch: Batch, wait: PreferWait) -> Result<HttpResponse, Problem> {
    let mut response = HttpResponse::Accepted();
    response.insert_header((LOCATION, format!("/v1/{}/{}", K::PATH, batch.id)));
    answer_state(service, response, batch, wait).await
}

async fn answer_state(
    service: &BatchService,
    mut response: HttpResponseBuilder,
    mut batch: Batch,
    wait: PreferWait,
) -> Result<HttpResponse, Problem> {
    if let Some(duration) = wait.0 {
        response.insert_header((PREFERENCE_APPLIED, format!("wait={}", duration.as_secs())));
        // The batch is accepted even if the store fails now, so the answer must not be a problem.
        batch = match service.wait(batch.clone(), duration).await {
            Ok(batch) => batch,
            Err(error) => {
                tracing::warn!(batch = %batch.id, %error, "batch state not read while waiting: answered with the last known state");
                batch
            }
        };
    }
    let state = BatchState::from(&batch);
    if let Some(seconds) = state.retry_after_seconds {
        response.insert_header((RETRY_AFTER, seconds));
    }
    Ok(response.json(state))
}
