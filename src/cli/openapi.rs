//! `openapi`: the OpenAPI document.

use std::path::Path;

use crate::cli::command::CommandResult;
use crate::server::openapi::{document_3_0, document_3_1};

/// Directory of the committed documents.
const DIRECTORY: &str = "openapi";

/// Prints the document, as OpenAPI 3.0 or 3.1.
pub fn print(v3_0: bool) {
    print!("{}", if v3_0 { document_3_0() } else { document_3_1() });
}

/// Checks that the committed documents match the code.
pub fn check() -> CommandResult {
    let documents = [("openapi.json", document_3_1()), ("openapi-3.0.json", document_3_0())];
    let difference = |(name, expected): &(&str, String)| {
        let path = Path::new(DIRECTORY).join(name);
        let matches = std::fs::read_to_string(&path).is_ok_and(|text| text == *expected);
        (!matches).then(|| format!("{} differs from the code. Run `make openapi` and commit the result", path.display()))
    };
    let errors: Vec<String> = documents.iter().filter_map(difference).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}
