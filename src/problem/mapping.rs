//! Conversions of internal errors into problems.

use std::time::Duration;

use crate::batches::BatchError;
use crate::idempotency::IdempotencyError;
use crate::lrs::maintenance::time_until;
use crate::lrs::response_codes::{LrsCode, Rejection};
use crate::lrs::{ASSUMED_MAINTENANCE_DURATION, CallError, LrsError};
use crate::problem::{Code, Problem, SHORT_RETRY_SECONDS};
use crate::storage::StoreError;

/// Retry time if LRS is unavailable and the gateway has no better estimate.
const LRS_RETRY_SECONDS: u64 = 30;
/// Retry time if LRS is under maintenance and the end is unknown.
const MAINTENANCE_RETRY_SECONDS: u64 = ASSUMED_MAINTENANCE_DURATION.as_secs();
/// Retry time if a person must change something in front of LRS first.
const PERSON_RETRY_SECONDS: u64 = 300;
/// Retry time after possible matches that a person has rejected. LRS does not publish how long a registration must wait (LRS-CONTRACT 2.6).
const POSSIBLE_MATCH_RETRY_SECONDS: u64 = 300;
/// Maximum retry time during planned maintenance, because announcements change.
const MAX_MAINTENANCE_RETRY_SECONDS: u64 = 24 * 60 * 60;

/// Advice after a write whose response was lost.
const OUTCOME_UNKNOWN_ADVICE: &str = "LRS may have carried out the request. Find the learner to check before you try again, \
    or repeat the request with the same Idempotency-Key.";

/// Advice after a call that changed nothing.
const RETRY_LATER_ADVICE: &str = "Try again later. If the problem persists, give the operator the `requestId`.";

impl From<CallError> for Problem {
    fn from(CallError { error, outcome_unknown }: CallError) -> Self {
        let (code, retry_after_seconds) = match &error {
            // After a write the caller must learn that the outcome is unknown, not that LRS is unavailable.
            LrsError::ConnectionLost | LrsError::IntermediaryFailed { .. } if outcome_unknown => (Code::LrsTimeout, None),
            LrsError::Unreachable(_) | LrsError::ConnectionLost | LrsError::IntermediaryFailed { .. } => {
                (Code::LrsUnavailable, Some(LRS_RETRY_SECONDS))
            }
            LrsError::Throttled { retry_after, .. } => {
                (Code::LrsUnavailable, Some(retry_after.map_or(LRS_RETRY_SECONDS, |retry_after| retry_after.as_secs())))
            }
            LrsError::Moved { .. } => (Code::LrsMoved, Some(PERSON_RETRY_SECONDS)),
            LrsError::AccessBlocked { .. } => (Code::LrsAccessBlocked, Some(PERSON_RETRY_SECONDS)),
            LrsError::CircuitOpen { retry_after } => (Code::LrsUnavailable, Some(whole_seconds(*retry_after))),
            LrsError::PlannedMaintenance { ends_at } => {
                (Code::LrsMaintenance, Some(whole_seconds(time_until(*ends_at)).min(MAX_MAINTENANCE_RETRY_SECONDS)))
            }
            LrsError::AuditUnavailable => (Code::AuditUnavailable, Some(SHORT_RETRY_SECONDS)),
            LrsError::ReservationExpired => (Code::IdempotencyKeyInUse, Some(SHORT_RETRY_SECONDS)),
            // Random, so that the callers do not all retry at the same moment.
            LrsError::QueueFull => (Code::LrsQueueFull, Some(fastrand::u64(1..=SHORT_RETRY_SECONDS))),
            LrsError::Maintenance(_) => (Code::LrsMaintenance, Some(MAINTENANCE_RETRY_SECONDS)),
            LrsError::IntermediaryMaintenance { retry_after, .. } => {
                (Code::LrsMaintenance, Some(retry_after.map_or(MAINTENANCE_RETRY_SECONDS, |retry_after| retry_after.as_secs())))
            }
            LrsError::Timeout => (Code::LrsTimeout, None),
            LrsError::CredentialsRejected(_) | LrsError::CertificateRejected(_) => (Code::LrsCredentialsRejected, None),
            LrsError::RequestRejected(_) | LrsError::UnknownError(_) => (Code::LrsRejectedRequest, None),
            LrsError::Rejected(rejection, _) => ((*rejection).into(), None),
            LrsError::ServiceFailed(_)
            | LrsError::InvalidHttp(_)
            | LrsError::InvalidResponse(_)
            | LrsError::InconsistentResponse(_)
            | LrsError::UnexpectedHttpResponse { .. }
            | LrsError::ResponseTooLarge => (Code::LrsBadResponse, None),
            LrsError::IllegalCharacter => (Code::InternalError, None),
        };
        let advice = match code {
            _ if outcome_unknown => OUTCOME_UNKNOWN_ADVICE,
            // The catalogue's advice is for both cases.
            Code::LrsTimeout | Code::LrsBadResponse => RETRY_LATER_ADVICE,
            _ => code.entry().advice,
        };
        let detail = format!("{error}. {advice}");
        let lrs = error.lrs_code().cloned();
        let cause = match lrs.as_ref().and_then(LrsCode::loggable) {
            Some(code) => format!("{error} ({code})"),
            None => error.to_string(),
        };
        // Many clients retry automatically if there is a `Retry-After`. A request with an unknown outcome must not be repeated that way.
        let retry_after_seconds = retry_after_seconds.filter(|_| !outcome_unknown);
        Self { retry_after_seconds, lrs, outcome_unknown, ..Self::new(code).detail(detail).cause(cause) }
    }
}

/// Returns the duration in seconds, rounded up to the next whole second.
const fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + 1
}

impl From<Rejection> for Code {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::NotRegistered => Self::LearnerNotRegistered,
            Rejection::StaleVersion => Self::StaleVersion,
            Rejection::UlnNotFound => Self::UlnNotFound,
            Rejection::InsufficientData => Self::InsufficientData,
            Rejection::ShareChangeNotAllowed => Self::ShareChangeNotAllowed,
            Rejection::InvalidUln => Self::UlnInvalid,
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Unavailable(_) | StoreError::ReplyLost(_) => Self::new(Code::StoreUnavailable).retry_soon(),
            StoreError::NotDurable(_) => Self { retry_after_seconds: Some(PERSON_RETRY_SECONDS), ..Self::new(Code::StoreNotDurable) },
            StoreError::Malformed(_) => Self::new(Code::StoreUnreadable),
        }
        .cause(error)
    }
}

impl From<BatchError> for Problem {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::Store(error) => error.into(),
            BatchError::Cipher(_) | BatchError::Malformed(_) => Self::new(Code::StoreUnreadable).cause(error),
            BatchError::Gone => Self::batch_erased(),
        }
    }
}

impl Problem {
    /// Creates the problem of a learner whom LRS did not register although a person has rejected all candidates.
    pub fn registration_too_soon(error: CallError) -> Self {
        let detail = "LRS did not register the learner although all candidates are rejected: its minimum wait after possible matches is not over. \
            Nothing was registered. LRS does not publish the wait; the time in `Retry-After` is the gateway's estimate. Try again then.";
        let problem = Self { code: Code::RegistrationTooSoon, ..Self::from(error) };
        problem.detail(detail).retry_after(POSSIBLE_MATCH_RETRY_SECONDS)
    }

    /// Creates the problem of a batch that the idempotency key has submitted before, and that does not exist any more.
    pub fn batch_erased() -> Self {
        Self::new(Code::BatchErased).detail(
            "An earlier request with this Idempotency-Key submitted the batch. The batch was erased since, or has expired. Nothing was submitted \
             now. Use a new key to submit the records as a new batch.",
        )
    }

    /// Creates the problem of a batch that was not accepted, or that may have been accepted.
    pub fn batch_not_accepted(error: BatchError) -> Self {
        let is_outcome_unknown = matches!(error, BatchError::Store(StoreError::ReplyLost(_)));
        let problem = Self::from(error);
        match problem.code() {
            _ if is_outcome_unknown => {
                problem.outcome_unknown("The batch may have been accepted. Look for it in the list of batches before you send it again.")
            }
            Code::StoreUnavailable => {
                problem.detail("The gateway's store is unavailable. Nothing was accepted. Try again after the time in `Retry-After`.")
            }
            _ => problem,
        }
    }
}

impl From<IdempotencyError> for Problem {
    fn from(error: IdempotencyError) -> Self {
        match error {
            IdempotencyError::Store(error) => error.into(),
            IdempotencyError::Cipher(_) => Self::new(Code::StoreUnreadable).cause(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lrs::CertificateRejection;
    use crate::lrs::http_client::connect_failure::ConnectFailure;

    #[test]
    fn lrs_error_problem_agrees_on_retryable_and_status() {
        use crate::xml::XmlError;
        let code = Some(LrsCode::new("WSEC0001"));
        for error in [
            LrsError::Unreachable(ConnectFailure::Refused),
            LrsError::ConnectionLost,
            LrsError::Throttled { status: 429, retry_after: None },
            LrsError::IntermediaryFailed { status: 502 },
            LrsError::Moved { status: 308, origin: None },
            LrsError::AccessBlocked { status: 403 },
            LrsError::IntermediaryMaintenance { status: 405, retry_after: None, may_be_executed: false },
            LrsError::CertificateRejected(CertificateRejection::Unauthorised),
            LrsError::InvalidHttp("x"),
            LrsError::CircuitOpen { retry_after: Duration::ZERO },
            LrsError::PlannedMaintenance { ends_at: jiff::Timestamp::UNIX_EPOCH },
            LrsError::QueueFull,
            LrsError::AuditUnavailable,
            LrsError::Timeout,
            LrsError::Maintenance(code.clone()),
            LrsError::CredentialsRejected(LrsCode::new("WSEC0005")),
            LrsError::RequestRejected(code.clone()),
            LrsError::UnknownError(LrsCode::new("WSEC4711")),
            LrsError::ServiceFailed(code),
            LrsError::Rejected(Rejection::StaleVersion, LrsCode::new("WSRC0013")),
            LrsError::InvalidResponse(XmlError::Empty.into()),
            LrsError::InconsistentResponse("x"),
            LrsError::UnexpectedHttpResponse { status: 200, body: "x" },
            LrsError::ResponseTooLarge,
        ] {
            let entry = Problem::from(CallError { error: error.clone(), outcome_unknown: false }).code().entry();
            assert_eq!(entry.retryable, error.is_transient(), "{error:?}");
            assert_eq!((502..=504).contains(&entry.status), !matches!(error, LrsError::Rejected(..)), "{error:?}");
        }
    }
}
