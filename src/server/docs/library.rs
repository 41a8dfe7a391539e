//! The files of the repository that are part of the program: pages in Markdown, and the files to which they link.
//!
//! A new page in `docs/` needs a line in [`PAGES`], a file to which a page links a line in [`FILES`]. Tests find what is missing.

use super::page::Section;

/// A file: its path in the repository, and its content.
pub type File = (&'static str, &'static str);

/// Includes files by their paths in the repository.
macro_rules! files {
    ($($path:literal),* $(,)?) => { &[$(($path, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $path)))),*] };
}

/// The pages in Markdown, in the order of the navigation.
#[rustfmt::skip] // One line for each page.
pub const PAGES: &[(Section, &[File])] = &[
    (Section::Start, files![
        "docs/README.md",
        "docs/CLIENTS.md",
    ]),
    (Section::Guides, files![
        "docs/guides/getting-started.md",
        "docs/guides/obtain-a-uln.md",
        "docs/guides/change-a-surname.md",
        "docs/guides/register-a-cohort.md",
        "docs/guides/verify-1000-learners.md",
        "docs/guides/upload-12000-achievements.md",
        "docs/guides/learning-events.md",
        "docs/guides/retry-safely.md",
        "docs/guides/lrs-maintenance.md",
        "docs/guides/generate-a-client.md",
        "docs/guides/rehearse-faults.md",
        "docs/guides/identity-providers.md",
        "docs/guides/behind-a-proxy.md",
    ]),
    (Section::Reference, files![
        "docs/AUTHENTICATION.md",
        "docs/BATCHES.md",
        "docs/IDEMPOTENCY.md",
        "docs/VERSIONING.md",
        "CHANGELOG.md",
    ]),
    (Section::LookUp, files![
        "docs/PROBLEMS.md",
        "docs/LRS-CODES.md",
        "docs/LRS-FAILURES.md",
        "docs/FIELD-MAPPING.md",
        "docs/LIMITS.md",
        "docs/SANDBOX.md",
        "docs/SETTINGS.md",
        "docs/COMMANDS.md",
        "docs/METRICS.md",
        "docs/ALERTS.md",
    ]),
    (Section::Operations, files![
        "docs/DEPLOYMENT.md",
        "docs/OPERATIONS.md",
        "docs/SERVER.md",
        "docs/TLS.md",
        "docs/CAPACITY.md",
        "docs/PERFORMANCE.md",
        "docs/LOGGING.md",
        "docs/AUDIT.md",
        "docs/SIMULATOR.md",
    ]),
    (Section::Background, files![
        "docs/LRS-DOCUMENTS.md",
        "docs/LRS-CONTRACT.md",
        "docs/ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
    ]),
];

/// The files to which pages link, served as text below `/docs/files/`.
#[rustfmt::skip] // One line for each file.
pub const FILES: &[File] = files![
    "compose.yaml",
    "deny.toml",
    "examples/clients/README.md",
    "examples/clients/csharp-nswag/Client.cs",
    "examples/clients/csharp/Client.cs",
    "examples/clients/go/client.go",
    "examples/clients/java/Client.java",
    "examples/clients/kotlin/Client.kt",
    "examples/clients/php/client.php",
    "examples/clients/python-openapi-generator/client.py",
    "examples/clients/python-openapi-python-client/client.py",
    "examples/clients/python-openapi-python-client/config.yaml",
    "examples/clients/ruby/client.rb",
    "examples/clients/rust/Cargo.toml",
    "examples/clients/rust/client.rs",
    "examples/clients/typescript-hey-api/client.ts",
    "examples/clients/typescript-openapi-fetch/client.ts",
    "examples/collections/README.md",
    "examples/collections/postman/lrs-gateway.postman_collection.json",
    "examples/deployment/agent/gateway.toml",
    "examples/deployment/client-site/gateway.toml",
    "examples/deployment/internet/gateway.toml",
    "examples/gateway.toml",
    "examples/identity-providers/keycloak.toml",
    "examples/identity-providers/microsoft-entra.toml",
    "examples/organisations/10012345.toml",
    "examples/scenario.toml",
    "examples/simulator.toml",
    "helm/lrs-gateway/ci/openshift-values.yaml",
    "helm/lrs-gateway/files/alerts.yaml",
    "helm/lrs-gateway/files/dashboard.json",
    "helm/lrs-gateway/values.yaml",
];

/// Files that the gateway serves at other paths, relative to `/docs/`.
const ELSEWHERE: [(&str, &str); 5] = [
    ("README.md", ""),
    // The page above the pages of the single problems.
    ("docs/PROBLEMS.md", "problems/"),
    ("openapi/openapi.json", "../openapi.json"),
    ("openapi/openapi-3.0.json", "../openapi-3.0.json"),
    ("openapi", "../openapi.json"),
];

/// Path of the page that lists the files, below `/docs/`.
pub const FILE_LIST: &str = "files/";

/// Returns the path below `/docs/` of a page in Markdown: `docs/LRS-CODES.md` is `lrs-codes`.
pub fn page_path(file: &str) -> String {
    if let Some((_, path)) = ELSEWHERE.iter().find(|(known, _)| *known == file) {
        return (*path).to_owned();
    }
    let path = file.strip_prefix("docs/").unwrap_or(file).to_lowercase();
    let path = path.strip_suffix(".md").unwrap_or(&path);
    path.strip_suffix("readme").unwrap_or(path).to_owned()
}

/// Returns the title of a page in Markdown.
pub fn title(file: &str) -> Option<&'static str> {
    let (_, text) = PAGES.iter().flat_map(|(_, pages)| *pages).find(|(page, _)| *page == file)?;
    text.lines().next()?.strip_prefix("# ")
}

/// Returns the path below `/docs/` of a file or directory of the repository; `None` if the program does not have it.
pub fn path_of(file: &str) -> Option<String> {
    let is_page = PAGES.iter().any(|(_, pages)| pages.iter().any(|(page, _)| *page == file));
    if is_page || ELSEWHERE.iter().any(|(known, _)| *known == file) {
        return Some(page_path(file));
    }
    if FILES.iter().any(|(known, _)| *known == file) {
        return Some(format!("{FILE_LIST}{file}"));
    }
    let is_directory = FILES.iter().any(|(known, _)| known.strip_prefix(file).is_some_and(|rest| rest.starts_with('/')));
    is_directory.then(|| format!("{FILE_LIST}#{}", directory_id(file)))
}

/// Returns the fragment of a directory in the list of files.
pub fn directory_id(directory: &str) -> String {
    directory.replace('/', "-")
}
