//! Results: pages of JSON, NDJSON and CSV.

use std::io::Read as _;
use std::time::Duration;

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use super::{register, register_and_complete};
use crate::support::batches::{SubmittedBatch, learners};
use crate::support::caller::{Answer, token};
use crate::support::fields::assert_same_names;
use crate::support::{Caller, SimulatedLrs, TestGateway};

/// The columns of the results as CSV: the fields of a result, then those of the learner.
const CSV_COLUMNS: &[&str] = &[
    "position",
    "misIdentifier",
    "outcome",
    "lrsCode",
    "uln",
    "missingFields",
    "learnerUln",
    "title",
    "givenName",
    "preferredGivenName",
    "middleOtherName",
    "familyName",
    "previousFamilyName",
    "familyNameAtAge16",
    "schoolAtAge16",
    "lastKnownAddressLine1",
    "lastKnownAddressLine2",
    "lastKnownAddressTown",
    "lastKnownAddressCountyOrCity",
    "lastKnownPostCode",
    "dateOfAddressCapture",
    "dateOfBirth",
    "placeOfBirth",
    "emailAddress",
    "gender",
    "nationality",
    "scottishCandidateNumber",
    "abilityToShare",
    "verificationType",
    "otherVerificationDescription",
    "notes",
];

/// A gateway in front of an LRS whose jobs are done at once.
struct Fixture {
    gateway: TestGateway,
    caller: Caller,
    _lrs: SimulatedLrs,
}

impl Fixture {
    fn start() -> Self {
        let lrs = SimulatedLrs::with_instant_jobs();
        let gateway = TestGateway::to(&lrs.url());
        Self { caller: gateway.caller(), gateway, _lrs: lrs }
    }

    /// Completes a batch of two parts. Two family names need special care in CSV.
    async fn complete_batch(&self) -> SubmittedBatch<'_> {
        let mut learners = learners(250);
        learners[0]["familyName"] = json!("Quill, \"Feather\"");
        learners[1]["familyName"] = json!("=1+1");
        register_and_complete(&self.caller, &learners).await
    }

    /// Reads the results at one of their paths.
    async fn results_at(&self, batch: &SubmittedBatch<'_>, file: &str) -> Answer {
        self.caller.request("GET", &format!("{}/{file}", batch.path)).await
    }
}

/// The last segment of each path of results, and its media type.
const FORMATS: [(&str, &str); 3] =
    [("results", "application/json"), ("results.ndjson", "application/x-ndjson"), ("results.csv", "text/csv")];

#[tokio::test]
async fn json_results_come_in_pages_across_parts() {
    let fixture = Fixture::start();
    let batch = fixture.complete_batch().await;
    let path = format!("{}/results", batch.path);

    let first = fixture.caller.request("GET", &format!("{path}?limit=120")).await.expect_success();
    assert_eq!((first["results"].as_array().map(Vec::len), &first["status"]), (Some(120), &json!("COMPLETE")));
    let next = first["next"].as_str().expect("there is another page");
    let second = fixture.caller.request("GET", &format!("{path}?cursor={next}")).await.expect_success();
    assert_eq!((second["results"].as_array().map(Vec::len), second.get("next")), (Some(130), None));
    assert_eq!(second["results"][0]["position"], 120);
}

#[tokio::test]
async fn ndjson_results_are_the_same_as_json_results() {
    let fixture = Fixture::start();
    let batch = fixture.complete_batch().await;

    let answer = fixture.results_at(&batch, "results.ndjson").await;

    assert_eq!((answer.header("content-type"), answer.header("batch-status")), ("application/x-ndjson", "COMPLETE"));
    let rows: Vec<Value> = answer.text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    assert_eq!(rows, batch.results().await);
}

#[tokio::test]
async fn csv_results_have_a_header_and_escape_special_values() {
    let fixture = Fixture::start();
    let batch = fixture.complete_batch().await;

    let answer = fixture.results_at(&batch, "results.csv").await;

    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8; header=present");
    assert!(answer.header("content-disposition").ends_with(".csv\""));
    let mut lines = answer.text.split("\r\n");
    let header = lines.next().expect("a header");
    let returned: Vec<&str> = header.split(',').collect();
    assert_same_names(("CSV_COLUMNS in tests/registration_batches/results.rs", CSV_COLUMNS), ("the header", &returned));
    let first = lines.next().expect("a first row");
    assert!(first.starts_with("0,STU-0,ULN_RETURNED,SIM-NEW,9") && first.contains("\"Quill, \"\"Feather\"\"\""), "{first}");
    assert_eq!(lines.filter(|line| !line.is_empty()).count(), 249);
}

#[tokio::test]
async fn csv_results_for_spreadsheets_have_escaped_formulas_and_a_byte_order_mark() {
    let fixture = Fixture::start();
    let mut records = learners(2);
    records[0]["misIdentifier"] = json!("=cmd|'/c calc'!A1");
    records[1]["misIdentifier"] = json!("-7");
    let batch = register_and_complete(&fixture.caller, &records).await;
    let read = async |query: &str| fixture.results_at(&batch, &format!("results.csv{query}")).await;

    let plain = read("").await;
    let escaped = read("?formulas=escaped&bom=true").await;

    assert!(plain.text.starts_with("position,"), "{}", plain.text);
    assert!(plain.text.contains("\r\n0,=cmd|'/c calc'!A1,") && plain.text.contains("\r\n1,-7,"), "{}", plain.text);
    assert!(escaped.text.starts_with("\u{FEFF}position,"), "{}", escaped.text);
    assert!(escaped.text.contains("\r\n0,'=cmd|'/c calc'!A1,") && escaped.text.contains("\r\n1,'-7,"), "{}", escaped.text);
    assert_eq!(read("?formulas=verbatim&bom=false").await.text, plain.text);
    read("?formulas=yes").await.problem(400, "malformed_request");
}

/// Requests results in this coding, with a client that does not unpack them.
async fn request_coded(fixture: &Fixture, method: &str, path: &str, accept: &str, coding: &str) -> reqwest::Response {
    let client = crate::support::http_client_builder().no_gzip().build().expect("the client is created");
    let request = client.request(method.parse().expect("a method"), format!("{}{path}", fixture.gateway.url()));
    let request = request.bearer_auth(token(json!({}))).header("Accept", accept).header("Accept-Encoding", coding);
    request.send().await.expect("the gateway answers").error_for_status().expect("results")
}

#[tokio::test]
async fn results_are_compressed_in_any_format_for_callers_that_accept_it() {
    let fixture = Fixture::start();
    let batch = fixture.complete_batch().await;
    for (file, accept) in FORMATS {
        let path = format!("{}/{file}", batch.path);
        let plain = request_coded(&fixture, "GET", &path, accept, "gzip;q=0, br").await;
        let compressed = request_coded(&fixture, "GET", &path, accept, "gzip, br").await;
        let head = request_coded(&fixture, "HEAD", &path, accept, "gzip").await;

        assert_eq!(plain.headers().get("content-encoding"), None, "{accept}");
        for answer in [&plain, &compressed] {
            assert_eq!(answer.headers()["vary"], "Accept, Accept-Encoding", "{accept}");
            assert_eq!(answer.headers().get("batch-status"), plain.headers().get("batch-status"), "{accept}");
            assert!(
                answer.headers().contains_key("ratelimit") && answer.headers()["content-type"].as_bytes().starts_with(accept.as_bytes())
            );
        }
        for answer in [&compressed, &head] {
            assert_eq!((answer.headers()["content-encoding"].as_bytes(), answer.headers().get("content-length")), (&b"gzip"[..], None));
        }
        let (plain, compressed) = (plain.text().await.expect("a text"), compressed.bytes().await.expect("bytes"));
        let mut unpacked = String::new();
        GzDecoder::new(&compressed[..]).read_to_string(&mut unpacked).expect("gzip");
        assert_eq!(unpacked, plain, "{accept}");
        assert!(compressed.len() < plain.len() / 4, "{accept}: {} of {}", compressed.len(), plain.len());
        assert_eq!(head.bytes().await.expect("no body").len(), 0);
    }
}

#[tokio::test]
async fn results_smaller_than_a_packet_and_answers_about_one_batch_are_not_compressed() {
    let fixture = Fixture::start();
    let batch = register_and_complete(&fixture.caller, &learners(1)).await;
    let small = |file: &str| format!("{}/{file}?cursor=9-0", batch.path);
    for (path, accept) in [(&small("results"), "application/json"), (&small("results.csv"), "text/csv"), (&batch.path, "application/json")]
    {
        let answer = request_coded(&fixture, "GET", path, accept, "gzip").await;
        assert_eq!(answer.headers().get("content-encoding"), None, "{path} {accept}");
        assert!(answer.headers().contains_key("content-length"), "{path} {accept}");
    }
}

#[tokio::test]
async fn accept_header_that_excludes_the_format_of_the_path_is_answered_with_the_path_of_the_accepted_one() {
    let fixture = Fixture::start();
    let batch = register_and_complete(&fixture.caller, &learners(1)).await;
    let read = async |file: &str, accept: &'static str| {
        fixture.gateway.caller().with_header("Accept", accept).request("GET", &format!("{}/{file}", batch.path)).await
    };
    for (file, media_type) in FORMATS {
        for accept in ["text/html", "application/xml;q=1", "image/*", "*/*;q=0"] {
            let detail = read(file, accept).await.problem(406, "not_acceptable")["detail"].to_string();
            assert!(FORMATS.iter().all(|(file, _)| detail.contains(&format!("`{file}`"))), "{accept}: {detail}");
        }
        for (other, other_media_type) in FORMATS.iter().filter(|(other, _)| *other != file) {
            let detail = read(file, other_media_type).await.problem(406, "not_acceptable")["detail"].to_string();
            assert!(detail.contains(&format!("Use the path `{other}` for `{other_media_type}`")), "{detail}");
        }
        for accept in ["*/*", media_type, "text/html, */*;q=0.5"] {
            let answer = read(file, accept).await;
            assert!(answer.status == 200 && answer.header("content-type").starts_with(media_type), "{accept}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn results_query_parameter_of_another_format_or_out_of_bounds_is_rejected() {
    let fixture = Fixture::start();
    let batch = register_and_complete(&fixture.caller, &learners(2)).await;
    for good in [
        "results?limit=1",
        "results?limit=10000",
        "results?cursor=1-1",
        "results?cursor=99999999-999999999",
        "results.ndjson?cursor=1-1",
        "results.csv?cursor=1-1&formulas=escaped&bom=false",
    ] {
        assert_eq!(fixture.results_at(&batch, good).await.status, 200, "{good}");
    }
    for bad in [
        "results?limit=0",
        "results?limit=10001",
        "results?limit=",
        "results?limit=%2B1",
        "results?bom=true",
        "results?formulas=escaped",
        "results?cursor=",
        "results?cursor=0-0",
        "results?cursor=01-0",
        "results?cursor=100000000-0",
        "results?cursor=1-1000000000",
        "results.ndjson?limit=1",
        "results.ndjson?bom=true",
        "results.ndjson?cursor=1",
        "results.csv?limit=1",
        "results.csv?bom=yes",
        "results.csv?formulas=ESCAPED",
        "results.csv?cursor=-1-0",
    ] {
        let problem = fixture.results_at(&batch, bad).await.problem(400, "malformed_request");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.starts_with("The query ")), "{bad}: {problem}");
    }
}

#[tokio::test]
async fn results_are_empty_until_lrs_has_processed_the_batch() {
    let lrs = SimulatedLrs::start();
    lrs.simulator.set_job_duration(Duration::from_secs(3600));
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let batch = register(&caller, &learners(3)).await;
    let state = batch.wait_for_status("PROCESSING").await;
    assert_eq!(state["progress"], json!({"submitted": 3, "returned": 0, "failed": 0}));
    assert!(state["retryAfterSeconds"].is_u64() && state["parts"][0]["lrsJobId"].is_string(), "{state}");

    let page = caller.request("GET", &format!("{}/results", batch.path)).await.expect_success();
    assert_eq!(page, json!({"batchId": state["batchId"], "status": "PROCESSING", "results": []}));
    for file in ["results.csv", "results.ndjson"] {
        let answer = caller.request("GET", &format!("{}/{file}", batch.path)).await;
        assert_eq!((answer.status, answer.header("batch-status")), (200, "PROCESSING"));
    }

    lrs.simulator.set_job_duration(Duration::ZERO);
    batch.wait_for_status("COMPLETE").await;
    assert_eq!(batch.results().await.len(), 3);
}
