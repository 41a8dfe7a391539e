//! Values as the text of an XML element, in LRS's notation.

use std::borrow::Cow;

use crate::domain::{BoundedText, EmailAddress, Extensible, FromLrs, OrganisationRef, Personal, Postcode, ScottishCandidateNumber, Ukprn};
use crate::schema::Scalar as _;

/// A value that is written as an element's text.
pub trait ToXmlText {
    /// Returns LRS's notation.
    fn to_xml_text(&self) -> Cow<'_, str>;
}

/// A value that is read from an element's text.
pub trait FromXmlText: ToXmlText + Sized {
    /// Whether a text of white space is a value. For dates, codes and numbers it means “no value”.
    const ALLOWS_BLANK: bool = false;

    /// Parses LRS's notation; `None` if the text is not such a value.
    fn from_xml_text(text: &str) -> Option<Self>;
}

/// Values that LRS writes in a notation of its own.
impl<T: FromLrs> ToXmlText for T {
    fn to_xml_text(&self) -> Cow<'_, str> {
        self.to_lrs()
    }
}

impl<T: FromLrs> FromXmlText for T {
    fn from_xml_text(text: &str) -> Option<Self> {
        T::from_lrs(text)
    }
}

impl<T: FromLrs> ToXmlText for Extensible<T> {
    fn to_xml_text(&self) -> Cow<'_, str> {
        self.to_lrs()
    }
}

impl<T: FromLrs> FromXmlText for Extensible<T> {
    fn from_xml_text(text: &str) -> Option<Self> {
        Some(Self::from_lrs(text))
    }
}

impl<T: ToXmlText> ToXmlText for Personal<T> {
    fn to_xml_text(&self) -> Cow<'_, str> {
        self.reveal().to_xml_text()
    }
}

impl<T: FromXmlText> FromXmlText for Personal<T> {
    const ALLOWS_BLANK: bool = T::ALLOWS_BLANK;

    fn from_xml_text(text: &str) -> Option<Self> {
        T::from_xml_text(text).map(Self::new)
    }
}

/// Scalars that LRS and JSON write in the same way.
macro_rules! written_as_scalar {
    ($([$($g:tt)*] $t:ty),*) => {$(
        impl<$($g)*> ToXmlText for $t {
            fn to_xml_text(&self) -> Cow<'_, str> {
                self.text()
            }
        }
    )*};
}
written_as_scalar!([const MIN: usize, const MAX: usize] BoundedText<MIN, MAX>, [] Postcode, [] EmailAddress);
written_as_scalar!([] ScottishCandidateNumber, [] Ukprn, [] OrganisationRef);

/// Scalars that are validated when they are read. They occur in requests, which the simulator reads.
macro_rules! read_as_scalar {
    ($([$($g:tt)*] $t:ty),*) => {$(
        impl<$($g)*> FromXmlText for $t {
            const ALLOWS_BLANK: bool = true;

            fn from_xml_text(text: &str) -> Option<Self> {
                Self::parse(text).ok()
            }
        }
    )*};
}
read_as_scalar!([const MIN: usize, const MAX: usize] BoundedText<MIN, MAX>, [] Postcode, [] EmailAddress, [] ScottishCandidateNumber);

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

    fn from_xml_text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

macro_rules! written_integers {
    ($($t:ty),*) => {$(
        impl ToXmlText for $t {
            fn to_xml_text(&self) -> Cow<'_, str> {
                Cow::Owned(self.to_string())
            }
        }
    )*};
}
written_integers!(i32, i64, usize);

macro_rules! read_integers {
    ($($t:ty),*) => {$(
        impl FromXmlText for $t {
            fn from_xml_text(text: &str) -> Option<Self> {
                text.trim_ascii().parse().ok()
            }
        }
    )*};
}
read_integers!(i32, i64);
