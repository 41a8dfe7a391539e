//! The state of reading one document: the current position and the errors so far.

use std::fmt::{Display, Write as _};

use serde::de::{IgnoredAny, MapAccess};

use crate::schema::{FieldError, InvalidValue, camel_case, is_camel_case_of};

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

/// The position in a document that is being read, and the errors so far.
#[derive(Debug)]
pub struct DeserializeContext {
    pub(super) naming: NamingConvention,
    pointer: String,
    errors: Vec<FieldError>,
    unlisted_errors: usize,
}

impl DeserializeContext {
    /// Starts at the root of a document.
    pub(super) const fn new(naming: NamingConvention) -> Self {
        Self { naming, pointer: String::new(), errors: Vec::new(), unlisted_errors: 0 }
    }

    /// Returns the document's value, or the errors if there are any.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, Vec<FieldError>> {
        match value {
            Some(value) if self.errors.is_empty() => Ok(value),
            _ if self.unlisted_errors == 0 => Err(self.errors),
            _ => {
                let total = self.errors.len() + self.unlisted_errors;
                let detail = format!("{total} errors to correct, of which the first {MAX_LISTED_ERRORS} are listed").into();
                let summary = FieldError { pointer: String::new(), code: TOO_MANY_ERRORS, detail };
                Err(self.errors.into_iter().chain([summary]).collect())
            }
        }
    }

    /// Records an error at the current position.
    pub fn add_error(&mut self, invalid: InvalidValue) {
        if self.errors.len() >= MAX_LISTED_ERRORS {
            self.unlisted_errors += 1;
            return;
        }
        self.errors.push(FieldError { pointer: self.pointer.clone(), code: invalid.code, detail: invalid.detail });
    }

    /// Runs `read` one level deeper, at this key or index.
    pub fn descend<T>(&mut self, key: impl Display, read: impl FnOnce(&mut Self) -> T) -> T {
        let parent_length = self.pointer.len();
        let _ = write!(self.pointer, "/{key}");
        let result = read(self);
        self.pointer.truncate(parent_length);
        result
    }

    /// Returns `true` if `key` is the field's name in this document.
    pub fn is_named(&self, key: &str, field: &str) -> bool {
        match self.naming {
            NamingConvention::Json => is_camel_case_of(key, field),
            NamingConvention::Settings => key == field,
        }
    }

    /// Returns the field's name in this document.
    pub(super) fn name_of(&self, field: &str) -> String {
        match self.naming {
            NamingConvention::Json => camel_case(field),
            NamingConvention::Settings => field.to_owned(),
        }
    }

    /// Skips the value of an unknown key and records an error.
    ///
    /// Callers also write personal data into keys. The error about a request therefore repeats a key only if it looks like a field name.
    ///
    /// # Errors
    /// Returns an error if the document is not well-formed.
    pub fn skip_unknown_field<'de, A: MapAccess<'de>>(&mut self, entries: &mut A, key: &str) -> Result<(), A::Error> {
        entries.next_value::<IgnoredAny>()?;
        let invalid = InvalidValue::new("unknown_field", "unknown field; correct its name or remove it");
        let is_short = !key.is_empty() && key.len() <= MAX_SHOWN_KEY_BYTES;
        let looks_like_field_name = is_short && key.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        if looks_like_field_name || self.naming == NamingConvention::Settings {
            self.descend(key, |context| context.add_error(invalid));
        } else {
            self.add_error(invalid);
        }
        Ok(())
    }
}
