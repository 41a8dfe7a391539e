//! A record's field while its record is being read.

use serde::de::{IgnoredAny, MapAccess};

use super::context::DeserializeContext;
use super::from_document::{FromDocument, Seed};
use crate::schema::InvalidValue;

/// The explanation of `null` in place of a required field.
const REQUIRED: &str = "is required and must not be null; give a value";
/// The explanation of `null` in place of an optional field.
const OPTIONAL: &str = "must not be null; leave the field out if it has no value";

/// A record's field while its record is being read.
#[derive(Debug)]
pub enum FieldState<T> {
    /// The document has not contained the field so far.
    Unread,
    /// The field was read. `None`: it cannot be used, and the error is recorded.
    Read(Option<T>),
}

impl<T: FromDocument> FieldState<T> {
    /// Reads the field's value. Records an error if the field was read before. `has_default`: the field can be absent, whatever its type.
    ///
    /// # Errors
    /// Returns an error if the document is not well-formed.
    pub fn read<'de, A: MapAccess<'de>>(
        &mut self,
        entries: &mut A,
        name: &'static str,
        has_default: bool,
        context: &mut DeserializeContext,
    ) -> Result<(), A::Error> {
        context.descend(name, |context| {
            match self {
                Self::Unread => {
                    let value = entries.next_value_seed(Seed::new(context))?;
                    if value.is_none() {
                        context.explain_null(if has_default || T::absent().is_some() { OPTIONAL } else { REQUIRED });
                    }
                    *self = Self::Read(value);
                }
                Self::Read(value) => {
                    entries.next_value::<IgnoredAny>()?;
                    // Neither of the two values counts.
                    *value = None;
                    context.add_error(InvalidValue::new("duplicate_field", "must not be given twice"));
                }
            }
            Ok(())
        })?;
        if let Some(canonical) = &mut context.canonical {
            canonical.end_field(name);
        }
        Ok(())
    }

    /// Returns the field's value. A field that was not read has the value `absent()`; if that is `None`, an error is recorded.
    pub fn into_value(self, absent: impl FnOnce() -> Option<T>, name: &'static str, context: &mut DeserializeContext) -> Option<T> {
        if let Self::Read(value) = self {
            return value;
        }
        let value = absent();
        if value.is_none() {
            context.add_error_at(name, InvalidValue::new("required", "is required"));
        }
        value
    }
}
