//! The work of the handlers of batches: see [`crate::api::work`].

use std::marker::PhantomData;

use serde_json::Value;

use crate::api::batches::examples;
use crate::api::batches::resource::BatchResource;
use crate::api::batches::results::{Csv, JsonPages, Ndjson, ResultFormat};
use crate::api::description::{Description, JSON, header, text};
use crate::api::response_headers;
use crate::api::work::Work;
use crate::problem::Code;

/// Does this with batches of this kind.
#[derive(Debug, Clone, Copy)]
pub struct BatchWork<K, A>(PhantomData<fn() -> (K, A)>);

/// What a handler does with batches.
pub trait BatchAction: 'static {
    /// Describes the action for a kind of batch.
    fn describe<K: BatchResource>(description: &mut Description);
}

/// What can go wrong when the gateway reads its store.
const STORE_PROBLEMS: &[Code] = &[Code::StoreUnavailable, Code::StoreUnreadable];

impl<K: BatchResource, A: BatchAction> Work for BatchWork<K, A> {
    fn describe(description: &mut Description) {
        description.add_problems("Store", STORE_PROBLEMS);
        A::describe::<K>(description);
    }
}

/// Accepts a batch.
#[derive(Debug, Clone, Copy)]
pub enum Submit {}

/// Adopts a job.
#[derive(Debug, Clone, Copy)]
pub enum Track {}

/// Lists batches.
#[derive(Debug, Clone, Copy)]
pub enum List {}

/// Reads the state of a batch.
#[derive(Debug, Clone, Copy)]
pub enum Read {}

/// Reads the results of a batch in a format.
#[derive(Debug, Clone, Copy)]
pub struct ReadResults<F>(PhantomData<fn() -> F>);

/// Reads the job of a part.
#[derive(Debug, Clone, Copy)]
pub enum ReadJob {}

/// Has a part sent again.
#[derive(Debug, Clone, Copy)]
pub enum Resubmit {}

/// Discards a part.
#[derive(Debug, Clone, Copy)]
pub enum Discard {}

/// Erases a batch.
#[derive(Debug, Clone, Copy)]
pub enum Erase {}

impl BatchAction for Submit {
    fn describe<K: BatchResource>(description: &mut Description) {
        description.add_lrs_operation(K::SUBMIT_OPERATION);
        description.add_lrs_operation(K::POLL_OPERATION);
        description.add_problems("Store", &[Code::StoreNotDurable, Code::BatchErased]);
        description.set_example_of("200", JSON, &examples::complete::<K>());
        description.set_example_of("202", JSON, &examples::accepted::<K>());
        description.add_header("Location", response_headers::location());
        description.add_header_of("202", "Retry-After", response_headers::retry_after());
    }
}

impl BatchAction for Track {
    fn describe<K: BatchResource>(description: &mut Description) {
        description.add_lrs_operation(K::POLL_OPERATION);
        description.add_problems("Store", &[Code::StoreNotDurable]);
        description.set_example(JSON, &examples::tracked());
        description.add_header("Location", response_headers::location());
        description.add_header("Retry-After", response_headers::retry_after());
    }
}

impl BatchAction for List {
    fn describe<K: BatchResource>(description: &mut Description) {
        description.set_example(JSON, &examples::list::<K>());
    }
}

impl BatchAction for Read {
    fn describe<K: BatchResource>(description: &mut Description) {
        description.set_example(JSON, &examples::complete::<K>());
        description.add_header("Retry-After", response_headers::retry_after());
    }
}

impl<F: ExampleFormat> BatchAction for ReadResults<F> {
    fn describe<K: BatchResource>(description: &mut Description) {
        description.set_example(F::MEDIA_TYPE, &F::example::<K>());
        F::describe_headers(description);
    }
}

impl BatchAction for ReadJob {
    fn describe<K: BatchResource>(description: &mut Description) {
        description.add_problems("Part", &[Code::NotFound]);
        description.set_example(JSON, &examples::achievement_job());
    }
}

impl BatchAction for Resubmit {
    fn describe<K: BatchResource>(description: &mut Description) {
        description.add_lrs_operation(K::SUBMIT_OPERATION);
        description.add_problems("Part", &[Code::PartNotAwaitingDecision]);
        description.add_problems("Store", &[Code::StoreNotDurable]);
        description.set_example(JSON, &examples::resubmitted());
        description.add_header("Retry-After", response_headers::retry_after());
    }
}

impl BatchAction for Discard {
    fn describe<K: BatchResource>(description: &mut Description) {
        description.add_problems("Part", &[Code::PartNotAwaitingDecision]);
        description.set_example(JSON, &examples::discarded());
        description.add_header("Retry-After", response_headers::retry_after());
    }
}

impl BatchAction for Erase {
    fn describe<K: BatchResource>(_: &mut Description) {}
}

/// A format of results with an example.
pub trait ExampleFormat: ResultFormat {
    /// Returns the example for a kind of batch.
    fn example<K: BatchResource>() -> Value;

    /// Adds the headers of the format.
    fn describe_headers(description: &mut Description) {
        description.add_header("Batch-Status", header(text(), "Status of the batch."));
    }
}

impl ExampleFormat for JsonPages {
    fn example<K: BatchResource>() -> Value {
        examples::results_page::<K>()
    }

    fn describe_headers(_: &mut Description) {}
}

impl ExampleFormat for Ndjson {
    fn example<K: BatchResource>() -> Value {
        examples::ndjson::<K>().into()
    }
}

impl ExampleFormat for Csv {
    fn example<K: BatchResource>() -> Value {
        examples::csv::<K>().into()
    }

    fn describe_headers(description: &mut Description) {
        description.add_header("Batch-Status", header(text(), "Status of the batch."));
        let meaning = "Name for a file with the results: `attachment`, with the identifier of the batch.";
        description.add_header("Content-Disposition", header(text(), meaning));
    }
}
