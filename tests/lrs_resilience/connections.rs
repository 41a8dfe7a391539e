//! Connections to LRS: a server in LRS's place is not called again over the same connection, and DNS is asked again.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use lrs_gateway::domain::Product;
use lrs_gateway::lrs::http_client::{DEFAULT_MAX_CONNECTION_AGE, HttpClientFactory, Resolve};
use serde_json::{Value, json};

use crate::support::caller::PROVIDER;
use crate::support::fake_server::{Reply, http};
use crate::support::gateway::{Options, organisation_from};
use crate::support::scripted_lrs::{RESPONSE, search};
use crate::support::{FakeServer, TestGateway};

use super::FIND;

/// A name server with one record, which the test changes.
#[derive(Clone)]
struct SwitchableDns(Arc<Mutex<SocketAddr>>);

impl SwitchableDns {
    fn leading_to(server: &FakeServer) -> Self {
        Self(Arc::new(Mutex::new(server.address())))
    }

    fn switch_to(&self, server: &FakeServer) {
        *self.0.lock().expect("no thread panicked") = server.address();
    }
}

impl Resolve for SwitchableDns {
    fn resolve(&self, name: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        assert_eq!(name, "lrs.test");
        let address = *self.0.lock().expect("no thread panicked");
        Box::pin(std::future::ready(Ok(vec![address])))
    }
}

/// Starts a gateway whose LRS is `lrs.test`, without a port: the name server gives the port too.
fn start_gateway(dns: &SwitchableDns, max_connection_age: Duration) -> TestGateway {
    let factory = HttpClientFactory::new(None, Duration::from_secs(2)).expect("the web's root certificates are available");
    let factory = factory.with_resolver(Arc::new(dns.clone())).with_max_connection_age(max_connection_age);
    let organisations = vec![organisation_from(&factory, PROVIDER, "demo-password-01", &[Product::UlnManagement])];
    TestGateway::with("http://lrs.test", Options { organisations, ..Options::default() })
}

fn answering() -> FakeServer {
    FakeServer::with_response(http(200, "text/xml; charset=utf-8", RESPONSE.as_bytes()))
}

#[tokio::test]
async fn connection_to_server_in_place_of_lrs_is_closed_and_dns_asked_again() {
    let page = |status| http(status, "text/html", b"<!DOCTYPE html><html><title>UnsupportedHttpVerb</title></html>");
    let redirect = |status| format!("HTTP/1.1 {status} X\r\nLocation: /closed\r\nContent-Length: 0\r\n\r\n").into_bytes();
    for reply in [
        page(405),
        page(200),
        page(503),
        redirect(302),
        redirect(301),
        http(403, "text/html", b"<html>Request blocked</html>"),
        http(500, "text/html", b"<html>Oh dear</html>"),
        http(502, "text/html", b"<html>Bad Gateway</html>"),
        http(503, "text/plain", b"Service Unavailable"),
        http(404, "text/html", b"<html>Not Found</html>"),
    ] {
        let (old, new) = (FakeServer::with_response(reply.clone()), answering());
        let dns = SwitchableDns::leading_to(&old);
        let gateway = start_gateway(&dns, DEFAULT_MAX_CONNECTION_AGE);
        let case = String::from_utf8_lossy(&reply).into_owned();
        for _ in 0..2 {
            assert!([502, 503].contains(&gateway.caller().post(FIND, &search()).await.status), "{case}");
        }
        dns.switch_to(&new);
        gateway.caller().post(FIND, &search()).await.expect_success();
        let connections: Vec<_> = old.received().iter().map(|request| request.connection).collect();
        assert_eq!((connections.as_slice(), new.received().len()), (&[0, 1][..], 1), "{case}");
    }
}

#[tokio::test]
async fn connection_older_than_maximum_age_is_replaced_although_calls_continue() {
    let (old, new) = (answering(), answering());
    let dns = SwitchableDns::leading_to(&old);
    let gateway = start_gateway(&dns, Duration::from_millis(200));
    let caller = gateway.caller();
    caller.post(FIND, &search()).await.expect_success();
    dns.switch_to(&new);
    let started_at = Instant::now();
    while new.received().is_empty() {
        assert!(started_at.elapsed() < Duration::from_secs(20), "DNS is never asked again");
        caller.post(FIND, &search()).await.expect_success();
    }
}

#[tokio::test]
async fn connection_younger_than_maximum_age_is_kept() {
    let (old, new) = (answering(), answering());
    let dns = SwitchableDns::leading_to(&old);
    let gateway = start_gateway(&dns, DEFAULT_MAX_CONNECTION_AGE);
    gateway.caller().post(FIND, &search()).await.expect_success();
    dns.switch_to(&new);
    for _ in 0..20 {
        gateway.caller().post(FIND, &search()).await.expect_success();
    }
    assert_eq!(old.received().iter().map(|request| request.connection).max(), Some(0));
    assert!(new.received().is_empty());
}

#[tokio::test]
async fn call_in_progress_completes_although_connections_are_replaced() {
    let released = Arc::new((Mutex::new(false), Condvar::new()));
    let gate = Arc::clone(&released);
    // The first request waits for its response; the others get a page.
    let lrs = FakeServer::start(move |request| {
        if request.connection > 0 {
            return Reply::Bytes(http(405, "text/html", b"<html>UnsupportedHttpVerb</html>"));
        }
        let released = gate.0.lock().expect("no thread panicked");
        drop(gate.1.wait_timeout_while(released, Duration::from_secs(20), |released| !*released).expect("no thread panicked"));
        Reply::Bytes(http(200, "text/xml; charset=utf-8", RESPONSE.as_bytes()))
    });
    let gateway = start_gateway(&SwitchableDns::leading_to(&lrs), DEFAULT_MAX_CONNECTION_AGE);
    let (caller, other_caller) = (gateway.caller(), gateway.caller());
    let slow_call = tokio::spawn(async move { caller.post(FIND, &search()).await });
    crate::support::wait_until(|| lrs.connection_count() > 0, || "the first connection".into()).await;
    for _ in 0..3 {
        other_caller.post(FIND, &search()).await.problem(503, "lrs_maintenance");
    }
    *released.0.lock().expect("no thread panicked") = true;
    released.1.notify_all();
    slow_call.await.expect("the call does not panic").expect_success();
}

/// LRS's response to a registration.
const REGISTERED: &str = include_str!("../golden/register-plain.response.xml");

/// Returns the body of a registration. The name tells it from the others.
fn registration(family_name: &str) -> Value {
    json!({"learner": {
        "givenName": "Ines", "familyName": family_name, "dateOfBirth": "2007-11-30", "gender": "NOT_KNOWN", "lastKnownPostCode": "ZZ7 7JJ",
        "verificationType": "NOT_PROVIDED", "abilityToShare": "NOT_SEEN",
    }})
}

#[tokio::test]
async fn write_after_lrs_closed_the_idle_connection_is_sent_once() {
    // LRS closes each connection after its response, without a word: the next write finds it closed, or meets the close on its way.
    let lrs = FakeServer::start(|_| Reply::ThenClose(http(200, "text/xml; charset=utf-8", REGISTERED.as_bytes())));
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let mut registered = 0;
    for number in 0..20_u8 {
        let family_name = format!("Thistlewood{}", char::from(b'a' + number));
        let answer = caller.post("/v1/learners/register", &registration(&family_name)).await;
        let sent = lrs.received().iter().filter(|request| request.body.contains(&family_name)).count();
        match answer.status {
            201 => assert_eq!(sent, 1, "{family_name}"),
            _ => assert!(answer.problem(504, "lrs_timeout")["outcomeUnknown"] == true && sent <= 1, "{family_name}: {sent}"),
        }
        registered += usize::from(answer.status == 201);
    }
    assert!(registered > 10, "{registered} of 20 writes were answered");
}
