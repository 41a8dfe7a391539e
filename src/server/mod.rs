//! The HTTP server: binding, and what happens around every request.

pub mod certificate;
pub mod connection_limits;
pub mod cors;
pub mod docs;
pub mod openapi;
pub mod router;

use std::net::{SocketAddr, TcpListener};
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Server, ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::Data;
use actix_web::{App, Error, HttpMessage as _, HttpResponse, HttpServer, ResponseError as _, web};
use futures_util::FutureExt as _;
use tracing::Instrument as _;
use utoipa_actix_web::AppExt as _;
use uuid::Uuid;

use crate::app::AppState;
use crate::app::health::Readiness;
use crate::auth::{LimitHeaders, RequestId};
use crate::observability::metrics::{self, InFlight, Metrics};
use crate::observability::telemetry;
use crate::problem::{Code, Problem};
use crate::server::connection_limits::{ActiveRequest, ConnectionLimits, Connections, MAX_CONCURRENT_HANDSHAKES};
use crate::server::cors::Cors;
use crate::server::docs::Documents;
use crate::server::router::AllowedMethods;

/// A server that has its port and is about to run.
pub struct BoundServer {
    /// The address it listens on, with the real port.
    pub address: SocketAddr,
    /// The server; it runs while this is awaited.
    pub server: Server,
}

/// Somebody wants the process to end: SIGTERM, or Ctrl-C. From now on these do not end it by themselves, whenever this is awaited.
pub fn shutdown_signal() -> impl Future<Output = ()> {
    #[cfg(unix)]
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok();
    async move {
        let interrupted = tokio::signal::ctrl_c();
        #[cfg(unix)]
        if let Some(terminated) = &mut terminated {
            tokio::select! {
                _ = terminated.recv() => {}
                _ = interrupted => {}
            }
            return;
        }
        let _ = interrupted.await;
    }
}

/// How the API is served.
#[derive(Debug)]
pub struct ServerOptions {
    /// Threads that serve it.
    pub workers: usize,
    /// TLS, if the server itself speaks it.
    pub tls: Option<rustls::ServerConfig>,
    /// The web pages that may call it.
    pub cors: Cors,
    /// What clients are granted.
    pub bounds: ConnectionLimits,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self { workers: 1, tls: None, cors: Cors::default(), bounds: ConnectionLimits::default() }
    }
}

/// Operators are few.
const MAX_ADMIN_CONNECTIONS: usize = 100;

/// A server of this application, within these bounds.
macro_rules! bounded {
    ($application:expr, $workers:expr, $bounds:expr) => {{
        let (workers, bounds): (usize, ConnectionLimits) = ($workers, $bounds);
        let connections = Connections::new(bounds);
        HttpServer::new($application)
            .workers(workers)
            // Workers take connections in turn: each has its share.
            .max_connections(bounds.connections.div_ceil(workers))
            .max_connection_rate(MAX_CONCURRENT_HANDSHAKES)
            .tls_handshake_timeout(bounds.handshake)
            .client_request_timeout(bounds.headers)
            .keep_alive(bounds.keep_alive)
            .disable_signals()
            .on_connect(move |connection, data| connections.remember(connection, data))
    }};
}

/// Binds the API. Must be called within a runtime.
///
/// # Errors
/// When the address cannot be bound.
pub fn bind(listen: SocketAddr, serving: ServerOptions, gateway: AppState) -> std::io::Result<BoundServer> {
    let ServerOptions { workers, tls, cors, bounds } = serving;
    let (document, longest) = (openapi::document(), gateway.longest_request());
    let (documents, methods, cors) = (Data::new(Documents::of(&document)), Data::new(AllowedMethods::of(&document)), Data::new(cors));
    let listener = TcpListener::bind(listen)?;
    let address = listener.local_addr()?;
    let application = move || {
        App::new()
            .app_data(gateway.verifier.clone())
            .app_data(gateway.registry.clone())
            .app_data(gateway.lrs.clone())
            .app_data(gateway.batches.clone())
            .app_data(gateway.rate_limits.clone())
            .app_data(gateway.idempotency.clone())
            .app_data(gateway.readiness.clone())
            .app_data(Data::new(gateway.clone()))
            .app_data(documents.clone())
            .app_data(methods.clone())
            .app_data(cors.clone())
            .wrap(from_fn(around_every_request))
            .into_utoipa_app()
            .configure(router::api)
            .into_app()
            .configure(docs::routes)
            .default_service(web::to(router::fallback))
    };
    let server = bounded!(application, workers, bounds).shutdown_timeout(longest.as_secs());
    let server = match tls {
        None => server.listen(listener)?,
        Some(tls) => server.listen_rustls_0_23(listener, tls)?,
    };
    let server = server.run();
    Ok(BoundServer { address, server })
}

/// Binds the operators' port. Must be called within a runtime.
///
/// # Errors
/// When the address cannot be bound.
pub fn bind_admin(listen: SocketAddr, gateway: AppState, metrics: Metrics) -> std::io::Result<BoundServer> {
    let methods = Data::new(AllowedMethods::admin(&openapi::document()));
    let listener = TcpListener::bind(listen)?;
    let address = listener.local_addr()?;
    let application = move || {
        App::new()
            .app_data(methods.clone())
            .app_data(gateway.readiness.clone())
            .app_data(Data::new(gateway.clone()))
            .app_data(Data::new(metrics.clone()))
            .wrap(from_fn(around_every_request))
            .into_utoipa_app()
            .configure(router::admin)
            .into_app()
            .route("/metrics", web::get().to(router::metrics))
            .default_service(web::to(router::fallback))
    };
    let bounds = ConnectionLimits { connections: MAX_ADMIN_CONNECTIONS, ..ConnectionLimits::default() };
    // Operators are the last to go, and wait for nothing.
    let server = bounded!(application, 1, bounds).shutdown_timeout(2).listen(listener)?.run();
    Ok(BoundServer { address, server })
}

/// The request's id, for its answer and its log line.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Most bytes of a request's address and headers. Far larger ones the framework refuses before they are here.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// Gives a request its id, makes a problem of whatever goes wrong, and logs the end of it once.
///
/// Nothing of the request but its method and the pattern of its route is logged: paths, queries, headers and bodies may
/// hold personal data.
async fn around_every_request(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let busy = ActiveRequest::with(&request);
    let marks = ResponseHeaders::of(&request);
    let span = tracing::info_span!("request", request_id = %marks.id, trace_id = tracing::field::Empty, otel.kind = "server");
    telemetry::continue_trace(&span, request.headers());
    let method = method_name(request.method());
    if request.method() == Method::HEAD && !request.path().starts_with("/v1/") {
        // Monitors ask so. The framework leaves out the body.
        request.head_mut().method = Method::GET;
    }
    let started = Instant::now();
    let _in_flight = InFlight::request();
    request.extensions_mut().insert(RequestId(marks.id.clone()));
    let answered = match short_circuit(&request) {
        Some(response) => Ok(Ok(request.into_response(response))),
        None => AssertUnwindSafe(next.call(request))
            .catch_unwind()
            .instrument(span.clone())
            .await
            .map(|answered| answered.map(ServiceResponse::map_into_boxed_body)),
    };

    let _entered = span.enter();
    let Ok(answered) = answered else {
        // The request went down with its handler; the connection has not.
        let problem = Problem::new(Code::InternalError).cause("a handler panicked");
        log(method, "", started, StatusCode::INTERNAL_SERVER_ERROR, Some(&problem));
        metrics::request("none", StatusCode::INTERNAL_SERVER_ERROR.as_u16(), started.elapsed());
        let mut response = problem.response(&marks.id);
        marks.apply(response.headers_mut());
        return Err(InternalError::from_response(problem, response).into());
    };
    let mut response = answered?;
    let problem = problem_of(&response);
    let limits = response.request().extensions().get::<LimitHeaders>().cloned();
    if let Some(problem) = &problem {
        let allow = response.headers().get(ALLOW).cloned();
        let mut http = problem.response(&marks.id);
        if let Some(allow) = allow {
            http.headers_mut().insert(ALLOW, allow);
        }
        response = ServiceResponse::new(response.request().clone(), http);
    }
    let route = response.request().match_pattern().unwrap_or_default();
    log(method, &route, started, response.status(), problem.as_ref());
    let operation = response.request().app_data::<Data<AllowedMethods>>().map_or("none", |methods| methods.operation(method, &route));
    metrics::request(operation, response.status().as_u16(), started.elapsed());
    telemetry::describe(&span, || {
        let status = i64::from(response.status().as_u16());
        let attributes =
            [("http.request.method", method.into()), ("http.route", route.clone().into()), ("http.response.status_code", status.into())];
        (format!("{method} {route}"), attributes)
    });
    if response.status().is_server_error() {
        telemetry::failed(&span, response.status().as_u16().to_string());
    }
    if response.request().app_data::<Data<Readiness>>().is_some_and(|observed| observed.is_draining()) {
        // Nobody shall come back over this connection.
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    marks.apply(response.headers_mut());
    if let Some(LimitHeaders { policy, limit }) = limits {
        insert_header(response.headers_mut(), HeaderName::from_static("ratelimit-policy"), &policy);
        insert_header(response.headers_mut(), HeaderName::from_static("ratelimit"), &limit);
    }
    Ok(response.map_body(|_, body| busy.body(body)))
}

/// What is answered before anybody looks who asks: requests with too large a head, and browsers that ask whether a page may call.
fn short_circuit(request: &ServiceRequest) -> Option<HttpResponse> {
    let headers: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len()).sum();
    let address = request.uri().path_and_query().map_or(0, |address| address.as_str().len());
    if headers + address > MAX_HEAD_BYTES {
        let detail = format!("Address and headers must have at most {MAX_HEAD_BYTES} bytes.");
        return Some(Problem::new(Code::HeadersTooLarge).detail(detail).error_response());
    }
    request.app_data::<Data<Cors>>()?.preflight(request, request.app_data::<Data<AllowedMethods>>()?)
}

/// What is on every answer to a request, whatever becomes of it.
struct ResponseHeaders {
    id: String,
    personal: bool,
    policy: HeaderValue,
    secure: bool,
    cors: Option<Data<Cors>>,
    origin: Option<HeaderValue>,
}

/// Answers are data: a browser that shows one as a page may do nothing for it.
const API_CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
/// The page that shows the documentation has its scripts, styles and pictures with it, but styles and pictures also within them.
const DOCS_CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
/// A year, for this host only: what else its domain has is not the gateway's to decide.
const ONE_YEAR_HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

impl ResponseHeaders {
    fn of(request: &ServiceRequest) -> Self {
        let cors = request.app_data::<Data<Cors>>().cloned();
        Self {
            id: Uuid::now_v7().to_string(),
            // What is the same for everybody may be kept. The path is as it came: nothing else is known by it.
            personal: !["/docs", "/openapi"].iter().any(|public| request.path().starts_with(public)),
            policy: if request.path().starts_with("/docs/") { DOCS_CONTENT_SECURITY_POLICY } else { API_CONTENT_SECURITY_POLICY },
            secure: request.app_config().secure(),
            origin: cors.as_ref().and_then(|cors| cors.origin(request.headers())),
            cors,
        }
    }

    fn apply(self, headers: &mut HeaderMap) {
        insert_header(headers, REQUEST_ID, &self.id);
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        headers.insert(CONTENT_SECURITY_POLICY, self.policy);
        if self.secure {
            headers.insert(STRICT_TRANSPORT_SECURITY, ONE_YEAR_HSTS);
        }
        if self.personal {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        if let Some(cors) = self.cors {
            cors.mark(headers, self.origin);
        }
    }
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

fn insert_header(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
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
    use actix_web::test;

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
