//! The collections for Postman and Bruno are those of the OpenAPI document.

use std::process::Command;

use super::path;

#[test]
fn collections_are_those_of_the_openapi_document() {
    let check = Command::new("python3").arg("-B").arg(path("examples/collections/make.py")).arg("--check").output();
    let check = check.expect("python3 (`make tools` installs it)");
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
}
