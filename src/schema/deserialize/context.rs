//! The state of reading one document: the errors so far.

use std::fmt::Display;

use serde::de::{IgnoredAny, MapAccess};

use crate::schema::{FieldError, Hint, InvalidValue, Warnings};

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

/// The errors found so far in a document that is being read. Pointers are relative to the value that is being read now.
#[derive(Debug)]
pub struct DeserializeContext {
    pub(super) naming: NamingConvention,
    errors: Vec<FieldError>,
    unlisted_errors: usize,
    warnings: Warnings,
}

impl DeserializeContext {
    /// Starts at the root of a document.
    pub(super) fn new(naming: NamingConvention) -> Self {
        Self { naming, errors: Vec::new(), unlisted_errors: 0, warnings: Warnings::default() }
    }

    /// Returns the document's value and the warnings about it, or the errors if there are any.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<(T, Warnings), Vec<FieldError>> {
        match value {
            Some(value) if self.errors.is_empty() => Ok((value, self.warnings)),
            _ => Err(self.into_errors()),
        }
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

    /// Records an error at the value that is being read.
    #[cold]
    pub fn add_error(&mut self, invalid: InvalidValue) {
        if self.errors.len() >= MAX_LISTED_ERRORS {
            self.unlisted_errors += 1;
            return;
        }
        self.errors.push(FieldError { pointer: String::new(), code: invalid.code, detail: invalid.detail });
    }

    /// Records a warning about the value that is being read.
    #[cold]
    pub fn add_warning(&mut self, hint: &'static Hint) {
        self.warnings.add(hint);
    }

    /// Records a warning about a field of the value that is being read.
    pub fn add_warning_at(&mut self, field: impl Display, hint: &'static Hint) {
        self.descend(field, |context| context.add_warning(hint));
    }

    /// Records an error at a field of the value that is being read.
    pub fn add_error_at(&mut self, field: impl Display, invalid: InvalidValue) {
        self.descend(field, |context| context.add_error(invalid));
    }

    /// Runs `read` one level deeper, at this key or index. The key costs nothing unless there are errors or warnings below it.
    pub fn descend<T>(&mut self, segment: impl Display, read: impl FnOnce(&mut Self) -> T) -> T {
        let (errors_before, warnings_before) = (self.errors.len(), self.warnings.len());
        let result = read(self);
        if self.errors.len() > errors_before || self.warnings.len() > warnings_before {
            self.prepend_to_pointers(&segment, errors_before, warnings_before);
        }
        result
    }

    #[cold]
    fn prepend_to_pointers(&mut self, segment: &dyn Display, errors_before: usize, warnings_before: usize) {
        let segment = format!("/{segment}");
        let errors = self.errors[errors_before..].iter_mut().map(|error| &mut error.pointer);
        let warnings = self.warnings.pointers_from(warnings_before);
        errors.chain(warnings).for_each(|pointer| pointer.insert_str(0, &segment));
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
