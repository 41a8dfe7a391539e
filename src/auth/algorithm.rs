//! Signature algorithms of access tokens (RFC 7518).

use std::borrow::Cow;

use crate::schema::{Constraints, InvalidValue, Scalar};

/// A signature algorithm that the gateway accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Algorithm(pub(super) jsonwebtoken::Algorithm);

impl Algorithm {
    /// HMAC with SHA-256, for development and for issuers that share a secret with the gateway.
    pub const HS256: Self = Self(jsonwebtoken::Algorithm::HS256);
}

impl Scalar for Algorithm {
    const CONSTRAINTS: Constraints = Constraints::new("`RS256`, `PS256`, `ES256`, `EdDSA`, `HS256`", "RS256");

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        Ok(Self(match text {
            "RS256" => jsonwebtoken::Algorithm::RS256,
            "PS256" => jsonwebtoken::Algorithm::PS256,
            "ES256" => jsonwebtoken::Algorithm::ES256,
            "EdDSA" => jsonwebtoken::Algorithm::EdDSA,
            "HS256" => jsonwebtoken::Algorithm::HS256,
            _ => return Err(InvalidValue::new("unknown_value", "must be one of RS256, PS256, ES256, EdDSA, HS256")),
        }))
    }

    fn text(&self) -> Cow<'_, str> {
        format!("{:?}", self.0).into()
    }
}
