//! Hands the framework one request at a time.
//!
//! The framework reads as much as it can: it parses up to 16 requests before it answers the first, and starts the next one while an answer
//! is still in its buffer. A client that sends many requests and reads nothing could so take any amount of memory. This stream ends each
//! read at the end of a request's head, and gives the framework nothing more until the answer is with the system. A body is read when the
//! handler asks for it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

use crate::observability::metrics;
use crate::server::connection_limits::{MAX_HEAD_BYTES, READ_BYTES};
use crate::server::connections::chunk_filter::ChunkFilter;
use crate::server::connections::connection::{Connection, Readable};
use crate::server::connections::head_filter::HeadFilter;
use crate::server::connections::socket::ClientStream;

/// The answer to a head beyond [`MAX_HEAD_BYTES`].
const HEAD_TOO_LARGE: &[u8] = b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// The stream of a client's requests.
#[derive(Debug)]
pub struct RequestStream<S> {
    stream: S,
    connection: Arc<Connection>,
    head: HeadFilter,
    chunks: ChunkFilter,
    /// Number of bytes of the current head that have been read.
    head_bytes: usize,
    /// Bytes that have been read and that the framework must not have yet.
    held_back: Vec<u8>,
    /// `true` if the framework must look at what it has before it gets more.
    is_paused: bool,
    /// `true` if the framework waits for bytes, and nothing but the end of the answer wakes it.
    is_waiting: bool,
    /// `true` if the bytes of the client are no well-formed request. The connection ends then.
    is_refused: bool,
}

impl<S: ClientStream> RequestStream<S> {
    /// Reads requests from a stream.
    pub fn new(stream: S) -> Self {
        let connection = stream.socket().connection().clone();
        Self {
            stream,
            connection,
            head: HeadFilter::default(),
            chunks: ChunkFilter::default(),
            head_bytes: 0,
            held_back: Vec::new(),
            is_paused: false,
            is_waiting: false,
            is_refused: false,
        }
    }

    /// Returns the state of the connection.
    pub fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Reads what has been held back, or else at most `limit` bytes from the client.
    fn poll_bytes(&mut self, limit: u64, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.held_back.is_empty() {
            let length = self.held_back.len().min(buffer.remaining());
            buffer.put_slice(&self.held_back[..length]);
            self.held_back.drain(..length);
            if self.held_back.is_empty() {
                self.held_back = Vec::new();
            }
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut (&mut self.stream).take(limit)).poll_read(context, buffer)
    }

    /// Leaves the first `length` of the bytes after `start` in the buffer, and holds back the rest.
    fn hold_back(&mut self, buffer: &mut ReadBuf<'_>, start: usize, length: usize) {
        let rest = &buffer.filled()[start + length..];
        if !rest.is_empty() {
            self.held_back.splice(..0, rest.iter().copied());
        }
        buffer.set_filled(start + length);
    }

    /// Waits until the client sends more or closes, but reads nothing.
    fn poll_client(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.stream.socket().poll_peek(context)? {
            // A client can close its half of the connection and wait for the answer.
            Poll::Ready(0) if self.held_back.is_empty() && !S::HOLDS_BYTES => Poll::Ready(Ok(())),
            Poll::Ready(_) => {
                self.is_waiting = true;
                Poll::Pending
            }
            Poll::Pending => {
                self.is_waiting = !self.held_back.is_empty() || S::HOLDS_BYTES;
                Poll::Pending
            }
        }
    }

    /// Answers a head that is too large, and ends the requests.
    fn refuse_head(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        metrics::record_malformed_request();
        // Nothing else is being sent. If the system takes no bytes now, the client has not read an earlier answer and gets none.
        let _ = Pin::new(&mut self.stream).poll_write(context, HEAD_TOO_LARGE)?;
        let _ = Pin::new(&mut self.stream).poll_flush(context)?;
        Poll::Ready(Ok(()))
    }
}

impl<S: ClientStream> AsyncRead for RequestStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.is_waiting = false;
        if std::mem::take(&mut this.is_paused) {
            let polled = this.poll_client(context);
            if this.is_waiting {
                context.waker().wake_by_ref();
            }
            return polled;
        }
        let readable = this.connection.readable();
        if readable == Readable::Nothing {
            return this.poll_client(context);
        }
        let start = buffer.filled().len();
        // Not more at a time if the end is not known: what follows the request is held back.
        let limit = if let Readable::Body(length) = readable { length } else { READ_BYTES as u64 };
        ready!(this.poll_bytes(limit, context, buffer))?;
        let bytes = &mut buffer.filled_mut()[start..];
        let length = match readable {
            Readable::Body(length) => bytes.len().min(usize::try_from(length).unwrap_or(usize::MAX)),
            Readable::Head => {
                let end = this.head.find_end(bytes);
                if end.is_some() {
                    (this.is_paused, this.chunks) = (true, ChunkFilter::default());
                }
                end.unwrap_or(bytes.len())
            }
            Readable::RestOfBody | Readable::Chunks(_) | Readable::Nothing => {
                let end = this.chunks.find_end(bytes);
                // The framework discards the rest of a body, but only when it gets nothing more for the moment.
                this.is_paused = end.is_some() || readable == Readable::RestOfBody;
                end.unwrap_or(bytes.len())
            }
        };
        this.hold_back(buffer, start, length);
        this.head_bytes = if readable == Readable::Head && !this.is_paused { this.head_bytes + length } else { 0 };
        if this.head_bytes > MAX_HEAD_BYTES {
            buffer.set_filled(start);
            return this.refuse_head(context);
        }
        this.connection.body_read(length as u64);
        Poll::Ready(Ok(()))
    }
}

impl<S: ClientStream> AsyncWrite for RequestStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // Without a request, only the framework answers: to what it cannot read.
        if !self.is_refused && self.connection.is_idle() && self.connection.closed().is_none() {
            self.is_refused = true;
            metrics::record_malformed_request();
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        // The framework flushes when its own buffer is empty.
        if self.connection.flushed() && self.is_waiting {
            context.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
