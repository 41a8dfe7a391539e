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

pub mod achievement;
pub mod engine;
pub mod kind;
pub mod matching;
pub mod model;
pub mod registration;
pub mod seal;
pub mod split;
pub mod step;
pub mod store;
pub mod verification;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, OnceCell};

use crate::domain::UserName;
use crate::form::read::from_json;
use crate::lrs::soap::read::{Reader, decode};
use crate::lrs::soap::record::WireRecord as _;
use crate::lrs::soap::write::Writer;
use crate::organisations::Actor;

use kind::{BatchKind, Details, Row};
use matching::Mark;
use model::{Batch, BatchId, Blob, Header, Kind, Moment, Part, Reason, State};
use seal::{CannotOpen, Keys};
use split::Parts;
use store::{Blobs, NewBatch, Store, StoreError};

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
    keys: Keys,
    settings: JobSettings,
    news: Notify,
    key_fits: OnceCell<()>,
}

/// Name of the sealed text by which replicas notice that they have other keys than those before them.
const KEY_CHECK: &str = "key-check";

impl Jobs {
    /// Batches in this store, sealed with these keys.
    pub fn new(store: Arc<dyn Store>, keys: Keys, settings: JobSettings) -> Self {
        Self { store, keys, settings, news: Notify::new(), key_fits: OnceCell::new() }
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
        let check = || async {
            let ours = self.keys.seal(KEY_CHECK, KEY_CHECK.as_bytes())?;
            let there = self.store.agree(KEY_CHECK, &ours).await?;
            self.keys.open(KEY_CHECK, &there)?;
            if there.get(..seal::KEY_ID_END) != ours.get(..seal::KEY_ID_END) {
                // Sealed with an older key, which will be taken away one day.
                self.store.replace(KEY_CHECK, &ours).await?;
            }
            Ok(())
        };
        self.key_fits.get_or_try_init(check).await.copied()
    }

    /// Accepts a batch. When this returns, it is kept.
    ///
    /// # Errors
    /// [`JobsError`]; after [`StoreError::AnswerLost`] it may have been accepted all the same.
    pub async fn submit<K: BatchKind>(&self, actor: &Actor, details: &Details, records: Parts<K>) -> Result<Batch, JobsError> {
        self.check().await?;
        let (id, now) = (BatchId::new(), self.store.now().await?);
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
        self.check().await?;
        let now = self.store.now().await?;
        let header = Header::new(K::KIND, actor.organisation.ukprn(), 1, now).tracked();
        let batch = Batch { id: BatchId::new(), header, parts: vec![Part::of_job(job, now)], expires: self.longest_kept(now) };
        self.accept(batch, &Details::of(actor.user.clone()), Vec::new()).await
    }

    /// When a batch that begins now leaves, if nothing is heard of it any more.
    fn longest_kept(&self, now: Moment) -> Moment {
        now.after(self.settings.horizon).after(self.settings.retention)
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
        Ok(batch.filter(|batch| batch.header.kind == kind && batch.header.belongs_to(actor.organisation.ukprn())))
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
            let mut gone = Vec::new();
            for id in ids {
                if batches.len() == most {
                    self.store.unlist(ukprn, kind, &gone).await?;
                    return Ok((batches, after));
                }
                match self.store.load(id).await? {
                    Some(batch) => batches.push(batch),
                    None => gone.push(id),
                }
                after = Some(id);
            }
            self.store.unlist(ukprn, kind, &gone).await?;
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
        let now = self.store.now().await?;
        let (part, blobs) = match decision {
            Decision::Resubmit => {
                let part = Part { state: State::Waiting, reason: None, due: now, changed: now, tries: 0, other_user: true, ..seen.clone() };
                let blob = Blob::User(number);
                let user = serde_json::to_vec(&Details::of(actor.user.clone())).map_err(|_| JobsError::Unreadable("a user"))?;
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
        tracing::info!(batch = %batch.id, part = number, ?decision, "decided by the caller");
        self.store.wake(batch.id).await?;
        self.news.notify_one();
        Ok(Decided::Done)
    }

    /// What became of the records of a part, in their order, as far as it is known. `None`: it is not over.
    ///
    /// # Errors
    /// [`JobsError`]
    pub async fn rows<K: BatchKind>(&self, batch: &Batch, number: u32) -> Result<Option<Vec<Row<K::Result>>>, JobsError> {
        let Some(part) = batch.part(number).filter(|part| matches!(part.state, State::Complete | State::Failed)) else { return Ok(None) };
        let index = self.open(batch.id, Blob::Index(number)).await?;
        let marks: Option<Vec<Mark>> =
            index.map(|json| serde_json::from_slice(&json).map_err(|_| JobsError::Unreadable("an index"))).transpose()?;
        if let Some(output) = self.output::<K>(batch, number).await? {
            return Ok(Some(K::rows(output, part.first, marks.as_deref())));
        }
        let marks = marks.unwrap_or_default();
        Ok(Some((part.first..).zip(&marks).map(|(position, mark)| Row::without_result(position, mark)).collect()))
    }

    /// What LRS answered about a part, if it did.
    ///
    /// # Errors
    /// [`JobsError`]
    pub async fn output<K: BatchKind>(&self, batch: &Batch, number: u32) -> Result<Option<K::Output>, JobsError> {
        let Some(xml) = self.open(batch.id, Blob::Output(number)).await? else { return Ok(None) };
        let read = || {
            let mut reader = Reader::new(decode(&xml)?)?;
            reader.soap_body(|reader, _| K::Output::read(reader))
        };
        read().map(Some).map_err(|_| JobsError::Unreadable("an answer of LRS"))
    }

    /// LRS's answer as it is kept: in LRS's own notation.
    fn sealed_output<K: BatchKind>(&self, id: BatchId, number: u32, output: &K::Output) -> Result<(Blob, Vec<u8>), JobsError> {
        use crate::lrs::soap::record::WireRecord;
        let xml = Writer::envelope(|writer| writer.element("Output", "xmlns:a=\"urn:lrs-gateway:kept\"", |writer| output.write(writer)));
        let xml = xml.map_err(|_| JobsError::Unreadable("an answer of LRS"))?;
        let blob = Blob::Output(number);
        Ok((blob, self.keys.seal(&place(id, blob), xml.as_bytes())?))
    }

    async fn open(&self, id: BatchId, blob: Blob) -> Result<Option<Vec<u8>>, JobsError> {
        let Some(sealed) = self.store.blob(id, blob).await? else { return Ok(None) };
        Ok(Some(self.keys.open(&place(id, blob), &sealed)?))
    }

    /// Who is named to LRS, and what is said of the batch.
    async fn details(&self, id: BatchId, blob: Blob) -> Result<Details, JobsError> {
        let json = self.open(id, blob).await?.ok_or(JobsError::Unreadable("a batch without details"))?;
        from_json(&json).map_err(|_| JobsError::Unreadable("details"))
    }

    /// The person that LRS is told about a part.
    async fn user(&self, batch: &Batch, number: u32, details: &Details) -> Result<UserName, JobsError> {
        let other = batch.part(number).is_some_and(|part| part.other_user);
        Ok(if other { self.details(batch.id, Blob::User(number)).await?.user } else { details.user.clone() })
    }

    async fn records<K: BatchKind>(&self, batch: &Batch, number: u32) -> Result<Option<Vec<K::Record>>, JobsError> {
        let Some(json) = self.open(batch.id, Blob::Records(number)).await? else { return Ok(None) };
        let records: Vec<K::Record> = from_json(&json).map_err(|_| JobsError::Unreadable("records"))?;
        if batch.part(number).is_some_and(|part| part.records as usize == records.len()) {
            Ok(Some(records))
        } else {
            Err(JobsError::Unreadable("the number of records"))
        }
    }
}

/// Where a blob belongs: it can be opened nowhere else.
fn place(id: BatchId, blob: Blob) -> String {
    format!("{id}:{blob}")
}
