//! The budget for request bodies, the size limits of bodies, the chart's memory limit and the pages agree.

use lrs_gateway::api::batches::{achievement, registration, verification};
use lrs_gateway::app::request_memory::{DEFAULT_REQUEST_MEMORY_MIB, RequestMemory, SMALL_BODIES_RESERVE_BYTES, SMALL_BODY_BYTES};
use lrs_gateway::server::connection_limits::{ConnectionLimits, SEND_BUFFER_BYTES};
use regex::Regex;
use serde_json::Value;

use super::page;
use crate::server::hostile_clients::MAX_KIB_PER_CONNECTION;

const MIB: usize = 1024 * 1024;
/// Memory of a process without request bodies, with room for answers and calls to LRS, in MiB.
const BASE_MIB: usize = 128;
/// Measured peak of memory for each byte of a body, in percent (docs/PERFORMANCE.md).
const PERCENT_OF_BODY: usize = 250;

/// Memory of a connection whose client does not read its answers, in the process and in the system's send buffer, in KiB.
const CONNECTION_KIB: usize = MAX_KIB_PER_CONNECTION + 2 * SEND_BUFFER_BYTES / 1024;

/// The memory that a container needs with these settings, in MiB.
const fn needed_mib(budget_mib: usize, max_connections: usize) -> usize {
    let bodies = (budget_mib + SMALL_BODIES_RESERVE_BYTES / MIB) * PERCENT_OF_BODY / 100;
    BASE_MIB + bodies + max_connections * CONNECTION_KIB / 1024
}

#[test]
fn request_memory_fits_the_largest_body_and_the_charts_limit() {
    let largest = [achievement::MAX_BYTES, registration::MAX_BYTES, verification::MAX_BYTES].into_iter().max();
    assert_eq!(Some(RequestMemory::default().max_body_bytes()), largest, "the largest body needs the share of one organisation");
    let values = page("helm/lrs-gateway/values.yaml");
    let limit = Regex::new(r"(?m)^resources:\n.*\n  limits: \{memory: (\d+)Gi\}").expect("a pattern").captures(&values);
    let limit: usize = limit.expect("the limit of the gateway's container")[1].parse().expect("a number");
    let needed = needed_mib(DEFAULT_REQUEST_MEMORY_MIB, ConnectionLimits::default().max_connections);
    assert!(needed <= limit * 1024, "{needed} MiB");
}

#[test]
fn pages_state_the_request_memory_and_the_formula() {
    let (reserve_mib, max_connections) = (SMALL_BODIES_RESERVE_BYTES / MIB, ConnectionLimits::default().max_connections);
    let formula = format!(
        "{BASE_MIB} MiB + 2.5 × (`server.max_request_memory_mib` + {reserve_mib}) MiB + {CONNECTION_KIB} KiB × `server.max_connections`"
    );
    let needed = needed_mib(DEFAULT_REQUEST_MEMORY_MIB, max_connections);
    let example = format!("{needed} MiB with the defaults of {DEFAULT_REQUEST_MEMORY_MIB} and {max_connections}");
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
