//! Signing of development tokens.

use jsonwebtoken::{EncodingKey, Header};

use crate::auth::algorithm::Algorithm;
use crate::auth::claims::Claims;

/// Signs a development token with a shared secret.
///
/// # Errors
/// Returns a message if signing fails.
pub fn sign_token(secret: &[u8], claims: &Claims) -> Result<String, String> {
    jsonwebtoken::encode(&Header::new(Algorithm::HS256.0), claims, &EncodingKey::from_secret(secret)).map_err(|error| error.to_string())
}
