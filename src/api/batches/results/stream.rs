//! Results as a stream of NDJSON or CSV: part after part, each read when the previous one has been sent.

use std::sync::Arc;

use actix_web::body::{BodyStream, BoxBody};
use actix_web::web::Bytes;
use futures_util::stream::unfold;
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
    /// Returns CSV with the columns of a kind of batch.
    pub fn csv<K: BatchResource>(options: CsvOptions) -> Self {
        Self::Csv { columns: K::csv_columns(), options }
    }

    /// Returns the text of these results.
    pub fn example(&self, results: &[impl Serialize]) -> String {
        let mut text = Vec::new();
        self.write_header(&mut text);
        self.write_results(&mut text, results);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Returns the media type.
    pub const fn content_type(&self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Csv { .. } => "text/csv; charset=utf-8; header=present",
        }
    }

    /// Writes what comes before the first result.
    fn write_header(&self, text: &mut Vec<u8>) {
        if let Self::Csv { columns, options } = self {
            options.write_header(text, columns);
        }
    }

    fn write_results(&self, text: &mut Vec<u8>, results: &[impl Serialize]) {
        for result in results {
            match self {
                Self::Ndjson => {
                    // Writing to memory does not fail.
                    let _ = serde_json::to_writer(&mut *text, result);
                    text.push(b'\n');
                }
                Self::Csv { columns, options } => options.write_row(text, result, columns),
            }
        }
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

/// Returns the results from a cursor on: those of one part as they are, those of several as a stream. If a part cannot be read, the stream
/// ends with the error and the answer is incomplete.
///
/// # Errors
/// Returns a [`BatchError`] if the first part cannot be read. It is read before the stream starts, so that an unavailable store is still
/// answered with a problem.
pub async fn stream<K: BatchResource>(
    service: Arc<BatchService>,
    batch: Batch,
    start: ResultCursor,
    format: StreamFormat,
) -> Result<BoxBody, BatchError> {
    let first_results = part_results::<K>(&service, &batch, start).await?;
    let mut first_chunk = Vec::new();
    format.write_header(&mut first_chunk);
    format.write_results(&mut first_chunk, &first_results);
    if start.part >= batch.header.part_count {
        return Ok(BoxBody::new(first_chunk));
    }
    let state = StreamState { service, batch, format, first_chunk: Some(first_chunk.into()), next_part: start.part + 1 };
    Ok(BoxBody::new(BodyStream::new(unfold(state, async |mut state| Some((state.next_chunk::<K>().await?, state))))))
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
        Some(results.map(|results| {
            let mut chunk = Vec::new();
            self.format.write_results(&mut chunk, &results);
            chunk.into()
        }))
    }
}
