//! What the gateway knows of a batch: nothing personal is in here, so nothing in here is sealed.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::Ukprn;
use crate::schema::Scalar as _;

/// A moment: milliseconds since 1970, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EpochMillis(pub i64);

impl EpochMillis {
    /// This much later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` it is; nothing if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The same for those who count otherwise. What no calendar has is 1970.
    pub fn timestamp(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

/// RFC 3339.
impl fmt::Display for EpochMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.timestamp().strftime("%Y-%m-%dT%H:%M:%S%.3fZ"))
    }
}

/// Identifies a batch. Later ones are greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(Uuid);

impl BatchId {
    /// One that nobody has.
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// The one with this number, a UUID of version 7.
    pub const fn of(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// One that is not greater than any of this moment.
    pub fn first_at(moment: EpochMillis) -> Self {
        let milliseconds = u64::try_from(moment.0).unwrap_or(0);
        Self(Uuid::from_u128(u128::from(milliseconds) << 80))
    }

    /// Reads one, if it is written as the gateway writes them.
    pub fn parse(text: &str) -> Option<Self> {
        let id = Uuid::try_parse(text).ok().map(Self)?;
        (id.to_string() == text).then_some(id)
    }
}

impl Default for BatchId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.hyphenated())
    }
}

impl fmt::Debug for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a batch's records are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KindTag {
    /// Learners to register.
    Registration,
    /// Learners to verify.
    Verification,
    /// Achievements.
    Achievement,
}

impl KindTag {
    /// Its name in keys.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::Verification => "verification",
            Self::Achievement => "achievement",
        }
    }
}

/// What a batch as a whole is. It never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchHeader {
    /// What its records are.
    pub kind: KindTag,
    organisation: String,
    /// How many parts it has.
    pub parts: u32,
    /// Is it a job of LRS that somebody else submitted?
    pub tracked: bool,
    /// Would it do no harm to send it twice?
    pub repeatable: bool,
    /// When it was accepted.
    pub created: EpochMillis,
}

impl BatchHeader {
    /// The header of a batch of this organisation, with so many parts.
    pub fn new(kind: KindTag, organisation: &Ukprn, parts: usize, created: EpochMillis) -> Self {
        let parts = u32::try_from(parts).unwrap_or(u32::MAX);
        Self { kind, organisation: organisation.as_str().to_owned(), parts, tracked: false, repeatable: false, created }
    }

    /// Of a batch that does no harm when it is sent twice.
    #[must_use]
    pub fn repeatable(self, repeatable: bool) -> Self {
        Self { repeatable, ..self }
    }

    /// Of a job that somebody else submitted.
    #[must_use]
    pub fn tracked(self) -> Self {
        Self { tracked: true, repeatable: true, ..self }
    }

    /// Is it this organisation's?
    pub fn belongs_to(&self, organisation: &Ukprn) -> bool {
        self.organisation == organisation.as_str()
    }

    /// Whose it is.
    pub fn organisation(&self) -> Option<Ukprn> {
        Ukprn::parse(&self.organisation).ok()
    }
}

/// How far a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PartState {
    /// It has not been sent, or is to be sent again.
    Waiting,
    /// Somebody is about to send it, or has. Written before the first byte goes out.
    Sending,
    /// LRS has it, and gave it a job.
    Submitted,
    /// LRS's results are here.
    Complete,
    /// LRS did not take it, or gave no results. It is over.
    Failed,
    /// It was sent and LRS's answer was lost: the caller must decide.
    Unconfirmed,
}

impl PartState {
    /// Its name for operators.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sending => "sending",
            Self::Submitted => "submitted",
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Unconfirmed => "unconfirmed",
        }
    }
}

/// Why a part is as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PartReason {
    /// LRS cannot be reached; it will be tried again.
    LrsUnavailable,
    /// LRS is closed; it will be tried again.
    LrsMaintenance,
    /// LRS refuses the organisation's credentials.
    LrsCredentialsRejected,
    /// LRS refuses the message.
    LrsRejectedRequest,
    /// LRS understood it, and made no job of it: `lrsCode` says why.
    LrsRejected,
    /// LRS's answer was lost or could not be used.
    AnswerLost,
    /// LRS does not know the job.
    JobUnknown,
    /// LRS says that the job failed.
    JobFailed,
    /// LRS had no results within the time the gateway follows a batch.
    TimedOut,
    /// The caller decided not to send it again.
    Discarded,
    /// The gateway cannot read what it kept.
    Unreadable,
}

/// As callers are told it.
impl fmt::Display for PartReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// What LRS says of a job in its own words and times.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobReport {
    /// LRS's word for how far it is.
    pub status: Option<String>,
    /// When LRS began.
    pub started: Option<EpochMillis>,
    /// When LRS was done.
    pub finished: Option<EpochMillis>,
}

/// A part of a batch: what LRS gets, or has got, as one job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Position of its first record in the batch.
    pub first: u32,
    /// How many records it has.
    pub records: u32,
    /// How far it is.
    pub state: PartState,
    /// Why it is not further.
    pub reason: Option<PartReason>,
    /// How often it was begun to be sent.
    pub sent: u32,
    /// Who last began to send it: a worker that comes back late knows its own by it.
    pub sender: u64,
    /// How often its present step was tried.
    pub tries: u32,
    /// How often LRS's answer to it was lost.
    pub lost: u32,
    /// Since when the gateway has been trying to bring it to its end.
    pub begun: EpochMillis,
    /// When something is to be done about it.
    pub due: EpochMillis,
    /// LRS's number of the job.
    pub job: Option<i64>,
    /// LRS's last code for it.
    pub code: Option<String>,
    /// When LRS took it; unknown of jobs that were submitted elsewhere.
    pub submitted: Option<EpochMillis>,
    /// When it last changed.
    pub changed: EpochMillis,
    /// LRS's counters.
    pub counts: BTreeMap<String, i32>,
    /// What else LRS has said of the job.
    #[serde(default)]
    pub told: JobReport,
    /// Is somebody else than the submitter to be named to LRS, because they had it sent again?
    pub other_user: bool,
}

impl Part {
    /// A part that is to be sent.
    pub const fn waiting(first: u32, records: u32, now: EpochMillis) -> Self {
        Self {
            first,
            records,
            state: PartState::Waiting,
            reason: None,
            sent: 0,
            sender: 0,
            tries: 0,
            lost: 0,
            begun: now,
            due: now,
            job: None,
            code: None,
            submitted: None,
            changed: now,
            counts: BTreeMap::new(),
            told: JobReport { status: None, started: None, finished: None },
            other_user: false,
        }
    }

    /// A part that is a job of LRS already.
    pub fn of_job(job: i64, now: EpochMillis) -> Self {
        Self { state: PartState::Submitted, job: Some(job), ..Self::waiting(0, 0, now) }
    }

    /// Is there nothing more that the gateway will do about it by itself?
    pub const fn is_settled(&self) -> bool {
        matches!(self.state, PartState::Complete | PartState::Failed | PartState::Unconfirmed)
    }
}

/// What a part keeps beside its state, sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PartBlob {
    /// What is said of the batch as a whole: the person, the job type. Of no part.
    Details,
    /// A part's records, until LRS has them.
    Records(u32),
    /// What tells a part's records apart.
    Index(u32),
    /// LRS's results.
    Output(u32),
    /// Who had a part sent again.
    User(u32),
}

impl PartBlob {
    /// Every blob that a batch of so many parts may have.
    pub fn all(parts: u32) -> impl Iterator<Item = Self> {
        let of_part = |part| [Self::Records(part), Self::Index(part), Self::Output(part), Self::User(part)];
        std::iter::once(Self::Details).chain((1..=parts).flat_map(of_part))
    }
}

impl fmt::Display for PartBlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Details => f.write_str("details"),
            Self::Records(part) => write!(f, "records:{part}"),
            Self::Index(part) => write!(f, "index:{part}"),
            Self::Output(part) => write!(f, "output:{part}"),
            Self::User(part) => write!(f, "user:{part}"),
        }
    }
}

/// How far a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchStatus {
    /// Nothing has been sent.
    Accepted,
    /// Some of it has been sent.
    Submitting,
    /// LRS has all of it, and has not brought all results.
    Processing,
    /// All results are here.
    Complete,
    /// Some results are here, and no more will come.
    PartiallyComplete,
    /// No result is here, and none will come.
    Failed,
    /// Nothing will happen until somebody decides about the unconfirmed parts.
    Paused,
}

impl BatchStatus {
    /// Its name for operators.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Submitting => "submitting",
            Self::Processing => "processing",
            Self::Complete => "complete",
            Self::PartiallyComplete => "partially_complete",
            Self::Failed => "failed",
            Self::Paused => "paused",
        }
    }
}

/// A batch as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Which.
    pub id: BatchId,
    /// What it is.
    pub header: BatchHeader,
    /// Its parts; the first has number 1.
    pub parts: Vec<Part>,
    /// When it leaves the store.
    pub expires: EpochMillis,
}

impl Batch {
    /// Its parts with their numbers.
    pub fn numbered(&self) -> impl Iterator<Item = (u32, &Part)> {
        (1..).zip(&self.parts)
    }

    /// The part with this number.
    pub fn part(&self, number: u32) -> Option<&Part> {
        self.parts.get(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    /// How many records it has.
    pub fn records(&self) -> u32 {
        self.parts.iter().map(|part| part.records).sum()
    }

    /// How far it is.
    pub fn status(&self) -> BatchStatus {
        let any = |states: &[PartState]| self.parts.iter().any(|part| states.contains(&part.state));
        let all = |states: &[PartState]| self.parts.iter().all(|part| states.contains(&part.state));
        if all(&[PartState::Waiting]) && self.parts.iter().all(|part| part.sent == 0) {
            BatchStatus::Accepted
        } else if any(&[PartState::Waiting, PartState::Sending]) {
            BatchStatus::Submitting
        } else if any(&[PartState::Submitted]) {
            BatchStatus::Processing
        } else if any(&[PartState::Unconfirmed]) {
            BatchStatus::Paused
        } else if all(&[PartState::Complete]) {
            BatchStatus::Complete
        } else if any(&[PartState::Complete]) {
            BatchStatus::PartiallyComplete
        } else {
            BatchStatus::Failed
        }
    }

    /// Is it over, whatever came of it?
    pub fn is_over(&self) -> bool {
        matches!(self.status(), BatchStatus::Complete | BatchStatus::PartiallyComplete | BatchStatus::Failed)
    }

    /// When it last changed.
    pub fn changed(&self) -> EpochMillis {
        self.parts.iter().map(|part| part.changed).max().unwrap_or(self.header.created)
    }

    /// When something is to be done about it; `None` when nothing is, or somebody must decide.
    pub fn due(&self) -> Option<EpochMillis> {
        self.parts.iter().filter(|part| !part.is_settled()).map(|part| part.due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(states: &[PartState]) -> Batch {
        let now = EpochMillis(1_700_000_000_000);
        let part = |state: &PartState| Part { state: *state, sent: u32::from(*state != PartState::Waiting), ..Part::waiting(0, 10, now) };
        let ukprn = Ukprn::parse("10012345").expect("a UKPRN");
        let header = BatchHeader::new(KindTag::Registration, &ukprn, states.len(), now);
        Batch { id: BatchId::new(), header, parts: states.iter().map(part).collect(), expires: now }
    }

    #[test]
    fn operators_read_of_a_reason_what_callers_are_told() {
        assert_eq!(PartReason::LrsCredentialsRejected.to_string(), "LRS_CREDENTIALS_REJECTED");
    }

    #[test]
    fn the_parts_say_how_far_a_batch_is() {
        use PartState::{Complete, Failed, Sending, Submitted, Unconfirmed, Waiting};
        for (states, status) in [
            (&[Waiting, Waiting][..], BatchStatus::Accepted),
            (&[Waiting, Sending], BatchStatus::Submitting),
            (&[Waiting, Complete], BatchStatus::Submitting),
            (&[Submitted, Submitted], BatchStatus::Processing),
            (&[Submitted, Unconfirmed, Complete], BatchStatus::Processing),
            (&[Complete, Unconfirmed], BatchStatus::Paused),
            (&[Failed, Unconfirmed], BatchStatus::Paused),
            (&[Complete, Complete], BatchStatus::Complete),
            (&[Complete, Failed], BatchStatus::PartiallyComplete),
            (&[Failed, Failed], BatchStatus::Failed),
        ] {
            assert_eq!(batch(states).status(), status, "{states:?}");
        }
    }

    #[test]
    fn identifiers_are_read_as_they_are_written_and_sorted_by_time() {
        let (first, second) = (BatchId::new(), BatchId::new());
        assert!(first < second && first.to_string() < second.to_string());
        assert_eq!(BatchId::parse(&first.to_string()), Some(first));
        for other in ["", "1", "../etc", &first.to_string().to_uppercase(), &first.to_string().replace('-', "")] {
            assert_eq!(BatchId::parse(other), None, "{other}");
        }
    }

    #[test]
    fn moments_are_written_as_rfc_3339() {
        assert_eq!(EpochMillis(1_700_000_000_007).to_string(), "2023-11-14T22:13:20.007Z");
        assert_eq!(EpochMillis(1000).since(EpochMillis(3000)), Duration::ZERO);
    }
}
