//! The gateway as a process that operators run: readiness, graceful shutdown and metrics.

mod log;
mod metrics;
mod readiness;
mod shutdown;
mod signals;

use serde_json::{Value, json};

use crate::support::caller::Caller;
use crate::support::program::{ConfigDirectory, ServingProgram, caller_of};
use crate::support::redis::TestRedis;

const UKPRN: &str = "10088881";
const FIND: &str = "/v1/learners/find-by-uln";
/// Rate limits that no test reaches.
const UNLIMITED: &str = "[limits]\norganisation_per_minute = 6000000\norganisation_burst = 100000\nperson_per_minute = 6000000\n\
    person_burst = 100000\nsearches_per_minute = 6000000\nsearches_burst = 100000\n";

/// Returns a search for Ana, a sample learner of the simulator.
fn ana() -> Value {
    json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"})
}

fn caller(url: &str) -> Caller {
    caller_of(url, UKPRN)
}

/// Returns a caller of the admin listener.
fn admin(gateway: &ServingProgram) -> Caller {
    Caller::new(gateway.admin.clone())
}

/// Returns the HTTP status of readiness: 200 or 503.
async fn readiness_status(gateway: &ServingProgram) -> u16 {
    admin(gateway).request("GET", "/health/ready").await.status
}

/// Returns a configuration with these additional sections, for an organisation that also has the product of registration batches.
fn config_with(lrs_url: &str, sections: &str) -> ConfigDirectory {
    let config = ConfigDirectory::new(lrs_url);
    config.configure(|text| text + sections);
    config.write("key", &"01".repeat(32));
    change_organisation_file(&config, |text| text.replace("[\"uln", "[\"registration-batches\", \"uln"));
    config
}

/// Changes the file of the organisation.
fn change_organisation_file(config: &ConfigDirectory, change: impl FnOnce(String) -> String) {
    let file = format!("organisations/{UKPRN}.toml");
    let text = std::fs::read_to_string(config.path(&file)).expect("the file exists");
    config.write(&file, &change(text));
}

/// Returns the section `[store]` for this Redis.
fn redis_section(redis: &TestRedis) -> String {
    format!("[store]\nredis_url = \"{}\"\nencryption_key_file = \"key\"\n", redis.url())
}
