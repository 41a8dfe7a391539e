//! The loop of a worker: claims due batches and starts their visits.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use super::context::{Clock, ReasonLog, WorkerContext};
use super::permits::WorkerPermits;
use super::shutdown::ShutdownSignal;
use super::visit::visit;
use super::visit_limits::VisitLimits;
use crate::batches::error::BatchError;
use crate::batches::repository::ClaimedBatch;
use crate::batches::service::BatchService;
use crate::lrs::Lrs;
use crate::organisations::OrganisationRegistry;

/// Minimum time between two claims.
const MIN_CLAIM_INTERVAL: Duration = Duration::from_millis(10);

/// The worker of a replica, not started yet.
#[derive(Debug)]
pub struct BatchWorker(Arc<WorkerContext>);

/// A running worker.
#[derive(Debug)]
pub struct WorkerHandle {
    shutdown: watch::Sender<bool>,
    abort_visits: Arc<Notify>,
    task: JoinHandle<()>,
}

impl WorkerHandle {
    /// Stops claiming batches and waits for the running visits. Aborts visits that are not finished after `timeout`.
    pub async fn stop(self, timeout: Duration) {
        let Self { shutdown, abort_visits, mut task } = self;
        shutdown.send_replace(true);
        if tokio::time::timeout(timeout, &mut task).await.is_err() {
            // Another worker continues these batches when their leases expire.
            tracing::warn!("batch worker stopped mid-visit");
            abort_visits.notify_one();
            // Aborted calls are still written to the audit trail.
            let _ = task.await;
        }
    }
}

impl BatchWorker {
    /// Creates a worker for the batches of this service.
    pub fn new(service: Arc<BatchService>, registry: Arc<OrganisationRegistry>, lrs: Arc<Lrs>) -> Self {
        let permits = WorkerPermits::new(service.settings());
        let visits = VisitLimits::new(service.settings().max_concurrent_parts_per_organisation);
        Self(Arc::new(WorkerContext {
            service,
            registry,
            lrs,
            permits,
            visits,
            deferrals: ReasonLog::default(),
            bad_responses: ReasonLog::default(),
        }))
    }

    /// Starts the worker on the current runtime.
    pub fn start(self) -> WorkerHandle {
        let (shutdown, signal) = ShutdownSignal::channel();
        let abort_visits = Arc::new(Notify::new());
        let task = tokio::spawn(run(self.0, signal, Arc::clone(&abort_visits)));
        WorkerHandle { shutdown, abort_visits, task }
    }
}

async fn run(context: Arc<WorkerContext>, mut shutdown: ShutdownSignal, abort_visits: Arc<Notify>) {
    let settings = context.service.settings();
    let mut visits = JoinSet::new();
    let mut is_paused = false;
    while !shutdown.is_requested() {
        // All that have ended: each of them may make room in its organisation, or its batch may be due. One claim is enough for them.
        while visits.try_join_next().is_some() {}
        let limit = settings.max_concurrent_batches - visits.len();
        let wait = match claim(&context, limit).await {
            Ok(claimed) => {
                if std::mem::take(&mut is_paused) {
                    tracing::info!("batch worker resumed");
                }
                for batch in claimed.batches {
                    // It counts from now on: the next claim may come before the visit starts.
                    let counted = batch.organisation.clone().map(|organisation| context.visits.begin(organisation));
                    visits.spawn(visit(Arc::clone(&context), batch, counted, claimed.clock, shutdown.clone()));
                }
                claimed.wait
            }
            Err(error) => {
                if !std::mem::replace(&mut is_paused, true) {
                    tracing::error!(%error, "batch worker paused: no batches claimed");
                }
                settings.idle_poll_interval
            }
        };
        let claim_at = Instant::now() + wait.clamp(MIN_CLAIM_INTERVAL, settings.idle_poll_interval);
        until_next_claim(&context, &mut visits, claim_at, &mut shutdown).await;
    }
    context.service.handover.close();
    tokio::select! {
        () = async { while visits.join_next().await.is_some() {} } => return,
        () = abort_visits.notified() => {}
    }
    visits.shutdown().await;
}

/// Waits until a claim can find a batch: at this time, earlier if there is new work, or if a visit ends and its batch is due earlier or others
/// have waited for it.
async fn until_next_claim(
    context: &WorkerContext,
    visits: &mut JoinSet<Option<Duration>>,
    mut claim_at: Instant,
    shutdown: &mut ShutdownSignal,
) {
    loop {
        let ended = tokio::select! {
            () = tokio::time::sleep_until(claim_at) => return,
            () = context.service.new_work.notified() => return,
            Some(ended) = visits.join_next(), if !visits.is_empty() => ended,
            () = shutdown.requested() => return,
        };
        if context.visits.is_any_contended() {
            return;
        }
        if let Ok(Some(due_in)) = ended {
            claim_at = claim_at.min(Instant::now() + due_in);
        }
    }
}

/// Claimed batches.
struct ClaimedWork {
    batches: Vec<ClaimedBatch>,
    clock: Clock,
    /// Time until the next claim, if no visit ends before.
    wait: Duration,
}

/// Claims up to `limit` due batches.
async fn claim(context: &WorkerContext, limit: usize) -> Result<ClaimedWork, BatchError> {
    let settings = context.service.settings();
    context.service.handover.drop_old(std::time::Instant::now());
    context.service.verify_encryption_keys().await?;
    let read_at = Instant::now();
    let limits = context.visits.next_claim(limit, &context.registry);
    // Also if no further batch can be taken: the visits in progress end earlier if others wait.
    let claim = context.service.repository.claim(settings.lease, &limits).await?;
    context.visits.set_contended(&claim);
    let is_full = claim.batches.len() == limit;
    // A full worker takes a batch that is due now when a visit ends. It looks at one that is due later as soon as that waits, too.
    let next = claim.next.filter(|next| !is_full || *next > claim.now);
    let wait = next.map_or(settings.idle_poll_interval, |next| next.since(claim.now));
    Ok(ClaimedWork { batches: claim.batches, clock: Clock::new(claim.now, read_at), wait })
}
