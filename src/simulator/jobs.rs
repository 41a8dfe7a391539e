//! Batch jobs (LRS-CONTRACT 2.10 to 2.13, 2.15, 2.16, 6.2).
//!
//! A job is processed when it is submitted, but its results are returned only after the job duration.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::domain::{AchievementJob, AchievementJobStatus, Extensible, Personal, SubmissionType};
use crate::lrs::services::learner::{RegistrationBatchOutput, VerificationBatchOutput};
use crate::simulator::achievement_batches::AchievementHistory;
use crate::simulator::learner_batches::{
    batch_learners, empty_registration_output, empty_verification_output, process_registrations, process_verifications,
};
use crate::simulator::learner_register::LearnerRegister;
use crate::simulator::submitted_achievement::SubmittedAchievement;
use crate::simulator::timestamps::{local_date_time, xml_date_time};
use crate::xml::{Element, XmlError};

/// Default job duration.
pub const DEFAULT_JOB_DURATION: Duration = Duration::from_secs(2);

/// The batch jobs of a simulator.
#[derive(Debug)]
pub struct BatchJobs {
    duration: Duration,
    jobs: HashMap<i64, Job>,
    last_learner_job_id: i64,
    last_achievement_job_id: i64,
    achievements: AchievementHistory,
    submissions: Vec<Submission>,
}

/// A batch that arrived over SOAP and became a job, even if its sender received no response.
#[derive(Clone, PartialEq, Eq)]
pub struct Submission {
    /// The element of the request, such as `SubmitBatch`.
    pub operation: String,
    /// UKPRN of the organisation.
    pub organisation: String,
    /// The user name of the message.
    pub user: String,
    /// The job type of a registration, such as `FUL`; empty for other batches.
    pub job_type: String,
    /// The job's number.
    pub job_id: i64,
    /// The MIS identifiers of the records, in their order. An identifier is empty if the record has none.
    pub mis_identifiers: Vec<String>,
}

/// The results of a job.
#[derive(Debug, Clone)]
pub enum JobOutput {
    Registration(RegistrationBatchOutput),
    Verification(VerificationBatchOutput),
    Achievements(Box<AchievementJob>),
}

#[derive(Debug)]
struct Job {
    organisation: String,
    started: Instant,
    submitted: Timestamp,
    /// A portal job is complete from the start.
    is_from_portal: bool,
    output: JobOutput,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum JobStage {
    Waiting,
    InProgress,
    Complete,
}

/// Shows no user name and no MIS identifier: they are personal data.
impl fmt::Debug for Submission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, organisation, job_id, mis_identifiers, .. } = self;
        let mut text = f.debug_struct("Submission");
        text.field("operation", operation).field("organisation", organisation).field("job_id", job_id);
        text.field("records", &mis_identifiers.len()).finish_non_exhaustive()
    }
}

impl BatchJobs {
    /// Returns an empty set of jobs with this job duration.
    pub fn new(duration: Duration) -> Self {
        Self {
            duration,
            jobs: HashMap::new(),
            last_learner_job_id: 900_000,
            last_achievement_job_id: 70_000,
            achievements: AchievementHistory::default(),
            submissions: Vec::new(),
        }
    }

    /// Sets the job duration, also for jobs that were submitted before.
    pub const fn set_duration(&mut self, duration: Duration) {
        self.duration = duration;
    }

    /// Returns all submissions, in order of arrival.
    pub fn submissions(&self) -> &[Submission] {
        &self.submissions
    }

    /// Returns the number of submissions.
    pub const fn len(&self) -> usize {
        self.submissions.len()
    }

    /// Returns `true` if there was no submission.
    pub const fn is_empty(&self) -> bool {
        self.submissions.is_empty()
    }

    /// Submits a registration batch and returns the job's number.
    ///
    /// # Errors
    /// Returns an [`XmlError`] if a learner has a value that the schema allows and the domain does not, such as a date that does not exist.
    pub fn submit_registration(&mut self, organisation: &str, register: &mut LearnerRegister, request: &Element) -> Result<i64, XmlError> {
        let output = JobOutput::Registration(process_registrations(register, request)?);
        Ok(self.submit_learners(organisation, request, output))
    }

    /// Submits a verification batch and returns the job's number.
    pub fn submit_verification(&mut self, organisation: &str, register: &LearnerRegister, request: &Element) -> i64 {
        self.submit_learners(organisation, request, JobOutput::Verification(process_verifications(register, request)))
    }

    fn submit_learners(&mut self, organisation: &str, request: &Element, output: JobOutput) -> i64 {
        let job_id = next_job_id(&self.jobs, &mut self.last_learner_job_id);
        let mis_identifiers = batch_learners(request).map(|learner| learner.text_of("MISIdentifier").to_owned()).collect();
        self.submissions.push(Submission {
            operation: request.name.clone(),
            organisation: organisation.to_owned(),
            user: request.text_of("UserName").to_owned(),
            job_type: request.text_of("JobType").to_owned(),
            job_id,
            mis_identifiers,
        });
        self.insert(job_id, organisation, false, output);
        job_id
    }

    /// Submits an achievement batch and returns the job's number.
    pub fn submit_achievements(
        &mut self,
        organisation: &str,
        user: &str,
        register: &mut LearnerRegister,
        submission_type: SubmissionType,
        batch: &[SubmittedAchievement],
    ) -> i64 {
        let job_id = next_job_id(&self.jobs, &mut self.last_achievement_job_id);
        let mut job = self.achievements.process(register, organisation, submission_type, batch);
        job.user = Some(Personal::new(user.to_owned()));
        self.submissions.push(Submission {
            operation: "SubmitAchievementBatchJob".to_owned(),
            organisation: organisation.to_owned(),
            user: user.to_owned(),
            job_type: String::new(),
            job_id,
            mis_identifiers: batch.iter().map(|achievement| achievement.mis_identifier.clone()).collect(),
        });
        self.insert(job_id, organisation, false, JobOutput::Achievements(Box::new(job)));
        job_id
    }

    /// Adds a portal job. Returns `false` if another job has the number.
    pub fn add_portal_job(&mut self, job_id: i64, organisation: &str, output: JobOutput) -> bool {
        let is_free = !self.jobs.contains_key(&job_id);
        if is_free {
            self.insert(job_id, organisation, true, output);
        }
        is_free
    }

    /// Processes the achievements of a portal job.
    pub fn process_portal_achievements(
        &mut self,
        organisation: &str,
        register: &mut LearnerRegister,
        batch: &[SubmittedAchievement],
    ) -> JobOutput {
        JobOutput::Achievements(Box::new(self.achievements.process(register, organisation, SubmissionType::Final, batch)))
    }

    fn insert(&mut self, job_id: i64, organisation: &str, is_from_portal: bool, output: JobOutput) {
        let organisation = organisation.to_owned();
        self.jobs.insert(job_id, Job { organisation, started: Instant::now(), submitted: Timestamp::now(), is_from_portal, output });
    }

    /// Returns the output of an organisation's registration job, or the code of its stage.
    pub fn registration_output(&self, organisation: &str, job_id: i64) -> RegistrationBatchOutput {
        match self.find(organisation, job_id) {
            Some((job @ Job { output: JobOutput::Registration(output), .. }, JobStage::Complete)) => RegistrationBatchOutput {
                job_started_date_time: Some(local_date_time(job.submitted)),
                job_finished_date_time: Some(local_date_time(job.time_after(self.duration))),
                ..output.clone()
            },
            Some((Job { output: JobOutput::Registration(_), .. }, _)) => empty_registration_output("WSRC0008"),
            _ => empty_registration_output("WSRC0018"),
        }
    }

    /// Returns the output of an organisation's verification job, or the code of its stage.
    pub fn verification_output(&self, organisation: &str, job_id: i64) -> VerificationBatchOutput {
        match self.find(organisation, job_id) {
            Some((job @ Job { output: JobOutput::Verification(output), .. }, JobStage::Complete)) => VerificationBatchOutput {
                job_started_date_time: Some(local_date_time(job.submitted)),
                job_finished_date_time: Some(local_date_time(job.time_after(self.duration))),
                ..output.clone()
            },
            Some((Job { output: JobOutput::Verification(_), .. }, _)) => empty_verification_output("WSRC0027"),
            _ => empty_verification_output("WSRC0018"),
        }
    }

    /// Returns an organisation's achievement job as far as it has progressed. `None`: the organisation has no such job.
    pub fn achievement_job(&self, organisation: &str, job_id: i64) -> Option<AchievementJob> {
        let Some((job @ Job { output: JobOutput::Achievements(results), .. }, stage)) = self.find(organisation, job_id) else {
            return None;
        };
        let status = match stage {
            JobStage::Waiting => AchievementJobStatus::Waiting,
            JobStage::InProgress => AchievementJobStatus::InProgress,
            JobStage::Complete if results.rejection_reason.is_some() => AchievementJobStatus::Failed,
            JobStage::Complete => AchievementJobStatus::Successful,
        };
        // The job waits for the first half of its duration and runs for the second.
        let half = self.duration / 2;
        let progress = AchievementJob {
            filename: Some(format!("SIM-{job_id}.xml")),
            job_id: i32::try_from(job_id).ok(),
            number_of_records: results.number_of_records,
            start_date: (stage != JobStage::Waiting).then(|| xml_date_time(job.time_after(half))),
            status: Some(Extensible::Known(status)),
            submitted_date: Some(xml_date_time(job.submitted)),
            r#type: results.r#type.clone(),
            user: results.user.clone(),
            ..AchievementJob::default()
        };
        if stage != JobStage::Complete {
            return Some(progress);
        }
        let seconds = if job.is_from_portal { 0 } else { half.as_secs() };
        Some(AchievementJob {
            duration: Some(format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)),
            end_date: Some(xml_date_time(job.time_after(self.duration))),
            filename: progress.filename,
            job_id: progress.job_id,
            start_date: progress.start_date,
            status: progress.status,
            submitted_date: progress.submitted_date,
            ..(**results).clone()
        })
    }

    /// Returns an organisation's job and its stage.
    fn find(&self, organisation: &str, job_id: i64) -> Option<(&Job, JobStage)> {
        let job = self.jobs.get(&job_id).filter(|job| job.organisation == organisation)?;
        let elapsed = job.started.elapsed();
        let stage = if job.is_from_portal || elapsed >= self.duration {
            JobStage::Complete
        } else if elapsed >= self.duration / 2 {
            JobStage::InProgress
        } else {
            JobStage::Waiting
        };
        Some((job, stage))
    }
}

impl Job {
    /// Returns the time this long after the submission. A portal job takes no time.
    fn time_after(&self, duration: Duration) -> Timestamp {
        let duration = if self.is_from_portal { Duration::ZERO } else { duration };
        self.submitted.checked_add(duration).unwrap_or(self.submitted)
    }
}

/// Returns the next unused number.
fn next_job_id(jobs: &HashMap<i64, Job>, last: &mut i64) -> i64 {
    *last += 1;
    while jobs.contains_key(last) {
        *last += 1;
    }
    *last
}
