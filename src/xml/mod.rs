//! XML: reading and writing with limits, and the records that are the content of elements.
//!
//! No message is known here. [`derive(XmlRecord)`](macro@XmlRecord) declares the elements of a record once, in order, for reading and
//! writing.

mod characters;
mod element;
mod error;
mod field;
mod irregularities;
mod namespaces;
mod packed;
mod packing;
mod reader;
mod record;
mod start_tag;
mod text;
mod tokens;
mod writer;

pub use characters::is_xml_char;
pub use element::Element;
pub use error::XmlError;
pub use field::{Wrapped, XmlField, read_value_list};
pub use irregularities::{Irregularities, OTHER_ELEMENT};
pub use lrs_gateway_derive::XmlRecord;
pub use packed::{PackedXml, XmlPacker};
pub use reader::{XmlEvent, XmlNode, XmlReader, decode};
pub use record::{FieldMapping, FieldOrder, XmlRecord};
pub use start_tag::StartTag;
pub use text::{FromXmlText, ToXmlText};
pub use writer::{IllegalCharacter, XmlWriter};

/// The namespace of `xsi:nil`.
pub const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
