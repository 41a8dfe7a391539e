//! The comparison of the reader of plain XML with quick-xml. The fuzz target `xml_tokens` has it, too.

use std::fmt::Debug;

use lrs_gateway::xml::{XmlError, XmlEvent, XmlNode, XmlReader};

/// Which methods read a document: two bits for each call. The first reads all events, the others are arbitrary.
const CALLS: [u64; 4] = [0, 0x9E37_79B9_7F4A_7C15, 0xA5A5_1B87_66D2_9C63, 0x6666_6666_6666_6666];

/// Reads a document in both ways, several times, and requires the same results, namespaces, irregularities and errors. Returns `true` if the
/// document is well-formed and plain.
pub fn assert_read_alike(document: &str) -> bool {
    let [all_events, ..] =
        CALLS.map(|calls| Pair::new(document).is_some_and(|mut pair| pair.read(calls).is_ok() && pair.reader.is_plain()));
    all_events
}

struct Pair<'x> {
    document: &'x str,
    reader: XmlReader<'x>,
    quick_xml: XmlReader<'x>,
}

impl<'x> Pair<'x> {
    fn new(document: &'x str) -> Option<Self> {
        match (XmlReader::new(document), XmlReader::with_quick_xml(document)) {
            (Ok(reader), Ok(quick_xml)) => Some(Self { document, reader, quick_xml }),
            (reader, quick_xml) => {
                assert_eq!(reader.err(), quick_xml.err(), "{document}");
                None
            }
        }
    }

    /// Reads the document with these calls.
    fn read(&mut self, mut calls: u64) -> Result<(), XmlError> {
        let mut depth = 0_usize;
        loop {
            let event = match calls & 3 {
                2 if depth > 0 => self.call(XmlReader::text_if_simple).map(|_| XmlEvent::End)?,
                3 if depth > 1 => self.call(XmlReader::skip).map(|()| XmlEvent::End)?,
                0 => self.call(XmlReader::next_event)?,
                _ => match self.call(XmlReader::next_node)? {
                    XmlNode::Element(start) => XmlEvent::Element(start),
                    XmlNode::End => XmlEvent::End,
                },
            };
            match event {
                XmlEvent::Text(_) => {}
                XmlEvent::Element(start) => {
                    depth += 1;
                    assert_eq!(self.reader.namespace(&start), self.quick_xml.namespace(&start), "{}", self.document);
                }
                XmlEvent::End => {
                    depth -= 1;
                    if depth == 0 {
                        return self.call(XmlReader::end).map(drop);
                    }
                }
            }
            calls = calls.rotate_right(2);
        }
    }

    /// Calls a method of both readers.
    fn call<T: Debug + PartialEq>(&mut self, method: impl Fn(&mut XmlReader<'x>) -> Result<T, XmlError>) -> Result<T, XmlError> {
        let result = method(&mut self.reader);
        assert_eq!(result, method(&mut self.quick_xml), "{}", self.document);
        assert_eq!(self.reader.irregularities(), self.quick_xml.irregularities(), "{}", self.document);
        result
    }
}
