//! Connections of clients: the client certificate, and TCP resets.

use std::any::Any;
use std::io::Error;

use actix_web::body::BodyStream;
use actix_web::dev::Extensions;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;

/// A second handle of a connection's socket, which allows a reset.
#[cfg(unix)]
struct SocketHandle(actix_web::rt::net::TcpSocket);

/// The subject of the client certificate of a connection.
struct ClientCertificateSubject(String);

/// Stores the socket and the client certificate of a new connection, for its requests.
#[cfg(unix)]
pub fn on_connect(connection: &dyn Any, data: &mut Extensions) {
    use std::os::fd::AsFd as _;

    use actix_tls::accept::rustls_0_23::TlsStream;
    use actix_web::rt::net::{TcpSocket, TcpStream};

    let tls = connection.downcast_ref::<TlsStream<TcpStream>>();
    if let Some(certificate) = tls.and_then(|tls| tls.get_ref().1.peer_certificates()?.first()) {
        data.insert(ClientCertificateSubject(subject_of(certificate)));
    }
    let socket = crate::tls::tcp_stream(connection).and_then(|tcp| tcp.as_fd().try_clone_to_owned().ok());
    if let Some(socket) = socket {
        data.insert(SocketHandle(TcpSocket::from_std_stream(socket.into())));
    }
}

/// Does nothing: a connection cannot be reset on this platform.
#[cfg(not(unix))]
pub fn on_connect(_: &dyn Any, _: &mut Extensions) {}

/// Returns the subject of the client certificate of a request's connection. It is empty if there was no certificate.
pub fn client_certificate_subject(request: &HttpRequest) -> &str {
    request.conn_data::<ClientCertificateSubject>().map_or("", |subject| &subject.0)
}

fn subject_of(certificate: &[u8]) -> String {
    x509_parser::parse_x509_certificate(certificate).map_or_else(|_| String::new(), |(_, certificate)| certificate.subject().to_string())
}

/// Returns a response that resets the request's connection before its first byte.
///
/// The server writes the headers together with the first chunk of the body. The body of this response fails instead, so nothing is
/// written. The server then closes the connection, and a socket without linger time is reset when it is closed.
pub fn reset(request: &HttpRequest) -> HttpResponse {
    set_zero_linger(request);
    let failing_body = stream::once(Box::pin(async { Err::<Bytes, _>(Error::other("connection reset as the scenario says")) }));
    HttpResponse::Ok().body(BodyStream::new(failing_body))
}

#[cfg(unix)]
fn set_zero_linger(request: &HttpRequest) {
    if let Some(SocketHandle(socket)) = request.conn_data::<SocketHandle>()
        && let Err(error) = socket.set_zero_linger()
    {
        tracing::warn!(%error, "connection closed instead of reset: linger time not set");
    }
}

/// Does nothing: on this platform the connection is closed instead of reset.
#[cfg(not(unix))]
fn set_zero_linger(_: &HttpRequest) {}
