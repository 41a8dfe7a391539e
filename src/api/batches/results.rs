//! Results of batches, page by page as JSON, or all at once as lines of JSON or CSV.

use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName};
use actix_web::web::{Bytes, Data};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use futures_util::Stream;
use serde::Serialize;
use serde_json::Value;

use crate::api::extract::batch_request::{Cursor, Pagination};
use crate::auth::{ExtractFuture, after_authentication};
use crate::batches::batch_kind::{BatchKind, RecordResult};
use crate::batches::model::{Batch, Part, PartState};
use crate::batches::{BatchError, BatchService};
use crate::problem::{Code, Problem};
use crate::schema::camel_case;

/// A kind of batch whose results callers can read.
pub trait Results: BatchKind {
    /// A result as callers see it.
    type Answer: Serialize;
    /// A page of them.
    type Page: Serialize;

    /// What became of a record of a part that is over.
    fn answer(row: RecordResult<Self::Result>, part: &Part) -> Self::Answer;

    /// A page.
    fn page(batch: &Batch, results: Vec<Self::Answer>, next: Option<String>) -> Self::Page;

    /// The columns of a table: paths in the JSON of a result.
    fn columns() -> Vec<String>;
}

/// Why there is nothing from LRS about a record.
pub const fn word_without_result(part: &Part) -> &'static str {
    if matches!(part.state, PartState::Complete) || part.job.is_some() { NO_RESULT } else { NOT_PROCESSED }
}

/// LRS made a job of it, and has not said what became of this record.
pub const NO_RESULT: &str = "NO_RESULT";
/// LRS made no job of it: the part's `reason` says why.
pub const NOT_PROCESSED: &str = "NOT_PROCESSED";

/// What a caller wants results as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultFormat {
    /// Pages of JSON.
    Json,
    /// Lines of JSON.
    Ndjson,
    /// A table.
    Csv,
}

impl FromRequest for ResultFormat {
    type Error = Problem;
    type Future = ExtractFuture<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let headers = request.headers().get_all(ACCEPT).filter_map(|value| value.to_str().ok());
        let ranges: Vec<_> = headers.flat_map(|value| value.split(',')).filter_map(range).collect();
        after_authentication(request, Self::wanted(&ranges).ok_or(Problem::new(Code::NotAcceptable)))
    }
}

impl ResultFormat {
    /// The format that these ranges want most.
    fn wanted(ranges: &[(String, f32)]) -> Option<Self> {
        if ranges.is_empty() {
            return Some(Self::Json);
        }
        // The narrowest range that a format is in decides about it; of those wanted alike, the one that is named first.
        let wish = |format: &Self| {
            let found = format.ranges().iter().find_map(|media| ranges.iter().position(|(range, _)| range == media));
            found.map(|at| (ranges[at].1, std::cmp::Reverse(at))).filter(|(quality, _)| *quality > 0.0)
        };
        let mut best = None;
        for format in [Self::Json, Self::Ndjson, Self::Csv] {
            if let Some(wish) = wish(&format)
                && best.is_none_or(|(other, _)| wish > other)
            {
                best = Some((wish, format));
            }
        }
        best.map(|(_, format)| format)
    }

    /// The ranges of media types that it is in, the narrowest first.
    const fn ranges(self) -> &'static [&'static str] {
        match self {
            Self::Json => &["application/json", "application/*", "*/*"],
            Self::Ndjson => &["application/x-ndjson", "application/ndjson", "application/*", "*/*"],
            Self::Csv => &["text/csv", "text/*", "*/*"],
        }
    }
}

/// A range of `Accept`: the media type, and how much it is wanted (RFC 9110, 12.5.1).
fn range(text: &str) -> Option<(String, f32)> {
    let mut parameters = text.split(';').map(str::trim);
    let media = parameters.next().filter(|media| !media.is_empty())?.to_ascii_lowercase();
    let quality = parameters.find_map(|parameter| parameter.strip_prefix("q=").or(parameter.strip_prefix("Q=")));
    Some((media, quality.and_then(|quality| quality.parse().ok()).unwrap_or(1.0)))
}

/// Where a page begins: a part, and how many of its rows have been given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResultCursor {
    part: u32,
    row: usize,
}

impl ResultCursor {
    const START: Self = Self { part: 1, row: 0 };
}

impl Cursor for ResultCursor {
    fn parse(text: &str) -> Option<Self> {
        let (part, row) = text.split_once('-')?;
        Some(Self { part: part.parse().ok().filter(|part| *part > 0)?, row: row.parse().ok()? })
    }
}

impl std::fmt::Display for ResultCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.part, self.row)
    }
}

/// Results in the format and from the place the caller wants.
pub async fn answer<K: Results>(
    jobs: Data<BatchService>,
    batch: Batch,
    format: ResultFormat,
    paging: Pagination<ResultCursor>,
) -> Result<HttpResponse, Problem> {
    let from = paging.cursor.unwrap_or(ResultCursor::START);
    if format == ResultFormat::Json {
        let (results, next) = page::<K>(&jobs, &batch, from, paging.limit(1_000, 10_000)).await?;
        return Ok(HttpResponse::Ok().json(K::page(&batch, results, next.map(|next| next.to_string()))));
    }
    let (media, write): (_, fn(&K::Answer, &[String]) -> Vec<u8>) = match format {
        ResultFormat::Csv => ("text/csv; charset=utf-8; header=present", table_row),
        _ => ("application/x-ndjson", |answer, _| line(answer)),
    };
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, media)).insert_header((HeaderName::from_static("batch-status"), batch.status().word()));
    let mut head = Vec::new();
    if format == ResultFormat::Csv {
        response.insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{}.csv\"", batch.id)));
        head = csv_line(names_of(&K::columns()).into_iter());
    }
    // The first part is read before the answer begins, so that a store that cannot be used is still a problem and no torn answer.
    let first = rows::<K>(&jobs, &batch, from).await?;
    Ok(response.streaming(stream::<K>(jobs, batch, from.part, (head, first), write)))
}

/// The rows of a part from a place on, as callers see them; none while the part is not over.
async fn rows<K: Results>(jobs: &BatchService, batch: &Batch, from: ResultCursor) -> Result<Vec<K::Answer>, BatchError> {
    let Some(part) = batch.part(from.part) else { return Ok(Vec::new()) };
    let rows = jobs.rows::<K>(batch, from.part).await?.unwrap_or_default();
    Ok(rows.into_iter().skip(from.row).map(|row| K::answer(row, part)).collect())
}

async fn page<K: Results>(
    jobs: &BatchService,
    batch: &Batch,
    from: ResultCursor,
    limit: usize,
) -> Result<(Vec<K::Answer>, Option<ResultCursor>), BatchError> {
    let mut results = Vec::new();
    let mut at = from;
    while at.part <= batch.header.parts {
        let mut found = rows::<K>(jobs, batch, at).await?;
        let room = limit - results.len();
        if found.len() > room {
            found.truncate(room);
            results.append(&mut found);
            return Ok((results, Some(ResultCursor { row: at.row + room, ..at })));
        }
        results.append(&mut found);
        at = ResultCursor { part: at.part + 1, row: 0 };
    }
    Ok((results, None))
}

type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, BatchError>>>>;

/// Part after part, each read when the one before has been sent. A part that cannot be read breaks the answer off.
fn stream<K: Results>(
    jobs: Data<BatchService>,
    batch: Batch,
    part: u32,
    (head, first): (Vec<u8>, Vec<K::Answer>),
    write: fn(&K::Answer, &[String]) -> Vec<u8>,
) -> Chunks {
    let columns = K::columns();
    let mut begun = head;
    for answer in &first {
        begun.extend(write(answer, &columns));
    }
    let state = (jobs, batch, part, Some(begun), columns);
    Box::pin(futures_util::stream::unfold(state, move |(jobs, batch, part, begun, columns)| async move {
        if let Some(begun) = begun {
            return Some((Ok(Bytes::from(begun)), (jobs, batch, part.saturating_add(1), None, columns)));
        }
        if part > batch.header.parts {
            return None;
        }
        let chunk = rows::<K>(&jobs, &batch, ResultCursor { part, row: 0 }).await;
        let chunk = chunk.map(|answers| Bytes::from(answers.iter().flat_map(|answer| write(answer, &columns)).collect::<Vec<u8>>()));
        let next = if chunk.is_ok() { part.saturating_add(1) } else { u32::MAX };
        Some((chunk, (jobs, batch, next, None, columns)))
    }))
}

/// The names of columns: the last names of their paths; where that is taken already, with the one before it.
fn names_of(columns: &[String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for path in columns {
        let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
        let taken = names.iter().any(|taken| taken == name);
        names.push(if taken { camel_case(&format!("{parent}_{name}")) } else { name.to_owned() });
    }
    names
}

fn line(answer: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(answer).unwrap_or_default();
    line.push(b'\n');
    line
}

fn table_row<A: Serialize>(answer: &A, columns: &[String]) -> Vec<u8> {
    let value = serde_json::to_value(answer).unwrap_or_default();
    csv_line(columns.iter().map(|path| cell(&value, path)))
}

/// The text at a path. A list's items stand on lines of their own.
fn cell(value: &Value, path: &str) -> String {
    let found = path.split('.').fold(value, |value, name| &value[name]);
    match found {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            items.iter().map(|item| item["flag"].as_str().or(item.as_str()).unwrap_or_default()).collect::<Vec<_>>().join("\n")
        }
        other => other.to_string(),
    }
}

/// A line as RFC 4180 has it.
fn csv_line(cells: impl Iterator<Item = String>) -> Vec<u8> {
    let quoted = |cell: String| {
        if cell.contains([',', '"', '\r', '\n']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
    };
    let mut line = cells.map(quoted).collect::<Vec<_>>().join(",").into_bytes();
    line.extend_from_slice(b"\r\n");
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_that_need_it_are_quoted() {
        let line = csv_line(["a", "b,c", "d \"e\"", "f\ng", ""].map(str::to_owned).into_iter());
        assert_eq!(String::from_utf8(line).expect("text"), "a,\"b,c\",\"d \"\"e\"\"\",\"f\ng\",\r\n");
    }

    #[test]
    fn what_is_refused_by_name_is_not_wanted_by_a_wider_range() {
        let wanted = |accept: &str| ResultFormat::wanted(&accept.split(',').filter_map(range).collect::<Vec<_>>());
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
            assert_eq!(wanted(accept), format, "{accept}");
        }
    }

    #[test]
    fn no_two_columns_have_the_same_name() {
        let columns = ["position", "uln", "learner.uln", "learner.givenName"].map(str::to_owned);
        assert_eq!(names_of(&columns), ["position", "uln", "learnerUln", "givenName"]);
    }

    #[test]
    fn cursors_are_read_as_they_are_written() {
        let cursor = ResultCursor { part: 7, row: 1000 };
        assert_eq!(ResultCursor::parse(&cursor.to_string()), Some(cursor));
        for other in ["", "7", "0-1", "7-", "-1-1", "7-1-1"] {
            assert_eq!(ResultCursor::parse(other), None, "{other}");
        }
    }
}
