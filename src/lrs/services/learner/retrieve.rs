//! Looking up many ULNs (FACTS 2.14). Published, but not among the operations LRS approves interfaces for.

use crate::domain::{Date, Extensible, Gender, Personal, RetrieveUlns, Uln};
use crate::lrs::codes::LrsCode;
use crate::lrs::operation::{Effect, LrsResponse, MessageContext, Operation, Service};
use crate::lrs::services::learner::credentials;
use crate::lrs::soap::write::XmlWriter;
use crate::lrs::soap::xml_mapping::{Fields, Wrapped, wire};

/// `retrieveULNs` (FACTS 2.14).
impl Operation for RetrieveUlns {
    const NAME: &'static str = "retrieveULNs";
    const SERVICE: Service = Service::Learner;
    const SOAP_ACTION: &'static str = "";
    const REQUEST_ELEMENT: &'static str = "rep:RetrieveULNs";
    const NAMESPACES: &'static str = "xmlns:rep=\"http://api.lrs.miap.gov.uk/reportmsg\"";
    const RESPONSE_ELEMENT: &'static str = "RetrieveULNsResponse";
    const FIELDS: Fields = &[("ULNsToRetrieve/ULN", "ulns")];
    type Response = RetrieveUlnsResponse;

    fn effect(&self) -> Effect {
        Effect::Read
    }

    fn write(&self, context: &MessageContext<'_>, writer: &mut XmlWriter) {
        credentials(context, writer);
        writer.element("ULNsToRetrieve", "", |writer| {
            for uln in self.ulns.items() {
                writer.value("ULN", uln);
            }
        });
    }

    /// Every row is about a ULN that was asked for, or the record it was merged into, or about nobody.
    fn check(&self, answer: &RetrieveUlnsResponse) -> Result<(), &'static str> {
        let asked = |uln: &Extensible<Uln>| uln.known().is_some_and(|uln| self.ulns.items().contains(uln));
        let mut rows = answer.retrieved_ulns.iter().flat_map(|list| &list.verified_uln);
        if rows.all(|row| row.is_about_nobody() || [&row.uln, &row.master_uln].into_iter().flatten().any(asked)) {
            Ok(())
        } else {
            Err("it is about a ULN that was not asked for")
        }
    }
}

/// `RetrieveULNsResponse` (FACTS 2.14). There is no code for the whole.
#[derive(Debug, Clone)]
pub struct RetrieveUlnsResponse {
    /// The rows.
    pub retrieved_ulns: Option<Wrapped<RetrievedUlns>>,
}

wire!(RetrieveUlnsResponse { retrieved_ulns: "RetrievedULNs" });

impl LrsResponse for RetrieveUlnsResponse {
    fn code(&self) -> Option<&LrsCode> {
        None
    }
}

/// The rows of [`RetrieveUlnsResponse`].
#[derive(Debug, Clone)]
pub struct RetrievedUlns {
    /// A row for each ULN.
    pub verified_uln: Vec<RetrievedUln>,
}

wire!(RetrievedUlns { verified_uln: "VerifiedULN" });

/// `lrnr:MIAPRetrievedULN` (FACTS 2.2).
#[derive(Debug, Clone)]
pub struct RetrievedUln {
    /// The ULN.
    pub uln: Option<Extensible<Uln>>,
    /// The ULN of the record it was merged into.
    pub master_uln: Option<Extensible<Uln>>,
    /// The outcome for this ULN. The codes are not public.
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
    /// Is there nothing in it but, perhaps, a code?
    const fn is_about_nobody(&self) -> bool {
        matches!(
            self,
            Self { uln: None, master_uln: None, response_code: _, family_name: None, given_name: None, date_of_birth: None, gender: None }
        )
    }
}

wire!(RetrievedUln {
    uln: "ULN",
    master_uln: "MasterULN",
    response_code: "ResponseCode",
    family_name: "FamilyName",
    given_name: "GivenName",
    date_of_birth: "DateOfBirth",
    gender: "Gender",
});
