//! Ends connections the way networks do: with a reset, and without a byte of an answer.

use std::any::Any;
use std::io::Error;

use actix_web::body::BodyStream;
use actix_web::dev::Extensions;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;

/// Another handle of a request's connection, with which its end can be decided.
#[cfg(unix)]
struct Handle(actix_web::rt::net::TcpSocket);

/// The subject of the client certificate that was shown when a connection was made.
struct Shown(String);

fn subject_of(certificate: &[u8]) -> String {
    x509_parser::parse_x509_certificate(certificate).map_or_else(|_| String::new(), |(_, certificate)| certificate.subject().to_string())
}

/// The subject of the client certificate that came with a request; empty if there was none.
pub fn subject(request: &HttpRequest) -> &str {
    request.conn_data::<Shown>().map_or("", |shown| &shown.0)
}

/// Remembers a new connection, with or without TLS, for its requests.
#[cfg(unix)]
pub fn remember(connection: &dyn Any, data: &mut Extensions) {
    use std::os::fd::AsFd as _;

    use actix_tls::accept::rustls_0_23::TlsStream;
    use actix_web::rt::net::{TcpSocket, TcpStream};

    let tls = connection.downcast_ref::<TlsStream<TcpStream>>();
    if let Some(certificate) = tls.and_then(|tls| tls.get_ref().1.peer_certificates()?.first()) {
        data.insert(Shown(subject_of(certificate)));
    }
    let cloned = crate::tls::tcp_of(connection).and_then(|tcp| tcp.as_fd().try_clone_to_owned().ok());
    if let Some(handle) = cloned {
        data.insert(Handle(TcpSocket::from_std_stream(handle.into())));
    }
}

/// Gives the connection no time to linger when it is closed.
#[cfg(unix)]
fn hurry(request: &HttpRequest) {
    if let Some(Handle(socket)) = request.conn_data::<Handle>()
        && let Err(error) = socket.set_zero_linger()
    {
        tracing::warn!(%error, "a connection is closed instead of reset");
    }
}

/// Elsewhere, connections are closed instead of reset.
#[cfg(not(unix))]
pub fn remember(_: &dyn Any, _: &mut Extensions) {}

#[cfg(not(unix))]
fn hurry(_: &HttpRequest) {}

/// In place of an answer, the end of the request's connection.
///
/// A body that fails at once takes the headers with it, since nothing is written before the first piece of a body. A
/// connection that is closed then without time to linger is reset.
pub fn reset(request: &HttpRequest) -> HttpResponse {
    hurry(request);
    let never = stream::once(Box::pin(async { Err::<Bytes, _>(Error::other("the connection is reset, as it was ordered")) }));
    HttpResponse::Ok().body(BodyStream::new(never))
}
