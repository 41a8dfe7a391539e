//! Routes that end: the headers `Deprecation` (RFC 9745), `Sunset` (RFC 8594) and `Link` of their answers.
//!
//! `docs/VERSIONING.md` says what callers can rely on.

use actix_web::dev::ServiceResponse;
use actix_web::http::Method;
use actix_web::http::header::{HeaderName, HeaderValue, LINK};
use jiff::civil::Date;
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::server::public_url::PublicUrl;

/// The response header with the time since which the route is deprecated.
const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
/// The response header with the time at which the route ends.
const SUNSET: HeaderName = HeaderName::from_static("sunset");

/// The announced end of a route.
#[derive(Debug, Clone, Copy)]
pub struct Deprecation {
    since: Date,
    sunset: Date,
    successor: &'static str,
}

impl Deprecation {
    /// Announces the end of a route. `successor` is the path of the route to use instead, with the parameters of the deprecated one.
    ///
    /// # Panics
    /// Panics if the notice is shorter than twelve months. Routes are declared in the program, so its tests find that.
    pub fn new(since: Date, sunset: Date, successor: &'static str) -> Self {
        assert!(since.checked_add(1.year()).is_ok_and(|earliest| earliest <= sunset), "{successor}: the notice is twelve months");
        Self { since, sunset, successor }
    }

    /// Returns the announcement as a paragraph, for the description of the operation.
    pub fn text(self) -> String {
        let Self { since, sunset, successor } = self;
        format!("Deprecated since {since}. It ends on {sunset}. Use `{successor}` instead.")
    }

    fn headers(self) -> Option<[(HeaderName, HeaderValue); 2]> {
        let deprecation = format!("@{}", midnight(self.since)?.as_second());
        let sunset = DateTimePrinter::new().timestamp_to_rfc9110_string(&midnight(self.sunset)?).ok()?;
        Some([(DEPRECATION, deprecation.try_into().ok()?), (SUNSET, sunset.try_into().ok()?)])
    }

    /// Returns the header `Link` of the answer to a request for this path, which matches the pattern of the route.
    fn link(self, pattern: &str, path: &str, public_url: Option<&PublicUrl>) -> Option<HeaderValue> {
        let mut successor = String::new();
        for segment in self.successor.split('/').skip(1) {
            successor.push('/');
            successor.push_str(if segment.starts_with('{') { parameter(segment, pattern, path)? } else { segment });
        }
        // Relative to the address of the request, so that it holds behind a proxy that adds a path. `resolve` makes it absolute.
        let reference = format!("{}{}", "../".repeat(path.matches('/').count().saturating_sub(1)), successor.trim_start_matches('/'));
        let target = match public_url {
            Some(public_url) => public_url.resolve(path, &reference)?,
            None => reference,
        };
        format!("<{target}>; rel=\"successor-version\"").try_into().ok()
    }
}

fn midnight(date: Date) -> Option<Timestamp> {
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// Returns the value of a parameter, if it needs no percent-encoding.
fn parameter<'p>(name: &str, pattern: &str, path: &'p str) -> Option<&'p str> {
    let (_, value) = pattern.split('/').zip(path.split('/')).find(|(segment, _)| *segment == name)?;
    let is_plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    Some(value).filter(|value| is_plain && !value.is_empty())
}

/// The deprecated routes of a server.
#[derive(Debug, Default)]
pub struct DeprecatedRoutes(Vec<DeprecatedRoute>);

#[derive(Debug)]
struct DeprecatedRoute {
    method: Method,
    pattern: &'static str,
    deprecation: Deprecation,
}

impl DeprecatedRoutes {
    /// Adds a route.
    pub fn add(&mut self, method: Method, pattern: &'static str, deprecation: Deprecation) {
        self.0.push(DeprecatedRoute { method, pattern, deprecation });
    }

    /// Adds the headers to the answer to a request, if its route is deprecated. `HEAD` has the route of `GET`.
    pub fn apply<B>(&self, response: &mut ServiceResponse<B>, public_url: Option<&PublicUrl>) {
        if self.0.is_empty() {
            return;
        }
        let request = response.request().clone();
        let Some(matched) = request.match_pattern() else { return };
        let Some(route) = self.0.iter().find(|route| route.method == request.method() && route.pattern == matched) else { return };
        for (name, value) in route.deprecation.headers().into_iter().flatten() {
            response.headers_mut().insert(name, value);
        }
        if let Some(link) = route.deprecation.link(route.pattern, request.path(), public_url) {
            response.headers_mut().append(LINK, link);
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::schema::Scalar as _;

    #[test]
    fn deprecation_link_leads_to_the_successor_with_the_parameters_of_the_request() {
        let link = |successor, pattern, path, public_url: Option<&PublicUrl>| {
            let deprecation = Deprecation::new(date(2027, 1, 1), date(2028, 1, 1), successor);
            deprecation.link(pattern, path, public_url).map(|link| link.to_str().expect("text").to_owned())
        };
        let expected = |target: &str| Some(format!("<{target}>; rel=\"successor-version\""));
        let public_url = PublicUrl::parse("https://mis.example/lrs").expect("an address");
        assert_eq!(link("/v2/learners/find", "/v1/learners/find", "/v1/learners/find", None), expected("../../v2/learners/find"));
        let absolute = link("/v2/learners/find", "/v1/learners/find", "/v1/learners/find", Some(&public_url));
        assert_eq!(absolute, expected("https://mis.example/lrs/v2/learners/find"));
        let (successor, pattern) = ("/v1/batches/{batchId}/rows.csv", "/v1/batches/{batchId}/rows");
        assert_eq!(link(successor, pattern, "/v1/batches/7-a/rows", None), expected("../../../v1/batches/7-a/rows.csv"));
        for unusual in ["/v1/batches/a%3E/rows", "/v1/batches/a>b/rows", "/v1/batches//rows"] {
            assert_eq!(link(successor, pattern, unusual, None), None, "{unusual}");
        }
        assert_eq!(link("/v2/{other}", pattern, "/v1/batches/7/rows", None), None);
    }

    #[test]
    #[should_panic(expected = "the notice is twelve months")]
    fn deprecation_with_less_than_twelve_months_of_notice_is_refused() {
        Deprecation::new(date(2027, 1, 2), date(2028, 1, 1), "/v2/learners");
    }
}
