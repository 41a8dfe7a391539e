//! The operation of `LearnerServiceR9.svc`. Unlike in `LearnerService.svc`, every element is in a namespace (LRS-CONTRACT 2.14).

use crate::domain::{Extensible, FromLrs as _, LearningEvent, LearningEventsSearch, Uln};
use crate::lrs::operation::{Effect, LrsResponse, MessageContext, Operation, Service};
use crate::lrs::response_codes::{LrsCode, Rejection};
use crate::xml::{FieldMapping, Wrapped, XmlRecord, XmlWriter};

const NO_MATCH: &str = "WSRC0001";
const LINKED_LEARNER: &str = "WSRC0022";
const NOT_SHARED: &str = "WSEC0206";
const NOT_VERIFIED: &str = "WSEC0208";

/// `GetLearnerLearningEvents` (LRS-CONTRACT 2.14): returns a learner's Personal Learning Record.
impl Operation for LearningEventsSearch {
    const NAME: &'static str = "GetLearnerLearningEvents";
    const SERVICE: Service = Service::LearnerR9;
    const SOAP_ACTION: &'static str = "\"http://tempuri.org/ILearnerServiceR9/GetLearnerLearningEvents\"";
    const REQUEST_ELEMENT: &'static str = "tem:GetLearnerLearningEvents";
    const NAMESPACES: &'static str =
        "xmlns:tem=\"http://tempuri.org/\" xmlns:r10=\"http://schemas.datacontract.org/2004/07/Amor.Qcf.Service.Interface\"";
    const RESPONSE_ELEMENT: &'static str = "GetLearnerLearningEventsResponse";
    const FIELDS: FieldMapping = <Self as XmlRecord>::FIELDS;
    const EFFECT: Effect = Effect::Read;
    const REJECTIONS: &'static [Rejection] = &[Rejection::InvalidUln];
    type Response = LearningEventsResponse;

    fn write(&self, context: &MessageContext<'_>, writer: &mut XmlWriter) {
        let MessageContext { caller, vendor } = context;
        writer.element("tem:invokingOrganisation", "", |writer| {
            writer.nillable("r10:OrganisationRef", caller.organisation.message_organisation_ref());
            writer.value("r10:Password", caller.organisation.password());
            writer.nillable("r10:Ukprn", caller.organisation.message_ukprn());
            writer.value("r10:Username", &caller.user);
        });
        writer.value("tem:userType", &vendor.user_type);
        writer.value("tem:vendorID", &vendor.id);
        writer.value("tem:language", caller.organisation.language());
        XmlRecord::write(self, writer);
    }

    /// Requires that the record is the learner's, or of the master record that LRS names, and that a withheld record has no events.
    fn check_response(&self, response: &LearningEventsResponse) -> Result<(), &'static str> {
        let result = &response.result;
        let code = &result.response_code;
        let differs = |uln: &Option<Extensible<Uln>>| uln.as_ref().is_some_and(|uln| uln.to_lrs() != self.uln.to_lrs());
        if differs(&result.incoming_uln) {
            return Err("it is for a different ULN than the request");
        }
        let is_withheld = code.matches(NOT_SHARED) || code.matches(NOT_VERIFIED);
        let has_events = result.events().next().is_some();
        if (is_withheld || code.matches(NO_MATCH)) && has_events {
            return Err("its code reports no visible record, but it contains events");
        }
        let is_linked = code.matches(LINKED_LEARNER);
        // A response with an undocumented code may name another ULN, but it must not contain that learner's events.
        let is_documented = code.entry().is_some();
        if !is_withheld && !is_linked && differs(&result.found_uln) && (is_documented || has_events) {
            return Err("it is for another learner's record");
        }
        Ok(())
    }
}

/// `GetLearnerLearningEventsResponse` (LRS-CONTRACT 2.14).
#[derive(Debug, Clone, XmlRecord)]
pub struct LearningEventsResponse {
    /// The result.
    #[xml(name = "GetLearnerLearningEventsResult")]
    pub result: Wrapped<LearningEventsResult>,
}

impl LrsResponse for LearningEventsResponse {
    fn code(&self) -> Option<&LrsCode> {
        Some(&self.result.response_code)
    }
}

/// `GetLearnerLearningEventsResult` (LRS-CONTRACT 2.14).
#[derive(Debug, Clone, XmlRecord)]
#[xml(prefix = "a")]
pub struct LearningEventsResult {
    /// The code of the outcome.
    pub response_code: LrsCode,
    /// ULN of the record found: of the master record, if the requested record was merged.
    #[xml(nil)]
    pub found_uln: Option<Extensible<Uln>>,
    /// Requested ULN.
    #[xml(nil)]
    pub incoming_uln: Option<Extensible<Uln>>,
    /// The record.
    pub learner_record: Option<Wrapped<LearnerRecord>>,
}

impl LearningEventsResult {
    /// Returns the events of the record.
    pub fn events(&self) -> impl Iterator<Item = &LearningEvent> {
        self.learner_record.iter().flat_map(|record| &record.learning_event)
    }
}

/// `mod:ArrayOfLearningEvent` (LRS-CONTRACT 2.14).
#[derive(Debug, Clone, XmlRecord)]
#[xml(prefix = "a")]
pub struct LearnerRecord {
    /// The events.
    pub learning_event: Vec<LearningEvent>,
}
