//! Batches: any number of records, sent to LRS as the jobs it takes, followed to their end, and put together again.
//!
//! A submission is split into parts while it is read ([`split`]) and kept, sealed ([`seal`]), in a [`store`] before the caller is told
//! that it was accepted. From then on the [`engine`] of any replica takes turns at it: it sends what waits, asks for what LRS
//! has, and says what became of each part ([`step`]). A part is marked before it is sent; if the answer is lost, it is
//! sent again only where that does no harm, and otherwise waits for the caller. As soon as LRS has a part, its records are erased.
//! What comes back is paired with what was sent by the marks that stayed behind ([`matching`]).
//!
//! [`model`] says what is known of a batch, [`kind`] what the three kinds must say of themselves ([`registration`],
//! [`verification`], [`achievement`]). [`Jobs`] is what callers of the API can do about batches.

pub mod batch_kind;
mod encryption_keys;
pub mod kinds;
pub mod model;
pub mod partition;
pub mod repository;
pub mod result_matching;
pub mod transitions;
pub mod worker;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::domain::UserName;
use crate::lrs::maintenance::{Window, closed_for};
use crate::lrs::soap::read::{Reader, decode};
use crate::lrs::soap::write::Writer;
use crate::lrs::soap::xml_mapping::WireRecord as _;
use crate::observability::metrics;
use crate::organisations::{Actor, Origin};
use crate::schema::deserialize::from_json;
use crate::storage::Storage;

use crate::storage::encryption::{CannotOpen, Keys};
use batch_kind::{BatchKind, Details, Row};
use encryption_keys::KeyCheck;
use model::{Batch, BatchId, Blob, Header, Kind, Moment, Part, Reason, State};
use partition::Parts;
use repository::memory::MemoryStore;
use repository::redis::RedisStore;
use repository::{Backlog, Blobs, NewBatch, Store, StoreError};
use result_matching::Mark;

/// Limits and paces.
#[derive(Debug, Clone)]
pub struct JobSettings {
    /// Most learners in a batch.
    pub most_learners: usize,
    /// Most achievements in a batch.
    pub most_achievements: usize,
    /// How long a batch is followed.
    pub horizon: Duration,
    /// How long results are kept.
    pub retention: Duration,
    /// How long after a part was sent LRS is first asked for results.
    pub first_poll: Duration,
    /// How long LRS is left alone at most.
    pub longest_poll: Duration,
    /// How long a worker has a batch to itself without saying that it is still there.
    pub lease: Duration,
    /// How often a worker with nothing to do asks the store for work.
    pub idle: Duration,
    /// How many parts a replica sends or asks for at once.
    pub parts_at_once: usize,
    /// How many of one organisation.
    pub parts_at_once_per_organisation: usize,
    /// How many batches a replica works at at once.
    pub batches_at_once: usize,
    /// When LRS is announced to be closed: that time is not counted.
    pub maintenance: Vec<Window>,
}

impl Default for JobSettings {
    fn default() -> Self {
        const HOUR: u64 = 60 * 60;
        Self {
            most_learners: 20_000,
            most_achievements: 100_000,
            horizon: Duration::from_secs(72 * HOUR),
            retention: Duration::from_secs(7 * 24 * HOUR),
            first_poll: Duration::from_secs(15),
            longest_poll: Duration::from_secs(15 * 60),
            lease: Duration::from_secs(60),
            idle: Duration::from_secs(2),
            parts_at_once: 8,
            parts_at_once_per_organisation: 2,
            batches_at_once: 32,
            maintenance: Vec::new(),
        }
    }
}

/// Why a batch cannot be worked with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobsError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is kept cannot be opened.
    #[error("what is kept cannot be opened: it is {0}")]
    Sealed(#[from] CannotOpen),
    /// What is kept is not what it should be.
    #[error("what is kept cannot be read: {0}")]
    Unreadable(&'static str),
}

/// What a caller decides about a part whose fate is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Send it again.
    Resubmit,
    /// Leave it.
    Discard,
}

/// What came of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// It was carried out.
    Done,
    /// There is no such part.
    NoSuchPart,
    /// The part is not unconfirmed.
    NotUnconfirmed,
}

/// The batches.
#[derive(Debug)]
pub struct Jobs {
    store: Arc<dyn Store>,
    keys: Arc<Keys>,
    key_check: KeyCheck,
    settings: JobSettings,
    news: Notify,
}

impl Jobs {
    /// Batches in this store, sealed with these keys.
    pub fn new(store: Arc<dyn Store>, keys: Arc<Keys>, settings: JobSettings) -> Self {
        Self { store, keys, key_check: KeyCheck::default(), settings, news: Notify::new() }
    }

    /// Batches kept where this says.
    pub fn kept_in(storage: &Storage, settings: JobSettings) -> Self {
        let store: Arc<dyn Store> = match &storage.redis {
            Some(redis) => Arc::new(RedisStore::new(Arc::clone(redis))),
            None => Arc::new(MemoryStore::default()),
        };
        Self::new(store, Arc::clone(&storage.keys), settings)
    }

    /// Limits and paces.
    pub const fn settings(&self) -> &JobSettings {
        &self.settings
    }

    /// Makes sure that the store can be used, and that it was not written with other keys.
    ///
    /// # Errors
    /// [`JobsError`]; [`CannotOpen::UnknownKey`] when the keys are others.
    pub async fn check(&self) -> Result<(), JobsError> {
        self.key_check.check(&*self.store, &self.keys, |now| self.longest_kept(now)).await
    }

    /// The same for who only looks: nothing is written.
    ///
    /// # Errors
    /// The same.
    pub async fn look(&self) -> Result<(), JobsError> {
        encryption_keys::fits(&*self.store, &self.keys).await.map(|_| ())
    }

    /// Can the store be used at this moment?
    pub async fn is_there(&self) -> bool {
        self.store.now().await.is_ok()
    }

    /// What there is to do, for all replicas together.
    ///
    /// # Errors
    /// [`JobsError`]
    pub async fn backlog(&self) -> Result<Backlog, JobsError> {
        Ok(self.store.backlog().await?)
    }

    /// What must be so before anything is accepted, and what time it is. Nothing has been done if this fails.
    async fn prepare(&self) -> Result<Moment, JobsError> {
        let prepared = async {
            self.check().await?;
            let now = self.store.now().await?;
            self.key_check.note(&*self.store, &self.keys, self.longest_kept(now)).await?;
            Ok(now)
        };
        prepared.await.map_err(|error| match error {
            JobsError::Store(StoreError::AnswerLost(problem)) => StoreError::Unavailable(problem).into(),
            error => error,
        })
    }

    /// Accepts a batch, to be known by this id. When this returns, it is kept. Accepted again under the same id, it is the same batch.
    ///
    /// # Errors
    /// [`JobsError`]; after [`StoreError::AnswerLost`] it may have been accepted all the same.
    pub async fn submit<K: BatchKind>(&self, id: BatchId, actor: &Actor, details: &Details, records: Parts<K>) -> Result<Batch, JobsError> {
        let now = self.prepare().await?;
        let (mut parts, mut blobs, mut first) = (Vec::new(), Vec::new(), 0);
        for (number, part) in (1..).zip(records.into_parts()) {
            parts.push(Part::waiting(first, part.records, now));
            first += part.records;
            for (blob, packed) in [(Blob::Records(number), part.packed_records), (Blob::Index(number), part.packed_index)] {
                blobs.push((blob, self.keys.seal_packed(&place(id, blob), packed)?));
            }
        }
        let header = Header::new(K::KIND, actor.organisation.ukprn(), parts.len(), now).repeatable(K::is_repeatable(details));
        self.accept(Batch { id, header, parts, expires: self.longest_kept(now) }, details, blobs).await
    }

    /// Follows a job of LRS that was submitted elsewhere.
    ///
    /// # Errors
    /// The same.
    pub async fn track<K: BatchKind>(&self, actor: &Actor, job: i64) -> Result<Batch, JobsError> {
        let now = self.prepare().await?;
        let header = Header::new(K::KIND, actor.organisation.ukprn(), 1, now).tracked();
        let batch = Batch { id: BatchId::new(), header, parts: vec![Part::of_job(job, now)], expires: self.longest_kept(now) };
        self.accept(batch, &Details::of(actor), Vec::new()).await
    }

    /// When a batch that begins now leaves, if nothing is heard of it any more.
    fn longest_kept(&self, now: Moment) -> Moment {
        // What is announced does not end before it has begun: all of it may be waited for.
        let closed = closed_for(&self.settings.maintenance, now.timestamp(), jiff::Timestamp::MAX);
        now.after(self.settings.horizon).after(self.settings.retention).after(closed)
    }

    async fn accept(&self, batch: Batch, details: &Details, mut blobs: Vec<(Blob, Vec<u8>)>) -> Result<Batch, JobsError> {
        let json = serde_json::to_vec(details).map_err(|_| JobsError::Unreadable("details"))?;
        blobs.push((Blob::Details, self.keys.seal(&place(batch.id, Blob::Details), &json)?));
        let new = NewBatch { batch, blobs };
        self.store.create(&new).await?;
        let Batch { id, header, .. } = &new.batch;
        tracing::info!(batch = %id, kind = header.kind.name(), parts = header.parts, tracked = header.tracked, "batch accepted");
        self.news.notify_one();
        Ok(new.batch)
    }

    /// A batch of the actor's organisation.
    ///
    /// # Errors
    /// [`JobsError`]
    pub async fn find(&self, kind: Kind, actor: &Actor, id: BatchId) -> Result<Option<Batch>, JobsError> {
        self.check().await?;
        let batch = self.store.load(id).await?;
        let batch = batch.filter(|batch| batch.header.kind == kind && batch.header.belongs_to(actor.organisation.ukprn()));
        if let Some(overdue) = batch.as_ref().filter(|batch| self.is_overdue(batch)) {
            // Its place in the queue may have been lost. To be woken once too often does no harm.
            self.store.wake(overdue.id).await?;
        }
        Ok(batch)
    }

    /// Should somebody have worked at it long ago?
    fn is_overdue(&self, batch: &Batch) -> bool {
        const LONG: Duration = Duration::from_secs(10 * 60);
        let now = Moment(jiff::Timestamp::now().as_millisecond());
        batch.due().is_some_and(|due| now.since(due) > LONG + self.settings.lease)
    }

    /// Waits until a batch is over or needs a decision, but no longer than this, and says how far it is then.
    ///
    /// # Errors
    /// [`JobsError`]
    pub async fn wait(&self, mut batch: Batch, longest: Duration) -> Result<Batch, JobsError> {
        const SHORTEST: Duration = Duration::from_millis(50);
        let ends = tokio::time::Instant::now() + longest;
        let mut pause = SHORTEST;
        while batch.due().is_some() && tokio::time::Instant::now() < ends {
            tokio::time::sleep_until((tokio::time::Instant::now() + pause).min(ends)).await;
            pause = (pause * 2).min(Duration::from_secs(1));
            match self.store.load(batch.id).await? {
                Some(now) => batch = now,
                None => break,
            }
        }
        Ok(batch)
    }

    /// The organisation's batches, newest first, from the one after `after`; and where to go on.
    ///
    /// # Errors
    /// [`JobsError`]
    pub async fn list(
        &self,
        kind: Kind,
        actor: &Actor,
        mut after: Option<BatchId>,
        most: usize,
    ) -> Result<(Vec<Batch>, Option<BatchId>), JobsError> {
        self.check().await?;
        let ukprn = actor.organisation.ukprn();
        let mut batches: Vec<Batch> = Vec::new();
        loop {
            let ids = self.store.list(ukprn, kind, after, most + 1).await?;
            let last_page = ids.len() <= most;
            for id in ids {
                if batches.len() == most {
                    return Ok((batches, after));
                }
                batches.extend(self.store.load(id).await?);
                after = Some(id);
            }
            if last_page {
                return Ok((batches, None));
            }
        }
    }

    /// Erases a batch and all that is kept of it. What LRS has, LRS keeps.
    ///
    /// # Errors
    /// [`JobsError`]
    pub async fn erase(&self, batch: &Batch) -> Result<(), JobsError> {
        self.store.erase(batch).await?;
        tracing::info!(batch = %batch.id, "batch erased");
        Ok(())
    }

    /// Carries out what a caller decided about a part whose fate is not known.
    ///
    /// # Errors
    /// [`JobsError`]
    pub async fn decide(&self, actor: &Actor, batch: &Batch, number: u32, decision: Decision) -> Result<Decided, JobsError> {
        let Some(seen) = batch.part(number) else { return Ok(Decided::NoSuchPart) };
        if seen.state != State::Unconfirmed {
            return Ok(Decided::NotUnconfirmed);
        }
        let now = self.prepare().await?;
        // It stays longer than was thought when it was accepted, and with it what it was sealed with.
        self.key_check.extend(&*self.store, now, self.longest_kept(now)).await?;
        let (part, blobs) = match decision {
            Decision::Resubmit => {
                let part = Part {
                    state: State::Waiting,
                    reason: None,
                    due: now,
                    changed: now,
                    begun: now,
                    tries: 0,
                    lost: 0,
                    other_user: true,
                    ..seen.clone()
                };
                let blob = Blob::User(number);
                let user = serde_json::to_vec(&Details::of(actor)).map_err(|_| JobsError::Unreadable("a user"))?;
                (part, Blobs { put: vec![(blob, self.keys.seal(&place(batch.id, blob), &user)?)], erase: Vec::new() })
            }
            Decision::Discard => {
                let part = Part { state: State::Failed, reason: Some(Reason::Discarded), changed: now, ..seen.clone() };
                (part, Blobs { put: Vec::new(), erase: vec![Blob::Records(number)] })
            }
        };
        if !self.store.change(batch.id, number, seen, &part, &blobs).await? {
            return Ok(Decided::NotUnconfirmed);
        }
        metrics::part(batch.header.kind.name(), part.state.name());
        tracing::info!(batch = %batch.id, part = number, ?decision, "decided by the caller");
        // It is decided, whether or not the rest succeeds at once: the batch is looked at again in some hours in any case.
        let mut rest = self.store.wake(batch.id).await;
        if decision == Decision::Resubmit {
            rest = self.store.keep_until(batch, self.longest_kept(now)).await.and(rest);
        }
        if let Err(error) = rest {
            tracing::warn!(batch = %batch.id, part = number, %error, "a decision is not carried out at once");
        }
        self.news.notify_one();
        Ok(Decided::Done)
    }

    /// What became of the records of a part, in their order, as far as it is known. `None`: it is not over.
    ///
    /// # Errors
    /// [`JobsError`]
    pub async fn rows<K: BatchKind>(&self, batch: &Batch, number: u32) -> Result<Option<Vec<Row<K::Result>>>, JobsError> {
        let Some(part) = batch.part(number).filter(|part| matches!(part.state, State::Complete | State::Failed)) else { return Ok(None) };
        let (first, tracked) = (part.first, batch.header.tracked);
        let index = self.sealed(batch.id, Blob::Index(number)).await?;
        let output = self.sealed(batch.id, Blob::Output(number)).await?;
        let rows = move |keys: &Keys| {
            let index = index.map(|sealed| sealed.open(keys)).transpose()?;
            let marks: Option<Vec<Mark>> =
                index.map(|json| serde_json::from_slice(&json).map_err(|_| JobsError::Unreadable("an index"))).transpose()?;
            // Without it nobody can say whose results these are.
            if marks.is_none() && !tracked {
                return Err(JobsError::Unreadable("a part without an index"));
            }
            Ok(match output {
                Some(sealed) => K::rows(output_of::<K>(&sealed.open(keys)?)?, first, marks.as_deref()),
                None => (first..).zip(&marks.unwrap_or_default()).map(|(at, mark)| Row::without_result(at, mark)).collect(),
            })
        };
        self.aside(part.records, rows).await.map(Some)
    }

    /// What LRS answered about a part, if it did.
    ///
    /// # Errors
    /// [`JobsError`]
    pub async fn output<K: BatchKind>(&self, batch: &Batch, number: u32) -> Result<Option<K::Output>, JobsError> {
        let Some(sealed) = self.sealed(batch.id, Blob::Output(number)).await? else { return Ok(None) };
        output_of::<K>(&sealed.open(&self.keys)?).map(Some)
    }

    /// LRS's answer as it is kept: in LRS's own notation.
    fn sealed_output<K: BatchKind>(&self, id: BatchId, number: u32, output: &K::Output) -> Result<(Blob, Vec<u8>), JobsError> {
        use crate::lrs::soap::xml_mapping::WireRecord;
        let xml = Writer::envelope(|writer| writer.element("Output", "xmlns:a=\"urn:lrs-gateway:kept\"", |writer| output.write(writer)));
        let xml = xml.map_err(|_| JobsError::Unreadable("an answer of LRS"))?;
        let blob = Blob::Output(number);
        Ok((blob, self.keys.seal(&place(id, blob), xml.as_bytes())?))
    }

    async fn sealed(&self, id: BatchId, blob: Blob) -> Result<Option<Sealed>, JobsError> {
        let bytes = self.store.blob(id, blob).await?;
        Ok(bytes.map(|bytes| Sealed { place: place(id, blob), bytes }))
    }

    /// Does work on so many records, beside the threads that serve everybody if there are many.
    async fn aside<T: Send + 'static>(
        &self,
        records: u32,
        work: impl FnOnce(&Keys) -> Result<T, JobsError> + Send + 'static,
    ) -> Result<T, JobsError> {
        const MANY: u32 = 1_000;
        if records < MANY {
            return work(&self.keys);
        }
        let keys = Arc::clone(&self.keys);
        tokio::task::spawn_blocking(move || work(&keys)).await.map_err(|_| JobsError::Unreadable("records: the reader panicked"))?
    }

    /// Who is named to LRS, and what is said of the batch.
    async fn details(&self, id: BatchId, blob: Blob) -> Result<Details, JobsError> {
        let sealed = self.sealed(id, blob).await?.ok_or(JobsError::Unreadable("a batch without details"))?;
        from_json(&sealed.open(&self.keys)?).map_err(|_| JobsError::Unreadable("details"))
    }

    /// The person that LRS is told about a part, and where calls about it come from.
    async fn user(&self, batch: &Batch, number: u32, details: &Details) -> Result<(UserName, Origin), JobsError> {
        if batch.part(number).is_some_and(|part| part.other_user) {
            let other = self.details(batch.id, Blob::User(number)).await?;
            return Ok((other.user.clone(), other.origin(batch.id, number)));
        }
        Ok((details.user.clone(), details.origin(batch.id, number)))
    }

    async fn records<K: BatchKind>(&self, batch: &Batch, number: u32) -> Result<Option<Vec<K::Record>>, JobsError> {
        let Some(sealed) = self.sealed(batch.id, Blob::Records(number)).await? else { return Ok(None) };
        let expected = batch.part(number).map_or(0, |part| part.records);
        let records = move |keys: &Keys| {
            let records: Vec<K::Record> = from_json(&sealed.open(keys)?).map_err(|_| JobsError::Unreadable("records"))?;
            if records.len() == expected as usize { Ok(records) } else { Err(JobsError::Unreadable("the number of records")) }
        };
        self.aside(expected, records).await.map(Some)
    }
}

/// A sealed blob, and where it belongs.
struct Sealed {
    place: String,
    bytes: Vec<u8>,
}

impl Sealed {
    fn open(&self, keys: &Keys) -> Result<Vec<u8>, CannotOpen> {
        keys.open(&self.place, &self.bytes)
    }
}

/// LRS's answer, from LRS's own notation.
fn output_of<K: BatchKind>(xml: &[u8]) -> Result<K::Output, JobsError> {
    let read = || {
        let mut reader = Reader::new(decode(xml)?)?;
        reader.soap_body(|reader, _| K::Output::read(reader))
    };
    read().map_err(|_| JobsError::Unreadable("an answer of LRS"))
}

/// Where a blob belongs: it can be opened nowhere else.
fn place(id: BatchId, blob: Blob) -> String {
    format!("{id}:{blob}")
}
