//! The HTTP server: the API and the admin listener.

pub mod allowed_methods;
pub mod certificate;
pub mod client_address;
pub mod connection_limits;
pub mod connections;
pub mod cors;
pub mod deprecation;
pub mod docs;
mod http_service;
mod listener;
pub mod metrics;
pub mod middleware;
pub mod openapi;
pub mod public_url;
pub mod route;
pub mod router;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::dev::{Server, ServiceRequest};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::ServiceConfig;
use actix_web::{App, HttpRequest, web};

use crate::app::AppState;
use crate::app::readiness::Readiness;
use crate::observability::metrics::Metrics;
use crate::problem::TypeUris;
use crate::server::allowed_methods::AllowedMethods;
use crate::server::client_address::TrustedProxies;
use crate::server::connection_limits::ConnectionLimits;
use crate::server::connections::Connections;
use crate::server::connections::forwarded_requests::ForwardedRequests;
use crate::server::cors::Cors;
use crate::server::deprecation::DeprecatedRoutes;
use crate::server::docs::Documents;
use crate::server::docs::site::Site;
use crate::server::http_service::HttpSettings;
use crate::server::middleware::{ServerContext, around_request};
use crate::server::public_url::PublicUrl;
use crate::server::route::{deprecated_routes, mount};

/// A server that has bound its address. It runs while [`BoundServer::server`] is awaited.
pub struct BoundServer {
    /// The bound addresses, each with the port that the system chose if port 0 was requested.
    pub addresses: Vec<SocketAddr>,
    /// The server.
    pub server: Server,
    /// The documentation site, if the server has one.
    pub site: Option<Arc<Site>>,
}

impl BoundServer {
    /// Returns the bound addresses as a text.
    pub fn address_list(&self) -> String {
        self.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
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
    /// Whether the server has the documentation site and the page at `/`.
    pub has_docs: bool,
    /// Limits and timeouts of client connections.
    pub connection_limits: ConnectionLimits,
    /// Proxies whose header for the client's address is believed.
    pub trusted_proxies: TrustedProxies,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            workers: 1,
            tls: None,
            cors: Cors::default(),
            public_url: None,
            has_docs: true,
            connection_limits: ConnectionLimits::default(),
            trusted_proxies: TrustedProxies::default(),
        }
    }
}

/// Connection limit of the admin listener.
const MAX_ADMIN_CONNECTIONS: usize = 100;

/// Time that open admin requests have to end at shutdown. They are short.
const ADMIN_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// Binds the API. Must be called within a runtime.
///
/// # Errors
/// Returns the I/O error, with the address, if an address cannot be bound.
pub fn bind(listen: &[SocketAddr], options: ServerOptions, state: AppState) -> std::io::Result<BoundServer> {
    let documents = Arc::new(Documents::new(openapi::document(), options.public_url.as_ref(), options.has_docs));
    let routes = router::api();
    let (methods, deprecated) = (AllowedMethods::new(&docs::paths(options.has_docs), &routes), deprecated_routes(&routes));
    let (shutdown_timeout, state) = (state.max_request_duration(), Arc::new(state));
    let site = documents.site().cloned();
    let bound = serve("api", listen, options, shutdown_timeout, state.readiness.clone(), (methods, deprecated), move |services| {
        state.rate_limits.connect();
        mount(router::api(), &state, services);
        docs::routes(&documents, services);
    })?;
    Ok(BoundServer { site, ..bound })
}

/// Binds the admin listener: health and metrics, for operators. Must be called within a runtime.
///
/// # Errors
/// Returns the I/O error, with the address, if an address cannot be bound.
pub fn bind_admin(listen: &[SocketAddr], state: AppState, metrics: Metrics) -> std::io::Result<BoundServer> {
    let connection_limits =
        ConnectionLimits { max_connections: MAX_ADMIN_CONNECTIONS, max_connections_per_client: 0, ..ConnectionLimits::default() };
    let options = ServerOptions { connection_limits, ..ServerOptions::default() };
    let (methods, state) = (AllowedMethods::new(&["/metrics"], &router::health()), Arc::new(state));
    let known_routes = (methods, DeprecatedRoutes::default());
    serve("admin", listen, options, ADMIN_SHUTDOWN_TIMEOUT, state.readiness.clone(), known_routes, move |services| {
        mount(router::health(), &state, services);
        let (state, metrics) = (state.clone(), metrics.clone());
        services.route("/metrics", web::get().to(move || metrics::get_metrics(state.clone(), metrics.clone())));
    })
}

/// Binds a server with these routes.
fn serve(
    name: &'static str,
    listen: &[SocketAddr],
    options: ServerOptions,
    shutdown_timeout: Duration,
    readiness: Arc<Readiness>,
    (methods, deprecated_routes): (AllowedMethods, DeprecatedRoutes),
    routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> std::io::Result<BoundServer> {
    let ServerOptions { workers, tls, cors, public_url, has_docs, connection_limits: limits, trusted_proxies } = options;
    // Without the pages of problems, no address leads to them.
    let problem_types = TypeUris::below(public_url.as_ref().map(PublicUrl::as_str).filter(|_| has_docs));
    let is_tls = tls.is_some();
    let listeners = listener::listen(listen)?;
    let addresses = listeners.iter().map(TcpListener::local_addr).collect::<std::io::Result<_>>()?;
    let forwarded_requests = ForwardedRequests::new(trusted_proxies.clone(), limits.max_connections_per_client);
    let connections = Connections::new(name, limits, trusted_proxies);
    let context =
        Arc::new(ServerContext { readiness, methods, deprecated_routes, cors, public_url, problem_types, forwarded_requests, is_tls });
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
    let settings = HttpSettings { workers, tls, limits, shutdown_timeout };
    let server = http_service::serve(listeners, settings, &connections, application)?;
    Ok(BoundServer { addresses, server, site: None })
}
