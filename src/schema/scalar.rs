//! Scalars: values that are one text with constraints.

use std::borrow::Cow;

use super::code_list::{CodeList, CodeTable};

/// A value that is one text with constraints.
pub trait Scalar: Sized {
    /// The constraints, as the OpenAPI document states them.
    const CONSTRAINTS: Constraints;

    /// Parses the text.
    ///
    /// # Errors
    /// Returns [`InvalidValue`] if the text violates a constraint.
    fn parse(text: &str) -> Result<Self, InvalidValue>;

    /// Parses the text of a caller, who gets the hints about a valid value as warnings.
    ///
    /// # Errors
    /// Returns the error of [`Scalar::parse`].
    fn parse_with_hints(text: &str, _add_hint: &mut dyn FnMut(&'static Hint)) -> Result<Self, InvalidValue> {
        Self::parse(text)
    }

    /// Returns the text that [`Scalar::parse`] parses to the same value.
    fn text(&self) -> Cow<'_, str>;
}

/// A word of a code list.
impl<T: CodeList> Scalar for T {
    const CONSTRAINTS: Constraints = Constraints { code_table: Some(T::TABLE), ..Constraints::new(T::TABLE.description, "") };

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        T::ALL.iter().copied().find(|value| value.word() == text).ok_or_else(|| {
            let words: Vec<_> = T::TABLE.words().collect();
            InvalidValue { code: "unknown_value", detail: format!("must be one of {}", words.join(", ")).into() }
        })
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.word())
    }
}

/// The constraints of a scalar's text.
#[derive(Debug, Clone, Copy)]
pub struct Constraints {
    /// What the schema's keywords do not say about the value, in one sentence. Empty if that is nothing.
    pub description: &'static str,
    /// Minimum length in characters (Unicode code points).
    pub min_length: Option<usize>,
    /// Maximum length in characters (Unicode code points).
    pub max_length: Option<usize>,
    /// Regular expression for the text (ECMA-262), anchored. A text that has a format has none.
    pub pattern: Option<&'static str>,
    /// JSON Schema format.
    pub format: Option<&'static str>,
    /// The code list whose words are the allowed texts, if the value is of one.
    pub code_table: Option<&'static CodeTable>,
    /// An invented example. Empty if values of the type have too little in common: then each field has its own.
    pub example: &'static str,
}

impl Constraints {
    /// Creates constraints that state only a description and an example.
    pub const fn new(description: &'static str, example: &'static str) -> Self {
        Self { description, min_length: None, max_length: None, pattern: None, format: None, code_table: None, example }
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

/// What a warning says, for any field. It never quotes a value, which may be personal data.
#[derive(Debug, PartialEq, Eq)]
pub struct Hint {
    /// Machine-readable reason, stable and in `snake_case`.
    pub code: &'static str,
    /// Human-readable reason, and what to do.
    pub detail: &'static str,
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
