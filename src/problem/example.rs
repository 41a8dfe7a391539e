//! Examples of problems, for the OpenAPI document.

use crate::lrs::response_codes::LrsCode;
use crate::problem::{Code, Problem};
use crate::schema::FieldError;

impl Problem {
    /// Returns an example of a problem with this code.
    pub fn example(code: Code) -> Self {
        let errors = example_error(code).into_iter().collect();
        let retry_after_seconds = code.example_retry_seconds();
        Self { errors, retry_after_seconds, lrs: example_lrs_code(code).map(LrsCode::new), ..Self::new(code) }
    }
}

impl Code {
    /// Returns a time to wait as problems with this code state it; `None` if they state none.
    pub const fn example_retry_seconds(self) -> Option<u64> {
        match self {
            Self::LrsQueueFull | Self::RequestMemoryFull => Some(3),
            Self::IdempotencyKeyInUse | Self::AuditUnavailable | Self::NotReady | Self::StoreUnavailable | Self::IssuerUnavailable => {
                Some(5)
            }
            Self::RateLimited => Some(12),
            Self::LrsUnavailable => Some(30),
            Self::LrsMaintenance | Self::LrsMoved | Self::LrsAccessBlocked | Self::StoreNotDurable => Some(300),
            _ => None,
        }
    }
}

/// Returns an error in a body that causes the problem.
fn example_error(code: Code) -> Option<FieldError> {
    let (pointer, code, detail) = match code {
        Code::MalformedRequest => ("", "malformed_json", "is not JSON: expected `,` or `}` at line 1 column 42"),
        Code::UnknownField => ("/dateOfBrith", "unknown_field", "is not a field of this request"),
        Code::ValidationFailed => ("/givenName", "too_long", "must have at most 35 characters, has 41"),
        _ => return None,
    };
    Some(FieldError { pointer: pointer.to_owned(), code, detail: detail.into(), mis_identifier: None })
}

/// Returns a code of LRS that causes the problem.
const fn example_lrs_code(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::LearnerNotRegistered => "WSRC0021",
        Code::StaleVersion => "WSRC0013",
        Code::UlnNotFound => "WSRC0019",
        Code::InsufficientData => "WSRC0015",
        Code::ShareChangeNotAllowed => "WSRC0014",
        Code::UlnInvalid => "WSEC0136",
        Code::LrsCredentialsRejected => "WSEC0005",
        Code::LrsRejectedRequest => "WSEC0001",
        Code::LrsMaintenance => "WSEC0004",
        _ => return None,
    })
}
