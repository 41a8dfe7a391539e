//! The operations of `LearnerService.svc`: only wrapper elements are in a namespace (FACTS 2.0).

mod find;
mod register;
mod registration_batch;
mod retrieve;
mod verification_batch;
mod verify;

use std::borrow::Cow;

pub use find::FindLearnerResponse;
pub use register::{RegisterLearnerResponse, UpdateLearnerResponse};
pub use registration_batch::{GetRegistrationBatch, MOST_LEARNERS, RegistrationBatchOutput, SubmitBatchResponse, SubmitRegistrationBatch};
pub use retrieve::{RetrieveUlnsResponse, RetrievedUln, RetrievedUlns};
pub use verification_batch::{GetVerificationBatch, SubmitVerificationBatch, VerificationBatchOutput};
pub use verify::{FailureFlag, VerifiedLearner, VerifyLearnerResponse};

use crate::lrs::codes::LrsCode;
use crate::lrs::operation::MessageContext;
use crate::lrs::soap::write::{ToXmlText, XmlWriter};
use crate::lrs::soap::xml_mapping::FromXmlText;

/// The four elements that say who asks (FACTS 1.4). An organisation is named by its UKPRN.
fn credentials(context: &MessageContext<'_>, writer: &mut XmlWriter) {
    let organisation = &context.request.organisation;
    writer.nillable::<String>("OrganisationRef", None);
    writer.value("UKPRN", organisation.ukprn());
    writer.value("OrgPassword", organisation.password());
    writer.value("UserName", &context.request.user);
}

impl ToXmlText for LrsCode {
    fn to_xml_text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.as_str())
    }
}

impl FromXmlText for LrsCode {
    fn from_xml_text(text: &str) -> Option<Self> {
        Some(Self::new(text.trim()))
    }
}
