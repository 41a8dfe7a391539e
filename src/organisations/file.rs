//! One file per organisation.

use std::path::{Path, PathBuf};

use super::{ClientIdentity, Organisation, OrganisationPassword, Product, Report, Transport};
use crate::domain::{OrganisationRef, Ukprn};
use crate::form::file::from_file;
use crate::form::form;
use crate::limits::OwnRates;

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
    const fn rates(&self) -> OwnRates {
        OwnRates {
            organisation: [self.organisation_per_minute, self.organisation_burst],
            person: [self.person_per_minute, self.person_burst],
            searches: [self.searches_per_minute, self.searches_burst],
        }
    }

    /// A limit of nothing would be no limit but a mistake.
    fn is_usable(&self) -> bool {
        let OwnRates { organisation, person, searches } = self.rates();
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

/// A readable organisation file and where it was.
#[derive(Debug)]
pub(super) struct Found {
    path: PathBuf,
    file: OrganisationFile,
}

/// Reads every `*.toml` of a directory, in order of name. Hidden files are passed over.
///
/// # Errors
/// When the directory itself cannot be read.
pub(super) fn load_directory(directory: &Path) -> Result<Vec<Result<Found, Vec<String>>>, String> {
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
    let mut seen = std::collections::HashMap::new();
    Ok(paths
        .into_iter()
        .map(|path| {
            let found = read(path)?;
            match seen.insert(found.file.ukprn.clone(), found.path.clone()) {
                None => Ok(found),
                Some(first) => Err(vec![format!(
                    "{}: ukprn: organisation {} is described in {} already",
                    found.path.display(),
                    found.file.ukprn,
                    first.display()
                )]),
            }
        })
        .collect())
}

fn read(path: PathBuf) -> Result<Found, Vec<String>> {
    let file = from_file(&path)?;
    Ok(Found { path, file })
}

impl Found {
    /// Reads the files it names and puts the organisation together, if it can. What is wrong and what is worth saying goes to
    /// `report`.
    pub(super) fn open(self, transport: &Transport, certificate_needed: bool, report: &mut Report) -> Option<Organisation> {
        let password = self.password().map_err(|problem| report.problems.push(problem)).ok();
        let identity = self.identity().map_err(|problem| report.problems.push(problem)).ok();
        if let Some(identity) = &identity {
            self.look_at(identity.as_ref(), certificate_needed, report);
        }
        let limits = self.file.limits.as_ref().map(LimitsSection::rates).unwrap_or_default();
        if self.file.limits.as_ref().is_some_and(|limits| !limits.is_usable()) {
            report.problems.push(format!("{}: limits: every number must be at least 1", self.path.display()));
            return None;
        }
        let (Self { path, file }, password, identity) = (self, password?, identity?);
        Organisation::new(file.ukprn, file.name, file.organisation_ref, file.products, password, identity, transport)
            .map(|organisation| organisation.with_limits(limits))
            .map_err(|problem| report.problems.push(format!("{}: client_certificate: {problem}", path.display())))
            .ok()
    }

    /// A certificate that ended, or is missing, does not keep the organisation from being tried: LRS decides.
    fn look_at(&self, identity: Option<&ClientIdentity>, needed: bool, report: &mut Report) {
        let ukprn = &self.file.ukprn;
        match identity {
            Some(ClientIdentity { has_ended: true, expires, .. }) => {
                report.problems.push(format!("organisation {ukprn}: its client certificate is not valid now: it ends {expires}"));
            }
            Some(ClientIdentity { expires, .. }) => {
                report.remarks.push(format!("organisation {ukprn}: client certificate valid until {expires}"));
            }
            None if needed => {
                report.problems.push(format!("organisation {ukprn}: client_certificate: is required, LRS lets nobody in without one"));
            }
            None => report.remarks.push(format!("organisation {ukprn}: no client certificate")),
        }
    }

    /// The organisation's certificate, if its file names one.
    fn identity(&self) -> Result<Option<ClientIdentity>, String> {
        let at = |problem: String| format!("{}: client_certificate: {problem}", self.path.display());
        let Some(files) = &self.file.client_certificate else { return Ok(None) };
        if files.pfx_file.is_some() || files.pfx_password_file.is_some() {
            return Err(at("PKCS#12 (pfx_file) is not supported yet: convert it to PEM and give certificate_file and key_file".into()));
        }
        let (Some(certificate), Some(key)) = (&files.certificate_file, &files.key_file) else {
            return Err(at("needs certificate_file and key_file".into()));
        };
        ClientIdentity::from_pem(&self.beside(certificate), &self.beside(key)).map(Some).map_err(at)
    }

    fn password(&self) -> Result<OrganisationPassword, String> {
        let path = self.beside(&self.file.password_file);
        let at = |problem: &dyn std::fmt::Display| format!("{}: password_file: {}: {problem}", self.path.display(), path.display());
        let text = std::fs::read_to_string(&path).map_err(|error| at(&format!("cannot be read: {error}")))?;
        OrganisationPassword::new(text.trim_end_matches(['\r', '\n'])).map_err(|invalid| at(&invalid.detail))
    }

    /// Paths in the file are relative to it.
    fn beside(&self, path: &Path) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }
}
