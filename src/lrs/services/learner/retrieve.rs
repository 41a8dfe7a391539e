//! Retrieval of several ULNs (LRS-CONTRACT 2.9). The operation is published, but it is not among those that LRS approves interfaces for.

use crate::domain::{Date, Extensible, Gender, Personal, Uln, UlnRetrieval};
use crate::lrs::operation::{Effect, LrsResponse, MessageContext, Operation, Service};
use crate::lrs::response_codes::{LrsCode, Rejection};
use crate::lrs::services::learner::credentials;
use crate::xml::{FieldMapping, Wrapped, XmlRecord, XmlWriter};

/// `retrieveULNs` (LRS-CONTRACT 2.9).
impl Operation for UlnRetrieval {
    const NAME: &'static str = "retrieveULNs";
    const SERVICE: Service = Service::Learner;
    const REQUEST_ELEMENT: &'static str = "rep:RetrieveULNs";
    const NAMESPACES: &'static str = "xmlns:rep=\"http://api.lrs.miap.gov.uk/reportmsg\"";
    const RESPONSE_ELEMENT: &'static str = "RetrieveULNsResponse";
    const FIELDS: FieldMapping = &[("ULNsToRetrieve/ULN", "ulns")];
    const EFFECT: Effect = Effect::Read;
    const REJECTIONS: &'static [Rejection] = &[Rejection::InvalidUln];
    type Response = RetrieveUlnsResponse;

    fn write(&self, context: &MessageContext<'_>, writer: &mut XmlWriter) {
        credentials(context, writer);
        writer.element("ULNsToRetrieve", "", |writer| {
            for uln in self.ulns.items() {
                writer.value("ULN", uln);
            }
        });
    }

    /// Requires that every row has a requested ULN, as its ULN or as the ULN of its master record, or describes no learner.
    fn check_response(&self, response: &RetrieveUlnsResponse) -> Result<(), &'static str> {
        let is_requested = |uln: &Extensible<Uln>| uln.known().is_some_and(|uln| self.ulns.items().contains(uln));
        let mut rows = response.retrieved_ulns.iter().flat_map(|list| &list.verified_uln);
        if rows.all(|row| row.has_no_learner() || [&row.uln, &row.master_uln].into_iter().flatten().any(is_requested)) {
            Ok(())
        } else {
            Err("it contains a ULN that was not requested")
        }
    }
}

/// `RetrieveULNsResponse` (LRS-CONTRACT 2.9). It has no top-level code.
#[derive(Debug, Clone, XmlRecord)]
pub struct RetrieveUlnsResponse {
    /// The list of rows.
    pub retrieved_ulns: Option<Wrapped<RetrievedUlns>>,
}

impl LrsResponse for RetrieveUlnsResponse {
    fn code(&self) -> Option<&LrsCode> {
        None
    }
}

/// The rows of [`RetrieveUlnsResponse`].
#[derive(Debug, Clone, XmlRecord)]
pub struct RetrievedUlns {
    /// One row for each ULN.
    pub verified_uln: Vec<RetrievedUln>,
}

/// `lrnr:MIAPRetrievedULN` (LRS-CONTRACT 2.3).
// The strict values show whose row it is.
#[derive(Debug, Clone, XmlRecord)]
#[xml(tolerant)]
pub struct RetrievedUln {
    /// The ULN.
    #[xml(strict)]
    pub uln: Option<Extensible<Uln>>,
    /// The ULN of the master record, if the record was merged.
    #[xml(strict)]
    pub master_uln: Option<Extensible<Uln>>,
    /// The code of the outcome for this ULN. The codes are not public.
    pub response_code: Option<LrsCode>,
    /// Family name.
    pub family_name: Option<Personal<String>>,
    /// Given name.
    pub given_name: Option<Personal<String>>,
    /// Date of birth.
    pub date_of_birth: Option<Extensible<Date>>,
    /// Gender.
    pub gender: Option<Extensible<Gender>>,
}

impl RetrievedUln {
    /// Returns `true` if the row contains no data except, perhaps, a code.
    const fn has_no_learner(&self) -> bool {
        matches!(
            self,
            Self { uln: None, master_uln: None, response_code: _, family_name: None, given_name: None, date_of_birth: None, gender: None }
        )
    }
}
