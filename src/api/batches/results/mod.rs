//! Results of batches: in pages of JSON, or as a stream of NDJSON or CSV.

mod csv;
mod cursor;
mod format;
mod query;
mod reader;
mod stream;

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName, HeaderValue, VARY};

pub use csv::CsvOptions;
pub use cursor::ResultCursor;
pub use format::{Accepts, Csv, JsonPages, Ndjson, ResultFormat};
pub use query::{CsvQuery, StreamQuery};
use reader::read_page;
pub use stream::StreamFormat;
use stream::stream;

use crate::api::batches::resource::BatchResource;
use crate::api::extract::pagination::Pagination;
use crate::api::json::json_response;
use crate::batches::BatchService;
use crate::batches::model::Batch;
use crate::problem::Problem;
use crate::schema::CodeList as _;

/// The response header with the status of the batch.
const BATCH_STATUS: HeaderName = HeaderName::from_static("batch-status");

/// The request headers that decide whether a format is acceptable, and select the coding.
const NEGOTIATED: HeaderValue = HeaderValue::from_static("Accept, Accept-Encoding");

/// Answers with a page of results as JSON.
///
/// # Errors
/// Returns a problem if the results cannot be read from the store.
pub async fn answer_page<K: BatchResource>(
    service: &BatchService,
    batch: &Batch,
    pagination: Pagination<ResultCursor>,
) -> Result<HttpResponse, Problem> {
    let start = pagination.cursor.unwrap_or(ResultCursor::START);
    let page = read_page::<K>(service, batch, start, pagination.limit()).await?;
    let next = page.next.map(|next| next.to_string());
    let mut response = json_response(StatusCode::OK, &K::results_page(batch, page.results, next));
    response.headers_mut().insert(VARY, NEGOTIATED);
    Ok(response)
}

/// Answers with all results from one on, as a stream.
///
/// # Errors
/// Returns a problem if the first results cannot be read from the store.
pub async fn answer_stream<K: BatchResource>(
    service: Arc<BatchService>,
    batch: Batch,
    start: ResultCursor,
    format: StreamFormat,
) -> Result<HttpResponse, Problem> {
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, format.content_type())).insert_header((VARY, NEGOTIATED));
    response.insert_header((BATCH_STATUS, batch.status().word()));
    if matches!(format, StreamFormat::Csv { .. }) {
        response.insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{}.csv\"", batch.id)));
    }
    Ok(response.body(stream::<K>(service, batch, start, format).await?))
}
