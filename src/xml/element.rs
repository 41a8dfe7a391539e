//! An element as a tree in memory, for messages whose type is not known before they are read.

use super::error::XmlError;
use super::reader::{XmlEvent, XmlReader};
use super::record::XmlRecord;
use super::start_tag::StartTag;
use super::writer::XmlWriter;

/// An element with its content.
#[derive(Clone, PartialEq, Eq)]
pub struct Element {
    /// The namespace, if any.
    pub namespace: Option<String>,
    /// The local name.
    pub name: String,
    /// `true` if the element has `xsi:nil="true"`.
    pub nil: bool,
    /// The element's text, without the text of its children.
    pub text: String,
    /// The child elements.
    pub children: Vec<Self>,
}

impl Element {
    /// Reads the content of the element that has started, to its end.
    ///
    /// # Errors
    /// Returns an error if the document is not well-formed or exceeds a limit.
    pub fn read(reader: &mut XmlReader<'_>, start: &StartTag<'_>) -> Result<Self, XmlError> {
        let mut element = Self {
            namespace: reader.namespace(start),
            name: start.name().to_owned(),
            nil: start.nil,
            text: String::new(),
            children: Vec::new(),
        };
        loop {
            match reader.next_event()? {
                XmlEvent::End => return Ok(element),
                XmlEvent::Text(text) => element.text.push_str(&text),
                XmlEvent::Element(start) => element.children.push(Self::read(reader, &start)?),
            }
        }
    }

    /// Converts the element to a record of the contract.
    ///
    /// # Errors
    /// Returns an error if an element of the record is missing, repeated or invalid.
    pub fn to_record<T: XmlRecord>(&self) -> Result<T, XmlError> {
        T::read_written(|writer| self.write_local_names(writer))
    }

    /// Writes the element without namespaces and without nil children.
    fn write_local_names(&self, writer: &mut XmlWriter) {
        writer.element_from_document(&self.name, "", |writer| {
            writer.text(&self.text);
            self.children.iter().filter(|child| !child.nil).for_each(|child| child.write_local_names(writer));
        });
    }

    /// Returns the first child with this name, unless it is nil.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name && !child.nil)
    }

    /// Returns the first descendant with this name.
    pub fn find(&self, name: &str) -> Option<&Self> {
        self.child(name).or_else(|| self.children.iter().find_map(|child| child.find(name)))
    }

    /// Returns the text of the first child with this name; empty if there is none.
    pub fn text_of(&self, name: &str) -> &str {
        self.child(name).map_or("", |child| child.text.as_str())
    }
}

/// Prints names only: messages contain personal data.
impl std::fmt::Debug for Element {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct(&self.name).field("children", &self.children).finish_non_exhaustive()
    }
}
