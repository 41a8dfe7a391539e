//! Splits a document into tokens.
//!
//! LRS writes plain documents: elements, texts, references. [`PlainTokens`] reads those, several times faster than quick-xml. It accepts
//! nothing that quick-xml would read differently. At the first place that is not plain or not right, quick-xml reads the document again up to
//! there, and then decides alone what the rest is and which error it has. So the result is that of quick-xml for every document, which a
//! property test and the fuzz target `xml_tokens` check.

mod full;
mod plain;
mod token;

use std::borrow::Cow;

use self::full::FullTokens;
use self::plain::PlainTokens;
pub use self::token::Token;
use super::characters::{has_only_plain_characters, is_xml_char};
use super::error::XmlError;
use super::start_tag::StartTag;

type Result<T> = std::result::Result<T, XmlError>;

/// The tokens of a document.
pub struct Tokens<'x> {
    plain: PlainTokens<'x>,
    /// The tokens from quick-xml, once the document is not plain.
    full: Option<Box<FullTokens<'x>>>,
}

impl<'x> Tokens<'x> {
    /// Starts to read a document.
    ///
    /// # Errors
    /// Returns [`XmlError::Malformed`] if the text contains a character that XML does not allow.
    pub fn new(document: &'x str) -> Result<Self> {
        if has_only_plain_characters(document) {
            Ok(Self { plain: PlainTokens::new(document), full: None })
        } else {
            Self::with_quick_xml(document)
        }
    }

    /// Starts to read a document with quick-xml alone.
    ///
    /// # Errors
    /// Returns [`XmlError::Malformed`] if the text contains a character that XML does not allow.
    pub fn with_quick_xml(document: &'x str) -> Result<Self> {
        let has_only_xml_characters = document.chars().all(is_xml_char);
        let full = has_only_xml_characters.then(|| Box::new(FullTokens::new(document))).ok_or(XmlError::Malformed)?;
        Ok(Self { plain: PlainTokens::new(document), full: Some(full) })
    }

    /// Returns the next token of the content of the root element.
    ///
    /// # Errors
    /// Returns an error if the document is not well-formed.
    pub fn next(&mut self) -> Result<Token<'x>> {
        if self.is_plain()
            && let Some(token) = self.plain.next()
        {
            return Ok(token);
        }
        self.full()?.next()
    }

    /// Returns the start of a child element, if that is what comes next and the document is plain so far.
    #[inline]
    pub fn plain_child(&mut self) -> Option<StartTag<'x>> {
        if self.is_plain() { self.plain.child() } else { None }
    }

    /// Returns the text of the current element to its end, if that is all it contains and the document is plain so far.
    #[inline]
    pub fn plain_text(&mut self) -> Option<Cow<'x, str>> {
        if self.is_plain() { self.plain.simple_text() } else { None }
    }

    /// Reads to the end of the document after the end of the root element.
    ///
    /// # Errors
    /// Returns an error if there is anything but white space, comments and processing instructions.
    pub fn end(&mut self) -> Result<()> {
        if self.is_plain() && self.plain.is_at_end() { Ok(()) } else { self.full()?.end() }
    }

    /// Returns `true` if the document is plain so far.
    pub const fn is_plain(&self) -> bool {
        self.full.is_none()
    }

    /// Returns the tokens from quick-xml. The first time, quick-xml reads the document up to the place where it is not plain.
    #[cold]
    fn full(&mut self) -> Result<&mut FullTokens<'x>> {
        if self.full.is_none() {
            let mut full = Box::new(FullTokens::new(self.plain.document()));
            for _ in 0..self.plain.count() {
                full.next()?;
            }
            self.full = Some(full);
        }
        self.full.as_deref_mut().ok_or(XmlError::Malformed)
    }
}
