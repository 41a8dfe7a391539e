//! Reading XML as a stream, with limits.
//!
//! Elements are known by their local names, whatever prefixes or default namespaces the sender chose (FACTS 6.20);
//! only the SOAP envelope itself is held to its namespace. Refused: a document type declaration (and with it every
//! entity but the five of XML), nesting deeper than [`MAX_DEPTH`], more than [`MAX_ATTRIBUTES`] attributes on an
//! element, an encoding other than UTF-8, characters XML does not have, anything after the end.

use std::borrow::Cow;

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, NamespaceResolver, ResolveResult};

use crate::lrs::soap::{ENVELOPE, XSI};
use crate::schema::is_xml_char;

/// How deep elements may be nested. LRS's own answers reach seven.
pub const MAX_DEPTH: usize = 32;
/// How many attributes, namespace declarations included, an element may have.
pub const MAX_ATTRIBUTES: usize = 64;

/// Why a text is not an answer. Names elements of the contract, never content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Nothing there.
    #[error("empty")]
    Empty,
    /// Bytes that are not UTF-8, or a declaration of another encoding.
    #[error("in an encoding other than UTF-8")]
    Encoding,
    /// Broken markup, or the end before its time.
    #[error("not well-formed XML")]
    Malformed,
    /// A document type declaration.
    #[error("with a document type declaration, which is not allowed")]
    Doctype,
    /// Deeper than [`MAX_DEPTH`].
    #[error("nested too deeply")]
    Depth,
    /// More than [`MAX_ATTRIBUTES`].
    #[error("with too many attributes on an element")]
    Attributes,
    /// XML, but not a SOAP 1.1 envelope with one element in its body.
    #[error("XML, but not a SOAP 1.1 message")]
    NotSoap,
    /// A SOAP message, but not the answer to this request.
    #[error("a SOAP message without the element {0}")]
    Unexpected(&'static str),
    /// An element the contract requires is not there.
    #[error("without the required element {0}")]
    Missing(&'static str),
    /// An element stands twice where the contract allows one.
    #[error("with the element {0} more than once")]
    Repeated(&'static str),
    /// An element's text is not of its type.
    #[error("with a wrong value in the element {0}")]
    Value(&'static str),
}

impl From<quick_xml::Error> for XmlError {
    fn from(_: quick_xml::Error) -> Self {
        Self::Malformed
    }
}

type Result<T> = std::result::Result<T, XmlError>;

/// An element that has begun.
#[derive(Debug)]
pub struct StartTag<'x> {
    tag: BytesStart<'x>,
    /// `xsi:nil="true"`: there is no value.
    pub nil: bool,
}

impl StartTag<'_> {
    /// The name without its prefix.
    pub fn name(&self) -> &str {
        // A name without a colon is its own local name.
        let name = self.tag.name().0;
        name.split_once(':').map_or(name, |(_, local)| local)
    }
}

/// Where a [`Reader`] has got to.
#[derive(Debug)]
pub enum XmlNode<'x> {
    /// A child element begins.
    Element(StartTag<'x>),
    /// The current element ends.
    End,
}

/// A piece of an element's content.
#[derive(Debug)]
pub enum XmlEvent<'x> {
    /// A child element begins.
    Element(StartTag<'x>),
    /// Some of its text.
    Text(Cow<'x, str>),
    /// It ends.
    End,
}

/// XML being read.
pub struct XmlReader<'x> {
    xml: quick_xml::Reader<&'x [u8]>,
    namespaces: NamespaceResolver,
    depth: usize,
}

/// The text of a message: UTF-8, with or without a byte order mark.
///
/// # Errors
/// [`Unreadable::Empty`], [`Unreadable::Encoding`].
pub fn decode(bytes: &[u8]) -> Result<&str> {
    let text = std::str::from_utf8(bytes).map_err(|_| XmlError::Encoding)?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    if text.trim_ascii().is_empty() { Err(XmlError::Empty) } else { Ok(text) }
}

impl<'x> XmlReader<'x> {
    /// Starts to read.
    ///
    /// # Errors
    /// [`Unreadable::Malformed`] when the text holds a character XML does not have.
    pub fn new(text: &'x str) -> Result<Self> {
        let suspicious = |b: &u8| (*b < b' ' && !matches!(b, b'\t' | b'\n' | b'\r')) || *b == 0xEF;
        if text.as_bytes().iter().any(suspicious) && !text.chars().all(is_xml_char) {
            return Err(XmlError::Malformed);
        }
        let mut xml = quick_xml::Reader::from_str(text);
        xml.config_mut().expand_empty_elements = true;
        let mut namespaces = NamespaceResolver::default();
        namespaces.set_max_namespace_bindings(MAX_DEPTH * 8);
        Ok(Self { xml, namespaces, depth: 0 })
    }

    /// Enters the one element of a SOAP 1.1 body, reads it with `payload`, and makes sure nothing follows.
    ///
    /// # Errors
    /// [`Unreadable::NotSoap`], and whatever `payload` finds.
    pub fn soap_body<T>(&mut self, payload: impl FnOnce(&mut Self, &StartTag<'x>) -> Result<T>) -> Result<T> {
        match self.next_node()? {
            XmlNode::Element(start) if self.is(&start, ENVELOPE, "Envelope") => {}
            _ => return Err(XmlError::NotSoap),
        }
        loop {
            match self.next_node()? {
                XmlNode::Element(start) if self.is(&start, ENVELOPE, "Body") => break,
                XmlNode::Element(start) if self.is(&start, ENVELOPE, "Header") => self.skip()?,
                _ => return Err(XmlError::NotSoap),
            }
        }
        let XmlNode::Element(start) = self.next_node()? else { return Err(XmlError::NotSoap) };
        let value = payload(self, &start)?;
        while self.depth > 0 {
            // Closing tags only: a second element in the body would be an answer to somebody else.
            if let XmlNode::Element(_) = self.next_node()? {
                return Err(XmlError::NotSoap);
            }
        }
        self.end_of_document()?;
        Ok(value)
    }

    /// The next child element, or the end of the current one. Only white space may stand between elements.
    ///
    /// # Errors
    /// Anything that makes the document unreadable.
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

    /// Leaves the current element, whatever is in it.
    ///
    /// # Errors
    /// Anything that makes the document unreadable.
    pub fn skip(&mut self) -> Result<()> {
        let outside = self.depth - 1;
        while self.depth > outside {
            self.next_event()?;
        }
        Ok(())
    }

    /// The text of the current element, to its end: pieces, CDATA sections and references put together.
    ///
    /// # Errors
    /// [`Unreadable::Malformed`] when there are elements in it, or an entity nobody declared.
    pub fn text(&mut self) -> Result<Cow<'x, str>> {
        let mut text = Cow::Borrowed("");
        loop {
            match self.next_event()? {
                XmlEvent::End => return Ok(text),
                XmlEvent::Text(piece) if text.is_empty() => text = piece,
                XmlEvent::Text(piece) => text.to_mut().push_str(&piece),
                XmlEvent::Element(_) => return Err(XmlError::Malformed),
            }
        }
    }

    /// The next piece of the current element's content.
    ///
    /// # Errors
    /// Anything that makes the document unreadable.
    pub fn next_event(&mut self) -> Result<XmlEvent<'x>> {
        loop {
            return Ok(match self.event()? {
                Event::Start(tag) => XmlEvent::Element(self.start(tag)?),
                Event::End(_) => XmlEvent::End,
                Event::Text(text) => XmlEvent::Text(text.xml10_content()),
                Event::CData(text) => XmlEvent::Text(text.xml10_content()),
                Event::GeneralRef(reference) => XmlEvent::Text(match reference.resolve_char_ref()? {
                    Some(c) if is_xml_char(c) => Cow::Owned(c.to_string()),
                    Some(_) => return Err(XmlError::Malformed),
                    None => Cow::Borrowed(resolve_predefined_entity(&reference).ok_or(XmlError::Malformed)?),
                }),
                Event::Comment(_) | Event::PI(_) | Event::Decl(_) => continue,
                _ => return Err(XmlError::Malformed),
            });
        }
    }

    /// The namespace an element is in, if any.
    pub fn namespace(&self, start: &StartTag<'_>) -> Option<String> {
        match self.namespaces.resolve_element(start.tag.name()).0 {
            ResolveResult::Bound(Namespace(namespace)) => Some(namespace.to_owned()),
            _ => None,
        }
    }

    fn is(&self, start: &StartTag<'_>, namespace: &str, local: &str) -> bool {
        start.name() == local
            && matches!(self.namespaces.resolve_element(start.tag.name()).0, ResolveResult::Bound(Namespace(n)) if n == namespace)
    }

    fn start(&self, tag: BytesStart<'x>) -> Result<StartTag<'x>> {
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

    fn event(&mut self) -> Result<Event<'x>> {
        let event = self.xml.read_event()?;
        match &event {
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
        Ok(event)
    }

    fn end_of_document(&mut self) -> Result<()> {
        loop {
            match self.xml.read_event()? {
                Event::Eof => return Ok(()),
                Event::Text(text) if text.trim_ascii().is_empty() => {}
                Event::Comment(_) | Event::PI(_) => {}
                _ => return Err(XmlError::Malformed),
            }
        }
    }
}
