//! Examples of problems, for the OpenAPI document.

use crate::lrs::response_codes::LrsCode;
use crate::problem::{Code, Problem};
use crate::schema::FieldError;

impl Problem {
    /// Returns an example of a problem with this code.
    pub fn example(code: Code) -> Self {
        let errors = example_error(code).into_iter().collect();
        let retry_after_seconds = code.example_retry_seconds();
        let (detail, lrs) = (example_detail(code).map(str::to_owned), example_lrs_code(code).map(LrsCode::new));
        Self { detail, retry_after_seconds, errors, lrs, ..Self::new(code) }
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
            Self::RegistrationTooSoon | Self::LrsMaintenance | Self::LrsMoved | Self::LrsAccessBlocked | Self::StoreNotDurable => Some(300),
            _ => None,
        }
    }
}

/// Returns an explanation that is more than the advice of the catalogue; `None` if no text fits every operation.
const fn example_detail(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::MalformedRequest | Code::UnknownField | Code::ValidationFailed => "1 error to correct. Nothing was sent to LRS.",
        Code::UnsupportedMediaType => "The header Content-Type is missing. Send `Content-Type: application/json`.",
        Code::InsufficientData => {
            "LRS needs more data, and does not publish which. Give as many of these fields as you know, which are absent: `schoolAtAge16`."
        }
        Code::HeadersTooLarge => "The address and the headers together must have at most 32768 bytes.",
        _ => return None,
    })
}

/// Returns an error in a body that causes the problem.
fn example_error(code: Code) -> Option<FieldError> {
    let (pointer, code, detail) = match code {
        Code::MalformedRequest => ("", "malformed_json", "not well-formed JSON at line 1, column 42"),
        Code::UnknownField => ("/dateOfBrith", "unknown_field", "unknown field; did you mean `dateOfBirth`?"),
        Code::InsufficientData => ("/learner/schoolAtAge16", "may_be_needed", "is absent, and LRS may need it; give it if you know it"),
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
