//! Writing XML. Values can only be written through an escape; names are constants of the program.

use std::borrow::Cow;

use crate::domain::{BoundedText, EmailAddress, Extensible, FromLrs, OrganisationRef, Personal, Postcode, ScottishCandidateNumber, Ukprn};
use crate::lrs::soap::{ENVELOPE, XSI};
use crate::schema::{Scalar as _, is_xml_char};

/// A value as LRS spells it.
pub trait ToXmlText {
    /// LRS's text.
    fn to_xml_text(&self) -> Cow<'_, str>;
}

macro_rules! own_text {
    ($($t:ty),*) => {$(
        impl ToXmlText for $t {
            fn to_xml_text(&self) -> Cow<'_, str> {
                self.text()
            }
        }
    )*};
}
own_text!(Ukprn, OrganisationRef, Postcode, EmailAddress, ScottishCandidateNumber);

impl<const MIN: usize, const MAX: usize> ToXmlText for BoundedText<MIN, MAX> {
    fn to_xml_text(&self) -> Cow<'_, str> {
        self.text()
    }
}

impl<T: FromLrs> ToXmlText for T {
    fn to_xml_text(&self) -> Cow<'_, str> {
        self.to_lrs()
    }
}

impl<T: FromLrs> ToXmlText for Extensible<T> {
    fn to_xml_text(&self) -> Cow<'_, str> {
        self.to_lrs()
    }
}

impl<T: ToXmlText> ToXmlText for Personal<T> {
    fn to_xml_text(&self) -> Cow<'_, str> {
        self.reveal().to_xml_text()
    }
}

impl ToXmlText for String {
    fn to_xml_text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }
}

impl ToXmlText for str {
    fn to_xml_text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }
}

macro_rules! numbers {
    ($($t:ty),*) => {$(
        impl ToXmlText for $t {
            fn to_xml_text(&self) -> Cow<'_, str> {
                Cow::Owned(self.to_string())
            }
        }
    )*};
}
numbers!(i32, i64, usize);

/// A character that XML cannot carry was about to be written. Values that were parsed never hold one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a character that XML cannot carry")]
pub struct IllegalCharacter;

/// XML being written.
#[derive(Default)]
pub struct XmlWriter {
    xml: String,
    illegal: bool,
}

impl XmlWriter {
    /// An empty document, ready for about this many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { xml: String::with_capacity(bytes), illegal: false }
    }

    /// An envelope around what `body` writes.
    ///
    /// # Errors
    /// [`IllegalCharacter`], and then nothing must be sent.
    pub fn envelope(body: impl FnOnce(&mut Self)) -> Result<String, IllegalCharacter> {
        let mut writer = Self::with_capacity(2048);
        writer.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope xmlns:soapenv=\"");
        writer.raw(ENVELOPE);
        writer.raw("\" xmlns:xsi=\"");
        writer.raw(XSI);
        writer.raw("\"><soapenv:Body>");
        body(&mut writer);
        writer.raw("</soapenv:Body></soapenv:Envelope>");
        writer.finish()
    }

    /// The text written so far.
    ///
    /// # Errors
    /// [`IllegalCharacter`] if any was met.
    pub fn finish(self) -> Result<String, IllegalCharacter> {
        if self.illegal { Err(IllegalCharacter) } else { Ok(self.xml) }
    }

    /// `<name attributes>…</name>`; `attributes` is written as it stands.
    pub fn element(&mut self, name: &'static str, attributes: &'static str, content: impl FnOnce(&mut Self)) {
        self.named(name, attributes, content);
    }

    /// The same for a name that was read from a document.
    pub(super) fn named(&mut self, name: &str, attributes: &'static str, content: impl FnOnce(&mut Self)) {
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

    /// `<name>value</name>`
    pub fn value<T: ToXmlText + ?Sized>(&mut self, name: &'static str, value: &T) {
        self.element(name, "", |writer| writer.text(&value.to_xml_text()));
    }

    /// The value, or nothing.
    pub fn optional<T: ToXmlText>(&mut self, name: &'static str, value: Option<&T>) {
        if let Some(value) = value {
            self.value(name, value);
        }
    }

    /// The value, or `<name xsi:nil="true"/>`: for elements LRS wants to see either way.
    pub fn nillable<T: ToXmlText>(&mut self, name: &'static str, value: Option<&T>) {
        if let Some(value) = value {
            self.value(name, value);
        } else {
            self.raw("<");
            self.raw(name);
            self.raw(" xsi:nil=\"true\"/>");
        }
    }

    /// Character data. A reader gets exactly this text back: `\r`, which XML readers would turn into `\n`, goes as a reference.
    pub fn text(&mut self, text: &str) {
        let mut written = 0;
        for (at, c) in text.char_indices() {
            let escaped = match c {
                '<' => "&lt;",
                '>' => "&gt;",
                '&' => "&amp;",
                '\r' => "&#13;",
                c if is_xml_char(c) => continue,
                _ => {
                    self.illegal = true;
                    ""
                }
            };
            self.xml.push_str(&text[written..at]);
            self.xml.push_str(escaped);
            written = at + c.len_utf8();
        }
        self.xml.push_str(&text[written..]);
    }

    fn raw(&mut self, markup: &'static str) {
        self.xml.push_str(markup);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_become_markup() {
        let mut writer = XmlWriter::default();
        writer.value("Name", "a & b <c attr=\"d\"/> ]]> 'e'\r\n");
        let xml = writer.finish().expect("legal");
        assert_eq!(xml, "<Name>a &amp; b &lt;c attr=\"d\"/&gt; ]]&gt; 'e'&#13;\n</Name>");
    }

    #[test]
    fn illegal_characters_stop_the_message() {
        for text in ["a\u{1}b", "\0", "\u{FFFF}"] {
            assert_eq!(XmlWriter::envelope(|writer| writer.value("Name", text)), Err(IllegalCharacter), "{text:?}");
        }
    }

    #[test]
    fn absent_values_are_left_out_or_nil() {
        let mut writer = XmlWriter::default();
        writer.optional::<String>("A", None);
        writer.nillable::<String>("B", None);
        writer.nillable("C", Some(&String::new()));
        assert_eq!(writer.finish().expect("legal"), "<B xsi:nil=\"true\"/><C></C>");
    }
}
