//! The handlers that all batch resources share, for any kind of batch. Their paths and operation ids are in [`crate::server::router`].

use actix_web::HttpResponse;
use actix_web::http::header::LOCATION;

use crate::api::batches::answers::{BatchList, BatchState};
use crate::api::batches::operations::{answer_accepted, answer_state, find, require_organisation_ref};
use crate::api::batches::requests::TrackedJob;
use crate::api::batches::resource::BatchResource;
use crate::api::batches::results::{
    Accepts, Csv, CsvQuery, JsonPages, Ndjson, ResultCursor, StreamFormat, StreamQuery, answer_page, answer_stream,
};
use crate::api::batches::work::{BatchWork, Discard, Erase, List, Read, ReadResults, Resubmit, Track};
use crate::api::content_coding::compress;
use crate::api::extract::Body;
use crate::api::extract::batch_list::BatchListQuery;
use crate::api::extract::pagination::Pagination;
use crate::api::extract::path::{BatchPath, PartPath, part_not_found};
use crate::api::extract::prefer::PreferWait;
use crate::api::json::Json;
use crate::api::work::ProblemOf;
use crate::app::State;
use crate::auth::Caller;
use crate::batches::{BatchService, Decision, DecisionOutcome, TrackedBatch};
use crate::organisations::CallContext;
use crate::problem::{Code, Problem};

pub(crate) struct ListBatchesDocs;

/// List batches
///
/// Returns the organisation's batches, newest first, in pages. With `submittedAfter` or `submittedBefore`, it returns the batches that you
/// submitted in that period or that the gateway sent to LRS in it, with the parts that it sent then. So you find what LRS received between two
/// times.
#[utoipa::path(get, path = "", impl_for = ListBatchesDocs,
    responses((status = 200, description = "Page of batches.", body = BatchList))
)]
pub async fn list_batches<K: BatchResource>(
    state: State,
    caller: Caller<K::Scope>,
    query: BatchListQuery,
) -> Result<Json<BatchList>, ProblemOf<BatchWork<K, List>>> {
    let BatchListQuery { pagination, period } = query;
    let page = state.batches.list(K::KIND, &caller, pagination.cursor, pagination.limit(), period).await?;
    let batches = page.batches.iter().map(|batch| BatchState::in_list(&state.batches, batch, period)).collect();
    Ok(Json(BatchList { batches, next: page.next.map(|id| id.to_string()) }))
}

pub(crate) struct TrackJobDocs;

/// Track a job submitted elsewhere
///
/// Adopts an LRS job of the organisation that was submitted through the LRS portal or another system. The job becomes a batch, and you
/// read its results like those of any other batch. If the organisation tracks the job already, the answer is the batch that it has: 200 instead
/// of 202. To start again, erase that batch first.
#[utoipa::path(post, path = "", impl_for = TrackJobDocs,
    request_body(content_type = "application/json", example = json!({"lrsJobId": "900123"})),
    responses(
        (status = 200, description = "The organisation tracks the job already; or the job is finished: with `Prefer: wait`, the gateway has waited for its end.", body = BatchState),
        (status = 202, description = "The gateway tracks the job.", body = BatchState)
    )
)]
pub async fn track_job<K: BatchResource>(
    state: State,
    caller: Caller<K::Scope>,
    wait: PreferWait,
    body: Body<TrackedJob>,
) -> Result<HttpResponse, ProblemOf<BatchWork<K, Track>>> {
    require_organisation_ref::<K>(&caller)?;
    let job_id = body.lrs_job_id.0;
    if job_id > K::MAX_JOB_ID {
        let detail = format!("must be at most {} for this kind of job", K::MAX_JOB_ID);
        return Err(Problem::from_field_error("/lrsJobId", "out_of_range", detail).into());
    }
    let TrackedBatch { batch, is_new } = state.batches.track::<K>(&caller, job_id).await.map_err(Problem::batch_not_accepted)?;
    let location = batch.id.to_string();
    if !is_new {
        let mut response = HttpResponse::Ok();
        response.insert_header((LOCATION, location));
        return Ok(answer_state(&state.batches, response, batch, wait).await);
    }
    Ok(answer_accepted(&state.batches, batch, location, wait, None).await)
}

pub(crate) struct GetBatchDocs;

/// Read a batch
///
/// Returns the status of a batch and of its parts. With `Prefer: wait=N`, the gateway answers when the batch is finished or needs a
/// decision, but after N seconds at the latest.
#[utoipa::path(get, path = "", impl_for = GetBatchDocs,
    responses((status = 200, description = "State of the batch.", body = BatchState))
)]
pub async fn get_batch<K: BatchResource>(
    state: State,
    caller: Caller<K::Scope>,
    path: BatchPath,
    wait: PreferWait,
) -> Result<HttpResponse, ProblemOf<BatchWork<K, Read>>> {
    let batch = find::<K>(&state.batches, &caller, path.batch_id).await?;
    Ok(answer_state(&state.batches, HttpResponse::Ok(), batch, wait).await)
}

pub(crate) struct GetResultsDocs;

/// Read results in pages
///
/// Returns the outcome of each record, in the order of the submission, in pages. The results of a finished part are available before the batch
/// is finished: if `status` shows that more have arrived, read again from the first page.
#[utoipa::path(get, path = "", impl_for = GetResultsDocs, responses((status = 200, description = "Page of results.")))]
pub async fn get_results<K: BatchResource>(
    state: State,
    caller: Caller<K::Scope>,
    path: BatchPath,
    accepts: Accepts<K, JsonPages>,
    query: Pagination<ResultCursor>,
) -> Result<HttpResponse, ProblemOf<BatchWork<K, ReadResults<JsonPages>>>> {
    let batch = find::<K>(&state.batches, &caller, path.batch_id).await?;
    let page = answer_page::<K>(&state.batches, &batch, query).await?;
    Ok(if accepts.is_compressed { compress(page) } else { page })
}

pub(crate) struct GetResultsAsNdjsonDocs;

/// Read results as NDJSON
///
/// Returns the outcome of each record, in the order of the submission, in one answer: a line of JSON for each. The results of a finished part
/// are available before the batch is finished: `Batch-Status` has the status of the batch.
#[utoipa::path(get, path = "", impl_for = GetResultsAsNdjsonDocs,
    responses((status = 200, description = "Results that are available, one in each line."))
)]
pub async fn get_results_as_ndjson<K: BatchResource>(
    state: State,
    caller: Caller<K::Scope>,
    path: BatchPath,
    accepts: Accepts<K, Ndjson>,
    query: StreamQuery,
) -> Result<HttpResponse, ProblemOf<BatchWork<K, ReadResults<Ndjson>>>> {
    Ok(stream_results::<K>(&state, &caller, path, query.start, StreamFormat::Ndjson, accepts.is_compressed).await?)
}

pub(crate) struct GetResultsAsCsvDocs;

/// Read results as CSV
///
/// Returns the outcome of each record, in the order of the submission, in one answer: a row for each, below the names of the columns. The
/// results of a finished part are available before the batch is finished: `Batch-Status` has the status of the batch. Lists within a cell are
/// separated by line breaks.
#[utoipa::path(get, path = "", impl_for = GetResultsAsCsvDocs,
    responses((status = 200, description = "Results that are available, one in each row."))
)]
pub async fn get_results_as_csv<K: BatchResource>(
    state: State,
    caller: Caller<K::Scope>,
    path: BatchPath,
    accepts: Accepts<K, Csv>,
    query: CsvQuery,
) -> Result<HttpResponse, ProblemOf<BatchWork<K, ReadResults<Csv>>>> {
    let format = StreamFormat::csv::<K>(query.options);
    Ok(stream_results::<K>(&state, &caller, path, query.start, format, accepts.is_compressed).await?)
}

pub(crate) struct ResubmitPartDocs;

/// Resubmit a part
///
/// Sends a part to LRS again, under your user name: a part with the status `UNCONFIRMED`, or a `FAILED` part with the reason `JOB_UNKNOWN`,
/// `TIMED_OUT` or `SUBMISSION_TIMED_OUT`. Resubmit a part only if you know that LRS does not have it, or that processing it twice has no
/// adverse effect: except after `SUBMISSION_TIMED_OUT`, LRS may have processed it already.
#[utoipa::path(post, path = "", impl_for = ResubmitPartDocs,
    responses((status = 202, description = "The part will be sent again.", body = BatchState))
)]
pub async fn resubmit_part<K: BatchResource>(
    state: State,
    caller: Caller<K::Scope>,
    path: PartPath,
) -> Result<HttpResponse, ProblemOf<BatchWork<K, Resubmit>>> {
    Ok(decide::<K>(&state.batches, &caller, path, Decision::Resubmit).await?)
}

pub(crate) struct DiscardPartDocs;

/// Discard a part
///
/// Deletes the records of a part that you could also resubmit, and does not send it again. If LRS has the part after all, adopt its job with
/// `track`.
#[utoipa::path(post, path = "", impl_for = DiscardPartDocs,
    responses((status = 202, description = "The part was discarded.", body = BatchState))
)]
pub async fn discard_part<K: BatchResource>(
    state: State,
    caller: Caller<K::Scope>,
    path: PartPath,
) -> Result<HttpResponse, ProblemOf<BatchWork<K, Discard>>> {
    Ok(decide::<K>(&state.batches, &caller, path, Decision::Discard).await?)
}

pub(crate) struct EraseBatchDocs;

/// Erase a batch
///
/// Erases all data that the gateway stores for the batch: its results, and the records that have not been sent. Those records will
/// not be sent. Data in LRS is not affected.
#[utoipa::path(delete, path = "", impl_for = EraseBatchDocs,
    responses((status = 204, description = "The batch was erased."))
)]
pub async fn erase_batch<K: BatchResource>(
    state: State,
    caller: Caller<K::Scope>,
    path: BatchPath,
) -> Result<HttpResponse, ProblemOf<BatchWork<K, Erase>>> {
    let batch = find::<K>(&state.batches, &caller, path.batch_id).await?;
    state.batches.erase(&batch).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Answers with the results as a stream, compressed if the caller prefers it.
async fn stream_results<K: BatchResource>(
    state: &State,
    context: &CallContext,
    path: BatchPath,
    start: ResultCursor,
    format: StreamFormat,
    is_compressed: bool,
) -> Result<HttpResponse, Problem> {
    let batch = find::<K>(&state.batches, context, path.batch_id).await?;
    let results = answer_stream::<K>(state.batches.clone(), batch, start, format).await?;
    Ok(if is_compressed { compress(results) } else { results })
}

/// Applies the caller's decision about a part.
async fn decide<K: BatchResource>(
    service: &BatchService,
    context: &CallContext,
    path: PartPath,
    decision: Decision,
) -> Result<HttpResponse, Problem> {
    let batch = find::<K>(service, context, path.batch_id).await?;
    match service.decide(context, &batch, path.part, decision).await? {
        DecisionOutcome::Applied => {
            let batch = find::<K>(service, context, path.batch_id).await?;
            Ok(answer_state(service, HttpResponse::Accepted(), batch, PreferWait(None)).await)
        }
        DecisionOutcome::NoSuchPart => Err(part_not_found()),
        DecisionOutcome::NotAwaitingDecision => Err(Problem::new(Code::PartNotAwaitingDecision)),
        DecisionOutcome::RecordsDeleted => {
            let detail = "The gateway no longer has the records of this part. Submit them as a new batch.";
            Err(Problem::new(Code::PartNotAwaitingDecision).detail(detail))
        }
    }
}
