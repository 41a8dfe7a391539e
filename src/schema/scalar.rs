//! Scalars: values that are one text with constraints.

use std::borrow::Cow;

/// A value that is one text with constraints.
pub trait Scalar: Sized {
    /// The constraints, as the OpenAPI document states them.
    const CONSTRAINTS: Constraints;

    /// Parses the text.
    ///
    /// # Errors
    /// Returns [`InvalidValue`] if the text violates a constraint.
    fn parse(text: &str) -> Result<Self, InvalidValue>;

    /// Returns the text that [`Scalar::parse`] parses to the same value.
    fn text(&self) -> Cow<'_, str>;
}

/// The constraints of a scalar's text.
#[derive(Debug, Clone, Copy)]
pub struct Constraints {
    /// The meaning of the value, in one sentence.
    pub description: &'static str,
    /// Minimum length in characters (Unicode code points).
    pub min_length: Option<usize>,
    /// Maximum length in characters (Unicode code points).
    pub max_length: Option<usize>,
    /// Regular expression for the text (ECMA-262).
    pub pattern: Option<&'static str>,
    /// JSON Schema format.
    pub format: Option<&'static str>,
    /// All allowed texts; empty if they are not a closed list.
    pub values: &'static [&'static str],
    /// An invented example.
    pub example: &'static str,
}

impl Constraints {
    /// Creates constraints that state only a description and an example.
    pub const fn new(description: &'static str, example: &'static str) -> Self {
        Self { description, min_length: None, max_length: None, pattern: None, format: None, values: &[], example }
    }
}

/// The reason why a text is not a valid value. Never quotes the text, which may be personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidValue {
    /// Machine-readable reason, stable and in `snake_case`: `check_digit`, `too_long`, …
    pub code: &'static str,
    /// Human-readable reason: what is wrong and what is allowed.
    pub detail: Cow<'static, str>,
}

impl InvalidValue {
    /// Creates a reason with a fixed detail.
    pub const fn new(code: &'static str, detail: &'static str) -> Self {
        Self { code, detail: Cow::Borrowed(detail) }
    }
}

/// Implements `Serialize` and `Debug` for a scalar that holds personal data: JSON contains its text, `{:?}` prints `[personal]`.
macro_rules! personal_value {
    ($t:ty) => { $crate::schema::personal_value!(generic [] $t); };
    (generic [$($g:tt)*] $t:ty) => {
        impl<$($g)*> serde::Serialize for $t {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&$crate::schema::Scalar::text(self))
            }
        }
        impl<$($g)*> std::fmt::Debug for $t {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("[personal]")
            }
        }
    };
}
pub(crate) use personal_value;
