//! Registration and update of learners (LRS-CONTRACT 2.6, 2.7).

use crate::domain::{Extensible, LearnerRegistration, LearnerUpdate, Uln};
use crate::lrs::operation::{Effect, LrsResponse, MessageContext, Operation, Service};
use crate::lrs::response_codes::{LrsCode, Rejection};
use crate::lrs::services::learner::credentials;
use crate::xml::{FieldMapping, XmlRecord, XmlWriter};

const NAMESPACES: &str = "xmlns:reg=\"http://api.lrs.miap.gov.uk/regmsg\"";

const REGISTERED: &str = "WSRC0005";

/// `registerSingleLearner` (LRS-CONTRACT 2.6): registers a learner and returns the new ULN.
impl Operation for LearnerRegistration {
    const NAME: &'static str = "registerSingleLearner";
    const SERVICE: Service = Service::Learner;
    const REQUEST_ELEMENT: &'static str = "reg:RegisterLearner";
    const NAMESPACES: &'static str = NAMESPACES;
    const RESPONSE_ELEMENT: &'static str = "RegisterLearnerResponse";
    const FIELDS: FieldMapping = &[("Learner", "learner")];
    const EFFECT: Effect = Effect::Write;
    const REJECTIONS: &'static [Rejection] = &[Rejection::NotRegistered, Rejection::InsufficientData];
    type Response = RegisterLearnerResponse;

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
impl Operation for LearnerUpdate {
    const NAME: &'static str = "updateSingleLearner";
    const SERVICE: Service = Service::Learner;
    const REQUEST_ELEMENT: &'static str = "reg:UpdateLearner";
    const NAMESPACES: &'static str = NAMESPACES;
    const RESPONSE_ELEMENT: &'static str = "UpdateLearnerResponse";
    const FIELDS: FieldMapping = &[("Learner", "learner"), ("Learner/ULN", "uln"), ("Learner/VersionNumber", "versionNumber")];
    const EFFECT: Effect = Effect::Write;
    const REJECTIONS: &'static [Rejection] = &[
        Rejection::StaleVersion,
        Rejection::UlnNotFound,
        Rejection::InsufficientData,
        Rejection::ShareChangeNotAllowed,
        Rejection::InvalidUln,
    ];
    type Response = UpdateLearnerResponse;

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
#[derive(Debug, Clone, XmlRecord)]
pub struct RegisterLearnerResponse {
    /// The code of the outcome.
    pub response_code: LrsCode,
    /// The new ULN.
    pub uln: Option<Extensible<Uln>>,
}

impl LrsResponse for RegisterLearnerResponse {
    fn code(&self) -> Option<&LrsCode> {
        Some(&self.response_code)
    }
}

/// `UpdateLearnerResponse` (LRS-CONTRACT 2.7).
#[derive(Debug, Clone, XmlRecord)]
pub struct UpdateLearnerResponse {
    /// The code of the outcome.
    pub response_code: LrsCode,
}

impl LrsResponse for UpdateLearnerResponse {
    fn code(&self) -> Option<&LrsCode> {
        Some(&self.response_code)
    }
}
