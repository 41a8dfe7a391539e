//! Verification of learners (LRS-CONTRACT 2.8).

use std::ops::Range;

use crate::domain::{Date, Extensible, Gender, LearnerVerification, Personal, Uln};
use crate::lrs::operation::{Effect, LrsResponse, MessageContext, Operation, Service};
use crate::lrs::response_codes::{LrsCode, Rejection};
use crate::lrs::services::learner::credentials;
use crate::xml::{FieldMapping, Wrapped, XmlError, XmlReader, XmlRecord, XmlWriter};

const MATCH: &str = "WSVRC001";
const LINKED_MATCH: &str = "WSVRC002";
const SIMILAR_NAMES: &str = "WSVRC003";

/// The failure flags that contradict a match. The others (VRF2 to VRF4, VRF6) compare one name with another name.
const CONTRADICTS_MATCH: [&str; 4] = ["VRF1", "VRF5", "VRF7", "VRF8"];

/// `verifyLearner` (LRS-CONTRACT 2.8): the only operation of its service with a `SOAPAction`.
impl Operation for LearnerVerification {
    const NAME: &'static str = "verifyLearner";
    const SERVICE: Service = Service::Learner;
    const SOAP_ACTION: &'static str = "\"http://tempuri.org/LearnerPortType/verifyLearner\"";
    const REQUEST_ELEMENT: &'static str = "rep:VerifyLearner";
    const NAMESPACES: &'static str = "xmlns:rep=\"http://api.lrs.miap.gov.uk/reportmsg\"";
    const RESPONSE_ELEMENT: &'static str = "VerifyLearnerResponse";
    const FIELDS: FieldMapping = &[("LearnerToVerify", "")];
    const EFFECT: Effect = Effect::Read;
    const REJECTIONS: &'static [Rejection] = &[Rejection::InvalidUln];
    type Response = VerifyLearnerResponse;

    fn write(&self, context: &MessageContext<'_>, writer: &mut XmlWriter) {
        credentials(context, writer);
        writer.element("LearnerToVerify", "", |writer| XmlRecord::write(self, writer));
    }

    /// Requires a code, the requested ULN unless the record is linked, and no failed comparison if the code reports a match.
    fn check_response(&self, response: &VerifyLearnerResponse) -> Result<(), &'static str> {
        let learner = &response.verified_learner;
        let differs = |uln: &Option<Extensible<Uln>>| uln.as_ref().is_some_and(|uln| uln.known() != Some(&self.uln));
        let Some(code) = &learner.response_code else { return Err("it contains no response code") };
        let is_not_linked = code.matches(MATCH) || code.matches(SIMILAR_NAMES);
        if differs(&learner.searched_uln) || (is_not_linked && differs(&learner.uln)) {
            return Err("it is for a different ULN than the request");
        }
        let is_match = code.matches(MATCH) || code.matches(LINKED_MATCH);
        if is_match && learner.failure_flag.iter().any(|flag| CONTRADICTS_MATCH.contains(&flag.0.reveal().as_str())) {
            return Err("its code reports a match, but it lists a failed comparison");
        }
        Ok(())
    }
}

/// `VerifyLearnerResponse` (LRS-CONTRACT 2.8): the learner. The response code is part of the learner.
#[derive(Debug, Clone, XmlRecord)]
pub struct VerifyLearnerResponse {
    /// The learner.
    pub verified_learner: Wrapped<VerifiedLearner>,
}

impl LrsResponse for VerifyLearnerResponse {
    fn code(&self) -> Option<&LrsCode> {
        self.verified_learner.response_code.as_ref()
    }
}

/// `lrnr:MIAPVerifiedLearner` and, in batches, `lrnr:MIAPVerifiedBatchLearner` (LRS-CONTRACT 2.3): the requested values, the outcome and
/// the values in LRS's record.
// The strict values show whose verification it is, and its outcome.
#[derive(Debug, Clone, Default, XmlRecord)]
#[xml(tolerant)]
pub struct VerifiedLearner {
    /// The caller's own identifier of the record; in batches only.
    pub mis_identifier: Option<Personal<String>>,
    /// Requested ULN.
    #[xml(strict)]
    pub searched_uln: Option<Extensible<Uln>>,
    /// Requested family name.
    pub searched_family_name: Option<Personal<String>>,
    /// Requested given name.
    pub searched_given_name: Option<Personal<String>>,
    /// Requested date of birth.
    pub searched_date_of_birth: Option<Extensible<Date>>,
    /// Requested gender.
    pub searched_gender: Option<Extensible<Gender>>,
    /// The code of the outcome.
    #[xml(strict)]
    pub response_code: Option<LrsCode>,
    /// ULN in LRS's record.
    #[xml(strict)]
    pub uln: Option<Extensible<Uln>>,
    /// Family name in LRS's record.
    pub family_name: Option<Personal<String>>,
    /// Given name in LRS's record.
    pub given_name: Option<Personal<String>>,
    /// Date of birth in LRS's record.
    pub date_of_birth: Option<Extensible<Date>>,
    /// Gender in LRS's record.
    pub gender: Option<Extensible<Gender>>,
    /// The comparisons that failed.
    pub failure_flag: Vec<FailureFlag>,
}

/// A comparison that failed, by LRS's name: `VRF1` to `VRF8`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureFlag(pub Personal<String>);

/// The element contains only text. It is a record because it may occur several times.
impl XmlRecord for FailureFlag {
    const FIELDS: FieldMapping = &[];

    fn read(reader: &mut XmlReader<'_>) -> Result<Self, XmlError> {
        Ok(Self(Personal::new(reader.text()?.trim().to_owned())))
    }

    fn write_fields(&self, _: Range<usize>, writer: &mut XmlWriter) {
        writer.text(self.0.reveal());
    }
}
