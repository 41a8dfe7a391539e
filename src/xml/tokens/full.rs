//! The tokens of any document, from quick-xml.

use quick_xml::Reader;
use quick_xml::events::{BytesDecl, Event};

use super::token::Token;
use crate::xml::error::XmlError;
use crate::xml::start_tag::StartTag;

type Result<T> = std::result::Result<T, XmlError>;

/// The tokens of a document, as quick-xml reads it.
pub struct FullTokens<'x>(Reader<&'x [u8]>);

impl<'x> FullTokens<'x> {
    pub fn new(document: &'x str) -> Self {
        let mut reader = Reader::from_str(document);
        reader.config_mut().expand_empty_elements = true;
        Self(reader)
    }

    /// Returns the next token. Passes over comments, processing instructions and the declaration.
    ///
    /// # Errors
    /// Returns an error if the document ends or is not well-formed, or if it has what no message may have.
    pub fn next(&mut self) -> Result<Token<'x>> {
        loop {
            return Ok(match self.0.read_event()? {
                Event::Start(tag) => Token::Start(StartTag::new(tag)),
                Event::End(_) => Token::End,
                Event::Text(text) => Token::Text(text.xml10_content()),
                Event::CData(text) => Token::Text(text.xml10_content()),
                Event::GeneralRef(reference) => Token::Reference(reference.into_inner()),
                Event::Decl(declaration) => {
                    check_encoding(&declaration)?;
                    continue;
                }
                Event::Comment(_) | Event::PI(_) => continue,
                Event::DocType(_) => return Err(XmlError::Doctype),
                Event::Empty(_) | Event::Eof => return Err(XmlError::Malformed),
            });
        }
    }

    /// Reads to the end of the document after the end of the root element.
    ///
    /// # Errors
    /// Returns an error if there is anything but white space, comments and processing instructions.
    pub fn end(&mut self) -> Result<()> {
        loop {
            match self.0.read_event()? {
                Event::Eof => return Ok(()),
                Event::Text(text) if text.trim_ascii().is_empty() => {}
                Event::Comment(_) | Event::PI(_) => {}
                _ => return Err(XmlError::Malformed),
            }
        }
    }
}

fn check_encoding(declaration: &BytesDecl<'_>) -> Result<()> {
    match declaration.encoding() {
        Some(Ok(encoding)) if !matches!(encoding.to_ascii_lowercase().as_str(), "utf-8" | "utf8" | "us-ascii") => Err(XmlError::Encoding),
        Some(Err(_)) => Err(XmlError::Malformed),
        _ => Ok(()),
    }
}
