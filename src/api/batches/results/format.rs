//! The formats of results. Each has its own path, and a caller's `Accept` may exclude it (RFC 9110, 12.5.1).

use std::marker::PhantomData;

use crate::api::accept::AcceptedRanges;
use crate::api::batches::resource::BatchResource;
use crate::api::batches::results::csv::column_names;
use crate::api::content_coding::prefers_gzip;
use crate::api::description::{Description, JSON, text};
use crate::api::handler::HeadInput;
use crate::api::response_headers;
use crate::auth::AdmittedRequest;
use crate::problem::{Code, Problem};
use crate::schema::openapi::SchemaOrRef;

/// The description's keyword for the schema of one line of NDJSON. OpenAPI before 3.2 has none.
const LINE_SCHEMA: &str = "x-ndjson-line";

/// A format of results.
pub trait ResultFormat: 'static {
    /// The media type.
    const MEDIA_TYPE: &'static str;
    /// The media ranges that contain the media type, the most specific first.
    const RANGES: &'static [&'static str];
    /// The last segment of the path.
    const FILE_NAME: &'static str;

    /// Returns the schema of the results of a kind of batch.
    fn schema<K: BatchResource>(description: &mut Description) -> SchemaOrRef;
}

/// JSON, in pages.
#[derive(Debug, Clone, Copy)]
pub enum JsonPages {}

/// Newline-delimited JSON, as a stream.
#[derive(Debug, Clone, Copy)]
pub enum Ndjson {}

/// CSV, as a stream.
#[derive(Debug, Clone, Copy)]
pub enum Csv {}

/// The path of each media type, for callers that ask for another one.
const PATHS: [(&[&str], &str, &str); 3] = [path_of::<JsonPages>(), path_of::<Ndjson>(), path_of::<Csv>()];

const fn path_of<F: ResultFormat>() -> (&'static [&'static str], &'static str, &'static str) {
    (F::RANGES, F::MEDIA_TYPE, F::FILE_NAME)
}

impl ResultFormat for JsonPages {
    const MEDIA_TYPE: &'static str = JSON;
    const RANGES: &'static [&'static str] = &[JSON, "application/*", "*/*"];
    const FILE_NAME: &'static str = "results";

    fn schema<K: BatchResource>(description: &mut Description) -> SchemaOrRef {
        description.add_schema::<K::ResultsPage>()
    }
}

impl ResultFormat for Ndjson {
    const MEDIA_TYPE: &'static str = "application/x-ndjson";
    const RANGES: &'static [&'static str] = &["application/x-ndjson", "application/ndjson", "application/*", "*/*"];
    const FILE_NAME: &'static str = "results.ndjson";

    fn schema<K: BatchResource>(description: &mut Description) -> SchemaOrRef {
        let line = description.add_schema::<K::ResultAnswer>();
        let keyword = serde_json::to_value(line).map(|line| [(LINE_SCHEMA, line)].into_iter().collect());
        text().description(Some("One result in each line, as a JSON object.")).extensions(keyword.ok()).into()
    }
}

impl ResultFormat for Csv {
    const MEDIA_TYPE: &'static str = "text/csv";
    const RANGES: &'static [&'static str] = &["text/csv", "text/*", "*/*"];
    const FILE_NAME: &'static str = "results.csv";

    fn schema<K: BatchResource>(_: &mut Description) -> SchemaOrRef {
        let columns = format!(
            "CSV (RFC 4180) in UTF-8. The first line has the names of the columns: {}.",
            column_names(&K::csv_columns()).join(", ")
        );
        text().description(Some(columns)).into()
    }
}

/// The header `Accept`, which must not exclude the format, and the preferred coding of the results of a kind of batch.
pub struct Accepts<K, F> {
    /// `true` if the caller wants the results compressed.
    pub is_compressed: bool,
    requirements: PhantomData<fn() -> (K, F)>,
}

impl<K: BatchResource, F: ResultFormat> HeadInput for Accepts<K, F> {
    fn describe(description: &mut Description) {
        let schema = F::schema::<K>(description);
        description.add_content(F::MEDIA_TYPE, &schema);
        description.add_problems("Accept", &[Code::NotAcceptable]);
        description.add_header("Content-Encoding", response_headers::content_encoding());
        description.add_header("Vary", response_headers::vary());
    }

    fn from_head(request: &AdmittedRequest) -> Result<Self, Problem> {
        let accepted = AcceptedRanges::of(request.head().headers());
        if !accepted.include(F::RANGES) {
            return Err(Problem::new(Code::NotAcceptable).detail(detail_for::<F>(&accepted)));
        }
        Ok(Self { is_compressed: prefers_gzip(request.head()), requirements: PhantomData })
    }
}

/// Explains that this path has another format, and names the path that has the one that the caller accepts.
fn detail_for<F: ResultFormat>(accepted: &AcceptedRanges) -> String {
    let (own, file) = (F::MEDIA_TYPE, F::FILE_NAME);
    let wrong = format!("The path `{file}` has the media type `{own}`, which the header Accept excludes.");
    let others = PATHS.iter().filter(|(ranges, media_type, _)| *media_type != own && accepted.include(ranges));
    let others: Vec<String> = others.map(|(_, media_type, file)| format!("`{file}` for `{media_type}`")).collect();
    if others.is_empty() {
        let all = PATHS.map(|(_, media_type, file)| format!("`{file}` for `{media_type}`"));
        return format!("{wrong} Use one of these paths and accept its media type: {}.", all.join(", "));
    }
    format!("{wrong} Use the path {}, or accept `{own}`.", others.join(" or "))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::ACCEPT;
    use actix_web::test::TestRequest;

    use super::*;

    fn ranges(accept: &str) -> AcceptedRanges {
        AcceptedRanges::of(TestRequest::get().append_header((ACCEPT, accept)).to_http_request().headers())
    }

    #[test]
    fn accept_specific_range_overrides_wider_range() {
        for (accept, expected) in [
            ("", [true, true, true]),
            ("*/*", [true, true, true]),
            ("application/json", [true, false, false]),
            ("application/ndjson", [false, true, false]),
            ("application/*", [true, true, false]),
            ("application/json;q=0, */*", [false, true, true]),
            ("application/json;q=0, application/x-ndjson;q=0, */*", [false, false, true]),
            ("text/csv;q=0, text/*", [false, false, false]),
            ("application/*;q=0, */*;q=0.1", [false, false, true]),
            ("TEXT/CSV; Q=0.5", [false, false, true]),
            ("image/png", [false, false, false]),
        ] {
            let included = [JsonPages::RANGES, Ndjson::RANGES, Csv::RANGES].map(|format| ranges(accept).include(format));
            assert_eq!(included, expected, "{accept}");
        }
    }

    #[test]
    fn detail_of_excluded_media_type_names_the_path_of_an_accepted_one() {
        assert_eq!(
            detail_for::<JsonPages>(&ranges("text/csv")),
            "The path `results` has the media type `application/json`, which the header Accept excludes. Use the path `results.csv` for \
             `text/csv`, or accept `application/json`."
        );
        let none = detail_for::<Csv>(&ranges("image/png"));
        assert!(["`results`", "`results.ndjson`", "`results.csv`"].iter().all(|path| none.contains(path)), "{none}");
    }
}
