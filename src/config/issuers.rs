//! Token issuers, from `[[auth.issuers]]`: their keys and algorithms.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Url;
use secrecy::SecretBox;

use crate::auth::{Algorithm, ClaimNames, Issuer, IssuerKey, JwksClient, JwksSettings, UserNameRules, Verifier};
use crate::config::file::IssuerSection;
use crate::config::read::{read_file, read_secret};
use crate::config::url::{check_no_credentials, is_loopback};
use crate::domain::{UserName, parse_user_name};
use crate::file_watch;
use crate::lrs::http_client::{ForwardProxy, HttpClientFactory};

/// An issuer with a shared secret, which can sign development tokens.
#[derive(Debug)]
pub struct DevTokenIssuer {
    /// Name of the issuer (`iss`).
    pub issuer: String,
    /// Audience of its tokens (`aud`).
    pub audience: String,
    /// Names of the claims.
    pub claims: ClaimNames,
    /// How the gateway uses the user names of its tokens.
    pub user_names: UserNameRules,
    /// The shared secret.
    pub secret: SecretBox<Vec<u8>>,
}

impl DevTokenIssuer {
    /// Loads the first issuer with a shared secret from a configuration file.
    ///
    /// # Errors
    /// Returns the errors of the file, or one error if no issuer has a shared secret or if the secret cannot be used.
    pub fn load(path: &Path) -> Result<Self, Vec<String>> {
        let file = read_file(path)?;
        if !file.errors.is_empty() {
            return Err(file.errors);
        }
        let mut issuers = file.settings.auth.issuers.iter();
        let Some((section, secret_file)) = issuers.find_map(|section| Some((section, section.hmac_secret_file.as_ref()?))) else {
            return Err(vec![
                "auth.issuers: no issuer has hmac_secret_file. Only an issuer with a shared secret can sign tokens here".into(),
            ]);
        };
        let with_setting = |error: String| vec![format!("auth.issuers: hmac_secret_file: {error}")];
        let secret = read_secret(&file.base.join(secret_file)).map_err(with_setting)?;
        IssuerKey::from_hmac_secret(&secret).map_err(with_setting)?;
        Ok(Self {
            issuer: section.issuer.clone(),
            audience: section.audience.clone(),
            claims: section.into(),
            user_names: section.into(),
            secret: SecretBox::new(Box::new(secret)),
        })
    }
}

/// Builds the verifier for the tokens of every issuer. Key sets outside this machine are fetched through the proxy, if there is one.
///
/// # Errors
/// Returns every error, at most one for each issuer's key.
pub(super) fn verifier(sections: &[IssuerSection], base: &Path, proxy: Option<&ForwardProxy>) -> Result<Verifier, Vec<String>> {
    let mut errors = Vec::new();
    let mut issuers = Vec::new();
    let mut places: HashMap<(&str, &str), usize> = HashMap::new();
    let mut key_sets = KeySets { base, proxy, known: HashMap::new() };
    for (number, section) in sections.iter().enumerate() {
        if let Some(other) = places.insert((&section.issuer, &section.audience), number) {
            let IssuerSection { issuer, audience, .. } = section;
            errors.push(format!(
                "auth.issuers.{number}.audience: section {other} has the issuer {issuer} with the audience {audience} already. Sections of one \
                 issuer need different audiences"
            ));
        }
        if let Some(other) = sections[..number].iter().position(|other| may_merge_people(other, section)) {
            errors.push(format!(
                "auth.issuers.{number}.user_domains: section {other} of the same issuer removes other domains from user names, so two people could \
                 become one user. List the same domains in both sections if a name belongs to one person in all of them. Otherwise set \
                 user_strip_domain = false in one of them"
            ));
        }
        errors.extend(unusable_client_names(section).map(|error| format!("auth.issuers.{number}.{error}")));
        match issuer(number, section, base, &mut key_sets) {
            Ok(issuer) => issuers.push(issuer),
            Err(error) => errors.push(format!("auth.issuers.{number}.{error}")),
        }
    }
    if sections.is_empty() {
        errors.push("auth.issuers: at least one [[auth.issuers]] section is required".into());
    }
    if errors.is_empty() { Ok(Verifier::new(issuers)) } else { Err(errors) }
}

/// Returns `true` if people of different domains can have the same name at LRS, because the sections remove different domains.
fn may_merge_people(one: &IssuerSection, other: &IssuerSection) -> bool {
    let domains = |section: &IssuerSection| -> BTreeSet<String> { UserNameRules::from(section).domains.into_iter().collect() };
    one.issuer == other.issuer && one.user_strip_domain && other.user_strip_domain && domains(one) != domains(other)
}

/// Returns an error for each client whose user name would be refused in a token.
fn unusable_client_names(section: &IssuerSection) -> impl Iterator<Item = String> {
    let invalid = |name: &UserName| parse_user_name(name.as_str()).err();
    section.clients.iter().filter_map(move |(client, name)| Some(format!("clients.{client}: {}", invalid(name)?.detail)))
}

fn issuer(number: usize, section: &IssuerSection, base: &Path, key_sets: &mut KeySets<'_>) -> Result<Issuer, String> {
    let (key, algorithms) = match (&section.jwks_url, &section.public_key_file, &section.hmac_secret_file) {
        (Some(url), None, None) => (key_sets.key(number, section, url)?, section.algorithms.clone()),
        (None, Some(file), None) => (public_key(section, &base.join(file))?, section.algorithms.clone()),
        (None, None, Some(file)) => (hmac_key(section, &base.join(file))?, vec![Algorithm::HS256]),
        _ => return Err("issuer: exactly one of jwks_url, public_key_file and hmac_secret_file is required".into()),
    };
    if section.jwks_url.is_none() {
        let jwks_settings = [
            ("jwks_ca_certificate_file", section.jwks_ca_certificate_file.is_some()),
            ("jwks_refresh_seconds", section.jwks_refresh_seconds.is_some()),
            ("jwks_cooldown_seconds", section.jwks_cooldown_seconds.is_some()),
        ];
        if let Some((name, _)) = jwks_settings.iter().find(|(_, is_set)| *is_set) {
            return Err(format!("{name}: is allowed with jwks_url only"));
        }
    }
    Ok(Issuer::new(&section.issuer, &section.audience, &algorithms, key, section.into()).with_user_names(section.into()))
}

fn public_key(section: &IssuerSection, path: &Path) -> Result<IssuerKey, String> {
    let with_setting = |error: String| format!("public_key_file: {}: {error}", path.display());
    let algorithms = required_algorithms(section, "public_key_file")?;
    let pem = file_watch::read(path).map_err(with_setting)?;
    IssuerKey::from_public_pem(&pem, algorithms).map_err(with_setting)
}

fn hmac_key(section: &IssuerSection, path: &Path) -> Result<IssuerKey, String> {
    if section.algorithms.iter().any(|algorithm| *algorithm != Algorithm::HS256) {
        return Err("algorithms: with hmac_secret_file the only algorithm is HS256".into());
    }
    let with_setting = |error: String| format!("hmac_secret_file: {error}");
    IssuerKey::from_hmac_secret(&read_secret(path).map_err(with_setting)?).map_err(with_setting)
}

/// The key sets of all issuers. Sections with the same address share one, so that it is fetched once.
struct KeySets<'c> {
    base: &'c Path,
    proxy: Option<&'c ForwardProxy>,
    known: HashMap<Url, (usize, KeySetOptions, IssuerKey)>,
}

/// The settings of a key set besides its address.
type KeySetOptions = (Option<PathBuf>, Option<u64>, Option<u64>);

impl KeySets<'_> {
    /// Returns the key set of a section.
    fn key(&mut self, number: usize, section: &IssuerSection, url: &str) -> Result<IssuerKey, String> {
        if required_algorithms(section, "jwks_url")?.contains(&Algorithm::HS256) {
            return Err("algorithms: HS256 is allowed with hmac_secret_file only: published keys are not secret".into());
        }
        let url = jwks_url(url).map_err(|error| format!("jwks_url: {error}"))?;
        let options = (section.jwks_ca_certificate_file.clone(), section.jwks_refresh_seconds, section.jwks_cooldown_seconds);
        match self.known.get(&url) {
            Some((_, other_options, key)) if *other_options == options => return Ok(key.clone()),
            Some((other, ..)) => {
                return Err(format!(
                    "jwks_url: section {other} has the same address, but another jwks_ca_certificate_file, jwks_refresh_seconds or \
                     jwks_cooldown_seconds. Set them to the same values"
                ));
            }
            None => {}
        }
        let key = self.new_key(section, url.clone())?;
        self.known.insert(url, (number, options, key.clone()));
        Ok(key)
    }

    fn new_key(&self, section: &IssuerSection, url: Url) -> Result<IssuerKey, String> {
        let defaults = JwksSettings::for_url(url);
        let settings = JwksSettings {
            refresh_interval: section.jwks_refresh_seconds.map_or(defaults.refresh_interval, Duration::from_secs),
            cooldown: section.jwks_cooldown_seconds.map_or(defaults.cooldown, Duration::from_secs),
            ..defaults
        };
        let ca_file = section.jwks_ca_certificate_file.as_ref().map(|file| self.base.join(file));
        let http_clients = HttpClientFactory::new(ca_file.as_deref(), JwksSettings::TIMEOUT)
            .map_err(|error| format!("jwks_ca_certificate_file: {error}"))?;
        let http_clients = http_clients.with_proxy(self.proxy.map(ForwardProxy::for_issuers));
        Ok(IssuerKey::from_jwks(JwksClient::new(settings, &http_clients).map_err(|error| format!("jwks_url: {error}"))?))
    }
}

/// Checks the address of a JWKS.
fn jwks_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "must be an address such as https://idp.example.ac.uk/jwks")?;
    if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
        return Err("must be https. With http, an attacker on the network could replace the keys and forge tokens");
    }
    check_no_credentials(&url)?;
    Ok(url)
}

/// Returns the algorithms of an issuer with public keys. They are required: a key alone does not tell which of them its issuer uses.
fn required_algorithms<'s>(section: &'s IssuerSection, key_setting: &str) -> Result<&'s [Algorithm], String> {
    if section.algorithms.is_empty() {
        return Err(format!("algorithms: is required with {key_setting}: RS256, PS256, ES256 or EdDSA"));
    }
    Ok(&section.algorithms)
}
