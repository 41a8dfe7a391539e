//! A whole element in memory: for those who must look at a message before they know what it is.

use crate::lrs::soap::read::{StartTag, XmlError, XmlEvent, XmlReader};
use crate::lrs::soap::write::XmlWriter;
use crate::lrs::soap::xml_mapping::XmlRecord;

/// An element with all that is in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Element {
    /// Its namespace, if it has one.
    pub namespace: Option<String>,
    /// Its local name.
    pub name: String,
    /// `xsi:nil="true"`.
    pub nil: bool,
    /// Its text, without its children's.
    pub text: String,
    /// Its child elements.
    pub children: Vec<Self>,
}

impl Element {
    /// Reads the element that has begun, to its end.
    ///
    /// # Errors
    /// Anything that makes the document unreadable.
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

    /// The element as a record of the contract.
    ///
    /// # Errors
    /// What keeps it from being one.
    pub fn as_record<T: XmlRecord>(&self) -> Result<T, XmlError> {
        let mut writer = XmlWriter::default();
        self.write_bare(&mut writer);
        let xml = writer.finish().map_err(|_| XmlError::Malformed)?;
        let mut reader = XmlReader::new(&xml)?;
        reader.next_node()?;
        T::read(&mut reader)
    }

    /// Writes the element by local names.
    fn write_bare(&self, writer: &mut XmlWriter) {
        writer.named(&self.name, "", |writer| {
            writer.text(&self.text);
            self.children.iter().filter(|child| !child.nil).for_each(|child| child.write_bare(writer));
        });
    }

    /// The first child of this name, unless it is nil.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name && !child.nil)
    }

    /// The first element of this name in it, at any depth.
    pub fn find(&self, name: &str) -> Option<&Self> {
        self.child(name).or_else(|| self.children.iter().find_map(|child| child.find(name)))
    }

    /// The text of the first child of this name; empty if there is none.
    pub fn text_of(&self, name: &str) -> &str {
        self.child(name).map_or("", |child| child.text.as_str())
    }
}

/// Messages hold personal data: only names are shown.
impl std::fmt::Debug for Element {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct(&self.name).field("children", &self.children).finish_non_exhaustive()
    }
}
