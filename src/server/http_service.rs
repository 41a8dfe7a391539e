//! The framework's HTTP/1.1 service on the gateway's own connections.

use std::fmt::Debug;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_http::{HttpService, Request, Response};
use actix_server::{GracefulShutdownSignal, Server};
use actix_service::{IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt as _, fn_service, map_config};
use actix_tls::accept::rustls_0_23::{Acceptor, TlsStream};
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::AppConfig;
use actix_web::rt::net::TcpStream;

use crate::server::connection_limits::{ConnectionLimits, PIECE_BYTES};
use crate::server::connections::{ClientSocket, ClientStream, Connections, RequestStream};

/// Time in which a client must close its side of a connection that the gateway closes.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Settings of a server.
#[derive(Debug)]
pub struct HttpSettings {
    /// Number of threads that serve requests.
    pub workers: usize,
    /// TLS configuration; `None` for plain HTTP.
    pub tls: Option<rustls::ServerConfig>,
    /// Limits and timeouts of the connections.
    pub limits: ConnectionLimits,
    /// Time that requests have to end at shutdown.
    pub shutdown_timeout: Duration,
}

/// Serves an application on these listeners. Must be called within a runtime.
///
/// # Errors
/// Returns the I/O error if a listener cannot be used.
pub fn serve<F, I, S, B>(
    listeners: Vec<TcpListener>,
    settings: HttpSettings,
    connections: &Arc<Connections>,
    application: F,
) -> io::Result<Server>
where
    F: Fn() -> I + Clone + Send + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: Debug,
    S::Response: Into<Response<B>> + 'static,
    S::Service: 'static,
    <S::Service as Service<Request>>::Future: 'static,
    B: MessageBody + 'static,
{
    let HttpSettings { workers, tls, limits, shutdown_timeout } = settings;
    // Connections are admitted, counted and closed for others before their handshake. Another limit would let silent ones keep others out.
    actix_tls::accept::max_concurrent_tls_connect(usize::MAX);
    let mut server = Server::build()
        .workers(workers)
        .max_concurrent_connections(limits.accepted_per_worker(workers))
        .shutdown_timeout(shutdown_timeout.as_secs())
        .disable_signals();
    for listener in listeners {
        let (connections, application, shutdown) = (connections.clone(), application.clone(), server.graceful_shutdown_signal());
        server = match tls.clone() {
            None => server.listen("http", listener, move || {
                admission(connections.clone()).and_then(requests(application(), limits, shutdown.clone()))
            })?,
            Some(tls) => server.listen("https", listener, move || {
                let mut acceptor = Acceptor::new(tls.clone());
                acceptor.set_handshake_timeout(limits.handshake_timeout);
                admission(connections.clone()).and_then(acceptor.map_err(drop).map(limit_buffer)).and_then(requests(
                    application(),
                    limits,
                    shutdown.clone(),
                ))
            })?,
        };
    }
    Ok(server.run())
}

/// Returns the service that admits connections.
fn admission(
    connections: Arc<Connections>,
) -> impl ServiceFactory<TcpStream, Config = (), Response = ClientSocket, Error = (), InitError = ()> {
    fn_service(move |io: TcpStream| {
        let connections = connections.clone();
        async move { connections.admit(io).await.ok_or(()) }
    })
}

/// Limits what TLS holds of an answer that the client does not read.
fn limit_buffer(mut stream: TlsStream<ClientSocket>) -> TlsStream<ClientSocket> {
    stream.get_mut().1.set_buffer_limit(Some(PIECE_BYTES));
    stream
}

/// Returns the service that serves the requests of a connection.
fn requests<I, S, B, C>(
    application: I,
    limits: ConnectionLimits,
    shutdown: GracefulShutdownSignal,
) -> impl ServiceFactory<C, Config = (), Response = (), Error = (), InitError = ()>
where
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: Debug,
    S::Response: Into<Response<B>> + 'static,
    S::Service: 'static,
    <S::Service as Service<Request>>::Future: 'static,
    B: MessageBody + 'static,
    C: ClientStream + 'static,
{
    let http = HttpService::build()
        .graceful_shutdown_signal(move || {
            let shutdown = shutdown.clone();
            async move { shutdown.notified().await }
        })
        .keep_alive(limits.keep_alive)
        // Only for connections that the reaper cannot close: it closes a connection without a request earlier, and without a response.
        .client_request_timeout(limits.header_timeout * 2)
        .client_disconnect_timeout(DISCONNECT_TIMEOUT)
        .h1_write_buffer_size(PIECE_BYTES)
        .on_connect_ext(|stream: &RequestStream<C>, data| {
            data.insert(stream.connection().clone());
        })
        .h1(map_config(application.into_factory().map_err(|error| error.into().error_response()), |()| AppConfig::default()));
    fn_service(async |stream: C| {
        let address = stream.socket().peer_address();
        Ok((RequestStream::new(stream), address))
    })
    .and_then(http.map_err(drop))
}
