//! The HTTP server: binding, and what happens around every request.

use std::net::{SocketAddr, TcpListener};
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Server, ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::Data;
use actix_web::{App, Error, HttpMessage as _, HttpServer, web};
use futures_util::FutureExt as _;
use tracing::Instrument as _;
use utoipa_actix_web::AppExt as _;
use uuid::Uuid;

use crate::auth::{LimitHeaders, RequestId, Verifier};
use crate::jobs::Jobs;
use crate::jobs::engine::Engine;
use crate::limits::{Idempotency, RateLimits};
use crate::lrs::Lrs;
use crate::openapi;
use crate::organisations::Registry;
use crate::problem::{Code, Problem};
use crate::routes::{self, Documents, Methods};
use crate::storage::Storage;

/// What the handlers work with.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// Whose tokens are accepted.
    pub verifier: Data<Verifier>,
    /// Whom the gateway acts for.
    pub registry: Data<Registry>,
    /// Where their calls go.
    pub lrs: Data<Lrs>,
    /// Their batches.
    pub jobs: Data<Jobs>,
    /// How often they may call.
    pub limits: Data<RateLimits>,
    /// What they want done once.
    pub once: Data<Idempotency>,
}

impl Gateway {
    /// A gateway of these parts.
    pub fn new(verifier: Verifier, registry: Registry, lrs: Lrs, jobs: Jobs, limits: RateLimits, storage: &Storage) -> Self {
        // No write takes more than two calls, and what the store needs.
        let longest = lrs.timeout() * 2 + Duration::from_secs(20);
        Self {
            once: Data::new(Idempotency::new(storage, longest)),
            verifier: Data::new(verifier),
            registry: Data::new(registry),
            lrs: Data::new(lrs),
            jobs: Data::new(jobs),
            limits: Data::new(limits),
        }
    }

    /// The engine that works at its batches.
    pub fn engine(&self) -> Engine {
        let (jobs, registry, lrs) = (self.jobs.clone(), self.registry.clone(), self.lrs.clone());
        Engine::new(jobs.into_inner(), registry.into_inner(), lrs.into_inner())
    }
}

/// A server that has its port and is about to run.
pub struct Bound {
    /// The address it listens on, with the real port.
    pub address: SocketAddr,
    /// The server; it runs while this is awaited.
    pub server: Server,
}

/// Waits until somebody wants the process to end: SIGTERM, or Ctrl-C.
pub async fn asked_to_end() {
    let interrupted = async { tokio::signal::ctrl_c().await.is_ok() };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminated.recv() => {}
                _ = interrupted => {}
            }
            return;
        }
    }
    interrupted.await;
}

/// Longer than load balancers keep idle connections, so that they are the ones to close them.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long a client may take to send its headers.
const SLOWEST_HEADERS: Duration = Duration::from_secs(10);

/// Binds the API; with TLS, if a configuration for it is given.
///
/// # Errors
/// When the address cannot be bound.
pub fn bind(listen: SocketAddr, workers: usize, tls: Option<rustls::ServerConfig>, gateway: Gateway) -> std::io::Result<Bound> {
    let document = openapi::document();
    let (documents, methods) = (Data::new(Documents::of(&document)), Data::new(Methods::of(&document)));
    let listener = TcpListener::bind(listen)?;
    let address = listener.local_addr()?;
    let server = HttpServer::new(move || {
        App::new()
            .app_data(gateway.verifier.clone())
            .app_data(gateway.registry.clone())
            .app_data(gateway.lrs.clone())
            .app_data(gateway.jobs.clone())
            .app_data(gateway.limits.clone())
            .app_data(gateway.once.clone())
            .app_data(documents.clone())
            .app_data(methods.clone())
            .wrap(from_fn(around_every_request))
            .into_utoipa_app()
            .configure(routes::api)
            .into_app()
            .configure(routes::documentation)
            .default_service(web::to(routes::no_route))
    });
    let server = server.workers(workers).keep_alive(KEEP_ALIVE).client_request_timeout(SLOWEST_HEADERS).disable_signals();
    let server = match tls {
        None => server.listen(listener)?,
        Some(tls) => server.listen_rustls_0_23(listener, tls)?,
    };
    let server = server.run();
    Ok(Bound { address, server })
}

/// Binds the operators' port.
///
/// # Errors
/// When the address cannot be bound.
pub fn bind_admin(listen: SocketAddr) -> std::io::Result<Bound> {
    let methods = Data::new(Methods::admin());
    let listener = TcpListener::bind(listen)?;
    let address = listener.local_addr()?;
    let server = HttpServer::new(move || {
        App::new()
            .app_data(methods.clone())
            .wrap(from_fn(around_every_request))
            .into_utoipa_app()
            .configure(routes::admin)
            .into_app()
            .default_service(web::to(routes::no_route))
    });
    let server = server.workers(1).disable_signals().listen(listener)?.run();
    Ok(Bound { address, server })
}

/// The request's id, for its answer and its log line.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives a request its id, makes a problem of whatever goes wrong, and logs the end of it once.
///
/// Nothing of the request but its method and the pattern of its route is logged: paths, queries, headers and bodies may
/// hold personal data.
async fn around_every_request(request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<BoxBody>, Error> {
    let id = Uuid::now_v7().to_string();
    let span = tracing::info_span!("request", request_id = %id);
    let method = method_name(request.method());
    let personal = request.path().starts_with("/v1/");
    let started = Instant::now();
    request.extensions_mut().insert(RequestId(id.clone()));
    let answered = AssertUnwindSafe(next.call(request)).catch_unwind().instrument(span.clone()).await;

    let _entered = span.enter();
    let Ok(answered) = answered else {
        // The request went down with its handler; the connection has not.
        let problem = Problem::new(Code::InternalError).cause("a handler panicked");
        log(method, "", started, StatusCode::INTERNAL_SERVER_ERROR, Some(&problem));
        let mut response = problem.response(&id);
        finish(response.headers_mut(), &id, personal);
        return Err(InternalError::from_response(problem, response).into());
    };
    let mut response = answered?.map_into_boxed_body();
    let problem = problem_of(&response);
    let limits = response.request().extensions().get::<LimitHeaders>().cloned();
    if let Some(problem) = &problem {
        let allow = response.headers().get(ALLOW).cloned();
        let mut http = problem.response(&id);
        if let Some(allow) = allow {
            http.headers_mut().insert(ALLOW, allow);
        }
        response = ServiceResponse::new(response.request().clone(), http);
    }
    log(method, &response.request().match_pattern().unwrap_or_default(), started, response.status(), problem.as_ref());
    finish(response.headers_mut(), &id, personal);
    if let Some(LimitHeaders { policy, limit }) = limits {
        put(response.headers_mut(), HeaderName::from_static("ratelimit-policy"), &policy);
        put(response.headers_mut(), HeaderName::from_static("ratelimit"), &limit);
    }
    Ok(response)
}

/// The problem a response is, if it is one: ours, or what an error of the framework amounts to.
fn problem_of(response: &ServiceResponse<BoxBody>) -> Option<Problem> {
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        let ours = response.response().extensions().get::<Problem>().cloned();
        return Some(ours.unwrap_or_else(|| Problem::of_status(status)));
    }
    None
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn finish(headers: &mut HeaderMap, id: &str, personal: bool) {
    put(headers, REQUEST_ID, id);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if personal {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

fn log(method: &str, route: &str, started: Instant, status: StatusCode, problem: Option<&Problem>) {
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let status = status.as_u16();
    let code = problem.map(|problem| problem.code().row().code);
    let cause = problem.and_then(|problem| problem.cause.as_deref());
    match status {
        500 => tracing::error!(method, route, status, duration_ms, code, cause, "request"),
        501.. => tracing::warn!(method, route, status, duration_ms, code, cause, "request"),
        _ => tracing::info!(method, route, status, duration_ms, code, cause, "request"),
    }
}

/// Methods are a closed list in logs, whatever clients invent.
fn method_name(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "OTHER",
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;
    use actix_web::{HttpResponse, test};

    use super::*;

    #[actix_web::test]
    async fn a_panic_is_a_problem_and_says_nothing_about_itself() {
        let app = App::new()
            .wrap(from_fn(around_every_request))
            .route("/v1/panic", web::get().to(async || -> HttpResponse { panic!("Ana O'Neill, 3000000126") }));
        let app = test::init_service(app).await;
        for _ in 0..3 {
            let request = test::TestRequest::get().uri("/v1/panic").to_request();
            let response = match test::try_call_service(&app, request).await {
                Ok(response) => response.into_parts().1.map_into_boxed_body(),
                Err(error) => error.error_response(),
            };
            assert_eq!(response.status(), 500);
            let id = response.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).expect("an id").to_owned();
            assert_eq!(response.headers().get("content-type").and_then(|kind| kind.to_str().ok()), Some("application/problem+json"));
            let body = String::from_utf8(to_bytes(response.into_body()).await.unwrap_or_default().to_vec()).expect("text");
            assert!(body.contains("\"internal_error\"") && body.contains(&id), "{body}");
            assert!(!body.contains("Ana") && !body.contains("3000000126"), "{body}");
        }
    }

    #[actix_web::test]
    async fn errors_of_the_framework_become_problems() {
        let app = App::new()
            .wrap(from_fn(around_every_request))
            .route("/teapot", web::get().to(async || HttpResponse::ImATeapot().body("short and stout")));
        let app = test::init_service(app).await;
        let response = test::call_service(&app, test::TestRequest::get().uri("/teapot").to_request()).await;
        assert_eq!(response.status(), 400, "a status the catalogue does not have becomes one it has");
        let body = test::read_body(response).await;
        assert!(body.starts_with(b"{\"type\":\"urn:lrs-gateway:problem:malformed_request\""), "{body:?}");
    }
}
