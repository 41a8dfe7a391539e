//! The engine: in every replica, workers take turns at the batches that are due.
//!
//! A turn begins with a lease of the batch from the store, so that one worker has it at a time. The lease is renewed while the turn
//! lasts; when a worker dies, it runs out, and the next worker goes on from what was kept. Should the worker not have died but come
//! back late, it finds that the parts are no longer as it has seen them, and changes nothing that is not its own.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::batches::batch_kind::{BatchKind, BatchMetadata, JobProgress, PartRequest};
use crate::batches::kinds::achievement::Achievements;
use crate::batches::kinds::registration::Registrations;
use crate::batches::kinds::verification::Verifications;
use crate::batches::model::{Batch, BatchId, EpochMillis, KindTag, Part, PartBlob, PartReason, PartState};
use crate::batches::repository::{Blobs, Lease, StoreError};
use crate::batches::transitions::TransitionContext;
use crate::batches::{BatchError, BatchService};
use crate::domain::Ukprn;
use crate::lrs::Lrs;
use crate::observability::metrics;
use crate::organisations::{Organisation, OrganisationRegistry, RequestContext};

/// How many parts a turn looks at: so that a long batch does not keep the others waiting.
const MAX_PARTS_PER_VISIT: usize = 32;
/// How long a batch rests at most that cannot be worked at: its organisation is not registered, or what is kept of it cannot be opened.
const BLOCKED_RETRY_INTERVAL: Duration = Duration::from_secs(60);
/// Of how many batches is remembered that they cannot be worked at.
const MAX_LOGGED_BATCHES: usize = 10_000;
/// How long a batch rests that waits for somebody's decision. It is woken then; this is for the case that waking it failed.
const IDLE_RECHECK_INTERVAL: Duration = Duration::from_secs(6 * 60 * 60);
/// How long a batch waits for a turn when its organisation has as many as it may have.
const PERMIT_RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// How soon the store is asked again when there is work.
const BUSY_CLAIM_INTERVAL: Duration = Duration::from_millis(10);

/// The engine of a replica.
#[derive(Debug)]
pub struct BatchWorker {
    jobs: Arc<BatchService>,
    registry: Arc<OrganisationRegistry>,
    lrs: Arc<Lrs>,
    parts: Semaphore,
    of_organisation: Mutex<HashMap<Ukprn, Permits>>,
    /// Batches that cannot be worked at, and what has been said of why.
    resting: Mutex<HashMap<BatchId, String>>,
}

/// A running engine.
#[derive(Debug)]
pub struct WorkerHandle {
    stop: watch::Sender<bool>,
    abandon: Arc<Notify>,
    ended: tokio::task::JoinHandle<()>,
}

impl WorkerHandle {
    /// Takes on no more work, and waits for what has begun, but no longer than this: what is not done then is left.
    pub async fn stop(self, longest: Duration) {
        let Self { stop, abandon, mut ended } = self;
        stop.send_replace(true);
        if tokio::time::timeout(longest, &mut ended).await.is_err() {
            tracing::warn!("batches were left in the middle of a turn: the next worker goes on with them");
            abandon.notify_one();
            // What becomes of their calls is written down.
            let _ = ended.await;
        }
    }
}

/// The store's clock, read once and carried on.
#[derive(Debug, Clone, Copy)]
struct Clock {
    read: EpochMillis,
    at: Instant,
}

impl Clock {
    fn now(&self) -> EpochMillis {
        self.read.after(self.at.elapsed())
    }
}

impl BatchWorker {
    /// An engine that works at these batches.
    pub fn new(jobs: Arc<BatchService>, registry: Arc<OrganisationRegistry>, lrs: Arc<Lrs>) -> Self {
        let parts = Semaphore::new(jobs.settings().max_concurrent_parts);
        Self { jobs, registry, lrs, parts, of_organisation: Mutex::default(), resting: Mutex::default() }
    }

    /// Starts it on the present runtime.
    pub fn start(self) -> WorkerHandle {
        let (stop, stopped) = watch::channel(false);
        let abandon = Arc::new(Notify::new());
        let ended = tokio::spawn(Arc::new(self).run(stopped, Arc::clone(&abandon)));
        WorkerHandle { stop, abandon, ended }
    }

    async fn run(self: Arc<Self>, mut stopped: watch::Receiver<bool>, abandon: Arc<Notify>) {
        let settings = self.jobs.settings();
        let mut turns = JoinSet::new();
        let mut in_trouble = false;
        while !*stopped.borrow() {
            let free = settings.max_concurrent_batches - turns.len();
            let wait = match self.claim(free).await {
                Ok((leases, clock, wait)) => {
                    if std::mem::take(&mut in_trouble) {
                        tracing::info!("the store can be used again: batches go on");
                    }
                    for lease in leases {
                        turns.spawn(Arc::clone(&self).visit(lease, clock, stopped.clone()));
                    }
                    wait
                }
                Err(error) => {
                    if !std::mem::replace(&mut in_trouble, true) {
                        tracing::error!(%error, "batches have to wait");
                    }
                    settings.idle_poll_interval
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait.clamp(BUSY_CLAIM_INTERVAL, settings.idle_poll_interval)) => {}
                () = self.jobs.news.notified() => {}
                Some(_) = turns.join_next(), if !turns.is_empty() => {}
                () = shutdown_requested(&mut stopped) => {}
            }
        }
        tokio::select! {
            () = async { while turns.join_next().await.is_some() {} } => return,
            () = abandon.notified() => {}
        }
        turns.shutdown().await;
    }

    /// Leases what is due, and says how long there is nothing to do.
    async fn claim(&self, most: usize) -> Result<(Vec<Lease>, Clock, Duration), BatchError> {
        let settings = self.jobs.settings();
        self.jobs.verify_encryption_keys().await?;
        let at = Instant::now();
        if most == 0 {
            return Ok((Vec::new(), Clock { read: EpochMillis(0), at }, settings.idle_poll_interval));
        }
        let claim = self.jobs.store.claim(settings.lease, most).await?;
        let wait = claim.next.map_or(settings.idle_poll_interval, |next| next.since(claim.now));
        Ok((claim.leases, Clock { read: claim.now, at }, wait))
    }

    /// Works at a batch for a while, and gives it back.
    async fn visit(self: Arc<Self>, lease: Lease, clock: Clock, stopped: watch::Receiver<bool>) {
        let worked = tokio::select! {
            biased;
            worked = self.work(lease.id, clock, &stopped) => worked,
            never = self.keep_alive(lease) => match never {},
        };
        let given_back = match worked {
            Ok(Some(due)) => self.jobs.store.release(lease, due).await,
            Ok(None) => self.jobs.store.forget(lease).await,
            Err(error) => {
                if self.should_log(lease.id, error.to_string()) {
                    tracing::error!(batch = %lease.id, %error, "a batch cannot be worked at");
                }
                self.jobs.store.release(lease, Some(clock.now().after(BLOCKED_RETRY_INTERVAL))).await
            }
        };
        if let Err(error) = given_back {
            tracing::warn!(batch = %lease.id, %error, "a batch was not given back: its lease will run out");
        }
    }

    /// Renews a lease for as long as it is awaited.
    async fn keep_alive(&self, lease: Lease) -> std::convert::Infallible {
        let length = self.jobs.settings().lease;
        loop {
            tokio::time::sleep(length / 3).await;
            // If it is over, somebody else may have the batch now. What this worker has begun it brings to an end; what the other
            // has changed, it will not change.
            if self.jobs.store.renew(lease, length).await == Ok(false) {
                return std::future::pending().await;
            }
        }
    }

    /// Does what is due about a batch, and says when something is due again; `None` if there is no such batch.
    async fn work(&self, id: BatchId, clock: Clock, stopped: &watch::Receiver<bool>) -> Result<Option<Option<EpochMillis>>, BatchError> {
        let Some(batch) = self.jobs.store.load(id).await? else { return Ok(None) };
        let organisation = batch.header.organisation().and_then(|ukprn| self.registry.find(&ukprn));
        let Some(organisation) = organisation else {
            if self.should_log(id, "its organisation".to_owned()) {
                tracing::warn!(batch = %id, "the batch waits: its organisation is not registered");
            }
            return Ok(Some(Some(clock.now().after(BLOCKED_RETRY_INTERVAL.min(self.jobs.settings().max_poll_interval)))));
        };
        let Some(_turn) = self.try_acquire(&organisation) else {
            return Ok(Some(Some(clock.now().after(PERMIT_RETRY_INTERVAL))));
        };
        let details = self.jobs.details(batch.id, PartBlob::Details).await?;
        self.resting.lock().remove(&id);
        // What is due shortly is looked at too: it spares a turn.
        let soon = clock.now().after(self.jobs.settings().initial_poll_interval / 4);
        let due = batch.numbered().filter(|(_, part)| !part.is_settled() && part.due <= soon);
        let mut due: Vec<(u32, Part)> = due.map(|(number, part)| (number, part.clone())).collect();
        due.sort_by_key(|(_, part)| part.due);
        due.truncate(MAX_PARTS_PER_VISIT);
        let turn = Visit { engine: self, batch: &batch, details: &details, organisation: &organisation, clock, stopped };
        let steps = futures_util::stream::iter(due).map(|(number, part)| async move { turn.step(number, &part).await });
        let at_once = self.jobs.settings().max_concurrent_parts_per_organisation;
        let outcomes: Vec<Result<(), BatchError>> = steps.buffer_unordered(at_once).collect().await;
        let after = self.jobs.store.load(id).await?;
        if let Some(after) = after.as_ref().filter(|after| after.is_over()) {
            self.jobs.store.extend_expiry(after, clock.now().after(self.jobs.settings().retention)).await?;
            metrics::batch(after.header.kind.name(), after.status().name(), after.changed().since(after.header.created));
            tracing::info!(batch = %batch.id, status = after.status().name(), "batch over");
        }
        outcomes.into_iter().collect::<Result<(), _>>()?;
        let rest = || Some(clock.now().after(IDLE_RECHECK_INTERVAL));
        Ok(after.map(|after| if after.is_over() { None } else { after.due().or_else(rest) }))
    }

    /// Has it not been said before that this batch cannot be worked at for this reason?
    fn should_log(&self, id: BatchId, why: String) -> bool {
        let mut resting = self.resting.lock();
        // Those of which nothing is heard any more have left.
        if resting.len() >= MAX_LOGGED_BATCHES {
            resting.clear();
        }
        resting.insert(id, why.clone()) != Some(why)
    }

    /// An organisation has no more turns at once than parts, so that its batches do not take everybody else's.
    fn try_acquire(&self, organisation: &Organisation) -> Option<OwnedSemaphorePermit> {
        self.permits_of(organisation).turns.try_acquire_owned().ok()
    }

    fn permits_of(&self, organisation: &Organisation) -> Permits {
        let mut all = self.of_organisation.lock();
        let at_once = self.jobs.settings().max_concurrent_parts_per_organisation;
        let semaphore = || Arc::new(Semaphore::new(at_once));
        all.entry(organisation.ukprn().clone()).or_insert_with(|| Permits { turns: semaphore(), parts: semaphore() }).clone()
    }
}

/// What an organisation may do at once.
#[derive(Debug, Clone)]
struct Permits {
    turns: Arc<Semaphore>,
    parts: Arc<Semaphore>,
}

/// Waits until somebody says stop. If nobody is left who could, that is never.
async fn shutdown_requested(stopped: &mut watch::Receiver<bool>) {
    if stopped.wait_for(|stopped| *stopped).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// May what LRS said of a part that was sent be kept over what is there now? A job that LRS made is never forgotten; anything else
/// gives way to what somebody decided meanwhile.
fn matches_expected(there: &Part, before: &Part, sending: &Part, after: &Part) -> bool {
    if there == before {
        return true; // a store that has forgotten the mark
    }
    there.sender == sending.sender
        && match after.state {
            PartState::Submitted => !matches!(there.state, PartState::Submitted | PartState::Complete),
            PartState::Failed => matches!(there.state, PartState::Sending | PartState::Unconfirmed),
            _ => there.state == PartState::Sending,
        }
}

/// A turn at a batch.
#[derive(Clone, Copy)]
struct Visit<'a> {
    engine: &'a BatchWorker,
    batch: &'a Batch,
    details: &'a BatchMetadata,
    organisation: &'a Arc<Organisation>,
    clock: Clock,
    stopped: &'a watch::Receiver<bool>,
}

impl Visit<'_> {
    /// Does what is due about a part.
    async fn step(&self, number: u32, part: &Part) -> Result<(), BatchError> {
        match self.batch.header.kind {
            KindTag::Registration => self.step_of::<Registrations>(number, part).await,
            KindTag::Verification => self.step_of::<Verifications>(number, part).await,
            KindTag::Achievement => self.step_of::<Achievements>(number, part).await,
        }
    }

    async fn step_of<K: BatchKind>(&self, number: u32, part: &Part) -> Result<(), BatchError> {
        let here = self.transition_context();
        let after = match part.state {
            PartState::Sending => here.abandoned(part),
            PartState::Waiting | PartState::Submitted if here.is_timed_out(part) => here.timed_out(part),
            PartState::Waiting => return self.send::<K>(number, part).await,
            PartState::Submitted => return self.poll::<K>(number, part).await,
            PartState::Complete | PartState::Failed | PartState::Unconfirmed => return Ok(()),
        };
        self.change(number, part, &after, Vec::new()).await?;
        Ok(())
    }

    fn transition_context(&self) -> TransitionContext<'_> {
        TransitionContext {
            now: self.clock.now(),
            settings: self.engine.jobs.settings(),
            repeatable: self.batch.header.repeatable,
            tracked: self.batch.header.tracked,
            maintenance: &self.engine.jobs.settings().maintenance,
        }
    }

    /// What comes of it, unless the engine is to stop before.
    async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut stopped = self.stopped.clone();
        tokio::select! {
            biased;
            () = shutdown_requested(&mut stopped) => None,
            done = work => Some(done),
        }
    }

    /// Sends a part that waits.
    async fn send<K: BatchKind>(&self, number: u32, part: &Part) -> Result<(), BatchError> {
        let permits = self.engine.permits_of(self.organisation);
        // Nobody closes them.
        let permitted = async { (permits.parts.acquire().await, self.engine.parts.acquire().await) };
        let Some(_permits) = self.unless_stopped(permitted).await else { return Ok(()) };
        let jobs = &self.engine.jobs;
        let Some(records) = jobs.records::<K>(self.batch, number).await? else {
            let lost = Part { state: PartState::Failed, reason: Some(PartReason::Unreadable), changed: self.clock.now(), ..part.clone() };
            self.change(number, part, &lost, Vec::new()).await?;
            return Ok(());
        };
        let actor = self.actor(number).await?;
        // Before the mark: a part that waits in line is not being sent.
        let turn = match self.unless_stopped(self.engine.lrs.acquire_permit(K::SERVICE, &actor)).await {
            None => return Ok(()),
            Some(Ok(turn)) => turn,
            Some(Err(failure)) => {
                self.change(number, part, &self.transition_context().after_send(part, Err(&failure)), Vec::new()).await?;
                return Ok(());
            }
        };
        let sending = self.transition_context().begin_sending(part, fastrand::u64(1..));
        match jobs.store.change(self.batch.id, number, part, &sending, &Blobs::default()).await {
            Ok(true) => {}
            Ok(false) => return Ok(()), // somebody else has it
            Err(error) => {
                // The mark may be there. Nothing was sent, so it must not stay.
                self.store_outcome(number, part, &sending, part).await;
                return Err(error.into());
            }
        }
        let call = PartRequest { lrs: &self.engine.lrs, actor: &actor, permit: turn };
        let outcome = K::submit(call, self.details, &records).await;
        drop(records);
        let outcome = outcome.as_ref().map_err(|failed| &failed.error);
        let after = self.transition_context().after_send(&sending, outcome);
        self.store_outcome(number, part, &sending, &after).await;
        Ok(())
    }

    /// Keeps what LRS said of a part that was sent. There is no second chance to learn it, so this is tried until it is done.
    async fn store_outcome(&self, number: u32, before: &Part, sending: &Part, after: &Part) {
        const LONGEST: Duration = Duration::from_secs(2);
        let (id, job) = (self.batch.id, after.job);
        let (mut seen, mut pause, mut late) = (sending.clone(), BUSY_CLAIM_INTERVAL, false);
        loop {
            let there = match self.change(number, &seen, after, Vec::new()).await {
                Ok(true) => break,
                Ok(false) => self.engine.jobs.store.load(id).await.map_err(BatchError::from),
                Err(error) => Err(error),
            };
            match there {
                Ok(batch) => match batch.as_ref().and_then(|batch| batch.part(number)) {
                    Some(part) if matches_expected(part, before, sending, after) => (seen, late) = (part.clone(), true),
                    _ => {
                        tracing::warn!(batch = %id, part = number, job, "LRS's answer came too late to be kept");
                        return;
                    }
                },
                Err(error @ (BatchError::Undecryptable(_) | BatchError::Unreadable(_) | BatchError::Store(StoreError::Unreadable(_)))) => {
                    tracing::error!(batch = %id, part = number, job, %error, "LRS's answer cannot be kept");
                    return;
                }
                Err(error) => {
                    tracing::error!(batch = %id, part = number, job, %error, "LRS's answer cannot be kept yet");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST);
                }
            }
        }
        if late && let Err(error) = self.engine.jobs.store.wake(id).await {
            // Whoever has taken the batch over may think that there is nothing to do about it.
            tracing::warn!(batch = %id, %error, "a batch was not woken: it will be looked at in some hours");
        }
    }

    /// Asks LRS how far a part is.
    async fn poll<K: BatchKind>(&self, number: u32, part: &Part) -> Result<(), BatchError> {
        let permits = self.engine.permits_of(self.organisation);
        let permitted = async { (permits.parts.acquire().await, self.engine.parts.acquire().await) };
        let Some(_permits) = self.unless_stopped(permitted).await else { return Ok(()) };
        let Some(job) = part.job else { return Ok(()) };
        let actor = self.actor(number).await?;
        let lrs = &self.engine.lrs;
        let Some(lined_up) = self.unless_stopped(lrs.acquire_permit(K::SERVICE, &actor)).await else { return Ok(()) };
        let fetched = match lined_up {
            Ok(turn) => K::fetch(PartRequest { lrs, actor: &actor, permit: turn }, job).await.map_err(|failed| failed.error),
            Err(failure) => Err(failure),
        };
        let here = self.transition_context();
        let output = match fetched {
            Ok(output) => output,
            Err(failure) => {
                self.change(number, part, &here.after_failed_poll(part, &failure), Vec::new()).await?;
                return Ok(());
            }
        };
        let progress = K::progress(&output, part.records as usize);
        let mut after = here.after_poll(part, progress, K::code(&output));
        let mut put = Vec::new();
        if progress != JobProgress::Unknown {
            after.told = K::report(&output);
            put.push(self.engine.jobs.sealed_output::<K>(self.batch.id, number, &output)?);
        }
        if matches!(progress, JobProgress::Done | JobProgress::Failed) {
            after.counts = K::counters(&output);
            if self.batch.header.tracked {
                after.records = u32::try_from(K::count(&output)).unwrap_or(u32::MAX);
            }
        }
        self.change(number, part, &after, put).await?;
        Ok(())
    }

    async fn actor(&self, number: u32) -> Result<RequestContext, BatchError> {
        let (user, origin) = self.engine.jobs.user(self.batch, number, self.details).await?;
        Ok(RequestContext { organisation: Arc::clone(self.organisation), user, client_identity: Arc::new(origin) })
    }

    /// Changes a part from what was seen of it. A part that LRS has, or that will not be sent, keeps no records.
    async fn change(&self, number: u32, seen: &Part, after: &Part, put: Vec<(PartBlob, Vec<u8>)>) -> Result<bool, BatchError> {
        let keeps_records = matches!(after.state, PartState::Waiting | PartState::Sending | PartState::Unconfirmed);
        let erase = if keeps_records { Vec::new() } else { vec![PartBlob::Records(number)] };
        let changed = self.engine.jobs.store.change(self.batch.id, number, seen, after, &Blobs { put, erase }).await?;
        if changed && seen.state != after.state {
            let (state, reason) = (after.state.name(), after.reason.map(tracing::field::display));
            metrics::part(self.batch.header.kind.name(), state);
            tracing::info!(batch = %self.batch.id, part = number, state, reason, job = after.job, code = after.code, "part");
        }
        Ok(changed)
    }
}
