//! A record's field while its record is being read.

use serde::de::{IgnoredAny, MapAccess};

use super::context::DeserializeContext;
use super::from_document::{FromDocument, Seed};
use crate::schema::InvalidValue;

/// A record's field while its record is being read.
#[derive(Debug)]
pub enum FieldState<T> {
    /// The document has not contained the field so far.
    Unread,
    /// The field was read. `None`: it cannot be used, and the error is recorded.
    Read(Option<T>),
}

impl<T: FromDocument> FieldState<T> {
    /// Reads the field's value. Records an error if the field was read before.
    ///
    /// # Errors
    /// Returns an error if the document is not well-formed.
    pub fn read<'de, A: MapAccess<'de>>(
        &mut self,
        entries: &mut A,
        name: &'static str,
        context: &mut DeserializeContext,
    ) -> Result<(), A::Error> {
        context.descend(name, |context| {
            match self {
                Self::Unread => *self = Self::Read(entries.next_value_seed(Seed::new(context))?),
                Self::Read(_) => {
                    entries.next_value::<IgnoredAny>()?;
                    context.add_error(InvalidValue::new("duplicate_field", "must not be given twice"));
                }
            }
            Ok(())
        })
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
