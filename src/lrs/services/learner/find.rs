//! Finding learners (FACTS 2.3, 2.4).

use crate::domain::{Date, Extensible, FindByDemographics, FindByUln, FindType, Gender, Learner, Personal, Uln};
use crate::lrs::codes::LrsCode;
use crate::lrs::operation::{Effect, LrsResponse, Operation, Service};
use crate::lrs::services::learner::credentials;
use crate::lrs::soap::xml_mapping::{elements, wire};

const NAMESPACES: &str = "xmlns:fin=\"http://api.lrs.miap.gov.uk/findmsg\"";

/// `learnerByULN` (FACTS 2.3): the learner with this ULN, if the names fit.
impl Operation for FindByUln {
    const NAME: &'static str = "learnerByULN";
    const SERVICE: Service = Service::Learner;
    const SOAP_ACTION: &'static str = "";
    const REQUEST_ELEMENT: &'static str = "fin:FindLearnerByULN";
    const NAMESPACES: &'static str = NAMESPACES;
    const RESPONSE_ELEMENT: &'static str = "FindLearnerResponse";
    type Response = FindLearnerResponse;

    fn effect(&self) -> Effect {
        Effect::Read
    }

    elements!([find_type: "FindType",] credentials, [uln: "ULN", family_name: "FamilyName", given_name: "GivenName",]);

    /// An exact match is the learner that was asked for and nobody else.
    fn check(&self, answer: &FindLearnerResponse) -> Result<(), &'static str> {
        let asked = |uln: &Extensible<Uln>| uln.known() == Some(&self.uln);
        if answer.uln.as_ref().is_some_and(|echo| !asked(echo)) {
            return Err("it answers a search for another ULN");
        }
        if answer.response_code.is("WSRC0004") && !answer.learner.iter().all(|learner| asked(&learner.uln)) {
            return Err("its exact match is a learner with another ULN");
        }
        answer.check(self.find_type)
    }
}

/// `learnerByDemographics` (FACTS 2.4): learners with these particulars.
impl Operation for FindByDemographics {
    const NAME: &'static str = "learnerByDemographics";
    const SERVICE: Service = Service::Learner;
    const SOAP_ACTION: &'static str = "";
    const REQUEST_ELEMENT: &'static str = "fin:FindLearnerByDemographics";
    const NAMESPACES: &'static str = NAMESPACES;
    const RESPONSE_ELEMENT: &'static str = "FindLearnerResponse";
    type Response = FindLearnerResponse;

    fn effect(&self) -> Effect {
        Effect::Read
    }

    elements!([find_type: "FindType",] credentials, [
        family_name: "FamilyName",
        given_name: "GivenName",
        date_of_birth: "DateOfBirth",
        gender: "Gender",
        last_known_post_code: "LastKnownPostCode",
        previous_family_name: "PreviousFamilyName" nil,
        school_at_age16: "SchoolAtAge16" nil,
        place_of_birth: "PlaceOfBirth" nil,
        email_address: "EmailAddress" nil,
    ]);

    /// An answer repeats its question; an exact match was born on the day that was asked for.
    fn check(&self, answer: &FindLearnerResponse) -> Result<(), &'static str> {
        let bare = |code: &str| code.replace(' ', "").to_ascii_uppercase();
        let other_date = |date: &Option<Extensible<Date>>| date.as_ref().is_some_and(|date| date.known() != Some(&self.date_of_birth));
        let other_gender = answer.gender.as_ref().is_some_and(|gender| gender.known() != Some(&self.gender));
        let other_post_code =
            answer.last_known_post_code.as_ref().is_some_and(|code| bare(code.reveal()) != bare(self.last_known_post_code.as_str()));
        if other_date(&answer.date_of_birth) || other_gender || other_post_code {
            return Err("it answers a search for somebody else");
        }
        if answer.response_code.is("WSRC0004") && answer.learner.iter().any(|learner| other_date(&learner.date_of_birth)) {
            return Err("its exact match is a learner with another date of birth");
        }
        answer.check(self.find_type)
    }
}

/// `FindLearnerResponse` (FACTS 2.3): the outcome, the search as LRS understood it, and the learners.
#[derive(Debug, Clone)]
pub struct FindLearnerResponse {
    /// The outcome.
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
    /// School searched for.
    pub school_at_age16: Option<Personal<String>>,
    /// Place of birth searched for.
    pub place_of_birth: Option<Personal<String>>,
    /// E-mail address searched for.
    pub email_address: Option<Personal<String>>,
    /// The learners found.
    pub learner: Vec<Learner>,
}

wire!(FindLearnerResponse {
    response_code: "ResponseCode",
    uln: "ULN",
    family_name: "FamilyName",
    given_name: "GivenName",
    date_of_birth: "DateOfBirth",
    gender: "Gender",
    last_known_post_code: "LastKnownPostCode",
    previous_family_name: "PreviousFamilyName",
    school_at_age16: "SchoolAtAge16",
    place_of_birth: "PlaceOfBirth",
    email_address: "EmailAddress",
    learner: "Learner",
});

impl LrsResponse for FindLearnerResponse {
    fn code(&self) -> Option<&LrsCode> {
        Some(&self.response_code)
    }
}

impl FindLearnerResponse {
    /// The code and the learners must say the same, or somebody is shown who was not found.
    fn check(&self, find_type: FindType) -> Result<(), &'static str> {
        let one_learner = self.response_code.is("WSRC0004") || self.response_code.is("WSRC0022");
        let nobody = self.response_code.is("WSRC0001") || self.response_code.is("WSRC0002");
        match self.learner.len() {
            0 if one_learner && find_type == FindType::Full => Err("it announces a learner and holds none"),
            2.. if one_learner => Err("it announces one learner and holds several"),
            1.. if nobody => Err("it announces no learner and holds some"),
            1 if one_learner && self.learner[0].uln.known().is_none() => Err("the learner it announces has no ULN"),
            _ => Ok(()),
        }
    }
}

// `lrnr:Learner` (FACTS 2.2).
wire!(Learner {
    created_date: "CreatedDate",
    last_updated_date: "LastUpdatedDate",
    uln: "ULN",
    master_substituted: "MasterSubstituted",
    title: "Title",
    given_name: "GivenName",
    middle_other_name: "MiddleOtherName",
    family_name: "FamilyName",
    preferred_given_name: "PreferredGivenName",
    previous_family_name: "PreviousFamilyName",
    family_name_at_age16: "FamilyNameAtAge16",
    school_at_age16: "SchoolAtAge16",
    last_known_address_line1: "LastKnownAddressLine1",
    last_known_address_line2: "LastKnownAddressLine2",
    last_known_address_town: "LastKnownAddressTown",
    last_known_address_county_or_city: "LastKnownAddressCountyOrCity",
    last_known_post_code: "LastKnownPostCode",
    date_of_address_capture: "DateOfAddressCapture",
    date_of_birth: "DateOfBirth",
    place_of_birth: "PlaceOfBirth",
    gender: "Gender",
    email_address: "EmailAddress",
    nationality: "Nationality",
    scottish_candidate_number: "ScottishCandidateNumber",
    verification_type: "VerificationType",
    other_verification_description: "OtherVerificationDescription",
    tier_level: "TierLevel",
    ability_to_share: "AbilityToShare",
    learner_status: "LearnerStatus",
    linked_ulns: "LinkedULNs" > "ULN"("xmlns=\"http://api.lrs.miap.gov.uk/learner\"", "xmlns=\"\""),
    notes: "Notes",
    version_number: "VersionNumber",
});
