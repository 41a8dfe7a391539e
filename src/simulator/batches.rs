//! What becomes of the learners of registration and verification batches (FACTS 2.7, 2.8, 2.11, 2.12, 3.4).
//!
//! The codes of verification batches and most return codes are not public: `SIM-…` are the simulator's own.

use jiff::Timestamp;
use jiff::civil;
use jiff::tz::TimeZone;

use crate::domain::{BatchLearner, BatchLearnerResult, Date, Extensible, FromLrs as _, Uln};
use crate::lrs::codes::LrsCode;
use crate::lrs::services::learner::{RegistrationBatchOutput, VerificationBatchOutput};
use crate::lrs::soap::element::Element;
use crate::lrs::soap::read::XmlError;
use crate::schema::Scalar as _;
use crate::simulator::learner_register::{Demographics, Register, SearchMatches};
use crate::simulator::verification::compare;

/// Registers, or with `CHK` looks up, every learner of a batch.
///
/// # Errors
/// When a learner's values are not ones the gateway's domain has, such as a date the calendar does not know.
pub fn register_all(register: &mut Register, request: &Element) -> Result<RegistrationBatchOutput, XmlError> {
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
    // All are read before the first is registered: a message that cannot be read changes nothing.
    let mut learners = Vec::new();
    for element in learners_of(request) {
        learners.push((element.as_record::<BatchLearner>()?, element.as_record::<BatchLearnerResult>()?));
    }
    for (learner, mut result) in learners {
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
    Ok(output)
}

/// Verifies every learner of a batch.
pub fn verify_all(register: &Register, request: &Element) -> VerificationBatchOutput {
    VerificationBatchOutput {
        job_status: Some("Complete".into()),
        verified_learner: learners_of(request).map(|learner| compare(register, learner)).collect(),
        ..no_verifications("WSRC0028")
    }
}

/// The learners of a batch.
pub fn learners_of(request: &Element) -> impl Iterator<Item = &Element> {
    request.children.iter().filter(|child| child.name == "Learner")
}

/// A registration batch of which there is nothing to tell but this code.
pub fn no_registrations(code: &str) -> RegistrationBatchOutput {
    RegistrationBatchOutput {
        response_code: Some(LrsCode::new(code)),
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
pub fn no_verifications(code: &str) -> VerificationBatchOutput {
    VerificationBatchOutput {
        response_code: Some(LrsCode::new(code)),
        job_status: None,
        job_started_date_time: None,
        job_finished_date_time: None,
        verified_learner: Vec::new(),
    }
}

/// What becomes of one learner: a return code, and the ULN if there is one.
fn register_one(register: &mut Register, learner: &BatchLearner, only_look: bool) -> (&'static str, Option<Extensible<Uln>>) {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    if learner.date_of_birth.is_some_and(|born| !has_learners_age(born, today)) {
        return ("RC011", None);
    }
    if let Some(uln) = &learner.uln {
        let found = register.find_by_uln(uln.as_str(), learner.given_name.as_str(), learner.family_name.as_str());
        return if let SearchMatches::Exact(learner) | SearchMatches::Master(learner) = found {
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
        SearchMatches::Exact(learner) | SearchMatches::Master(learner) => ("SIM-EXISTS", Some(learner.uln)),
        SearchMatches::Possible(_) | SearchMatches::TooMany => ("SIM-POSSIBLE", None),
        SearchMatches::Nobody if only_look => ("SIM-NOT-FOUND", None),
        SearchMatches::Nobody => match register.register_from_batch(learner) {
            Some(uln) => ("SIM-NEW", Some(Extensible::Known(uln))),
            None => ("RC006", None),
        },
    }
}

/// Learners are 13 to 110 years old.
fn has_learners_age(born: Date, today: civil::Date) -> bool {
    let Ok(born) = born.text().parse::<civil::Date>() else { return false };
    let had_no_birthday = (today.month(), today.day()) < (born.month(), born.day());
    (13..=110).contains(&(today.year() - born.year() - i16::from(had_no_birthday)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learners_are_13_to_110_years_old() {
        let today = civil::date(2025, 3, 1);
        for (born, is_learner) in
            [("2012-03-01", true), ("2012-03-02", false), ("1914-03-02", true), ("1914-03-01", false), ("2030-01-01", false)]
        {
            assert_eq!(has_learners_age(Date::parse(born).expect(born), today), is_learner, "{born}");
        }
    }
}
