//! The engine: in every replica, workers take turns at the batches that are due.
//!
//! A turn begins with a lease of the batch from the store, so that one worker has it at a time. The lease is renewed while the turn
//! lasts; when a worker dies, it runs out, and the next worker goes on from what was kept. Should the worker not have died but come
//! back late, it finds that the parts are no longer as it has seen them, and changes nothing that is not its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::achievement::Achievements;
use super::kind::{BatchKind, Calls, Details, Progress};
use super::model::{Batch, BatchId, Blob, Kind, Moment, Part, Reason, State};
use super::registration::Registrations;
use super::step::Circumstances;
use super::store::{Blobs, Lease};
use super::verification::Verifications;
use super::{Jobs, JobsError};
use crate::domain::Ukprn;
use crate::lrs::Lrs;
use crate::organisations::{Actor, Organisation, Registry};

/// How many parts a turn looks at: so that a long batch does not keep the others waiting.
const PARTS_A_TURN: usize = 32;
/// How long a batch rests that cannot be worked at: its organisation is not registered, or what is kept of it cannot be opened.
const REST: Duration = Duration::from_secs(60);
/// How soon the store is asked again when there is work.
const BUSY: Duration = Duration::from_millis(10);

/// The engine of a replica.
#[derive(Debug)]
pub struct Engine {
    jobs: Arc<Jobs>,
    registry: Arc<Registry>,
    lrs: Arc<Lrs>,
    parts: Semaphore,
    of_organisation: Mutex<HashMap<Ukprn, Arc<Semaphore>>>,
}

/// A running engine.
#[derive(Debug)]
pub struct Running {
    stop: watch::Sender<bool>,
    ended: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Takes on no more work, and waits for what has begun, but no longer than this.
    pub async fn stop(self, longest: Duration) {
        self.stop.send_replace(true);
        if tokio::time::timeout(longest, self.ended).await.is_err() {
            tracing::warn!("batches were left in the middle of a turn: the next worker goes on with them");
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
        Self { jobs, registry, lrs, parts, of_organisation: Mutex::default() }
    }

    /// Starts it on the present runtime.
    pub fn start(self) -> Running {
        let (stop, stopped) = watch::channel(false);
        let ended = tokio::spawn(Arc::new(self).run(stopped));
        Running { stop, ended }
    }

    async fn run(self: Arc<Self>, mut stopped: watch::Receiver<bool>) {
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
        while turns.join_next().await.is_some() {}
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
        let (id, lease) = (lease.id, Mutex::new(lease));
        let worked = tokio::select! {
            biased;
            worked = self.work(id, clock, &stopped) => worked,
            never = self.keep_alive(&lease) => match never {},
        };
        let lease = *held(&lease);
        let given_back = match worked {
            Ok(Some(due)) => self.jobs.store.release(lease, due).await,
            Ok(None) => self.jobs.store.forget(lease).await,
            Err(error) => {
                tracing::error!(batch = %lease.id, %error, "a batch cannot be worked at");
                self.jobs.store.release(lease, Some(clock.now().after(REST))).await
            }
        };
        if let Err(error) = given_back {
            tracing::warn!(batch = %lease.id, %error, "a batch was not given back: its lease will run out");
        }
    }

    /// Renews a lease for as long as it is awaited.
    async fn keep_alive(&self, lease: &Mutex<Lease>) -> std::convert::Infallible {
        let length = self.jobs.settings().lease;
        loop {
            tokio::time::sleep(length / 3).await;
            let present = *held(lease);
            match self.jobs.store.renew(present, length).await {
                Ok(Some(renewed)) => *held(lease) = renewed,
                // Somebody else may have the batch now. What this worker has begun it brings to an end; what the other
                // has changed, it will not change.
                Ok(None) => return std::future::pending().await,
                Err(_) => {}
            }
        }
    }

    /// Does what is due about a batch, and says when something is due again; `None` if there is no such batch.
    async fn work(&self, id: BatchId, clock: Clock, stopped: &watch::Receiver<bool>) -> Result<Option<Option<Moment>>, JobsError> {
        let Some(batch) = self.jobs.store.load(id).await? else { return Ok(None) };
        let organisation = batch.header.organisation().and_then(|ukprn| self.registry.find(&ukprn));
        let Some(organisation) = organisation else {
            tracing::warn!(batch = %batch.id, "the batch waits: its organisation is not registered");
            return Ok(Some(Some(clock.now().after(REST))));
        };
        let details = self.jobs.details(batch.id, Blob::Details).await?;
        // What is due shortly is looked at too: it spares a turn.
        let soon = clock.now().after(self.jobs.settings().first_poll / 4);
        let due = batch.numbered().filter(|(_, part)| !part.rests() && part.due <= soon).take(PARTS_A_TURN);
        let due: Vec<(u32, Part)> = due.map(|(number, part)| (number, part.clone())).collect();
        let turn = Turn { engine: self, batch: &batch, details: &details, organisation: &organisation, clock };
        let steps = futures_util::stream::iter(due)
            .map(|(number, part)| async move { if *stopped.borrow() { Ok(()) } else { turn.step(number, &part).await } });
        let at_once = self.jobs.settings().parts_at_once_per_organisation;
        let outcomes: Vec<Result<(), JobsError>> = steps.buffer_unordered(at_once).collect().await;
        let after = self.jobs.store.load(id).await?;
        if let Some(after) = after.as_ref().filter(|after| after.is_over()) {
            self.jobs.store.keep_until(after, clock.now().after(self.jobs.settings().retention)).await?;
            tracing::info!(batch = %batch.id, status = ?after.status(), "batch over");
        }
        outcomes.into_iter().collect::<Result<(), _>>()?;
        Ok(after.map(|after| after.due()))
    }

    fn permits_of(&self, organisation: &Organisation) -> Arc<Semaphore> {
        let mut all = self.of_organisation.lock().unwrap_or_else(PoisonError::into_inner);
        let at_once = self.jobs.settings().parts_at_once_per_organisation;
        Arc::clone(all.entry(organisation.ukprn().clone()).or_insert_with(|| Arc::new(Semaphore::new(at_once))))
    }
}

/// Waits until somebody says stop. If nobody is left who could, that is never.
async fn told(stopped: &mut watch::Receiver<bool>) {
    if stopped.wait_for(|stopped| *stopped).await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn held(lease: &Mutex<Lease>) -> std::sync::MutexGuard<'_, Lease> {
    lease.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A turn at a batch.
#[derive(Clone, Copy)]
struct Turn<'a> {
    engine: &'a Engine,
    batch: &'a Batch,
    details: &'a Details,
    organisation: &'a Arc<Organisation>,
    clock: Clock,
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
        let settings = self.engine.jobs.settings();
        let here = self.here();
        let over = here.now.since(self.batch.header.created) >= settings.horizon;
        let after = match part.state {
            State::Sending => here.abandoned(part),
            State::Waiting | State::Submitted if over => here.too_late(part),
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
        }
    }

    /// Sends a part that waits.
    async fn send<K: BatchKind>(&self, number: u32, part: &Part) -> Result<(), JobsError> {
        let organisation = self.engine.permits_of(self.organisation);
        // Nobody closes them.
        let _permits = (organisation.acquire().await, self.engine.parts.acquire().await);
        let jobs = &self.engine.jobs;
        let Some(records) = jobs.records::<K>(self.batch, number).await? else {
            let lost = Part { state: State::Failed, reason: Some(Reason::Unreadable), ..part.clone() };
            self.change(number, part, &lost, Vec::new()).await?;
            return Ok(());
        };
        let actor = self.actor(number).await?;
        let sending = self.here().sending(part, fastrand::u64(1..));
        if !jobs.store.change(self.batch.id, number, part, &sending, &Blobs::default()).await? {
            return Ok(()); // somebody else has it
        }
        let calls = Calls { lrs: &self.engine.lrs, actor: &actor };
        let outcome = K::submit(calls, self.details, &records).await;
        drop(records);
        let outcome = outcome.as_ref().map_err(|failed| &failed.failure);
        let after = self.here().sent(&sending, outcome);
        self.keep_outcome(number, &sending, &after).await;
        Ok(())
    }

    /// Keeps what LRS said of a part that was sent. There is no second chance to learn it, so this is tried until it is done.
    async fn keep_outcome(&self, number: u32, sending: &Part, after: &Part) {
        const LONGEST: Duration = Duration::from_secs(2);
        let (mut seen, mut pause) = (sending.clone(), BUSY);
        loop {
            let kept = self.change(number, &seen, after, Vec::new()).await;
            let there = match kept {
                Ok(true) => return,
                Ok(false) => self.engine.jobs.store.load(self.batch.id).await.map_err(JobsError::from),
                Err(error) => Err(error),
            };
            match there {
                // It was taken for lost meanwhile. It is not: this is its sender.
                Ok(Some(batch)) => match batch.part(number) {
                    Some(part) if part.sender == sending.sender && !matches!(part.state, State::Complete | State::Failed) => {
                        seen = part.clone();
                    }
                    _ => return,
                },
                Ok(None) => return, // erased
                Err(error) => {
                    tracing::error!(batch = %self.batch.id, part = number, %error, "LRS's answer cannot be kept yet");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST);
                }
            }
        }
    }

    /// Asks LRS how far a part is.
    async fn ask<K: BatchKind>(&self, number: u32, part: &Part) -> Result<(), JobsError> {
        let organisation = self.engine.permits_of(self.organisation);
        let _permits = (organisation.acquire().await, self.engine.parts.acquire().await);
        let Some(job) = part.job else { return Ok(()) };
        let actor = self.actor(number).await?;
        let fetched = K::fetch(Calls { lrs: &self.engine.lrs, actor: &actor }, job).await;
        let here = self.here();
        let output = match fetched {
            Ok(output) => output,
            Err(failed) => {
                self.change(number, part, &here.not_asked(part, &failed.failure), Vec::new()).await?;
                return Ok(());
            }
        };
        let progress = K::progress(&output);
        let mut after = here.asked(part, progress, K::code(&output));
        let mut put = Vec::new();
        if matches!(progress, Progress::Done | Progress::Failed) {
            after.counts = K::counters(&output);
            if self.batch.header.tracked {
                after.records = u32::try_from(K::count(&output)).unwrap_or(u32::MAX);
            }
            put.push(self.engine.jobs.sealed_output::<K>(self.batch.id, number, &output)?);
        }
        self.change(number, part, &after, put).await?;
        Ok(())
    }

    async fn actor(&self, number: u32) -> Result<Actor, JobsError> {
        let user = self.engine.jobs.user(self.batch, number, self.details).await?;
        Ok(Actor { organisation: Arc::clone(self.organisation), user })
    }

    /// Changes a part from what was seen of it. A part that LRS has, or that will not be sent, keeps no records.
    async fn change(&self, number: u32, seen: &Part, after: &Part, put: Vec<(Blob, Vec<u8>)>) -> Result<bool, JobsError> {
        let keeps_records = matches!(after.state, State::Waiting | State::Sending | State::Unconfirmed);
        let erase = if keeps_records { Vec::new() } else { vec![Blob::Records(number)] };
        let changed = self.engine.jobs.store.change(self.batch.id, number, seen, after, &Blobs { put, erase }).await?;
        if changed && seen.state != after.state {
            let Part { state, reason, job, code, .. } = after;
            tracing::info!(batch = %self.batch.id, part = number, ?state, ?reason, job, code, "part");
        }
        Ok(changed)
    }
}
