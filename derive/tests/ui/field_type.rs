//! A field whose type is no field of an element: the message points to the type.

use lrs_gateway_derive::XmlRecord;

/// What the expansion names of the gateway.
mod xml {
    pub type FieldMapping = &'static [(&'static str, &'static str)];
    pub struct XmlError;
    pub struct XmlReader<'x>(&'x str);
    pub struct XmlWriter;
    pub enum XmlNode<'x> {
        Element(XmlReader<'x>),
    }
    pub trait XmlRecord: Sized {
        const FIELDS: FieldMapping;
        fn read(reader: &mut XmlReader<'_>) -> Result<Self, XmlError>;
        fn write_fields(&self, fields: std::ops::Range<usize>, writer: &mut XmlWriter);
    }
    pub struct FieldOrder;
    impl FieldOrder {
        pub fn new(_: FieldMapping) -> Self {
            Self
        }
        pub fn position(&mut self, _: &str) -> Option<usize> {
            None
        }
    }
    pub trait XmlField: Sized {
        fn read_element(field: &mut Option<Self>, reader: &mut XmlReader, start: &XmlReader, name: &str) -> Result<(), XmlError>;
        fn absent(name: &str) -> Result<Self, XmlError>;
        fn write_elements(&self, writer: &mut XmlWriter, name: &str);
    }
    impl<'x> XmlReader<'x> {
        pub fn next_node(&mut self) -> Result<XmlNode<'x>, XmlError> {
            todo!()
        }
        pub fn skip_unknown(&mut self, _: &XmlReader) -> Result<(), XmlError> {
            todo!()
        }
        pub fn name(&self) -> &str {
            self.0
        }
    }
}

struct Unreadable;

#[derive(XmlRecord)]
struct Record {
    value: Unreadable,
}

fn main() {}
