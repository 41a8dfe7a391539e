//! Content negotiation for results: the headers `Accept` and `Accept-Encoding` (RFC 9110, 12.5).

use std::cmp::Reverse;
use std::marker::PhantomData;

use actix_web::http::header::ACCEPT;

use crate::api::batches::resource::BatchResource;
use crate::api::content_coding::prefers_gzip;
use crate::api::description::{Description, JSON, header, text};
use crate::api::handler::HeadInput;
use crate::auth::AdmittedRequest;
use crate::problem::{Code, Problem};

/// Negotiated media type of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultFormat {
    /// JSON, in pages.
    Json,
    /// Newline-delimited JSON, as a stream.
    Ndjson,
    /// CSV, as a stream.
    Csv,
}

/// A media range of `Accept` and its quality value.
struct MediaRange {
    range: String,
    quality: f32,
}

/// Format and coding that the caller prefers for the results of a kind of batch.
pub struct PreferredFormat<K> {
    /// The format.
    pub format: ResultFormat,
    /// `true` if the caller wants the results compressed.
    pub is_compressed: bool,
    kind: PhantomData<fn() -> K>,
}

impl<K: BatchResource> HeadInput for PreferredFormat<K> {
    fn describe(description: &mut Description) {
        let page = description.add_schema::<K::ResultsPage>();
        description.add_content(JSON, &page);
        for stream in ["application/x-ndjson", "text/csv"] {
            description.add_content(stream, &text().into());
        }
        description.add_header("Batch-Status", header(text(), "Status of the batch. Only with NDJSON and CSV."));
    }

    fn from_head(request: &AdmittedRequest) -> Result<Self, Problem> {
        let headers = request.head().headers().get_all(ACCEPT).filter_map(|value| value.to_str().ok());
        let ranges: Vec<_> = headers.flat_map(|value| value.split(',')).filter_map(MediaRange::parse).collect();
        let format = ResultFormat::negotiate(&ranges).ok_or(Problem::new(Code::NotAcceptable))?;
        Ok(Self { format, is_compressed: prefers_gzip(request.head()), kind: PhantomData })
    }
}

impl ResultFormat {
    /// Returns the preferred format; `None` if no format is acceptable.
    fn negotiate(accepted: &[MediaRange]) -> Option<Self> {
        if accepted.is_empty() {
            return Some(Self::Json);
        }
        // The most specific range that contains a format determines its quality. Equal qualities are decided by the order in `Accept`.
        let preference = |format: Self| {
            let position = format.ranges().iter().find_map(|range| accepted.iter().position(|accepted| accepted.range == *range))?;
            Some((accepted[position].quality, Reverse(position))).filter(|(quality, _)| *quality > 0.0)
        };
        let mut best = None;
        for format in [Self::Json, Self::Ndjson, Self::Csv] {
            if let Some(preference) = preference(format)
                && best.is_none_or(|(other, _)| preference > other)
            {
                best = Some((preference, format));
            }
        }
        best.map(|(_, format)| format)
    }

    /// Returns the media ranges that contain the format, the most specific first.
    const fn ranges(self) -> &'static [&'static str] {
        match self {
            Self::Json => &["application/json", "application/*", "*/*"],
            Self::Ndjson => &["application/x-ndjson", "application/ndjson", "application/*", "*/*"],
            Self::Csv => &["text/csv", "text/*", "*/*"],
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_specific_range_overrides_wider_range() {
        let negotiate = |accept: &str| ResultFormat::negotiate(&accept.split(',').filter_map(MediaRange::parse).collect::<Vec<_>>());
        for (accept, format) in [
            ("", Some(ResultFormat::Json)),
            ("*/*", Some(ResultFormat::Json)),
            ("application/json;q=0, */*", Some(ResultFormat::Ndjson)),
            ("application/json;q=0, application/x-ndjson;q=0, */*", Some(ResultFormat::Csv)),
            ("text/csv;q=0, text/*", None),
            ("application/json;q=0.1, */*", Some(ResultFormat::Ndjson)),
            ("application/*;q=0, */*", Some(ResultFormat::Csv)),
            ("text/csv, application/json", Some(ResultFormat::Csv)),
            ("application/json;q=0.1, text/csv", Some(ResultFormat::Csv)),
            ("image/png", None),
        ] {
            assert_eq!(negotiate(accept), format, "{accept}");
        }
    }
}
