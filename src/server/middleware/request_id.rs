//! The request ids: the gateway's own, and that of the caller.
//!
//! The gateway's own id is in the response (`Gateway-Request-Id`), in the problem body, in the audit trail and in every log line of the
//! request. It is unique. The caller's id, if it sent one, is in the response (`X-Request-Id`) and in every log line too. Callers may send the
//! same id twice, so nothing depends on it.

use actix_web::HttpMessage as _;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::HeaderName;
use uuid::Uuid;

use crate::auth::RequestId;

/// Header of the request id, in requests and responses.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Header of the gateway's own id, in responses.
pub const OWN_REQUEST_ID: HeaderName = HeaderName::from_static("gateway-request-id");

/// Maximum length of a caller's id, in characters.
const MAX_LENGTH: usize = 128;

/// Generates an id. Ids of later requests are greater (UUID version 7).
pub fn generate() -> String {
    Uuid::now_v7().to_string()
}

/// Returns the caller's id; `None` if there is none or several, or if it has other characters than ids have. It is logged and sent back, so
/// it must not be able to break either.
pub fn of_client(request: &ServiceRequest) -> Option<&str> {
    let mut headers = request.headers().get_all(REQUEST_ID);
    let id = headers.next().filter(|_| headers.next().is_none())?.to_str().ok()?;
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=~".contains(&byte);
    (1..=MAX_LENGTH).contains(&id.len()).then_some(id).filter(|id| id.bytes().all(is_valid))
}

/// Attaches the id to the request, for handlers.
pub fn attach(request: &ServiceRequest, id: &str) {
    request.extensions_mut().insert(RequestId(id.to_owned()));
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn request_ids_of_several_threads_are_unique_and_increase_in_each() {
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(|| (0..2_000).map(|_| generate()).collect::<Vec<_>>())).collect();
        let ids: Vec<Vec<String>> = threads.into_iter().map(|thread| thread.join().expect("the thread ends")).collect();
        assert!(ids.iter().all(|ids| ids.is_sorted()));
        assert_eq!(ids.concat().into_iter().collect::<std::collections::BTreeSet<_>>().len(), 8_000);
    }

    #[test]
    fn client_request_id_with_other_characters_or_too_long_is_ignored() {
        let is_accepted = |id: &str| of_client(&TestRequest::get().insert_header((REQUEST_ID, id)).to_srv_request()) == Some(id);
        for good in ["7", "01a206e9-1f29-728e-8c05-c7b61af44332", "7b.1/x_y~z=+:", &"a".repeat(128)] {
            assert!(is_accepted(good), "{good}");
        }
        for bad in ["", "a b", "|7b.1", "a\tb", "\"a\"", "a@b", "a\u{e9}", "{id}", &"a".repeat(129)] {
            assert!(!is_accepted(bad), "{bad}");
        }
        let twice = TestRequest::get().append_header((REQUEST_ID, "a")).append_header((REQUEST_ID, "a")).to_srv_request();
        assert_eq!(of_client(&twice), None);
    }
}
