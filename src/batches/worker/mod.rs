//! The batch worker: processes due batches. Every replica runs one.
//!
//! A visit starts with a lease of the batch, so only one worker processes a batch at a time. The worker renews the lease during the visit.
//! If the worker stops, the lease expires, and the next worker continues from the stored state. If it did not stop but was only slow, it
//! finds the parts changed, and changes nothing that is not its own.
//!
//! `run` claims batches, `visit` visits one batch, `part_processor` decides what is due for a part and stores its new state, `send` sends
//! it, `poll` polls it, `reconcile` finds out what LRS has of it after a lost response, `stored_parts` has what the visit has stored,
//! `permits` limits the parts that are processed at the same time, and `visit_limits` the batches of each organisation that are claimed.

mod context;
mod part_processor;
mod permits;
mod poll;
mod reconcile;
mod run;
mod send;
mod shutdown;
mod stored_parts;
mod visit;
mod visit_limits;

pub use run::{BatchWorker, WorkerHandle};
