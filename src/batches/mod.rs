//! Batches: any number of records, sent to LRS as jobs of the size that LRS accepts, polled until they are done, and reported as one list
//! of results.
//!
//! 1. The request's records are [partitioned](partition) into parts while they are read.
//! 2. [`BatchService::submit`] stores the batch, encrypted, in a [repository] before the caller learns that it was accepted.
//! 3. The [worker] of any replica then processes the batch: it sends waiting parts, polls submitted ones, and stores each new state. The
//!    states of a part and their [transitions] are a pure state machine.
//! 4. The state `sending` is stored before a part is sent. If LRS's response is lost, the part is sent again only if that has no side
//!    effect. Otherwise it is reconciled, or it is unconfirmed and awaits the caller's [`Decision`].
//! 5. If LRS may have executed a registration although its response was lost, the part is reconciled: a `CHECK` job of the same records
//!    shows whether LRS has them.
//! 6. When LRS has returned the results of a part, its records are deleted. [Fingerprints](fingerprint) stay, by which LRS's results are
//!    [matched](result_matching) to the records.
//!
//! [`BatchService`] has the operations of the API. [`model`] has the stored state of a batch, [`batch_kind`] the interface of the three
//! [kinds] of batch.
//!
//! A kind has a file of the same name in several directories. For registrations:
//!
//! | file | content |
//! |---|---|
//! | `batches/kinds/registration.rs` | `Registrations`: how records of this kind become a job of LRS, and how to read its results |
//! | `api/batches/registration.rs` | the resource: submission, and the answers |
//! | `domain/batch.rs` | the record that callers send, and LRS's result |
//! | `lrs/services/learner/registration_batch.rs` | the LRS operations that submit and poll one job |
//! | `lrs/services/learner/register.rs` | no batch: the LRS operation that registers a single learner |

pub mod batch_kind;
mod blob_cipher;
mod decision;
mod duplicates;
mod encryption_keys;
mod error;
pub mod fingerprint;
mod handover;
mod job_output;
pub mod kinds;
mod listing;
mod lrs_registry;
mod lrs_texts;
pub mod metadata;
pub mod model;
pub mod partition;
pub mod repository;
pub mod result_matching;
mod results;
mod service;
mod settings;
mod store_clock;
mod stored_data;
pub mod transitions;
pub mod worker;

pub use decision::{Decision, DecisionOutcome};
pub use error::BatchError;
pub use listing::BatchPage;
pub use service::{BatchService, TrackedBatch};
pub use settings::BatchSettings;
