//! LRS's notation of scalars.

use std::borrow::Cow;

use crate::schema::Scalar;
use crate::xml::{FromXmlText, ToXmlText};

/// A scalar of LRS's messages. LRS writes the words of a code list as codes, and other scalars as JSON does, unless the methods are
/// replaced.
pub trait FromLrs: Scalar {
    /// Whether a text of white space is a value. For dates and codes it means “no value”.
    const ALLOWS_BLANK: bool = false;

    /// Returns `true` if a text that is not empty means “no value”.
    fn means_no_value(_text: &str) -> bool {
        false
    }

    /// Parses LRS's notation; `None` if the text is not documented.
    fn from_lrs(text: &str) -> Option<Self> {
        let Some(table) = Self::CONSTRAINTS.code_table else { return Self::parse(text).ok() };
        let entry = table.entries.iter().find(|entry| entry.lrs == Some(text))?;
        Self::parse(entry.word).ok()
    }

    /// Returns LRS's notation.
    fn to_lrs(&self) -> Cow<'_, str> {
        let text = self.text();
        let entries = Self::CONSTRAINTS.code_table.map_or(&[][..], |table| table.entries);
        entries.iter().find(|entry| entry.word == text).and_then(|entry| entry.lrs).map_or(text, Cow::Borrowed)
    }
}

impl<T: FromLrs> ToXmlText for T {
    fn to_xml_text(&self) -> Cow<'_, str> {
        self.to_lrs()
    }
}

impl<T: FromLrs> FromXmlText for T {
    const ALLOWS_BLANK: bool = T::ALLOWS_BLANK;

    fn means_no_value(text: &str) -> bool {
        <T as FromLrs>::means_no_value(text)
    }

    fn from_xml_text(text: Cow<'_, str>) -> Option<Self> {
        T::from_lrs(&text)
    }
}
