//! What an LRS operation consists of.

use crate::lrs::codes::{LrsCode, Rejection};
use crate::lrs::soap::write::{IllegalCharacter, XmlWriter};
use crate::lrs::soap::xml_mapping::{Fields, XmlRecord};
use crate::organisations::RequestContext;

/// One of the three LRS web services (FACTS 1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// Finding, registering, updating and verifying learners.
    Learner,
    /// Learning events.
    LearnerR9,
    /// Achievement batches.
    External,
}

impl Service {
    /// Its path below the base address.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Learner => "/LearnerService.svc",
            Self::LearnerR9 => "/LearnerServiceR9.svc",
            Self::External => "/ExternalService.svc",
        }
    }
}

/// What the services of data contracts want to know about the sender (FACTS 2.9).
#[derive(Debug, Clone)]
pub struct Vendor {
    /// The number LRS gave the supplier.
    pub id: i32,
    /// Who asks: `ORG`, an organisation.
    pub user_type: String,
    /// Language of texts: `ENG`.
    pub language: String,
}

impl Default for Vendor {
    fn default() -> Self {
        Self { id: 1, user_type: "ORG".into(), language: "ENG".into() }
    }
}

/// Who sends a request.
#[derive(Debug, Clone, Copy)]
pub struct MessageContext<'a> {
    /// The person and the organisation.
    pub request: &'a RequestContext,
    /// The supplier of the software.
    pub vendor: &'a Vendor,
}

/// What a request does at LRS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Reads, or changes nothing that a repetition would make wrong: safe to retry.
    Read,
    /// Changes records: must not be sent twice.
    Write,
}

impl Effect {
    /// Returns `true` if LRS can reject such a request for this reason. Most reasons concern writes only.
    pub fn can_be_rejected_for(self, rejection: Rejection) -> bool {
        self == Self::Write || rejection == Rejection::InvalidUln
    }
}

/// An operation of LRS, as the request that starts it.
pub trait Operation: Sync {
    /// LRS's name for it.
    const NAME: &'static str;
    /// The service it belongs to.
    const SERVICE: Service;
    /// The `SOAPAction` header, without its quotes (FACTS 1.2).
    const SOAP_ACTION: &'static str;
    /// The request's element, with the prefix that [`Operation::NAMESPACES`] declares.
    const REQUEST_ELEMENT: &'static str;
    /// Namespace declarations for the request's element.
    const NAMESPACES: &'static str;
    /// Local name of the answer's element.
    const RESPONSE_ELEMENT: &'static str;

    /// What LRS answers.
    type Response: LrsResponse;

    /// What this request does at LRS.
    fn effect(&self) -> Effect;

    /// The request's elements and the fields they are written from.
    const FIELDS: Fields;

    /// Writes the request's content in the order of the contract, the credentials where they belong.
    fn write(&self, context: &MessageContext<'_>, writer: &mut XmlWriter);

    /// Makes sure that an answer is one to this request. The result says what is wrong with it.
    ///
    /// # Errors
    /// A contradiction that must not reach the caller, in words without personal data.
    fn check(&self, _answer: &Self::Response) -> Result<(), &'static str> {
        Ok(())
    }

    /// The whole message.
    ///
    /// # Errors
    /// [`IllegalCharacter`], which parsed values never cause.
    fn envelope(&self, context: &MessageContext<'_>) -> Result<String, IllegalCharacter> {
        XmlWriter::envelope(|writer| writer.element(Self::REQUEST_ELEMENT, Self::NAMESPACES, |writer| self.write(context, writer)))
    }
}

/// An answer of LRS.
pub trait LrsResponse: XmlRecord + Send {
    /// Its response code, if the operation has one at the top.
    fn code(&self) -> Option<&LrsCode>;

    /// Does it say that LRS has done it, whatever the code beside it? Some codes of batches are not public (FACTS 3.2).
    fn is_done(&self) -> bool {
        false
    }
}
