//! The tables of the page about capacity are those of the capacity model, with its measured constants.

use std::process::Command;

use serde_json::{Map, Value};

use super::{assert_generated, path};

#[test]
fn capacity_page_has_the_tables_of_the_model() {
    // Python would leave compiled files in the repository.
    let page = Command::new("python3").arg("-B").arg(path("benches/capacity/page.py")).arg("--json").output();
    let page = page.expect("python3 (`make tools` installs it)");
    assert!(page.status.success(), "{}", String::from_utf8_lossy(&page.stderr));
    let tables: Map<String, Value> = serde_json::from_slice(&page.stdout).expect("an object of tables");
    assert!(!tables.is_empty());
    for (marker, table) in &tables {
        assert_generated("docs/CAPACITY.md", marker, table.as_str().expect("a text"));
    }
}
