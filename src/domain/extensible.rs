//! Values that LRS sends: ours to name, LRS's to extend.

use std::borrow::Cow;
use std::fmt;

use serde::{Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use crate::domain::{Date, Uln};
use crate::schema::Scalar;
use crate::schema::openapi::{PropertySchema, open_text};

/// A value LRS sent: one we know, or its text exactly as it came.
///
/// Reading never fails on a text nobody documented; it stays visible to the caller verbatim.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Extensible<T> {
    /// A documented value.
    Known(T),
    /// Any other text, as LRS wrote it.
    Verbatim(Box<str>),
}

/// A value that can be read from LRS's own notation.
pub trait FromLrs: Scalar {
    /// The value, if LRS's text is one we know.
    fn from_lrs(text: &str) -> Option<Self>;

    /// LRS's text for it.
    fn to_lrs(&self) -> Cow<'_, str>;
}

impl<T: FromLrs> Extensible<T> {
    /// Reads LRS's text. White space around a known value does not make it unknown.
    pub fn from_lrs(text: &str) -> Self {
        T::from_lrs(text.trim()).map_or_else(|| Self::Verbatim(text.into()), Self::Known)
    }

    /// LRS's text for it.
    pub fn to_lrs(&self) -> Cow<'_, str> {
        match self {
            Self::Known(value) => value.to_lrs(),
            Self::Verbatim(text) => Cow::Borrowed(text),
        }
    }

    /// The documented value, if it is one.
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Verbatim(_) => None,
        }
    }
}

/// May be personal either way, so it is not shown.
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
    fn schema() -> RefOr<Schema> {
        open_text(&T::CONSTRAINTS)
    }
}

/// LRS writes these exactly as we do.
macro_rules! same_in_lrs {
    ($($t:ty),*) => {$(
        impl FromLrs for $t {
            fn from_lrs(text: &str) -> Option<Self> {
                Self::parse(text).ok()
            }

            fn to_lrs(&self) -> Cow<'_, str> {
                self.text()
            }
        }
    )*};
}
same_in_lrs!(Uln, Date);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Gender;

    #[test]
    fn undocumented_texts_stay_visible() {
        let json = |text| serde_json::to_string(&Extensible::<Gender>::from_lrs(text)).expect("a string");
        assert_eq!(json("2"), "\"FEMALE\"");
        assert_eq!(json(" 2 "), "\"FEMALE\"");
        assert_eq!(json("7"), "\"7\"");
        assert_eq!(Extensible::<Date>::from_lrs("1900-02-29").to_lrs(), "1900-02-29");
        assert_eq!(format!("{:?}", Extensible::<Date>::from_lrs("1900-02-29")), "[personal]");
    }
}
