//! Packing of XML while it is written. The format is described in `packed.rs`.

/// The number that starts a record.
const RECORD: usize = 0;
/// Number of values of one character of a number.
pub(super) const BASE: usize = 64;

/// A tag, by the parts that it is written from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    /// No tag: text follows an element.
    None,
    /// The start of an element, with its attributes.
    Start(&'static str, &'static str),
    /// The start and the end of an element without child elements.
    Leaf(&'static str, &'static str),
    /// The end of an element with child elements.
    End(&'static str),
    /// An element without a value.
    Nil(&'static str),
    /// Markup as it is.
    Markup(&'static str),
}

impl Tag {
    /// Returns `true` only if the tags are equal. Compares the places of names, which are constants, and not their bytes.
    fn is_same(self, other: Self) -> bool {
        match (self, other) {
            (Self::Start(name, attributes), Self::Start(other, others)) | (Self::Leaf(name, attributes), Self::Leaf(other, others)) => {
                std::ptr::eq(name, other) && std::ptr::eq(attributes, others)
            }
            (Self::End(name), Self::End(other)) | (Self::Nil(name), Self::Nil(other)) | (Self::Markup(name), Self::Markup(other)) => {
                std::ptr::eq(name, other)
            }
            _ => false,
        }
    }

    /// Returns the XML before and after the text of the tag.
    fn start_and_end(self) -> (String, String) {
        let start =
            |name: &str, attributes: &str| if attributes.is_empty() { format!("<{name}>") } else { format!("<{name} {attributes}>") };
        match self {
            Self::None => Default::default(),
            Self::Start(name, attributes) => (start(name, attributes), String::new()),
            Self::Leaf(name, attributes) => (start(name, attributes), format!("</{name}>")),
            Self::End(name) => (format!("</{name}>"), String::new()),
            Self::Nil(name) => (nil(name), String::new()),
            Self::Markup(markup) => (markup.to_owned(), String::new()),
        }
    }
}

/// Returns an element without a value.
pub(super) fn nil(name: &str) -> String {
    format!("<{name} xsi:nil=\"true\"/>")
}

/// The size of packed records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PackedSize {
    /// Number of records.
    pub(super) record_count: usize,
    /// Number of bytes of their XML.
    pub(super) unpacked_bytes: usize,
}

/// What a writer that packs has packed.
#[derive(Default)]
pub(super) struct Packing {
    /// The size of all records.
    pub(super) size: PackedSize,
    /// The tags so far. The number of a tag is its place, from 1.
    tags: Vec<Tag>,
    /// Number of bytes of each tag: of its start and its end.
    tag_bytes: Vec<usize>,
    /// Index of the tag that is expected next: records have the same order of tags.
    expected: usize,
    /// The last tag, while its text is being written.
    current: Option<Tag>,
    /// The current record.
    packed: Vec<u8>,
}

impl Packing {
    /// Starts a record.
    pub(super) fn start_record(&mut self) {
        self.packed.clear();
        self.size.record_count += 1;
        push_number(&mut self.packed, RECORD);
    }

    /// Ends a record and returns it.
    pub(super) fn end_record(&mut self, text: &mut String) -> &[u8] {
        self.pack_current(text);
        &self.packed
    }

    /// Adds a tag. `text` is that of the tag before it.
    pub(super) fn add(&mut self, tag: Tag, text: &mut String) {
        self.pack_current(text);
        self.current = Some(tag);
    }

    /// Ends an element.
    pub(super) fn end_element(&mut self, name: &'static str, text: &mut String) {
        if let Some(Tag::Start(name, attributes)) = self.current {
            // No other tag has come since: the element is the innermost.
            self.current = Some(Tag::Leaf(name, attributes));
            self.pack_current(text);
        } else {
            self.add(Tag::End(name), text);
        }
    }

    fn pack_current(&mut self, text: &mut String) {
        let Some(tag) = self.current.take().or_else(|| (!text.is_empty()).then_some(Tag::None)) else { return };
        let index = self.index(tag);
        push_number(&mut self.packed, index + 1);
        if index == self.tags.len() {
            let (start, end) = tag.start_and_end();
            self.tags.push(tag);
            self.tag_bytes.push(start.len() + end.len());
            push_string(&mut self.packed, &start);
            push_string(&mut self.packed, &end);
        }
        self.expected = index + 1;
        self.size.unpacked_bytes += self.tag_bytes[index] + text.len();
        push_string(&mut self.packed, text);
        text.clear();
    }

    /// Returns the index of a tag; the number of tags if it is new.
    fn index(&self, tag: Tag) -> usize {
        let mut candidates = (self.expected..self.tags.len()).chain(0..self.expected);
        candidates
            .find(|index| self.tags[*index].is_same(tag))
            // A constant can have several places.
            .or_else(|| self.tags.iter().position(|known| *known == tag))
            .unwrap_or(self.tags.len())
    }
}

fn push_number(packed: &mut Vec<u8>, mut number: usize) {
    while number >= BASE {
        packed.push((number % BASE + BASE).to_le_bytes()[0]);
        number /= BASE;
    }
    packed.push(number.to_le_bytes()[0]);
}

fn push_string(packed: &mut Vec<u8>, string: &str) {
    push_number(packed, string.len());
    packed.extend_from_slice(string.as_bytes());
}
