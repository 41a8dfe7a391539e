//! The SOAP 1.1 envelope: written around a message, and read to its body.

use crate::xml::{IllegalCharacter, StartTag, XSI, XmlError, XmlNode, XmlReader, XmlWriter};

/// The namespace of the SOAP 1.1 envelope.
pub const ENVELOPE: &str = "http://schemas.xmlsoap.org/soap/envelope/";

/// Initial capacity in bytes of an envelope.
const ENVELOPE_CAPACITY_BYTES: usize = 2048;

/// The reason why a text cannot be read as a message. Names elements of the contract, never content.
///
/// The text is a clause, for use in a longer sentence: after a colon, or in parentheses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SoapError {
    /// The text is not the expected XML.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// The document is not a SOAP 1.1 envelope with exactly one element in its body.
    #[error("the XML document is not a SOAP 1.1 message")]
    NotSoap,
    /// The SOAP body contains another element than the operation's response.
    #[error("the SOAP message does not contain the element {0}")]
    UnexpectedBody(&'static str),
}

/// Writes a SOAP envelope; `write_body` writes the content of its body.
///
/// # Errors
/// Returns [`IllegalCharacter`] if `write_body` wrote a character that XML does not allow. The message must not be sent.
pub fn write_envelope(write_body: impl FnOnce(&mut XmlWriter)) -> Result<String, IllegalCharacter> {
    let mut writer = XmlWriter::with_capacity(ENVELOPE_CAPACITY_BYTES);
    writer.markup("<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope xmlns:soapenv=\"");
    writer.markup(ENVELOPE);
    writer.markup("\" xmlns:xsi=\"");
    writer.markup(XSI);
    writer.markup("\"><soapenv:Body>");
    write_body(&mut writer);
    writer.markup("</soapenv:Body></soapenv:Envelope>");
    writer.finish()
}

/// Reads a SOAP 1.1 message: `read_payload` reads the only element of the body. Only the envelope must be in its namespace.
///
/// # Errors
/// Returns [`SoapError::NotSoap`] if the document is not a SOAP 1.1 message, and any error of `read_payload`.
pub fn read_body<'x, T, E: Into<SoapError>>(
    text: &'x str,
    read_payload: impl FnOnce(&mut XmlReader<'x>, &StartTag<'x>) -> Result<T, E>,
) -> Result<T, SoapError> {
    let mut reader = XmlReader::new(text)?;
    match reader.next_node()? {
        XmlNode::Element(start) if reader.is_element(&start, ENVELOPE, "Envelope") => {}
        _ => return Err(SoapError::NotSoap),
    }
    loop {
        match reader.next_node()? {
            XmlNode::Element(start) if reader.is_element(&start, ENVELOPE, "Body") => break,
            XmlNode::Element(start) if reader.is_element(&start, ENVELOPE, "Header") => reader.skip()?,
            _ => return Err(SoapError::NotSoap),
        }
    }
    let XmlNode::Element(start) = reader.next_node()? else { return Err(SoapError::NotSoap) };
    let value = read_payload(&mut reader, &start).map_err(Into::into)?;
    // A second element in the body could be the response to another request.
    if reader.end()? { Ok(value) } else { Err(SoapError::NotSoap) }
}
