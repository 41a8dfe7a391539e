//! Errors of token verification.

/// The reason why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenError {
    /// The token is invalid.
    Invalid(InvalidToken),
    /// The token cannot be verified because the issuer's key set cannot be fetched.
    KeysUnavailable,
}

/// The fault of an invalid token, as a clause for the caller: "it has expired".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidToken(pub &'static str);

impl From<InvalidToken> for TokenError {
    fn from(invalid: InvalidToken) -> Self {
        Self::Invalid(invalid)
    }
}
