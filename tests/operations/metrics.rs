//! Metrics: the values after some calls, and the documents that name metrics.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{FIND, admin, ana, caller, change_organisation_file, config_with, redis_section};
use crate::support::SimulatedLrs;
use crate::support::batches::{full_registration, learners};
use crate::support::certificates::CertificateAuthority;
use crate::support::identity_provider::{IdentityProvider, SigningKey};
use crate::support::program::{ConfigDirectory, ServingProgram};
use crate::support::redis::TestRedis;

const NO_UNFINISHED_BATCH: &str = "lrs_gateway_batches_unfinished 0";

async fn read_metrics(gateway: &ServingProgram) -> String {
    let answer = admin(gateway).request("GET", "/metrics").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/plain; version=0.0.4; charset=utf-8"));
    answer.text
}

/// Returns the names of metrics that occur in a text. The suffixes of histograms are removed.
fn metric_names(text: &str) -> BTreeSet<String> {
    const HISTOGRAM_SUFFIX: &str = "_duration_seconds";
    let words = text.split(|letter: char| !letter.is_ascii_lowercase() && letter != '_');
    let without_suffix = |word: &str| {
        let histogram = word.split_once(HISTOGRAM_SUFFIX).map(|(base, _)| format!("{base}{HISTOGRAM_SUFFIX}"));
        histogram.unwrap_or_else(|| word.to_owned())
    };
    words.filter(|word| word.starts_with("lrs_gateway_")).map(without_suffix).collect()
}

/// Returns a configuration with which every metric exists: Redis, an issuer with a JWKS, a client certificate, low rate limits.
fn config_with_every_metric(lrs: &SimulatedLrs, redis: &TestRedis, identity_provider: &IdentityProvider) -> ConfigDirectory {
    let sections = "[batches]\ninitial_poll_interval_seconds = 1\n[limits]\nperson_burst = 4\nperson_per_minute = 1\n";
    let config = config_with(&lrs.url(), &format!("{}{sections}", redis_section(redis)));
    let issuer = format!(
        "[[auth.issuers]]\nissuer = \"https://other.example/\"\naudience = \"x\"\nalgorithms = [\"ES256\"]\njwks_url = \"{}\"\n[lrs]",
        identity_provider.url()
    );
    config.configure(|text| text.replacen("[lrs]", &issuer, 1));
    let [certificate, key] = CertificateAuthority::new().certify("college");
    config.write("organisations/a.pem", &certificate);
    config.write("organisations/a.key", &key);
    change_organisation_file(&config, |text| text + "client_certificate = { certificate_file = \"a.pem\", key_file = \"a.key\" }\n");
    config
}

/// Makes a valid call, an invalid one, a batch, and calls until the person's rate limit is reached. Returns the metrics when the batch is
/// complete.
async fn metrics_after_calls(gateway: &ServingProgram) -> String {
    let caller = caller(&gateway.api);
    caller.post(FIND, &ana()).await.expect_success();
    caller.post(FIND, &json!({"uln": "1"})).await.problem(422, "validation_failed");
    let mut batch = full_registration(&learners(1));
    batch["jobType"] = json!("CHECK");
    assert_eq!(caller.post("/v1/registration-batches", &batch).await.status, 202);
    // How many calls are left depends on Redis: a slow one is replaced by the local count for a moment.
    while caller.request("GET", "/v1/lrs/status").await.status == 200 {}

    let started_at = Instant::now();
    loop {
        let metrics = read_metrics(gateway).await;
        // The gauge is set a moment after the batch is complete.
        if metrics.contains("status=\"complete\"") && metrics.lines().any(|line| line == NO_UNFINISHED_BATCH) {
            return metrics;
        }
        assert!(started_at.elapsed() < Duration::from_secs(10), "timed out waiting for the batch to complete: {metrics}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn assert_values(metrics: &str) {
    for line in [
        "lrs_gateway_requests_total{operation=\"findLearnerByUln\",status=\"200\"} 1",
        "lrs_gateway_requests_total{operation=\"findLearnerByUln\",status=\"422\"} 1",
        "lrs_gateway_lrs_calls_total{operation=\"learnerByULN\",outcome=\"ANSWERED\",status=\"200\"} 1",
        "lrs_gateway_lrs_call_duration_seconds_count{operation=\"learnerByULN\"} 1",
        "lrs_gateway_limited_total{limit=\"person\"} 1",
        "lrs_gateway_batch_parts_total{kind=\"registration\",state=\"complete\"} 1",
        "lrs_gateway_batch_duration_seconds_bucket{kind=\"registration\",status=\"complete\",le=\"60\"} 1",
        NO_UNFINISHED_BATCH,
        "lrs_gateway_certificate_expiry_timestamp_seconds{organisation=\"10088881\"} 4070908800",
        "lrs_gateway_lrs_service_state{service=\"learner\"} 0",
        "lrs_gateway_audit_waiting 0",
        "lrs_gateway_lrs_calls_in_flight 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}: {metrics}");
    }
}

fn assert_documents_name_existing_metrics(metrics: &str) {
    let names_in_file = |file: &str| {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect(file);
        metric_names(&text)
    };
    // `lrs_responses/irregular.rs` shows that these exist after an irregular response.
    let after_irregular_responses =
        ["replaced_characters", "lost_values", "unknown_elements"].map(|name| format!("lrs_gateway_lrs_{name}_total"));
    let existing = metric_names(metrics).into_iter().chain(after_irregular_responses).collect();
    assert_eq!(existing, names_in_file("docs/METRICS.md"), "docs/METRICS.md names every metric");
    for file in ["helm/lrs-gateway/files/alerts.yaml", "helm/lrs-gateway/files/dashboard.json", "docs/OPERATIONS.md"] {
        let used = names_in_file(file);
        assert!(!used.is_empty() && used.is_subset(&existing), "{file}: {:?}", used.difference(&existing));
    }
}

fn assert_no_personal_data(metrics: &str) {
    for text in ["3000000126", "O'Neill", "j.bloggs"] {
        assert!(!metrics.contains(text), "{text}");
    }
}

/// One test with three groups of assertions, because the processes and the batch take seconds.
#[tokio::test]
async fn metrics_after_calls_have_values_are_documented_and_contain_no_personal_data() {
    let (lrs, redis) = (SimulatedLrs::start(), TestRedis::start());
    lrs.simulator.set_job_duration(Duration::ZERO);
    let identity_provider = IdentityProvider::publishing(&[&SigningKey::new("one")]);
    let gateway = ServingProgram::start(&config_with_every_metric(&lrs, &redis, &identity_provider));
    let metrics = metrics_after_calls(&gateway).await;
    assert_values(&metrics);
    assert_documents_name_existing_metrics(&metrics);
    assert_no_personal_data(&metrics);
}
