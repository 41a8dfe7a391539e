//! Values as the text of an XML element.

use std::borrow::Cow;

/// A value that is written as an element's text.
pub trait ToXmlText {
    /// Returns the text.
    fn to_xml_text(&self) -> Cow<'_, str>;
}

/// A value that is read from an element's text.
pub trait FromXmlText: ToXmlText + Sized {
    /// Whether a text of white space is a value. For dates, codes and numbers it means “no value”.
    const ALLOWS_BLANK: bool = false;

    /// Returns `true` if a text that is not empty means “no value”, where a value is optional.
    fn means_no_value(_text: &str) -> bool {
        false
    }

    /// Parses the text; `None` if it is not such a value.
    fn from_xml_text(text: Cow<'_, str>) -> Option<Self>;
}

impl ToXmlText for str {
    fn to_xml_text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }
}

impl ToXmlText for String {
    fn to_xml_text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }
}

impl FromXmlText for String {
    const ALLOWS_BLANK: bool = true;

    fn from_xml_text(text: Cow<'_, str>) -> Option<Self> {
        Some(text.into_owned())
    }
}

macro_rules! integers {
    ($($t:ty),*) => {$(
        impl ToXmlText for $t {
            fn to_xml_text(&self) -> Cow<'_, str> {
                Cow::Owned(self.to_string())
            }
        }

        impl FromXmlText for $t {
            fn from_xml_text(text: Cow<'_, str>) -> Option<Self> {
                text.trim_ascii().parse().ok()
            }
        }
    )*};
}
integers!(i32, i64, usize);
