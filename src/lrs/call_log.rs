//! The log line of a call to LRS that failed.

use crate::domain::Ukprn;
use crate::lrs::error::LrsError;
use crate::lrs::http_client::connect_failure::ConnectFailure;
use crate::lrs::response_codes::LrsCode;

/// Logs why a call failed: at level `error` if a person must change something, otherwise at level `warn`.
///
/// Not logged are calls that were not sent, requests that LRS did not execute because of one of its rules, and an LRS that has moved, which
/// `ServiceHealth` logs once.
pub fn log_failure(organisation: &Ukprn, operation: &'static str, error: &LrsError) {
    if matches!(error, LrsError::Rejected(..) | LrsError::Moved { .. }) || is_not_sent(error) {
        return;
    }
    let (organisation, outcome, cause) = (organisation.as_str(), error.label(), error.to_string());
    let reason = match error {
        LrsError::Unreachable(failure) => Some(failure.label()),
        _ => None,
    };
    let (status, code) = (error.http_status(), error.lrs_code().and_then(LrsCode::loggable));
    if needs_person(error) {
        tracing::error!(organisation, operation, outcome, reason, status, code, cause, "LRS call failed");
    } else {
        tracing::warn!(organisation, operation, outcome, reason, status, code, cause, "LRS call failed");
    }
}

const fn is_not_sent(error: &LrsError) -> bool {
    matches!(
        error,
        LrsError::CircuitOpen { .. }
            | LrsError::QueueFull
            | LrsError::AuditUnavailable
            | LrsError::ReservationExpired
            | LrsError::PlannedMaintenance { .. }
            | LrsError::IllegalCharacter
    )
}

/// Returns `true` if the same error will come back until a person changes something.
const fn needs_person(error: &LrsError) -> bool {
    matches!(
        error,
        LrsError::CredentialsRejected(_)
            | LrsError::CertificateRejected(_)
            | LrsError::AccessBlocked { .. }
            | LrsError::Unreachable(
                ConnectFailure::CertificateNotCurrent
                    | ConnectFailure::CertificateForAnotherName
                    | ConnectFailure::CertificateUntrusted
                    | ConnectFailure::ProxyLoginRequired
                    | ConnectFailure::NoFileDescriptor
            )
    )
}
