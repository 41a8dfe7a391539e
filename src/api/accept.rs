//! The header `Accept`: the media types that a caller takes (RFC 9110, 12.5.1).

use actix_web::http::header::{ACCEPT, HeaderMap};

/// The media ranges that contain HTML, the most specific first.
pub const HTML_RANGES: &[&str] = &["text/html", "text/*", "*/*"];
/// The media ranges that contain JSON, the most specific first.
pub const JSON_RANGES: &[&str] = &["application/json", "application/*", "*/*"];
/// The media ranges that contain problems, the most specific first. Callers who ask for JSON take problems too.
pub const PROBLEM_RANGES: &[&str] = &["application/problem+json", "application/json", "application/*", "*/*"];

/// A media range of `Accept` and its quality value.
struct MediaRange {
    range: String,
    quality: f32,
}

/// The media ranges of `Accept`. If there are none, every media type is acceptable.
pub struct AcceptedRanges(Vec<MediaRange>);

impl AcceptedRanges {
    /// Returns the media ranges of a request.
    pub fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all(ACCEPT).filter_map(|value| value.to_str().ok());
        Self(values.flat_map(|value| value.split(',')).filter_map(MediaRange::parse).collect())
    }

    /// Returns the quality value of a media type. `ranges` are those that contain it, the most specific first, which outranks the wider ones.
    pub fn quality(&self, ranges: &[&str]) -> f32 {
        if self.0.is_empty() {
            return 1.0;
        }
        let found = ranges.iter().find_map(|range| self.0.iter().find(|accepted| accepted.range == *range));
        found.map_or(0.0, |accepted| accepted.quality)
    }

    /// Returns `true` if the first media type has a higher quality value than the second.
    pub fn prefer(&self, ranges: &[&str], others: &[&str]) -> bool {
        self.quality(ranges) > self.quality(others)
    }

    /// Returns `true` if a media type is acceptable.
    pub fn include(&self, ranges: &[&str]) -> bool {
        self.quality(ranges) > 0.0
    }
}

impl MediaRange {
    fn parse(text: &str) -> Option<Self> {
        let mut parameters = text.split(';').map(str::trim);
        let range = parameters.next().filter(|range| !range.is_empty())?.to_ascii_lowercase();
        let quality = parameters.find_map(|parameter| parameter.strip_prefix("q=").or(parameter.strip_prefix("Q=")));
        Some(Self { range, quality: quality.and_then(|quality| quality.parse().ok()).unwrap_or(1.0) })
    }
}
