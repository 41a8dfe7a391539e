//! The transfer of a request body: unpacking, size limit, reserved memory.

use std::io::{self, Write};
use std::time::Duration;

use actix_web::dev::Payload;
use flate2::write::MultiGzDecoder;
use futures_util::StreamExt as _;
use tokio::time::Instant;

use crate::api::extract::body::media_type::Coding;
use crate::app::request_memory::{MemoryFull, Reservation, SMALL_BODY_BYTES};
use crate::problem::{Code, Problem};

/// Number of bytes above the maximum that the gateway reads and discards. Clients that read the answer only after they have sent everything
/// would otherwise not receive it.
const DRAINED_BYTES: usize = 8 * 1024 * 1024;

/// Time for the transfer of a body of any size. It grows with the bytes that arrive, see [`MIN_BYTES_PER_SECOND`].
const BASE_TRANSFER_TIME: Duration = Duration::from_secs(20);
/// Number of bytes for which the time for the transfer grows by one second. A body that does not arrive must not hold its memory for the
/// time that a body of its length would take.
const MIN_BYTES_PER_SECOND: u64 = 512 * 1024;

/// Number of compressed bytes that are unpacked at once: a thousand times as many bytes, at most. In between, other requests get their turn.
const COMPRESSED_STEP_BYTES: usize = 1024;

/// A body that has arrived, and the memory that is reserved for it.
#[derive(Debug)]
pub struct ReceivedBody {
    /// The bytes, unpacked.
    pub bytes: Vec<u8>,
    /// The reserved memory.
    pub memory: Reservation,
}

/// A body that is being received.
pub struct Transfer {
    decoder: Decoder,
    /// Number of bytes that have arrived, as they were sent.
    arrived: usize,
    /// Number of bytes that may arrive, including those that are discarded.
    max_arriving: usize,
    /// Time for the transfer before any byte has arrived.
    base_time: Duration,
}

enum Decoder {
    Identity(Buffer),
    Gzip(Box<MultiGzDecoder<Buffer>>),
}

/// Why a body is not accepted. The rest of it is read and discarded.
#[derive(Debug, Clone, Copy)]
enum Refusal {
    TooLarge { limit: usize },
    MemoryFull(MemoryFull),
    NotGzip,
}

impl Transfer {
    /// Prepares the transfer of a body of at most `limit` bytes, and reserves its memory. The length is that of the header, if there is one.
    pub fn new(coding: Coding, content_length: Option<usize>, limit: usize, memory: Reservation) -> Self {
        let mut buffer = Buffer { bytes: Vec::new(), limit, memory, refusal: None };
        match (coding, content_length) {
            (_, Some(length)) if length > limit => buffer.refuse(Refusal::TooLarge { limit }),
            (Coding::Identity, Some(length)) => buffer.expect(length),
            _ => {}
        }
        let decoder = match coding {
            Coding::Identity => Decoder::Identity(buffer),
            Coding::Gzip => Decoder::Gzip(Box::new(MultiGzDecoder::new(buffer))),
        };
        Self { decoder, arrived: 0, max_arriving: limit + DRAINED_BYTES, base_time: BASE_TRANSFER_TIME }
    }

    /// Receives the body to its end. A body that is refused is received too, and discarded.
    ///
    /// # Errors
    /// Returns a problem if the connection is lost, or if the body does not arrive in time.
    pub async fn receive(&mut self, payload: &mut Payload) -> Result<(), Problem> {
        let incomplete = |error| {
            Problem::new(Code::MalformedRequest).detail("The connection was lost before the request body was complete.").cause(error)
        };
        let started_at = Instant::now();
        loop {
            let transfer_time = self.base_time + Duration::from_secs(self.arrived as u64 / MIN_BYTES_PER_SECOND);
            let Ok(next) = tokio::time::timeout_at(started_at + transfer_time, payload.next()).await else {
                let too_slow = || Problem::new(Code::MalformedRequest).detail("The request body did not arrive in time. Send it faster.");
                return Err(self.refusal().unwrap_or_else(too_slow));
            };
            let Some(chunk) = next else { return Ok(()) };
            let chunk = chunk.map_err(incomplete)?;
            self.arrived = self.arrived.saturating_add(chunk.len());
            if self.arrived > self.max_arriving {
                let limit = self.decoder.buffer().limit;
                self.decoder.buffer().refuse(Refusal::TooLarge { limit });
                return Ok(());
            }
            self.decoder.decode(&chunk).await;
        }
    }

    /// Returns the body.
    ///
    /// # Errors
    /// Returns a problem if the body is too large or not gzip, or if there was no memory for it.
    pub fn finish(self) -> Result<ReceivedBody, Problem> {
        match self.decoder.finish() {
            Buffer { refusal: Some(refusal), .. } => Err(refusal.into()),
            Buffer { bytes, memory, .. } => Ok(ReceivedBody { bytes, memory }),
        }
    }

    /// Returns the problem of a body that was refused before its end.
    fn refusal(&mut self) -> Option<Problem> {
        self.decoder.buffer().refusal.map(Problem::from)
    }
}

impl Decoder {
    fn buffer(&mut self) -> &mut Buffer {
        match self {
            Self::Identity(buffer) => buffer,
            Self::Gzip(decoder) => decoder.get_mut(),
        }
    }

    async fn decode(&mut self, chunk: &[u8]) {
        if self.buffer().refusal.is_some() {
            return;
        }
        let Self::Gzip(decoder) = self else {
            // The buffer keeps the reason of an error.
            let _ = self.buffer().write_all(chunk);
            return;
        };
        for step in chunk.chunks(COMPRESSED_STEP_BYTES) {
            if decoder.write_all(step).is_err() {
                return decoder.get_mut().refuse(Refusal::NotGzip);
            }
            tokio::task::yield_now().await;
        }
    }

    /// Returns the buffer. A gzip body must be complete, with its checksum.
    fn finish(self) -> Buffer {
        match self {
            Self::Identity(buffer) => buffer,
            Self::Gzip(mut decoder) => {
                if decoder.try_finish().is_err() {
                    decoder.get_mut().refuse(Refusal::NotGzip);
                }
                let buffer = decoder.get_mut();
                Buffer {
                    bytes: std::mem::take(&mut buffer.bytes),
                    limit: buffer.limit,
                    memory: buffer.memory.take(),
                    refusal: buffer.refusal,
                }
            }
        }
    }
}

/// The unpacked bytes.
struct Buffer {
    bytes: Vec<u8>,
    limit: usize,
    memory: Reservation,
    refusal: Option<Refusal>,
}

impl Buffer {
    /// Reserves the memory of a body whose length is known. A small one reserves what arrives: its client may never send it.
    fn expect(&mut self, length: usize) {
        if length <= SMALL_BODY_BYTES {
            self.bytes = Vec::with_capacity(length);
        } else {
            match self.memory.resize(length) {
                Ok(()) => self.bytes = Vec::with_capacity(length),
                Err(full) => self.refuse(Refusal::MemoryFull(full)),
            }
        }
    }

    /// Discards the bytes, and gives their memory back. Only the first reason counts.
    fn refuse(&mut self, refusal: Refusal) {
        self.refusal.get_or_insert(refusal);
        self.bytes = Vec::new();
        drop(self.memory.take());
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.bytes.len() + bytes.len();
        if self.refusal.is_none() && length > self.limit {
            self.refuse(Refusal::TooLarge { limit: self.limit });
        } else if self.refusal.is_none()
            && let Err(full) = self.memory.grow_to(length)
        {
            self.refuse(Refusal::MemoryFull(full));
        }
        if self.refusal.is_some() {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const fn memory_full(full: MemoryFull) -> &'static str {
    match full {
        MemoryFull::Organisation => {
            "The bodies of your organisation's requests in progress take all the memory that it may use. Nothing was carried out. Send large \
             requests one after another, and this one again after the time in `Retry-After`."
        }
        MemoryFull::Process => {
            "The bodies of the requests in progress take all the memory for them. Nothing was carried out. Try again after the time in \
             `Retry-After`."
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TooLarge { limit } => Self::new(Code::BodyTooLarge)
                .detail(format!("The request body must have at most {limit} bytes, counted without compression.")),
            Refusal::NotGzip => Self::new(Code::MalformedRequest)
                .detail("The request body is not complete gzip data, which the header Content-Encoding states. Send it again as a whole."),
            // Random, so that the callers do not all retry at the same moment.
            Refusal::MemoryFull(full) => Self::new(Code::RequestMemoryFull).detail(memory_full(full)).retry_after(fastrand::u64(1..=5)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use actix_web::error::PayloadError;
    use actix_web::web::Bytes;
    use futures_util::stream;

    use super::*;
    use crate::app::request_memory::RequestMemory;
    use crate::domain::Ukprn;
    use crate::problem::TypeUris;
    use crate::schema::Scalar as _;

    /// Receives a body of which these chunks arrive, and then nothing. Returns the time after which it ends.
    async fn receive_stalled(chunks: Vec<usize>) -> Duration {
        let memory = Arc::new(RequestMemory::new(64 * 1024 * 1024)).reserve(&Ukprn::parse("10088881").expect("a UKPRN"));
        let mut transfer = Transfer::new(Coding::Identity, Some(30_000_000), 30_000_000, memory);
        transfer.base_time = Duration::from_millis(100);
        let arrived = stream::iter(chunks).map(|length| Ok::<_, PayloadError>(Bytes::from(vec![b' '; length])));
        let mut payload: Payload = Payload::Stream { payload: arrived.chain(stream::pending()).boxed_local() };
        let started_at = Instant::now();
        let problem = transfer.receive(&mut payload).await.expect_err("the body is not complete");
        assert!(problem.body("", &TypeUris::default()).detail.contains("did not arrive in time"));
        started_at.elapsed()
    }

    #[actix_web::test]
    async fn transfer_time_grows_only_with_the_bytes_that_have_arrived() {
        let without_bytes = receive_stalled(vec![]).await;
        assert!(without_bytes >= Duration::from_millis(100) && without_bytes < Duration::from_secs(1), "{without_bytes:?}");
        let with_bytes = receive_stalled(vec![300 * 1024, 300 * 1024]).await;
        assert!(with_bytes >= Duration::from_secs(1) && with_bytes < Duration::from_secs(2), "{with_bytes:?}");
    }
}
