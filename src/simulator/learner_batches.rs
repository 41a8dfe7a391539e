//! Processing of registration and verification batches (LRS-CONTRACT 2.10 to 2.13, 3.4, 6.3).
//!
//! The codes of verification batches and most return codes are not public. Codes that begin with `SIM-` are the simulator's own.

use jiff::Timestamp;
use jiff::civil;
use jiff::tz::TimeZone;

use crate::domain::{BatchLearner, BatchLearnerResult, Date, Extensible, FromLrs as _, Uln};
use crate::lrs::response_codes::LrsCode;
use crate::lrs::services::learner::{RegistrationBatchOutput, VerificationBatchOutput};
use crate::schema::Scalar as _;
use crate::simulator::learner_register::LearnerRegister;
use crate::simulator::learner_search::{Demographics, SearchMatches};
use crate::simulator::verification::verify_learner;
use crate::xml::{Element, XmlError};

/// Ages that LRS accepts, in years.
const LEARNER_AGES: std::ops::RangeInclusive<i16> = 13..=110;

/// The return codes of exceptions, which a person processes in LRS's portal (LRS-CONTRACT 3.4).
const EXCEPTION_CODES: [&str; 8] = ["RC006", "RC007", "RC008", "RC009", "RC010", "RC011", "RC012", "RC013"];
/// A learner with this word and a code as the family name becomes that exception: `Exception RC007`.
const EXCEPTION: &str = "Exception ";
/// After the code, this word gives the row the ULN of another learner: whether LRS's rows have one is not public.
const WITH_ULN: &str = " ULN";
/// The ULN of such a row: Ana O'Neill's.
const OTHER_LEARNERS_ULN: &str = "3000000126";

/// The result of processing one learner of a registration batch.
enum RegistrationBatchResult {
    New(Uln),
    Exists(Extensible<Uln>),
    PossibleMatch,
    NotFound,
    /// LRS's return code of the rejection, and a ULN that the row has all the same.
    Rejected(&'static str, Option<Uln>),
}

impl RegistrationBatchResult {
    const TOO_LITTLE_DATA: Self = Self::Rejected("RC006", None);
    const AGE_OUT_OF_RANGE: Self = Self::Rejected("RC011", None);

    const fn return_code(&self) -> &'static str {
        match self {
            Self::New(_) => "SIM-NEW",
            Self::Exists(_) => "SIM-EXISTS",
            Self::PossibleMatch => "SIM-POSSIBLE",
            Self::NotFound => "SIM-NOT-FOUND",
            Self::Rejected(code, _) => code,
        }
    }

    fn into_uln(self) -> Option<Extensible<Uln>> {
        match self {
            Self::New(uln) | Self::Rejected(_, Some(uln)) => Some(Extensible::Known(uln)),
            Self::Exists(uln) => Some(uln),
            Self::PossibleMatch | Self::NotFound | Self::Rejected(_, None) => None,
        }
    }
}

/// Registers every learner of a batch. With the job type `CHK`, only searches for them.
///
/// # Errors
/// Returns an [`XmlError`] if a learner has a value that the schema allows and the domain does not, such as a date that does not exist.
pub fn process_registrations(register: &mut LearnerRegister, request: &Element) -> Result<RegistrationBatchOutput, XmlError> {
    let check_only = request.text_of("JobType") == "CHK";
    let mut output = RegistrationBatchOutput {
        job_status: Some("Complete".into()),
        new_learners_count: Some(0),
        exists_updated_learners_count: Some(0),
        possible_match_learners_count: Some(0),
        learners_not_found_count: Some(0),
        rejected_learners_count: Some(0),
        ..empty_registration_output("WSRC0009")
    };
    // A message with an invalid learner must not change the register. So all learners are read before the first is registered.
    let mut learners = Vec::new();
    for element in batch_learners(request) {
        learners.push((element.to_record::<BatchLearner>()?, element.to_record::<BatchLearnerResult>()?));
    }
    for (learner, mut learner_result) in learners {
        let result = process_registration(register, &learner, check_only);
        let count = match &result {
            RegistrationBatchResult::New(_) => &mut output.new_learners_count,
            RegistrationBatchResult::Exists(_) => &mut output.exists_updated_learners_count,
            RegistrationBatchResult::PossibleMatch => &mut output.possible_match_learners_count,
            RegistrationBatchResult::NotFound => &mut output.learners_not_found_count,
            RegistrationBatchResult::Rejected(..) => &mut output.rejected_learners_count,
        };
        *count = count.map(|count| count + 1);
        learner_result.return_code = Some(result.return_code().to_owned());
        if let Some(uln) = result.into_uln() {
            learner_result.uln = Some(uln);
        }
        output.learner.push(learner_result);
    }
    Ok(output)
}

fn process_registration(register: &mut LearnerRegister, learner: &BatchLearner, check_only: bool) -> RegistrationBatchResult {
    if let Some(exception) = requested_exception(learner.family_name.as_str()) {
        return exception;
    }
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    if learner.date_of_birth.is_some_and(|date_of_birth| !is_learner_age(date_of_birth, today)) {
        return RegistrationBatchResult::AGE_OUT_OF_RANGE;
    }
    if let Some(uln) = &learner.uln {
        let matches = register.find_by_uln(uln.as_str(), learner.given_name.as_str(), learner.family_name.as_str());
        return match matches {
            SearchMatches::ExactMatch(learner) | SearchMatches::LinkedLearner(learner) => RegistrationBatchResult::Exists(learner.uln),
            _ => RegistrationBatchResult::NotFound,
        };
    }
    let (Some(date_of_birth), Some(gender), Some(post_code)) = (&learner.date_of_birth, &learner.gender, &learner.last_known_post_code)
    else {
        return RegistrationBatchResult::TOO_LITTLE_DATA;
    };
    let (date_of_birth, gender) = (date_of_birth.text(), gender.to_lrs());
    let search = Demographics {
        given_name: learner.given_name.as_str(),
        family_name: learner.family_name.as_str(),
        date_of_birth: &date_of_birth,
        gender: &gender,
        post_code: post_code.as_str(),
    };
    match register.find_by_demographics(&search) {
        SearchMatches::ExactMatch(learner) | SearchMatches::LinkedLearner(learner) => RegistrationBatchResult::Exists(learner.uln),
        SearchMatches::PossibleMatches(_) | SearchMatches::TooManyMatches => RegistrationBatchResult::PossibleMatch,
        SearchMatches::NoMatch if check_only => RegistrationBatchResult::NotFound,
        SearchMatches::NoMatch => {
            register.register_from_batch(learner).map_or(RegistrationBatchResult::TOO_LITTLE_DATA, RegistrationBatchResult::New)
        }
    }
}

/// Returns the exception that a family name asks for, such as `Exception RC007` or `Exception RC007 ULN`.
fn requested_exception(family_name: &str) -> Option<RegistrationBatchResult> {
    let request = family_name.strip_prefix(EXCEPTION)?;
    let (code, uln) = request.strip_suffix(WITH_ULN).map_or((request, None), |code| (code, Uln::from_lrs(OTHER_LEARNERS_ULN)));
    EXCEPTION_CODES.iter().find(|known| **known == code).map(|code| RegistrationBatchResult::Rejected(code, uln))
}

fn is_learner_age(date_of_birth: Date, today: civil::Date) -> bool {
    let Ok(date_of_birth) = date_of_birth.text().parse::<civil::Date>() else { return false };
    let is_before_birthday = (today.month(), today.day()) < (date_of_birth.month(), date_of_birth.day());
    LEARNER_AGES.contains(&(today.year() - date_of_birth.year() - i16::from(is_before_birthday)))
}

/// Verifies every learner of a batch.
pub fn process_verifications(register: &LearnerRegister, request: &Element) -> VerificationBatchOutput {
    VerificationBatchOutput {
        job_status: Some("Complete".into()),
        verified_learner: batch_learners(request).map(|learner| verify_learner(register, learner)).collect(),
        ..empty_verification_output("WSRC0028")
    }
}

/// Returns the learners of a batch.
pub fn batch_learners(request: &Element) -> impl Iterator<Item = &Element> {
    request.children.iter().filter(|child| child.name == "Learner")
}

/// Returns the output of a registration batch with a response code and nothing else.
pub fn empty_registration_output(response_code: &str) -> RegistrationBatchOutput {
    RegistrationBatchOutput { response_code: Some(LrsCode::new(response_code)), ..RegistrationBatchOutput::default() }
}

/// Returns the output of a verification batch with a response code and nothing else.
pub fn empty_verification_output(response_code: &str) -> VerificationBatchOutput {
    VerificationBatchOutput { response_code: Some(LrsCode::new(response_code)), ..VerificationBatchOutput::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learner_age_is_accepted_from_13_to_110_years() {
        let today = civil::date(2025, 3, 1);
        for (date_of_birth, is_accepted) in
            [("2012-03-01", true), ("2012-03-02", false), ("1914-03-02", true), ("1914-03-01", false), ("2030-01-01", false)]
        {
            assert_eq!(is_learner_age(Date::parse(date_of_birth).expect(date_of_birth), today), is_accepted, "{date_of_birth}");
        }
    }
}
