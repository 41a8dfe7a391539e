//! Reads XML as a stream, with limits.
//!
//! Elements are matched by local name, because senders choose prefixes and default namespaces freely (LRS-CONTRACT 8.2).
//!
//! The reader rejects: a document type declaration (and so every entity but the five of XML), more than [`MAX_DEPTH`] levels, more than
//! [`MAX_ATTRIBUTES`] attributes of an element, an encoding other than UTF-8, characters that XML does not allow, and content after
//! the end.
//!
//! It passes over what costs less than the document, and reports it as [`Irregularities`]: a numeric reference to a character that XML does
//! not allow (.NET writes the control characters of its data so) is read as U+FFFD, and elements that a record does not know are skipped.

use std::borrow::Cow;

use quick_xml::escape::resolve_predefined_entity;

use super::XSI;
use super::characters::{REPLACEMENT, referenced_number, xml_char};
use super::error::{MAX_ATTRIBUTES, MAX_DEPTH, XmlError};
use super::irregularities::Irregularities;
use super::namespaces::Namespaces;
use super::start_tag::StartTag;
use super::tokens::{Token, Tokens};

type Result<T> = std::result::Result<T, XmlError>;

/// A part of the content of an element that contains only elements.
#[derive(Debug, PartialEq, Eq)]
pub enum XmlNode<'x> {
    /// A child element starts.
    Element(StartTag<'x>),
    /// The current element ends.
    End,
}

/// A part of the content of an element that may contain text.
#[derive(Debug, PartialEq, Eq)]
pub enum XmlEvent<'x> {
    /// A child element starts.
    Element(StartTag<'x>),
    /// Some of the current element's text.
    Text(Cow<'x, str>),
    /// The current element ends.
    End,
}

/// An XML document that is being read.
pub struct XmlReader<'x> {
    tokens: Tokens<'x>,
    namespaces: Namespaces,
    depth: usize,
    irregularities: Irregularities,
}

/// Decodes a document: UTF-8, with or without a byte order mark.
///
/// # Errors
/// Returns [`XmlError::Encoding`] if the bytes are not UTF-8, and [`XmlError::Empty`] if there is only white space.
pub fn decode(bytes: &[u8]) -> Result<&str> {
    let text = std::str::from_utf8(bytes).map_err(|_| XmlError::Encoding)?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    if text.trim_ascii().is_empty() { Err(XmlError::Empty) } else { Ok(text) }
}

impl<'x> XmlReader<'x> {
    /// Starts to read a document.
    ///
    /// # Errors
    /// Returns [`XmlError::Malformed`] if the text contains a character that XML does not allow.
    pub fn new(text: &'x str) -> Result<Self> {
        Tokens::new(text).map(Self::of)
    }

    /// Starts to read a document with quick-xml alone. Only for tests: the result is that of [`new`](Self::new).
    ///
    /// # Errors
    /// Returns the errors of [`new`](Self::new).
    pub fn with_quick_xml(text: &'x str) -> Result<Self> {
        Tokens::with_quick_xml(text).map(Self::of)
    }

    const fn of(tokens: Tokens<'x>) -> Self {
        Self { tokens, namespaces: Namespaces::new(), depth: 0, irregularities: Irregularities::new() }
    }

    /// Returns `true` if the document has been plain so far, so that it is read without quick-xml.
    pub const fn is_plain(&self) -> bool {
        self.tokens.is_plain()
    }

    /// Returns the next child element, or the end of the current element. Only white space is allowed between elements.
    ///
    /// # Errors
    /// Returns an error if the document is not well-formed, contains text, or exceeds a limit.
    pub fn next_node(&mut self) -> Result<XmlNode<'x>> {
        if let Some(mut start) = self.tokens.plain_child() {
            self.enter(&mut start)?;
            return Ok(XmlNode::Element(start));
        }
        loop {
            match self.next_event()? {
                XmlEvent::Element(start) => return Ok(XmlNode::Element(start)),
                XmlEvent::End => return Ok(XmlNode::End),
                XmlEvent::Text(text) if text.trim_ascii().is_empty() => {}
                XmlEvent::Text(_) => return Err(XmlError::Malformed),
            }
        }
    }

    /// Skips the rest of the current element.
    ///
    /// # Errors
    /// Returns an error if the document is not well-formed or exceeds a limit.
    pub fn skip(&mut self) -> Result<()> {
        let parent_depth = self.depth - 1;
        while self.depth > parent_depth {
            self.next_event()?;
        }
        Ok(())
    }

    /// Skips the rest of an element that the record does not know, and reports its name.
    ///
    /// # Errors
    /// Returns an error if the document is not well-formed or exceeds a limit.
    pub fn skip_unknown(&mut self, start: &StartTag<'_>) -> Result<()> {
        self.irregularities.add_unknown_element(start.name());
        self.skip()
    }

    /// Reports that a value was left out because its element is not of the expected kind.
    pub fn report_lost_value(&mut self, name: &'static str) {
        self.irregularities.add_lost_value(name);
    }

    /// Returns what the reader has passed over so far.
    pub const fn irregularities(&self) -> &Irregularities {
        &self.irregularities
    }

    /// Reads the text of the current element to its end: text, CDATA sections and references, joined.
    ///
    /// # Errors
    /// Returns [`XmlError::Malformed`] if the element contains elements or an undeclared entity.
    pub fn text(&mut self) -> Result<Cow<'x, str>> {
        self.text_if_simple()?.ok_or(XmlError::Malformed)
    }

    /// Reads the text of the current element to its end. Returns `None` if the element contains elements.
    ///
    /// # Errors
    /// Returns an error if the document is not well-formed or exceeds a limit.
    pub fn text_if_simple(&mut self) -> Result<Option<Cow<'x, str>>> {
        // Most elements have one piece of text.
        if let Some(text) = self.tokens.plain_text() {
            self.leave();
            return Ok(Some(text));
        }
        let mut text = Cow::Borrowed("");
        let mut is_simple = true;
        loop {
            match self.next_event()? {
                XmlEvent::End => return Ok(is_simple.then_some(text)),
                XmlEvent::Text(part) if text.is_empty() => text = part,
                XmlEvent::Text(part) => text.to_mut().push_str(&part),
                XmlEvent::Element(_) => {
                    is_simple = false;
                    self.skip()?;
                }
            }
        }
    }

    /// Returns the next part of the current element's content.
    ///
    /// # Errors
    /// Returns an error if the document is not well-formed or exceeds a limit.
    pub fn next_event(&mut self) -> Result<XmlEvent<'x>> {
        Ok(match self.tokens.next()? {
            Token::Start(mut start) => {
                self.enter(&mut start)?;
                XmlEvent::Element(start)
            }
            Token::End => {
                self.leave();
                XmlEvent::End
            }
            Token::Text(text) => XmlEvent::Text(text),
            Token::Reference(reference) => XmlEvent::Text(match reference.strip_prefix('#') {
                Some(number) => Cow::Owned(self.referenced_character(number)?.to_string()),
                None => Cow::Borrowed(resolve_predefined_entity(&reference).ok_or(XmlError::Malformed)?),
            }),
        })
    }

    /// Takes account of the end of the current element.
    #[inline]
    fn leave(&mut self) {
        self.namespaces.leave(self.depth);
        self.depth -= 1;
    }

    /// Returns the character of a numeric reference, or the replacement for a character that XML does not allow.
    fn referenced_character(&mut self, number: &str) -> Result<char> {
        let c = xml_char(referenced_number(number).ok_or(XmlError::Malformed)?);
        if c.is_none() {
            self.irregularities.replaced_characters += 1;
        }
        Ok(c.unwrap_or(REPLACEMENT))
    }

    /// Returns the namespace of an element, if any.
    pub fn namespace(&self, start: &StartTag<'_>) -> Option<String> {
        self.namespaces.of_element(start.tag.name()).map(str::to_owned)
    }

    /// Returns the value of an element's attribute as it is written, with references unresolved.
    pub fn attribute(&self, start: &StartTag<'_>, namespace: &str, local: &str) -> Option<String> {
        let mut attributes = start.tag.attributes().flatten();
        let attribute = attributes.find(|attribute| {
            attribute.key.local_name().as_ref() == local && self.namespaces.of_attribute(attribute.key) == Some(namespace)
        });
        attribute.map(|attribute| attribute.value.into_owned())
    }

    /// Returns `true` if the element has this namespace and local name.
    pub fn is_element(&self, start: &StartTag<'_>, namespace: &str, local: &str) -> bool {
        start.name() == local && self.namespaces.of_element(start.tag.name()) == Some(namespace)
    }

    /// Takes account of the start of an element, and reads its attributes.
    #[inline]
    fn enter(&mut self, start: &mut StartTag<'x>) -> Result<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(XmlError::Depth);
        }
        if start.has_attributes() {
            start.nil = self.read_attributes(start)?;
        }
        Ok(())
    }

    /// Reads the attributes of the current element. Returns `true` if one is `xsi:nil="true"`.
    fn read_attributes(&mut self, StartTag { tag, .. }: &StartTag<'x>) -> Result<bool> {
        let mut true_nils = Vec::new();
        for (count, attribute) in tag.attributes().enumerate() {
            let attribute = attribute.map_err(|_| XmlError::Malformed)?;
            if count >= MAX_ATTRIBUTES {
                return Err(XmlError::Attributes);
            }
            if let Some(prefix) = attribute.key.as_namespace_binding() {
                self.namespaces.declare(self.depth, prefix, &attribute.value)?;
            } else if attribute.key.0.ends_with("nil") && matches!(attribute.value.trim_ascii(), "true" | "1") {
                true_nils.push(attribute.key);
            }
        }
        // A prefix can be declared after the attribute that has it.
        Ok(true_nils.into_iter().any(|key| key.local_name().as_ref() == "nil" && self.namespaces.of_attribute(key) == Some(XSI)))
    }

    /// Reads to the end of the document. Returns `false` if another element starts before.
    ///
    /// # Errors
    /// Returns an error if the document is not well-formed, contains text, or exceeds a limit.
    pub fn end(&mut self) -> Result<bool> {
        while self.depth > 0 {
            if let XmlNode::Element(_) = self.next_node()? {
                return Ok(false);
            }
        }
        self.tokens.end().map(|()| true)
    }
}
