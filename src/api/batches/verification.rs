//! Verification batches.

use actix_web::web::{Data, Json};
use actix_web::{HttpResponse, delete, get, post};

use crate::api::batches::resource::batch_resource;
use crate::api::batches::results::{self, ResultCursor, ResultFormat, Results, word_without_result};
use crate::api::batches::{self, BatchList, BatchState, TrackJob};
use crate::api::extract::Body;
use crate::api::extract::batch_request::{BatchPath, Pagination, PartPath, PreferWait};
use crate::api::extract::idempotency::{IdempotencyKey, IdempotencyKeyParameter, WorkId};
use crate::api::verify_learners::{VerifyOutcome, VerifyResult};
use crate::auth::Caller;
use crate::auth::scope::VerificationBatches;
use crate::batches::batch_kind::{BatchKind as _, BatchMetadata, RecordResult};
use crate::batches::kinds::verification::Verifications;
use crate::batches::model::{Batch, BatchId, BatchStatus, Part};
use crate::batches::partition::Parts;
use crate::batches::{BatchService, Decision};
use crate::domain::{EmailAddress, Extensible, Personal, Uln};
use crate::lrs::services::learner::VerifiedLearner;
use crate::problem::Problem;
use crate::problem::responses::{BatchProblems, DecisionProblems, ResultProblems, SubmitProblems, TrackProblems};
use crate::schema::openapi::{PropertySchema, one_of};
use crate::schema::{Scalar as _, answer, request};

/// Most bytes of a submission: far more than 20,000 learners to verify.
const MOST_BYTES: usize = 16 * 1024 * 1024;

request! {
    /// Learners to verify.
    #[derive(Debug)]
    pub struct VerificationBatch {
        /// The learners: any number up to the operator's limit, 20,000 if nothing else is set.
        pub learners: Parts<Verifications>,
        /// Whom LRS tells when a job is done.
        pub notify_email: Option<EmailAddress>,
    }
}

answer! {
    /// What verifying a learner came to.
    #[derive(Debug)]
    pub struct VerificationResult {
        /// Position in the batch, from 0. Absent where LRS gave back a learner and nobody can say which of yours it is.
        pub position: Option<u32>,
        /// Your own name for the record.
        pub mis_identifier: Option<Personal<String>>,
        /// What it came to. Only `MATCH` and `LINKED_MATCH` say that the learner is who the ULN says.
        pub outcome: VerificationOutcome,
        /// LRS's code, as it came: the learner's; of a part that was not done, the part's.
        pub lrs_code: Option<String>,
        /// ULN at LRS: of the master record, if the ULN was merged into another.
        pub uln: Option<Extensible<Uln>>,
        /// What was compared with what.
        pub verification: Option<VerifyResult>,
    }
}

answer! {
    /// A page of results.
    #[derive(Debug)]
    pub struct VerificationResults {
        /// Identifies the batch.
        pub batch_id: String,
        /// How far the batch is.
        pub status: BatchStatus,
        /// What verifying each learner came to, in order, as far as it is known.
        pub results: Vec<VerificationResult>,
        /// Give this as `cursor` to get the next page. Absent when this is all there is now.
        pub next: Option<String>,
    }
}

/// What verifying a learner of a batch came to: as for a single one, or nothing.
#[derive(Debug, Clone, Copy)]
pub struct VerificationOutcome(&'static str);

impl serde::Serialize for VerificationOutcome {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl PropertySchema for VerificationOutcome {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        let words = VerifyOutcome::TABLE.iter().map(|(word, _)| *word);
        let others = [results::NO_RESULT, results::NOT_PROCESSED, VerifyOutcome::Other.name()];
        one_of(&words.chain(others).collect::<Vec<_>>())
    }
}

impl Results for Verifications {
    type Answer = VerificationResult;
    type Page = VerificationResults;

    fn answer(row: RecordResult<VerifiedLearner>, part: &Part) -> VerificationResult {
        let RecordResult { position, mis_identifier, result, .. } = row;
        let Some(verification) = result.map(VerifyResult::from) else {
            let outcome = VerificationOutcome(word_without_result(part));
            return VerificationResult { position, mis_identifier, outcome, lrs_code: part.code.clone(), uln: None, verification: None };
        };
        VerificationResult {
            position,
            mis_identifier,
            outcome: VerificationOutcome(verification.outcome.name()),
            lrs_code: Some(verification.lrs_code.as_str().to_owned()).filter(|code| !code.is_empty()),
            uln: verification.uln.clone(),
            verification: Some(verification),
        }
    }

    fn page(batch: &Batch, results: Vec<VerificationResult>, next: Option<String>) -> VerificationResults {
        VerificationResults { batch_id: batch.id.to_string(), status: batch.status(), results, next }
    }

    fn columns() -> Vec<String> {
        let own = ["position", "misIdentifier", "outcome", "lrsCode", "uln"].map(str::to_owned);
        let compared = [
            "failures",
            "searchedUln",
            "searchedFamilyName",
            "searchedGivenName",
            "searchedDateOfBirth",
            "searchedGender",
            "familyName",
            "givenName",
            "dateOfBirth",
            "gender",
        ];
        own.into_iter().chain(compared.map(|field| format!("verification.{field}"))).collect()
    }
}

/// Verify many learners
///
/// Any number of learners in one request; the gateway divides them into jobs LRS takes, sends these, follows them, and puts the results
/// together in your order. Everything is checked first: a mistake anywhere, and nothing is accepted. When the answer is 202 the batch is
/// kept, whatever happens to the gateway. If LRS's answer to a job is lost, the job is sent again: verifying changes nothing.
///
/// With `Prefer: wait=N` the answer comes when the batch is over, but after N seconds at the latest.
#[utoipa::path(
    operation_id = "submitVerificationBatch",
    tag = "Verification batches",
    security(("bearer" = ["verification-batches"])),
    params(IdempotencyKeyParameter, ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds, 30 at most (RFC 7240).")),
    request_body(content = VerificationBatch, example = json!({"learners": [{
        "misIdentifier": "CAND-7", "uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill", "dateOfBirth": "2003-04-05"
    }]})),
    responses(
        (status = 202, description = "The batch is accepted.", body = BatchState,
            headers(
                ("Location" = String, description = "Where the batch is."),
                ("Retry-After" = u64, description = "When it makes sense to ask how far it is, in seconds."),
                ("Preference-Applied" = String, description = "The `Prefer` that was followed."),
                ("Idempotency-Replayed" = bool, description = "`true`: this answer was given before.")
            )),
        SubmitProblems
    )
)]
#[post("/verification-batches")]
pub async fn submit_batch(
    caller: Caller<VerificationBatches>,
    body: Body<VerificationBatch, MOST_BYTES>,
    once: IdempotencyKey,
    jobs: Data<BatchService>,
    wait: PreferWait,
) -> Result<HttpResponse, Problem> {
    let Body { value: VerificationBatch { learners, notify_email }, digest } = body;
    let notify_email = notify_email.filter(|address| !address.text().is_empty());
    let details = BatchMetadata { notify_email, ..BatchMetadata::of(&caller) };
    let actor = caller.context().clone();
    let work = async move |attempt: WorkId| {
        batches::submit(&jobs, ("verification-batches", "/learners"), (&actor, details), learners, (attempt, wait)).await
    };
    once.run("submitVerificationBatch", &caller, digest, work).await
}

batch_resource! {
    Verifications, scope VerificationBatches = "verification-batches", tag "Verification batches", name "verification-batches",
    list "listVerificationBatches" at "/verification-batches",
    get "getVerificationBatch" at "/verification-batches/{batchId}",
    erase "eraseVerificationBatch",
    results "getVerificationBatchResults" at "/verification-batches/{batchId}/results" gives VerificationResults,
    track "trackVerificationBatch" at "/verification-batches/track",
    resubmit "resubmitVerificationBatchPart" at "/verification-batches/{batchId}/parts/{part}/resubmit",
    discard "discardVerificationBatchPart" at "/verification-batches/{batchId}/parts/{part}/discard",
}
