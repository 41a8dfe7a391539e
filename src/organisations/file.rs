//! One file per organisation.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::Digest;

use crate::domain::{OrganisationRef, Ukprn};
use crate::file_watch::{Content, Fingerprint, read};
use crate::organisations::{ClientCertificate, ClientFactory, LoadReport, Organisation, OrganisationPassword, Product};
use crate::rate_limit::RateOverrides;
use crate::schema::form;
use crate::schema::toml::from_text;
use crate::tls::Validity;

form! {
    /// What an organisation's file says.
    #[derive(Debug)]
    pub struct OrganisationFile {
        ukprn: Ukprn,
        name: String,
        organisation_ref: Option<OrganisationRef>,
        products: Vec<Product>,
        password_file: PathBuf,
        client_certificate: Option<CertificateFiles>,
        limits: Option<LimitsSection>,
    }
}

form! {
    /// Limits of its own, where they are not the usual ones.
    #[derive(Debug, Clone)]
    struct LimitsSection {
        organisation_per_minute: Option<u32>,
        organisation_burst: Option<u32>,
        person_per_minute: Option<u32>,
        person_burst: Option<u32>,
        searches_per_minute: Option<u32>,
        searches_burst: Option<u32>,
    }
}

impl LimitsSection {
    const fn rates(&self) -> RateOverrides {
        RateOverrides {
            organisation: [self.organisation_per_minute, self.organisation_burst],
            person: [self.person_per_minute, self.person_burst],
            searches: [self.searches_per_minute, self.searches_burst],
        }
    }

    /// A limit of nothing would be no limit but a mistake.
    fn is_usable(&self) -> bool {
        let RateOverrides { organisation, person, searches } = self.rates();
        [organisation, person, searches].iter().flatten().all(|number| number.is_none_or(|number| number > 0))
    }
}

form! {
    /// Where an organisation's certificate is.
    #[derive(Debug)]
    struct CertificateFiles {
        certificate_file: Option<PathBuf>,
        key_file: Option<PathBuf>,
        pfx_file: Option<PathBuf>,
        pfx_password_file: Option<PathBuf>,
    }
}

impl OrganisationFile {
    /// The files it names.
    fn names(&self) -> Vec<&PathBuf> {
        let certificate = self
            .client_certificate
            .iter()
            .flat_map(|files| [&files.certificate_file, &files.key_file, &files.pfx_file, &files.pfx_password_file].into_iter().flatten());
        std::iter::once(&self.password_file).chain(certificate).collect()
    }
}

/// Everything an organisation's files say, read once: what is compared is what is used.
pub(super) struct Gathered {
    path: PathBuf,
    file: Result<OrganisationFile, Vec<String>>,
    named: HashMap<PathBuf, Content>,
    /// What tells it from other versions.
    pub digest: Digest,
}

/// The `*.toml` files of a directory, in order of name. Hidden files are passed over.
///
/// # Errors
/// When the directory cannot be read.
pub(super) fn files_of(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let unreadable = |error: std::io::Error| format!("{}: the directory cannot be read: {error}", directory.display());
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

impl Gathered {
    /// Reads an organisation's file, and those that it names.
    pub(super) fn read(path: &Path) -> Self {
        let text = read(path);
        let mut everything = Fingerprint::new();
        everything.include(&text);
        let at = |problem: &str| vec![format!("{}: {problem}", path.display())];
        let file = text.map_err(|problem| at(&problem)).and_then(|bytes| {
            let text = String::from_utf8(bytes).map_err(|_| at("not well-formed TOML: it is not UTF-8"))?;
            from_text::<OrganisationFile>(path, &text)
        });
        let mut named = HashMap::new();
        for name in file.iter().flat_map(OrganisationFile::names) {
            let content = read(&beside(path, name));
            everything.include(&content);
            named.insert(name.clone(), content);
        }
        Self { path: path.to_owned(), file, named, digest: everything.finish() }
    }

    /// Whose it is, if it can be read.
    pub(super) fn ukprn(&self) -> Option<&Ukprn> {
        self.file.as_ref().ok().map(|file| &file.ukprn)
    }

    /// Puts the organisation together, if it can. What is wrong and what is worth saying goes to `report`.
    pub(super) fn open(self, clients: &dyn ClientFactory, certificate_needed: bool, report: &mut LoadReport) -> Option<Organisation> {
        let Self { path, file, named, .. } = self;
        let file = file.map_err(|mut problems| report.problems.append(&mut problems)).ok()?;
        let files = Files { path: &path, named };
        let password = files.password(&file).map_err(|problem| report.problems.push(problem)).ok();
        let identity = files.identity(&file).map_err(|problem| report.problems.push(problem)).ok();
        if let Some(identity) = &identity {
            look_at(&file.ukprn, identity.as_ref().map(|identity| identity.validity), certificate_needed, report);
        }
        let limits = file.limits.as_ref().map(LimitsSection::rates).unwrap_or_default();
        if file.limits.as_ref().is_some_and(|limits| !limits.is_usable()) {
            report.problems.push(format!("{}: limits: every number must be at least 1", path.display()));
            return None;
        }
        Organisation::new(file.ukprn, file.name, file.organisation_ref, file.products, password?, identity?, clients)
            .map(|organisation| organisation.with_limits(limits))
            .map_err(|problem| report.problems.push(format!("{}: client_certificate: {problem}", path.display())))
            .ok()
    }
}

/// A certificate that ended, or is missing, does not keep the organisation from being tried: LRS decides.
fn look_at(ukprn: &Ukprn, validity: Option<Validity>, needed: bool, report: &mut LoadReport) {
    match validity {
        Some(validity) if !validity.is_now() => {
            let Validity { from, until } = validity;
            report.problems.push(format!("organisation {ukprn}: its client certificate is not valid now, but from {from} until {until}"));
        }
        Some(Validity { until, .. }) => report.remarks.push(format!("organisation {ukprn}: client certificate valid until {until}")),
        None if needed => {
            report.problems.push(format!("organisation {ukprn}: client_certificate: is required, LRS lets nobody in without one"));
        }
        None => report.remarks.push(format!("organisation {ukprn}: no client certificate")),
    }
}

/// The files that an organisation's file names.
struct Files<'a> {
    path: &'a Path,
    named: HashMap<PathBuf, Content>,
}

impl Files<'_> {
    fn content(&self, name: &Path) -> Result<&[u8], String> {
        match self.named.get(name) {
            Some(Ok(content)) => Ok(content),
            Some(Err(problem)) => Err(problem.clone()),
            None => Err("was not read".into()),
        }
    }

    fn password(&self, file: &OrganisationFile) -> Result<OrganisationPassword, String> {
        let at = |problem: &str| {
            format!("{}: password_file: {}: {problem}", self.path.display(), beside(self.path, &file.password_file).display())
        };
        let content = self.content(&file.password_file).map_err(|problem| at(&problem))?;
        OrganisationPassword::new(text_of(content).map_err(|problem| at(&problem))?).map_err(|invalid| at(&invalid.detail))
    }

    /// The organisation's certificate, if its file names one.
    fn identity(&self, file: &OrganisationFile) -> Result<Option<ClientCertificate>, String> {
        let at = |problem: String| format!("{}: client_certificate: {problem}", self.path.display());
        let Some(files) = &file.client_certificate else { return Ok(None) };
        let content = |setting: &str, name: &Path| {
            self.content(name).map_err(|problem| at(format!("{setting}: {}: {problem}", beside(self.path, name).display())))
        };
        match files {
            CertificateFiles { certificate_file: Some(certificate), key_file: Some(key), pfx_file: None, pfx_password_file: None } => {
                let (certificate, key) = (content("certificate_file", certificate)?, content("key_file", key)?);
                ClientCertificate::from_pem(certificate, key).map(Some).map_err(at)
            }
            CertificateFiles { certificate_file: None, key_file: None, pfx_file: Some(archive), pfx_password_file } => {
                let archive = content("pfx_file", archive)?;
                let password = match pfx_password_file {
                    None => "",
                    Some(name) => {
                        text_of(content("pfx_password_file", name)?).map_err(|problem| at(format!("pfx_password_file: {problem}")))?
                    }
                };
                ClientCertificate::from_pkcs12(archive, password).map(Some).map_err(at)
            }
            _ => Err(at("needs either certificate_file and key_file, or pfx_file and, if it has one, pfx_password_file".into())),
        }
    }
}

/// A secret in a file, without the end of its line, and without the mark that Windows' editors put before texts.
fn text_of(content: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(content).map_err(|_| "must be text in UTF-8")?;
    Ok(text.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']))
}

/// Paths in a file are relative to it.
fn beside(file: &Path, path: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join(path)
}
