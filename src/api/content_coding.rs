//! The coding of answers (RFC 9110, 8.4): gzip, for callers that accept it.
//!
//! An answer is compressed while it is sent: the gateway never holds more of it, compressed, than the connection takes at once.
//!
//! Only the results of batches and the gateway's public documents are compressed. They are large and repeat themselves. An answer about a
//! single learner takes longer to compress than all else that the gateway does for it. For what the length of a compressed answer tells an
//! eavesdropper, see `docs/BATCHES.md`.

use std::error::Error;
use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::header::{AcceptEncoding, CONTENT_ENCODING, Encoding, Header as _, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use flate2::Compression;
use flate2::write::GzEncoder;

/// The value of `Content-Encoding` of a compressed answer.
pub const GZIP: HeaderValue = HeaderValue::from_static("gzip");

/// Size below which an answer is not compressed, in bytes: it fits into one packet anyway.
const MIN_COMPRESSED_BYTES: u64 = 1024;

/// Number of bytes that are compressed at once. In between, other requests get their turn.
const STEP_BYTES: usize = 32 * 1024;

/// Number of compressed bytes that are handed over at once.
const PIECE_BYTES: usize = 16 * 1024;

/// The fastest level. The third makes results a quarter smaller with 3.5 times the work, the usual one a third with six times.
const LEVEL: Compression = Compression::fast();

/// Returns `true` if the caller prefers gzip to no coding (RFC 9110, 12.5.3).
pub fn prefers_gzip(request: &HttpRequest) -> bool {
    let supported = [Encoding::gzip(), Encoding::identity()];
    let accepted = AcceptEncoding::parse(request).ok();
    accepted.and_then(|accepted| accepted.negotiate(supported.iter())).is_some_and(|encoding| encoding == Encoding::gzip())
}

/// Compresses the body of an answer while it is sent, unless it is small.
pub fn compress(response: HttpResponse) -> HttpResponse {
    if matches!(response.body().size(), BodySize::None | BodySize::Sized(..MIN_COMPRESSED_BYTES)) {
        return response;
    }
    response.map_body(|head, body| {
        head.headers_mut().insert(CONTENT_ENCODING, GZIP);
        BoxBody::new(GzipBody { body, remaining: Bytes::new(), encoder: Some(GzEncoder::new(Vec::new(), LEVEL)) })
    })
}

/// A body that is compressed while it is sent.
struct GzipBody {
    body: BoxBody,
    /// The rest of what `body` returned last.
    remaining: Bytes,
    /// `None` at the end of the body.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl MessageBody for GzipBody {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        let Some(encoder) = &mut this.encoder else { return Poll::Ready(None) };
        if this.remaining.is_empty() {
            match ready!(Pin::new(&mut this.body).poll_next(context)) {
                Some(Ok(bytes)) => this.remaining = bytes,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    let last = this.encoder.take().map_or(Ok(Vec::new()), GzEncoder::finish);
                    return Poll::Ready(Some(last.map(Bytes::from).map_err(Into::into)));
                }
            }
        }
        let step = this.remaining.split_to(STEP_BYTES.min(this.remaining.len()));
        encoder.write_all(&step)?;
        if encoder.get_ref().len() >= PIECE_BYTES {
            return Poll::Ready(Some(Ok(std::mem::take(encoder.get_mut()).into())));
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use actix_web::body::{BodyStream, to_bytes};
    use actix_web::http::header::ACCEPT_ENCODING;
    use actix_web::test::TestRequest;
    use flate2::read::GzDecoder;
    use futures_util::stream;

    use super::*;

    #[test]
    fn accept_encoding_is_negotiated_with_quality_values() {
        for (accepted, expected) in [
            (&["gzip"][..], true),
            (&["br, gzip;q=0.1, *;q=0"], true),
            (&["deflate", "gzip"], true),
            (&["gzip, identity;q=0"], true),
            (&["identity, gzip;q=0.5"], false),
            (&[], false),
            (&[""], false),
            (&["gzip;q=0"], false),
            (&["gzip;q=0.0, *"], false),
            (&["identity"], false),
            (&["br, zstd"], false),
        ] {
            let request = accepted.iter().fold(TestRequest::get(), |request, coding| request.append_header((ACCEPT_ENCODING, *coding)));
            assert_eq!(prefers_gzip(&request.to_http_request()), expected, "{accepted:?}");
        }
    }

    #[actix_web::test]
    async fn compressed_body_in_chunks_of_any_size_is_sent_in_pieces_and_unpacks_to_the_same() {
        // Numbers of digits in no order: they compress to about half.
        let text: Vec<u8> = (0..200_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_string().into_bytes()).collect();
        for chunk_bytes in [1_000, 100_000, text.len()] {
            let chunks = text.chunks(chunk_bytes).map(|chunk| Ok::<_, std::io::Error>(Bytes::copy_from_slice(chunk)));
            let response = compress(HttpResponse::Ok().body(BodyStream::new(stream::iter(chunks.collect::<Vec<_>>()))));
            assert_eq!((response.headers().get(CONTENT_ENCODING), response.body().size()), (Some(&GZIP), BodySize::Stream));
            let mut body = response.into_body();
            let mut compressed = Vec::new();
            while let Some(piece) = std::future::poll_fn(|context| Pin::new(&mut body).poll_next(context)).await {
                let piece = piece.expect("a piece");
                assert!(piece.len() <= PIECE_BYTES + STEP_BYTES + 1024, "{}", piece.len());
                compressed.extend_from_slice(&piece);
            }
            let mut unpacked = Vec::new();
            GzDecoder::new(&compressed[..]).read_to_end(&mut unpacked).expect("gzip");
            assert!(unpacked == text && compressed.len() < text.len() * 6 / 10, "{}", compressed.len());
        }
    }

    #[actix_web::test]
    async fn small_body_is_not_compressed() {
        for (bytes, is_compressed) in [(0, false), (1023, false), (1024, true)] {
            let response = compress(HttpResponse::Ok().body("a".repeat(bytes)));
            assert_eq!(response.headers().contains_key(CONTENT_ENCODING), is_compressed, "{bytes}");
            assert_eq!(matches!(response.body().size(), BodySize::Stream), is_compressed, "{bytes}");
        }
    }

    #[actix_web::test]
    async fn body_that_breaks_off_is_no_complete_gzip() {
        let chunks = [Ok(Bytes::from_static(b"{}\n")), Err(std::io::Error::other("the store is unavailable"))];
        let response = compress(HttpResponse::Ok().body(BodyStream::new(stream::iter(chunks))));
        assert!(to_bytes(response.into_body()).await.is_err());
    }
}
