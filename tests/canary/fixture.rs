//! The gateway as a process, with every feature that writes data: log at level `trace`, traces, metrics, audit trail and Redis.

use std::time::Duration;

use lrs_gateway::simulator::SimulatorSettings;
use serde_json::{Value, json};

use super::requests::collect_marked_texts;
use super::{ENCRYPTION_KEY, IDEMPOTENCY_KEY, ISSUER_SECRET, ORGANISATION, PASSWORD, USER};
use crate::support::caller::{Answer, Caller, claims};
use crate::support::fake_server::http;
use crate::support::program::{ConfigDirectory, ServingProgram, TestProgram};
use crate::support::redis::TestRedis;
use crate::support::simulator::settings_for_both_organisations;
use crate::support::{FakeServer, SimulatedLrs};

/// A serving gateway, and the systems that it connects to.
pub struct Fixture {
    pub lrs: SimulatedLrs,
    pub redis: TestRedis,
    /// Receives the traces.
    pub collector: FakeServer,
    pub program: TestProgram,
    pub admin_url: String,
    pub token: String,
    /// Caller of [`post`](Self::post).
    pub caller: Caller,
    /// Marked values that the gateway received.
    pub marked_texts: Vec<String>,
    /// Headers and bodies of the problems that the gateway answered with.
    pub problems: Vec<String>,
    url: String,
    /// The gateway reads its files again while it runs.
    _config: ConfigDirectory,
}

impl Fixture {
    pub fn start() -> Self {
        let (lrs, redis) = (SimulatedLrs::with(&simulator_settings()), TestRedis::persistent());
        lrs.simulator.set_job_duration(Duration::ZERO);
        let config = config(&lrs.url(), &redis.url());
        let collector = FakeServer::with_response(http(200, "application/x-protobuf", b""));
        let variables = [("RUST_LOG", "trace"), ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())];
        let ServingProgram { program, api: url, admin: admin_url } = ServingProgram::with(&config, &variables);
        let claims = claims(json!({"org": null, "realm": {"ukprn": ORGANISATION}, "preferred_username": USER, "azp": "desk"}));
        let token = lrs_gateway::auth::sign_token(ISSUER_SECRET.as_bytes(), claims.as_object().expect("an object")).expect("a token");
        let caller = Caller::new(url.clone()).with_token(&token).with_header("Idempotency-Key", IDEMPOTENCY_KEY);
        let (marked_texts, problems) = (Vec::new(), Vec::new());
        Self { lrs, redis, collector, program, admin_url, token, caller, marked_texts, problems, url, _config: config }
    }

    /// A caller without an idempotency key.
    pub fn caller_without_key(&self) -> Caller {
        Caller::new(self.url.clone()).with_token(&self.token)
    }

    pub async fn post(&mut self, path: &str, body: &Value) -> Answer {
        collect_marked_texts(body, &mut self.marked_texts);
        let answer = self.caller.post(path, body).await;
        self.collect_problem(&answer);
        answer
    }

    pub fn collect_problem(&mut self, answer: &Answer) {
        if answer.status >= 400 {
            self.problems.push(format!("{:?} {}", answer.headers, answer.text));
        }
    }
}

/// Settings of an LRS at which every organisation has every product.
fn simulator_settings() -> SimulatorSettings {
    let mut settings = settings_for_both_organisations();
    for organisation in &mut settings.organisations {
        if organisation.ukprn.as_str() == ORGANISATION {
            organisation.password = PASSWORD.into();
        }
    }
    settings
}

/// Short timeouts, and limits that the test does not reach.
fn config(lrs_url: &str, redis_url: &str) -> ConfigDirectory {
    const LRS: &str = "max_retries = 1\ntimeout_seconds = 1\nbatch_timeout_seconds = 1\ncircuit_breaker = { failure_threshold = 100000 }";
    let directory = ConfigDirectory::new(lrs_url);
    directory.add_lrs_settings(LRS);
    let sections = format!(
        "[store]\nredis_url = \"{redis_url}\"\nencryption_key_file = \"key\"\n[audit]\nkey_file = \"key\"\n\
         [batches]\ninitial_poll_interval_seconds = 1\nmax_poll_interval_seconds = 1\n\
         [limits]\nperson_per_minute = 6000\nperson_burst = 5000\norganisation_per_minute = 6000\norganisation_burst = 5000\n\
         searches_per_minute = 6000\nsearches_burst = 5000\n"
    );
    directory.configure(|config| config + &sections);
    directory.write("key", ENCRYPTION_KEY);
    directory.write("secret", ISSUER_SECRET);
    directory.write(&format!("organisations/{ORGANISATION}.password"), PASSWORD);
    directory.write(
        &format!("organisations/{ORGANISATION}.toml"),
        &format!(
            "ukprn = \"{ORGANISATION}\"\nname = \"A\"\norganisation_ref = \"DEMO01\"\npassword_file = \"{ORGANISATION}.password\"\n\
             products = [\"uln-management\", \"registration-batches\", \"learning-events\", \"verification\", \"verification-batches\", \"retrieve-ulns\", \"achievement-batches\"]\n"
        ),
    );
    directory
}
