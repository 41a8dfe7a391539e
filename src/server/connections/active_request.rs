//! A request that is being answered: what of its body is read, and how its answer is handed to the connection.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_web::HttpMessage as _;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::Bytes;
use futures_util::Stream;

use crate::problem::{Code, Problem};
use crate::server::connection_limits::{CHUNK_BYTES, PIECE_BYTES};
use crate::server::connections::connection::{Connection, RequestBody};
use crate::server::connections::forwarded_requests::{ForwardedRequest, ForwardedRequests};

/// A request that is being answered. While it lives, its connection has no deadline; when it is dropped, the connection's next request is
/// due.
#[derive(Debug)]
pub struct ActiveRequest {
    connection: Option<Arc<Connection>>,
    /// `true` if the connection was closed when the request arrived.
    is_connection_closed: bool,
    forwarded: Option<ForwardedRequest>,
}

impl ActiveRequest {
    /// Starts the answer to a request. From now on, its body is read from the connection only when the handler asks for it.
    pub fn start(request: &mut ServiceRequest) -> Self {
        let connection = request.conn_data::<Arc<Connection>>().cloned();
        let mut is_connection_closed = false;
        if let Some(connection) = &connection {
            let body = request_body(request);
            is_connection_closed = !connection.start_answer(body.unwrap_or(RequestBody::sized(0)));
            if body.is_some() {
                let payload = BodyOnDemand { payload: request.take_payload(), connection: connection.clone() };
                request.set_payload(Payload::Stream { payload: Box::pin(payload) });
            }
        }
        Self { connection, is_connection_closed, forwarded: None }
    }

    /// Admits the request to its handler. Counts it if its client is behind a trusted proxy.
    ///
    /// # Errors
    /// Returns a problem if the connection was closed before the request arrived, or if too many requests of the client are being answered.
    pub fn admit(&mut self, request: &ServiceRequest, requests: &Arc<ForwardedRequests>) -> Result<(), Problem> {
        if self.is_connection_closed {
            // No client receives it: the connection takes no answer.
            return Err(Problem::new(Code::MalformedRequest).detail("The connection was closed before the request arrived."));
        }
        self.forwarded = requests.begin(request)?;
        Ok(())
    }

    /// Returns `true` if the connection must end with the answer: the handler has not read a body in chunks to its end.
    pub fn must_close(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.has_unread_chunks())
    }

    /// Limits the time that the client may take for an answer's body, and hands the body to the connection in pieces, so that the buffers
    /// never hold more than one piece.
    pub fn limit_body(self, body: BoxBody) -> BoxBody {
        BoxBody::new(PiecewiseBody { body, remaining: Bytes::new(), untimed_bytes: 0, request: self })
    }

    /// Returns the body of the answer to a `HEAD` request: it has a size, and is not produced.
    pub fn omit_body(self, body: &BoxBody) -> BoxBody {
        BoxBody::new(OmittedBody { size: body.size(), _request: self })
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            connection.end_answer();
        }
    }
}

/// Returns the body that a request announces.
fn request_body(request: &ServiceRequest) -> Option<RequestBody> {
    if request.chunked().unwrap_or(false) {
        return Some(RequestBody::chunked());
    }
    let length = request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()?;
    (length > 0).then(|| RequestBody::sized(length))
}

/// The body of a request. It is read from the connection when the handler waits for it.
struct BodyOnDemand {
    payload: Payload,
    connection: Arc<Connection>,
}

impl Stream for BodyOnDemand {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = Pin::new(&mut self.payload).poll_next(context);
        match &polled {
            Poll::Pending => self.connection.want_body(),
            Poll::Ready(None) => self.connection.body_complete(),
            Poll::Ready(Some(_)) => self.connection.body_taken(),
        }
        polled
    }
}

/// A body of which only the size is sent.
struct OmittedBody {
    size: BodySize,
    _request: ActiveRequest,
}

impl MessageBody for OmittedBody {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        self.size
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Poll::Ready(None)
    }
}

/// The body of an answer, handed over piece by piece.
struct PiecewiseBody {
    body: BoxBody,
    /// The rest of what `body` returned last.
    remaining: Bytes,
    /// Number of bytes that can still be handed over before the client gets a new deadline.
    untimed_bytes: usize,
    request: ActiveRequest,
}

impl MessageBody for PiecewiseBody {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        if this.remaining.is_empty() {
            if let Some(connection) = &this.request.connection {
                connection.clear_deadline();
            }
            this.untimed_bytes = 0;
            match ready!(Pin::new(&mut this.body).poll_next(context)) {
                Some(Ok(bytes)) => this.remaining = bytes,
                Some(Err(error)) => {
                    tracing::error!(%error, "answer not complete: its body could not be produced");
                    return Poll::Ready(Some(Err(error)));
                }
                None => return Poll::Ready(None),
            }
        }
        let piece = this.remaining.split_to(PIECE_BYTES.min(this.remaining.len()));
        if this.untimed_bytes < piece.len()
            && let Some(connection) = &this.request.connection
        {
            connection.expect_chunk_read();
            this.untimed_bytes = CHUNK_BYTES;
        }
        this.untimed_bytes = this.untimed_bytes.saturating_sub(piece.len());
        Poll::Ready(Some(Ok(piece)))
    }
}
