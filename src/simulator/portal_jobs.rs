//! Portal jobs: batch jobs that were created in LRS's web portal, not over SOAP.

use crate::domain::{Achievement, BatchLearner, Product, Ukprn};
use crate::lrs::soap::{read_body, write_envelope};
use crate::schema::Settings;
use crate::schema::deserialize::from_toml;
use crate::simulator::jobs::{BatchJobs, JobOutput};
use crate::simulator::learner_batches::{process_registrations, process_verifications};
use crate::simulator::learner_register::LearnerRegister;
use crate::simulator::submitted_achievement::SubmittedAchievement;
use crate::xml::{Element, XmlRecord as _};

/// A portal job.
#[derive(Debug, Clone, Settings)]
pub struct PortalJob {
    /// The job's number.
    pub job_id: i32,
    /// The UKPRN of the job's organisation.
    pub organisation: Ukprn,
    /// `registration-batches`, `verification-batches` or `achievement-batches`.
    pub kind: Product,
    /// The learners of a registration or verification job.
    #[setting(default = Vec::new())]
    pub learners: Vec<BatchLearner>,
    /// The achievements of an achievement job.
    #[setting(default = Vec::new())]
    pub achievements: Vec<Achievement>,
}

#[derive(Settings)]
struct PortalJobs {
    portal_jobs: Vec<PortalJob>,
}

impl PortalJob {
    /// Returns the jobs of the demonstration.
    ///
    /// # Panics
    /// Never: `portal_jobs.toml` is a constant with valid jobs.
    pub fn demonstration() -> Vec<Self> {
        let table = include_str!("portal_jobs.toml").parse().expect("TOML");
        from_toml::<PortalJobs>(table).expect("valid jobs").portal_jobs
    }

    /// Processes the job and adds it to the simulator's jobs.
    ///
    /// # Errors
    /// Returns the reason why the settings describe no possible job.
    pub fn add_to(&self, jobs: &mut BatchJobs, register: &mut LearnerRegister) -> Result<(), &'static str> {
        const NOT_ALLOWED: &str = "has a value that a request to LRS must not have";
        if self.job_id < 1 {
            return Err("job_id must be 1 or more");
        }
        let has_achievements = self.kind == Product::AchievementBatches;
        if has_achievements != self.learners.is_empty() || has_achievements == self.achievements.is_empty() {
            return Err("must have achievements if its kind is achievement-batches, and learners otherwise, but not both");
        }
        let organisation = self.organisation.as_str();
        let output = match self.kind {
            Product::RegistrationBatches => {
                let request = self.request().ok_or(NOT_ALLOWED)?;
                JobOutput::Registration(process_registrations(register, &request).map_err(|_| NOT_ALLOWED)?)
            }
            Product::VerificationBatches if self.learners.iter().any(|learner| learner.uln.is_none()) => {
                return Err("must have the uln of every learner to verify");
            }
            Product::VerificationBatches => JobOutput::Verification(process_verifications(register, &self.request().ok_or(NOT_ALLOWED)?)),
            Product::AchievementBatches => {
                let batch: Vec<SubmittedAchievement> = self.achievements.iter().map(SubmittedAchievement::from).collect();
                jobs.process_portal_achievements(organisation, register, &batch)
            }
            _ => return Err("kind must be registration-batches, verification-batches or achievement-batches"),
        };
        let is_added = jobs.add_portal_job(self.job_id.into(), organisation, output);
        if is_added { Ok(()) } else { Err("job_id belongs to another job: give each job its own") }
    }

    /// Returns the learners as the elements of a request.
    fn request(&self) -> Option<Element> {
        let message = write_envelope(|writer| {
            writer.element("Batch", "", |writer| {
                self.learners.iter().for_each(|learner| writer.element("Learner", "", |writer| learner.write(writer)));
            });
        });
        read_body(&message.ok()?, Element::read).ok()
    }
}
