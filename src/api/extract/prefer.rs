//! The header `Prefer: wait=N` (RFC 7240).

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use crate::auth::{ExtractFuture, after_authentication};
use crate::problem::Problem;

/// Maximum waiting time, in seconds.
const MAX_WAIT_SECONDS: u64 = 30;

/// The time that a caller is willing to wait for a batch; `None` without the header. Unreadable preferences are ignored, as RFC 7240
/// requires.
#[derive(Debug, Clone, Copy)]
pub struct PreferWait(pub Option<Duration>);

impl FromRequest for PreferWait {
    type Error = Problem;
    type Future = ExtractFuture<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let headers = request.headers().get_all("prefer").filter_map(|value| value.to_str().ok());
        let wait_seconds = headers.flat_map(|value| value.split([',', ';'])).find_map(wait_seconds);
        let wait = wait_seconds.map(|seconds| Duration::from_secs(seconds.min(MAX_WAIT_SECONDS)));
        after_authentication(request, Ok(Self(wait)))
    }
}

/// Returns the seconds of a `wait` preference.
fn wait_seconds(preference: &str) -> Option<u64> {
    let (name, seconds) = preference.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("wait") {
        return None;
    }
    seconds.trim().trim_matches('"').parse().ok()
}
