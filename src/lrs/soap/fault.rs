//! SOAP faults in every shape LRS has for them (FACTS 2.16).

use crate::lrs::soap::element::Element;
use crate::lrs::soap::read::{StartTag, XmlError, XmlReader};

/// A SOAP 1.1 fault. What LRS says in words may quote the request, so only codes and two tell-tale signs are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fault {
    /// `ErrorCode` of a `MIAPAPIException` or `DomainFault`, if there was one.
    pub code: Option<String>,
    /// The local part of `faultcode`: `Client`, `Server`, …
    pub fault_code: String,
    /// LRS says that it does not take this HTTP method: how a maintenance page answers a SOAP call.
    pub unsupported_verb: bool,
}

impl Fault {
    /// Reads a `Fault` element that has begun. Whatever stands around the parts that count is passed over.
    ///
    /// # Errors
    /// [`Unreadable`] when it is not well-formed.
    pub fn read(reader: &mut XmlReader<'_>, start: &StartTag<'_>) -> Result<Self, XmlError> {
        let element = Element::read(reader, start)?;
        let fault_code = element.text_of("faultcode").trim();
        let local = fault_code.rsplit(':').next().unwrap_or(fault_code);
        let mut fault = Self {
            // `Client.Authentication` is a kind of `Client` (SOAP 1.1, 4.4.1).
            fault_code: local.split('.').next().unwrap_or(local).to_owned(),
            ..Self::default()
        };
        let details = element.child("detail").map_or(&[][..], |detail| &detail.children);
        // The exception's children are known by local name: LRS sends them qualified or not (FACTS 6.5).
        for exception in details.iter().filter(|detail| matches!(detail.name.as_str(), "MIAPAPIException" | "DomainFault")) {
            fault.code = Some(exception.text_of("ErrorCode").trim().to_owned()).filter(|code| !code.is_empty());
            fault.unsupported_verb =
                ["Description", "FurtherDetails"].iter().any(|field| exception.text_of(field).contains("UnsupportedHttpVerb"));
        }
        Ok(fault)
    }
}
