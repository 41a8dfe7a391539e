//! The parts of an LRS operation: its request, its response, and how SOAP names them.

use crate::lrs::response_codes::{LrsCode, Rejection};
use crate::lrs::soap::write_envelope;
use crate::organisations::CallContext;
use crate::schema::CodeList;
use crate::xml::{FieldMapping, IllegalCharacter, XmlRecord, XmlWriter};

/// An LRS operation, implemented by the type of its request. If the request is itself an [`XmlRecord`], `FIELDS` and `write` use those of the
/// record: see `UlnSearch` in `services/learner/find.rs`.
pub trait Operation: Sync {
    /// LRS's name for the operation.
    const NAME: &'static str;
    /// The service that offers the operation.
    const SERVICE: Service;
    /// The `SOAPAction` header with its quotes; most operations have an empty one (LRS-CONTRACT 1.2).
    const SOAP_ACTION: &'static str = "\"\"";
    /// The request's element, with the prefix that [`Operation::NAMESPACES`] declares.
    const REQUEST_ELEMENT: &'static str;
    /// Namespace declarations for the request's element.
    const NAMESPACES: &'static str;
    /// Local name of the response's element.
    const RESPONSE_ELEMENT: &'static str;

    /// The typed response.
    type Response: LrsResponse;

    /// The effect on LRS's records.
    const EFFECT: Effect;

    /// Reasons for which LRS rejects such a request, as far as it is known (LRS-CONTRACT 3.1, 3.2). The OpenAPI document lists them.
    const REJECTIONS: &'static [Rejection] = &[];

    /// Returns the effect of this request, if it depends on the request.
    fn effect(&self) -> Effect {
        Self::EFFECT
    }

    /// The request's elements and the JSON names of the fields that they are written from; of the whole request if there is no name.
    const FIELDS: FieldMapping;

    /// Writes the request's content in the order of the contract, including the credentials.
    fn write(&self, context: &MessageContext<'_>, writer: &mut XmlWriter);

    /// Verifies that a response is consistent and belongs to this request.
    ///
    /// # Errors
    /// Returns a description of the contradiction, without personal data. Such a response must not reach the caller.
    fn check_response(&self, _response: &Self::Response) -> Result<(), &'static str> {
        Ok(())
    }

    /// Returns the whole SOAP message.
    ///
    /// # Errors
    /// Returns [`IllegalCharacter`] if a value contains a character that XML does not allow. Parsed values never do.
    fn envelope(&self, context: &MessageContext<'_>) -> Result<String, IllegalCharacter> {
        write_envelope(|writer| writer.element(Self::REQUEST_ELEMENT, Self::NAMESPACES, |writer| self.write(context, writer)))
    }
}

/// The response of an LRS operation.
pub trait LrsResponse: XmlRecord + Send {
    /// Returns the top-level response code, if the operation has one.
    fn code(&self) -> Option<&LrsCode>;

    /// Returns `true` if the response proves that LRS executed the request, whatever its code means. `false` if there is no proof: the code
    /// then decides. Some codes of batches are not public (LRS-CONTRACT 3.5).
    fn is_executed(&self) -> bool {
        false
    }
}

/// One of the three LRS web services (LRS-CONTRACT 1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, CodeList)]
#[code_list(case = "kebab-case")]
pub enum Service {
    /// Finds, registers, updates and verifies learners.
    Learner,
    /// Returns learning events. R9 is LRS's name of the release with this service.
    LearnerR9,
    /// Accepts achievement batches.
    External,
}

impl Service {
    /// Returns the service's path below the base URL.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Learner => "/LearnerService.svc",
            Self::LearnerR9 => "/LearnerServiceR9.svc",
            Self::External => "/ExternalService.svc",
        }
    }
}

/// The effect of a request on LRS's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Changes nothing, or can be repeated without harm, such as a batch that is only checked: safe to retry.
    Read,
    /// Changes records: must not be sent twice.
    Write,
}

impl Effect {
    /// Returns `true` if LRS can reject such a request for this reason. Most reasons apply to writes only.
    pub fn can_be_rejected_for(self, rejection: Rejection) -> bool {
        self == Self::Write || rejection == Rejection::InvalidUln
    }
}

/// Identifies the sender of a message.
#[derive(Debug, Clone, Copy)]
pub struct MessageContext<'a> {
    /// The call context: the user and the organisation.
    pub caller: &'a CallContext,
    /// The software's vendor.
    pub vendor: &'a Vendor,
}

/// Sender details that the services R9 and External require in each request (LRS-CONTRACT 4.4).
#[derive(Debug, Clone)]
pub struct Vendor {
    /// The vendor number assigned by LRS.
    pub id: i32,
    /// The kind of user: `ORG`, an organisation.
    pub user_type: String,
}

impl Default for Vendor {
    fn default() -> Self {
        Self { id: 1, user_type: "ORG".into() }
    }
}
