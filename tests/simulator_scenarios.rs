//! Trouble that the simulator plays, as those meet it who rehearse with it.

mod control;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use lrs_gateway::lrs::Service;
use lrs_gateway::simulator::{Fault, FaultStep, SimulatorSettings, TlsFiles};
use serde_json::json;

use crate::support::contract::Contract;
use crate::support::{SimulatedLrs, TestGateway};

const BY_ULN: &str = include_str!("golden/find-by-uln.request.xml");
const BY_DEMOGRAPHICS: &str = include_str!("golden/find-by-demographics-plain.request.xml");
const REGISTER: &str = include_str!("golden/register-plain.request.xml");
const EVENTS: &str = include_str!("golden/learning-events-full.request.xml");
const SUBMIT_ACHIEVEMENTS: &str = include_str!("golden/submit-achievement-batch.request.xml");
const GET_ACHIEVEMENTS: &str = include_str!("golden/get-achievement-batch.request.xml");

/// An LRS that plays something, and somebody who asks it.
struct Rehearsing {
    lrs: SimulatedLrs,
    http: reqwest::Client,
}

/// What came back, as far as it came.
struct Came {
    status: u16,
    content_type: String,
    text: String,
}

impl Rehearsing {
    fn new() -> Self {
        Self::with(&SimulatorSettings::default())
    }

    fn with(settings: &SimulatorSettings) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        Self { lrs: SimulatedLrs::with(settings), http }
    }

    fn play(steps: impl Into<Vec<FaultStep>>) -> Self {
        let rehearsing = Self::new();
        rehearsing.lrs.simulator.inject_faults(steps.into());
        rehearsing
    }

    async fn post(&self, service: Service, message: &str) -> reqwest::Result<Came> {
        let url = format!("{}{}", self.lrs.url(), service.path());
        let response = self.http.post(url).body(message.to_owned()).send().await?;
        let status = response.status().as_u16();
        let content_type = response.headers()["content-type"].to_str().expect("text").to_owned();
        let text = String::from_utf8_lossy(&response.bytes().await?).into_owned();
        Ok(Came { status, content_type, text })
    }

    /// Searches by ULN, and gets status and answer.
    async fn search(&self) -> reqwest::Result<(u16, String)> {
        self.post(Service::Learner, BY_ULN).await.map(|came| (came.status, came.text))
    }

    /// Is a search answered as ever?
    async fn is_calm(&self) -> bool {
        self.search().await.is_ok_and(|(status, answer)| status == 200 && answer.contains("<ResponseCode>WSRC0004<"))
    }

    /// Posts on a connection of its own: every byte that comes back, and how the connection ends.
    fn post_raw(&self, message: &str) -> (Vec<u8>, Result<usize, ErrorKind>) {
        let mut connection = TcpStream::connect(self.lrs.url().trim_start_matches("http://")).expect("it listens");
        let (path, length) = (Service::Learner.path(), message.len());
        let head = format!("POST {path} HTTP/1.1\r\nHost: lrs\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
        connection.write_all([head.as_bytes(), message.as_bytes()].concat().as_slice()).expect("it reads");
        let mut came = Vec::new();
        let end = connection.read_to_end(&mut came).map_err(|error| error.kind());
        (came, end)
    }

    /// How many requests with this element came in, and how many were done.
    fn counted(&self, element: &str) -> (usize, usize) {
        (self.lrs.simulator.request_count(element), self.lrs.simulator.executed_count(element))
    }

    /// Searches for Ines, who is not registered, so that she can be.
    async fn search_for_ines(&self) -> String {
        let message = [("Sam", "Ines"), ("Taylor", "Thistlewood"), ("2004-06-01", "2007-11-30"), ("ZZ5 5FF", "ZZ7 7JJ")]
            .iter()
            .fold(BY_DEMOGRAPHICS.replace("<Gender>1<", "<Gender>0<"), |xml, (from, to)| xml.replace(from, to));
        self.post(Service::Learner, &message).await.expect("an answer").text
    }
}

#[test]
fn a_reset_takes_the_connection_and_sends_no_byte() {
    let rehearsing = Rehearsing::new();
    let (whole, end) = rehearsing.post_raw(BY_ULN);
    assert!(whole.starts_with(b"HTTP/1.1 200") && end.is_ok());
    let mut counted = (1, 1);
    for trouble in [Fault::Refuse, Fault::ResetBefore, Fault::ResetAfter] {
        rehearsing.lrs.simulator.inject_faults(vec![FaultStep::new(trouble).times(1)]);
        assert_eq!(rehearsing.post_raw(BY_ULN), (Vec::new(), Err(ErrorKind::ConnectionReset)), "{trouble:?}");
        assert!(rehearsing.post_raw(BY_ULN).0.starts_with(b"HTTP/1.1 200"), "it goes on listening");
        counted = (counted.0 + 2, counted.1 + 1 + usize::from(trouble == Fault::ResetAfter));
        assert_eq!(rehearsing.counted("FindLearnerByULN"), counted, "{trouble:?}");
    }
}

#[tokio::test]
async fn what_is_reset_before_was_not_done_and_what_is_reset_after_was_done_once() {
    let rehearsing = Rehearsing::new();
    let registered = || rehearsing.lrs.simulator.register().len();
    let before = registered();
    assert!(rehearsing.search_for_ines().await.contains("WSRC0001"));
    for (trouble, learners) in [(Fault::Refuse, 0), (Fault::ResetBefore, 0), (Fault::ResetAfter, 1)] {
        rehearsing.lrs.simulator.inject_faults(vec![FaultStep::new(trouble).for_operation("RegisterLearner").times(1)]);
        let error = rehearsing.post(Service::Learner, REGISTER).await.err().expect("no answer");
        assert!(error.is_request() && format!("{error:?}").contains("ConnectionReset"), "{trouble:?}: {error:?}");
        assert_eq!(registered() - before, learners, "{trouble:?}");
    }
    assert_eq!(rehearsing.counted("RegisterLearner"), (3, 1));
    assert!(rehearsing.search_for_ines().await.contains("WSRC0004"));
}

#[tokio::test]
async fn a_reset_is_one_under_tls_too() {
    let directory = tempfile::tempdir().expect("a directory");
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let file = |name: &str, pem: String| {
        let path = directory.path().join(name);
        std::fs::write(&path, pem).expect("written");
        path
    };
    let certificate_file = file("certificate.pem", certified.cert.pem());
    let key_file = file("key.pem", certified.signing_key.serialize_pem());
    let tls = TlsFiles { certificate_file, key_file, client_ca_file: None };
    let rehearsing = Rehearsing::with(&SimulatorSettings { tls: Some(tls), ..SimulatorSettings::default() });
    let certificate = reqwest::Certificate::from_pem(certified.cert.pem().as_bytes()).expect("a certificate");
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([certificate]).build().expect("a client");
    let url = format!("{}{}", rehearsing.lrs.url().replace("http:", "https:"), Service::Learner.path());
    let search = || http.post(&url).body(BY_ULN).send();
    assert_eq!(search().await.expect("an answer").status(), 200);
    rehearsing.lrs.simulator.inject_faults(vec![FaultStep::new(Fault::ResetAfter).times(1)]);
    let error = search().await.expect_err("no answer");
    assert!(format!("{error:?}").contains("ConnectionReset"), "{error:?}");
    assert_eq!(search().await.expect("an answer").status(), 200);
    assert_eq!(rehearsing.counted("FindLearnerByULN"), (3, 3));
}

#[tokio::test]
async fn pages_and_faults_come_instead_of_answers() {
    let fault = FaultStep { code: Some("WSEC4711".into()), ..FaultStep::new(Fault::SoapFault) };
    let rehearsing = Rehearsing::new();
    let mut done = 0;
    for (step, status, content_type, words) in [
        (FaultStep::new(Fault::MaintenancePage), 200, "text/html; charset=utf-8", "maintenance"),
        (FaultStep::new(Fault::Maintenance405), 405, "text/xml; charset=utf-8", "<FurtherDetails>UnsupportedHttpVerb GET<"),
        (FaultStep::new(Fault::OutOfHours), 500, "text/xml; charset=utf-8", "<ErrorCode>WSEC0004<"),
        (FaultStep::new(Fault::Unavailable), 503, "text/html; charset=utf-8", "<html"),
        (FaultStep::new(Fault::Garbage), 200, "text/xml; charset=utf-8", "ResponseCode=WSRC0004"),
        (fault, 500, "text/xml; charset=utf-8", "<ErrorCode>WSEC4711<"),
    ] {
        let trouble = step.fault;
        rehearsing.lrs.simulator.inject_faults(vec![step]);
        let came = rehearsing.post(Service::Learner, BY_ULN).await.expect("an answer");
        assert_eq!((came.status, &*came.content_type), (status, content_type), "{trouble:?}");
        assert!(came.text.contains(words), "{trouble:?}: {}", came.text);
        done += usize::from(trouble == Fault::Garbage);
        assert_eq!(rehearsing.lrs.simulator.executed_count("FindLearnerByULN"), done, "{trouble:?}");
    }
    assert_eq!(rehearsing.lrs.simulator.request_count("FindLearnerByULN"), 6);
    rehearsing.lrs.simulator.clear_faults();
    assert!(rehearsing.is_calm().await);
}

#[tokio::test]
async fn a_redirect_leads_to_the_page_about_maintenance() {
    let rehearsing = Rehearsing::play([FaultStep::new(Fault::MaintenanceRedirect)]);
    let url = format!("{}{}", rehearsing.lrs.url(), Service::Learner.path());
    let response = rehearsing.http.post(&url).body(BY_ULN).send().await.expect("an answer");
    assert_eq!(response.status(), 302);
    assert_eq!(response.headers()["location"], "/maintenance");
    let follows = reqwest::Client::builder().no_proxy().build().expect("a client");
    let response = follows.post(url).body(BY_ULN).send().await.expect("an answer");
    assert_eq!((response.status().as_u16(), response.url().path()), (200, "/maintenance"));
    assert!(response.text().await.expect("a page").contains("maintenance"));
}

#[tokio::test]
async fn every_service_says_in_its_own_way_that_it_is_closed_or_refuses() {
    let fault = FaultStep { code: Some("WSEC4711".into()), ..FaultStep::new(Fault::SoapFault) };
    let unreadable = "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body><Nonsense/></e:Body></e:Envelope>";
    let closed = [
        (Service::Learner, BY_ULN, 500, "<ErrorCode>WSEC0004</ErrorCode>"),
        (Service::LearnerR9, EVENTS, 200, "<a:ResponseCode>WSEC0004</a:ResponseCode>"),
        (Service::LearnerR9, unreadable, 500, "<ErrorCode>WSEC0004</ErrorCode>"),
        (Service::External, SUBMIT_ACHIEVEMENTS, 200, "<a:ResponseCode>WSEC0004</a:ResponseCode>"),
        (Service::External, GET_ACHIEVEMENTS, 200, "<a:ResponseCode>WSEC0004</a:ResponseCode>"),
        (Service::External, BY_ULN, 500, "<ErrorCode>WSEC0004</ErrorCode>"),
    ];
    let refused = [(Service::Learner, BY_ULN), (Service::LearnerR9, EVENTS), (Service::External, GET_ACHIEVEMENTS)]
        .map(|(service, message)| (service, message, 500, "<ErrorCode>WSEC4711</ErrorCode>"));
    let contract = Contract::from_env();
    for (step, cases) in [(FaultStep::new(Fault::OutOfHours), &closed[..]), (fault, &refused)] {
        let rehearsing = Rehearsing::play([step]);
        for (service, message, status, code) in cases {
            let came = rehearsing.post(*service, message).await.expect("an answer");
            assert_eq!((came.status, &*came.content_type), (*status, "text/xml; charset=utf-8"));
            assert!(came.text.contains(code), "{service:?}: {}", came.text);
            if let Some(contract) = &contract {
                contract.check_answer(*service, &[("closed-or-refused".to_owned(), came.text)]);
            }
        }
        assert!(rehearsing.lrs.simulator.jobs().is_empty());
        assert!(rehearsing.lrs.simulator.request_counts().iter().all(|counted| counted.done == 0));
    }
}

#[test]
fn half_an_answer_promises_a_whole_one() {
    let rehearsing = Rehearsing::new();
    let whole = rehearsing.post_raw(REGISTER).0;
    rehearsing.lrs.simulator.inject_faults(vec![FaultStep::new(Fault::Truncated)]);
    let (half, end) = rehearsing.post_raw(REGISTER);
    let parts = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
        (length.parse::<usize>().expect("a number"), body.to_owned())
    };
    let ((promised, whole), (still_promised, half)) = (parts(whole), parts(half));
    assert_eq!((promised, still_promised), (whole.len(), whole.len()));
    assert_eq!(half, whole[..whole.len() / 2]);
    assert!(end.is_ok(), "the connection ends as if all were well");
    assert_eq!(rehearsing.counted("RegisterLearner"), (2, 2));
}

#[tokio::test]
async fn an_answer_that_drips_is_the_right_one() {
    let rehearsing = Rehearsing::new();
    let whole = rehearsing.post(Service::Learner, REGISTER).await.expect("an answer").text;
    rehearsing.lrs.simulator.inject_faults(vec![FaultStep::new(Fault::SlowDrip).with_milliseconds(1)]);
    let url = format!("{}{}", rehearsing.lrs.url(), Service::Learner.path());
    let begun = Instant::now();
    let response = rehearsing.http.post(url).body(REGISTER).send().await.expect("an answer");
    let drops: Vec<_> = response.bytes_stream().map(|drop| drop.expect("a drop")).collect().await;
    assert!(begun.elapsed() >= Duration::from_millis(whole.len() as u64), "{:?}", begun.elapsed());
    assert!(drops.len() > whole.len() / 4, "{} drops", drops.len());
    assert_eq!(drops.concat(), whole.as_bytes());
    assert_eq!(rehearsing.counted("RegisterLearner"), (2, 2));
}

#[tokio::test]
async fn a_late_answer_is_that_of_work_done_long_before() {
    let step = FaultStep::new(Fault::Latency).with_milliseconds(300).for_operation("FindLearnerByULN");
    let rehearsing = Rehearsing::play([step]);
    let begun = Instant::now();
    assert!(rehearsing.search_for_ines().await.contains("WSRC0001"));
    assert!(begun.elapsed() < Duration::from_millis(300), "others need not wait");
    let (waited, in_time) = tokio::join!(rehearsing.is_calm(), async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        rehearsing.counted("FindLearnerByULN")
    });
    assert!(waited && begun.elapsed() >= Duration::from_millis(300), "{:?}", begun.elapsed());
    assert_eq!(in_time, (1, 1));
}

#[tokio::test]
async fn the_first_step_that_is_for_a_request_and_has_something_left_is_played() {
    let rehearsing = Rehearsing::play([
        FaultStep { service: Some(Service::External), ..FaultStep::new(Fault::Unavailable) },
        FaultStep::new(Fault::OutOfHours).for_operation("RegisterLearner"),
        FaultStep::new(Fault::Maintenance405).for_operation("FindLearnerByULN").times(2),
        FaultStep { service: Some(Service::Learner), ..FaultStep::new(Fault::Unavailable).times(1) },
    ]);
    let ask = async |service, message| rehearsing.post(service, message).await.expect("an answer").status;
    assert_eq!(ask(Service::External, GET_ACHIEVEMENTS).await, 503);
    assert_eq!(ask(Service::LearnerR9, EVENTS).await, 200);
    assert_eq!(ask(Service::Learner, BY_ULN).await, 405);
    assert_eq!(ask(Service::Learner, "not SOAP").await, 503, "it has no operation, but a service");
    assert_eq!(ask(Service::Learner, BY_ULN).await, 405);
    assert_eq!(ask(Service::Learner, BY_ULN).await, 200);
    assert_eq!(ask(Service::Learner, REGISTER).await, 500);
    assert_eq!(ask(Service::External, GET_ACHIEVEMENTS).await, 503, "without a count it goes on");
    let left: Vec<_> = rehearsing.lrs.simulator.active_faults().iter().map(|playing| playing.left).collect();
    assert_eq!(left, [None, None, Some(0), Some(0)]);
    assert_eq!(rehearsing.counted("FindLearnerByULN"), (3, 1));
}

#[tokio::test]
async fn some_of_a_hundred_requests_are_drawn() {
    const REQUESTS: usize = 200;
    let step = FaultStep { percent: 50, ..FaultStep::new(Fault::Maintenance405) };
    let rehearsing = Rehearsing::play([step]);
    let mut met = 0;
    for _ in 0..REQUESTS {
        met += usize::from(rehearsing.search().await.expect("an answer").0 == 405);
    }
    assert!((REQUESTS / 4..=REQUESTS * 3 / 4).contains(&met), "{met}");
    assert_eq!(rehearsing.counted("FindLearnerByULN"), (REQUESTS, REQUESTS - met));
    // Those who are not drawn are left to the steps that follow, and are not counted.
    let steps = vec![FaultStep { percent: 1, ..FaultStep::new(Fault::Unavailable).times(1000) }, FaultStep::new(Fault::Maintenance405)];
    rehearsing.lrs.simulator.inject_faults(steps);
    let mut drawn = 0;
    for _ in 0..20 {
        drawn += usize::from(rehearsing.search().await.expect("an answer").0 == 503);
    }
    assert_eq!(rehearsing.lrs.simulator.active_faults()[0].left, Some(1000 - drawn));
}

#[tokio::test]
async fn a_lost_answer_waits_until_no_step_is_played() {
    let rehearsing = Rehearsing::play([FaultStep::new(Fault::Unavailable).times(1)]);
    rehearsing.lrs.simulator.lose_answers("FindLearnerByULN", 1);
    assert_eq!(rehearsing.search().await.expect("a page").0, 503);
    rehearsing.search().await.expect_err("the answer is lost");
    assert!(rehearsing.is_calm().await);
}

#[tokio::test]
async fn the_gateway_does_not_know_what_became_of_a_registration_that_was_reset() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::to(&lrs.url());
    let search = json!({"givenName": "Ines", "familyName": "Thistlewood", "dateOfBirth": "2007-11-30", "gender": "NOT_KNOWN",
        "lastKnownPostCode": "ZZ7 7JJ"});
    let ines = serde_json::from_str(include_str!("golden/register-plain.call.json")).expect("JSON");
    let find = "/v1/learners/find-by-demographics";
    assert_eq!(gateway.caller().post(find, &search).await.expect_success()["outcome"], "NO_MATCH");
    lrs.simulator.inject_faults(vec![FaultStep::new(Fault::ResetAfter).for_operation("RegisterLearner").times(1)]);
    let problem = gateway.caller().post("/v1/learners/register", &ines).await.problem(504, "lrs_timeout");
    assert_eq!(problem["outcomeUnknown"], true, "{problem}");
    assert_eq!((lrs.simulator.request_count("RegisterLearner"), lrs.simulator.executed_count("RegisterLearner")), (1, 1));
    assert_eq!(gateway.caller().post(find, &search).await.expect_success()["outcome"], "EXACT_MATCH");
}
