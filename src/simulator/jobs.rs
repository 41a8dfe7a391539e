//! Batch jobs (FACTS 2.7, 2.8, 2.11, 2.12): done at once, told after a while.
//!
//! The codes of verification batches and most return codes are not public: `SIM-…` are the simulator's own.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::record::now;
use super::register::{Demographics, Found, Register};
use super::verification::compare;
use crate::domain::{BatchLearner, BatchLearnerResult, FromLrs as _, LocalDateTime, Open, Uln};
use crate::form::Value as _;
use crate::lrs::codes::LrsCode;
use crate::lrs::learner_service::{RegistrationBatchOutput, VerificationBatchOutput};
use crate::lrs::soap::read::Unreadable;
use crate::lrs::soap::tree::Element;

/// How long a job takes, if nobody says otherwise.
pub const DEFAULT_DURATION: Duration = Duration::from_secs(2);

/// The jobs of a simulator.
#[derive(Debug)]
pub struct Jobs {
    duration: Duration,
    jobs: HashMap<i64, Job>,
    last: i64,
}

#[derive(Debug)]
struct Job {
    organisation: String,
    submitted: Instant,
    started: Open<LocalDateTime>,
    output: Output,
}

#[derive(Debug, Clone)]
enum Output {
    Registration(RegistrationBatchOutput),
    Verification(VerificationBatchOutput),
}

impl Jobs {
    /// Jobs that take this long.
    pub fn new(duration: Duration) -> Self {
        Self { duration, jobs: HashMap::new(), last: 900_000 }
    }

    /// How many were submitted.
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Was none submitted?
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Registers, or with `CHK` looks up, every learner of a batch.
    ///
    /// # Errors
    /// When a learner's values are not ones the gateway's domain has, such as a date the calendar does not know.
    pub fn submit_registration(&mut self, organisation: &str, register: &mut Register, request: &Element) -> Result<i64, Unreadable> {
        let only_look = request.text_of("JobType") == "CHK";
        let mut output = RegistrationBatchOutput {
            job_status: Some("Complete".into()),
            new_learners_count: Some(0),
            exists_updated_learners_count: Some(0),
            possible_match_learners_count: Some(0),
            learners_not_found_count: Some(0),
            rejected_learners_count: Some(0),
            ..no_registrations("WSRC0009")
        };
        for element in request.children.iter().filter(|child| child.name == "Learner") {
            let learner: BatchLearner = element.as_record()?;
            let mut result: BatchLearnerResult = element.as_record()?;
            let (code, uln) = register_one(register, &learner, only_look);
            let count = match code {
                "SIM-NEW" => &mut output.new_learners_count,
                "SIM-EXISTS" => &mut output.exists_updated_learners_count,
                "SIM-POSSIBLE" => &mut output.possible_match_learners_count,
                "SIM-NOT-FOUND" => &mut output.learners_not_found_count,
                _ => &mut output.rejected_learners_count,
            };
            *count = count.map(|count| count + 1);
            result.return_code = Some(code.to_owned());
            if uln.is_some() {
                result.uln = uln;
            }
            output.learner.push(result);
        }
        Ok(self.keep(organisation, Output::Registration(output)))
    }

    /// Verifies every learner of a batch.
    pub fn submit_verification(&mut self, organisation: &str, register: &Register, request: &Element) -> i64 {
        let learners = request.children.iter().filter(|child| child.name == "Learner");
        let output = VerificationBatchOutput {
            job_status: Some("Complete".into()),
            verified_learner: learners.map(|learner| compare(register, learner)).collect(),
            ..no_verifications("WSRC0028")
        };
        self.keep(organisation, Output::Verification(output))
    }

    fn keep(&mut self, organisation: &str, output: Output) -> i64 {
        self.last += 1;
        let job = Job { organisation: organisation.to_owned(), submitted: Instant::now(), started: now(), output };
        self.jobs.insert(self.last, job);
        self.last
    }

    /// How far a registration batch of this organisation is.
    pub fn registration(&self, organisation: &str, job: i64) -> RegistrationBatchOutput {
        match self.find(organisation, job) {
            Some((Job { output: Output::Registration(output), started, .. }, true)) => RegistrationBatchOutput {
                job_started_date_time: Some(started.clone()),
                job_finished_date_time: Some(now()),
                ..output.clone()
            },
            Some((Job { output: Output::Registration(_), .. }, false)) => no_registrations("WSRC0008"),
            _ => no_registrations("WSRC0018"),
        }
    }

    /// How far a verification batch of this organisation is.
    pub fn verification(&self, organisation: &str, job: i64) -> VerificationBatchOutput {
        match self.find(organisation, job) {
            Some((Job { output: Output::Verification(output), started, .. }, true)) => VerificationBatchOutput {
                job_started_date_time: Some(started.clone()),
                job_finished_date_time: Some(now()),
                ..output.clone()
            },
            Some((Job { output: Output::Verification(_), .. }, false)) => no_verifications("WSRC0027"),
            _ => no_verifications("WSRC0018"),
        }
    }

    /// The organisation's job, and whether it is done.
    fn find(&self, organisation: &str, job: i64) -> Option<(&Job, bool)> {
        let job = self.jobs.get(&job).filter(|job| job.organisation == organisation)?;
        Some((job, job.submitted.elapsed() >= self.duration))
    }
}

/// A registration batch of which there is nothing to tell but this code.
fn no_registrations(code: &str) -> RegistrationBatchOutput {
    RegistrationBatchOutput {
        response_code: LrsCode::new(code),
        job_status: None,
        new_learners_count: None,
        exists_updated_learners_count: None,
        possible_match_learners_count: None,
        learners_not_found_count: None,
        rejected_learners_count: None,
        job_started_date_time: None,
        job_finished_date_time: None,
        learner: Vec::new(),
    }
}

/// The same of a verification batch.
fn no_verifications(code: &str) -> VerificationBatchOutput {
    VerificationBatchOutput {
        response_code: LrsCode::new(code),
        job_status: None,
        job_started_date_time: None,
        job_finished_date_time: None,
        verified_learner: Vec::new(),
    }
}

/// What becomes of one learner: a return code, and the ULN if there is one.
fn register_one(register: &mut Register, learner: &BatchLearner, only_look: bool) -> (&'static str, Option<Open<Uln>>) {
    if let Some(uln) = &learner.uln {
        let found = register.find_by_uln(uln.as_str(), learner.given_name.as_str(), learner.family_name.as_str());
        return if let Found::Exact(learner) | Found::Master(learner) = found {
            ("SIM-EXISTS", Some(learner.uln))
        } else {
            ("SIM-NOT-FOUND", None)
        };
    }
    let (Some(born), Some(gender), Some(post_code)) = (&learner.date_of_birth, &learner.gender, &learner.last_known_post_code) else {
        return ("RC006", None);
    };
    let (born, gender) = (born.text(), gender.to_lrs());
    let search = Demographics {
        given_name: learner.given_name.as_str(),
        family_name: learner.family_name.as_str(),
        date_of_birth: &born,
        gender: &gender,
        post_code: post_code.as_str(),
    };
    match register.find_by_demographics(&search) {
        Found::Exact(learner) | Found::Master(learner) => ("SIM-EXISTS", Some(learner.uln)),
        Found::Possible(_) | Found::TooMany => ("SIM-POSSIBLE", None),
        Found::Nobody if only_look => ("SIM-NOT-FOUND", None),
        Found::Nobody => match register.register_from_batch(learner) {
            Some(uln) => ("SIM-NEW", Some(Open::Known(uln))),
            None => ("RC006", None),
        },
    }
}
