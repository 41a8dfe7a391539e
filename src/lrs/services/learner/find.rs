//! Searches for learners (LRS-CONTRACT 2.4, 2.5).

use crate::domain::{Date, DemographicSearch, Extensible, FindType, Gender, Learner, Personal, Uln, UlnSearch};
use crate::lrs::operation::{Effect, LrsResponse, MessageContext, Operation, Service};
use crate::lrs::response_codes::{LrsCode, Rejection};
use crate::lrs::services::learner::credentials;
use crate::xml::{FieldMapping, XmlRecord, XmlWriter};

const NAMESPACES: &str = "xmlns:fin=\"http://api.lrs.miap.gov.uk/findmsg\"";

const NO_MATCH: &str = "WSRC0001";
const TOO_MANY_MATCHES: &str = "WSRC0002";
const EXACT_MATCH: &str = "WSRC0004";
const LINKED_LEARNER: &str = "WSRC0022";

/// `learnerByULN` (LRS-CONTRACT 2.4): finds the learner with this ULN if the names match.
impl Operation for UlnSearch {
    const NAME: &'static str = "learnerByULN";
    const SERVICE: Service = Service::Learner;
    const REQUEST_ELEMENT: &'static str = "fin:FindLearnerByULN";
    const NAMESPACES: &'static str = NAMESPACES;
    const RESPONSE_ELEMENT: &'static str = "FindLearnerResponse";
    const FIELDS: FieldMapping = <Self as XmlRecord>::FIELDS;
    const EFFECT: Effect = Effect::Read;
    const REJECTIONS: &'static [Rejection] = &[Rejection::InvalidUln];
    type Response = FindLearnerResponse;

    fn write(&self, context: &MessageContext<'_>, writer: &mut XmlWriter) {
        write_search(self, context, writer);
    }

    /// If the response repeats the ULN, it must be the requested one. An exact match must have it.
    fn check_response(&self, response: &FindLearnerResponse) -> Result<(), &'static str> {
        let is_requested = |uln: &Extensible<Uln>| uln.known() == Some(&self.uln);
        if response.uln.as_ref().is_some_and(|repeated| !is_requested(repeated)) {
            return Err("it is for a different ULN than the request");
        }
        if response.is_exact_match() && !response.learner.iter().all(|learner| is_requested(&learner.uln)) {
            return Err("its exact match has a different ULN than the request");
        }
        response.check_learners(self.find_type)
    }
}

/// `learnerByDemographics` (LRS-CONTRACT 2.5): finds the learners with these details.
impl Operation for DemographicSearch {
    const NAME: &'static str = "learnerByDemographics";
    const SERVICE: Service = Service::Learner;
    const REQUEST_ELEMENT: &'static str = "fin:FindLearnerByDemographics";
    const NAMESPACES: &'static str = NAMESPACES;
    const RESPONSE_ELEMENT: &'static str = "FindLearnerResponse";
    const FIELDS: FieldMapping = <Self as XmlRecord>::FIELDS;
    const EFFECT: Effect = Effect::Read;
    type Response = FindLearnerResponse;

    fn write(&self, context: &MessageContext<'_>, writer: &mut XmlWriter) {
        write_search(self, context, writer);
    }

    /// If the response repeats the details, they must be the requested ones, and so must the date of birth of an exact match.
    fn check_response(&self, response: &FindLearnerResponse) -> Result<(), &'static str> {
        let normalised = |post_code: &str| post_code.replace(' ', "").to_ascii_uppercase();
        let date_differs = |date: &Option<Extensible<Date>>| date.as_ref().is_some_and(|date| date.known() != Some(&self.date_of_birth));
        let gender_differs = response.gender.as_ref().is_some_and(|gender| gender.known() != Some(&self.gender));
        let post_code_differs = response
            .last_known_post_code
            .as_ref()
            .is_some_and(|post_code| normalised(post_code.reveal()) != normalised(self.last_known_post_code.as_str()));
        if date_differs(&response.date_of_birth) || gender_differs || post_code_differs {
            return Err("it is for different search details than the request");
        }
        if response.is_exact_match() && response.learner.iter().any(|learner| date_differs(&learner.date_of_birth)) {
            return Err("its exact match has a different date of birth than the request");
        }
        response.check_learners(self.find_type)
    }
}

/// Writes the content of a search. The find type, which is its first element, stands before the credentials.
fn write_search<R: XmlRecord>(search: &R, context: &MessageContext<'_>, writer: &mut XmlWriter) {
    search.write_fields(0..1, writer);
    credentials(context, writer);
    search.write_fields(1..R::FIELDS.len(), writer);
}

/// `FindLearnerResponse` (LRS-CONTRACT 2.4): the outcome, the search details as LRS read them, and the learners.
#[derive(Debug, Clone, XmlRecord)]
pub struct FindLearnerResponse {
    /// The code of the outcome.
    pub response_code: LrsCode,
    /// ULN searched for.
    pub uln: Option<Extensible<Uln>>,
    /// Family name searched for.
    pub family_name: Option<Personal<String>>,
    /// Given name searched for.
    pub given_name: Option<Personal<String>>,
    /// Date of birth searched for.
    pub date_of_birth: Option<Extensible<Date>>,
    /// Gender searched for.
    pub gender: Option<Extensible<Gender>>,
    /// Postcode searched for.
    pub last_known_post_code: Option<Personal<String>>,
    /// Previous family name searched for.
    pub previous_family_name: Option<Personal<String>>,
    /// School at the age of 16 searched for.
    pub school_at_age16: Option<Personal<String>>,
    /// Place of birth searched for.
    pub place_of_birth: Option<Personal<String>>,
    /// Email address searched for.
    pub email_address: Option<Personal<String>>,
    /// The learners found.
    pub learner: Vec<Learner>,
}

impl LrsResponse for FindLearnerResponse {
    fn code(&self) -> Option<&LrsCode> {
        Some(&self.response_code)
    }
}

impl FindLearnerResponse {
    fn is_exact_match(&self) -> bool {
        self.response_code.matches(EXACT_MATCH)
    }

    /// Requires that the code and the number of learners agree. Otherwise a caller could receive a learner who was not found.
    fn check_learners(&self, find_type: FindType) -> Result<(), &'static str> {
        let one_learner = self.is_exact_match() || self.response_code.matches(LINKED_LEARNER);
        let no_learner = self.response_code.matches(NO_MATCH) || self.response_code.matches(TOO_MANY_MATCHES);
        if self.learner.iter().any(|learner| learner.version_number.is_none()) {
            return Err("it contains a learner without a version number");
        }
        match self.learner.len() {
            0 if one_learner && find_type == FindType::Full => Err("its code reports a learner, but it contains none"),
            2.. if one_learner => Err("its code reports one learner, but it contains several"),
            1.. if no_learner => Err("its code reports no learner, but it contains one or more"),
            1 if one_learner && self.learner[0].uln.known().is_none() => Err("the learner that its code reports has no valid ULN"),
            _ => Ok(()),
        }
    }
}
