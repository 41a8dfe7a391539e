//! The HTTP server: the API and the admin listener.

pub mod allowed_methods;
pub mod certificate;
pub mod connection_limits;
pub mod cors;
pub mod docs;
pub mod metrics;
pub mod middleware;
pub mod openapi;
pub mod router;
pub mod shutdown;

use std::net::{SocketAddr, TcpListener};

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, HttpServer, web};
use utoipa_actix_web::AppExt as _;

use crate::app::AppState;
use crate::observability::metrics::Metrics;
use crate::server::allowed_methods::AllowedMethods;
use crate::server::connection_limits::{ConnectionLimits, Connections, MAX_CONCURRENT_HANDSHAKES};
use crate::server::cors::Cors;
use crate::server::docs::Documents;
use crate::server::middleware::around_request;

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
    /// Limits and timeouts of client connections.
    pub connection_limits: ConnectionLimits,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self { workers: 1, tls: None, cors: Cors::default(), connection_limits: ConnectionLimits::default() }
    }
}

/// Connection limit of the admin listener.
const MAX_ADMIN_CONNECTIONS: usize = 100;

/// Time that open admin requests have to end at shutdown, in seconds. They are short.
const ADMIN_SHUTDOWN_TIMEOUT_SECONDS: u64 = 2;

/// Makes an [`HttpServer`] of an application, with workers and connection limits.
macro_rules! limited_server {
    ($application:expr, $workers:expr, $limits:expr) => {{
        let (workers, limits): (usize, ConnectionLimits) = ($workers, $limits);
        let connections = Connections::new(limits);
        HttpServer::new($application)
            .workers(workers)
            // The framework's limit is per worker. It gives connections to workers in turn, so each worker gets its share.
            .max_connections(limits.max_connections.div_ceil(workers))
            .max_connection_rate(MAX_CONCURRENT_HANDSHAKES)
            .tls_handshake_timeout(limits.handshake_timeout)
            .client_request_timeout(limits.header_timeout)
            .keep_alive(limits.keep_alive)
            .disable_signals()
            .on_connect(move |connection, data| connections.register(connection, data))
    }};
}

/// Binds the API. Must be called within a runtime.
///
/// # Errors
/// Returns the I/O error if the address cannot be bound.
pub fn bind(listen: SocketAddr, options: ServerOptions, state: AppState) -> std::io::Result<BoundServer> {
    let ServerOptions { workers, tls, cors, connection_limits } = options;
    let shutdown_timeout = state.max_request_duration();
    let document = openapi::document();
    let documents = Data::new(Documents::new(&document));
    let methods = Data::new(AllowedMethods::for_api(&document));
    let cors = Data::new(cors);
    let listener = TcpListener::bind(listen)?;
    let address = listener.local_addr()?;
    // Extractors and handlers take single services; only those of health and metrics take the whole state.
    let application = move || {
        App::new()
            .app_data(state.verifier.clone())
            .app_data(state.registry.clone())
            .app_data(state.lrs.clone())
            .app_data(state.batches.clone())
            .app_data(state.rate_limits.clone())
            .app_data(state.idempotency.clone())
            .app_data(state.readiness.clone())
            .app_data(Data::new(state.clone()))
            .app_data(documents.clone())
            .app_data(methods.clone())
            .app_data(cors.clone())
            .wrap(from_fn(around_request))
            .into_utoipa_app()
            .configure(router::api)
            .into_app()
            .configure(docs::routes)
            .default_service(web::to(allowed_methods::fallback))
    };
    let server = limited_server!(application, workers, connection_limits).shutdown_timeout(shutdown_timeout.as_secs());
    let server = match tls {
        None => server.listen(listener)?,
        Some(tls) => server.listen_rustls_0_23(listener, tls)?,
    };
    let server = server.run();
    Ok(BoundServer { address, server })
}

/// Binds the admin listener: health and metrics, for operators. Must be called within a runtime.
///
/// # Errors
/// Returns the I/O error if the address cannot be bound.
pub fn bind_admin(listen: SocketAddr, state: AppState, metrics: Metrics) -> std::io::Result<BoundServer> {
    let methods = Data::new(AllowedMethods::for_admin(&openapi::document()));
    let listener = TcpListener::bind(listen)?;
    let address = listener.local_addr()?;
    let application = move || {
        App::new()
            .app_data(methods.clone())
            .app_data(state.readiness.clone())
            .app_data(Data::new(state.clone()))
            .app_data(Data::new(metrics.clone()))
            .wrap(from_fn(around_request))
            .into_utoipa_app()
            .configure(router::admin)
            .into_app()
            .route("/metrics", web::get().to(metrics::get_metrics))
            .default_service(web::to(allowed_methods::fallback))
    };
    let limits = ConnectionLimits { max_connections: MAX_ADMIN_CONNECTIONS, ..ConnectionLimits::default() };
    let server = limited_server!(application, 1, limits).shutdown_timeout(ADMIN_SHUTDOWN_TIMEOUT_SECONDS);
    let server = server.listen(listener)?.run();
    Ok(BoundServer { address, server })
}
