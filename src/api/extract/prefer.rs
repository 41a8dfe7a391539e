//! The header `Prefer: wait=N` (RFC 7240).

use std::time::Duration;

use utoipa::openapi::path::ParameterIn;

use crate::api::description::{Description, parameter, text};
use crate::api::handler::HeadInput;
use crate::api::response_headers;
use crate::auth::AdmittedRequest;
use crate::problem::Problem;

/// Maximum waiting time, in seconds.
const MAX_WAIT_SECONDS: u64 = 30;

/// The time that a caller is willing to wait for a batch; `None` without the header. Unreadable preferences are ignored, as RFC 7240
/// requires.
#[derive(Debug, Clone, Copy)]
pub struct PreferWait(pub Option<Duration>);

impl HeadInput for PreferWait {
    fn describe(description: &mut Description) {
        let meaning = format!("`wait=N`: wait up to N seconds, at most {MAX_WAIT_SECONDS} (RFC 7240). Other preferences are ignored.");
        description.add_header("Preference-Applied", response_headers::preference_applied());
        description.add_parameter("Prefer", parameter("Prefer", ParameterIn::Header, text().examples(["wait=20"]), &meaning));
    }

    fn from_head(request: &AdmittedRequest) -> Result<Self, Problem> {
        let headers = request.head().headers().get_all("prefer").filter_map(|value| value.to_str().ok());
        let wait_seconds = headers.flat_map(|value| value.split([',', ';'])).find_map(wait_seconds);
        Ok(Self(wait_seconds.map(|seconds| Duration::from_secs(seconds.min(MAX_WAIT_SECONDS)))))
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
