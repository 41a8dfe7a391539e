//! Personal data and secrets must not leak. The tests put recognisable values into every personal field, password and token, call every
//! operation with every kind of result, and search everything that the gateway writes for these values.

mod encodings;
mod fixture;
mod requests;

use std::time::{Duration, Instant};

use lrs_gateway::schema::CodeList as _;
use lrs_gateway::simulator::{Fault, FaultStep};
use serde_json::{Value, json};

use crate::support::caller::Caller;
use crate::support::program::TestProgram;
use encodings::encodings_of;
use fixture::Fixture;
use requests::{LearnerRequest, batch_requests, identity, learner, learner_requests};

/// A candidate that the caller of `obtainUln` rejects.
const REJECTED_ULN: &str = "3000000266";
const PASSWORD: &str = "canary-Pa55word-";
const USER: &str = "canary.registrar";
const ISSUER_SECRET: &str = "canary secret of the issuer, thirty-two bytes or more";
const ENCRYPTION_KEY: &str = "ca9a4100ca9a4100ca9a4100ca9a4100ca9a4100ca9a4100ca9a4100ca9a4101";
const IDEMPOTENCY_KEY: &str = "canary-key-of-the-caller";
const ORGANISATION: &str = "10088881";

const AUDIT_TRAIL: &str = "the audit trail";

/// What the gateway wrote to one place.
struct Output {
    place: &'static str,
    content: String,
}

/// One test, because the outputs of all calls are searched together.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn personal_data_and_secrets_are_in_no_log_audit_trail_metric_trace_problem_or_redis() {
    let mut fixture = Fixture::start();

    let uln = call_with_success(&mut fixture).await;
    // With the key, repeated calls would not reach LRS.
    fixture.caller = fixture.caller_without_key();
    call_with_faults_of_lrs(&mut fixture, &uln).await;
    call_with_invalid_requests(&mut fixture, &uln).await;

    let texts = sensitive_texts(&fixture);
    let outputs = stop_and_collect_outputs(fixture).await;
    assert_log_fields_are_documented(&outputs[0].content);
    assert_absent(&texts, &outputs);
    assert_user_name_is_in_audit_trail_only(&outputs);
}

/// Calls every operation, and every operation succeeds. Returns the ULN of the learner.
async fn call_with_success(fixture: &mut Fixture) -> String {
    let request = json!({"learner": learner(), "rejectedCandidates": [REJECTED_ULN]});
    fixture.marked_texts.push(REJECTED_ULN.to_owned());
    let obtained = fixture.post("/v1/learners/obtain-uln", &request).await;
    assert_eq!(obtained.status, 201, "{}", obtained.text);
    let uln = obtained.json()["uln"].as_str().expect("a ULN").to_owned();
    fixture.marked_texts.push(uln.clone());
    for LearnerRequest { path, body, .. } in learner_requests(&uln) {
        let status = fixture.post(path, &body).await.status;
        // The learner is registered already, which is not a success.
        assert!(status == 200 || path.ends_with("register"), "{path}: {status}");
    }
    for (resource, body) in batch_requests(&uln) {
        let accepted = fixture.post(&format!("/v1/{resource}"), &body).await;
        assert_eq!(accepted.status, 202, "{}", accepted.text);
        let (path, started_at) = (accepted.location(), Instant::now());
        while fixture.caller.request("GET", &path).await.expect_success()["status"] != "COMPLETE" {
            assert!(started_at.elapsed() < Duration::from_secs(20), "{resource} is not complete");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        fixture.caller.request("GET", &format!("{path}/results")).await.expect_success();
    }
    uln
}

/// Calls every operation with every fault of LRS.
async fn call_with_faults_of_lrs(fixture: &mut Fixture, uln: &str) {
    for &fault in Fault::ALL {
        for LearnerRequest { path, body, operation } in learner_requests(uln) {
            let mut step = FaultStep::new(fault).for_operation(operation);
            (step.milliseconds, step.code) = match fault {
                // These exceed the timeout, which takes long: one operation stands for all.
                Fault::Latency | Fault::SlowDrip if operation != "FindLearnerByULN" => continue,
                Fault::Latency => (Some(1500), None),
                Fault::SlowDrip => (Some(20), None),
                Fault::SoapFault => (None, Some("WSEC0001".into())),
                _ => (None, None),
            };
            fixture.lrs.simulator.inject_faults(vec![step]);
            let answer = fixture.post(path, &body).await;
            assert!(answer.status >= 400, "{fault:?} {path}: {}", answer.text);
        }
        fixture.lrs.simulator.inject_faults(vec![FaultStep::new(Fault::Garbage)]);
        let (resource, body) = &batch_requests(uln)[1];
        fixture.post(&format!("/v1/{resource}"), body).await;
        fixture.lrs.simulator.clear_faults();
    }
}

/// Sends requests that the gateway rejects: unknown and invalid fields, malformed bodies, an unknown path, an invalid token.
async fn call_with_invalid_requests(fixture: &mut Fixture, uln: &str) {
    for LearnerRequest { path, body, .. } in learner_requests(uln) {
        let mut with_unknown_field = body.clone();
        with_unknown_field["canaryField"] = json!("Canaryvalue");
        fixture.post(path, &with_unknown_field).await.problem(400, "unknown_field");
        let mut malformed = body.to_string();
        malformed.truncate(malformed.len() - 3);
        let with_long_name = body.to_string().replace("Canarygiven", &"Canarygiven".repeat(20));
        for text in [malformed, with_long_name] {
            let answer = fixture.caller.post_text(path, "application/json", text).await;
            fixture.collect_problem(&answer);
        }
    }
    for (resource, mut body) in batch_requests(uln) {
        let records = if resource.starts_with("achievement") { "achievements" } else { "learners" };
        body[records][0]["canaryField"] = json!("Canaryvalue");
        // The errors have the caller's identifier of the record, for the caller only: the problem is not collected.
        let answer = fixture.caller.post(&format!("/v1/{resource}"), &body).await;
        answer.problem(400, "unknown_field");
        assert_eq!(answer.json()["errors"][0]["misIdentifier"], body[records][0]["misIdentifier"], "{resource}: {}", answer.text);
    }
    let answer = fixture.caller.request("GET", "/v1/learners/Canarygiven?familyName=Canary-O'Family").await;
    fixture.collect_problem(&answer);
    let invalid_token = fixture.token.replace('.', "x.");
    let answer = fixture.caller_without_key().with_token(&invalid_token).post("/v1/learners/find-by-uln", &identity(uln)).await;
    answer.problem(401, "invalid_token");
    fixture.collect_problem(&answer);
}

/// Returns the personal data that the gateway received, and the secrets.
fn sensitive_texts(fixture: &Fixture) -> Vec<String> {
    let mut texts = fixture.marked_texts.clone();
    texts.extend([PASSWORD, ISSUER_SECRET, ENCRYPTION_KEY, IDEMPOTENCY_KEY].map(str::to_owned));
    texts.extend(fixture.token.split('.').skip(1).map(str::to_owned));
    texts.sort();
    texts.dedup();
    assert!(texts.len() > 25, "{texts:?}");
    texts
}

/// Stops the gateway. Returns everything that it wrote; the log is first. Asserts that it wrote enough for a meaningful search.
async fn stop_and_collect_outputs(fixture: Fixture) -> [Output; 6] {
    let redis = fixture.redis.dump();
    let metrics = Caller::new(fixture.admin_url.clone()).request("GET", "/metrics").await.text;
    fixture.program.terminate();
    let audit_lines: Vec<String> = fixture.program.output.iter().collect();
    let (has_succeeded, log) = fixture.program.wait_for_exit();
    assert!(has_succeeded, "the gateway failed");
    let traces: String = fixture.collector.received().into_iter().map(|request| request.body).collect();

    assert!(log.lines().count() > 500, "{} log lines", log.lines().count());
    assert!(audit_lines.len() > 80, "{} lines in the audit trail", audit_lines.len());
    assert!(metrics.lines().count() > 100, "{metrics}");
    assert!(traces.contains("learnerByULN"), "the traces have no span of a call");
    assert!(fixture.problems.len() > 80, "{} problems", fixture.problems.len());
    assert!(redis.len() > 10_000, "{} bytes in Redis", redis.len());
    [
        ("the log", log),
        (AUDIT_TRAIL, audit_lines.join("\n")),
        ("the metrics", metrics),
        ("the traces", traces),
        ("a problem", fixture.problems.join("\n")),
        ("Redis", String::from_utf8_lossy(&redis).into_owned()),
    ]
    .map(|(place, content)| Output { place, content })
}

fn assert_absent(texts: &[String], outputs: &[Output]) {
    for (text, encoding) in texts.iter().flat_map(|text| encodings_of(text).into_iter().map(move |encoding| (text, encoding))) {
        for Output { place, content } in outputs {
            let line = || content.lines().find(|line| line.contains(&encoding));
            assert!(!content.contains(&encoding), "{text} is in {place}, as {encoding}: {:?}", line());
        }
    }
}

fn assert_user_name_is_in_audit_trail_only(outputs: &[Output]) {
    for Output { place, content } in outputs {
        assert_eq!(content.contains(USER), *place == AUDIT_TRAIL, "the user name in {place}");
    }
}

/// Asserts that docs/LOGGING.md explains every field of the gateway's own log lines. At level `trace`, libraries log too.
fn assert_log_fields_are_documented(log: &str) {
    let page = include_str!("../../docs/LOGGING.md");
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}")));
    let mut own_lines = 0;
    for line in lines.filter(|line| line["target"].as_str().is_some_and(|target| target.starts_with("lrs_gateway"))) {
        for field in line.as_object().expect("an object").keys().filter(|field| *field != "span") {
            assert!(page.contains(&format!("`{field}`")), "{field}: {line}");
        }
        own_lines += 1;
    }
    assert!(own_lines > 100, "{own_lines} lines");
}

#[tokio::test]
async fn personal_data_and_secrets_are_not_in_log_of_demo_at_level_trace() {
    let directory = tempfile::tempdir().expect("a directory");
    let token_file = directory.path().join("tokens.json");
    let arguments = ["demo", "--listen", "127.0.0.1:0", "--token-file", &token_file.display().to_string()];
    let demo = TestProgram::start(&arguments, &[("RUST_LOG", "trace")]);
    let line = demo.output.iter().find(|line| line.starts_with("Documentation")).expect("the address of the documentation");
    let url = line.split_whitespace().last().and_then(|url| url.strip_suffix("/docs")).expect("an address").to_owned();
    let tokens: Value = serde_json::from_slice(&std::fs::read(&token_file).expect("the demo writes tokens")).expect("JSON");
    let token = tokens["learningProvider"].as_str().expect("a token");

    let uln = call_every_learner_operation(&Caller::new(url).with_token(token)).await;

    let log = demo.end_and_read_log();
    assert!(log.lines().count() > 5 && log.contains("\"request_id\""), "the requests are not in the log: {log}");
    let personal =
        ["Zebedee", "Quillfeather", "2001-09-17", "ZZ42", "Marzipan", "Nowhereville", "3000000258", "demo-password", "demo.registrar"];
    for text in personal.into_iter().chain([uln.as_str()]).chain(token.split('.').skip(1)) {
        assert!(!log.contains(text), "{text} is in the log: {}", log.lines().find(|line| line.contains(text)).unwrap_or_default());
    }
}

/// Calls with success and with problems. Returns the ULN of the learner.
async fn call_every_learner_operation(caller: &Caller) -> String {
    let search = json!({
        "givenName": "Zebedee", "familyName": "Quillfeather", "dateOfBirth": "2001-09-17", "gender": "MALE", "lastKnownPostCode": "ZZ42 4QX",
        "schoolAtAge16": "Marzipan School", "placeOfBirth": "Nowhereville", "emailAddress": "zebedee@mail.example.com",
    });
    let by_uln = json!({"uln": "3000000258", "givenName": "Zebedee", "familyName": "Quillfeather"});
    caller.post("/v1/learners/find-by-demographics", &search).await.expect_success();
    caller.post("/v1/learners/find-by-uln", &by_uln).await.expect_success();
    let mut learner = search.clone();
    (learner["verificationType"], learner["abilityToShare"]) = (json!("PASSPORT"), json!("SEEN_SHARE"));
    let obtained = caller.post("/v1/learners/obtain-uln", &json!({"learner": learner})).await.json();
    let uln = obtained["uln"].as_str().expect("a ULN");
    caller.post("/v1/learners/update", &json!({"uln": uln, "versionNumber": 9, "learner": learner})).await.problem(409, "stale_version");
    let amendment =
        json!({"uln": uln, "givenName": "Zebedee", "familyName": "Quillfeather", "changes": {"placeOfBirth": "Nowhereville-on-Sea"}});
    assert_eq!(caller.post("/v1/learners/amend", &amendment).await.expect_success()["outcome"], "UPDATED");
    let known = json!({"uln": uln, "givenName": "Zebedee", "familyName": "Quillfeather"});
    caller.post("/v1/learners/verify", &known).await.expect_success();
    caller.post("/v1/learning-events/search", &known).await.expect_success();
    caller.post("/v1/learners/retrieve-ulns", &json!({"ulns": [uln]})).await.expect_success();
    let mut invalid = search;
    invalid["givenName"] = json!("Zebedee".repeat(10));
    caller.post("/v1/learners/find-by-demographics", &invalid).await.problem(422, "validation_failed");
    let malformed = "{\"givenName\": \"Zebedee\", ";
    caller.post_text("/v1/learners/find-by-uln", "application/json", malformed).await.problem(400, "malformed_request");
    caller.request("GET", "/v1/learners/3000000258?name=Quillfeather").await.problem(404, "not_found");
    uln.to_owned()
}
