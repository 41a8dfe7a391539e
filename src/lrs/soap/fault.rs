//! SOAP faults in every shape LRS has for them (FACTS 2.16).

use super::read::{Node, Reader, Unreadable};

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
    /// Reads the content of a `Fault` element.
    ///
    /// # Errors
    /// [`Unreadable`] when it is not well-formed.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Unreadable> {
        let mut fault = Self::default();
        while let Node::Element(start) = reader.node()? {
            match start.name() {
                "faultcode" => {
                    let text = reader.text()?;
                    let code = text.trim_ascii();
                    let local = code.rsplit(':').next().unwrap_or(code);
                    // `Client.Authentication` is a kind of `Client` (SOAP 1.1, 4.4.1).
                    fault.fault_code = local.split('.').next().unwrap_or(local).to_owned();
                }
                "detail" => fault.read_detail(reader)?,
                _ => reader.skip()?,
            }
        }
        Ok(fault)
    }

    /// Any element in the detail may be the exception; its children are known by local name, qualified or not.
    fn read_detail(&mut self, reader: &mut Reader<'_>) -> Result<(), Unreadable> {
        while let Node::Element(exception) = reader.node()? {
            if !matches!(exception.name(), "MIAPAPIException" | "DomainFault") {
                reader.skip()?;
                continue;
            }
            while let Node::Element(field) = reader.node()? {
                match field.name() {
                    "ErrorCode" if !field.nil => {
                        let code = reader.text()?.trim_ascii().to_owned();
                        self.code = Some(code).filter(|code| !code.is_empty());
                    }
                    "Description" | "FurtherDetails" => self.unsupported_verb |= reader.text()?.contains("UnsupportedHttpVerb"),
                    _ => reader.skip()?,
                }
            }
        }
        Ok(())
    }
}
