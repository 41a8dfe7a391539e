//! Registration and update of learners (LRS-CONTRACT 2.6, 2.7).

use crate::domain::{Extensible, LearnerDetails, RegisterLearner, Uln, UpdateLearner};
use crate::lrs::operation::{Effect, LrsResponse, MessageContext, Operation, Service};
use crate::lrs::response_codes::LrsCode;
use crate::lrs::services::learner::credentials;
use crate::lrs::soap::write::XmlWriter;
use crate::lrs::soap::xml_mapping::{FieldMapping, XmlRecord as _, xml_record};

const NAMESPACES: &str = "xmlns:reg=\"http://api.lrs.miap.gov.uk/regmsg\"";

const REGISTERED: &str = "WSRC0005";

/// `registerSingleLearner` (LRS-CONTRACT 2.6): registers a learner and returns the new ULN.
impl Operation for RegisterLearner {
    const NAME: &'static str = "registerSingleLearner";
    const SERVICE: Service = Service::Learner;
    const SOAP_ACTION: &'static str = "";
    const REQUEST_ELEMENT: &'static str = "reg:RegisterLearner";
    const NAMESPACES: &'static str = NAMESPACES;
    const RESPONSE_ELEMENT: &'static str = "RegisterLearnerResponse";
    const FIELDS: FieldMapping = &[("Learner", "learner")];
    type Response = RegisterLearnerResponse;

    fn effect(&self) -> Effect {
        Effect::Write
    }

    fn write(&self, context: &MessageContext<'_>, writer: &mut XmlWriter) {
        credentials(context, writer);
        writer.element("Learner", "", |writer| self.learner.write(writer));
    }

    /// Requires a valid ULN if the code reports a registration.
    fn check_response(&self, response: &RegisterLearnerResponse) -> Result<(), &'static str> {
        match (response.response_code.matches(REGISTERED), response.uln.as_ref().map(Extensible::known)) {
            (true, None) => Err("its code reports a registration, but it contains no ULN"),
            (true, Some(None)) => Err("its code reports a registration, but its ULN is invalid"),
            _ => Ok(()),
        }
    }
}

/// `updateSingleLearner` (LRS-CONTRACT 2.7): replaces a learner's record, unless it was changed since the stated version.
impl Operation for UpdateLearner {
    const NAME: &'static str = "updateSingleLearner";
    const SERVICE: Service = Service::Learner;
    const SOAP_ACTION: &'static str = "";
    const REQUEST_ELEMENT: &'static str = "reg:UpdateLearner";
    const NAMESPACES: &'static str = NAMESPACES;
    const RESPONSE_ELEMENT: &'static str = "UpdateLearnerResponse";
    const FIELDS: FieldMapping = &[("Learner", "learner"), ("Learner/ULN", "uln"), ("Learner/VersionNumber", "version_number")];
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

/// `RegisterLearnerResponse` (LRS-CONTRACT 2.6).
#[derive(Debug, Clone)]
pub struct RegisterLearnerResponse {
    /// The code of the outcome.
    pub response_code: LrsCode,
    /// The new ULN.
    pub uln: Option<Extensible<Uln>>,
}

xml_record!(RegisterLearnerResponse { response_code: "ResponseCode", uln: "ULN" });

impl LrsResponse for RegisterLearnerResponse {
    fn code(&self) -> Option<&LrsCode> {
        Some(&self.response_code)
    }
}

/// `UpdateLearnerResponse` (LRS-CONTRACT 2.7).
#[derive(Debug, Clone)]
pub struct UpdateLearnerResponse {
    /// The code of the outcome.
    pub response_code: LrsCode,
}

xml_record!(UpdateLearnerResponse { response_code: "ResponseCode" });

impl LrsResponse for UpdateLearnerResponse {
    fn code(&self) -> Option<&LrsCode> {
        Some(&self.response_code)
    }
}

// `lrnr:LearnerToRegister` (LRS-CONTRACT 2.3).
xml_record!(LearnerDetails {
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
