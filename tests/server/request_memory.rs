//! The memory for request bodies, in the real program: parallel uploads never take more than the chart's limit.

use std::sync::Arc;
use std::time::Duration;

use lrs_gateway::api::batches::achievement;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Barrier;

use crate::support::caller::{Caller, claims};
use crate::support::program::{ConfigDirectory, ServingProgram, caller_of};
use crate::support::redis::TestRedis;

/// The chart's memory limit, in KiB (`resources.limits.memory`).
const MEMORY_LIMIT_KIB: usize = 512 * 1024;
/// Number of parallel uploads.
const UPLOADS: usize = 9;
/// Size of an upload, in bytes: just below the largest one that is allowed.
const UPLOAD_BYTES: usize = achievement::MAX_BYTES - 2 * 1024 * 1024;
const UKPRN: &str = "10088881";

/// Returns a batch of achievements of this size. Most of it is white space.
fn upload() -> Vec<u8> {
    let achievement = |number: usize| {
        json!({
            "action": "CREATE", "actionDate": "2026-07-01", "achievementAwardDate": "2026-06-30", "uln": "3000000126", "givenName": "Ana",
            "familyName": "O'Neill", "dateOfBirth": "2003-04-05", "providerUkprn": "10088881",
            "unitOrQualificationReferenceNumber": format!("600/{number:04}/X"), "grade": "Pass", "misIdentifier": format!("CAND-{number}")
        })
    };
    let achievements: Vec<Value> = (0..100).map(achievement).collect();
    let mut body = json!({"submissionType": "FINAL", "achievements": achievements}).to_string().into_bytes();
    body.resize(UPLOAD_BYTES, b' ');
    body
}

/// A gateway with a Redis, for an organisation with achievement batches. LRS is under maintenance, so batches wait.
struct Fixture {
    gateway: ServingProgram,
    body: Arc<Vec<u8>>,
    token: String,
    caller: Caller,
    _redis: TestRedis,
}

impl Fixture {
    fn start() -> Self {
        let (redis, directory) = (TestRedis::start(), ConfigDirectory::new("http://127.0.0.1:1"));
        directory.write("store.key", &"01".repeat(32));
        let store = format!("[store]\nredis_url = \"{}\"\nencryption_key_file = \"store.key\"\n", redis.url());
        directory.configure(|config| config.replace("workers = 1", "workers = 2") + &store);
        directory.add_lrs_settings("[[lrs.maintenance]]\nstarts_at = \"2026-01-01T00:00:00Z\"\nends_at = \"2100-01-01T00:00:00Z\"");
        directory.write(
            "organisations/10088881.toml",
            "ukprn = \"10088881\"\nname = \"Example Awards\"\nproducts = [\"achievement-batches\", \"uln-management\"]\n\
             organisation_ref = \"DEMO02\"\npassword_file = \"10088881.password\"\n",
        );
        let gateway = ServingProgram::start(&directory);
        let claims = claims(json!({"org": null, "realm": {"ukprn": UKPRN}}));
        let secret = b"a secret of thirty-two bytes or more";
        let token = lrs_gateway::auth::sign_token(secret, claims.as_object().expect("claims")).expect("a token");
        let caller = caller_of(&gateway.api, UKPRN);
        Self { body: Arc::new(upload()), token, caller, _redis: redis, gateway }
    }

    /// Sends an upload. It stops halfway until all others are there too. Returns the head of the answer.
    async fn upload(&self, halfway: &Barrier) -> String {
        let address = self.gateway.api.strip_prefix("http://").expect("plain HTTP");
        let mut connection = TcpStream::connect(address).await.expect("the gateway accepts connections");
        let head = format!(
            "POST /v1/achievement-batches HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            self.token,
            self.body.len()
        );
        connection.write_all(head.as_bytes()).await.expect("the gateway reads");
        let (first, second) = self.body.split_at(self.body.len() / 2);
        connection.write_all(first).await.expect("the gateway reads");
        halfway.wait().await;
        connection.write_all(second).await.expect("the gateway reads");
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).await.expect("the gateway answers");
        String::from_utf8(answer).expect("text").to_lowercase()
    }

    /// Returns the peak of the program's memory, in KiB.
    fn peak_memory_kib(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.gateway.program.child.id())).expect("the program runs");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the peak of memory");
        peak.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    async fn metric(&self, series: &str) -> f64 {
        let text = reqwest::get(format!("{}/metrics", self.gateway.admin)).await.expect("metrics").text().await.expect("text");
        let value = text.lines().find_map(|line| line.strip_prefix(series)).unwrap_or_else(|| panic!("no {series}: {text}"));
        value.trim().parse().expect("a number")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_memory_bounds_parallel_uploads_and_leaves_single_learners_alone() {
    let fixture = Fixture::start();
    let halfway = Barrier::new(UPLOADS + 1);
    let uploads = futures_util::future::join_all((0..UPLOADS).map(|_| fixture.upload(&halfway)));
    let single_learner = async {
        halfway.wait().await;
        fixture.caller.post("/v1/learners/find-by-uln", &json!({})).await
    };

    let (answers, single_learner) = tokio::time::timeout(Duration::from_secs(60), async { tokio::join!(uploads, single_learner) })
        .await
        .expect("the gateway survives and answers");

    single_learner.problem(422, "validation_failed");
    let with_status = |status: &str| answers.iter().filter(|answer| answer.starts_with(&format!("http/1.1 {status}"))).collect::<Vec<_>>();
    let (accepted, refused) = (with_status("202"), with_status("503"));
    assert_eq!(accepted.len() + refused.len(), UPLOADS, "{answers:?}");
    assert!(!accepted.is_empty() && refused.len() >= UPLOADS / 2, "{answers:?}");
    for answer in &refused {
        assert!(answer.contains("\r\nretry-after: ") && answer.contains("\"request_memory_full\""), "{answer}");
    }
    let peak = fixture.peak_memory_kib();
    assert!(peak < MEMORY_LIMIT_KIB, "the program took {peak} KiB");
    assert!(fixture.metric("lrs_gateway_request_memory_full_total{limit=\"organisation\"}").await >= 1.0);
    assert!(fixture.metric("lrs_gateway_request_memory_bytes").await.abs() < 0.5, "the memory is free again");

    let alone = fixture.upload(&Barrier::new(1)).await;
    assert!(alone.starts_with("http/1.1 202"), "{alone}");
}
