//! Issuers, from their sections of the file: keys read, algorithms checked.

use std::path::Path;

use super::file::{ConfigFile, IssuerSection};
use super::read;
use crate::auth::{Algorithm, ClaimNames, Issuer, IssuerKey, Verifier};

/// A shared secret and the issuer it belongs to: what minting a development token takes.
#[derive(Debug)]
pub struct Minter {
    /// The issuer's name.
    pub issuer: String,
    /// Whom its tokens are for.
    pub audience: String,
    /// Where the claims go.
    pub claims: ClaimNames,
    /// The secret.
    pub secret: secrecy::SecretBox<Vec<u8>>,
}

impl Minter {
    /// Finds the issuer with a shared secret in a configuration file.
    ///
    /// # Errors
    /// When there is none, or its secret cannot be read.
    pub fn load(path: &Path) -> Result<Self, Vec<String>> {
        let (file, base) = read(path)?;
        let found = file.auth.issuers.iter().find_map(|issuer| Some((issuer, issuer.hmac_secret_file.as_ref()?)));
        let Some((issuer, secret_file)) = found else {
            return Err(vec!["auth.issuers: no issuer has an hmac_secret_file: tokens can only be minted under a shared secret".into()]);
        };
        let at = |problem: String| vec![format!("auth.issuers: hmac_secret_file: {problem}")];
        let secret = secret(&base.join(secret_file)).map_err(at)?;
        IssuerKey::from_secret(&secret).map_err(at)?;
        Ok(Self {
            issuer: issuer.issuer.clone(),
            audience: issuer.audience.clone(),
            claims: claim_names(issuer),
            secret: secrecy::SecretBox::new(Box::new(secret)),
        })
    }
}

/// The verifier of every issuer in the file.
pub(super) fn verifier(file: &ConfigFile, base: &Path) -> Result<Verifier, Vec<String>> {
    let mut problems = Vec::new();
    let mut issuers = Vec::new();
    let mut names = std::collections::HashSet::new();
    for (number, section) in file.auth.issuers.iter().enumerate() {
        if !names.insert(section.issuer.as_str()) {
            problems.push(format!("auth.issuers.{number}.issuer: {} stands in another section already", section.issuer));
        }
        match issuer(section, base) {
            Ok(issuer) => issuers.push(issuer),
            Err(problem) => problems.push(format!("auth.issuers.{number}.{problem}")),
        }
    }
    if file.auth.issuers.is_empty() {
        problems.push("auth.issuers: name at least one issuer whose tokens are accepted ([[auth.issuers]])".into());
    }
    if problems.is_empty() { Ok(Verifier::new(issuers)) } else { Err(problems) }
}

fn issuer(section: &IssuerSection, base: &Path) -> Result<Issuer, String> {
    if section.jwks_url.is_some() {
        return Err("jwks_url: is not supported yet: give the issuer's public key as public_key_file".into());
    }
    let (key, algorithms) = match (&section.public_key_file, &section.hmac_secret_file) {
        (Some(file), None) => {
            let path = base.join(file);
            let at = |problem: String| format!("public_key_file: {}: {problem}", path.display());
            if section.algorithms.is_empty() {
                return Err("algorithms: is required with public_key_file: RS256, PS256, ES256 or EdDSA".into());
            }
            let pem = std::fs::read(&path).map_err(|error| at(format!("cannot be read: {error}")))?;
            (IssuerKey::from_public_pem(&pem, &section.algorithms).map_err(at)?, section.algorithms.clone())
        }
        (None, Some(file)) => {
            if section.algorithms.iter().any(|algorithm| *algorithm != Algorithm::HS256) {
                return Err("algorithms: with hmac_secret_file the only algorithm is HS256".into());
            }
            let at = |problem: String| format!("hmac_secret_file: {problem}");
            (IssuerKey::from_secret(&secret(&base.join(file)).map_err(at)?).map_err(at)?, vec![Algorithm::HS256])
        }
        _ => return Err("issuer: needs either public_key_file or hmac_secret_file".into()),
    };
    Ok(Issuer::new(&section.issuer, &section.audience, &algorithms, key, claim_names(section)))
}

fn claim_names(section: &IssuerSection) -> ClaimNames {
    ClaimNames { organisation: section.organisation_claim.clone(), user: section.user_claim.clone(), scope: section.scope_claim.clone() }
}

/// A secret's bytes, without the line end that editors leave.
fn secret(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = std::fs::read(path).map_err(|error| format!("{}: cannot be read: {error}", path.display()))?;
    while bytes.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        bytes.pop();
    }
    Ok(bytes)
}
