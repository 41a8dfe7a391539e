//! SOAP faults in all forms that LRS uses (LRS-CONTRACT 7.1).

use crate::xml::{Element, StartTag, XmlError, XmlReader};

/// A SOAP 1.1 fault. LRS's texts may quote the request, so only the codes and one flag are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fault {
    /// `ErrorCode` of a `MIAPAPIException` or `DomainFault`, if any.
    pub code: Option<String>,
    /// The local part of `faultcode`: `Client`, `Server`, …
    pub fault_code: String,
    /// `true` if LRS reports an unsupported HTTP method, as a maintenance page does in response to a SOAP call.
    pub unsupported_verb: bool,
}

impl Fault {
    /// Reads the content of a `Fault` element that has started. Unknown elements are ignored.
    ///
    /// # Errors
    /// Returns an error if the document is not well-formed or exceeds a limit.
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
        // The exception's children are found by local name: LRS sends them qualified or unqualified (LRS-CONTRACT 8.2).
        for exception in details.iter().filter(|detail| matches!(detail.name.as_str(), "MIAPAPIException" | "DomainFault")) {
            fault.code = Some(exception.text_of("ErrorCode").trim().to_owned()).filter(|code| !code.is_empty());
            fault.unsupported_verb =
                ["Description", "FurtherDetails"].iter().any(|field| exception.text_of(field).contains("UnsupportedHttpVerb"));
        }
        Ok(fault)
    }
}
