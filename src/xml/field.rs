//! The fields of a record: how often an element may occur, and what it contains.

use std::borrow::Cow;

use super::error::XmlError;
use super::reader::{XmlEvent, XmlReader};
use super::record::XmlRecord;
use super::start_tag::StartTag;
use super::text::FromXmlText;
use super::writer::XmlWriter;

/// A field of a record: how often its element may occur, and the field's value if it does not occur.
pub trait XmlField: Sized {
    /// Reads one of the field's elements into `field`.
    ///
    /// # Errors
    /// Returns [`XmlError::Repeated`], [`XmlError::Missing`] or [`XmlError::Value`] with the element's name, or the error of the
    /// document.
    fn read_element(field: &mut Option<Self>, reader: &mut XmlReader<'_>, start: &StartTag<'_>, name: &'static str)
    -> Result<(), XmlError>;

    /// Does the same in a tolerant record: an optional value of the wrong kind is reported and left out.
    ///
    /// # Errors
    /// Returns the errors of [`read_element`](Self::read_element) that cost more than an optional value.
    fn read_tolerantly(
        field: &mut Option<Self>,
        reader: &mut XmlReader<'_>,
        start: &StartTag<'_>,
        name: &'static str,
    ) -> Result<(), XmlError> {
        Self::read_element(field, reader, start, name)
    }

    /// Returns the value of the field if its element does not occur.
    ///
    /// # Errors
    /// Returns [`XmlError::Missing`] if the element is required.
    fn absent(name: &'static str) -> Result<Self, XmlError>;

    /// Writes the field's element or elements.
    fn write_elements(&self, writer: &mut XmlWriter, name: &'static str);
}

/// A required value.
impl<T: FromXmlText> XmlField for T {
    fn read_element(field: &mut Option<Self>, reader: &mut XmlReader<'_>, _: &StartTag<'_>, name: &'static str) -> Result<(), XmlError> {
        reject_repeated(field.as_ref(), name)?;
        let text = reader.text()?;
        if text.trim_ascii().is_empty() {
            return Err(XmlError::Missing(name));
        }
        *field = Some(T::from_xml_text(text).ok_or(XmlError::Value(name))?);
        Ok(())
    }

    fn absent(name: &'static str) -> Result<Self, XmlError> {
        Err(XmlError::Missing(name))
    }

    fn write_elements(&self, writer: &mut XmlWriter, name: &'static str) {
        writer.value(name, self);
    }
}

/// An optional value. A nil or empty element means “no value”: LRS writes `<Notes/>` if there are no notes (LRS-CONTRACT 8.1).
impl<T: FromXmlText> XmlField for Option<T> {
    fn read_element(
        field: &mut Option<Self>,
        reader: &mut XmlReader<'_>,
        start: &StartTag<'_>,
        name: &'static str,
    ) -> Result<(), XmlError> {
        read_optional(field, reader, start, name, |reader| parse_optional(reader.text()?, name))
    }

    fn read_tolerantly(
        field: &mut Option<Self>,
        reader: &mut XmlReader<'_>,
        start: &StartTag<'_>,
        name: &'static str,
    ) -> Result<(), XmlError> {
        read_optional(field, reader, start, name, |reader| {
            let value = reader.text_if_simple()?.and_then(|text| parse_optional(text, name).ok());
            if value.is_none() {
                reader.report_lost_value(name);
            }
            Ok(value.flatten())
        })
    }

    fn absent(_: &'static str) -> Result<Self, XmlError> {
        Ok(None)
    }

    fn write_elements(&self, writer: &mut XmlWriter, name: &'static str) {
        writer.optional(name, self.as_ref());
    }
}

/// Reads the element of an optional value: with `read`, unless it is nil and so stands for the default, “no value”.
fn read_optional<'x, V: Default>(
    field: &mut Option<V>,
    reader: &mut XmlReader<'x>,
    start: &StartTag<'_>,
    name: &'static str,
    read: impl FnOnce(&mut XmlReader<'x>) -> Result<V, XmlError>,
) -> Result<(), XmlError> {
    reject_repeated(field.as_ref(), name)?;
    *field = Some(if start.nil { reader.skip().map(|()| V::default())? } else { read(reader)? });
    Ok(())
}

/// Parses the text of an optional value; `None` if the text means “no value”.
fn parse_optional<T: FromXmlText>(text: Cow<'_, str>, name: &'static str) -> Result<Option<T>, XmlError> {
    let is_absent = text.is_empty() || (!T::ALLOWS_BLANK && text.trim_ascii().is_empty()) || T::means_no_value(&text);
    if is_absent { Ok(None) } else { T::from_xml_text(text).map(Some).ok_or(XmlError::Value(name)) }
}

/// A list of records: the element may occur any number of times.
impl<T: XmlRecord> XmlField for Vec<T> {
    fn read_element(field: &mut Option<Self>, reader: &mut XmlReader<'_>, start: &StartTag<'_>, _: &'static str) -> Result<(), XmlError> {
        let list = field.get_or_insert_default();
        if start.nil { reader.skip() } else { T::read(reader).map(|item| list.push(item)) }
    }

    fn absent(_: &'static str) -> Result<Self, XmlError> {
        Ok(Self::new())
    }

    fn write_elements(&self, writer: &mut XmlWriter, name: &'static str) {
        for item in self {
            writer.element(name, "", |writer| item.write(writer));
        }
    }
}

/// A record in an element of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapped<T>(pub T);

impl<T> std::ops::Deref for Wrapped<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// A required record.
impl<T: XmlRecord> XmlField for Wrapped<T> {
    fn read_element(field: &mut Option<Self>, reader: &mut XmlReader<'_>, _: &StartTag<'_>, name: &'static str) -> Result<(), XmlError> {
        reject_repeated(field.as_ref(), name)?;
        *field = Some(Self(T::read(reader)?));
        Ok(())
    }

    fn absent(name: &'static str) -> Result<Self, XmlError> {
        Err(XmlError::Missing(name))
    }

    fn write_elements(&self, writer: &mut XmlWriter, name: &'static str) {
        writer.element(name, "", |writer| self.0.write(writer));
    }
}

/// An optional record.
impl<T: XmlRecord> XmlField for Option<Wrapped<T>> {
    fn read_element(
        field: &mut Option<Self>,
        reader: &mut XmlReader<'_>,
        start: &StartTag<'_>,
        name: &'static str,
    ) -> Result<(), XmlError> {
        reject_repeated(field.as_ref(), name)?;
        *field = Some(if start.nil { reader.skip().map(|()| None)? } else { Some(Wrapped(T::read(reader)?)) });
        Ok(())
    }

    fn absent(_: &'static str) -> Result<Self, XmlError> {
        Ok(None)
    }

    fn write_elements(&self, writer: &mut XmlWriter, name: &'static str) {
        if let Some(record) = self {
            record.write_elements(writer, name);
        }
    }
}

/// Reads a list of values inside a wrapper element: `<LinkedULNs><ULN>…</ULN></LinkedULNs>`. Nil and empty items are skipped, items of the
/// wrong kind and text between the items are reported and left out.
///
/// # Errors
/// Returns [`XmlError::Repeated`] with the wrapper's name, or the error of the document.
pub fn read_value_list<T: FromXmlText>(
    field: &mut Option<Vec<T>>,
    reader: &mut XmlReader<'_>,
    start: &StartTag<'_>,
    (wrapper_name, item_name): (&'static str, &'static str),
) -> Result<(), XmlError> {
    reject_repeated(field.as_ref(), wrapper_name)?;
    let list = field.get_or_insert_default();
    if start.nil {
        return reader.skip();
    }
    loop {
        match reader.next_event()? {
            XmlEvent::End => return Ok(()),
            XmlEvent::Text(text) if text.trim_ascii().is_empty() => {}
            XmlEvent::Text(_) => reader.report_lost_value(wrapper_name),
            XmlEvent::Element(start) if start.name() != item_name => reader.skip_unknown(&start)?,
            XmlEvent::Element(start) if start.nil => reader.skip()?,
            XmlEvent::Element(_) => match reader.text_if_simple()? {
                Some(text) if text.trim_ascii().is_empty() => {}
                text => match text.and_then(T::from_xml_text) {
                    Some(item) => list.push(item),
                    None => reader.report_lost_value(item_name),
                },
            },
        }
    }
}

const fn reject_repeated<T>(field: Option<&T>, name: &'static str) -> Result<(), XmlError> {
    if field.is_some() { Err(XmlError::Repeated(name)) } else { Ok(()) }
}
