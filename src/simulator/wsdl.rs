//! The WSDL and XSD files of a directory, served with the simulator's own address in place of LRS's.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::file_watch;
use crate::lrs::Service;
use crate::schema::CodeList as _;

/// Maximum number of directory levels that are searched for files.
const MAX_DEPTH: usize = 3;

/// An attribute with the address of a service or of another file: `location` and `schemaLocation`.
static LOCATION: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r#"(?P<before>[ \t\r\n](?:location|schemaLocation)[ \t\r\n]*=[ \t\r\n]*)(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)')"#;
    Regex::new(pattern).expect("the pattern is valid")
});

/// The address of a service in a WSDL.
static SERVICE_ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r#"<(?:[A-Za-z0-9_.-]+:)?address[ \t\r\n][^>]*location[ \t\r\n]*=[ \t\r\n]*["']([^"']*)"#;
    Regex::new(pattern).expect("the pattern is valid")
});

/// The files of a directory, by their names.
#[derive(Debug)]
pub struct WsdlFiles {
    files: BTreeMap<String, String>,
    /// The names of the WSDLs that have the address of a service.
    wsdls: Vec<(Service, String)>,
}

impl WsdlFiles {
    /// Reads the files `*.wsdl` and `*.xsd` of a directory and of its subdirectories.
    ///
    /// # Errors
    /// Returns a text that says which file cannot be read, that two files have the same name, or that no WSDL has the address of one of
    /// LRS's services.
    pub fn read(directory: &Path) -> Result<Self, String> {
        let mut files = BTreeMap::new();
        read_directory(directory, MAX_DEPTH, &mut files)?;
        let wsdls: Vec<_> = Service::ALL.iter().filter_map(|service| Some((*service, wsdl_of(*service, &files)?))).collect();
        if wsdls.is_empty() {
            let paths = Service::ALL.iter().map(|service| service.path()).collect::<Vec<_>>().join(", ");
            return Err(format!("{}: no file *.wsdl with the address of one of LRS's services ({paths})", directory.display()));
        }
        Ok(Self { files, wsdls })
    }

    /// Returns the WSDL of a service for clients that reach the simulator at this URL.
    pub fn wsdl(&self, service: Service, base_url: &str) -> Option<String> {
        let (_, name) = self.wsdls.iter().find(|(wsdl_service, _)| *wsdl_service == service)?;
        self.file(name, base_url)
    }

    /// Returns the file that an import names, with or without its extension.
    pub fn imported(&self, name: &str, extension: &str, base_url: &str) -> Option<String> {
        self.file(name, base_url).or_else(|| self.file(&format!("{name}.{extension}"), base_url))
    }

    /// Returns the file with this name, in upper or lower case, for clients that reach the simulator at this URL.
    pub fn file(&self, name: &str, base_url: &str) -> Option<String> {
        let text = &self.files[self.name_of(name)?];
        let replaced = LOCATION.replace_all(text, |attribute: &Captures<'_>| {
            let location = attribute.name("double").or_else(|| attribute.name("single")).map_or("", |location| location.as_str());
            format!("{}\"{}\"", &attribute["before"], self.rewritten(location, base_url))
        });
        Some(replaced.into_owned())
    }

    fn name_of(&self, name: &str) -> Option<&str> {
        self.files.keys().find(|known| known.eq_ignore_ascii_case(name)).map(String::as_str)
    }

    /// Returns where the simulator serves what LRS or a file serves at `location`. Other addresses stay as they are.
    fn rewritten(&self, location: &str, base_url: &str) -> String {
        let base_url = escaped(base_url);
        let (address, query) = location.split_once('?').unwrap_or((location, ""));
        if let Some(service) = service_at(path_of(address)) {
            // The query of an import names a document: `xsd=xsd0`. That of a service address, such as `singleWsdl`, does not belong to it.
            let query = if query.contains('=') { format!("?{query}") } else { String::new() };
            return format!("{base_url}{}{query}", service.path());
        }
        match self.name_of(file_name(address)) {
            Some(name) => format!("{base_url}/{}", escaped(name)),
            None => location.to_owned(),
        }
    }
}

/// Returns the service with this path, in upper or lower case.
pub fn service_at(path: &str) -> Option<Service> {
    Service::ALL.iter().copied().find(|service| service.path().eq_ignore_ascii_case(path))
}

/// Returns the last segment of a path.
pub fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// Returns the path of a URL; empty if the text is not an absolute URL.
fn path_of(url: &str) -> &str {
    let after_scheme = url.split_once("://").map_or("", |(_, rest)| rest);
    after_scheme.find('/').map_or("", |start| &after_scheme[start..])
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

fn wsdl_of(service: Service, files: &BTreeMap<String, String>) -> Option<String> {
    let has_address = |text: &str| {
        let mut addresses = SERVICE_ADDRESS.captures_iter(text);
        addresses.any(|address| service_at(path_of(address[1].split('?').next().unwrap_or_default())) == Some(service))
    };
    files.iter().find(|(name, text)| has_extension(name, "wsdl") && has_address(text)).map(|(name, _)| name.clone())
}

fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

fn read_directory(directory: &Path, depth: usize, files: &mut BTreeMap<String, String>) -> Result<(), String> {
    let failed = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    for entry in std::fs::read_dir(directory).map_err(|error| failed(directory, error))? {
        let path = entry.map_err(|error| failed(directory, error))?.path();
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        if path.is_dir() {
            if depth > 1 {
                read_directory(&path, depth - 1, files)?;
            }
        } else if has_extension(&name, "wsdl") || has_extension(&name, "xsd") {
            let failed = |error: &str| format!("{}: {error}", path.display());
            let content = file_watch::read(&path).map_err(|error| failed(&error))?;
            let text = String::from_utf8(content).map_err(|_| failed("must be UTF-8"))?;
            if files.insert(name.clone(), text).is_some() {
                return Err(format!("{}: another file has the name {name}: give each file its own", path.display()));
            }
        }
    }
    Ok(())
}
