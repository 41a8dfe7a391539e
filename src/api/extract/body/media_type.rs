//! Media type, charset and coding of a request body.

use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use crate::problem::{Code, Problem};

/// The coding of a body (RFC 9110, 8.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// As it is.
    Identity,
    /// Compressed with gzip.
    Gzip,
}

/// Checks that a body is `application/json` in UTF-8, and returns its coding.
///
/// # Errors
/// Returns a problem that names the header at fault and what is allowed.
pub fn coding_of_json(request: &HttpRequest) -> Result<Coding, Problem> {
    require_json(request)?;
    let mut codings = request.headers().get_all(CONTENT_ENCODING).flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    let mut coding = Coding::Identity;
    let is_supported = codings.all(|name| match &name.trim_ascii().to_ascii_lowercase()[..] {
        b"" | b"identity" => true,
        b"gzip" | b"x-gzip" => std::mem::replace(&mut coding, Coding::Gzip) == Coding::Identity,
        _ => false,
    });
    if is_supported {
        return Ok(coding);
    }
    let detail = "The header Content-Encoding names a coding that the gateway does not support. Compress the body with `gzip`, once, or send it \
        uncompressed without this header.";
    Err(unsupported(detail).with_accepted_coding())
}

/// Checks the media type. A `charset` is not necessary; if there is one, it must be UTF-8.
fn require_json(request: &HttpRequest) -> Result<(), Problem> {
    let Some(value) = request.headers().get(CONTENT_TYPE) else {
        return Err(unsupported("The header Content-Type is missing. Send `Content-Type: application/json`."));
    };
    let mut parts = value.to_str().unwrap_or_default().split(';').map(str::trim);
    if !parts.next().is_some_and(|mime| mime.eq_ignore_ascii_case("application/json")) {
        return Err(unsupported("The header Content-Type names another media type. Send JSON with `Content-Type: application/json`."));
    }
    let is_utf_8 = |charset: &str| ["utf-8", "utf8"].iter().any(|name| charset.eq_ignore_ascii_case(name));
    let mut charsets =
        parts.filter_map(|parameter| parameter.split_once('=')).filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    if charsets.all(|(_, charset)| is_utf_8(charset.trim().trim_matches('"'))) {
        return Ok(());
    }
    Err(unsupported(
        "The `charset` of the header Content-Type is not UTF-8. Encode the body in UTF-8, and send `charset=utf-8` or no `charset`.",
    ))
}

fn unsupported(detail: &str) -> Problem {
    Problem::new(Code::UnsupportedMediaType).detail(detail)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;
    use crate::problem::TypeUris;

    fn coding(content_type: &str, codings: &[&str]) -> Result<Coding, String> {
        let mut request = TestRequest::post().insert_header((CONTENT_TYPE, content_type));
        for coding in codings {
            request = request.append_header((CONTENT_ENCODING, *coding));
        }
        coding_of_json(&request.to_http_request()).map_err(|problem| problem.body("", &TypeUris::default()).detail)
    }

    #[test]
    fn body_charset_may_be_utf_8_in_any_spelling() {
        for good in [
            "application/json",
            "Application/JSON; charset=utf8",
            "application/json;charset=\"UTF-8\"",
            "application/json; odata=x; Charset = Utf-8",
        ] {
            assert_eq!(coding(good, &[]), Ok(Coding::Identity), "{good}");
        }
        for (bad, named) in [
            ("application/json; charset=iso-8859-1", "charset"),
            ("application/json; charset=utf-8; charset=utf-16", "charset"),
            ("text/json", "media type"),
            ("", "media type"),
        ] {
            assert!(coding(bad, &[]).is_err_and(|detail| detail.contains(named)), "{bad}");
        }
    }

    #[test]
    fn body_coding_may_be_gzip_once() {
        for good in [&["gzip"][..], &["X-GZIP"], &["identity, GZip"], &["identity", "gzip"]] {
            assert_eq!(coding("application/json", good), Ok(Coding::Gzip), "{good:?}");
        }
        assert_eq!(coding("application/json", &["Identity"]), Ok(Coding::Identity));
        for bad in [&["br"][..], &["deflate"], &["gzip, gzip"], &["gzip", "x-gzip"], &["gzip, br"], &["gzip;q=1"]] {
            assert!(coding("application/json", bad).is_err_and(|detail| detail.contains("Content-Encoding")), "{bad:?}");
        }
    }
}
