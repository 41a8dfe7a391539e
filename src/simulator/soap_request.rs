//! Reads the SOAP message of a request: the element in its body, and the header blocks that it requires the service to understand.

use crate::lrs::soap::{ENVELOPE, SoapError};
use crate::xml::{Element, StartTag, XmlError, XmlNode, XmlReader, decode};

/// The namespace of the addressing headers that WCF writes into messages which need none. Its services understand them.
const NO_ADDRESSING: &str = "http://schemas.microsoft.com/ws/2005/05/addressing/none";
/// The actor that means the next receiver, which is the service.
const NEXT_ACTOR: &str = "http://schemas.xmlsoap.org/soap/actor/next";

/// A SOAP 1.1 message.
#[derive(Debug)]
pub struct SoapRequest {
    /// The element in the body.
    pub payload: Element,
    /// The name of the first header block that the service must understand and does not.
    pub header_not_understood: Option<String>,
}

impl SoapRequest {
    /// Reads a message.
    ///
    /// # Errors
    /// Returns a [`SoapError`] if the bytes are not a SOAP 1.1 message with one element in its body. Unlike the gateway, which reads what LRS
    /// writes, the simulator rejects references to characters that XML does not allow.
    pub fn read(body: &[u8]) -> Result<Self, SoapError> {
        let mut reader = XmlReader::new(decode(body)?)?;
        match reader.next_node()? {
            XmlNode::Element(start) if reader.is_element(&start, ENVELOPE, "Envelope") => {}
            _ => return Err(SoapError::NotSoap),
        }
        let mut header_not_understood = None;
        loop {
            match reader.next_node()? {
                XmlNode::Element(start) if reader.is_element(&start, ENVELOPE, "Body") => break,
                XmlNode::Element(start) if reader.is_element(&start, ENVELOPE, "Header") => {
                    header_not_understood = read_header(&mut reader)?;
                }
                _ => return Err(SoapError::NotSoap),
            }
        }
        let XmlNode::Element(start) = reader.next_node()? else { return Err(SoapError::NotSoap) };
        let payload = Element::read(&mut reader, &start)?;
        if !reader.end()? {
            return Err(SoapError::NotSoap);
        }
        if reader.irregularities().replaced_characters > 0 {
            return Err(XmlError::Malformed.into());
        }
        Ok(Self { payload, header_not_understood })
    }
}

/// Reads the header to its end, and returns the name of the first block that is not understood.
fn read_header(reader: &mut XmlReader<'_>) -> Result<Option<String>, XmlError> {
    let mut not_understood = None;
    while let XmlNode::Element(block) = reader.next_node()? {
        if not_understood.is_none() && must_be_understood(reader, &block) {
            not_understood = Some(block.name().to_owned());
        }
        reader.skip()?;
    }
    Ok(not_understood)
}

/// Returns `true` if the service must understand a header block. It understands none but the addressing headers of WCF.
fn must_be_understood(reader: &XmlReader<'_>, block: &StartTag<'_>) -> bool {
    let attribute = |name| reader.attribute(block, ENVELOPE, name);
    let is_mandatory = attribute("mustUnderstand").is_some_and(|value| matches!(value.trim(), "1" | "true"));
    let is_for_service = attribute("actor").is_none_or(|actor| actor.is_empty() || actor == NEXT_ACTOR);
    let is_understood = ["Action", "To"].iter().any(|name| reader.is_element(block, NO_ADDRESSING, name));
    is_mandatory && is_for_service && !is_understood
}

#[cfg(test)]
mod tests {
    use super::*;

    fn not_understood(header: &str) -> Option<String> {
        let xml = format!(
            "<s:Envelope xmlns:s='{ENVELOPE}'><s:Header>{header}</s:Header><s:Body><FindLearnerByULN xmlns='urn:x'/></s:Body></s:Envelope>"
        );
        let request = SoapRequest::read(xml.as_bytes()).expect("a SOAP message");
        assert_eq!(request.payload.name, "FindLearnerByULN");
        request.header_not_understood
    }

    #[test]
    fn header_block_that_must_be_understood_is_reported_by_name() {
        for (header, expected) in [
            ("", None),
            ("<w:Security xmlns:w='urn:w'/>", None),
            ("<w:Security xmlns:w='urn:w' s:mustUnderstand='0'/>", None),
            ("<w:Security xmlns:w='urn:w' mustUnderstand='1'/>", None),
            ("<w:Security xmlns:w='urn:w' s:mustUnderstand='1' s:actor='urn:other'/>", None),
            ("<w:Security xmlns:w='urn:w' s:mustUnderstand='1' s:actor='http://schemas.xmlsoap.org/soap/actor/next'/>", Some("Security")),
            ("<w:Security xmlns:w='urn:w' s:mustUnderstand='1'><w:Token/></w:Security>", Some("Security")),
            ("<a/><b s:mustUnderstand='true'/><c s:mustUnderstand='1'/>", Some("b")),
            ("<Action s:mustUnderstand='1' xmlns='http://schemas.microsoft.com/ws/2005/05/addressing/none'>urn:x</Action>", None),
            ("<Action s:mustUnderstand='1' xmlns='http://www.w3.org/2005/08/addressing'>urn:x</Action>", Some("Action")),
        ] {
            assert_eq!(not_understood(header).as_deref(), expected, "{header}");
        }
    }
}
