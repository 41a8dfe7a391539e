//! A job's output that cannot be read: the part has a reason of its own, the operator reads the cause once, and the part completes when the
//! output can be read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::{BATCHES, register};
use crate::support::batches::{batch_output_response, full_registration, learners, submit_batch_response};
use crate::support::fake_server::{Reply, http};
use crate::support::program::{ConfigDirectory, TestProgram, run};
use crate::support::{Caller, FakeServer, TestGateway, wait_until};

const READABLE: &str = "<ResponseCode>WSRC0009</ResponseCode><Learner><ULN>3000000126</ULN><MISIdentifier>STU-0</MISIdentifier>\
     <GivenName>Zebaaaaa</GivenName><FamilyName>Quillfeather</FamilyName><DateOfBirth>1990-09-17</DateOfBirth></Learner>";

fn is_poll(body: &str) -> bool {
    body.contains("GetSubmitBatchOutput")
}

/// An LRS whose output cannot be read until it is repaired.
struct BrokenLrs {
    server: FakeServer,
    is_repaired: Arc<AtomicBool>,
}

impl BrokenLrs {
    fn start(unreadable: Vec<u8>) -> Self {
        let is_repaired = Arc::new(AtomicBool::new(false));
        let repaired = Arc::clone(&is_repaired);
        let server = FakeServer::start(move |request| {
            Reply::Bytes(if !is_poll(&request.body) {
                submit_batch_response("<ResponseCode>WSRC0007</ResponseCode><JobID>77</JobID>")
            } else if repaired.load(Ordering::SeqCst) {
                batch_output_response(READABLE)
            } else {
                unreadable.clone()
            })
        });
        Self { server, is_repaired }
    }

    fn polls(&self) -> usize {
        self.server.received().iter().filter(|request| is_poll(&request.body)).count()
    }
}

#[tokio::test]
async fn unreadable_output_is_a_bad_response_until_it_can_be_read() {
    for unreadable in [
        http(200, "text/xml; charset=utf-8", b"<Zebaaaaa"),
        http(200, "text/plain", b"Zebaaaaa"),
        batch_output_response(&READABLE.replace("</Learner>", "</Learner><Learner>")),
    ] {
        let lrs = BrokenLrs::start(unreadable);
        let gateway = TestGateway::to(&lrs.server.url());
        let caller = gateway.caller();
        let batch = register(&caller, &learners(1)).await;

        let state = batch.wait_for_state("a reason", |state| state["parts"][0]["reason"].is_string()).await;
        let part = &state["parts"][0];
        let expected = (&json!("SUBMITTED"), &json!("LRS_BAD_RESPONSE"), &json!("77"));
        assert_eq!((&part["status"], &part["reason"], &part["lrsJobId"]), expected);

        lrs.is_repaired.store(true, Ordering::SeqCst);
        let part = &batch.wait_for_status("COMPLETE").await["parts"][0];
        assert!(part.get("reason").is_none(), "{part}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unreadable_output_is_logged_once_with_batch_part_and_job() {
    let lrs = BrokenLrs::start(http(200, "text/xml; charset=utf-8", b"<Zebaaaaa"));
    let setup = ConfigDirectory::new(&lrs.server.url());
    setup.configure(|config| config + "[batches]\ninitial_poll_interval_seconds = 1\nmax_poll_interval_seconds = 1\n");
    let organisation = std::fs::read_to_string(setup.path("organisations/10088881.toml")).expect("the file exists");
    setup.write("organisations/10088881.toml", &organisation.replace("\"uln-management\"", "\"registration-batches\""));
    let token = run(&["token", "--config", &setup.config_path(), "--organisation", "10088881", "--user", "j.bloggs"]);
    let token = String::from_utf8(token.stdout).expect("a token is text");
    let mut program = TestProgram::start(&["serve", "--config", &setup.config_path()], &[]);
    let url = format!("http://{}", program.wait_for_log("serving")["api"].as_str().expect("the log line has the address"));
    let caller = Caller::new(url).with_token(token.trim());
    let batch = caller.post(BATCHES, &full_registration(&learners(1))).await.json();
    wait_until(|| lrs.polls() >= 4, || format!("{} polls", lrs.polls())).await;

    let log = program.end_and_read_log();

    let events = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("log lines are JSON"));
    let events: Vec<Value> = events.filter(|event| event["message"] == "LRS response about a part cannot be read").collect();
    let [event] = &events[..] else { panic!("one line: {events:?}") };
    assert_eq!((&event["batch"], &event["part"], &event["job"]), (&batch["batchId"], &json!(1), &json!(77)));
    assert!(event["error"].as_str().is_some_and(|error| error.contains("invalid")), "{event}");
    assert!(!log.contains("Zebaaaaa"));
}
