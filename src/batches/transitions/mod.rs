//! The state machine of a part. Each function takes a part and an event, and returns the changed part. None has side effects.
//!
//! | from | to | when |
//! |---|---|---|
//! | waiting | sending | a worker starts sending |
//! | waiting | waiting | the call was not made: LRS is unreachable or under maintenance, the gateway's queue is full, or the audit trail cannot be written |
//! | sending | submitted | LRS created a job |
//! | sending | waiting | the start could not be stored with certainty, so nothing was sent and it is undone |
//! | sending | waiting | LRS did not execute the request and a retry can succeed; or its response was lost and the batch is repeatable |
//! | sending | reconciling | LRS's response to a registration was lost, or LRS reported an undocumented error about it, or accepted it without a job |
//! | sending | unconfirmed | the same for a batch that is neither repeatable nor a registration |
//! | sending | failed | LRS rejected the part, or reported an undocumented error about a repeatable batch |
//! | reconciling | reconciling | the pause is over and LRS created a `CHECK` job, or sending or polling that job failed and is repeated |
//! | reconciling | complete | the `CHECK` job shows that every learner is registered |
//! | reconciling | unconfirmed | the `CHECK` job shows anything else, or failed, or LRS does not know or rejects it, or the result timeout has passed |
//! | submitted | submitted | LRS is still processing the job, or the poll failed |
//! | submitted | complete | LRS returned the results; or an adopted job without an end time has returned the same number of results for long enough |
//! | submitted | failed | the job failed, LRS does not know it, or a poll of an adopted job had a permanent error |
//! | waiting | failed | the submission timeout has passed |
//! | submitted | failed | the result timeout has passed |
//! | waiting | failed | the stored records cannot be read |
//! | unconfirmed, failed | waiting | the caller decides to resubmit a part that is unconfirmed, that LRS has lost, or that could not be sent in time |
//! | unconfirmed, failed | failed | the caller decides to discard such a part |
//! | waiting, failed, unconfirmed, reconciling | submitted | a slow worker stores late that LRS created a job: [`send`](crate::batches::worker) |
//! | complete | complete | a slow worker stores late which job LRS created, and a `CHECK` job has completed the part |
//! | reconciling | waiting | a slow worker stores late that LRS did not execute the request |
//! | unconfirmed, reconciling | failed | a slow worker stores late that LRS rejected the part |
//!
//! The [worker](crate::batches::worker) and the caller's [decisions](crate::batches::Decision) apply these transitions.

mod context;
mod decisions;
mod polling;
mod reasons;
mod reconciliation;
mod sending;
#[cfg(test)]
mod tests;

pub use context::TransitionContext;
pub use decisions::{discarded, resubmitted};
pub use polling::PollResult;
pub use reasons::reason_of;
