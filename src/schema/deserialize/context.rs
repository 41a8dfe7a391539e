//! The state of reading one document: the errors so far.

use std::cell::OnceCell;
use std::fmt::Display;

use serde::de::{IgnoredAny, MapAccess};

use super::canonical::CanonicalForm;
use super::outline::{Object, Outline};
use super::unknown_field;
use crate::schema::field_error::RecordIdentifier;
use crate::schema::{FieldError, Hint, InvalidValue, Warnings};

/// Maximum number of field errors that are listed. The others are counted.
pub const MAX_LISTED_ERRORS: usize = 1000;

/// Code of the last error of an incomplete list. Its detail states the total number. Its text is an older name, which clients use.
pub const TOO_MANY_ERRORS: &str = "too_many_mistakes";

/// Code of the error about `null`.
pub const NULL_NOT_ALLOWED: &str = "null_not_allowed";

/// Maximum length in bytes of an unknown key that is repeated in an error about a request.
const MAX_SHOWN_KEY_BYTES: usize = 40;

/// Number of bytes reserved for the pointer of an error or a warning, which grows from its end.
const POINTER_BYTES: usize = 32;

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
    /// Outlines the whole document.
    outline: fn(&mut Outline),
    /// The objects of the outline, once an error needed them.
    objects: OnceCell<Vec<Object>>,
    /// The canonical form, if its digest is needed.
    pub(super) canonical: Option<CanonicalForm>,
}

impl DeserializeContext {
    /// Starts at the root of a document with this outline.
    pub(super) fn new(naming: NamingConvention, outline: fn(&mut Outline)) -> Self {
        Self {
            naming,
            errors: Vec::new(),
            unlisted_errors: 0,
            warnings: Warnings::default(),
            outline,
            objects: OnceCell::new(),
            canonical: None,
        }
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
            let detail = format!("{total} errors to correct, of which the first {MAX_LISTED_ERRORS} are listed");
            errors.push(FieldError::new("", TOO_MANY_ERRORS, detail));
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
        self.errors.push(FieldError::new("", invalid.code, invalid.detail));
    }

    /// Returns the number of errors that are listed so far.
    pub fn error_count(&self) -> usize {
        self.errors.len()
    }

    /// Adds the caller's identifier of a record to the errors since `first`, which are about that record.
    #[cold]
    pub fn identify_errors(&mut self, first: usize, identifier: Option<&str>) {
        let Some(identifier) = identifier.and_then(RecordIdentifier::new) else { return };
        for error in &mut self.errors[first..] {
            error.mis_identifier = Some(identifier.clone());
        }
    }

    /// Replaces the explanation of the last error if it is about `null` in place of the value that is being read.
    #[cold]
    pub(super) fn explain_null(&mut self, detail: &'static str) {
        if let Some(error) = self.errors.last_mut().filter(|error| error.code == NULL_NOT_ALLOWED && error.pointer.is_empty()) {
            error.detail = detail.into();
        }
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

    /// Records a warning about a field of the value that is being read, with a detail of its own.
    #[cold]
    pub fn add_warning_about(&mut self, field: &'static str, hint: &'static Hint, detail: impl FnOnce() -> String) {
        self.descend(field, |context| context.warnings.add_with_detail(hint, || detail().into()));
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
        for pointer in errors.chain(warnings) {
            if pointer.is_empty() {
                pointer.reserve(POINTER_BYTES);
            }
            pointer.insert_str(0, &segment);
        }
    }

    /// Returns `true` if the document is JSON.
    pub fn is_json(&self) -> bool {
        self.naming == NamingConvention::Json
    }

    /// Skips the value of an unknown key of an object with these fields, and records an error.
    ///
    /// Callers also write personal data into keys. The error about a request therefore repeats a key only if it looks like a field name.
    ///
    /// # Errors
    /// Returns an error if the document is not well-formed.
    pub fn skip_unknown_field<'de, A: MapAccess<'de>>(
        &mut self,
        entries: &mut A,
        key: String,
        names: &[&'static str],
    ) -> Result<(), A::Error> {
        entries.next_value::<IgnoredAny>()?;
        let is_listed = self.errors.len() < MAX_LISTED_ERRORS;
        let objects = || &self.objects.get_or_init(|| Outline::objects(self.outline, self.is_json()))[..];
        let detail = is_listed.then(|| unknown_field::explain(&key, names, objects, self.is_json()));
        let invalid = InvalidValue { code: "unknown_field", detail: detail.unwrap_or_default().into() };
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
