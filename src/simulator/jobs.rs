//! Batch jobs (FACTS 2.7, 2.8, 2.11 to 2.13): done at once, told after a while. And who submitted what.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::domain::{AchievementJob, AchievementJobStatus, Extensible, Personal, SubmissionType};
use crate::lrs::services::learner::{RegistrationBatchOutput, VerificationBatchOutput};
use crate::lrs::soap::element::Element;
use crate::lrs::soap::read::XmlError;
use crate::simulator::achievements::{Achievements, Submitted};
use crate::simulator::batches::{learners_of, no_registrations, no_verifications, register_all, verify_all};
use crate::simulator::learner_record::{moment, xml_moment};
use crate::simulator::learner_register::Register;

/// How long a job takes, if nobody says otherwise.
pub const DEFAULT_DURATION: Duration = Duration::from_secs(2);

/// The jobs of a simulator.
#[derive(Debug)]
pub struct Jobs {
    duration: Duration,
    jobs: HashMap<i64, Job>,
    last_of_learners: i64,
    last_of_achievements: i64,
    achievements: Achievements,
    submissions: Vec<Submission>,
}

/// A batch that reached the simulator over SOAP and became a job, whether or not its sender was told.
#[derive(Clone, PartialEq, Eq)]
pub struct Submission {
    /// The request's element, such as `SubmitBatch`.
    pub operation: String,
    /// UKPRN of the organisation.
    pub organisation: String,
    /// The person, as the message names them.
    pub user: String,
    /// The job's number.
    pub job_id: i64,
    /// The sender's own names for the records, in their order; empty where there is none.
    pub mis_identifiers: Vec<String>,
}

impl fmt::Debug for Submission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, organisation, job_id, mis_identifiers, .. } = self;
        let mut text = f.debug_struct("Submission");
        text.field("operation", operation).field("organisation", organisation).field("job_id", job_id);
        text.field("records", &mis_identifiers.len()).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Job {
    organisation: String,
    begun: Instant,
    submitted: Timestamp,
    /// Made outside the services, and done before anybody asked.
    from_portal: bool,
    output: Output,
}

/// What a job has come to.
#[derive(Debug, Clone)]
pub enum Output {
    Registration(RegistrationBatchOutput),
    Verification(VerificationBatchOutput),
    Achievements(Box<AchievementJob>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    InProgress,
    Done,
}

impl Jobs {
    /// Jobs that take this long.
    pub fn new(duration: Duration) -> Self {
        Self {
            duration,
            jobs: HashMap::new(),
            last_of_learners: 900_000,
            last_of_achievements: 70_000,
            achievements: Achievements::default(),
            submissions: Vec::new(),
        }
    }

    /// Sets how long jobs take, those that have begun included.
    pub const fn set_duration(&mut self, duration: Duration) {
        self.duration = duration;
    }

    /// Everything that was submitted, in its order.
    pub fn submissions(&self) -> &[Submission] {
        &self.submissions
    }

    /// How many were submitted.
    pub const fn len(&self) -> usize {
        self.submissions.len()
    }

    /// Was none submitted?
    pub const fn is_empty(&self) -> bool {
        self.submissions.is_empty()
    }

    /// Registers, or with `CHK` looks up, every learner of a batch.
    ///
    /// # Errors
    /// When a learner's values are not ones the gateway's domain has, such as a date the calendar does not know.
    pub fn submit_registration(&mut self, organisation: &str, register: &mut Register, request: &Element) -> Result<i64, XmlError> {
        let output = Output::Registration(register_all(register, request)?);
        Ok(self.take_learners(organisation, request, output))
    }

    /// Verifies every learner of a batch.
    pub fn submit_verification(&mut self, organisation: &str, register: &Register, request: &Element) -> i64 {
        self.take_learners(organisation, request, Output::Verification(verify_all(register, request)))
    }

    fn take_learners(&mut self, organisation: &str, request: &Element, output: Output) -> i64 {
        let job_id = next(&self.jobs, &mut self.last_of_learners);
        let names = learners_of(request).map(|learner| learner.text_of("MISIdentifier").to_owned()).collect();
        self.submissions.push(Submission {
            operation: request.name.clone(),
            organisation: organisation.to_owned(),
            user: request.text_of("UserName").to_owned(),
            job_id,
            mis_identifiers: names,
        });
        self.keep(job_id, organisation, false, output);
        job_id
    }

    /// Does what a batch of achievements asks for.
    pub fn submit_achievements(
        &mut self,
        (organisation, user): (&str, &str),
        register: &mut Register,
        submission: SubmissionType,
        batch: &[Submitted],
    ) -> i64 {
        let job_id = next(&self.jobs, &mut self.last_of_achievements);
        let mut job = self.achievements.process(register, organisation, submission, batch);
        job.user = Some(Personal::new(user.to_owned()));
        self.submissions.push(Submission {
            operation: "SubmitAchievementBatchJob".to_owned(),
            organisation: organisation.to_owned(),
            user: user.to_owned(),
            job_id,
            mis_identifiers: batch.iter().map(|achievement| achievement.mis_identifier.clone()).collect(),
        });
        self.keep(job_id, organisation, false, Output::Achievements(Box::new(job)));
        job_id
    }

    /// Puts in a job that nobody submitted over SOAP. `false`: the number is taken.
    pub fn add_from_portal(&mut self, job_id: i64, organisation: &str, output: Output) -> bool {
        let is_free = !self.jobs.contains_key(&job_id);
        if is_free {
            self.keep(job_id, organisation, true, output);
        }
        is_free
    }

    /// What a batch of achievements that came through the portal has come to.
    pub fn achievements_from_portal(&mut self, organisation: &str, register: &mut Register, batch: &[Submitted]) -> Output {
        Output::Achievements(Box::new(self.achievements.process(register, organisation, SubmissionType::Final, batch)))
    }

    fn keep(&mut self, job_id: i64, organisation: &str, from_portal: bool, output: Output) {
        let (begun, submitted) = (Instant::now(), Timestamp::now());
        self.jobs.insert(job_id, Job { organisation: organisation.to_owned(), begun, submitted, from_portal, output });
    }

    /// How far a registration batch of this organisation is.
    pub fn registration(&self, organisation: &str, job_id: i64) -> RegistrationBatchOutput {
        match self.find(organisation, job_id) {
            Some((job @ Job { output: Output::Registration(output), .. }, Stage::Done)) => RegistrationBatchOutput {
                job_started_date_time: Some(moment(job.submitted)),
                job_finished_date_time: Some(moment(Self::after(job, self.duration))),
                ..output.clone()
            },
            Some((Job { output: Output::Registration(_), .. }, _)) => no_registrations("WSRC0008"),
            _ => no_registrations("WSRC0018"),
        }
    }

    /// How far a verification batch of this organisation is.
    pub fn verification(&self, organisation: &str, job_id: i64) -> VerificationBatchOutput {
        match self.find(organisation, job_id) {
            Some((job @ Job { output: Output::Verification(output), .. }, Stage::Done)) => VerificationBatchOutput {
                job_started_date_time: Some(moment(job.submitted)),
                job_finished_date_time: Some(moment(Self::after(job, self.duration))),
                ..output.clone()
            },
            Some((Job { output: Output::Verification(_), .. }, _)) => no_verifications("WSRC0027"),
            _ => no_verifications("WSRC0018"),
        }
    }

    /// How far an achievement batch of this organisation is, if it is known.
    pub fn achievements(&self, organisation: &str, job_id: i64) -> Option<AchievementJob> {
        let Some((job @ Job { output: Output::Achievements(done), .. }, stage)) = self.find(organisation, job_id) else { return None };
        let status = match stage {
            Stage::Waiting => AchievementJobStatus::Waiting,
            Stage::InProgress => AchievementJobStatus::InProgress,
            Stage::Done if done.rejection_reason.is_some() => AchievementJobStatus::Failed,
            Stage::Done => AchievementJobStatus::Successful,
        };
        // It waits for the first half of its time.
        let half = self.duration / 2;
        let told = AchievementJob {
            filename: Some(format!("SIM-{job_id}.xml")),
            job_id: i32::try_from(job_id).ok(),
            number_of_records: done.number_of_records,
            start_date: (stage != Stage::Waiting).then(|| xml_moment(Self::after(job, half))),
            status: Some(Extensible::Known(status)),
            submitted_date: Some(xml_moment(job.submitted)),
            r#type: done.r#type.clone(),
            user: done.user.clone(),
            ..AchievementJob::default()
        };
        if stage != Stage::Done {
            return Some(told);
        }
        let seconds = if job.from_portal { 0 } else { half.as_secs() };
        Some(AchievementJob {
            duration: Some(format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)),
            end_date: Some(xml_moment(Self::after(job, self.duration))),
            filename: told.filename,
            job_id: told.job_id,
            start_date: told.start_date,
            status: told.status,
            submitted_date: told.submitted_date,
            ..(**done).clone()
        })
    }

    /// The organisation's job, and how far it is.
    fn find(&self, organisation: &str, job_id: i64) -> Option<(&Job, Stage)> {
        let job = self.jobs.get(&job_id).filter(|job| job.organisation == organisation)?;
        let elapsed = job.begun.elapsed();
        let stage = if job.from_portal || elapsed >= self.duration {
            Stage::Done
        } else if elapsed >= self.duration / 2 {
            Stage::InProgress
        } else {
            Stage::Waiting
        };
        Some((job, stage))
    }

    /// So long after a job was submitted.
    fn after(job: &Job, wait: Duration) -> Timestamp {
        let wait = if job.from_portal { Duration::ZERO } else { wait };
        job.submitted.checked_add(wait).unwrap_or(job.submitted)
    }
}

/// The next number that is free.
fn next(jobs: &HashMap<i64, Job>, last: &mut i64) -> i64 {
    *last += 1;
    while jobs.contains_key(last) {
        *last += 1;
    }
    *last
}
