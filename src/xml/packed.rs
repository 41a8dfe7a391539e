//! Packed XML: records whose tags are stored once, and whose texts follow each other.
//!
//! Most of a record's XML is tags, and every record repeats those of the record before. Packed, it is cheaper to compress and to store, and
//! unpacking only copies: no text is escaped or checked again.
//!
//! Packed XML is a text of numbers and strings. Each record is the number 0, and then for each tag its number, from 1, and the text up to the
//! next tag. An element without child elements is one tag: its end follows the text. A tag that occurs for the first time has the next free
//! number, and its start and its end come before its text. A string is its length in bytes and its content. A number is a sequence of characters
//! U+0000 to U+007F with 6 bits each, the lowest first; all but the last have the next bit set.

use std::borrow::Cow;

use super::packing::{BASE, PackedSize};
use super::writer::{IllegalCharacter, XmlWriter};

/// Maximum number of digits of a number: more than a text in memory needs.
const MAX_DIGITS: usize = 5;
/// Bytes reserved for what follows the records in a message.
const MESSAGE_END_BYTES: usize = 512;

/// Packs records one by one.
pub struct XmlPacker(XmlWriter);

impl Default for XmlPacker {
    fn default() -> Self {
        Self(XmlWriter::packing())
    }
}

impl XmlPacker {
    /// Packs the record that `write` writes. Returns what it adds to the packed records before it.
    pub fn add(&mut self, write: impl FnOnce(&mut XmlWriter)) -> &[u8] {
        self.0.pack_record(write)
    }

    /// Ends the packing. Returns the size of all records.
    ///
    /// # Errors
    /// Returns [`IllegalCharacter`] if a character that XML does not allow was written in any record.
    pub fn finish(self) -> Result<PackedSize, IllegalCharacter> {
        self.0.finish_packing()
    }
}

/// Packed records, ready to be written into a message.
pub struct PackedXml {
    packed: Vec<u8>,
    size: PackedSize,
}

impl std::fmt::Debug for PackedXml {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} records]", self.size.record_count)
    }
}

impl PackedXml {
    /// Reads everything that an [`XmlPacker`] has returned; `None` if it is something else.
    pub fn new(packed: Vec<u8>) -> Option<Self> {
        let xml = Self::with_size(packed, PackedSize::default());
        let mut size = PackedSize::default();
        let is_complete = xml.read(Cow::Borrowed, |piece| match piece {
            Piece::Record => size.record_count += 1,
            Piece::Tag { start, text, end } => size.unpacked_bytes += start.len() + text.len() + end.len(),
        });
        is_complete?;
        Some(Self { size, ..xml })
    }

    /// Takes everything that an [`XmlPacker`] has just returned, with the size that it gave. Does not read it.
    pub(crate) const fn with_size(packed: Vec<u8>, size: PackedSize) -> Self {
        Self { packed, size }
    }

    /// Returns the number of records.
    pub const fn record_count(&self) -> usize {
        self.size.record_count
    }

    /// Writes the records. `replace` returns what is written for a start tag.
    pub fn write<'p>(&'p self, writer: &mut XmlWriter, replace: impl Fn(&'p str) -> Cow<'p, str>) {
        writer.reserve(self.size.unpacked_bytes + MESSAGE_END_BYTES);
        let written = self.read(replace, |piece| {
            if let Piece::Tag { start, text, end } = piece {
                writer.append(start);
                writer.append(text);
                writer.append(end);
            }
        });
        // It is packed XML: `new` has read all of it, or a packer has just returned it. A message must not be shortened in any case.
        if written.is_none() {
            writer.invalidate();
        }
    }

    /// Reads all pieces; `None` if the text ends early or is not packed XML.
    fn read<'p>(&'p self, replace: impl Fn(&'p str) -> Cow<'p, str>, mut consume: impl FnMut(Piece<'_>)) -> Option<()> {
        let mut tags: Vec<(Cow<'p, str>, &'p str)> = Vec::new();
        let mut rest = simdutf8::basic::from_utf8(&self.packed).ok()?;
        while !rest.is_empty() {
            let number = take_number(&mut rest)?;
            let Some(index) = number.checked_sub(1) else {
                consume(Piece::Record);
                continue;
            };
            if index == tags.len() {
                let start = replace(take_string(&mut rest)?);
                tags.push((start, take_string(&mut rest)?));
            }
            let (start, end) = tags.get(index)?;
            consume(Piece::Tag { start, text: take_string(&mut rest)?, end });
        }
        Some(())
    }
}

enum Piece<'p> {
    Record,
    Tag { start: &'p str, text: &'p str, end: &'p str },
}

fn take_number(rest: &mut &str) -> Option<usize> {
    let (mut number, mut place) = (0, 1);
    for (index, digit) in rest.bytes().take(MAX_DIGITS).map(usize::from).enumerate() {
        number += digit % BASE * place;
        if digit < BASE {
            *rest = &rest[index + 1..];
            return Some(number);
        }
        place *= BASE;
    }
    None
}

fn take_string<'p>(rest: &mut &'p str) -> Option<&'p str> {
    let length = take_number(rest)?;
    let (string, following) = rest.split_at_checked(length)?;
    *rest = following;
    Some(string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(records: &[&dyn Fn(&mut XmlWriter)]) -> Vec<u8> {
        let mut packer = XmlPacker::default();
        records.iter().flat_map(|record| packer.add(record).to_vec()).collect()
    }

    fn unpack(packed: Vec<u8>) -> Option<String> {
        let mut writer = XmlWriter::default();
        PackedXml::new(packed)?.write(&mut writer, Cow::Borrowed);
        writer.finish().ok()
    }

    fn learner(writer: &mut XmlWriter) {
        writer.element("Learner", "", |writer| {
            writer.value("ULN", "3000000126");
            writer.value("Name", &"Zoë & <Ana> ".repeat(500));
            writer.nillable::<String>("Gender", None);
        });
    }

    fn nested(writer: &mut XmlWriter) {
        writer.element("Learner", "a=\"b c\"", |writer| {
            writer.text("text");
            writer.element("Learner", "", |writer| writer.element("Learner", "", |_| {}));
            writer.value("Name", "");
            writer.text("more\n");
        });
        writer.text("last");
    }

    #[test]
    fn packed_xml_unpacks_to_the_same_xml() {
        let records: [&dyn Fn(&mut XmlWriter); 6] = [&learner, &|_| {}, &nested, &learner, &|writer| writer.text("only text"), &nested];
        let mut expected = XmlWriter::default();
        for record in records {
            record(&mut expected);
        }
        let packed = pack(&records);
        assert_eq!(PackedXml::new(packed.clone()).expect("packed XML").record_count(), records.len());
        let expected = expected.finish().expect("allowed characters");
        assert_eq!(unpack(packed).as_ref(), Some(&expected));

        let mut again = XmlPacker::default();
        for record in records {
            again.add(record);
        }
        assert_eq!(again.finish(), Ok(PackedSize { record_count: records.len(), unpacked_bytes: expected.len() }));
    }

    #[test]
    fn packed_xml_of_equal_records_has_each_tag_once() {
        let record = |writer: &mut XmlWriter| writer.element("Learner", "", |writer| writer.value("GivenName", "Ana"));
        let packed = pack(&[&record, &record, &record]);
        assert_eq!(String::from_utf8_lossy(&packed).matches("GivenName").count(), 2, "one start and one end tag");
        assert!(packed.len() < 100, "{} bytes", packed.len());
    }

    #[test]
    fn packed_xml_replaces_a_start_tag_in_every_record() {
        let record = |writer: &mut XmlWriter| writer.markup("<?action?>");
        let packed = PackedXml::new(pack(&[&record, &record])).expect("packed XML");
        let mut writer = XmlWriter::default();
        packed.write(&mut writer, |tag| if tag == "<?action?>" { "<A>1</A>".into() } else { tag.into() });
        assert_eq!(writer.finish().as_deref(), Ok("<A>1</A><A>1</A>"));
    }

    #[test]
    fn packed_xml_that_is_cut_or_something_else_is_not_read() {
        let packed = pack(&[&learner]);
        let xml = unpack(packed.clone()).expect("packed XML");
        for length in 0..packed.len() {
            let cut = unpack(packed[..length].to_vec());
            assert!(cut.is_none_or(|cut| cut.len() < xml.len() && xml.starts_with(&cut)), "{length} bytes");
        }
        for other in [&b"[{\"givenName\":\"Ana\"}]"[..], b"\0\x02", b"\0\x01\x7F\x7F\x7F\x7F\x7F\x7F\x7F\x7F\x7F\x7F\x7F\x7F", b"\xFF"] {
            assert!(PackedXml::new(other.to_vec()).is_none(), "{other:?}");
        }
    }

    #[test]
    fn packed_xml_that_ends_early_makes_the_document_an_error() {
        let mut packed = pack(&[&learner]);
        packed.pop();
        let mut writer = XmlWriter::default();
        PackedXml::with_size(packed, PackedSize::default()).write(&mut writer, Cow::Borrowed);
        assert_eq!(writer.finish(), Err(IllegalCharacter));
    }

    #[test]
    fn packing_an_illegal_character_is_an_error() {
        let mut packer = XmlPacker::default();
        packer.add(|writer| writer.value("Name", "\u{1}"));
        packer.add(learner);
        assert_eq!(packer.finish(), Err(IllegalCharacter));
    }
}
