//! The budget for request bodies, the size limits of bodies, the chart's memory limit and the pages agree.

use lrs_gateway::api::batches::{achievement, registration, verification};
use lrs_gateway::app::request_memory::{DEFAULT_REQUEST_MEMORY_MIB, RequestMemory, SMALL_BODIES_RESERVE_BYTES, SMALL_BODY_BYTES};
use regex::Regex;
use serde_json::Value;

use super::page;

const MIB: usize = 1024 * 1024;
/// Memory of a process without request bodies, with room for answers and calls to LRS, in MiB.
const BASE_MIB: usize = 128;
/// Measured peak of memory for each byte of a body, in percent (docs/PERFORMANCE.md).
const PERCENT_OF_BODY: usize = 250;

/// The memory that a process needs with this budget, in MiB.
const fn needed_mib(budget_mib: usize) -> usize {
    BASE_MIB + (budget_mib + SMALL_BODIES_RESERVE_BYTES / MIB) * PERCENT_OF_BODY / 100
}

#[test]
fn request_memory_fits_the_largest_body_and_the_charts_limit() {
    let largest = [achievement::MAX_BYTES, registration::MAX_BYTES, verification::MAX_BYTES].into_iter().max();
    assert_eq!(Some(RequestMemory::default().max_body_bytes()), largest, "the largest body needs the share of one organisation");
    let values = page("helm/lrs-gateway/values.yaml");
    let limit = Regex::new(r"(?m)^resources:\n.*\n  limits: \{memory: (\d+)Mi\}").expect("a pattern").captures(&values);
    let limit: usize = limit.expect("the limit of the gateway's container")[1].parse().expect("a number");
    assert!(needed_mib(DEFAULT_REQUEST_MEMORY_MIB) <= limit, "{} MiB", needed_mib(DEFAULT_REQUEST_MEMORY_MIB));
}

#[test]
fn pages_state_the_request_memory_and_the_formula() {
    let formula = format!("{BASE_MIB} MiB + 2.5 × (`server.max_request_memory_mib` + {}) MiB", SMALL_BODIES_RESERVE_BYTES / MIB);
    let example = format!("{} MiB with the default of {DEFAULT_REQUEST_MEMORY_MIB}", needed_mib(DEFAULT_REQUEST_MEMORY_MIB));
    for name in ["docs/SERVER.md", "docs/PERFORMANCE.md", "helm/lrs-gateway/values.yaml"] {
        let text = page(name).replace("\n# ", " ").replace('\n', " ");
        assert!(text.contains(&formula) && text.contains(&example), "{name} has {formula:?} and {example:?}");
    }
    let small = format!("{} KiB", SMALL_BODY_BYTES / 1024);
    assert!(page("docs/SERVER.md").contains(&format!("bodies up to {small}")), "{small}");
    let schema: Value = serde_json::from_str(&page("helm/lrs-gateway/values.schema.json")).expect("JSON");
    let setting = &schema["properties"]["config"]["properties"]["server"]["properties"]["max_request_memory_mib"];
    assert_eq!((&setting["minimum"], &setting["maximum"]), (&Value::from(2), &Value::from(65_536)));
    let settings = page("docs/SETTINGS.md");
    assert!(settings.contains(&format!("| `max_request_memory_mib` | `{DEFAULT_REQUEST_MEMORY_MIB}` |")), "the default in SETTINGS.md");
}
