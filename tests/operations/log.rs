//! Standard error and standard output that are not read, or closed: serving goes on.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStderr, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::Value;

use super::{FIND, UNLIMITED, ana, caller, config_with};
use crate::support::program::{ConfigDirectory, program};
use crate::support::{Caller, SimulatedLrs};

/// Number of calls whose log lines fill a pipe (64 KiB) many times.
const CALLS: usize = 1_200;
const CALLERS: usize = 8;

/// A gateway whose standard error is read until it serves, and not after that.
struct UnreadProgram {
    child: Child,
    stderr: BufReader<ChildStderr>,
    stdout: ChildStdout,
    api: String,
    admin: String,
}

impl UnreadProgram {
    fn start(config: &ConfigDirectory) -> Self {
        let mut command = program(&["serve", "--config", &config.config_path()], &[]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("standard error is piped"));
        let stdout = child.stdout.take().expect("standard output is piped");
        let event = loop {
            let mut line = String::new();
            assert!(stderr.read_line(&mut line).expect("UTF-8") > 0, "the program does not serve");
            let event: Value = serde_json::from_str(&line).expect("log lines are JSON");
            if event["message"] == "serving" {
                break event;
            }
        };
        let url = |name: &str| format!("http://{}", event[name].as_str().expect("the log line has the address"));
        Self { child, stderr, stdout, api: url("api"), admin: url("admin") }
    }

    async fn make_calls(&self, count: usize) {
        let client = caller(&self.api);
        let calls = (0..CALLERS).map(|_| async {
            for _ in 0..count / CALLERS {
                client.post(FIND, &ana()).await.expect_success();
            }
        });
        tokio::time::timeout(Duration::from_secs(60), join_all(calls)).await.expect("no call waits for a reader");
        for listener in [&self.api, &self.admin] {
            assert_eq!(Caller::new(listener.clone()).request("GET", "/health/live").await.status, 200);
        }
    }

    fn terminate(&self) {
        let kill = std::process::Command::new("kill").arg(self.child.id().to_string()).status().expect("the command `kill` exists");
        assert!(kill.success());
    }

    fn wait_for_exit(&mut self) {
        let started_at = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the program was started") {
                assert!(status.success(), "{status}");
                return;
            }
            assert!(started_at.elapsed() < Duration::from_secs(20), "the program does not exit");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for UnreadProgram {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn log_that_is_not_read_stops_no_call_and_no_audit_line_and_no_shutdown() {
    let lrs = SimulatedLrs::start();
    let config = config_with(&lrs.url(), &format!("{UNLIMITED}[audit]\nfile = \"audit.jsonl\"\n"));
    let mut gateway = UnreadProgram::start(&config);
    gateway.make_calls(CALLS).await;
    gateway.terminate();
    gateway.wait_for_exit();
    let audit = std::fs::read_to_string(config.path("audit.jsonl")).expect("the audit trail");
    assert_eq!(audit.lines().filter(|line| line.contains("\"ANSWERED\"")).count(), CALLS);
    drop(gateway);
}

#[tokio::test]
async fn log_that_is_closed_stops_no_call_and_no_shutdown() {
    let lrs = SimulatedLrs::start();
    let config = config_with(&lrs.url(), &format!("{UNLIMITED}[audit]\nfile = \"audit.jsonl\"\n"));
    let mut gateway = UnreadProgram::start(&config);
    // A new pipe takes the place of the one that is closed.
    let closed = std::mem::replace(&mut gateway.stderr, BufReader::new(unrelated_stderr()));
    drop(closed);
    gateway.make_calls(80).await;
    gateway.terminate();
    gateway.wait_for_exit();
}

/// Returns the standard error of a program that has nothing to do with the test.
fn unrelated_stderr() -> ChildStderr {
    let mut child = std::process::Command::new("true").stderr(Stdio::piped()).spawn().expect("the command `true` exists");
    let stderr = child.stderr.take().expect("standard error is piped");
    let _ = child.wait();
    stderr
}

#[tokio::test]
async fn audit_trail_on_standard_output_that_is_not_read_stops_no_call_and_is_complete_later() {
    let lrs = SimulatedLrs::start();
    let mut gateway = UnreadProgram::start(&config_with(&lrs.url(), UNLIMITED));
    gateway.make_calls(CALLS).await;
    gateway.terminate();
    // All lines are written before the process ends, so the reader must read now.
    let lines = BufReader::new(&mut gateway.stdout).lines().map_while(Result::ok).count();
    assert_eq!(lines, CALLS);
    gateway.wait_for_exit();
}
