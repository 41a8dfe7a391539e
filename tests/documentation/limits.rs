//! The page of limits: its values are those of the settings, of the OpenAPI document, and of the constants in the source.

use std::fmt::Write as _;

use lrs_gateway::config::ConfigFile;
use lrs_gateway::schema::{SettingDescription, SettingValues};
use regex::Regex;
use serde_json::Value;

use super::settings::settings_of;
use super::{assert_generated, page};
use crate::support::fields::{DOCUMENT, operation, schema};

const PAGE: &str = "docs/LIMITS.md";

/// Where the value of a limit comes from.
enum Source {
    /// The path of a setting.
    Setting(&'static str),
    /// A file below `src/`, and the name of a number in it: a constant, or a field of a default.
    Bytes(&'static str, &'static str),
    Number(&'static str, &'static str),
    Seconds(&'static str, &'static str),
    /// A place in the OpenAPI document; or an operation and a list in its request.
    Documented(&'static str),
}
use Source::{Bytes, Documented, Number, Seconds, Setting};

/// A row: what is limited, its value, and what happens beyond it.
type Row = (&'static str, Source, &'static str);

const REQUESTS: [Row; 19] = [
    ("address and headers of a request", Bytes("server/middleware/head_limit.rs", "MAX_HEAD_BYTES"), "431 `headers_too_large`"),
    ("body of a single call", Bytes("app/request_memory.rs", "SMALL_BODY_BYTES"), "413 `body_too_large`"),
    ("body of a registration batch", Bytes("api/batches/registration.rs", "MAX_BYTES"), "413 `body_too_large`"),
    ("body of a verification batch", Bytes("api/batches/verification.rs", "MAX_BYTES"), "413 `body_too_large`"),
    ("body of an achievement batch", Bytes("api/batches/achievement.rs", "MAX_BYTES"), "413 `body_too_large`"),
    (
        "memory for all bodies at the same time; half of it for one organisation, and for one body",
        Setting("server.max_request_memory_mib"),
        "503 `request_memory_full`; 413 `body_too_large` for one body",
    ),
    ("time for a body to arrive", Seconds("api/extract/body/transfer.rs", "BASE_TRANSFER_TIME"), "400 `malformed_request`"),
    ("more time for a large body: bytes for each further second", Bytes("api/extract/body/transfer.rs", "MIN_BYTES_PER_SECOND"), ""),
    ("depth of nested XML in a response of LRS", Number("xml/error.rs", "MAX_DEPTH"), "502 `lrs_bad_response`"),
    (
        "field errors in a problem",
        Number("schema/deserialize/context.rs", "MAX_LISTED_ERRORS"),
        "an entry `too_many_mistakes` states the number",
    ),
    (
        "warnings of each code in an answer",
        Number("schema/warnings.rs", "MAX_LISTED_WARNINGS"),
        "an entry without a pointer states the number",
    ),
    (
        "wait with `Prefer: wait`",
        Seconds("api/extract/prefer.rs", "MAX_WAIT_SECONDS"),
        "the answer comes then, with the state of the batch",
    ),
    ("length of an `Idempotency-Key`", Number("api/extract/idempotency.rs", "MAX_KEY_LENGTH"), "400 `malformed_request`"),
    ("time for which a key is stored", Seconds("idempotency.rs", "KEY_LIFETIME"), "the request is executed again"),
    (
        "length of an `X-Request-Id` of your own",
        Number("server/middleware/request_id.rs", "MAX_LENGTH"),
        "the gateway uses an id of its own",
    ),
    ("ULNs in one call of `retrieveUlns`", Documented("retrieveUlns ulns"), "422 `validation_failed`"),
    ("rejected candidates of `obtainUln`", Documented("obtainUln rejectedCandidates"), "422 `validation_failed`"),
    ("batches on a page of a list", Documented("/components/parameters/batchLimit/schema/maximum"), "400 `malformed_request`"),
    ("results on a page", Documented("/components/parameters/resultLimit/schema/maximum"), "400 `malformed_request`"),
];

const RATES: [Row; 6] = [
    ("calls of an organisation, per minute", Setting("limits.organisation_per_minute"), "429 `rate_limited`"),
    ("calls of an organisation, at once", Setting("limits.organisation_burst"), "429 `rate_limited`"),
    ("calls of a person, per minute", Setting("limits.person_per_minute"), "429 `rate_limited`"),
    ("calls of a person, at once", Setting("limits.person_burst"), "429 `rate_limited`"),
    ("searches by demographics of a person, per minute", Setting("limits.searches_per_minute"), "429 `rate_limited`"),
    ("searches by demographics of a person, at once", Setting("limits.searches_burst"), "429 `rate_limited`"),
];

const BATCHES: [Row; 13] = [
    ("learners in a batch", Setting("batches.max_learners"), "422 `validation_failed`"),
    ("achievements in a batch", Setting("batches.max_achievements"), "422 `validation_failed`"),
    (
        "learners in a job of LRS",
        Number("lrs/services/learner/registration_batch.rs", "MAX_LEARNERS_PER_JOB"),
        "the gateway makes another part",
    ),
    ("achievements in a job of LRS", Number("lrs/services/external.rs", "MAX_ACHIEVEMENTS_PER_JOB"), "the gateway makes another part"),
    (
        "time for which a part may wait to be sent",
        Setting("batches.submission_timeout_seconds"),
        "the part is `FAILED`, and can be resubmitted",
    ),
    ("time from sending a part to LRS's results", Setting("batches.result_timeout_seconds"), "the part is `FAILED` with `TIMED_OUT`"),
    ("time for which results are kept", Setting("batches.retention_seconds"), "404 `batch_not_found`"),
    ("time before the first poll of a job", Setting("batches.initial_poll_interval_seconds"), ""),
    ("time between two polls of a job", Setting("batches.max_poll_interval_seconds"), ""),
    ("wait before a lost registration is reconciled", Setting("batches.reconciliation_delay_seconds"), ""),
    ("parts in progress in a replica", Setting("batches.max_concurrent_parts"), "other parts wait"),
    ("parts in progress of an organisation", Setting("batches.max_concurrent_parts_per_organisation"), "other parts wait"),
    ("time until another replica takes over", Setting("batches.lease_seconds"), ""),
];

const CALLS: [Row; 12] = [
    ("single call, with its wait and its retries", Setting("lrs.timeout_seconds"), "504 `lrs_timeout`"),
    ("call with a part of a batch", Setting("lrs.batch_timeout_seconds"), "the part is reconciled, sent again, or awaits a decision"),
    ("connecting to LRS", Setting("lrs.connect_timeout_seconds"), "503 `lrs_unavailable`"),
    ("concurrent calls of a process", Setting("lrs.max_concurrent_calls"), "further calls wait in the queue"),
    ("concurrent calls of an organisation", Setting("lrs.max_concurrent_calls_per_organisation"), "further calls wait in the queue"),
    ("calls in the queue", Setting("lrs.queue_capacity"), "503 `lrs_queue_full`"),
    ("wait in the queue", Setting("lrs.queue_timeout_ms"), "503 `lrs_queue_full`"),
    ("size of a response", Setting("lrs.max_response_bytes"), "502 `lrs_bad_response`"),
    ("retries of a call that reads", Setting("lrs.max_retries"), "the problem of the last attempt"),
    ("failures that open the circuit breaker", Setting("lrs.circuit_breaker.failure_threshold"), "503 `lrs_unavailable` at once"),
    ("time between two probes", Setting("lrs.circuit_breaker.probe_interval_ms"), ""),
    ("longest `Retry-After` that is taken over from LRS", Seconds("lrs/retry_after.rs", "MAX_RETRY_AFTER"), "a shorter one is stated"),
];

const FILES: [Row; 8] = [
    ("size of a token", Bytes("auth/verifier.rs", "MAX_TOKEN_BYTES"), "401 `invalid_token`"),
    ("difference between clocks, for `exp` and `nbf`", Seconds("auth/issuer.rs", "LEEWAY_SECONDS"), "401 `invalid_token`"),
    ("size of a key set (JWKS)", Bytes("auth/jwks.rs", "MAX_JWKS_BYTES"), "the keys fetched before stay in use"),
    ("keys in a key set", Number("auth/jwk.rs", "MAX_KEYS"), "the keys fetched before stay in use"),
    ("length of a shared secret, at least, in bytes", Number("auth/key.rs", "MIN_SECRET_BYTES"), "an error of the configuration"),
    ("length of an encryption key, in bytes", Number("storage/encryption.rs", "KEY_BYTES"), "an error of the configuration"),
    ("size of a file that the configuration names", Bytes("file_watch/read.rs", "BYTES_PER_MEBIBYTE"), "an error of the configuration"),
    ("time for a changed file to take effect", Seconds("file_watch/mod.rs", "POLL_INTERVAL"), "at once after SIGHUP"),
];

const RECORDS: [Row; 5] = [
    ("audit lines that wait to be written", Number("lrs/audit.rs", "MAX_QUEUED_LINES"), "503 `audit_unavailable`: no more calls to LRS"),
    ("bytes of audit lines that wait", Bytes("lrs/audit.rs", "MAX_QUEUED_BYTES"), "the same"),
    (
        "log lines that wait to be written",
        Number("observability/log_writer.rs", "MAX_WAITING_LINES"),
        "further lines are dropped and counted",
    ),
    ("bytes of log lines that wait", Bytes("observability/log_writer.rs", "MAX_WAITING_BYTES"), "the same"),
    (
        "time for which removed organisations stay",
        Seconds("organisations/disappearance.rs", "DISAPPEARANCE_GRACE"),
        "after most files disappeared together",
    ),
];

/// Returns the default of a setting, with the unit that its name has.
fn setting(path: &str) -> String {
    fn find(settings: Vec<SettingDescription>, path: &str) -> Option<String> {
        let (first, rest) = path.split_once('.').unwrap_or((path, ""));
        let setting = settings.into_iter().find(|setting| setting.name == first)?;
        match setting.values {
            SettingValues::Section(settings) => find(settings, rest),
            _ => Some(setting.default),
        }
    }
    let default = find(settings_of::<ConfigFile>(), path).unwrap_or_else(|| panic!("no setting {path}"));
    let number = default.trim_matches('`').parse().unwrap_or_else(|_| panic!("{path}: {default} is no number"));
    match path.rsplit('_').next() {
        Some("seconds") => seconds(number),
        Some("ms") => format!("{} ms", grouped(number)),
        Some("mib") => format!("{number} MiB"),
        Some("bytes") => bytes(number),
        _ => grouped(number),
    }
}

/// Returns the value of a constant in a source file: a product of numbers, or a duration in seconds.
fn constant(file: &str, name: &str) -> u64 {
    let source = page(&format!("src/{file}"));
    let pattern = Regex::new(&format!(r"const {name}: \w+ = (?:Duration::from_secs\()?([0-9_ *]+|[A-Z_]+)\)?;")).expect("a pattern");
    let found = pattern.captures(&source).unwrap_or_else(|| panic!("{file}: no constant {name}"));
    found[1].replace('_', "").split('*').map(|factor| factor.trim().parse::<u64>().expect("a number")).product()
}

fn documented(place: &str) -> u64 {
    let value = if let Some((id, field)) = place.split_once(' ') {
        &schema_of_field(schema(operation(id), "/requestBody"), field)["maxItems"]
    } else {
        DOCUMENT.pointer(place).unwrap_or_else(|| panic!("{place}"))
    };
    value.as_u64().unwrap_or_else(|| panic!("{place}: {value}"))
}

/// Follows references.
fn resolved(schema: &Value) -> &Value {
    schema["$ref"].as_str().map_or(schema, |name| resolved(DOCUMENT.pointer(name.trim_start_matches('#')).expect(name)))
}

fn schema_of_field<'s>(schema: &'s Value, field: &str) -> &'s Value {
    resolved(&resolved(schema)["properties"][field])
}

/// Returns a number with commas between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).expect("digits")).collect();
    groups.join(",")
}

fn bytes(number: u64) -> String {
    const KIB: u64 = 1024;
    if number >= KIB * KIB && number.is_multiple_of(KIB * KIB) {
        format!("{} MiB", number / KIB / KIB)
    } else {
        format!("{} KiB", number / KIB)
    }
}

fn seconds(number: u64) -> String {
    const UNITS: [(u64, &str); 2] = [(24 * 3600, "days"), (3600, "h")];
    let unit = UNITS.iter().find(|(length, _)| number > *length && number.is_multiple_of(*length));
    unit.map_or_else(|| format!("{number} s"), |(length, unit)| format!("{} {unit}", number / length))
}

fn assert_table(marker: &str, rows: &[Row]) {
    let mut table = String::from("\n| limit | value | setting | beyond it |\n|---|---|---|---|\n");
    for (what, source, beyond) in rows {
        let (value, name) = match source {
            Setting(path) => (setting(path), format!("`{path}`")),
            Bytes(file, name) => (bytes(constant(file, name)), String::new()),
            Number(file, name) => (grouped(constant(file, name)), String::new()),
            Seconds(file, name) => (seconds(constant(file, name)), String::new()),
            Documented(place) => (grouped(documented(place)), String::new()),
        };
        writeln!(table, "| {what} | {value} | {name} | {beyond} |").expect("text");
    }
    assert_generated(PAGE, marker, &format!("{table}\n"));
}

#[test]
fn limits_page_has_the_values_of_the_program() {
    assert_table("requests", &REQUESTS);
    assert_table("rates", &RATES);
    assert_table("batches", &BATCHES);
    assert_table("calls", &CALLS);
    assert_table("files", &FILES);
    assert_table("records", &RECORDS);
}

/// Returns the table of the fields of an object.
fn field_table(object: &Value) -> String {
    let object = resolved(object);
    let required: Vec<&str> = object["required"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    let mut table = String::from("\n| field | required | values |\n|---|---|---|\n");
    for (name, schema) in object["properties"].as_object().expect("properties") {
        let is_required = if required.contains(&name.as_str()) { "yes" } else { "" };
        let reference = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next());
        let schema = resolved(schema);
        let (min, max) = (schema["minLength"].as_u64().unwrap_or(0), schema["maxLength"].as_u64());
        let values = match (schema["enum"].is_array() || reference.is_some(), schema["format"].as_str(), max) {
            (true, ..) => format!("one of the words of `{}`", reference.unwrap_or(name)),
            (_, Some("date"), _) => "a date, `YYYY-MM-DD`".to_owned(),
            (_, _, Some(max)) if max == min => format!("{max} characters"),
            (_, _, Some(max)) if min > 0 => format!("{min} to {max} characters"),
            (_, _, Some(max)) => format!("up to {max} characters"),
            _ if schema["pattern"] == "^([0-9]{9})?$" => "9 digits".to_owned(),
            _ => panic!("{name}: {schema}"),
        };
        writeln!(table, "| `{name}` | {is_required} | {values} |").expect("text");
    }
    format!("{table}\n")
}

#[test]
fn limits_page_has_the_lengths_of_fields() {
    let learner = schema_of_field(schema(operation("registerLearner"), "/requestBody"), "learner");
    assert_generated(PAGE, "learner", &field_table(learner));
    let achievements = schema_of_field(schema(operation("submitAchievementBatch"), "/requestBody"), "achievements");
    assert_generated(PAGE, "achievement", &field_table(&achievements["items"]));
}

#[test]
fn limits_page_has_every_rate_limit_and_every_limit_of_batches() {
    let page = page(PAGE);
    let SettingValues::Section(limits) = section("limits") else { panic!("a section") };
    let SettingValues::Section(batches) = section("batches") else { panic!("a section") };
    // `expected_replicas` divides the rate limits and is none.
    let limits = limits.iter().filter(|setting| setting.name != "expected_replicas").map(|setting| format!("limits.{}", setting.name));
    for path in limits.chain(batches.iter().map(|setting| format!("batches.{}", setting.name))) {
        assert!(page.contains(&format!("| `{path}` |")), "{path}");
    }
}

fn section(name: &str) -> SettingValues {
    settings_of::<ConfigFile>().into_iter().find(|setting| setting.name == name).expect(name).values
}
