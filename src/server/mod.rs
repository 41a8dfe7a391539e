//! The HTTP server: the API and the admin listener.

pub mod allowed_methods;
pub mod certificate;
pub mod connection_limits;
pub mod cors;
pub mod docs;
pub mod metrics;
pub mod middleware;
pub mod openapi;
pub mod public_url;
mod route;
pub mod router;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::dev::{Server, ServiceRequest};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::ServiceConfig;
use actix_web::{App, HttpRequest, HttpServer, web};

use crate::app::readiness::Readiness;
use crate::app::{AppState, State};
use crate::observability::metrics::Metrics;
use crate::problem::TypeUris;
use crate::server::allowed_methods::AllowedMethods;
use crate::server::connection_limits::{ConnectionLimits, Connections, MAX_CONCURRENT_HANDSHAKES};
use crate::server::cors::Cors;
use crate::server::docs::Documents;
use crate::server::middleware::{ServerContext, around_request};
use crate::server::public_url::PublicUrl;
use crate::server::route::Route;

/// A server that has bound its address. It runs while [`BoundServer::server`] is awaited.
pub struct BoundServer {
    /// The bound address, with the port that the system chose if port 0 was requested.
    pub address: SocketAddr,
    /// The server.
    pub server: Server,
}

/// Options of the API server.
#[derive(Debug)]
pub struct ServerOptions {
    /// Number of threads that serve requests.
    pub workers: usize,
    /// TLS configuration; `None` for plain HTTP.
    pub tls: Option<rustls::ServerConfig>,
    /// Origins that may call the API from a browser.
    pub cors: Cors,
    /// Address at which callers reach the server; `None` for relative references.
    pub public_url: Option<PublicUrl>,
    /// Limits and timeouts of client connections.
    pub connection_limits: ConnectionLimits,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self { workers: 1, tls: None, cors: Cors::default(), public_url: None, connection_limits: ConnectionLimits::default() }
    }
}

/// Connection limit of the admin listener.
const MAX_ADMIN_CONNECTIONS: usize = 100;

/// Time that open admin requests have to end at shutdown. They are short.
const ADMIN_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// Binds the API. Must be called within a runtime.
///
/// # Errors
/// Returns the I/O error if the address cannot be bound.
pub fn bind(listen: SocketAddr, options: ServerOptions, state: AppState) -> std::io::Result<BoundServer> {
    let documents = Arc::new(Documents::new(openapi::document(), options.public_url.as_ref()));
    let methods = AllowedMethods::for_api(&router::api());
    let (shutdown_timeout, state) = (state.max_request_duration(), Arc::new(state));
    serve(listen, options, shutdown_timeout, state.readiness.clone(), methods, move |services| {
        mount(router::api(), &state, services);
        docs::routes(&documents, services);
    })
}

/// Binds the admin listener: health and metrics, for operators. Must be called within a runtime.
///
/// # Errors
/// Returns the I/O error if the address cannot be bound.
pub fn bind_admin(listen: SocketAddr, state: AppState, metrics: Metrics) -> std::io::Result<BoundServer> {
    let connection_limits = ConnectionLimits { max_connections: MAX_ADMIN_CONNECTIONS, ..ConnectionLimits::default() };
    let options = ServerOptions { connection_limits, ..ServerOptions::default() };
    let (methods, state) = (AllowedMethods::for_admin(&router::health()), Arc::new(state));
    serve(listen, options, ADMIN_SHUTDOWN_TIMEOUT, state.readiness.clone(), methods, move |services| {
        mount(router::health(), &state, services);
        let (state, metrics) = (state.clone(), metrics.clone());
        services.route("/metrics", web::get().to(move || metrics::get_metrics(state.clone(), metrics.clone())));
    })
}

/// Adds the routes of operations to a server.
fn mount(routes: Vec<Route>, state: &State, services: &mut ServiceConfig) {
    for route in routes {
        services.service(route.into_resource(state.clone()));
    }
}

/// Binds a server with these routes.
fn serve(
    listen: SocketAddr,
    options: ServerOptions,
    shutdown_timeout: Duration,
    readiness: Arc<Readiness>,
    methods: AllowedMethods,
    routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> std::io::Result<BoundServer> {
    let ServerOptions { workers, tls, cors, public_url, connection_limits: limits } = options;
    let problem_types = TypeUris::below(public_url.as_ref().map(PublicUrl::as_str));
    let context = Arc::new(ServerContext { readiness, methods, cors, public_url, problem_types });
    let listener = TcpListener::bind(listen)?;
    let address = listener.local_addr()?;
    let application = move || {
        let (around, fallback) = (context.clone(), context.clone());
        App::new()
            .wrap(from_fn(move |request: ServiceRequest, next: Next<BoxBody>| around_request(around.clone(), request, next)))
            .configure(&routes)
            .default_service(web::to(move |request: HttpRequest| {
                let response = fallback.methods.fallback(request.path());
                async { response }
            }))
    };
    let connections = Connections::new(limits);
    let server = HttpServer::new(application)
        .workers(workers)
        // The framework's limit is per worker. It gives connections to workers in turn, so each worker gets its share.
        .max_connections(limits.max_connections.div_ceil(workers))
        .max_connection_rate(MAX_CONCURRENT_HANDSHAKES)
        .tls_handshake_timeout(limits.handshake_timeout)
        // Only for connections that the reaper cannot close: it closes a connection without a request earlier, and without a response.
        .client_request_timeout(limits.header_timeout * 2)
        .keep_alive(limits.keep_alive)
        .disable_signals()
        .on_connect(move |connection, data| connections.register(connection, data))
        .shutdown_timeout(shutdown_timeout.as_secs());
    let server = match tls {
        None => server.listen(listener)?,
        Some(tls) => server.listen_rustls_0_23(listener, tls)?,
    };
    let server = server.run();
    Ok(BoundServer { address, server })
}
