//! Results as a stream of NDJSON or CSV: part after part, each read when the previous one has been sent.

use std::sync::Arc;

use actix_web::web::Bytes;
use futures_util::Stream;
use serde::Serialize;

use crate::api::batches::resource::BatchResource;
use crate::api::batches::results::csv::CsvOptions;
use crate::api::batches::results::cursor::ResultCursor;
use crate::api::batches::results::reader::part_results;
use crate::batches::model::Batch;
use crate::batches::{BatchError, BatchService};

/// The format of a stream.
pub enum StreamFormat {
    /// Newline-delimited JSON.
    Ndjson,
    /// CSV with these columns: paths in the JSON of a result.
    Csv {
        /// Paths of the columns.
        columns: Vec<String>,
        /// How the cells are written.
        options: CsvOptions,
    },
}

impl StreamFormat {
    /// Returns the media type.
    pub const fn content_type(&self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Csv { .. } => "text/csv; charset=utf-8; header=present",
        }
    }

    /// Returns the bytes that come before the first result.
    fn header(&self) -> Vec<u8> {
        match self {
            Self::Ndjson => Vec::new(),
            Self::Csv { columns, options } => options.header(columns),
        }
    }

    fn result(&self, result: &impl Serialize) -> Vec<u8> {
        match self {
            Self::Ndjson => {
                let mut line = serde_json::to_vec(result).unwrap_or_default();
                line.push(b'\n');
                line
            }
            Self::Csv { columns, options } => options.row(result, columns),
        }
    }

    fn results(&self, results: &[impl Serialize]) -> impl Iterator<Item = u8> {
        results.iter().flat_map(|result| self.result(result))
    }
}

/// The state of a stream.
struct StreamState {
    service: Arc<BatchService>,
    batch: Batch,
    format: StreamFormat,
    first_chunk: Option<Bytes>,
    next_part: u32,
}

/// Streams results from a cursor on. If a part cannot be read, the stream ends with the error and the answer is incomplete.
///
/// # Errors
/// Returns a [`BatchError`] if the first part cannot be read. It is read before the stream starts, so that an unavailable store is still
/// answered with a problem.
pub async fn stream<K: BatchResource>(
    service: Arc<BatchService>,
    batch: Batch,
    start: ResultCursor,
    format: StreamFormat,
) -> Result<impl Stream<Item = Result<Bytes, BatchError>>, BatchError> {
    let first_results = part_results::<K>(&service, &batch, start).await?;
    let first_chunk = format.header().into_iter().chain(format.results(&first_results)).collect();
    let state = StreamState { service, batch, format, first_chunk: Some(first_chunk), next_part: start.part.saturating_add(1) };
    Ok(futures_util::stream::unfold(state, async |mut state| Some((state.next_chunk::<K>().await?, state))))
}

impl StreamState {
    async fn next_chunk<K: BatchResource>(&mut self) -> Option<Result<Bytes, BatchError>> {
        if let Some(chunk) = self.first_chunk.take() {
            return Some(Ok(chunk));
        }
        if self.next_part > self.batch.header.part_count {
            return None;
        }
        let results = part_results::<K>(&self.service, &self.batch, ResultCursor { part: self.next_part, offset: 0 }).await;
        self.next_part = if results.is_ok() { self.next_part.saturating_add(1) } else { u32::MAX };
        Some(results.map(|results| self.format.results(&results).collect()))
    }
}
