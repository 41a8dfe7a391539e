//! The operations of `LearnerService.svc`. Only wrapper elements are in a namespace (LRS-CONTRACT 2.1).

mod amend;
mod find;
mod register;
mod registration_batch;
mod retrieve;
mod verification_batch;
mod verify;

use std::borrow::Cow;

pub use amend::*;
pub use find::*;
pub use register::*;
pub use registration_batch::*;
pub use retrieve::*;
pub use verification_batch::*;
pub use verify::*;

use crate::lrs::operation::MessageContext;
use crate::lrs::response_codes::LrsCode;
use crate::xml::{FromXmlText, ToXmlText, XmlWriter};

/// Writes the four elements that identify the sender (LRS-CONTRACT 4.1). The organisation is identified as LRS knows it.
fn credentials(context: &MessageContext<'_>, writer: &mut XmlWriter) {
    let organisation = &context.caller.organisation;
    writer.nillable("OrganisationRef", organisation.message_organisation_ref());
    writer.nillable("UKPRN", organisation.message_ukprn());
    writer.value("OrgPassword", organisation.password());
    writer.value("UserName", &context.caller.user);
}

impl ToXmlText for LrsCode {
    fn to_xml_text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.as_str())
    }
}

impl FromXmlText for LrsCode {
    fn from_xml_text(text: Cow<'_, str>) -> Option<Self> {
        Some(Self::new(text.trim()))
    }
}
