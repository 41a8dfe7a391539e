//! Records as the content of XML elements.

use std::ops::Range;

use super::error::XmlError;
use super::reader::XmlReader;
use super::writer::XmlWriter;

/// LRS's element names and the JSON names of the fields that they map to. The documentation is generated from it.
pub type FieldMapping = &'static [(&'static str, &'static str)];

/// A record that is the content of an element. [`derive(XmlRecord)`](macro@super::XmlRecord) implements it.
pub trait XmlRecord: Sized {
    /// The elements in the order in which they are written, and the fields that they map to.
    const FIELDS: FieldMapping;

    /// Reads the content of the element that has started, to its end. Unknown elements are skipped and reported. In a record that is
    /// declared `tolerant`, so are optional values of the wrong kind.
    ///
    /// # Errors
    /// Returns an error if an element is missing, repeated or invalid, or if the document is not well-formed.
    fn read(reader: &mut XmlReader<'_>) -> Result<Self, XmlError>;

    /// Reads the record from the element that `write` writes, which can be the element of another record.
    ///
    /// # Errors
    /// Returns the error of [`read`](Self::read), and [`XmlError::Malformed`] if a character is written that XML does not allow.
    fn read_written(write: impl FnOnce(&mut XmlWriter)) -> Result<Self, XmlError> {
        let mut writer = XmlWriter::default();
        write(&mut writer);
        let xml = writer.finish().map_err(|_| XmlError::Malformed)?;
        let mut reader = XmlReader::new(&xml)?;
        reader.next_node()?;
        Self::read(&mut reader)
    }

    /// Writes some fields, by their positions in [`XmlRecord::FIELDS`].
    fn write_fields(&self, fields: Range<usize>, writer: &mut XmlWriter);

    /// Writes the content, without the surrounding element.
    fn write(&self, writer: &mut XmlWriter) {
        self.write_fields(0..Self::FIELDS.len(), writer);
    }
}

/// Finds the fields of elements. Elements come in the order of the contract, so the search begins after the last one found.
pub struct FieldOrder {
    fields: FieldMapping,
    next: usize,
}

impl FieldOrder {
    /// Expects the first of the fields.
    pub const fn new(fields: FieldMapping) -> Self {
        Self { fields, next: 0 }
    }

    /// Returns the position of the field whose element has this name.
    pub fn position(&mut self, name: &str) -> Option<usize> {
        let is_named = |(element, _): &(&str, &str)| *element == name;
        let (before, after) = self.fields.split_at_checked(self.next)?;
        let position = match after.iter().position(is_named) {
            Some(position) => self.next + position,
            None => before.iter().position(is_named)?,
        };
        // A list has several elements with the same name.
        self.next = position;
        Some(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_order_any_order_of_elements_finds_each_field() {
        let mut order = FieldOrder::new(&[("A", "a"), ("B", "b"), ("C", "c")]);
        for (name, expected) in [
            ("A", Some(0)),
            ("C", Some(2)),
            ("C", Some(2)),
            ("D", None),
            ("B", Some(1)),
            ("", None),
            ("b", None),
            ("A", Some(0)),
            ("B", Some(1)),
        ] {
            assert_eq!(order.position(name), expected, "{name}");
        }
    }
}
