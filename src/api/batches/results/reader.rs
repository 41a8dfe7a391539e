//! Reading the answers for the records of a batch: of one part, or a page across parts.

use crate::api::batches::resource::BatchResource;
use crate::api::batches::results::cursor::ResultCursor;
use crate::batches::model::Batch;
use crate::batches::{BatchError, BatchService};

/// A page of results.
pub struct Page<R> {
    /// The results.
    pub results: Vec<R>,
    /// The start of the next page; `None` if no more results are available.
    pub next: Option<ResultCursor>,
}

/// Reads a page of at most `limit` results.
///
/// # Errors
/// Returns a [`BatchError`] if the results cannot be read from the store.
pub async fn read_page<K: BatchResource>(
    service: &BatchService,
    batch: &Batch,
    start: ResultCursor,
    limit: usize,
) -> Result<Page<K::ResultAnswer>, BatchError> {
    let mut results = Vec::new();
    let mut cursor = start;
    while cursor.part <= batch.header.part_count {
        let mut found = part_results::<K>(service, batch, cursor).await?;
        let capacity = limit - results.len();
        if found.len() > capacity {
            found.truncate(capacity);
            results.append(&mut found);
            return Ok(Page { results, next: Some(ResultCursor { offset: cursor.offset + capacity, ..cursor }) });
        }
        results.append(&mut found);
        cursor = ResultCursor { part: cursor.part + 1, offset: 0 };
    }
    Ok(Page { results, next: None })
}

/// Reads the results of one part from the cursor on. There are none if the part is not finished.
///
/// # Errors
/// Returns a [`BatchError`] if the results cannot be read from the store.
pub async fn part_results<K: BatchResource>(
    service: &BatchService,
    batch: &Batch,
    cursor: ResultCursor,
) -> Result<Vec<K::ResultAnswer>, BatchError> {
    let Some(part) = batch.part(cursor.part) else { return Ok(Vec::new()) };
    let results = service.record_results::<K>(batch, cursor.part).await?.unwrap_or_default();
    let part = service.decrypted_part(batch.id, cursor.part, part);
    Ok(results.into_iter().skip(cursor.offset).map(|result| K::result_answer(result, &part)).collect())
}
