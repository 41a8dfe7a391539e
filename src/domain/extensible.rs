//! Values that LRS sends, with or without documentation.

use std::borrow::Cow;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::domain::FromLrs;
use crate::schema::Scalar;
use crate::schema::openapi::{PropertySchema, SchemaOrRef, Schemas, collect_extensible_string, extensible_string_schema};
use crate::xml::{FromXmlText, ToXmlText};

/// A value that LRS sent: a documented value, or any other text, unchanged.
///
/// Reading never fails on an undocumented text. Callers receive it verbatim.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Extensible<T> {
    /// A documented value.
    Known(T),
    /// Any other text, as LRS sent it.
    Verbatim(Box<str>),
}

impl<T: FromLrs> Extensible<T> {
    /// Reads LRS's text. White space around a documented value is ignored.
    pub fn from_lrs(text: &str) -> Self {
        T::from_lrs(text.trim()).map_or_else(|| Self::Verbatim(text.into()), Self::Known)
    }

    /// Returns LRS's notation.
    pub fn to_lrs(&self) -> Cow<'_, str> {
        match self {
            Self::Known(value) => value.to_lrs(),
            Self::Verbatim(text) => Cow::Borrowed(text),
        }
    }

    /// Returns the documented value; `None` for any other text.
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Verbatim(_) => None,
        }
    }
}

/// Hides the value: both variants may be personal data.
impl<T> fmt::Debug for Extensible<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[personal]")
    }
}

impl<T: Scalar> Serialize for Extensible<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known(value) => serializer.serialize_str(&value.text()),
            Self::Verbatim(text) => serializer.serialize_str(text),
        }
    }
}

impl<T: Scalar> PropertySchema for Extensible<T> {
    fn schema() -> SchemaOrRef {
        extensible_string_schema(&T::CONSTRAINTS)
    }

    fn collect(schemas: &mut Schemas) {
        collect_extensible_string(&T::CONSTRAINTS, schemas);
    }
}

impl<T: FromLrs> ToXmlText for Extensible<T> {
    fn to_xml_text(&self) -> Cow<'_, str> {
        self.to_lrs()
    }
}

impl<T: FromLrs> FromXmlText for Extensible<T> {
    fn means_no_value(text: &str) -> bool {
        <T as FromLrs>::means_no_value(text)
    }

    fn from_xml_text(text: Cow<'_, str>) -> Option<Self> {
        Some(Self::from_lrs(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Date, Gender};

    #[test]
    fn extensible_value_undocumented_is_passed_on_verbatim() {
        let json = |text| serde_json::to_string(&Extensible::<Gender>::from_lrs(text)).expect("a string");
        assert_eq!(json("2"), "\"FEMALE\"");
        assert_eq!(json(" 2 "), "\"FEMALE\"");
        assert_eq!(json("7"), "\"7\"");
        assert_eq!(Extensible::<Date>::from_lrs("1900-02-29").to_lrs(), "1900-02-29");
        assert_eq!(format!("{:?}", Extensible::<Date>::from_lrs("1900-02-29")), "[personal]");
    }
}
