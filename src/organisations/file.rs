//! An organisation's TOML file, and the password and certificate files that it references.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::Digest;

use super::certificate::ClientCertificate;
use super::organisation::{
    ConnectionFactory, IdentifyBy, Language, MessageOptions, Organisation, OrganisationPassword, OrganisationSettings,
};
use super::rate_overrides::{LimitOverride, RateOverrides};
use super::registry::LoadReport;
use super::requirements::{LrsRequirements, secret_warning};
use crate::domain::{OrganisationRef, Product, Ukprn};
use crate::file_watch::{ContentDigest, FileContent, FileStamp, read_with_stamp};
use crate::schema::deserialize::DeserializeContext;
use crate::schema::toml::{from_table_partial, parse_content};
use crate::schema::{InvalidValue, Settings};

/// Content of an organisation's file. Paths are relative to the file.
#[derive(Debug, Settings)]
#[setting(page, validate = require_reference(identify_by, organisation_ref))]
pub struct OrganisationFile {
    /// UKPRN, which tokens contain, also if LRS knows the organisation by its reference only.
    ukprn: Ukprn,
    /// Name, shown by `GET /v1/organisation`.
    name: String,
    /// LRS organisation reference. Achievement batches require it, and `identify_by` other than `ukprn`.
    organisation_ref: Option<OrganisationRef>,
    /// How LRS's services for learners know the organisation: `ukprn`, `organisation_ref` or `both`. Achievement batches always state the
    /// reference.
    #[setting(default = IdentifyBy::default())]
    identify_by: IdentifyBy,
    /// Language of texts in learning events: `ENG` (English) or `CYM` (Welsh).
    #[setting(default = Language::default())]
    language: Language,
    /// Products that LRS has switched on. [AUTHENTICATION.md](AUTHENTICATION.md#scopes) lists the operations of each product. LRS approves
    /// `retrieve-ulns` for few organisations.
    products: Vec<Product>,
    /// File with the LRS password, 16 characters.
    password_file: PathBuf,
    /// The organisation's client certificate: either two PEM files or a PKCS#12 archive. With the environments `live` and `compatibility` a
    /// missing certificate is reported, because LRS rejects calls without one.
    client_certificate: Option<CertificateFiles>,
    /// Rate limits of this organisation, in place of those in [`[limits]`](#limits) of `gateway.toml`.
    limits: LimitsSection,
}

/// Rate limits that replace the configured ones. A limit of 0 is a mistake, not a way to switch a limit off.
#[derive(Debug, Clone, Settings)]
#[setting(page)]
struct LimitsSection {
    /// Rate limit of the organisation: calls per minute.
    #[setting(shown_default = "the gateway's", range = 1..)]
    organisation_per_minute: Option<u32>,
    /// Rate limit of the organisation: burst.
    #[setting(shown_default = "the gateway's", range = 1..)]
    organisation_burst: Option<u32>,
    /// Rate limit of each person: calls per minute.
    #[setting(shown_default = "the gateway's", range = 1..)]
    person_per_minute: Option<u32>,
    /// Rate limit of each person: burst.
    #[setting(shown_default = "the gateway's", range = 1..)]
    person_burst: Option<u32>,
    /// Rate limit of each person's searches by demographics: calls per minute.
    #[setting(shown_default = "the gateway's", range = 1..)]
    searches_per_minute: Option<u32>,
    /// Rate limit of each person's searches by demographics: burst.
    #[setting(shown_default = "the gateway's", range = 1..)]
    searches_burst: Option<u32>,
}

/// Files of an organisation's client certificate: PEM or PKCS#12.
#[derive(Debug, Settings)]
#[setting(page)]
struct CertificateFiles {
    /// PEM file with the organisation's certificate, followed by its issuers.
    certificate_file: Option<PathBuf>,
    /// PEM file with the certificate's key.
    key_file: Option<PathBuf>,
    /// PKCS#12 archive with the certificate, its issuers and its key.
    pfx_file: Option<PathBuf>,
    /// File with the archive's password, if it has one.
    pfx_password_file: Option<PathBuf>,
}

/// Requires the reference if messages state it.
fn require_reference(
    identify_by: Option<&IdentifyBy>,
    organisation_ref: Option<&Option<OrganisationRef>>,
    context: &mut DeserializeContext,
) {
    let needs_reference = identify_by.is_some_and(|identify_by| *identify_by != IdentifyBy::Ukprn);
    if needs_reference && organisation_ref.is_some_and(Option::is_none) {
        let detail = "needs organisation_ref, the reference by which LRS knows the organisation";
        context.add_error_at("identify_by", InvalidValue::new("contradiction", detail));
    }
}

impl OrganisationFile {
    fn referenced_files(&self) -> Vec<&PathBuf> {
        let certificate_file = self.client_certificate.iter().filter_map(|files| files.certificate_file.as_ref());
        certificate_file.chain(self.secret_files().into_iter().map(|(_, file)| file)).collect()
    }

    /// Returns the files that contain a password or a key, each with its setting.
    fn secret_files(&self) -> Vec<(&'static str, &PathBuf)> {
        let of_certificate = self.client_certificate.iter().flat_map(|files| {
            let CertificateFiles { key_file, pfx_file, pfx_password_file, .. } = files;
            [("key_file", key_file), ("pfx_file", pfx_file), ("pfx_password_file", pfx_password_file)]
        });
        let of_certificate = of_certificate.filter_map(|(setting, file)| Some((setting, file.as_ref()?)));
        std::iter::once(("password_file", &self.password_file)).chain(of_certificate).collect()
    }
}

impl LimitsSection {
    const fn overrides(&self) -> RateOverrides {
        RateOverrides {
            organisation: LimitOverride { per_minute: self.organisation_per_minute, burst: self.organisation_burst },
            person: LimitOverride { per_minute: self.person_per_minute, burst: self.person_burst },
            searches: LimitOverride { per_minute: self.searches_per_minute, burst: self.searches_burst },
        }
    }
}

/// Returns the `*.toml` files of a directory in order of name, without hidden files.
///
/// # Errors
/// Returns a text if the directory cannot be read.
pub(super) fn organisation_files(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let unreadable = |error: std::io::Error| format!("{}: the directory cannot be read: {error}", directory.display());
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if !is_hidden && path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Content of an organisation's file and of the files that it references. Each file is read once, so the digest always belongs to the
/// content in use.
pub(super) struct OrganisationSource {
    path: PathBuf,
    /// The file without its invalid settings; `None` if a required setting is invalid.
    file: Option<OrganisationFile>,
    errors: Vec<String>,
    referenced: HashMap<PathBuf, FileContent>,
    /// Stamps of all files; `None` if one of them must be read to see whether it has changed.
    pub stamps: Option<Vec<(PathBuf, FileStamp)>>,
    /// Digest of all files.
    pub digest: Digest,
}

impl OrganisationSource {
    /// Reads an organisation's file and the files that it references.
    pub(super) fn read(path: &Path) -> Self {
        let (content, stamp) = read_with_stamp(path);
        let mut stamps = vec![stamp.map(|stamp| (path.to_owned(), stamp))];
        let mut digest = ContentDigest::new();
        digest.update(&content);
        let (file, errors) =
            parse_content(path, content).map_or_else(|errors| (None, errors), |table| from_table_partial::<OrganisationFile>(path, table));
        let mut referenced = HashMap::new();
        for name in file.iter().flat_map(OrganisationFile::referenced_files) {
            let file = resolve(path, name);
            let (content, stamp) = read_with_stamp(&file);
            stamps.push(stamp.map(|stamp| (file, stamp)));
            digest.update(&content);
            referenced.insert(name.clone(), content);
        }
        Self { path: path.to_owned(), file, errors, referenced, stamps: stamps.into_iter().collect(), digest: digest.finish() }
    }

    /// Returns the organisation's UKPRN if it can be read.
    pub(super) fn ukprn(&self) -> Option<&Ukprn> {
        self.file.as_ref().map(|file| &file.ukprn)
    }

    /// Creates the organisation. Returns `None` if a file is invalid. Adds errors, warnings and remarks to `report`.
    pub(super) fn build(
        self,
        clients: &dyn ConnectionFactory,
        requirements: &LrsRequirements,
        report: &mut LoadReport,
    ) -> Option<Organisation> {
        let Self { path, file, errors, referenced, .. } = self;
        let is_valid = errors.is_empty();
        report.errors.extend(errors);
        let file = file?;
        let files = ReferencedFiles { organisation_file: &path, contents: referenced };
        // Everything is checked before anything is built, so that each error of the file is reported.
        let password = files.password(&file).map_err(|error| report.errors.push(error)).ok();
        let client_certificate = files.client_certificate(&file).map_err(|error| report.errors.push(error)).ok();
        if let Some(certificate) = &client_certificate {
            let details = certificate.as_ref().map(|certificate| &certificate.details);
            requirements.report_certificate(&file.ukprn, details, report);
        }
        let secrets = file.secret_files().into_iter();
        report
            .remarks
            .extend(secrets.filter_map(|(setting, name)| secret_warning(&format!("{}: {setting}", path.display()), &resolve(&path, name))));
        let is_complete = requirements.check_products(&file.ukprn, &file.products, report);
        let (Some(password), Some(client_certificate), true, true) = (password, client_certificate, is_valid, is_complete) else {
            return None;
        };
        let rate_overrides = file.limits.overrides();
        let message_options = MessageOptions { identify_by: file.identify_by, language: file.language };
        let settings = OrganisationSettings {
            ukprn: file.ukprn,
            name: file.name,
            organisation_ref: file.organisation_ref,
            products: file.products,
            password,
            client_certificate,
        };
        Organisation::new(settings, clients)
            .map(|organisation| organisation.with_rate_overrides(rate_overrides).with_message_options(message_options))
            .map_err(|error| report.errors.push(format!("{}: client_certificate: {error}", path.display())))
            .ok()
    }
}

/// Contents of the files that an organisation's file references.
struct ReferencedFiles<'a> {
    organisation_file: &'a Path,
    contents: HashMap<PathBuf, FileContent>,
}

impl ReferencedFiles<'_> {
    fn content(&self, name: &Path) -> Result<&[u8], String> {
        match self.contents.get(name) {
            Some(Ok(content)) => Ok(content),
            Some(Err(error)) => Err(error.clone()),
            None => Err("was not read".into()),
        }
    }

    fn password(&self, file: &OrganisationFile) -> Result<OrganisationPassword, String> {
        let path = resolve(self.organisation_file, &file.password_file);
        let password_error = |error: &str| format!("{}: password_file: {}: {error}", self.organisation_file.display(), path.display());
        let content = self.content(&file.password_file).map_err(|error| password_error(&error))?;
        let text = secret_text(content).map_err(|error| password_error(&error))?;
        OrganisationPassword::new(text).map_err(|invalid| password_error(&invalid.detail))
    }

    /// Returns the client certificate, `None` if the organisation's file references none.
    fn client_certificate(&self, file: &OrganisationFile) -> Result<Option<ClientCertificate>, String> {
        let certificate_error = |error: String| format!("{}: client_certificate: {error}", self.organisation_file.display());
        let Some(files) = &file.client_certificate else { return Ok(None) };
        let content = |setting: &str, name: &Path| {
            let path = resolve(self.organisation_file, name);
            self.content(name).map_err(|error| certificate_error(format!("{setting}: {}: {error}", path.display())))
        };
        match files {
            CertificateFiles { certificate_file: Some(certificate), key_file: Some(key), pfx_file: None, pfx_password_file: None } => {
                let (certificate, key) = (content("certificate_file", certificate)?, content("key_file", key)?);
                ClientCertificate::from_pem(certificate, key).map(Some).map_err(certificate_error)
            }
            CertificateFiles { certificate_file: None, key_file: None, pfx_file: Some(archive), pfx_password_file } => {
                let archive = content("pfx_file", archive)?;
                let password = match pfx_password_file {
                    None => "",
                    Some(name) => secret_text(content("pfx_password_file", name)?)
                        .map_err(|error| certificate_error(format!("pfx_password_file: {error}")))?,
                };
                ClientCertificate::from_pkcs12(archive, password).map(Some).map_err(certificate_error)
            }
            _ => Err(certificate_error(
                "must have either certificate_file and key_file, or pfx_file and, if the archive has a password, pfx_password_file".into(),
            )),
        }
    }
}

/// Returns the text of a secret file without its line end and without the byte order mark that Windows editors write.
fn secret_text(content: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(content).map_err(|_| "must be text in UTF-8")?;
    Ok(text.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']))
}

/// Resolves a path relative to the file that contains it.
fn resolve(file: &Path, path: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join(path)
}
