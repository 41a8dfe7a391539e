//! One visit: processes the due parts of a leased batch, then ends the lease.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;

use super::context::{Clock, WorkerContext};
use super::part_processor::PartProcessor;
use super::shutdown::ShutdownSignal;
use super::stored_parts::StoredParts;
use super::visit_limits::CountedVisit;
use crate::batches::blob_cipher::EncryptedBlob;
use crate::batches::error::BatchError;
use crate::batches::handover::{AcceptedBatch, HandedOverRecords};
use crate::batches::metadata::BatchMetadata;
use crate::batches::model::{Batch, BatchId, BlobName, EpochMillis, Part, Rank};
use crate::batches::repository::{ClaimedBatch, Lease, Place};
use crate::batches::service::BatchService;
use crate::batches::settings::BatchSettings;
use crate::domain::Ukprn;
use crate::observability::metrics;
use crate::organisations::Organisation;

/// Maximum number of parts that one visit processes, so that a large batch does not delay the others.
const MAX_PARTS_PER_VISIT: usize = 32;
/// Delay of a batch whose visit failed, for example because its stored data cannot be decrypted, or changed nothing. Maximum delay of a
/// batch whose organisation is not registered.
const BLOCKED_RETRY_INTERVAL: Duration = Duration::from_secs(60);
/// Delay of a batch that awaits a decision. The decision wakes the batch; this is for the case that waking failed.
const IDLE_RECHECK_INTERVAL: Duration = Duration::from_secs(6 * 60 * 60);

/// The time of a batch's next visit.
#[derive(Debug, Clone, PartialEq, Eq)]
enum NextVisit {
    /// At this time, from the place that the batch has.
    At(EpochMillis),
    /// At this time, from this place.
    In(Place, EpochMillis),
    /// At this time, by a gateway of any LRS.
    AtAnyLrs(EpochMillis),
    /// The batch is finished.
    Never,
    /// The batch does not exist.
    BatchMissing,
}

/// A batch during its visit.
#[derive(Clone, Copy)]
struct BatchAtHand<'a> {
    batch: &'a Batch,
    metadata: &'a BatchMetadata,
    /// The records of its only part, if the batch was handed over.
    records: &'a HandedOverRecords,
}

/// Visits a leased batch and ends the lease. Returns the time until the batch is due again; `None` if this worker need not know it.
pub async fn visit(
    context: Arc<WorkerContext>,
    claimed: ClaimedBatch,
    _counted: Option<CountedVisit>,
    clock: Clock,
    shutdown: ShutdownSignal,
) -> Option<Duration> {
    let lease = claimed.lease;
    let next_visit = tokio::select! {
        biased;
        next_visit = process_batch(&context, &claimed, clock, &shutdown) => next_visit,
        never = renew_periodically(&context, lease) => match never {},
    };
    let repository = &context.service.repository;
    let next_due_at = match &next_visit {
        Ok(NextVisit::At(due_at) | NextVisit::In(_, due_at)) => Some(*due_at),
        _ => None,
    };
    let released = match next_visit {
        Ok(NextVisit::At(due_at)) => repository.release(lease, Some(due_at)).await,
        Ok(NextVisit::In(place, due_at)) => repository.release_to(lease, due_at, &place).await,
        Ok(NextVisit::AtAnyLrs(due_at)) => repository.release_to_any_lrs(lease, due_at).await,
        Ok(NextVisit::Never) => repository.release(lease, None).await,
        Ok(NextVisit::BatchMissing) => repository.release_missing(lease).await,
        Err(error) => {
            if context.deferrals.should_log(lease.id, error.to_string()) {
                tracing::error!(batch = %lease.id, %error, "batch deferred: visit failed");
            }
            repository.release(lease, Some(clock.now().after(BLOCKED_RETRY_INTERVAL))).await
        }
    };
    match released {
        Ok(true) => Some(Duration::ZERO),
        Ok(false) => next_due_at.map(|due_at| due_at.since(clock.now())),
        Err(error) => {
            tracing::warn!(batch = %lease.id, %error, "batch not released: its lease will expire");
            None
        }
    }
}

/// Renews a lease until the future is dropped.
async fn renew_periodically(context: &WorkerContext, lease: Lease) -> Infallible {
    let lease_duration = context.service.settings().lease;
    loop {
        tokio::time::sleep(lease_duration / 3).await;
        // After the lease has expired, another worker may hold the batch. This worker completes what it has started; it does not
        // overwrite what the other worker has changed.
        if context.service.repository.renew(lease, lease_duration).await == Ok(false) {
            return std::future::pending().await;
        }
    }
}

/// Processes the due parts of a batch.
async fn process_batch(
    context: &WorkerContext,
    claimed: &ClaimedBatch,
    clock: Clock,
    shutdown: &ShutdownSignal,
) -> Result<NextVisit, BatchError> {
    let (service, id) = (&context.service, claimed.lease.id);
    let (batch, metadata, records) = if let Some(AcceptedBatch { batch, metadata, records }) = service.handover.take(id, Instant::now()) {
        (batch, Metadata::Read(metadata), HandedOverRecords::new(records))
    } else {
        // Both at once: nearly every visit needs the metadata, too.
        let (batch, metadata) = tokio::join!(service.repository.load(id), service.encrypted_blob(id, BlobName::Metadata));
        let Some(batch) = batch? else { return Ok(NextVisit::BatchMissing) };
        (batch, Metadata::Stored(metadata), HandedOverRecords::default())
    };
    // The queue has batches of this LRS only, except those that came with the queue of earlier versions, or that were put there by hand.
    // Nothing may reach another LRS.
    if !service.is_own(&batch) {
        tracing::error!(batch = %id, lrs = batch.header.lrs(), "batch left alone: accepted for another LRS");
        return Ok(NextVisit::Never);
    }
    let ukprn = batch.header.organisation();
    let Some(organisation) = ukprn.as_ref().and_then(|ukprn| context.registry.find(ukprn)) else {
        return Ok(defer_unregistered(context, &batch, ukprn, clock));
    };
    if claimed.organisation.as_ref() != Some(organisation.ukprn()) {
        // It has not been counted as a visit of its organisation, so it waits in the organisation's line now.
        return Ok(next_in_line(service, &batch, organisation.ukprn(), clock, clock.now()));
    }
    let metadata = match metadata {
        Metadata::Read(metadata) => metadata,
        Metadata::Stored(metadata) => service.read_metadata(metadata?)?,
    };
    let at_hand = BatchAtHand { batch: &batch, metadata: &metadata, records: &records };
    process_parts(context, at_hand, &organisation, clock, shutdown).await
}

/// The metadata of a batch, or what the store has returned for it.
enum Metadata {
    Read(BatchMetadata),
    Stored(Result<Option<EncryptedBlob>, BatchError>),
}

/// Defers a batch whose organisation is not registered. As long as it is not, the next claims leave out the organisation. Batches that were
/// claimed with this one are deferred in the same way.
fn defer_unregistered(context: &WorkerContext, batch: &Batch, ukprn: Option<Ukprn>, clock: Clock) -> NextVisit {
    let service = &context.service;
    if context.deferrals.should_log(batch.id, "organisation not registered".to_owned()) {
        tracing::warn!(batch = %batch.id, "batch deferred: organisation not registered");
    }
    let delay = BLOCKED_RETRY_INTERVAL.min(service.settings().max_poll_interval);
    let due_at = clock.now().after(delay);
    if batch.header.lrs().is_none() {
        // An earlier version may have accepted the batch for another LRS, whose gateways know the organisation.
        return NextVisit::AtAnyLrs(due_at);
    }
    match ukprn {
        Some(ukprn) if context.visits.leave_out(ukprn.clone()) => next_in_line(service, batch, &ukprn, clock, clock.now()),
        _ => NextVisit::At(due_at),
    }
}

/// Returns a visit at this time, with the place that the batch has then. A batch that is due now goes to the end of its line.
fn next_in_line(service: &BatchService, batch: &Batch, organisation: &Ukprn, clock: Clock, due_at: EpochMillis) -> NextVisit {
    let due_at = due_at.max(clock.now());
    let rank = Rank::of(batch, due_at.after(early_visit(service.settings())));
    NextVisit::In(Place { organisation: organisation.clone(), rank }, due_at)
}

/// Returns the next visit of an unfinished batch.
fn next_due(service: &BatchService, batch: &Batch, organisation: &Ukprn, clock: Clock) -> NextVisit {
    let due_at = batch.next_due_at().unwrap_or_else(|| clock.now().after(IDLE_RECHECK_INTERVAL));
    next_in_line(service, batch, organisation, clock, due_at)
}

/// Returns the time by which a part is processed before it is due. That saves visits.
fn early_visit(settings: &BatchSettings) -> Duration {
    settings.initial_poll_interval / 4
}

/// Processes the due parts of a batch, and returns its next visit. Other batches that wait get their turn: if they are of this organisation, or
/// if the worker is full, the visit ends when it has processed as many parts as the organisation may have at the same time.
async fn process_parts(
    context: &WorkerContext,
    at_hand: BatchAtHand<'_>,
    organisation: &Arc<Organisation>,
    clock: Clock,
    shutdown: &ShutdownSignal,
) -> Result<NextVisit, BatchError> {
    let (service, batch) = (&context.service, at_hand.batch);
    let max_concurrent_parts = service.settings().max_concurrent_parts_per_organisation;
    let stored_parts = StoredParts::default();
    context.deferrals.clear(&batch.id);
    let due_parts = due_parts(batch, clock.now().after(early_visit(service.settings())));
    let processor = PartProcessor {
        context,
        batch,
        metadata: at_hand.metadata,
        records: at_hand.records,
        organisation,
        clock,
        shutdown,
        stored_parts: &stored_parts,
    };
    let is_turn = |index: usize| index < max_concurrent_parts || !context.visits.is_contended(organisation.ukprn());
    let processed: Vec<((u32, Part), Result<(), BatchError>)> = futures_util::stream::iter(due_parts.into_iter().take(MAX_PARTS_PER_VISIT))
        .enumerate()
        .take_while(|(index, _)| std::future::ready(is_turn(*index)))
        .map(|(_, (number, part))| async move {
            let result = processor.process(number, &part).await;
            ((number, part), result)
        })
        .buffer_unordered(max_concurrent_parts)
        .collect()
        .await;
    let (visited, results): (Vec<_>, Vec<_>) = processed.into_iter().unzip();
    // Also after an error of a part: the others may have finished the batch, and then this may be its last visit.
    let next_visit = match stored_parts.unfinished(batch).filter(|batch| service.required_expiry(batch).is_none()) {
        Some(batch) => next_due(service, &batch, organisation.ukprn(), clock),
        None => conclude_visit(context, batch.id, organisation.ukprn(), clock, &visited, shutdown).await?,
    };
    results.into_iter().collect::<Result<(), _>>()?;
    Ok(next_visit)
}

/// Returns the parts that are due until `time`, the earliest first.
fn due_parts(batch: &Batch, time: EpochMillis) -> Vec<(u32, Part)> {
    let due = batch.numbered_parts().filter(|(_, part)| !part.is_settled() && part.due_at <= time);
    let mut due: Vec<(u32, Part)> = due.map(|(number, part)| (number, part.clone())).collect();
    due.sort_by_key(|(_, part)| part.due_at);
    due
}

/// Reads a batch again after its parts were processed, and returns its next visit. A batch that is finished gets its expiry and is counted.
///
/// `visited` has the parts as they were before.
async fn conclude_visit(
    context: &WorkerContext,
    id: BatchId,
    organisation: &Ukprn,
    clock: Clock,
    visited: &[(u32, Part)],
    shutdown: &ShutdownSignal,
) -> Result<NextVisit, BatchError> {
    let service = &context.service;
    let Some(batch) = service.repository.load(id).await? else { return Ok(NextVisit::BatchMissing) };
    if !batch.is_finished() {
        service.extend_expiry(&batch, clock.now()).await?;
        // Every visit changes a part or its due time. If the store has not accepted that, the part was stored by a later version, with
        // fields that this version does not know. A replica of that version continues it.
        let unchanged = visited.iter().find(|(number, part)| batch.part(*number) == Some(part));
        if let Some((part, _)) = unchanged.filter(|_| !shutdown.is_requested()) {
            tracing::warn!(batch = %id, part, "batch deferred: part not changed by its visit");
            return Ok(NextVisit::At(clock.now().after(BLOCKED_RETRY_INTERVAL)));
        }
        return Ok(next_due(service, &batch, organisation, clock));
    }
    let (retention, now) = (service.settings().retention, clock.now());
    // A visit that was woken late finds a batch that another visit has concluded: its expiry is set, and it is counted.
    let expiry_of_finished = batch.updated_at().after(retention)..=now.after(retention);
    if expiry_of_finished.contains(&batch.expires_at) {
        return Ok(NextVisit::Never);
    }
    service.repository.set_expiry(&batch, now.after(retention)).await?;
    let status = batch.status().name();
    metrics::record_batch(batch.header.kind.name(), status, batch.updated_at().since(batch.header.created_at));
    tracing::info!(batch = %batch.id, status, "batch finished");
    Ok(NextVisit::Never)
}
