//! Lists of an organisation's batches.

use std::time::Duration;

use crate::batches::error::BatchError;
use crate::batches::model::{Batch, BatchId, KindTag, SubmissionPeriod};
use crate::batches::service::BatchService;
use crate::organisations::CallContext;

/// Maximum number of batches that are read for one page. In a period, few of them may match.
const MAX_READ_PER_PAGE: usize = 500;
/// Time by which an id may be younger than its batch: replicas and the store have clocks of their own.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(10 * 60);

/// A page of batches.
#[derive(Debug)]
pub struct BatchPage {
    /// The batches, newest first.
    pub batches: Vec<Batch>,
    /// The id after which the next page starts; `None` on the last page.
    pub next: Option<BatchId>,
}

impl BatchService {
    /// Returns up to `limit` batches of the caller's organisation that were [submitted](Batch::is_submitted_in) in a period, newest first,
    /// starting after `after`.
    ///
    /// A page may have fewer batches although it is not the last one: so a page of a short period does not read all older batches.
    ///
    /// # Errors
    /// Returns [`BatchError`] if the store fails or an encryption key is missing.
    pub async fn list(
        &self,
        kind: KindTag,
        context: &CallContext,
        after: Option<BatchId>,
        limit: usize,
        period: SubmissionPeriod,
    ) -> Result<BatchPage, BatchError> {
        self.verify_encryption_keys().await?;
        let ukprn = context.organisation.ukprn();
        // An id contains its time. A batch that was accepted after the period was not sent to LRS in it either.
        let end_of_period = period.before.map(|before| BatchId::min_at(before.after(CLOCK_TOLERANCE)));
        let mut after = [after, end_of_period].into_iter().flatten().min();
        let (mut batches, mut read_count): (Vec<Batch>, usize) = (Vec::new(), 0);
        // Lists contain ids of deleted batches, so a page may need several reads.
        loop {
            let ids = self.repository.list_ids(ukprn, kind, after, limit + 1).await?;
            let is_end_of_list = ids.len() <= limit;
            for id in ids {
                if batches.len() == limit || (period.is_limited() && read_count == MAX_READ_PER_PAGE) {
                    return Ok(BatchPage { batches, next: after });
                }
                let batch = self.repository.load(id).await?;
                batches.extend(batch.filter(|batch| self.is_own(batch) && batch.is_submitted_in(period)));
                (after, read_count) = (Some(id), read_count + 1);
            }
            if is_end_of_list {
                return Ok(BatchPage { batches, next: None });
            }
        }
    }
}
