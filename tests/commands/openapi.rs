//! `openapi`: prints the OpenAPI documents, and checks that the committed ones are up to date.

use std::path::Path;
use std::process::Output;

use crate::support::program::{program, run, stderr};

const DOCUMENTS: [(Option<&str>, &str); 2] = [(None, "openapi.json"), (Some("--v3.0"), "openapi-3.0.json")];

/// The directory of the committed documents.
fn committed_documents() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi")
}

/// Runs `openapi --check` in this directory.
fn check(directory: &Path) -> Output {
    program(&["openapi", "--check"], &[]).current_dir(directory).output().expect("the program runs")
}

#[test]
fn openapi_check_accepts_the_committed_documents() {
    let output = check(Path::new(env!("CARGO_MANIFEST_DIR")));
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn openapi_prints_the_committed_documents() {
    for (option, file) in DOCUMENTS {
        let printed = run(&["openapi"].into_iter().chain(option).collect::<Vec<_>>());
        let committed = std::fs::read(committed_documents().join(file)).expect(file);
        assert!(printed.stdout == committed, "openapi/{file} differs from the code: run `make openapi`");
    }
}

#[test]
fn openapi_check_rejects_a_changed_document() {
    let copy = tempfile::tempdir().expect("a directory");
    let directory = copy.path().join("openapi");
    std::fs::create_dir(&directory).expect("the directory is created");
    for (_, file) in DOCUMENTS {
        std::fs::copy(committed_documents().join(file), directory.join(file)).expect(file);
    }
    let changed = directory.join("openapi.json");
    let text = std::fs::read_to_string(&changed).expect("the document");
    std::fs::write(&changed, text.replacen("ULN", "UNL", 1)).expect("the document is written");
    let output = check(copy.path());
    assert!(!output.status.success() && stderr(&output).contains("openapi.json differs"), "{}", stderr(&output));
}
