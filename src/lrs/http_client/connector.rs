//! Opens connections: name resolution, TCP, the forward proxy, TLS, HTTP/1.1.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hyper::Uri;
use hyper::client::conn::http1;
use hyper::header::{HeaderMap, HeaderValue, USER_AGENT};
use hyper::http::uri::Scheme;
use hyper::rt::{Read, Write};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tower_service::Service as _;

use crate::lrs::http_client::connect_failure::ConnectTimedOut;
use crate::lrs::http_client::dns::{NameService, Resolve};
use crate::lrs::http_client::proxy::ProxyRule;
use crate::observability;
use crate::organisations::{BoxError, Connect, RequestSender};

/// Maximum number of headers of a response. Proxies and firewalls add many.
const MAX_RESPONSE_HEADERS: usize = 512;
/// Time after which the system probes a connection that is silent, and the time between its probes.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// Number of probes without a reply after which a connection counts as broken.
const KEEPALIVE_PROBES: u32 = 3;
/// Time without a confirmation of sent data after which a connection counts as broken.
#[cfg(target_os = "linux")]
const UNCONFIRMED_TIMEOUT: Duration = Duration::from_secs(30);

/// The TLS settings of connections, with their client certificate.
pub(super) enum ClientTls {
    /// The built-in rustls. All connections share the sessions that the server has offered to resume.
    Rustls(Arc<ClientConfig>),
    /// The system's TLS.
    #[cfg(feature = "native-tls")]
    Native(tokio_native_tls::TlsConnector),
}

/// Opens connections with these settings.
pub(super) struct Connector {
    tcp: HttpConnector<NameService>,
    tls: ClientTls,
    proxy: Option<ProxyRule>,
    timeout: Duration,
}

impl Connector {
    /// Creates a connector. A connection must be complete within the timeout.
    pub fn new(resolver: Arc<dyn Resolve>, tls: ClientTls, proxy: Option<ProxyRule>, timeout: Duration) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(NameService(resolver));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(timeout));
        tcp.set_keepalive(Some(KEEPALIVE_INTERVAL));
        tcp.set_keepalive_interval(Some(KEEPALIVE_INTERVAL));
        tcp.set_keepalive_retries(Some(KEEPALIVE_PROBES));
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(Some(UNCONFIRMED_TIMEOUT));
        Self { tcp, tls, proxy, timeout }
    }

    async fn open(&self, server: &Uri) -> Result<RequestSender, BoxError> {
        let stream = self.open_tcp(server).await?;
        if server.scheme() != Some(&Scheme::HTTPS) {
            return start_http(TokioIo::new(stream)).await;
        }
        let host = server.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        match &self.tls {
            ClientTls::Rustls(config) => {
                let name = ServerName::try_from(host.to_owned())?;
                start_http(TokioIo::new(TlsConnector::from(Arc::clone(config)).connect(name, stream).await?)).await
            }
            #[cfg(feature = "native-tls")]
            ClientTls::Native(connector) => start_http(TokioIo::new(connector.connect(host, stream).await?)).await,
        }
    }

    /// Opens a TCP connection to the server, or a tunnel through the proxy if the connection must use it.
    async fn open_tcp(&self, server: &Uri) -> Result<TcpStream, BoxError> {
        let mut tcp = self.tcp.clone();
        let Some(proxy) = self.proxy.as_ref().and_then(|proxy| proxy.intercept(server)) else {
            return Ok(tcp.call(server.clone()).await?.into_inner());
        };
        let user_agent = HeaderMap::from_iter([(USER_AGENT, HeaderValue::from_static(observability::USER_AGENT))]);
        let mut tunnel = Tunnel::new(proxy.uri().clone(), tcp).with_headers(user_agent);
        if let Some(login) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(login.clone());
        }
        Ok(tunnel.call(server.clone()).await?.into_inner())
    }
}

impl Connect for Connector {
    fn connect<'c>(&'c self, server: &'c Uri) -> BoxFuture<'c, Result<RequestSender, BoxError>> {
        let connection = tokio::time::timeout(self.timeout, self.open(server));
        Box::pin(connection.map(|result| result.unwrap_or_else(|_| Err(ConnectTimedOut.into()))))
    }
}

/// Starts HTTP on an open stream. The current runtime drives the connection until it is closed.
async fn start_http(stream: impl Read + Write + Unpin + Send + 'static) -> Result<RequestSender, BoxError> {
    let (sender, connection) = http1::Builder::new()
        .allow_obsolete_multiline_headers_in_responses(true)
        .max_headers(MAX_RESPONSE_HEADERS)
        .handshake(stream)
        .await?;
    // Its errors reach the call that uses the connection.
    tokio::spawn(connection.map(drop));
    Ok(sender)
}
