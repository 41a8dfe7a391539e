//! Registering and updating learners (FACTS 2.5, 2.6).

use crate::domain::{Extensible, LearnerDetails, RegisterLearner, Uln, UpdateLearner};
use crate::lrs::codes::LrsCode;
use crate::lrs::operation::{Effect, LrsResponse, MessageContext, Operation, Service};
use crate::lrs::services::learner::credentials;
use crate::lrs::soap::write::XmlWriter;
use crate::lrs::soap::xml_mapping::{Fields, XmlRecord as _, wire};

const NAMESPACES: &str = "xmlns:reg=\"http://api.lrs.miap.gov.uk/regmsg\"";

/// `registerSingleLearner` (FACTS 2.5): a new ULN.
impl Operation for RegisterLearner {
    const NAME: &'static str = "registerSingleLearner";
    const SERVICE: Service = Service::Learner;
    const SOAP_ACTION: &'static str = "";
    const REQUEST_ELEMENT: &'static str = "reg:RegisterLearner";
    const NAMESPACES: &'static str = NAMESPACES;
    const RESPONSE_ELEMENT: &'static str = "RegisterLearnerResponse";
    const FIELDS: Fields = &[("Learner", "learner")];
    type Response = RegisterLearnerResponse;

    fn effect(&self) -> Effect {
        Effect::Write
    }

    fn write(&self, context: &MessageContext<'_>, writer: &mut XmlWriter) {
        credentials(context, writer);
        writer.element("Learner", "", |writer| self.learner.write(writer));
    }

    fn check(&self, answer: &RegisterLearnerResponse) -> Result<(), &'static str> {
        match (answer.response_code.is("WSRC0005"), answer.uln.as_ref().map(Extensible::known)) {
            (true, None) => Err("it announces a registration and holds no ULN"),
            (true, Some(None)) => Err("it announces a registration and its ULN is none"),
            _ => Ok(()),
        }
    }
}

/// `updateSingleLearner` (FACTS 2.6): a learner's whole record, if nobody changed it since.
impl Operation for UpdateLearner {
    const NAME: &'static str = "updateSingleLearner";
    const SERVICE: Service = Service::Learner;
    const SOAP_ACTION: &'static str = "";
    const REQUEST_ELEMENT: &'static str = "reg:UpdateLearner";
    const NAMESPACES: &'static str = NAMESPACES;
    const RESPONSE_ELEMENT: &'static str = "UpdateLearnerResponse";
    const FIELDS: Fields = &[("Learner", "learner"), ("Learner/ULN", "uln"), ("Learner/VersionNumber", "version_number")];
    type Response = UpdateLearnerResponse;

    fn effect(&self) -> Effect {
        Effect::Write
    }

    fn write(&self, context: &MessageContext<'_>, writer: &mut XmlWriter) {
        credentials(context, writer);
        writer.element("Learner", "", |writer| {
            self.learner.write(writer);
            writer.value("ULN", &self.uln);
            writer.value("VersionNumber", &self.version_number);
        });
    }
}

/// `RegisterLearnerResponse` (FACTS 2.5).
#[derive(Debug, Clone)]
pub struct RegisterLearnerResponse {
    /// The outcome.
    pub response_code: LrsCode,
    /// The new ULN.
    pub uln: Option<Extensible<Uln>>,
}

wire!(RegisterLearnerResponse { response_code: "ResponseCode", uln: "ULN" });

impl LrsResponse for RegisterLearnerResponse {
    fn code(&self) -> Option<&LrsCode> {
        Some(&self.response_code)
    }
}

/// `UpdateLearnerResponse` (FACTS 2.6).
#[derive(Debug, Clone)]
pub struct UpdateLearnerResponse {
    /// The outcome.
    pub response_code: LrsCode,
}

wire!(UpdateLearnerResponse { response_code: "ResponseCode" });

impl LrsResponse for UpdateLearnerResponse {
    fn code(&self) -> Option<&LrsCode> {
        Some(&self.response_code)
    }
}

// `lrnr:LearnerToRegister` (FACTS 2.2).
wire!(LearnerDetails {
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
    ability_to_share: "AbilityToShare",
    notes: "Notes",
});
