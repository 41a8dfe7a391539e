//! The classified errors of a call to LRS. [`LrsError::is_not_executed`] and [`LrsError::is_transient`] state what may follow from each.

use std::time::Duration;

use jiff::Timestamp;
use rustls::AlertDescription;

use crate::lrs::http_client::connect_failure::ConnectFailure;
use crate::lrs::operation::Effect;
use crate::lrs::response_codes::{CodeKind, LrsCode, Rejection};
use crate::lrs::soap::{Fault, SoapError};

/// A failed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallError {
    /// The reason.
    pub error: LrsError,
    /// `true` if LRS may have executed a request that must not be executed twice.
    pub outcome_unknown: bool,
}

impl CallError {
    /// Creates the error of a request with this effect.
    pub fn new(error: LrsError, effect: Effect) -> Self {
        Self { outcome_unknown: effect == Effect::Write && !error.is_not_executed(), error }
    }
}

/// The reason why a call failed. Contains no personal data, so all of it may be logged.
///
/// Callers read the text in a problem's `detail`, as its first sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LrsError {
    /// No connection was established: nothing was sent.
    #[error("LRS could not be reached: {0}")]
    Unreachable(ConnectFailure),
    /// After the request was sent, the connection was lost before the response was complete.
    #[error("The connection to LRS was lost before LRS's response was complete")]
    ConnectionLost,
    /// LRS, or a server in front of it, has too much to do and did not process the request (RFC 9110, 15.6.4; RFC 6585, 4): HTTP 429, or a
    /// prompt 503.
    #[error("LRS is overloaded and did not process the request (HTTP status {status})")]
    Throttled {
        /// The HTTP status.
        status: u16,
        /// Time after which LRS expects the next request, if it says so.
        retry_after: Option<Duration>,
    },
    /// A server in front of LRS gave up: HTTP 408, 502 or 504, or a late 503. LRS may have executed the request.
    #[error("A server in front of LRS received no response from LRS (HTTP status {status})")]
    IntermediaryFailed {
        /// The HTTP status.
        status: u16,
    },
    /// LRS is at another address permanently: HTTP 301 or 308. The gateway does not follow it.
    #[error("LRS has moved to another address (HTTP status {status})")]
    Moved {
        /// The HTTP status.
        status: u16,
        /// Scheme, host and port of the new address, without its path.
        origin: Option<String>,
    },
    /// A firewall in front of LRS blocked the request: HTTP 403 without a reason that concerns the client certificate.
    #[error("A firewall in front of LRS blocked the request (HTTP status {status})")]
    AccessBlocked {
        /// The HTTP status.
        status: u16,
    },
    /// The circuit breaker is open because LRS has not responded to recent calls: nothing was sent.
    #[error("LRS is not responding, so the gateway did not call it")]
    CircuitOpen {
        /// Time until the next probe.
        retry_after: Duration,
    },
    /// The concurrency limit is reached and its queue is full, or the queue timeout has passed: nothing was sent.
    #[error("The gateway has too many concurrent calls to LRS")]
    QueueFull,
    /// The audit trail cannot be written: nothing was sent.
    #[error("The audit trail cannot be written, so the gateway did not call LRS")]
    AuditUnavailable,
    /// The reservation of the request's idempotency key has expired, and another request may have started the write: nothing was sent.
    #[error("The reservation of the Idempotency-Key has expired, so the gateway did not call LRS")]
    ReservationExpired,
    /// LRS did not respond before the timeout.
    #[error("LRS did not respond in time")]
    Timeout,
    /// LRS reports that it is out of hours, before it executes anything.
    #[error("LRS is unavailable: it is under maintenance or out of hours")]
    Maintenance(Option<LrsCode>),
    /// The time is within an announced maintenance window: nothing was sent.
    #[error("LRS is unavailable for planned maintenance until {ends_at}")]
    PlannedMaintenance {
        /// End of the maintenance window.
        ends_at: Timestamp,
    },
    /// A page about maintenance, a redirect, or a server that only has pages is in LRS's place.
    #[error("LRS appears to be under maintenance (HTTP status {status})")]
    IntermediaryMaintenance {
        /// The HTTP status.
        status: u16,
        /// Time after which the page expects the next request, if it says so.
        retry_after: Option<Duration>,
        /// `true` if LRS may have executed the request behind the page.
        may_be_executed: bool,
    },
    /// LRS rejected the organisation's reference or password, or the organisation is not authorised.
    #[error("LRS rejected the organisation's reference, password or certificate")]
    CredentialsRejected(LrsCode),
    /// The TLS endpoint or the web server in front of LRS rejected the organisation, usually because of its client certificate.
    #[error("{0}")]
    CertificateRejected(CertificateRejection),
    /// LRS understood the request and did not execute it.
    #[error("LRS did not carry out the request")]
    Rejected(Rejection, LrsCode),
    /// LRS rejected the message.
    #[error("LRS rejected the message")]
    RequestRejected(Option<LrsCode>),
    /// LRS reported an internal error.
    #[error("LRS reported an internal error")]
    ServiceFailed(Option<LrsCode>),
    /// LRS reported an undocumented error. Most of these mean that LRS rejected the message, but LRS may have executed the request.
    #[error("LRS rejected the message or reported an undocumented error")]
    UnknownError(LrsCode),
    /// The response breaks the rules of HTTP. LRS may have executed the request.
    #[error("LRS's response is not valid HTTP: {0}")]
    InvalidHttp(&'static str),
    /// The body cannot be read as the operation's response.
    #[error("LRS's response is invalid ({0})")]
    InvalidResponse(SoapError),
    /// The response contradicts itself or the request.
    #[error("LRS's response is inconsistent: {0}")]
    InconsistentResponse(&'static str),
    /// The HTTP status or the kind of body does not occur in the contract.
    #[error("LRS's response is invalid: HTTP status {status}, {body}")]
    UnexpectedHttpResponse {
        /// The HTTP status.
        status: u16,
        /// Describes the body.
        body: &'static str,
    },
    /// The response has more bytes than allowed.
    #[error("LRS's response exceeds the size limit")]
    ResponseTooLarge,
    /// The request cannot be written as XML: nothing was sent.
    #[error("The request contains a character that XML does not allow")]
    IllegalCharacter,
}

/// How an organisation was rejected before SOAP started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateRejection {
    /// TLS ended with this alert.
    #[error("LRS rejected the organisation's client certificate (TLS alert {0:?})")]
    TlsAlert(AlertDescription),
    /// IIS rejected the client certificate with a page and a number of its own, such as `403.7`.
    #[error("LRS's web server rejected the organisation's client certificate (HTTP status {0})")]
    IisPage(&'static str),
    /// The web server requires other credentials: HTTP 401.
    #[error("LRS's web server rejected the organisation's credentials (HTTP status 401)")]
    Unauthorised,
}

impl LrsError {
    /// Returns the error that a code in a fault or a response stands for; `None` if the code is an outcome.
    pub fn from_code(code: &LrsCode) -> Option<Self> {
        let owned = code.clone();
        match code.kind() {
            CodeKind::Outcome => None,
            CodeKind::Rejected(rejection) => Some(Self::Rejected(rejection, owned)),
            CodeKind::RequestRejected => Some(Self::RequestRejected(Some(owned))),
            CodeKind::CredentialsRejected => Some(Self::CredentialsRejected(owned)),
            CodeKind::OutOfHours => Some(Self::Maintenance(Some(owned))),
            CodeKind::ServiceFailed => Some(Self::ServiceFailed(Some(owned))),
            CodeKind::UnknownError => Some(Self::UnknownError(owned)),
        }
    }

    /// Returns the error that a SOAP fault stands for.
    pub fn from_fault(fault: Fault) -> Self {
        let code = fault.code.map(LrsCode::new);
        if fault.unsupported_verb {
            return Self::Maintenance(code);
        }
        match code.as_ref().and_then(Self::from_code) {
            Some(error) => error,
            // The fault has no LRS code, or the code of an outcome. The fault code then says who is at fault: `Client` means the
            // sender (SOAP 1.1, 4.4.1). The other two come from LRS's framework, which could not read the message (LRS-CONTRACT 7.3).
            None if matches!(fault.fault_code.as_str(), "Client" | "DeserializationFailed" | "ActionNotSupported") => {
                Self::RequestRejected(code)
            }
            None => Self::ServiceFailed(code),
        }
    }

    /// Returns the code from LRS, if there is one.
    pub const fn lrs_code(&self) -> Option<&LrsCode> {
        match self {
            Self::Maintenance(code) | Self::RequestRejected(code) | Self::ServiceFailed(code) => code.as_ref(),
            Self::CredentialsRejected(code) | Self::Rejected(_, code) | Self::UnknownError(code) => Some(code),
            _ => None,
        }
    }

    /// Returns the HTTP status of the response, if the error is a status.
    pub const fn http_status(&self) -> Option<u16> {
        match self {
            Self::Throttled { status, .. }
            | Self::IntermediaryFailed { status }
            | Self::Moved { status, .. }
            | Self::AccessBlocked { status }
            | Self::IntermediaryMaintenance { status, .. }
            | Self::UnexpectedHttpResponse { status, .. } => Some(*status),
            Self::CertificateRejected(CertificateRejection::IisPage(_)) => Some(403),
            Self::CertificateRejected(CertificateRejection::Unauthorised) => Some(401),
            _ => None,
        }
    }

    /// Returns `true` if the response came from a server in LRS's place, so that its connection must not be used again.
    pub const fn is_from_another_server(&self) -> bool {
        matches!(
            self,
            Self::Maintenance(None)
                | Self::IntermediaryMaintenance { .. }
                | Self::Moved { .. }
                | Self::AccessBlocked { .. }
                | Self::IntermediaryFailed { .. }
                | Self::Throttled { status: 500.., .. }
                | Self::CertificateRejected(CertificateRejection::IisPage(_))
                | Self::UnexpectedHttpResponse { .. }
        )
    }

    /// Returns the label of the error in metrics, traces and the audit trail, where it is the `outcome` of the call. Two labels
    /// differ from the variant: [`Self::Rejected`] has the older name `REFUSED`, and [`Self::UnknownError`] is counted as
    /// `REQUEST_REJECTED`.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "UNREACHABLE",
            Self::ConnectionLost => "CONNECTION_LOST",
            Self::Throttled { .. } => "THROTTLED",
            Self::IntermediaryFailed { .. } => "INTERMEDIARY_FAILED",
            Self::Moved { .. } => "MOVED",
            Self::AccessBlocked { .. } => "ACCESS_BLOCKED",
            Self::Timeout => "TIMEOUT",
            Self::Maintenance(_) | Self::IntermediaryMaintenance { .. } | Self::PlannedMaintenance { .. } => "MAINTENANCE",
            Self::CredentialsRejected(_) | Self::CertificateRejected(_) => "CREDENTIALS_REJECTED",
            Self::Rejected(..) => "REFUSED",
            Self::RequestRejected(_) | Self::UnknownError(_) => "REQUEST_REJECTED",
            Self::ServiceFailed(_) => "SERVICE_FAILED",
            Self::InvalidHttp(_)
            | Self::InvalidResponse(_)
            | Self::InconsistentResponse(_)
            | Self::UnexpectedHttpResponse { .. }
            | Self::ResponseTooLarge => "BAD_RESPONSE",
            // A call that was about to be sent has a line with this outcome in the audit trail. The other errors occur before that.
            Self::CircuitOpen { .. } | Self::QueueFull | Self::AuditUnavailable | Self::ReservationExpired | Self::IllegalCharacter => {
                "NOT_SENT"
            }
        }
    }

    /// Returns `true` if LRS certainly did not execute the request.
    pub const fn is_not_executed(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_)
                | Self::Throttled { .. }
                | Self::Moved { .. }
                | Self::AccessBlocked { .. }
                | Self::CircuitOpen { .. }
                | Self::QueueFull
                | Self::AuditUnavailable
                | Self::ReservationExpired
                | Self::IllegalCharacter
                | Self::PlannedMaintenance { .. }
                | Self::Maintenance(_)
                | Self::IntermediaryMaintenance { may_be_executed: false, .. }
                | Self::CredentialsRejected(_)
                | Self::CertificateRejected(_)
                | Self::RequestRejected(_)
                | Self::Rejected(..)
        )
    }

    /// Returns `true` if the same call can succeed later, although no person changes anything.
    pub const fn is_transient(&self) -> bool {
        !matches!(
            self,
            Self::CredentialsRejected(_)
                | Self::CertificateRejected(_)
                | Self::RequestRejected(_)
                | Self::UnknownError(_)
                | Self::Rejected(..)
                | Self::IllegalCharacter
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(code: Option<&str>, fault_code: &str) -> LrsError {
        LrsError::from_fault(Fault { code: code.map(str::to_owned), fault_code: fault_code.to_owned(), unsupported_verb: false })
    }

    #[test]
    fn fault_code_determines_error() {
        assert!(matches!(fault(Some("WSEC0001"), "Server"), LrsError::RequestRejected(_)));
        assert!(matches!(fault(Some("WSEC0002"), "Server"), LrsError::RequestRejected(_)));
        for code in ["WSEC0003", "WSEC0005", "WSEC0006"] {
            assert!(matches!(fault(Some(code), "Server"), LrsError::CredentialsRejected(_)), "{code}");
        }
        assert!(matches!(fault(Some("WSEC0004"), "Server"), LrsError::Maintenance(_)));
        assert!(matches!(fault(Some("WSEC0999"), "Client"), LrsError::ServiceFailed(_)));
        assert!(matches!(fault(Some("WSEC4711"), "Server"), LrsError::UnknownError(_)));
        for sender_fault in ["Client", "DeserializationFailed", "ActionNotSupported"] {
            assert!(matches!(fault(None, sender_fault), LrsError::RequestRejected(None)), "{sender_fault}");
        }
        for code in ["WSRC0043", "WSEC0043"] {
            assert!(matches!(fault(Some(code), "Server"), LrsError::CredentialsRejected(_)), "{code}");
        }
        assert!(matches!(fault(None, "Server"), LrsError::ServiceFailed(None)));
        assert!(matches!(fault(Some("WSRC0004"), "Server"), LrsError::ServiceFailed(_)));
    }

    #[test]
    fn error_with_possible_execution_is_not_reported_as_not_executed() {
        assert!(LrsError::Unreachable(ConnectFailure::Refused).is_not_executed());
        assert!(LrsError::Throttled { status: 503, retry_after: None }.is_not_executed());
        assert!(!LrsError::IntermediaryFailed { status: 503 }.is_not_executed());
        for may_be_executed in [false, true] {
            let error = LrsError::IntermediaryMaintenance { status: 500, retry_after: None, may_be_executed };
            assert_eq!(error.is_not_executed(), !may_be_executed);
        }
        assert!(!LrsError::InvalidHttp("x").is_not_executed());
        assert!(!LrsError::Timeout.is_not_executed());
        assert!(!LrsError::ConnectionLost.is_not_executed());
        assert!(!LrsError::ResponseTooLarge.is_not_executed());
        assert!(!LrsError::UnknownError(LrsCode::new("WSEC4711")).is_not_executed());
    }
}
