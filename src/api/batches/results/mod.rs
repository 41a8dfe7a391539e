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

use cursor::ResultCursor;
pub use format::{PreferredFormat, ResultFormat};
pub use query::ResultsQuery;
use reader::read_page;
use stream::{StreamFormat, stream};

use crate::api::batches::resource::BatchResource;
use crate::api::json::json_response;
use crate::batches::BatchService;
use crate::batches::model::Batch;
use crate::problem::Problem;
use crate::schema::CodeList as _;

/// The response header with the status of the batch.
const BATCH_STATUS: HeaderName = HeaderName::from_static("batch-status");

/// The request headers that select format and coding of results.
const NEGOTIATED: HeaderValue = HeaderValue::from_static("Accept, Accept-Encoding");

/// Answers with the results of a batch, from the cursor on.
///
/// # Errors
/// Returns a problem if the results cannot be read from the store.
pub async fn read_results<K: BatchResource>(
    service: Arc<BatchService>,
    batch: Batch,
    format: ResultFormat,
    query: ResultsQuery,
) -> Result<HttpResponse, Problem> {
    let ResultsQuery { pagination, csv } = query;
    let start = pagination.cursor.unwrap_or(ResultCursor::START);
    let stream_format = match format {
        ResultFormat::Json => {
            let page = read_page::<K>(&service, &batch, start, pagination.limit()).await?;
            let next = page.next.map(|next| next.to_string());
            let mut response = json_response(StatusCode::OK, &K::results_page(&batch, page.results, next));
            response.headers_mut().insert(VARY, NEGOTIATED);
            return Ok(response);
        }
        ResultFormat::Ndjson => StreamFormat::Ndjson,
        ResultFormat::Csv => StreamFormat::Csv { columns: K::csv_columns(), options: csv },
    };
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, stream_format.content_type())).insert_header((VARY, NEGOTIATED));
    response.insert_header((BATCH_STATUS, batch.status().word()));
    if format == ResultFormat::Csv {
        response.insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{}.csv\"", batch.id)));
    }
    Ok(response.body(stream::<K>(service, batch, start, stream_format).await?))
}
