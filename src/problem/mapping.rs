//! The problem that each internal error becomes.

use std::time::Duration;

use crate::batches::BatchError;
use crate::idempotency::IdempotencyError;
use crate::lrs::codes::Rejection;
use crate::lrs::maintenance::time_until;
use crate::lrs::{ASSUMED_MAINTENANCE, CallError, LrsError};
use crate::problem::{Code, Problem, SOON_SECONDS};
use crate::storage::StoreError;

/// How long callers are asked to wait for LRS, when nobody knows better.
const TRY_AGAIN_SECONDS: u64 = 30;
/// The same for maintenance, which takes longer.
const MAINTENANCE_SECONDS: u64 = ASSUMED_MAINTENANCE.as_secs();
/// The longest they are asked to wait: announcements change.
const LONGEST_SECONDS: u64 = 24 * 60 * 60;

/// Whole seconds in which this time is over.
const fn seconds(time: Duration) -> u64 {
    time.as_secs() + 1
}

impl From<CallError> for Problem {
    fn from(CallError { error: failure, outcome_unknown }: CallError) -> Self {
        let (code, retry_after_seconds) = match &failure {
            // Who asked for a write will ask whether LRS can be reached least of all.
            LrsError::ConnectionLost if outcome_unknown => (Code::LrsTimeout, None),
            LrsError::Unreachable | LrsError::ConnectionLost => (Code::LrsUnavailable, Some(TRY_AGAIN_SECONDS)),
            LrsError::CircuitOpen { wait } => (Code::LrsUnavailable, Some(seconds(*wait))),
            LrsError::PlannedMaintenance { until } => (Code::LrsMaintenance, Some(seconds(time_until(*until)).min(LONGEST_SECONDS))),
            LrsError::AuditUnavailable => (Code::AuditUnavailable, Some(SOON_SECONDS)),
            // Not everybody at the same moment.
            LrsError::QueueFull => (Code::LrsBusy, Some(fastrand::u64(1..=SOON_SECONDS))),
            LrsError::Maintenance(_) | LrsError::MaintenanceInFront => (Code::LrsMaintenance, Some(MAINTENANCE_SECONDS)),
            LrsError::Timeout => (Code::LrsTimeout, None),
            LrsError::CredentialsRejected(_) => (Code::LrsCredentialsRejected, None),
            LrsError::RequestRejected(_) | LrsError::UnknownError(_) => (Code::LrsRejectedRequest, None),
            LrsError::Refused(refusal, _) => (of_refusal(*refusal), None),
            LrsError::ServiceFailed(_)
            | LrsError::Unreadable(_)
            | LrsError::Contradiction(_)
            | LrsError::NotAnAnswer { .. }
            | LrsError::TooLarge => (Code::LrsBadResponse, None),
            LrsError::Unwritable => (Code::InternalError, None),
        };
        let advice = if outcome_unknown { FIND_OUT } else { code.row().advice };
        let detail = format!("{failure}. {advice}");
        let lrs = failure.lrs_code().cloned();
        // Nobody is invited to do twice what may be done: many clients repeat by themselves what has a `Retry-After`.
        let retry_after_seconds = retry_after_seconds.filter(|_| !outcome_unknown);
        Self { retry_after_seconds, lrs, outcome_unknown, ..Self::new(code).detail(detail).cause(format!("{failure:?}")) }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Unavailable(_) | StoreError::AnswerLost(_) => Self::new(Code::StoreUnavailable).retry_soon(),
            StoreError::Unreadable(_) => Self::new(Code::StoreUnreadable),
        }
        .cause(error)
    }
}

/// The advice after a write whose answer did not come through.
const FIND_OUT: &str = "LRS may have done it all the same: find the learner to see, before you try again; \
    or try again with the same Idempotency-Key.";

const fn of_refusal(refusal: Rejection) -> Code {
    match refusal {
        Rejection::NotRegistered => Code::LearnerNotRegistered,
        Rejection::StaleVersion => Code::StaleVersion,
        Rejection::UlnNotFound => Code::UlnNotFound,
        Rejection::InsufficientData => Code::InsufficientData,
        Rejection::ShareChange => Code::ShareChangeNotAllowed,
        Rejection::InvalidUln => Code::UlnInvalid,
    }
}

impl From<BatchError> for Problem {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::Store(error) => error.into(),
            BatchError::Undecryptable(_) | BatchError::Unreadable(_) => Self::new(Code::StoreUnreadable).cause(error),
        }
    }
}

impl From<IdempotencyError> for Problem {
    fn from(error: IdempotencyError) -> Self {
        match error {
            IdempotencyError::Store(error) => error.into(),
            IdempotencyError::Sealed(_) => Self::new(Code::StoreUnreadable).cause(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lrs::codes::LrsCode;

    #[test]
    fn every_failure_has_a_problem_that_agrees_with_it() {
        use crate::lrs::soap::read::XmlError;
        let code = Some(LrsCode::new("WSEC0001"));
        for failure in [
            LrsError::Unreachable,
            LrsError::ConnectionLost,
            LrsError::CircuitOpen { wait: Duration::ZERO },
            LrsError::PlannedMaintenance { until: jiff::Timestamp::UNIX_EPOCH },
            LrsError::QueueFull,
            LrsError::AuditUnavailable,
            LrsError::Timeout,
            LrsError::Maintenance(code.clone()),
            LrsError::CredentialsRejected(code.clone()),
            LrsError::RequestRejected(code.clone()),
            LrsError::UnknownError(LrsCode::new("WSEC4711")),
            LrsError::ServiceFailed(code),
            LrsError::Refused(Rejection::StaleVersion, LrsCode::new("WSRC0013")),
            LrsError::Unreadable(XmlError::Empty),
            LrsError::Contradiction("x"),
            LrsError::NotAnAnswer { status: 200, what: "x" },
            LrsError::TooLarge,
        ] {
            let row = Problem::from(CallError { error: failure.clone(), outcome_unknown: false }).code().row();
            assert_eq!(row.retryable, failure.is_transient(), "{failure:?}");
            assert_eq!((502..=504).contains(&row.status), !matches!(failure, LrsError::Refused(..)), "{failure:?}");
        }
    }
}
