//! The engine: in every replica, workers take turns at the batches that are due.
//!
//! A turn begins with a lease of the batch from the store, so that one worker has it at a time. The lease is renewed while the turn
//! lasts; when a worker dies, it runs out, and the next worker goes on from what was kept. Should the worker not have died but come
//! back late, it finds that the parts are no longer as it has seen them, and changes nothing that is not its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::batches::batch_kind::{BatchKind, Details, PartCall, Progress};
use crate::batches::kinds::achievement::Achievements;
use crate::batches::kinds::registration::Registrations;
use crate::batches::kinds::verification::Verifications;
use crate::batches::model::{Batch, BatchId, Blob, Kind, Moment, Part, Reason, State};
use crate::batches::repository::{Blobs, Lease, StoreError};
use crate::batches::transitions::Circumstances;
use crate::batches::{Jobs, JobsError};
use crate::domain::Ukprn;
use crate::lrs::Lrs;
use crate::observability::metrics;
use crate::organisations::{Actor, Organisation, Registry};

/// How many parts a turn looks at: so that a long batch does not keep the others waiting.
const PARTS_A_TURN: usize = 32;
/// How long a batch rests at most that cannot be worked at: its organisation is not registered, or what is kept of it cannot be opened.
const REST: Duration = Duration::from_secs(60);
/// Of how many batches is remembered that they cannot be worked at.
const MOST_RESTING: usize = 10_000;
/// How long a batch rests that waits for somebody's decision. It is woken then; this is for the case that waking it failed.
const LONG_REST: Duration = Duration::from_secs(6 * 60 * 60);
/// How long a batch waits for a turn when its organisation has as many as it may have.
const NEXT_TURN: Duration = Duration::from_secs(1);
/// How soon the store is asked again when there is work.
const BUSY: Duration = Duration::from_millis(10);

/// The engine of a replica.
#[derive(Debug)]
pub struct Engine {
    jobs: Arc<Jobs>,
    registry: Arc<Registry>,
    lrs: Arc<Lrs>,
    parts: Semaphore,
    of_organisation: Mutex<HashMap<Ukprn, Permits>>,
    /// Batches that cannot be worked at, and what has been said of why.
    resting: Mutex<HashMap<BatchId, String>>,
}

/// A running engine.
#[derive(Debug)]
pub struct Running {
    stop: watch::Sender<bool>,
    abandon: Arc<Notify>,
    ended: tokio::task::JoinHandle<()>,
}

impl Running {
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
    read: Moment,
    at: Instant,
}

impl Clock {
    fn now(&self) -> Moment {
        self.read.after(self.at.elapsed())
    }
}

impl Engine {
    /// An engine that works at these batches.
    pub fn new(jobs: Arc<Jobs>, registry: Arc<Registry>, lrs: Arc<Lrs>) -> Self {
        let parts = Semaphore::new(jobs.settings().parts_at_once);
        Self { jobs, registry, lrs, parts, of_organisation: Mutex::default(), resting: Mutex::default() }
    }

    /// Starts it on the present runtime.
    pub fn start(self) -> Running {
        let (stop, stopped) = watch::channel(false);
        let abandon = Arc::new(Notify::new());
        let ended = tokio::spawn(Arc::new(self).run(stopped, Arc::clone(&abandon)));
        Running { stop, abandon, ended }
    }

    async fn run(self: Arc<Self>, mut stopped: watch::Receiver<bool>, abandon: Arc<Notify>) {
        let settings = self.jobs.settings();
        let mut turns = JoinSet::new();
        let mut in_trouble = false;
        while !*stopped.borrow() {
            let free = settings.batches_at_once - turns.len();
            let wait = match self.claim(free).await {
                Ok((leases, clock, wait)) => {
                    if std::mem::take(&mut in_trouble) {
                        tracing::info!("the store can be used again: batches go on");
                    }
                    for lease in leases {
                        turns.spawn(Arc::clone(&self).turn(lease, clock, stopped.clone()));
                    }
                    wait
                }
                Err(error) => {
                    if !std::mem::replace(&mut in_trouble, true) {
                        tracing::error!(%error, "batches have to wait");
                    }
                    settings.idle
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait.clamp(BUSY, settings.idle)) => {}
                () = self.jobs.news.notified() => {}
                Some(_) = turns.join_next(), if !turns.is_empty() => {}
                () = told(&mut stopped) => {}
            }
        }
        tokio::select! {
            () = async { while turns.join_next().await.is_some() {} } => return,
            () = abandon.notified() => {}
        }
        turns.shutdown().await;
    }

    /// Leases what is due, and says how long there is nothing to do.
    async fn claim(&self, most: usize) -> Result<(Vec<Lease>, Clock, Duration), JobsError> {
        let settings = self.jobs.settings();
        self.jobs.check().await?;
        let at = Instant::now();
        if most == 0 {
            return Ok((Vec::new(), Clock { read: Moment(0), at }, settings.idle));
        }
        let claim = self.jobs.store.claim(settings.lease, most).await?;
        let wait = claim.next.map_or(settings.idle, |next| next.since(claim.now));
        Ok((claim.leases, Clock { read: claim.now, at }, wait))
    }

    /// Works at a batch for a while, and gives it back.
    async fn turn(self: Arc<Self>, lease: Lease, clock: Clock, stopped: watch::Receiver<bool>) {
        let worked = tokio::select! {
            biased;
            worked = self.work(lease.id, clock, &stopped) => worked,
            never = self.keep_alive(lease) => match never {},
        };
        let given_back = match worked {
            Ok(Some(due)) => self.jobs.store.release(lease, due).await,
            Ok(None) => self.jobs.store.forget(lease).await,
            Err(error) => {
                if self.is_news(lease.id, error.to_string()) {
                    tracing::error!(batch = %lease.id, %error, "a batch cannot be worked at");
                }
                self.jobs.store.release(lease, Some(clock.now().after(REST))).await
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
    async fn work(&self, id: BatchId, clock: Clock, stopped: &watch::Receiver<bool>) -> Result<Option<Option<Moment>>, JobsError> {
        let Some(batch) = self.jobs.store.load(id).await? else { return Ok(None) };
        let organisation = batch.header.organisation().and_then(|ukprn| self.registry.find(&ukprn));
        let Some(organisation) = organisation else {
            if self.is_news(id, "its organisation".to_owned()) {
                tracing::warn!(batch = %id, "the batch waits: its organisation is not registered");
            }
            return Ok(Some(Some(clock.now().after(REST.min(self.jobs.settings().longest_poll)))));
        };
        let Some(_turn) = self.turn_of(&organisation) else {
            return Ok(Some(Some(clock.now().after(NEXT_TURN))));
        };
        let details = self.jobs.details(batch.id, Blob::Details).await?;
        self.resting.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        // What is due shortly is looked at too: it spares a turn.
        let soon = clock.now().after(self.jobs.settings().first_poll / 4);
        let due = batch.numbered().filter(|(_, part)| !part.rests() && part.due <= soon);
        let mut due: Vec<(u32, Part)> = due.map(|(number, part)| (number, part.clone())).collect();
        due.sort_by_key(|(_, part)| part.due);
        due.truncate(PARTS_A_TURN);
        let turn = Turn { engine: self, batch: &batch, details: &details, organisation: &organisation, clock, stopped };
        let steps = futures_util::stream::iter(due).map(|(number, part)| async move { turn.step(number, &part).await });
        let at_once = self.jobs.settings().parts_at_once_per_organisation;
        let outcomes: Vec<Result<(), JobsError>> = steps.buffer_unordered(at_once).collect().await;
        let after = self.jobs.store.load(id).await?;
        if let Some(after) = after.as_ref().filter(|after| after.is_over()) {
            self.jobs.store.keep_until(after, clock.now().after(self.jobs.settings().retention)).await?;
            metrics::batch(after.header.kind.name(), after.status().name(), after.changed().since(after.header.created));
            tracing::info!(batch = %batch.id, status = after.status().name(), "batch over");
        }
        outcomes.into_iter().collect::<Result<(), _>>()?;
        let rest = || Some(clock.now().after(LONG_REST));
        Ok(after.map(|after| if after.is_over() { None } else { after.due().or_else(rest) }))
    }

    /// Has it not been said before that this batch cannot be worked at for this reason?
    fn is_news(&self, id: BatchId, why: String) -> bool {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        // Those of which nothing is heard any more have left.
        if resting.len() >= MOST_RESTING {
            resting.clear();
        }
        resting.insert(id, why.clone()) != Some(why)
    }

    /// An organisation has no more turns at once than parts, so that its batches do not take everybody else's.
    fn turn_of(&self, organisation: &Organisation) -> Option<OwnedSemaphorePermit> {
        self.permits_of(organisation).turns.try_acquire_owned().ok()
    }

    fn permits_of(&self, organisation: &Organisation) -> Permits {
        let mut all = self.of_organisation.lock().unwrap_or_else(PoisonError::into_inner);
        let at_once = self.jobs.settings().parts_at_once_per_organisation;
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
async fn told(stopped: &mut watch::Receiver<bool>) {
    if stopped.wait_for(|stopped| *stopped).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// May what LRS said of a part that was sent be kept over what is there now? A job that LRS made is never forgotten; anything else
/// gives way to what somebody decided meanwhile.
fn applies(there: &Part, before: &Part, sending: &Part, after: &Part) -> bool {
    if there == before {
        return true; // a store that has forgotten the mark
    }
    there.sender == sending.sender
        && match after.state {
            State::Submitted => !matches!(there.state, State::Submitted | State::Complete),
            State::Failed => matches!(there.state, State::Sending | State::Unconfirmed),
            _ => there.state == State::Sending,
        }
}

/// A turn at a batch.
#[derive(Clone, Copy)]
struct Turn<'a> {
    engine: &'a Engine,
    batch: &'a Batch,
    details: &'a Details,
    organisation: &'a Arc<Organisation>,
    clock: Clock,
    stopped: &'a watch::Receiver<bool>,
}

impl Turn<'_> {
    /// Does what is due about a part.
    async fn step(&self, number: u32, part: &Part) -> Result<(), JobsError> {
        match self.batch.header.kind {
            Kind::Registration => self.step_of::<Registrations>(number, part).await,
            Kind::Verification => self.step_of::<Verifications>(number, part).await,
            Kind::Achievement => self.step_of::<Achievements>(number, part).await,
        }
    }

    async fn step_of<K: BatchKind>(&self, number: u32, part: &Part) -> Result<(), JobsError> {
        let here = self.here();
        let after = match part.state {
            State::Sending => here.abandoned(part),
            State::Waiting | State::Submitted if here.is_too_late(part) => here.too_late(part),
            State::Waiting => return self.send::<K>(number, part).await,
            State::Submitted => return self.ask::<K>(number, part).await,
            State::Complete | State::Failed | State::Unconfirmed => return Ok(()),
        };
        self.change(number, part, &after, Vec::new()).await?;
        Ok(())
    }

    fn here(&self) -> Circumstances<'_> {
        Circumstances {
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
            () = told(&mut stopped) => None,
            done = work => Some(done),
        }
    }

    /// Sends a part that waits.
    async fn send<K: BatchKind>(&self, number: u32, part: &Part) -> Result<(), JobsError> {
        let permits = self.engine.permits_of(self.organisation);
        // Nobody closes them.
        let permitted = async { (permits.parts.acquire().await, self.engine.parts.acquire().await) };
        let Some(_permits) = self.unless_stopped(permitted).await else { return Ok(()) };
        let jobs = &self.engine.jobs;
        let Some(records) = jobs.records::<K>(self.batch, number).await? else {
            let lost = Part { state: State::Failed, reason: Some(Reason::Unreadable), changed: self.clock.now(), ..part.clone() };
            self.change(number, part, &lost, Vec::new()).await?;
            return Ok(());
        };
        let actor = self.actor(number).await?;
        // Before the mark: a part that waits in line is not being sent.
        let turn = match self.unless_stopped(self.engine.lrs.line_up(K::SERVICE, &actor)).await {
            None => return Ok(()),
            Some(Ok(turn)) => turn,
            Some(Err(failure)) => {
                self.change(number, part, &self.here().sent(part, Err(&failure)), Vec::new()).await?;
                return Ok(());
            }
        };
        let sending = self.here().sending(part, fastrand::u64(1..));
        match jobs.store.change(self.batch.id, number, part, &sending, &Blobs::default()).await {
            Ok(true) => {}
            Ok(false) => return Ok(()), // somebody else has it
            Err(error) => {
                // The mark may be there. Nothing was sent, so it must not stay.
                self.keep_outcome(number, part, &sending, part).await;
                return Err(error.into());
            }
        }
        let call = PartCall { lrs: &self.engine.lrs, actor: &actor, turn };
        let outcome = K::submit(call, self.details, &records).await;
        drop(records);
        let outcome = outcome.as_ref().map_err(|failed| &failed.failure);
        let after = self.here().sent(&sending, outcome);
        self.keep_outcome(number, part, &sending, &after).await;
        Ok(())
    }

    /// Keeps what LRS said of a part that was sent. There is no second chance to learn it, so this is tried until it is done.
    async fn keep_outcome(&self, number: u32, before: &Part, sending: &Part, after: &Part) {
        const LONGEST: Duration = Duration::from_secs(2);
        let (id, job) = (self.batch.id, after.job);
        let (mut seen, mut pause, mut late) = (sending.clone(), BUSY, false);
        loop {
            let there = match self.change(number, &seen, after, Vec::new()).await {
                Ok(true) => break,
                Ok(false) => self.engine.jobs.store.load(id).await.map_err(JobsError::from),
                Err(error) => Err(error),
            };
            match there {
                Ok(batch) => match batch.as_ref().and_then(|batch| batch.part(number)) {
                    Some(part) if applies(part, before, sending, after) => (seen, late) = (part.clone(), true),
                    _ => {
                        tracing::warn!(batch = %id, part = number, job, "LRS's answer came too late to be kept");
                        return;
                    }
                },
                Err(error @ (JobsError::Sealed(_) | JobsError::Unreadable(_) | JobsError::Store(StoreError::Unreadable(_)))) => {
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
    async fn ask<K: BatchKind>(&self, number: u32, part: &Part) -> Result<(), JobsError> {
        let permits = self.engine.permits_of(self.organisation);
        let permitted = async { (permits.parts.acquire().await, self.engine.parts.acquire().await) };
        let Some(_permits) = self.unless_stopped(permitted).await else { return Ok(()) };
        let Some(job) = part.job else { return Ok(()) };
        let actor = self.actor(number).await?;
        let lrs = &self.engine.lrs;
        let Some(lined_up) = self.unless_stopped(lrs.line_up(K::SERVICE, &actor)).await else { return Ok(()) };
        let fetched = match lined_up {
            Ok(turn) => K::fetch(PartCall { lrs, actor: &actor, turn }, job).await.map_err(|failed| failed.failure),
            Err(failure) => Err(failure),
        };
        let here = self.here();
        let output = match fetched {
            Ok(output) => output,
            Err(failure) => {
                self.change(number, part, &here.not_asked(part, &failure), Vec::new()).await?;
                return Ok(());
            }
        };
        let progress = K::progress(&output, part.records as usize);
        let mut after = here.asked(part, progress, K::code(&output));
        let mut put = Vec::new();
        if progress != Progress::Unknown {
            after.told = K::told(&output);
            put.push(self.engine.jobs.sealed_output::<K>(self.batch.id, number, &output)?);
        }
        if matches!(progress, Progress::Done | Progress::Failed) {
            after.counts = K::counters(&output);
            if self.batch.header.tracked {
                after.records = u32::try_from(K::count(&output)).unwrap_or(u32::MAX);
            }
        }
        self.change(number, part, &after, put).await?;
        Ok(())
    }

    async fn actor(&self, number: u32) -> Result<Actor, JobsError> {
        let (user, origin) = self.engine.jobs.user(self.batch, number, self.details).await?;
        Ok(Actor { organisation: Arc::clone(self.organisation), user, origin: Arc::new(origin) })
    }

    /// Changes a part from what was seen of it. A part that LRS has, or that will not be sent, keeps no records.
    async fn change(&self, number: u32, seen: &Part, after: &Part, put: Vec<(Blob, Vec<u8>)>) -> Result<bool, JobsError> {
        let keeps_records = matches!(after.state, State::Waiting | State::Sending | State::Unconfirmed);
        let erase = if keeps_records { Vec::new() } else { vec![Blob::Records(number)] };
        let changed = self.engine.jobs.store.change(self.batch.id, number, seen, after, &Blobs { put, erase }).await?;
        if changed && seen.state != after.state {
            let (state, reason) = (after.state.name(), after.reason.map(tracing::field::display));
            metrics::part(self.batch.header.kind.name(), state);
            tracing::info!(batch = %self.batch.id, part = number, state, reason, job = after.job, code = after.code, "part");
        }
        Ok(changed)
    }
}
