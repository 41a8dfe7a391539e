//! Issuers, from their sections of the file: keys read, algorithms checked.

use std::path::Path;
use std::time::Duration;

use reqwest::Url;

use crate::auth::{Algorithm, ClaimNames, Issuer, IssuerKey, JwksClient, JwksSettings, Verifier};
use crate::config::file::{ConfigFile, IssuerSection};
use crate::config::{is_this_machine, read};
use crate::lrs::http_client::HttpClientFactory;

/// A shared secret and the issuer it belongs to: what minting a development token takes.
#[derive(Debug)]
pub struct DevTokenIssuer {
    /// The issuer's name.
    pub issuer: String,
    /// Whom its tokens are for.
    pub audience: String,
    /// Where the claims go.
    pub claims: ClaimNames,
    /// The secret.
    pub secret: secrecy::SecretBox<Vec<u8>>,
}

impl DevTokenIssuer {
    /// Finds the issuer with a shared secret in a configuration file.
    ///
    /// # Errors
    /// When there is none, or its secret cannot be read.
    pub fn load(path: &Path) -> Result<Self, Vec<String>> {
        let (file, base, problems) = read(path)?;
        if !problems.is_empty() {
            return Err(problems);
        }
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
    let (key, algorithms) = match (&section.jwks_url, &section.public_key_file, &section.hmac_secret_file) {
        (Some(url), None, None) => (published_keys(section, url, base)?, section.algorithms.clone()),
        (None, Some(file), None) => {
            let path = base.join(file);
            let at = |problem: String| format!("public_key_file: {}: {problem}", path.display());
            let algorithms = algorithms(section, "public_key_file")?;
            let pem = std::fs::read(&path).map_err(|error| at(format!("cannot be read: {error}")))?;
            (IssuerKey::from_public_pem(&pem, algorithms).map_err(at)?, section.algorithms.clone())
        }
        (None, None, Some(file)) => {
            if section.algorithms.iter().any(|algorithm| *algorithm != Algorithm::HS256) {
                return Err("algorithms: with hmac_secret_file the only algorithm is HS256".into());
            }
            let at = |problem: String| format!("hmac_secret_file: {problem}");
            (IssuerKey::from_secret(&secret(&base.join(file)).map_err(at)?).map_err(at)?, vec![Algorithm::HS256])
        }
        _ => return Err("issuer: needs one of jwks_url, public_key_file and hmac_secret_file".into()),
    };
    if section.jwks_url.is_none() {
        let of_key_sets = [
            ("jwks_ca_certificate_file", section.jwks_ca_certificate_file.is_some()),
            ("jwks_refresh_seconds", section.jwks_refresh_seconds.is_some()),
            ("jwks_cooldown_seconds", section.jwks_cooldown_seconds.is_some()),
        ];
        if let Some((name, _)) = of_key_sets.iter().find(|(_, is_set)| *is_set) {
            return Err(format!("{name}: goes with jwks_url only"));
        }
    }
    Ok(Issuer::new(&section.issuer, &section.audience, &algorithms, key, claim_names(section)))
}

/// The algorithms of an issuer with public keys: it must say which.
fn algorithms<'s>(section: &'s IssuerSection, with: &str) -> Result<&'s [Algorithm], String> {
    if section.algorithms.is_empty() {
        return Err(format!("algorithms: is required with {with}: RS256, PS256, ES256 or EdDSA"));
    }
    Ok(&section.algorithms)
}

/// A key that stays in use for longer after the issuer has withdrawn it would be as good as not withdrawn.
const LONGEST_REFRESH_SECONDS: u64 = 24 * 60 * 60;
/// For longer, nobody would want to wait for a new key.
const LONGEST_COOLDOWN_SECONDS: u64 = 60 * 60;

fn published_keys(section: &IssuerSection, url: &str, base: &Path) -> Result<IssuerKey, String> {
    if algorithms(section, "jwks_url")?.contains(&Algorithm::HS256) {
        return Err("algorithms: HS256 goes with hmac_secret_file only: published keys are no secrets".into());
    }
    let settings = JwksSettings::at(jwks_url(url).map_err(|problem| format!("jwks_url: {problem}"))?);
    let seconds = |name: &str, set: Option<u64>, longest: u64, usual: Duration| match set {
        None => Ok(usual),
        Some(seconds) if (1..=longest).contains(&seconds) => Ok(Duration::from_secs(seconds)),
        Some(_) => Err(format!("{name}: must be 1 to {longest}")),
    };
    let settings = JwksSettings {
        refresh: seconds("jwks_refresh_seconds", section.jwks_refresh_seconds, LONGEST_REFRESH_SECONDS, settings.refresh)?,
        cooldown: seconds("jwks_cooldown_seconds", section.jwks_cooldown_seconds, LONGEST_COOLDOWN_SECONDS, settings.cooldown)?,
        ..settings
    };
    let ca_file = section.jwks_ca_certificate_file.as_ref().map(|file| base.join(file));
    let transport = HttpClientFactory::new(ca_file.as_deref(), JwksSettings::TIMEOUT)
        .map_err(|problem| format!("jwks_ca_certificate_file: {problem}"))?;
    Ok(IssuerKey::published(JwksClient::new(settings, &transport).map_err(|problem| format!("jwks_url: {problem}"))?))
}

/// Who can change the keys on their way can make any token.
fn jwks_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "must be an address such as https://idp.example.ac.uk/jwks")?;
    if url.scheme() != "https" && !(url.scheme() == "http" && is_this_machine(&url)) {
        return Err("must be https: who could change the keys on their way could make any token");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not have a user name or password in it");
    }
    Ok(url)
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
