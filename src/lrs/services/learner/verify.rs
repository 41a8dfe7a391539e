//! Verifying learners (FACTS 2.10).

use crate::domain::{Date, Extensible, Gender, Personal, Uln, VerifyLearner};
use crate::lrs::codes::LrsCode;
use crate::lrs::operation::{Effect, LrsResponse, MessageContext, Operation, Service};
use crate::lrs::services::learner::credentials;
use crate::lrs::soap::read::{XmlError, XmlReader};
use crate::lrs::soap::write::XmlWriter;
use crate::lrs::soap::xml_mapping::{Fields, Wrapped, XmlRecord, wire};

/// `verifyLearner` (FACTS 2.10). The one operation of its service with a `SOAPAction`.
impl Operation for VerifyLearner {
    const NAME: &'static str = "verifyLearner";
    const SERVICE: Service = Service::Learner;
    const SOAP_ACTION: &'static str = "http://tempuri.org/LearnerPortType/verifyLearner";
    const REQUEST_ELEMENT: &'static str = "rep:VerifyLearner";
    const NAMESPACES: &'static str = "xmlns:rep=\"http://api.lrs.miap.gov.uk/reportmsg\"";
    const RESPONSE_ELEMENT: &'static str = "VerifyLearnerResponse";
    const FIELDS: Fields = &[
        ("LearnerToVerify/ULN", "uln"),
        ("LearnerToVerify/FamilyName", "family_name"),
        ("LearnerToVerify/GivenName", "given_name"),
        ("LearnerToVerify/DateOfBirth", "date_of_birth"),
        ("LearnerToVerify/Gender", "gender"),
    ];
    type Response = VerifyLearnerResponse;

    fn effect(&self) -> Effect {
        Effect::Read
    }

    fn write(&self, context: &MessageContext<'_>, writer: &mut XmlWriter) {
        credentials(context, writer);
        writer.element("LearnerToVerify", "", |writer| {
            writer.value("ULN", &self.uln);
            writer.value("FamilyName", &self.family_name);
            writer.value("GivenName", &self.given_name);
            writer.nillable("DateOfBirth", self.date_of_birth.as_ref());
            writer.nillable("Gender", self.gender.as_ref());
        });
    }

    fn check(&self, answer: &VerifyLearnerResponse) -> Result<(), &'static str> {
        let learner = &answer.verified_learner;
        let other = |uln: &Option<Extensible<Uln>>| uln.as_ref().is_some_and(|uln| uln.known() != Some(&self.uln));
        let Some(code) = &learner.response_code else { return Err("it does not say what came of it") };
        let not_linked = code.is("WSVRC001") || code.is("WSVRC003");
        if other(&learner.searched_uln) || (not_linked && other(&learner.uln)) {
            return Err("it is about another ULN");
        }
        // Names compared crosswise (VRF2 to VRF4, VRF6) say nothing against a match.
        let fits = code.is("WSVRC001") || code.is("WSVRC002");
        if fits && learner.failure_flag.iter().any(|flag| matches!(flag.0.reveal().as_str(), "VRF1" | "VRF5" | "VRF7" | "VRF8")) {
            return Err("it says that everything fits, and names what does not");
        }
        Ok(())
    }
}

/// `VerifyLearnerResponse`: everything, the code included, is about the learner (FACTS 2.10).
#[derive(Debug, Clone)]
pub struct VerifyLearnerResponse {
    /// The learner.
    pub verified_learner: Wrapped<VerifiedLearner>,
}

wire!(VerifyLearnerResponse { verified_learner: "VerifiedLearner" });

impl LrsResponse for VerifyLearnerResponse {
    fn code(&self) -> Option<&LrsCode> {
        self.verified_learner.response_code.as_ref()
    }
}

/// `lrnr:MIAPVerifiedLearner` and, in batches, `lrnr:MIAPVerifiedBatchLearner` (FACTS 2.2): what was asked, what came of it,
/// and LRS's own values.
#[derive(Debug, Clone)]
pub struct VerifiedLearner {
    /// The caller's own name for the record; in batches only.
    pub mis_identifier: Option<Personal<String>>,
    /// ULN asked about.
    pub searched_uln: Option<Extensible<Uln>>,
    /// Family name asked about.
    pub searched_family_name: Option<Personal<String>>,
    /// Given name asked about.
    pub searched_given_name: Option<Personal<String>>,
    /// Date of birth asked about.
    pub searched_date_of_birth: Option<Extensible<Date>>,
    /// Gender asked about.
    pub searched_gender: Option<Extensible<Gender>>,
    /// The outcome.
    pub response_code: Option<LrsCode>,
    /// ULN at LRS.
    pub uln: Option<Extensible<Uln>>,
    /// Family name at LRS.
    pub family_name: Option<Personal<String>>,
    /// Given name at LRS.
    pub given_name: Option<Personal<String>>,
    /// Date of birth at LRS.
    pub date_of_birth: Option<Extensible<Date>>,
    /// Gender at LRS.
    pub gender: Option<Extensible<Gender>>,
    /// What does not fit.
    pub failure_flag: Vec<FailureFlag>,
}

wire!(VerifiedLearner {
    mis_identifier: "MISIdentifier",
    searched_uln: "SearchedULN",
    searched_family_name: "SearchedFamilyName",
    searched_given_name: "SearchedGivenName",
    searched_date_of_birth: "SearchedDateOfBirth",
    searched_gender: "SearchedGender",
    response_code: "ResponseCode",
    uln: "ULN",
    family_name: "FamilyName",
    given_name: "GivenName",
    date_of_birth: "DateOfBirth",
    gender: "Gender",
    failure_flag: "FailureFlag",
});

/// A comparison that failed, as LRS names it: `VRF1` to `VRF8`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureFlag(pub Personal<String>);

/// An element with nothing in it but text, of which there may be several.
impl XmlRecord for FailureFlag {
    const FIELDS: Fields = &[];

    fn read(reader: &mut XmlReader<'_>) -> Result<Self, XmlError> {
        Ok(Self(Personal::new(reader.text()?.trim().to_owned())))
    }

    fn write(&self, writer: &mut XmlWriter) {
        writer.text(self.0.reveal());
    }
}
