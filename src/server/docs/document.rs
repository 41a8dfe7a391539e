//! Public documents: content that changes only with the program, which caches may keep if they ask whether it has changed (RFC 9110, 13).

use std::io::Write as _;

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, EntityTag, Header as _, HeaderValue, IfNoneMatch, VARY,
};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use aws_lc_rs::digest::{SHA256, digest};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::api::content_coding::{GZIP, prefers_gzip};
use crate::storage::encryption::to_hex;

/// Every use of a stored copy asks for changes first: a new version of the gateway changes its documents at once.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

/// Length of the hash in an entity tag, in bytes.
const TAG_BYTES: usize = 16;

/// A document, with a coded form if there is one.
#[derive(Debug)]
pub struct Document {
    content_type: String,
    plain: Representation,
    gzip: Option<Representation>,
}

/// A form of a document. Its tag is a hash of its bytes, so that two forms never have the same one.
#[derive(Debug)]
struct Representation {
    bytes: Bytes,
    tag: EntityTag,
}

impl Document {
    /// Creates a document that is sent as it is.
    pub fn plain(content_type: &str, bytes: Bytes) -> Self {
        Self { content_type: content_type.to_owned(), plain: Representation::new(bytes), gzip: None }
    }

    /// Creates a document that is sent in gzip format to callers that prefer it.
    pub fn compressed(content_type: &str, bytes: Bytes) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let gzip = encoder.write_all(&bytes).and_then(|()| encoder.finish()).ok();
        Self { gzip: gzip.map(Bytes::from).map(Representation::new), ..Self::plain(content_type, bytes) }
    }

    /// Returns its content, which is shared.
    pub fn bytes(&self) -> Bytes {
        self.plain.bytes.clone()
    }

    /// Returns the answer to a `GET` request: the document, or 304 if the caller has it in the form that it prefers.
    pub fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let gzip = self.gzip.as_ref().filter(|_| prefers_gzip(request));
        let Representation { bytes, tag } = gzip.unwrap_or(&self.plain);
        let is_known = is_known(request, tag);
        let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response.insert_header((ETAG, tag.to_string())).insert_header((CACHE_CONTROL, REVALIDATE));
        if self.gzip.is_some() {
            response.insert_header((VARY, "Accept-Encoding"));
        }
        if is_known {
            return response.finish();
        }
        if gzip.is_some() {
            response.insert_header((CONTENT_ENCODING, GZIP));
        }
        response.insert_header((CONTENT_TYPE, self.content_type.as_str())).body(bytes.clone())
    }
}

impl Representation {
    fn new(bytes: Bytes) -> Self {
        let hash = to_hex(&digest(&SHA256, &bytes).as_ref()[..TAG_BYTES]);
        Self { bytes, tag: EntityTag::new_strong(hash) }
    }
}

/// Returns `true` if `If-None-Match` names the tag, or any (RFC 9110, 13.1.2).
fn is_known(request: &HttpRequest, tag: &EntityTag) -> bool {
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(known)) => known.iter().any(|known| known.weak_eq(tag)),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{ACCEPT_ENCODING, IF_NONE_MATCH};
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn if_none_match_is_compared_weakly_with_each_tag_of_the_list() {
        let document = Document::compressed("text/plain", Bytes::from_static(b"text"));
        let tag = document.plain.tag.to_string();
        let gzip_tag = document.gzip.as_ref().expect("a coded form").tag.to_string();
        assert!(tag.len() == 34 && tag != gzip_tag, "{tag} {gzip_tag}");
        for (known, coding, status) in [
            (vec![tag.clone()], "identity", 304),
            (vec![format!("W/{tag}")], "identity", 304),
            (vec![format!("\"other\", W/\"x\",{tag}")], "identity", 304),
            (vec!["\"other\"".to_owned(), tag.clone()], "identity", 304),
            (vec!["*".to_owned()], "identity", 304),
            (vec!["*".to_owned()], "gzip", 304),
            (vec![gzip_tag.clone()], "gzip", 304),
            (vec![tag.clone()], "gzip", 200),
            (vec![gzip_tag], "identity", 200),
            (vec!["\"other\"".to_owned()], "identity", 200),
            (vec![tag.trim_matches('"').to_owned()], "identity", 200),
            (vec![String::new()], "identity", 200),
            (vec![], "identity", 200),
        ] {
            let request = TestRequest::get().append_header((ACCEPT_ENCODING, coding));
            let request = known.iter().fold(request, |request, tag| request.append_header((IF_NONE_MATCH, tag.as_str())));
            assert_eq!(document.answer(&request.to_http_request()).status().as_u16(), status, "{known:?}, {coding}");
        }
    }
}
