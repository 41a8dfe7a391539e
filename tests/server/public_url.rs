//! References in answers, behind a proxy that adds a path: relative ones, and absolute ones with `server.public_url`.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lrs_gateway::schema::Scalar as _;
use lrs_gateway::server::ServerOptions;
use lrs_gateway::server::public_url::PublicUrl;
use reqwest::Url;
use serde_json::{Value, json};

use super::{FIND, UNREACHABLE_LRS};
use crate::support::TestGateway;
use crate::support::batches::{full_registration, learners};
use crate::support::caller::token;
use crate::support::gateway::Options;
use crate::support::redis::free_port;

/// A running nginx that offers a gateway below `/lrs/`.
struct Nginx {
    url: String,
    child: Child,
    _directory: tempfile::TempDir,
}

impl Nginx {
    /// Starts nginx as a child process, with a configuration of its own. Returns `None` if nginx is not installed.
    fn start(gateway: &TestGateway) -> Option<Self> {
        let program = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"].into_iter().find(|path| Path::new(path).exists())?;
        let (port, directory) = (free_port(), tempfile::tempdir().expect("a directory"));
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|name| format!("{name}_temp_path {name};")).concat();
        let config = format!(
            "daemon off; master_process off; pid nginx.pid; error_log stderr crit; events {{}}\n\
             http {{ access_log off; {temporary}\n\
             server {{ listen 127.0.0.1:{port}; location /lrs/ {{ proxy_pass {}/; }} }} }}\n",
            gateway.url()
        );
        std::fs::write(directory.path().join("nginx.conf"), config).expect("the file is written");
        let mut command = Command::new(program);
        command.arg("-p").arg(directory.path()).args(["-c", "nginx.conf", "-e", "stderr"]).stdin(Stdio::null());
        let mut child = command.spawn().expect("nginx starts");
        let started_at = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(child.try_wait().expect("a child").is_none(), "nginx has ended");
            assert!(started_at.elapsed() < Duration::from_secs(10), "nginx does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(Self { url: format!("http://127.0.0.1:{port}/lrs"), child, _directory: directory })
    }
}

/// The answer to a submission through nginx.
struct Accepted {
    id: Value,
    /// What `Location` refers to.
    batch: Url,
    is_replayed: bool,
}

impl Nginx {
    /// Submits a batch, always with the same `Idempotency-Key`.
    async fn submit(&self, path: &str, body: &Value) -> Accepted {
        let request = http().post(format!("{}{path}", self.url)).json(body).header("Idempotency-Key", "prefix");
        let response = request.bearer_auth(token(json!({}))).send().await.expect("an answer");
        assert_eq!(response.status(), 202);
        let location = response.headers()["location"].to_str().expect("ASCII");
        let batch = response.url().join(location).expect("a reference");
        let is_replayed = response.headers().contains_key("idempotency-replayed");
        Accepted { batch, is_replayed, id: response.json::<Value>().await.expect("JSON")["batchId"].clone() }
    }

    async fn read(&self, batch: &Url) -> Value {
        let response = http().get(batch.clone()).bearer_auth(token(json!({}))).send().await.expect("an answer");
        assert_eq!(response.status(), 200, "{batch}");
        response.json().await.expect("JSON")
    }
}

fn http() -> reqwest::Client {
    crate::support::http_client_builder().build().expect("a client")
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Requests an address, and returns the final address and the text. The status must be 200.
async fn get(url: Url) -> (Url, String) {
    let response = http().get(url.clone()).send().await.expect("an answer");
    assert_eq!(response.status(), 200, "{url}");
    (response.url().clone(), response.text().await.expect("a text"))
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "a skipped test must be visible")]
async fn references_behind_a_path_prefix_lead_to_what_they_name() {
    let gateway = TestGateway::to(UNREACHABLE_LRS);
    let Some(nginx) = Nginx::start(&gateway) else {
        eprintln!("SKIPPED: references_behind_a_path_prefix_lead_to_what_they_name: nginx is not installed. Run `make tools`.");
        return;
    };
    for replayed in [false, true] {
        let accepted = nginx.submit("/v1/registration-batches", &full_registration(&learners(1))).await;
        assert_eq!(accepted.is_replayed, replayed);
        assert!(accepted.batch.path().starts_with("/lrs/v1/registration-batches/"), "{}", accepted.batch);
        assert_eq!(nginx.read(&accepted.batch).await["batchId"], accepted.id);
    }
    let tracked = nginx.submit("/v1/verification-batches/track", &json!({"lrsJobId": "7"})).await;
    assert_eq!(nginx.read(&tracked.batch).await["batchId"], tracked.id);

    let address = |text: &str| Url::parse(&format!("{}{text}", nginx.url)).expect("an address");
    let (page, html) = get(address("/docs")).await;
    assert_eq!((page.path(), html.contains("href=\"../openapi.json\"")), ("/lrs/docs/", true), "{html}");
    let (_, style) = get(page.join("site.css").expect("a reference")).await;
    assert!(style.contains("@media print"), "{style}");
    let (page_below, html) = get(address("/docs/problems")).await;
    assert_eq!((page_below.path(), html.contains("href=\"../site.css\"")), ("/lrs/docs/problems/", true), "{html}");
    let (home, html) = get(address("/")).await;
    assert!(html.contains("href=\"docs/\""), "{html}");
    assert_eq!(home.join("docs/").expect("a reference").path(), "/lrs/docs/");
    let (document_address, document) = get(page.join("../openapi.json").expect("a reference")).await;
    let document: Value = serde_json::from_str(&document).expect("JSON");
    let server = document["servers"][0]["url"].as_str().expect("an address");
    assert_eq!(document_address.join(server).expect("a reference").path(), "/lrs/");
    get(address("/docs/problems/validation_failed")).await;
}

#[tokio::test]
async fn references_with_public_url_start_with_it() {
    let url = "https://mis.example/lrs";
    let server = ServerOptions { public_url: Some(PublicUrl::parse(url).expect("an address")), ..ServerOptions::default() };
    let gateway = TestGateway::with(UNREACHABLE_LRS, Options { server, ..Options::default() });
    let caller = gateway.caller().with_header("Idempotency-Key", "public");
    for _ in 0..2 {
        let accepted = caller.post("/v1/registration-batches", &full_registration(&learners(1))).await;
        let batch = accepted.json();
        assert_eq!(accepted.header("location"), format!("{url}/v1/registration-batches/{}", batch["batchId"].as_str().expect("an id")));
    }
    for path in ["/openapi.json", "/openapi-3.0.json"] {
        assert_eq!(gateway.caller().request("GET", path).await.expect_success()["servers"][0]["url"], url);
    }
    let http = crate::support::http_client_builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let redirect = http.get(format!("{}/docs", gateway.url())).send().await.expect("an answer");
    assert_eq!(redirect.headers()["location"], format!("{url}/docs/"));
    // The rules of the tests' client are those for problems without a public address.
    let problem = http.post(format!("{}{FIND}", gateway.url())).send().await.expect("an answer").json::<Value>().await.expect("JSON");
    let address = problem["type"].as_str().expect("a type");
    assert_eq!(address, format!("{url}/docs/problems/missing_token"));
    let (_, page) = get(Url::parse(&address.replace(url, &gateway.url())).expect("an address")).await;
    assert!(page.contains("Access token missing") && page.contains("Bearer &lt;token&gt;"), "{page}");
}
