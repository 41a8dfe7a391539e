//! Writes XML. Values are always escaped; names are constants of the program.

use super::characters::{is_written_as_it_is, is_xml_char};
use super::packing::{PackedSize, Packing, Tag, nil};
use super::text::ToXmlText;

/// A character that XML does not allow would have been written. Parsed values never contain one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text contains a character that XML does not allow")]
pub struct IllegalCharacter;

/// An XML document that is being written.
#[derive(Default)]
pub struct XmlWriter {
    xml: String,
    has_illegal_character: bool,
    /// Takes the tags, if records are packed. `xml` is the text after the last tag then.
    packing: Option<Packing>,
}

impl XmlWriter {
    /// Creates an empty document with space for this many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { xml: String::with_capacity(bytes), ..Self::default() }
    }

    /// Creates a writer of packed records.
    pub(super) fn packing() -> Self {
        Self { packing: Some(Packing::default()), ..Self::default() }
    }

    /// Packs the record that `write` writes. Returns it; empty if this writer does not pack.
    pub(super) fn pack_record(&mut self, write: impl FnOnce(&mut Self)) -> &[u8] {
        if let Some(packing) = &mut self.packing {
            packing.start_record();
        }
        write(self);
        self.packing.as_mut().map(|packing| packing.end_record(&mut self.xml)).unwrap_or_default()
    }

    /// Ends the packing of records. Returns their size.
    ///
    /// # Errors
    /// Returns [`IllegalCharacter`] if a character that XML does not allow was written.
    pub(super) fn finish_packing(self) -> Result<PackedSize, IllegalCharacter> {
        let size = self.packing.as_ref().map(|packing| packing.size).unwrap_or_default();
        self.finish().map(|_| size)
    }

    /// Returns the document.
    ///
    /// # Errors
    /// Returns [`IllegalCharacter`] if a character that XML does not allow was written.
    pub fn finish(self) -> Result<String, IllegalCharacter> {
        if self.has_illegal_character { Err(IllegalCharacter) } else { Ok(self.xml) }
    }

    /// Writes `<name attributes>…</name>`. The attributes are not escaped.
    pub fn element(&mut self, name: &'static str, attributes: &'static str, content: impl FnOnce(&mut Self)) {
        let Some(packing) = &mut self.packing else { return self.element_from_document(name, attributes, content) };
        packing.add(Tag::Start(name, attributes), &mut self.xml);
        content(self);
        if let Some(packing) = &mut self.packing {
            packing.end_element(name, &mut self.xml);
        }
    }

    /// Writes an element whose name was read from a document.
    pub(super) fn element_from_document(&mut self, name: &str, attributes: &'static str, content: impl FnOnce(&mut Self)) {
        self.xml.push('<');
        self.xml.push_str(name);
        if !attributes.is_empty() {
            self.xml.push(' ');
            self.xml.push_str(attributes);
        }
        self.xml.push('>');
        content(self);
        self.xml.push_str("</");
        self.xml.push_str(name);
        self.xml.push('>');
    }

    /// Writes `<name>value</name>`.
    pub fn value<T: ToXmlText + ?Sized>(&mut self, name: &'static str, value: &T) {
        self.element(name, "", |writer| writer.text(&value.to_xml_text()));
    }

    /// Writes the value's element, or nothing if there is no value.
    pub fn optional<T: ToXmlText>(&mut self, name: &'static str, value: Option<&T>) {
        if let Some(value) = value {
            self.value(name, value);
        }
    }

    /// Writes the value's element, or `<name xsi:nil="true"/>` if there is no value: for elements that LRS always requires.
    pub fn nillable<T: ToXmlText>(&mut self, name: &'static str, value: Option<&T>) {
        match (value, &mut self.packing) {
            (Some(value), _) => self.value(name, value),
            (None, Some(packing)) => packing.add(Tag::Nil(name), &mut self.xml),
            (None, None) => self.xml.push_str(&nil(name)),
        }
    }

    /// Writes a list of values in a wrapper element. Wrapper and item have a name and attributes.
    pub fn value_list<T: ToXmlText>(&mut self, wrapper: (&'static str, &'static str), item: (&'static str, &'static str), values: &[T]) {
        self.element(wrapper.0, wrapper.1, |writer| {
            for value in values {
                writer.element(item.0, item.1, |writer| writer.text(&value.to_xml_text()));
            }
        });
    }

    /// Writes character data so that a reader receives exactly this text. `\r` is written as a reference, because XML readers
    /// convert it to `\n`.
    pub fn text(&mut self, text: &str) {
        if is_written_as_it_is(text) {
            return self.xml.push_str(text);
        }
        let mut written = 0;
        for (index, c) in text.char_indices() {
            let escaped = match c {
                '<' => "&lt;",
                '>' => "&gt;",
                '&' => "&amp;",
                '\r' => "&#13;",
                c if is_xml_char(c) => continue,
                _ => {
                    self.has_illegal_character = true;
                    ""
                }
            };
            self.xml.push_str(&text[written..index]);
            self.xml.push_str(escaped);
            written = index + c.len_utf8();
        }
        self.xml.push_str(&text[written..]);
    }

    /// Writes markup as it is.
    pub fn markup(&mut self, markup: &'static str) {
        match &mut self.packing {
            None => self.xml.push_str(markup),
            Some(packing) => packing.add(Tag::Markup(markup), &mut self.xml),
        }
    }

    /// Writes XML that a writer has written.
    pub(super) fn append(&mut self, xml: &str) {
        self.xml.push_str(xml);
    }

    /// Makes the document an error: some of it cannot be written.
    pub(super) const fn invalidate(&mut self) {
        self.has_illegal_character = true;
    }

    /// Reserves space for this many bytes.
    pub(super) fn reserve(&mut self, bytes: usize) {
        self.xml.reserve(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_with_markup_is_escaped() {
        let mut writer = XmlWriter::default();
        writer.value("Name", "a & b <c attr=\"d\"/> ]]> 'e'\r\n");
        let xml = writer.finish().expect("allowed characters");
        assert_eq!(xml, "<Name>a &amp; b &lt;c attr=\"d\"/&gt; ]]&gt; 'e'&#13;\n</Name>");
    }

    #[test]
    fn document_with_an_illegal_character_is_an_error() {
        for text in ["a\u{1}b", "\0", "\u{FFFF}"] {
            let mut writer = XmlWriter::default();
            writer.value("Name", text);
            assert_eq!(writer.finish(), Err(IllegalCharacter), "{text:?}");
        }
    }

    #[test]
    fn absent_value_is_left_out_or_nil() {
        let mut writer = XmlWriter::default();
        writer.optional::<String>("A", None);
        writer.nillable::<String>("B", None);
        writer.nillable("C", Some(&String::new()));
        assert_eq!(writer.finish().expect("allowed characters"), "<B xsi:nil=\"true\"/><C></C>");
    }
}
