//! Results of batches: in pages of JSON, or as a stream of NDJSON or CSV.

mod csv;
mod cursor;
mod format;
mod query;
mod reader;
mod stream;

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName};

use cursor::ResultCursor;
pub use format::{PreferredFormat, ResultFormat};
pub use query::ResultsQuery;
use reader::read_page;
use stream::{StreamFormat, stream};

use crate::api::batches::resource::BatchResource;
use crate::batches::BatchService;
use crate::batches::model::Batch;
use crate::problem::Problem;
use crate::schema::CodeList as _;

/// The response header with the status of the batch.
const BATCH_STATUS: HeaderName = HeaderName::from_static("batch-status");

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
            return Ok(HttpResponse::Ok().json(K::results_page(&batch, page.results, next)));
        }
        ResultFormat::Ndjson => StreamFormat::Ndjson,
        ResultFormat::Csv => StreamFormat::Csv { columns: K::csv_columns(), options: csv },
    };
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, stream_format.content_type()));
    response.insert_header((BATCH_STATUS, batch.status().word()));
    if format == ResultFormat::Csv {
        response.insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{}.csv\"", batch.id)));
    }
    Ok(response.streaming(stream::<K>(service, batch, start, stream_format).await?))
}
