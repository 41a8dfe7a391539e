//! The table of contents of the API: every operation with its path, its id, its handler and the handler's description.

use crate::api::amend_learner::{AmendLearnerDocs, amend_learner};
use crate::api::batches::handlers::{
    DiscardPartDocs, EraseBatchDocs, GetBatchDocs, GetResultsAsCsvDocs, GetResultsAsNdjsonDocs, GetResultsDocs, ListBatchesDocs,
    ResubmitPartDocs, TrackJobDocs, discard_part, erase_batch, get_batch, get_results, get_results_as_csv, get_results_as_ndjson,
    list_batches, resubmit_part, track_job,
};
use crate::api::batches::{achievement, registration, verification};
use crate::api::find_learners::{FindLearnerByUlnDocs, FindLearnersByDemographicsDocs, find_learner_by_uln, find_learners_by_demographics};
use crate::api::health::{LiveDocs, ReadyDocs, live, ready};
use crate::api::learning_events::{GetLearningEventsDocs, get_learning_events};
use crate::api::lrs_status::{GetLrsStatusDocs, get_lrs_status};
use crate::api::obtain_uln::{ObtainUlnDocs, obtain_uln};
use crate::api::organisation::{GetOrganisationDocs, get_organisation};
use crate::api::register_learners::{RegisterLearnerDocs, UpdateLearnerDocs, register_learner, update_learner};
use crate::api::retrieve_ulns::{RetrieveUlnsDocs, retrieve_ulns};
use crate::api::verify_learners::{VerifyLearnerDocs, verify_learner};
use crate::batches::kinds::achievement::Achievements;
use crate::batches::kinds::registration::Registrations;
use crate::batches::kinds::verification::Verifications;
use crate::server::route::{Route, delete, get, post, tagged};

/// Returns the routes of the API.
#[rustfmt::skip] // One line for each operation.
pub fn api() -> Vec<Route> {
    [
        tagged("Learners", [
            post("/v1/learners/find-by-uln", "findLearnerByUln", find_learner_by_uln, &FindLearnerByUlnDocs),
            post("/v1/learners/find-by-demographics", "findLearnersByDemographics", find_learners_by_demographics, &FindLearnersByDemographicsDocs),
            post("/v1/learners/obtain-uln", "obtainUln", obtain_uln, &ObtainUlnDocs),
            post("/v1/learners/register", "registerLearner", register_learner, &RegisterLearnerDocs),
            post("/v1/learners/update", "updateLearner", update_learner, &UpdateLearnerDocs),
            post("/v1/learners/amend", "amendLearner", amend_learner, &AmendLearnerDocs),
            post("/v1/learners/verify", "verifyLearner", verify_learner, &VerifyLearnerDocs),
            post("/v1/learners/retrieve-ulns", "retrieveUlns", retrieve_ulns, &RetrieveUlnsDocs),
        ]),
        tagged("Learning events", [
            post("/v1/learning-events/search", "getLearningEvents", get_learning_events, &GetLearningEventsDocs),
        ]),
        tagged("Service", [
            get("/v1/organisation", "getOrganisation", get_organisation, &GetOrganisationDocs),
            get("/v1/lrs/status", "getLrsStatus", get_lrs_status, &GetLrsStatusDocs),
        ]),
        tagged("Registration batches", [
            post("/v1/registration-batches", "submitRegistrationBatch", registration::submit_batch, &registration::SubmitBatchDocs),
            get("/v1/registration-batches", "listRegistrationBatches", list_batches::<Registrations>, &ListBatchesDocs),
            post("/v1/registration-batches/track", "trackRegistrationBatch", track_job::<Registrations>, &TrackJobDocs),
            get("/v1/registration-batches/{batchId}", "getRegistrationBatch", get_batch::<Registrations>, &GetBatchDocs),
            get("/v1/registration-batches/{batchId}/results", "getRegistrationBatchResults", get_results::<Registrations>, &GetResultsDocs),
            get("/v1/registration-batches/{batchId}/results.ndjson", "getRegistrationBatchResultsAsNdjson", get_results_as_ndjson::<Registrations>, &GetResultsAsNdjsonDocs),
            get("/v1/registration-batches/{batchId}/results.csv", "getRegistrationBatchResultsAsCsv", get_results_as_csv::<Registrations>, &GetResultsAsCsvDocs),
            post("/v1/registration-batches/{batchId}/parts/{part}/resubmit", "resubmitRegistrationBatchPart", resubmit_part::<Registrations>, &ResubmitPartDocs),
            post("/v1/registration-batches/{batchId}/parts/{part}/discard", "discardRegistrationBatchPart", discard_part::<Registrations>, &DiscardPartDocs),
            delete("/v1/registration-batches/{batchId}", "eraseRegistrationBatch", erase_batch::<Registrations>, &EraseBatchDocs),
        ]),
        tagged("Verification batches", [
            post("/v1/verification-batches", "submitVerificationBatch", verification::submit_batch, &verification::SubmitBatchDocs),
            get("/v1/verification-batches", "listVerificationBatches", list_batches::<Verifications>, &ListBatchesDocs),
            post("/v1/verification-batches/track", "trackVerificationBatch", track_job::<Verifications>, &TrackJobDocs),
            get("/v1/verification-batches/{batchId}", "getVerificationBatch", get_batch::<Verifications>, &GetBatchDocs),
            get("/v1/verification-batches/{batchId}/results", "getVerificationBatchResults", get_results::<Verifications>, &GetResultsDocs),
            get("/v1/verification-batches/{batchId}/results.ndjson", "getVerificationBatchResultsAsNdjson", get_results_as_ndjson::<Verifications>, &GetResultsAsNdjsonDocs),
            get("/v1/verification-batches/{batchId}/results.csv", "getVerificationBatchResultsAsCsv", get_results_as_csv::<Verifications>, &GetResultsAsCsvDocs),
            post("/v1/verification-batches/{batchId}/parts/{part}/resubmit", "resubmitVerificationBatchPart", resubmit_part::<Verifications>, &ResubmitPartDocs),
            post("/v1/verification-batches/{batchId}/parts/{part}/discard", "discardVerificationBatchPart", discard_part::<Verifications>, &DiscardPartDocs),
            delete("/v1/verification-batches/{batchId}", "eraseVerificationBatch", erase_batch::<Verifications>, &EraseBatchDocs),
        ]),
        tagged("Achievement batches", [
            post("/v1/achievement-batches", "submitAchievementBatch", achievement::submit_batch, &achievement::SubmitBatchDocs),
            get("/v1/achievement-batches", "listAchievementBatches", list_batches::<Achievements>, &ListBatchesDocs),
            post("/v1/achievement-batches/track", "trackAchievementBatch", track_job::<Achievements>, &TrackJobDocs),
            get("/v1/achievement-batches/{batchId}", "getAchievementBatch", get_batch::<Achievements>, &GetBatchDocs),
            get("/v1/achievement-batches/{batchId}/results", "getAchievementBatchResults", get_results::<Achievements>, &GetResultsDocs),
            get("/v1/achievement-batches/{batchId}/results.ndjson", "getAchievementBatchResultsAsNdjson", get_results_as_ndjson::<Achievements>, &GetResultsAsNdjsonDocs),
            get("/v1/achievement-batches/{batchId}/results.csv", "getAchievementBatchResultsAsCsv", get_results_as_csv::<Achievements>, &GetResultsAsCsvDocs),
            post("/v1/achievement-batches/{batchId}/parts/{part}/resubmit", "resubmitAchievementBatchPart", resubmit_part::<Achievements>, &ResubmitPartDocs),
            post("/v1/achievement-batches/{batchId}/parts/{part}/discard", "discardAchievementBatchPart", discard_part::<Achievements>, &DiscardPartDocs),
            delete("/v1/achievement-batches/{batchId}", "eraseAchievementBatch", erase_batch::<Achievements>, &EraseBatchDocs),
            get("/v1/achievement-batches/{batchId}/parts/{part}/job", "getAchievementBatchJob", achievement::get_job, &achievement::GetJobDocs),
        ]),
        health(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Returns the health checks. The admin listener has them too, beside `/metrics`.
#[rustfmt::skip] // One line for each operation.
pub fn health() -> Vec<Route> {
    tagged("Service", [
        get("/health/live", "getLiveness", live, &LiveDocs),
        get("/health/ready", "getReadiness", ready, &ReadyDocs),
    ])
}
