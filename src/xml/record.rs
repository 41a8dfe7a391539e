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
