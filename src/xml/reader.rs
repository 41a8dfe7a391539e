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
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, NamespaceResolver, ResolveResult};

use super::XSI;
use super::characters::{REPLACEMENT, is_xml_char, referenced_number, xml_char};
use super::error::{MAX_ATTRIBUTES, MAX_DEPTH, XmlError};
use super::irregularities::Irregularities;

type Result<T> = std::result::Result<T, XmlError>;

/// The start tag of an element.
#[derive(Debug)]
pub struct StartTag<'x> {
    tag: BytesStart<'x>,
    /// `true` if the element has `xsi:nil="true"`: it has no value.
    pub nil: bool,
}

impl StartTag<'_> {
    /// Returns the local name.
    pub fn name(&self) -> &str {
        // A name without a colon is its own local name.
        let name = self.tag.name().0;
        name.split_once(':').map_or(name, |(_, local)| local)
    }
}

/// A part of the content of an element that contains only elements.
#[derive(Debug)]
pub enum XmlNode<'x> {
    /// A child element starts.
    Element(StartTag<'x>),
    /// The current element ends.
    End,
}

/// A part of the content of an element that may contain text.
#[derive(Debug)]
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
    xml: quick_xml::Reader<&'x [u8]>,
    namespaces: NamespaceResolver,
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
        // Forbidden characters are control characters, or U+FFFE and U+FFFF, whose first byte in UTF-8 is 0xEF. Surrogates cannot occur.
        let may_be_forbidden = |byte: &u8| (*byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r')) || *byte == 0xEF;
        if text.as_bytes().iter().any(may_be_forbidden) && !text.chars().all(is_xml_char) {
            return Err(XmlError::Malformed);
        }
        let mut xml = quick_xml::Reader::from_str(text);
        xml.config_mut().expand_empty_elements = true;
        let mut namespaces = NamespaceResolver::default();
        namespaces.set_max_namespace_bindings(MAX_DEPTH * 8);
        Ok(Self { xml, namespaces, depth: 0, irregularities: Irregularities::default() })
    }

    /// Returns the next child element, or the end of the current element. Only white space is allowed between elements.
    ///
    /// # Errors
    /// Returns an error if the document is not well-formed, contains text, or exceeds a limit.
    pub fn next_node(&mut self) -> Result<XmlNode<'x>> {
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
        loop {
            return Ok(match self.next_token()? {
                Event::Start(tag) => XmlEvent::Element(self.start_tag(tag)?),
                Event::End(_) => XmlEvent::End,
                Event::Text(text) => XmlEvent::Text(text.xml10_content()),
                Event::CData(text) => XmlEvent::Text(text.xml10_content()),
                Event::GeneralRef(reference) => XmlEvent::Text(match reference.strip_prefix('#') {
                    Some(number) => Cow::Owned(self.referenced_character(number)?.to_string()),
                    None => Cow::Borrowed(resolve_predefined_entity(&reference).ok_or(XmlError::Malformed)?),
                }),
                Event::Comment(_) | Event::PI(_) | Event::Decl(_) => continue,
                _ => return Err(XmlError::Malformed),
            });
        }
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
        match self.namespaces.resolve_element(start.tag.name()).0 {
            ResolveResult::Bound(Namespace(namespace)) => Some(namespace.to_owned()),
            _ => None,
        }
    }

    /// Returns the value of an element's attribute as it is written, with references unresolved.
    pub fn attribute(&self, start: &StartTag<'_>, namespace: &str, local: &str) -> Option<String> {
        let mut attributes = start.tag.attributes().flatten();
        let attribute = attributes.find(|attribute| {
            attribute.key.local_name().as_ref() == local
                && matches!(self.namespaces.resolve_attribute(attribute.key).0, ResolveResult::Bound(Namespace(n)) if n == namespace)
        });
        attribute.map(|attribute| attribute.value.into_owned())
    }

    /// Returns `true` if the element has this namespace and local name.
    pub fn is_element(&self, start: &StartTag<'_>, namespace: &str, local: &str) -> bool {
        start.name() == local
            && matches!(self.namespaces.resolve_element(start.tag.name()).0, ResolveResult::Bound(Namespace(n)) if n == namespace)
    }

    fn start_tag(&self, tag: BytesStart<'x>) -> Result<StartTag<'x>> {
        let mut nil = false;
        if !tag.attributes_raw().trim_ascii().is_empty() {
            for (count, attribute) in tag.attributes().enumerate() {
                let attribute = attribute.map_err(|_| XmlError::Malformed)?;
                if count >= MAX_ATTRIBUTES {
                    return Err(XmlError::Attributes);
                }
                nil |= attribute.key.local_name().as_ref() == "nil"
                    && matches!(attribute.value.trim_ascii(), "true" | "1")
                    && matches!(self.namespaces.resolve_attribute(attribute.key).0, ResolveResult::Bound(Namespace(n)) if n == XSI);
            }
        }
        Ok(StartTag { tag, nil })
    }

    /// Reads the next token, keeps track of depth and namespaces, and rejects what no message may contain.
    fn next_token(&mut self) -> Result<Event<'x>> {
        let token = self.xml.read_event()?;
        match &token {
            Event::Start(tag) => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err(XmlError::Depth);
                }
                self.namespaces.push(tag).map_err(|_| XmlError::Malformed)?;
            }
            Event::End(_) => {
                self.depth -= 1;
                self.namespaces.pop();
            }
            Event::Decl(declaration) => match declaration.encoding() {
                Some(Ok(encoding)) if !matches!(encoding.to_ascii_lowercase().as_str(), "utf-8" | "utf8" | "us-ascii") => {
                    return Err(XmlError::Encoding);
                }
                Some(Err(_)) => return Err(XmlError::Malformed),
                _ => {}
            },
            Event::DocType(_) => return Err(XmlError::Doctype),
            Event::Eof => return Err(XmlError::Malformed),
            _ => {}
        }
        Ok(token)
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
        loop {
            match self.xml.read_event()? {
                Event::Eof => return Ok(true),
                Event::Text(text) if text.trim_ascii().is_empty() => {}
                Event::Comment(_) | Event::PI(_) => {}
                _ => return Err(XmlError::Malformed),
            }
        }
    }
}
