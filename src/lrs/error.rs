//! How a call to LRS can fail: a small set that says whose fault it is and whether trying again is safe.

use std::time::Duration;

use jiff::Timestamp;

use crate::lrs::codes::{CodeKind, LrsCode, Rejection};
use crate::lrs::soap::fault::Fault;
use crate::lrs::soap::read::XmlError;

/// Why a call brought no answer. Carries no personal data, so all of it may be logged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LrsError {
    /// No connection: nothing was sent.
    #[error("LRS could not be reached")]
    Unreachable,
    /// The connection broke, or a server before LRS answered in its place, after the request was on its way.
    #[error("the connection to LRS broke before it answered")]
    ConnectionLost,
    /// LRS has not answered anybody lately: nothing was sent, to leave it alone.
    #[error("LRS does not answer at present, so it was not called")]
    CircuitOpen {
        /// How long until it is tried again.
        wait: Duration,
    },
    /// There are too many calls already: nothing was sent.
    #[error("there are too many calls to LRS at once")]
    QueueFull,
    /// What is done could not be written down, so nothing was sent.
    #[error("the audit trail cannot be written")]
    AuditUnavailable,
    /// LRS did not answer in time.
    #[error("LRS did not answer in time")]
    Timeout,
    /// LRS is closed, and says so before it does anything: out of hours, or a maintenance page in its place.
    #[error("LRS is closed for maintenance or out of hours")]
    Maintenance(Option<LrsCode>),
    /// It was announced that LRS is closed: nothing was sent.
    #[error("LRS is closed for planned maintenance until {until}")]
    PlannedMaintenance {
        /// When it is over.
        until: Timestamp,
    },
    /// A server in front of LRS failed with a page about maintenance. LRS may have been at work behind it.
    #[error("LRS seems to be closed for maintenance")]
    MaintenanceInFront,
    /// LRS, or the TLS before it, refuses the organisation.
    #[error("LRS refuses the organisation's reference, password or certificate")]
    CredentialsRejected(Option<LrsCode>),
    /// LRS understood the request and did not do it.
    #[error("LRS did not do it")]
    Refused(Rejection, LrsCode),
    /// LRS refuses the message.
    #[error("LRS refuses the message")]
    RequestRejected(Option<LrsCode>),
    /// LRS reports an error of its own.
    #[error("LRS reports an error of its own")]
    ServiceFailed(Option<LrsCode>),
    /// LRS reports an error that nobody has documented. Most of these say that the message is refused, but whether LRS has done
    /// something is not certain.
    #[error("LRS refuses the message, or reports an error that is not documented")]
    UnknownError(LrsCode),
    /// What came back is not an answer.
    #[error("LRS's answer is unusable: it is {0}")]
    Unreadable(XmlError),
    /// What came back is an answer, but not to this request.
    #[error("LRS's answer is unusable: {0}")]
    Contradiction(&'static str),
    /// A page or a status that is no answer.
    #[error("LRS's answer is unusable: HTTP status {status}, {what}")]
    NotAnAnswer {
        /// The HTTP status.
        status: u16,
        /// What the body was.
        what: &'static str,
    },
    /// More bytes than the limit.
    #[error("LRS's answer is larger than the limit")]
    TooLarge,
    /// The request could not be written. Nothing was sent.
    #[error("the request holds a character that XML cannot carry")]
    Unwritable,
}

impl LrsError {
    /// What LRS's code in a fault or a response means for the call. `None`: it is an outcome.
    pub fn of_code(code: &LrsCode) -> Option<Self> {
        let code = || Some(code.clone());
        match code()?.kind() {
            CodeKind::Outcome => None,
            CodeKind::Refused(refusal) => Some(Self::Refused(refusal, code()?)),
            CodeKind::MessageRefused => Some(Self::RequestRejected(code())),
            CodeKind::CredentialsRefused => Some(Self::CredentialsRejected(code())),
            CodeKind::OutOfHours => Some(Self::Maintenance(code())),
            CodeKind::ServiceFailed => Some(Self::ServiceFailed(code())),
            CodeKind::UnknownError => Some(Self::UnknownError(code()?)),
        }
    }

    /// What a SOAP fault means for the call.
    pub fn of_fault(fault: Fault) -> Self {
        let code = fault.code.map(LrsCode::new);
        if fault.unsupported_verb {
            return Self::Maintenance(code);
        }
        match code.as_ref().map(Self::of_code) {
            Some(Some(failure)) => failure,
            // An outcome's code, or none, in a fault: the fault code says whose fault it is (SOAP 1.1, 4.4.1). The others are of the
            // framework LRS is built with, which could not read the message (FACTS 2.16).
            _ if matches!(fault.fault_code.as_str(), "Client" | "DeserializationFailed" | "ActionNotSupported") => {
                Self::RequestRejected(code)
            }
            _ => Self::ServiceFailed(code),
        }
    }

    /// The code LRS gave, if it gave one.
    pub const fn lrs_code(&self) -> Option<&LrsCode> {
        match self {
            Self::Maintenance(code) | Self::CredentialsRejected(code) | Self::RequestRejected(code) | Self::ServiceFailed(code) => {
                code.as_ref()
            }
            Self::Refused(_, code) | Self::UnknownError(code) => Some(code),
            _ => None,
        }
    }

    /// What it is in a word, for metrics and the audit trail.
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::Unreachable => "UNREACHABLE",
            Self::ConnectionLost => "CONNECTION_LOST",
            Self::Timeout => "TIMEOUT",
            Self::Maintenance(_) | Self::MaintenanceInFront | Self::PlannedMaintenance { .. } => "MAINTENANCE",
            Self::CredentialsRejected(_) => "CREDENTIALS_REJECTED",
            Self::Refused(..) => "REFUSED",
            Self::RequestRejected(_) | Self::UnknownError(_) => "REQUEST_REJECTED",
            Self::ServiceFailed(_) => "SERVICE_FAILED",
            Self::Unreadable(_) | Self::Contradiction(_) | Self::NotAnAnswer { .. } | Self::TooLarge => "BAD_RESPONSE",
            Self::CircuitOpen { .. } | Self::QueueFull | Self::AuditUnavailable | Self::Unwritable => "NOT_SENT",
        }
    }

    /// Is it certain that LRS did nothing?
    pub const fn is_not_executed(&self) -> bool {
        matches!(
            self,
            Self::Unreachable
                | Self::CircuitOpen { .. }
                | Self::QueueFull
                | Self::AuditUnavailable
                | Self::Unwritable
                | Self::PlannedMaintenance { .. }
                | Self::Maintenance(_)
                | Self::CredentialsRejected(_)
                | Self::RequestRejected(_)
                | Self::Refused(..)
        )
    }

    /// Can the same call succeed later, without anybody changing anything?
    pub const fn is_transient(&self) -> bool {
        !matches!(
            self,
            Self::CredentialsRejected(_) | Self::RequestRejected(_) | Self::UnknownError(_) | Self::Refused(..) | Self::Unwritable
        )
    }
}

impl From<XmlError> for LrsError {
    fn from(unreadable: XmlError) -> Self {
        Self::Unreadable(unreadable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(code: Option<&str>, fault_code: &str) -> LrsError {
        LrsError::of_fault(Fault { code: code.map(str::to_owned), fault_code: fault_code.to_owned(), unsupported_verb: false })
    }

    #[test]
    fn faults_are_told_apart() {
        assert!(matches!(fault(Some("WSEC0001"), "Server"), LrsError::RequestRejected(_)));
        assert!(matches!(fault(Some("WSEC0002"), "Server"), LrsError::RequestRejected(_)));
        for code in ["WSEC0003", "WSEC0005", "WSEC0006"] {
            assert!(matches!(fault(Some(code), "Server"), LrsError::CredentialsRejected(_)), "{code}");
        }
        assert!(matches!(fault(Some("WSEC0004"), "Server"), LrsError::Maintenance(_)));
        assert!(matches!(fault(Some("WSEC0999"), "Client"), LrsError::ServiceFailed(_)));
        assert!(matches!(fault(Some("WSEC4711"), "Server"), LrsError::UnknownError(_)));
        for not_read in ["Client", "DeserializationFailed", "ActionNotSupported"] {
            assert!(matches!(fault(None, not_read), LrsError::RequestRejected(None)), "{not_read}");
        }
        for code in ["WSRC0043", "WSEC0043"] {
            assert!(matches!(fault(Some(code), "Server"), LrsError::CredentialsRejected(_)), "{code}");
        }
        assert!(matches!(fault(None, "Server"), LrsError::ServiceFailed(None)));
        assert!(matches!(fault(Some("WSRC0004"), "Server"), LrsError::ServiceFailed(_)));
    }

    #[test]
    fn what_lrs_refused_it_did_not_do() {
        assert!(LrsError::Unreachable.is_not_executed());
        assert!(!LrsError::Timeout.is_not_executed());
        assert!(!LrsError::ConnectionLost.is_not_executed());
        assert!(!LrsError::TooLarge.is_not_executed());
        assert!(!LrsError::UnknownError(LrsCode::new("WSEC4711")).is_not_executed());
    }
}
