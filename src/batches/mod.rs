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
use crate::lrs::maintenance::{MaintenanceWindow, maintenance_between};
use crate::lrs::soap::read::{XmlReader, decode};
use crate::lrs::soap::write::XmlWriter;
use crate::lrs::soap::xml_mapping::XmlRecord as _;
use crate::observability::metrics;
use crate::organisations::{ClientIdentity, RequestContext};
use crate::schema::deserialize::from_json;
use crate::storage::Storage;

use crate::storage::encryption::{DecryptError, KeyRing};
use batch_kind::{BatchKind, BatchMetadata, RecordResult};
use encryption_keys::KeyRegistry;
use model::{Batch, BatchHeader, BatchId, EpochMillis, KindTag, Part, PartBlob, PartReason, PartState};
use partition::Parts;
use repository::memory::MemoryRepository;
use repository::redis::RedisRepository;
use repository::{Backlog, BatchRepository, Blobs, NewBatch, StoreError};
use result_matching::RecordFingerprint;

/// Limits and paces.
#[derive(Debug, Clone)]
pub struct BatchSettings {
    /// Most learners in a batch.
    pub max_learners: usize,
    /// Most achievements in a batch.
    pub max_achievements: usize,
    /// How long a batch is followed.
    pub tracking_timeout: Duration,
    /// How long results are kept.
    pub retention: Duration,
    /// How long after a part was sent LRS is first asked for results.
    pub initial_poll_interval: Duration,
    /// How long LRS is left alone at most.
    pub max_poll_interval: Duration,
    /// How long a worker has a batch to itself without saying that it is still there.
    pub lease: Duration,
    /// How often a worker with nothing to do asks the store for work.
    pub idle_poll_interval: Duration,
    /// How many parts a replica sends or asks for at once.
    pub max_concurrent_parts: usize,
    /// How many of one organisation.
    pub max_concurrent_parts_per_organisation: usize,
    /// How many batches a replica works at at once.
    pub max_concurrent_batches: usize,
    /// When LRS is announced to be closed: that time is not counted.
    pub maintenance: Vec<MaintenanceWindow>,
}

impl Default for BatchSettings {
    fn default() -> Self {
        const HOUR: u64 = 60 * 60;
        Self {
            max_learners: 20_000,
            max_achievements: 100_000,
            tracking_timeout: Duration::from_secs(72 * HOUR),
            retention: Duration::from_secs(7 * 24 * HOUR),
            initial_poll_interval: Duration::from_secs(15),
            max_poll_interval: Duration::from_secs(15 * 60),
            lease: Duration::from_secs(60),
            idle_poll_interval: Duration::from_secs(2),
            max_concurrent_parts: 8,
            max_concurrent_parts_per_organisation: 2,
            max_concurrent_batches: 32,
            maintenance: Vec::new(),
        }
    }
}

/// Why a batch cannot be worked with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is kept cannot be opened.
    #[error("what is kept cannot be opened: it is {0}")]
    Undecryptable(#[from] DecryptError),
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
pub enum DecisionOutcome {
    /// It was carried out.
    Applied,
    /// There is no such part.
    NoSuchPart,
    /// The part is not unconfirmed.
    NotAwaitingDecision,
}

/// The batches.
#[derive(Debug)]
pub struct BatchService {
    store: Arc<dyn BatchRepository>,
    keys: Arc<KeyRing>,
    key_check: KeyRegistry,
    settings: BatchSettings,
    news: Notify,
}

impl BatchService {
    /// Batches in this store, sealed with these keys.
    pub fn new(store: Arc<dyn BatchRepository>, keys: Arc<KeyRing>, settings: BatchSettings) -> Self {
        Self { store, keys, key_check: KeyRegistry::default(), settings, news: Notify::new() }
    }

    /// Batches kept where this says.
    pub fn with_storage(storage: &Storage, settings: BatchSettings) -> Self {
        let store: Arc<dyn BatchRepository> = match &storage.redis {
            Some(redis) => Arc::new(RedisRepository::new(Arc::clone(redis))),
            None => Arc::new(MemoryRepository::default()),
        };
        Self::new(store, Arc::clone(&storage.keys), settings)
    }

    /// Limits and paces.
    pub const fn settings(&self) -> &BatchSettings {
        &self.settings
    }

    /// Makes sure that the store can be used, and that it was not written with other keys.
    ///
    /// # Errors
    /// [`JobsError`]; [`CannotOpen::UnknownKey`] when the keys are others.
    pub async fn verify_encryption_keys(&self) -> Result<(), BatchError> {
        self.key_check.check(&*self.store, &self.keys, |now| self.latest_expiry(now)).await
    }

    /// The same for who only looks: nothing is written.
    ///
    /// # Errors
    /// The same.
    pub async fn inspect_encryption_keys(&self) -> Result<(), BatchError> {
        encryption_keys::fits(&*self.store, &self.keys).await.map(|_| ())
    }

    /// Can the store be used at this moment?
    pub async fn ping(&self) -> bool {
        self.store.now().await.is_ok()
    }

    /// What there is to do, for all replicas together.
    ///
    /// # Errors
    /// [`JobsError`]
    pub async fn backlog(&self) -> Result<Backlog, BatchError> {
        Ok(self.store.backlog().await?)
    }

    /// What must be so before anything is accepted, and what time it is. Nothing has been done if this fails.
    async fn prepare(&self) -> Result<EpochMillis, BatchError> {
        let prepared = async {
            self.verify_encryption_keys().await?;
            let now = self.store.now().await?;
            self.key_check.note(&*self.store, &self.keys, self.latest_expiry(now)).await?;
            Ok(now)
        };
        prepared.await.map_err(|error| match error {
            BatchError::Store(StoreError::AnswerLost(problem)) => StoreError::Unavailable(problem).into(),
            error => error,
        })
    }

    /// Accepts a batch, to be known by this id. When this returns, it is kept. Accepted again under the same id, it is the same batch.
    ///
    /// # Errors
    /// [`JobsError`]; after [`StoreError::AnswerLost`] it may have been accepted all the same.
    pub async fn submit<K: BatchKind>(
        &self,
        id: BatchId,
        actor: &RequestContext,
        details: &BatchMetadata,
        records: Parts<K>,
    ) -> Result<Batch, BatchError> {
        let now = self.prepare().await?;
        let (mut parts, mut blobs, mut first) = (Vec::new(), Vec::new(), 0);
        for (number, part) in (1..).zip(records.into_parts()) {
            parts.push(Part::waiting(first, part.records, now));
            first += part.records;
            for (blob, packed) in [(PartBlob::Records(number), part.packed_records), (PartBlob::Index(number), part.packed_index)] {
                blobs.push((blob, self.keys.encrypt_compressed(&associated_data(id, blob), packed)?));
            }
        }
        let header = BatchHeader::new(K::KIND, actor.organisation.ukprn(), parts.len(), now).repeatable(K::is_repeatable(details));
        self.accept(Batch { id, header, parts, expires: self.latest_expiry(now) }, details, blobs).await
    }

    /// Follows a job of LRS that was submitted elsewhere.
    ///
    /// # Errors
    /// The same.
    pub async fn track<K: BatchKind>(&self, actor: &RequestContext, job: i64) -> Result<Batch, BatchError> {
        let now = self.prepare().await?;
        let header = BatchHeader::new(K::KIND, actor.organisation.ukprn(), 1, now).tracked();
        let batch = Batch { id: BatchId::new(), header, parts: vec![Part::of_job(job, now)], expires: self.latest_expiry(now) };
        self.accept(batch, &BatchMetadata::of(actor), Vec::new()).await
    }

    /// When a batch that begins now leaves, if nothing is heard of it any more.
    fn latest_expiry(&self, now: EpochMillis) -> EpochMillis {
        // What is announced does not end before it has begun: all of it may be waited for.
        let closed = maintenance_between(&self.settings.maintenance, now.timestamp(), jiff::Timestamp::MAX);
        now.after(self.settings.tracking_timeout).after(self.settings.retention).after(closed)
    }

    async fn accept(&self, batch: Batch, details: &BatchMetadata, mut blobs: Vec<(PartBlob, Vec<u8>)>) -> Result<Batch, BatchError> {
        let json = serde_json::to_vec(details).map_err(|_| BatchError::Unreadable("details"))?;
        blobs.push((PartBlob::Details, self.keys.encrypt(&associated_data(batch.id, PartBlob::Details), &json)?));
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
    pub async fn find(&self, kind: KindTag, actor: &RequestContext, id: BatchId) -> Result<Option<Batch>, BatchError> {
        self.verify_encryption_keys().await?;
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
        let now = EpochMillis(jiff::Timestamp::now().as_millisecond());
        batch.due().is_some_and(|due| now.since(due) > LONG + self.settings.lease)
    }

    /// Waits until a batch is over or needs a decision, but no longer than this, and says how far it is then.
    ///
    /// # Errors
    /// [`JobsError`]
    pub async fn wait(&self, mut batch: Batch, longest: Duration) -> Result<Batch, BatchError> {
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
        kind: KindTag,
        actor: &RequestContext,
        mut after: Option<BatchId>,
        most: usize,
    ) -> Result<(Vec<Batch>, Option<BatchId>), BatchError> {
        self.verify_encryption_keys().await?;
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
    pub async fn erase(&self, batch: &Batch) -> Result<(), BatchError> {
        self.store.erase(batch).await?;
        tracing::info!(batch = %batch.id, "batch erased");
        Ok(())
    }

    /// Carries out what a caller decided about a part whose fate is not known.
    ///
    /// # Errors
    /// [`JobsError`]
    pub async fn decide(
        &self,
        actor: &RequestContext,
        batch: &Batch,
        number: u32,
        decision: Decision,
    ) -> Result<DecisionOutcome, BatchError> {
        let Some(seen) = batch.part(number) else { return Ok(DecisionOutcome::NoSuchPart) };
        if seen.state != PartState::Unconfirmed {
            return Ok(DecisionOutcome::NotAwaitingDecision);
        }
        let now = self.prepare().await?;
        // It stays longer than was thought when it was accepted, and with it what it was sealed with.
        self.key_check.extend(&*self.store, now, self.latest_expiry(now)).await?;
        let (part, blobs) = match decision {
            Decision::Resubmit => {
                let part = Part {
                    state: PartState::Waiting,
                    reason: None,
                    due: now,
                    changed: now,
                    begun: now,
                    tries: 0,
                    lost: 0,
                    other_user: true,
                    ..seen.clone()
                };
                let blob = PartBlob::User(number);
                let user = serde_json::to_vec(&BatchMetadata::of(actor)).map_err(|_| BatchError::Unreadable("a user"))?;
                (part, Blobs { put: vec![(blob, self.keys.encrypt(&associated_data(batch.id, blob), &user)?)], erase: Vec::new() })
            }
            Decision::Discard => {
                let part = Part { state: PartState::Failed, reason: Some(PartReason::Discarded), changed: now, ..seen.clone() };
                (part, Blobs { put: Vec::new(), erase: vec![PartBlob::Records(number)] })
            }
        };
        if !self.store.change(batch.id, number, seen, &part, &blobs).await? {
            return Ok(DecisionOutcome::NotAwaitingDecision);
        }
        metrics::part(batch.header.kind.name(), part.state.name());
        tracing::info!(batch = %batch.id, part = number, ?decision, "decided by the caller");
        // It is decided, whether or not the rest succeeds at once: the batch is looked at again in some hours in any case.
        let mut rest = self.store.wake(batch.id).await;
        if decision == Decision::Resubmit {
            rest = self.store.extend_expiry(batch, self.latest_expiry(now)).await.and(rest);
        }
        if let Err(error) = rest {
            tracing::warn!(batch = %batch.id, part = number, %error, "a decision is not carried out at once");
        }
        self.news.notify_one();
        Ok(DecisionOutcome::Applied)
    }

    /// What became of the records of a part, in their order, as far as it is known. `None`: it is not over.
    ///
    /// # Errors
    /// [`JobsError`]
    pub async fn rows<K: BatchKind>(&self, batch: &Batch, number: u32) -> Result<Option<Vec<RecordResult<K::Result>>>, BatchError> {
        let Some(part) = batch.part(number).filter(|part| matches!(part.state, PartState::Complete | PartState::Failed)) else {
            return Ok(None);
        };
        let (first, tracked) = (part.first, batch.header.tracked);
        let index = self.sealed(batch.id, PartBlob::Index(number)).await?;
        let output = self.sealed(batch.id, PartBlob::Output(number)).await?;
        let rows = move |keys: &KeyRing| {
            let index = index.map(|sealed| sealed.open(keys)).transpose()?;
            let marks: Option<Vec<RecordFingerprint>> =
                index.map(|json| serde_json::from_slice(&json).map_err(|_| BatchError::Unreadable("an index"))).transpose()?;
            // Without it nobody can say whose results these are.
            if marks.is_none() && !tracked {
                return Err(BatchError::Unreadable("a part without an index"));
            }
            Ok(match output {
                Some(sealed) => K::rows(output_of::<K>(&sealed.open(keys)?)?, first, marks.as_deref()),
                None => (first..).zip(&marks.unwrap_or_default()).map(|(at, mark)| RecordResult::without_result(at, mark)).collect(),
            })
        };
        self.spawn_blocking_if_large(part.records, rows).await.map(Some)
    }

    /// What LRS answered about a part, if it did.
    ///
    /// # Errors
    /// [`JobsError`]
    pub async fn output<K: BatchKind>(&self, batch: &Batch, number: u32) -> Result<Option<K::Output>, BatchError> {
        let Some(sealed) = self.sealed(batch.id, PartBlob::Output(number)).await? else { return Ok(None) };
        output_of::<K>(&sealed.open(&self.keys)?).map(Some)
    }

    /// LRS's answer as it is kept: in LRS's own notation.
    fn sealed_output<K: BatchKind>(&self, id: BatchId, number: u32, output: &K::Output) -> Result<(PartBlob, Vec<u8>), BatchError> {
        use crate::lrs::soap::xml_mapping::XmlRecord;
        let xml = XmlWriter::envelope(|writer| writer.element("Output", "xmlns:a=\"urn:lrs-gateway:kept\"", |writer| output.write(writer)));
        let xml = xml.map_err(|_| BatchError::Unreadable("an answer of LRS"))?;
        let blob = PartBlob::Output(number);
        Ok((blob, self.keys.encrypt(&associated_data(id, blob), xml.as_bytes())?))
    }

    async fn sealed(&self, id: BatchId, blob: PartBlob) -> Result<Option<Sealed>, BatchError> {
        let bytes = self.store.blob(id, blob).await?;
        Ok(bytes.map(|bytes| Sealed { place: associated_data(id, blob), bytes }))
    }

    /// Does work on so many records, beside the threads that serve everybody if there are many.
    async fn spawn_blocking_if_large<T: Send + 'static>(
        &self,
        records: u32,
        work: impl FnOnce(&KeyRing) -> Result<T, BatchError> + Send + 'static,
    ) -> Result<T, BatchError> {
        const OFFLOAD_THRESHOLD: u32 = 1_000;
        if records < OFFLOAD_THRESHOLD {
            return work(&self.keys);
        }
        let keys = Arc::clone(&self.keys);
        tokio::task::spawn_blocking(move || work(&keys)).await.map_err(|_| BatchError::Unreadable("records: the reader panicked"))?
    }

    /// Who is named to LRS, and what is said of the batch.
    async fn details(&self, id: BatchId, blob: PartBlob) -> Result<BatchMetadata, BatchError> {
        let sealed = self.sealed(id, blob).await?.ok_or(BatchError::Unreadable("a batch without details"))?;
        from_json(&sealed.open(&self.keys)?).map_err(|_| BatchError::Unreadable("details"))
    }

    /// The person that LRS is told about a part, and where calls about it come from.
    async fn user(&self, batch: &Batch, number: u32, details: &BatchMetadata) -> Result<(UserName, ClientIdentity), BatchError> {
        if batch.part(number).is_some_and(|part| part.other_user) {
            let other = self.details(batch.id, PartBlob::User(number)).await?;
            return Ok((other.user.clone(), other.origin(batch.id, number)));
        }
        Ok((details.user.clone(), details.origin(batch.id, number)))
    }

    async fn records<K: BatchKind>(&self, batch: &Batch, number: u32) -> Result<Option<Vec<K::Record>>, BatchError> {
        let Some(sealed) = self.sealed(batch.id, PartBlob::Records(number)).await? else { return Ok(None) };
        let expected = batch.part(number).map_or(0, |part| part.records);
        let records = move |keys: &KeyRing| {
            let records: Vec<K::Record> = from_json(&sealed.open(keys)?).map_err(|_| BatchError::Unreadable("records"))?;
            if records.len() == expected as usize { Ok(records) } else { Err(BatchError::Unreadable("the number of records")) }
        };
        self.spawn_blocking_if_large(expected, records).await.map(Some)
    }
}

/// A sealed blob, and where it belongs.
struct Sealed {
    place: String,
    bytes: Vec<u8>,
}

impl Sealed {
    fn open(&self, keys: &KeyRing) -> Result<Vec<u8>, DecryptError> {
        keys.decrypt(&self.place, &self.bytes)
    }
}

/// LRS's answer, from LRS's own notation.
fn output_of<K: BatchKind>(xml: &[u8]) -> Result<K::Output, BatchError> {
    let read = || {
        let mut reader = XmlReader::new(decode(xml)?)?;
        reader.soap_body(|reader, _| K::Output::read(reader))
    };
    read().map_err(|_| BatchError::Unreadable("an answer of LRS"))
}

/// Where a blob belongs: it can be opened nowhere else.
fn associated_data(id: BatchId, blob: PartBlob) -> String {
    format!("{id}:{blob}")
}
