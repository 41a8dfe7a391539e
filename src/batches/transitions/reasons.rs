//! What follows from an error of LRS: the reason of a part's state, and the delay that LRS asks for.

use std::time::Duration;

use crate::batches::model::PartReason;
use crate::lrs::LrsError;

/// Maximum delay that LRS can ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// Returns the reason for an error.
pub const fn reason_of(error: &LrsError) -> PartReason {
    match error {
        LrsError::Unreachable(_)
        | LrsError::Throttled { .. }
        | LrsError::CircuitOpen { .. }
        | LrsError::QueueFull
        | LrsError::AuditUnavailable
        | LrsError::ReservationExpired => PartReason::LrsUnavailable,
        LrsError::Maintenance(_) | LrsError::IntermediaryMaintenance { .. } | LrsError::PlannedMaintenance { .. } => {
            PartReason::LrsMaintenance
        }
        LrsError::Moved { .. } => PartReason::LrsMoved,
        LrsError::AccessBlocked { .. } => PartReason::LrsAccessBlocked,
        LrsError::CredentialsRejected(_) | LrsError::CertificateRejected(_) => PartReason::LrsCredentialsRejected,
        LrsError::RequestRejected(_) | LrsError::UnknownError(_) | LrsError::IllegalCharacter => PartReason::LrsRejectedRequest,
        LrsError::Rejected(..) => PartReason::LrsRejected,
        LrsError::ConnectionLost | LrsError::IntermediaryFailed { .. } | LrsError::Timeout | LrsError::ServiceFailed(_) => {
            PartReason::ResponseLost
        }
        LrsError::InvalidHttp(_)
        | LrsError::InvalidResponse(_)
        | LrsError::InconsistentResponse(_)
        | LrsError::UnexpectedHttpResponse { .. }
        | LrsError::ResponseTooLarge => PartReason::LrsBadResponse,
    }
}

/// Returns the reason for an error after which LRS may have executed the request.
pub const fn lost_reason_of(error: &LrsError) -> PartReason {
    match reason_of(error) {
        reason @ PartReason::LrsBadResponse => reason,
        _ if error.is_transient() => PartReason::ResponseLost,
        reason => reason,
    }
}

/// Returns the delay that LRS asks for, at most an hour; zero if it asks for none.
pub fn retry_delay_of(error: &LrsError) -> Duration {
    match error {
        LrsError::Throttled { retry_after, .. } | LrsError::IntermediaryMaintenance { retry_after, .. } => {
            retry_after.unwrap_or_default().min(MAX_RETRY_AFTER)
        }
        _ => Duration::ZERO,
    }
}
