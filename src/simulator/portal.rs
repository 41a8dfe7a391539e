//! Jobs that were made in LRS's portal: known to the services, though nobody submitted them there.

use crate::domain::{Achievement, BatchLearner, Ukprn};
use crate::lrs::soap::element::Element;
use crate::lrs::soap::read::XmlReader;
use crate::lrs::soap::write::XmlWriter;
use crate::lrs::soap::xml_mapping::XmlRecord as _;
use crate::organisations::Product;
use crate::schema::deserialize::from_toml;
use crate::schema::form;
use crate::simulator::achievements::Submitted;
use crate::simulator::batches::{register_all, verify_all};
use crate::simulator::jobs::{Jobs, Output};
use crate::simulator::learner_register::Register;

form! {
    /// A job that was made in the portal.
    #[derive(Debug, Clone)]
    pub struct PortalJob {
        /// Its number.
        pub job_id: i32,
        /// The UKPRN of the organisation it belongs to.
        pub organisation: Ukprn,
        /// `registration-batches`, `verification` or `achievement-batches`.
        pub kind: Product,
        /// The learners of a registration or verification job.
        pub learners: Vec<BatchLearner> = Vec::new(),
        /// The achievements of an achievement job.
        pub achievements: Vec<Achievement> = Vec::new(),
    }
}

form! {
    struct List {
        portal_jobs: Vec<PortalJob>,
    }
}

/// One job of each kind, made of people whom every register knows ([`super::people`]).
const DEMONSTRATION: &str = r#"
[[portal_jobs]]
job_id = 800001
organisation = "10088881"
kind = "registration-batches"

[[portal_jobs.learners]]
mis_identifier = "PORTAL-1"
given_name = "Ana"
family_name = "O'Neill"
date_of_birth = "2003-04-05"
gender = "FEMALE"
last_known_post_code = "ZZ99 9ZZ"
verification_type = "PASSPORT"
ability_to_share = "SEEN_SHARE"

[[portal_jobs.learners]]
mis_identifier = "PORTAL-2"
given_name = "Sam"
family_name = "Taylor"
date_of_birth = "2004-06-01"
gender = "NOT_KNOWN"
last_known_post_code = "ZZ5 5FF"
verification_type = "PASSPORT"
ability_to_share = "SEEN_SHARE"

[[portal_jobs.learners]]
mis_identifier = "PORTAL-3"
given_name = "Megan"
family_name = "Ó Briain"

[[portal_jobs]]
job_id = 800002
organisation = "10088881"
kind = "verification"

[[portal_jobs.learners]]
mis_identifier = "PORTAL-1"
uln = "3000000126"
given_name = "Ana"
family_name = "O'Neill"
date_of_birth = "2003-04-05"
gender = "FEMALE"

[[portal_jobs.learners]]
mis_identifier = "PORTAL-2"
uln = "3000000126"
given_name = "Anna"
family_name = "O'Neill"

[[portal_jobs]]
job_id = 60001
organisation = "10088882"
kind = "achievement-batches"

[[portal_jobs.achievements]]
action = "CREATE"
action_date = "2025-07-01"
achievement_award_date = "2025-06-30"
uln = "7000000022"
given_name = "Li"
family_name = "Ng"
date_of_birth = "2005-11-30"
provider_ukprn = "10088881"
unit_or_qualification_reference_number = "600/0001/8"
grade = "Merit"
mis_identifier = "PORTAL-1"

[[portal_jobs.achievements]]
action = "WITHDRAW"
action_date = "2025-07-01"
action_reason = "Entered twice"
achievement_award_date = "2025-06-30"
uln = "7000000022"
given_name = "Li"
family_name = "Ng"
provider_ukprn = "10088881"
unit_or_qualification_reference_number = "600/0002/X"
mis_identifier = "PORTAL-2"
"#;

impl PortalJob {
    /// The jobs of the demonstration.
    ///
    /// # Panics
    /// Never: they are constants.
    pub fn demonstration() -> Vec<Self> {
        from_toml::<List>(DEMONSTRATION.parse().expect("a constant")).expect("a constant").portal_jobs
    }

    /// Does the job.
    ///
    /// # Errors
    /// Why it cannot be one.
    pub fn put_into(&self, jobs: &mut Jobs, register: &mut Register) -> Result<(), &'static str> {
        if self.job_id < 1 {
            return Err("job_id must be 1 or more");
        }
        let of_achievements = self.kind == Product::AchievementBatches;
        if of_achievements != self.learners.is_empty() || of_achievements == self.achievements.is_empty() {
            return Err("must have learners, or with kind achievement-batches achievements, and not both");
        }
        let organisation = self.organisation.as_str();
        let unreadable = "has a value that LRS could not have been sent";
        let output = match self.kind {
            Product::RegistrationBatches => {
                let request = self.request().ok_or(unreadable)?;
                Output::Registration(register_all(register, &request).map_err(|_| unreadable)?)
            }
            Product::Verification if self.learners.iter().any(|learner| learner.uln.is_none()) => {
                return Err("must have the uln of every learner to verify");
            }
            Product::Verification => Output::Verification(verify_all(register, &self.request().ok_or(unreadable)?)),
            Product::AchievementBatches => {
                let batch: Vec<Submitted> = self.achievements.iter().map(Submitted::from).collect();
                jobs.achievements_from_portal(organisation, register, &batch)
            }
            _ => return Err("kind must be registration-batches, verification or achievement-batches"),
        };
        if jobs.add_from_portal(self.job_id.into(), organisation, output) { Ok(()) } else { Err("job_id is another job's") }
    }

    /// The learners as a message would have them.
    fn request(&self) -> Option<Element> {
        let message = XmlWriter::envelope(|writer| {
            writer.element("Batch", "", |writer| {
                self.learners.iter().for_each(|learner| writer.element("Learner", "", |writer| learner.write(writer)));
            });
        });
        XmlReader::new(&message.ok()?).ok()?.soap_body(Element::read).ok()
    }
}
