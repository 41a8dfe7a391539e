//! The state of reading one document: the current position and the errors so far.

use std::borrow::Cow;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess};

use crate::schema::{FieldError, InvalidValue};

/// Maximum number of field errors that are listed. The others are counted.
pub const MAX_LISTED_ERRORS: usize = 1000;

/// Code of the last error of an incomplete list. Its detail states the total number. Its text is an older name, which clients use.
pub const TOO_MANY_ERRORS: &str = "too_many_mistakes";

/// Maximum length in bytes of an unknown key that is repeated in an error about a request.
const MAX_SHOWN_KEY_BYTES: usize = 40;

/// How a document names its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamingConvention {
    /// JSON: `givenName`. A string is not accepted as a number.
    Json,
    /// TOML and environment variables: `given_name`. A string is accepted as a number or boolean.
    Settings,
}

/// A step from a value to a value inside it.
#[derive(Debug)]
pub enum PathSegment {
    /// To the value of a key.
    Key(Cow<'static, str>),
    /// To the item of a list.
    Index(usize),
}

/// The position in a document that is being read, and the errors so far.
#[derive(Debug)]
pub struct DeserializeContext {
    pub(super) naming: NamingConvention,
    path: Vec<PathSegment>,
    errors: Vec<FieldError>,
    unlisted_errors: usize,
}

impl DeserializeContext {
    /// Starts at the root of a document.
    pub(super) const fn new(naming: NamingConvention) -> Self {
        Self { naming, path: Vec::new(), errors: Vec::new(), unlisted_errors: 0 }
    }

    /// Returns the document's value, or the errors if there are any.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, Vec<FieldError>> {
        value.filter(|_| self.errors.is_empty()).ok_or_else(|| self.into_errors())
    }

    /// Returns the errors.
    pub(super) fn into_errors(self) -> Vec<FieldError> {
        let mut errors = self.errors;
        if self.unlisted_errors > 0 {
            let total = errors.len() + self.unlisted_errors;
            let detail = format!("{total} errors to correct, of which the first {MAX_LISTED_ERRORS} are listed").into();
            errors.push(FieldError { pointer: String::new(), code: TOO_MANY_ERRORS, detail });
        }
        errors
    }

    /// Records an error at the current position.
    pub fn add_error(&mut self, invalid: InvalidValue) {
        if self.errors.len() >= MAX_LISTED_ERRORS {
            self.unlisted_errors += 1;
            return;
        }
        let pointer = self.path.iter().map(|segment| format!("/{segment}")).collect();
        self.errors.push(FieldError { pointer, code: invalid.code, detail: invalid.detail });
    }

    /// Records an error at a field of the current position.
    pub fn add_error_at(&mut self, field: impl Into<PathSegment>, invalid: InvalidValue) {
        self.descend(field, |context| context.add_error(invalid));
    }

    /// Runs `read` one level deeper, at this key or index.
    pub fn descend<T>(&mut self, segment: impl Into<PathSegment>, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(segment.into());
        let result = read(self);
        self.path.pop();
        result
    }

    /// Returns `true` if the document is JSON.
    pub fn is_json(&self) -> bool {
        self.naming == NamingConvention::Json
    }

    /// Skips the value of an unknown key and records an error.
    ///
    /// Callers also write personal data into keys. The error about a request therefore repeats a key only if it looks like a field name.
    ///
    /// # Errors
    /// Returns an error if the document is not well-formed.
    pub fn skip_unknown_field<'de, A: MapAccess<'de>>(&mut self, entries: &mut A, key: String) -> Result<(), A::Error> {
        entries.next_value::<IgnoredAny>()?;
        let invalid = InvalidValue::new("unknown_field", "unknown field; correct its name or remove it");
        let is_short = !key.is_empty() && key.len() <= MAX_SHOWN_KEY_BYTES;
        let looks_like_field_name = is_short && key.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        if looks_like_field_name || self.naming == NamingConvention::Settings {
            self.add_error_at(key, invalid);
        } else {
            self.add_error(invalid);
        }
        Ok(())
    }
}

impl From<&'static str> for PathSegment {
    fn from(key: &'static str) -> Self {
        Self::Key(Cow::Borrowed(key))
    }
}

impl From<String> for PathSegment {
    fn from(key: String) -> Self {
        Self::Key(Cow::Owned(key))
    }
}

impl From<usize> for PathSegment {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

impl fmt::Display for PathSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => f.write_str(key),
            Self::Index(index) => write!(f, "{index}"),
        }
    }
}
