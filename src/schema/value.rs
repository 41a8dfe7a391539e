//! Values with rules of their own.

use std::borrow::Cow;

/// Why a text is not the value it should be. Never quotes the text: it may be personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidValue {
    /// Stable, `snake_case`, for programs: `check_digit`, `too_long`, …
    pub code: &'static str,
    /// For people: what the value must be.
    pub detail: Cow<'static, str>,
}

impl InvalidValue {
    /// A reason with a fixed explanation.
    pub const fn new(code: &'static str, detail: &'static str) -> Self {
        Self { code, detail: Cow::Borrowed(detail) }
    }
}

/// What a value's text may be, for documents that describe it (OpenAPI).
#[derive(Debug, Clone, Copy)]
pub struct Constraints {
    /// What the value is, in one sentence.
    pub description: &'static str,
    /// Fewest characters (Unicode code points).
    pub min_length: Option<usize>,
    /// Most characters (Unicode code points).
    pub max_length: Option<usize>,
    /// ECMA 262 pattern of the whole text.
    pub pattern: Option<&'static str>,
    /// JSON Schema format.
    pub format: Option<&'static str>,
    /// Every allowed text, when they can be listed.
    pub values: &'static [&'static str],
    /// An invented example.
    pub example: &'static str,
}

impl Constraints {
    /// A rule with nothing but a description and an example.
    pub const fn new(description: &'static str, example: &'static str) -> Self {
        Self { description, min_length: None, max_length: None, pattern: None, format: None, values: &[], example }
    }
}

/// A value with rules of its own.
pub trait Scalar: Sized {
    /// The rules in words and numbers.
    const CONSTRAINTS: Constraints;

    /// Reads the value.
    ///
    /// # Errors
    /// [`Invalid`] when the text breaks the rules.
    fn parse(text: &str) -> Result<Self, InvalidValue>;

    /// The text that [`Value::parse`] reads back as the same value.
    fn text(&self) -> Cow<'_, str>;
}

/// Is this character one that XML 1.0 can carry (production `Char`)?
pub const fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{1_0000}'..='\u{10_FFFF}')
}

/// JSON and debug output for values about people: JSON shows the text, `{:?}` only that there is one.
macro_rules! personal_value {
    ($t:ty) => { $crate::schema::personal_value!(generic [] $t); };
    (generic [$($g:tt)*] $t:ty) => {
        impl<$($g)*> serde::Serialize for $t {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&$crate::schema::Scalar::text(self))
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
