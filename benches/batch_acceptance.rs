//! Cost of a large submission: processor time and peak memory of the gateway for 10,000 achievements in one request.
//!
//! The gateway, the simulated LRS and Redis (if installed) run as separate processes. Times vary between runs; ratios vary less.
#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run reports the place")]

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lrs_gateway::domain::Uln;
use serde_json::{Value, json};

const ACHIEVEMENTS: usize = 10_000;
const RUNS: usize = 5;
/// Unit of processor time in `/proc`.
const TICK: Duration = Duration::from_millis(10);

/// A process that is killed when this is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Returns the processor time of all threads since the start.
    fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        let after_name = stat.rsplit(')').next().unwrap();
        let fields: Vec<u32> = after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse().unwrap()).collect();
        TICK * (fields[0] + fields[1])
    }

    /// Returns the peak memory since the last reset, in bytes.
    fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    fn reset_peak_memory(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.0.id()), "5").unwrap();
    }
}

/// Starts the gateway binary. Returns the process and the log event with a message.
fn start(arguments: &[&str], message: &str) -> (Process, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lrs-gateway"));
    let mut child = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let event = lines.find_map(|line| {
        let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
        (event["message"] == message).then_some(event)
    });
    std::thread::spawn(move || lines.for_each(drop));
    (Process(child), event.unwrap())
}

/// Starts a Redis server and returns its URL; `None` if Redis is not installed.
fn start_redis(directory: &Path) -> Option<(Process, String)> {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--appendonly", "yes", "--save", ""]).arg("--dir").arg(directory);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
    Some((Process(child), format!("redis://127.0.0.1:{port}/")))
}

fn request_body() -> String {
    let ulns: Vec<Uln> = (400_000_000..).filter_map(Uln::from_prefix).take(ACHIEVEMENTS).collect();
    let achievements = ulns.iter().enumerate().map(|(number, uln)| {
        json!({
            "action": "CREATE", "actionDate": "2026-07-01", "achievementAwardDate": "2026-06-30", "uln": uln.as_str(),
            "givenName": format!("Zebedee{number}"), "familyName": "Quillfeather-Ó Briain", "dateOfBirth": "2003-04-05",
            "gender": "FEMALE", "learnerPostcode": "ZZ99 9ZZ", "providerUkprn": "10088881",
            "unitOrQualificationReferenceNumber": format!("600/{number:05}/X"), "grade": "Distinction", "languageForAssessment": "ENG",
            "misIdentifier": format!("CANDIDATE-{number:08}")
        })
    });
    json!({"submissionType": "FINAL", "achievements": achievements.collect::<Vec<_>>()}).to_string()
}

/// Writes the configuration and returns its path.
fn write_config(directory: &Path, lrs_url: &str, redis_url: Option<&str>) -> String {
    let mut config = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\nworkers = 2\n[[auth.issuers]]\nissuer = \"bench\"\n\
         audience = \"lrs-gateway\"\nhmac_secret_file = \"secret\"\n[lrs]\nenvironment = \"custom\"\nbase_url = \"{lrs_url}\"\n\
         [organisations]\ndirectory = \"organisations\"\n[batches]\ninitial_poll_interval_seconds = 1\n"
    );
    if let Some(url) = redis_url {
        let _ = write!(config, "[store]\nredis_url = \"{url}\"\nencryption_key_file = \"key\"\n");
    }
    let organisation = "ukprn = \"10088882\"\nname = \"Bench\"\norganisation_ref = \"DEMO02\"\nproducts = [\"achievement-batches\"]\n\
                        password_file = \"password\"\n";
    std::fs::create_dir(directory.join("organisations")).unwrap();
    for (file, text) in [
        ("gateway.toml", config.as_str()),
        ("secret", "a secret of thirty-two bytes or more"),
        ("key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
        ("organisations/10088882.toml", organisation),
        ("organisations/password", "demo-password-02"),
    ] {
        std::fs::write(directory.join(file), text).unwrap();
    }
    directory.join("gateway.toml").display().to_string()
}

fn main() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let directory = tempfile::tempdir().unwrap();
    let (_lrs, simulating) = start(&["simulate", "--listen", "127.0.0.1:0"], "simulating LRS");
    let redis = start_redis(directory.path());
    let redis_url = redis.as_ref().map(|(_, url)| url.as_str());
    let config = write_config(directory.path(), simulating["address"].as_str().unwrap(), redis_url);
    std::thread::sleep(Duration::from_millis(300));
    let token_output = Command::new(env!("CARGO_BIN_EXE_lrs-gateway"))
        .args(["token", "--config", &config, "--organisation", "10088882", "--user", "bench"])
        .output()
        .unwrap();
    let token = String::from_utf8(token_output.stdout).unwrap().trim().to_owned();
    let body = request_body();
    println!(
        "{ACHIEVEMENTS} achievements, {:.1} MB, stored in {}:",
        megabytes(body.len() as u64),
        if redis_url.is_some() { "Redis" } else { "memory" }
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for _ in 0..RUNS {
        let (gateway, serving) = start(&["serve", "--config", &config], "serving");
        let url = format!("http://{}/v1/achievement-batches", serving["api"].as_str().unwrap());
        runtime.block_on(submit_and_measure(&gateway, &url, &token, &body));
    }
}

/// Submits the batch, waits until it is finished, and prints the cost of both phases.
async fn submit_and_measure(gateway: &Process, url: &str, token: &str, body: &str) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    // The first request pays for one-time initialisation; it is not measured.
    http.get(url).bearer_auth(token).send().await.unwrap().error_for_status().unwrap();
    gateway.reset_peak_memory();
    let (memory_before, time_before, started) = (gateway.peak_memory(), gateway.processor_time(), Instant::now());
    let request = http.post(url).bearer_auth(token).header("Content-Type", "application/json").body(body.to_owned());
    let response = request.send().await.unwrap();
    let (accept_duration, accept_time) = (started.elapsed(), gateway.processor_time().saturating_sub(time_before));
    let accept_memory = gateway.peak_memory() - memory_before;
    assert_eq!(response.status(), 202);
    let batch: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    let url = format!("{url}/{}", batch["batchId"].as_str().unwrap());
    loop {
        let response = http.get(&url).bearer_auth(token).header("Prefer", "wait=5").send().await.unwrap();
        let batch: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        if ["COMPLETE", "FAILED"].contains(&batch["status"].as_str().unwrap()) {
            break;
        }
    }
    let (total_time, total_memory) = (gateway.processor_time().saturating_sub(time_before), gateway.peak_memory() - memory_before);
    let body_ratio = |bytes: u64| megabytes(bytes) / megabytes(body.len() as u64);
    println!(
        "  accepted after {:4} ms, {:3} ms of processor time, peak memory grew by {:.1} MB ({:.1} x body); until completion {:4} ms of \
         processor time, {:.1} MB ({:.1} x body)",
        accept_duration.as_millis(),
        accept_time.as_millis(),
        megabytes(accept_memory),
        body_ratio(accept_memory),
        total_time.as_millis(),
        megabytes(total_memory),
        body_ratio(total_memory),
    );
}

fn megabytes(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes / 1000).unwrap()) / 1000.0
}
