//! Requests to the API, from the address to the body: everything that the gateway itself reads of HTTP.
//!
//! Input: a request as text. The first line is method and address, then come headers, an empty line, and the body. `{token}` stands for a
//! token of an organisation, `{other}` for one of another organisation, `{scopeless}` for one without scopes.
//!
//! LRS is under maintenance all the time, so no call leaves the process, but batches are accepted and kept. A request that waits for its
//! batch is cancelled, as if its client had left.
//!
//! Whatever the request, the answer is documented and complete: never 500, problems have a code and a request id, and 401 has a challenge.

#![no_main]

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::{BoxBody, to_bytes};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{Method, Uri};
use actix_web::middleware::{Next, from_fn};
use actix_web::rt::System;
use actix_web::test::{TestRequest, init_service, try_call_service};
use actix_web::{App, HttpRequest, web};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use lrs_gateway::app::AppState;
use lrs_gateway::auth::{Algorithm, ClaimNames, Issuer, IssuerKey, Verifier, scope, sign_token};
use lrs_gateway::batches::{BatchService, BatchSettings};
use lrs_gateway::lrs::concurrency_limit::ConcurrencySettings;
use lrs_gateway::lrs::maintenance::MaintenanceWindow;
use lrs_gateway::lrs::services::external::AchievementCodes;
use lrs_gateway::lrs::{CircuitBreakerSettings, DEFAULT_PROMPT_RESPONSE, Lrs, LrsAddress, LrsSettings, Vendor};
use lrs_gateway::organisations::OrganisationRegistry;
use lrs_gateway::rate_limit::{Limit, RateLimiter, Rates};
use lrs_gateway::server::allowed_methods::AllowedMethods;
use lrs_gateway::server::middleware::{ServerContext, around_request};
use lrs_gateway::server::route::mount;
use lrs_gateway::server::router;
use lrs_gateway::storage::Storage;
use lrs_gateway_fuzz::organisations;
use serde_json::{Value, json};

const ISSUER: &str = "https://idp.example.ac.uk/";
const AUDIENCE: &str = "lrs-gateway";
const SECRET: &[u8] = b"a secret of thirty-two bytes or more";

/// Time after which a request is cancelled.
const MAX_WAIT: Duration = Duration::from_millis(20);

/// Number of requests after which the gateway is created anew: it keeps every batch and every idempotency key.
const MAX_REQUESTS: usize = 2_000;

/// An answer.
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

type Send = Box<dyn Fn(actix_http::Request) -> Pin<Box<dyn Future<Output = Answer>>>>;

/// A gateway without a socket.
struct Gateway {
    system: actix_web::rt::SystemRunner,
    send: Send,
    requests: usize,
}

fn state() -> AppState {
    let at = |text: &str| text.parse::<Timestamp>().expect("a time");
    let window = MaintenanceWindow { starts_at: at("2000-01-01T00:00:00Z"), ends_at: at("2900-01-01T00:00:00Z"), note: None };
    let lrs = Lrs::new(LrsSettings {
        address: LrsAddress::new("http://127.0.0.1:9".into()).expect("an address"),
        timeout: Duration::from_secs(1),
        batch_timeout: Duration::from_secs(1),
        max_response_bytes: 1024,
        prompt_response: DEFAULT_PROMPT_RESPONSE,
        vendor: Vendor::default(),
        achievement_codes: AchievementCodes::default(),
        concurrency: ConcurrencySettings::default(),
        circuit_breaker: CircuitBreakerSettings::default(),
        max_retries: 0,
        maintenance: vec![window].into(),
    });
    let key = IssuerKey::from_hmac_secret(SECRET).expect("the secret is long enough");
    let issuer = Issuer::new(ISSUER, AUDIENCE, &[Algorithm::HS256], key, ClaimNames::default());
    let storage = Storage::in_memory().expect("random numbers are available");
    let limit = Limit { per_minute: 10_000_000, burst: 1_000_000 };
    let rates = Rates { organisation: limit, person: limit, searches: limit };
    let batches = BatchService::with_storage(&storage, BatchSettings::default());
    let registry = OrganisationRegistry::new(organisations());
    AppState::new(Verifier::new(vec![issuer]), registry, lrs, batches, RateLimiter::new(rates, 1, &storage), &storage)
}

fn gateway() -> Gateway {
    let system = System::new();
    let context = Arc::new(ServerContext { methods: AllowedMethods::new(&[], &router::api()), ..ServerContext::default() });
    let state = Arc::new(state());
    let send = system.block_on(async move {
        let (around, fallback) = (context.clone(), context);
        let app = App::new()
            .wrap(from_fn(move |request: ServiceRequest, next: Next<BoxBody>| around_request(around.clone(), request, next)))
            .configure(|services| mount(router::api(), &state, services))
            .default_service(web::to(move |request: HttpRequest| {
                let response = fallback.methods.fallback(request.path());
                async { response }
            }));
        let app: &'static _ = Box::leak(Box::new(init_service(app).await));
        let send: Send = Box::new(move |request| {
            Box::pin(async move {
                let response = match try_call_service(app, request).await {
                    Ok(response) => ServiceResponse::into_parts(response).1.map_into_boxed_body(),
                    Err(error) => error.error_response(),
                };
                let text = |value: &HeaderValue| value.to_str().expect("headers of answers are text").to_owned();
                let headers = response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
                let status = response.status().as_u16();
                let body = to_bytes(response.into_body()).await.expect("the body is complete").to_vec();
                Answer { status, headers, body }
            })
        });
        send
    });
    Gateway { system, send, requests: 0 }
}

thread_local! {
    // A reference, because the last gateway must not be dropped at the end of the process: the libraries' thread-local values are gone by then.
    static GATEWAY: &'static RefCell<Gateway> = Box::leak(Box::new(RefCell::new(gateway())));
    static TOKENS: [(&'static [u8], String); 3] = [
        (b"{token}", token("10088881", &scope::ALL.join(" "))),
        (b"{other}", token("10088882", &scope::ALL.join(" "))),
        (b"{scopeless}", token("10088881", "")),
    ];
}

fn token(organisation: &str, scope: &str) -> String {
    let claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "exp": 4_000_000_000_i64, "org": organisation, "preferred_username": "j.bloggs", "scope": scope,
    });
    sign_token(SECRET, claims.as_object().expect("an object")).expect("the token is signed")
}

/// Splits bytes at the first line end.
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes.iter().position(|byte| *byte == b'\n').map_or((bytes, &[]), |end| (&bytes[..end], &bytes[end + 1..]))
}

/// Parses an input; `None` if it is no request, which the HTTP library would not pass on.
fn parse(input: &[u8]) -> Option<(TestRequest, Vec<u8>)> {
    let (line, mut rest) = split_line(input);
    let (method, address) = std::str::from_utf8(line).ok()?.split_once(' ')?;
    let uri = Uri::try_from(address).ok().filter(|_| address.starts_with('/'))?;
    let mut request = TestRequest::with_uri("/").method(Method::from_bytes(method.as_bytes()).ok()?);
    loop {
        let (line, after) = split_line(rest);
        rest = after;
        if line.is_empty() {
            break;
        }
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = HeaderValue::from_bytes(&with_tokens(line[colon + 1..].trim_ascii())).ok()?;
        request = request.append_header((name, value));
    }
    // `TestRequest` accepts an address only in a form that cannot fail.
    Some((request.uri(&uri.to_string()), rest.to_vec()))
}

/// Replaces the names of tokens by tokens.
fn with_tokens(value: &[u8]) -> Vec<u8> {
    TOKENS.with(|tokens| {
        for (name, token) in tokens {
            if let Some(at) = value.windows(name.len()).position(|window| window == *name) {
                return [&value[..at], token.as_bytes(), &value[at + name.len()..]].concat();
            }
        }
        value.to_vec()
    })
}

fn check(answer: &Answer, is_head: bool) {
    let header = |name: &str| answer.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let status = answer.status;
    assert!((200..600).contains(&status) && status != 500, "{status}: {}", String::from_utf8_lossy(&answer.body));
    let request_id = header("gateway-request-id").expect("every answer has a request id");
    assert_eq!(request_id.len(), 36);
    assert!(
        header("x-request-id").is_some_and(|id| (1..=128).contains(&id.len())),
        "every answer has the caller's id, or else the gateway's"
    );
    assert_eq!(header("x-content-type-options"), Some("nosniff"));
    assert!(status != 401 || header("www-authenticate").is_some(), "401 has a challenge");
    if is_head {
        assert!(answer.body.is_empty(), "the answer to HEAD has no body");
        return;
    }
    if status < 400 {
        return;
    }
    assert_eq!(header("content-type"), Some("application/problem+json"));
    let problem: Value = serde_json::from_slice(&answer.body).expect("a problem is JSON");
    assert_eq!((problem["status"].as_u64(), problem["requestId"].as_str()), (Some(status.into()), Some(request_id)));
    assert!(["code", "title", "detail"].iter().all(|name| problem[name].as_str().is_some_and(|text| text.len() > 4)), "{problem}");
    assert_eq!(problem["retryAfterSeconds"].is_u64(), header("retry-after").is_some(), "{problem}");
}

fuzz_target!(|input: &[u8]| {
    let Some((request, body)) = parse(input) else { return };
    GATEWAY.with(|gateway| {
        let mut gateway = gateway.borrow_mut();
        gateway.requests += 1;
        if gateway.requests > MAX_REQUESTS {
            *gateway = self::gateway();
        }
        let answer = (gateway.send)(request.set_payload(body).to_request());
        let answer = gateway.system.block_on(async { tokio::time::timeout(MAX_WAIT, answer).await });
        if let Ok(answer) = answer {
            check(&answer, input.starts_with(b"HEAD "));
        }
    });
});
