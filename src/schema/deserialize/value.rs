//! Values of one kind: every other kind is consumed and recorded as an error.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::canonical::CanonicalForm;
use super::context::{DeserializeContext, NULL_NOT_ALLOWED};
use crate::schema::InvalidValue;

/// The value found in a document.
pub(super) enum Found<'a> {
    String(&'a str),
    Integer(i128),
    Fraction,
    Boolean(bool),
    Null,
    List,
    Object,
}

impl Found<'_> {
    /// Returns the error for a value of another type than expected.
    pub(super) const fn wrong_type(&self, expected: &'static str) -> InvalidValue {
        match self {
            Self::Null => InvalidValue::new(NULL_NOT_ALLOWED, expected),
            _ => InvalidValue::new("wrong_type", expected),
        }
    }
}

/// Accepts one kind of value. Each method that an implementation leaves out rejects its kinds.
pub(super) trait Accept<'de>: Sized {
    /// The result of reading.
    type Value;
    /// The error for other kinds, as a clause.
    const EXPECTED: &'static str;

    /// Converts a string.
    fn string(self, text: &str, context: &mut DeserializeContext) -> Option<Self::Value> {
        self.scalar(Found::String(text), context)
    }

    /// Converts a scalar. Rejected lists and objects end here too.
    fn scalar(self, found: Found<'_>, context: &mut DeserializeContext) -> Option<Self::Value> {
        context.add_error(found.wrong_type(Self::EXPECTED));
        None
    }

    /// Reads a list.
    fn list<A: SeqAccess<'de>>(self, mut list: A, context: &mut DeserializeContext) -> Result<Option<Self::Value>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(self.scalar(Found::List, context))
    }

    /// Reads an object.
    fn object<A: MapAccess<'de>>(self, mut entries: A, context: &mut DeserializeContext) -> Result<Option<Self::Value>, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(self.scalar(Found::Object, context))
    }
}

/// Reads one value of any kind.
pub(super) fn read_value<'de, T: Accept<'de>, D: Deserializer<'de>>(
    input: D,
    context: &mut DeserializeContext,
    accept: T,
) -> Result<Option<T::Value>, D::Error> {
    input.deserialize_any(ValueVisitor(accept, context))
}

struct ValueVisitor<'a, T>(T, &'a mut DeserializeContext);

impl<T> ValueVisitor<'_, T> {
    /// Adds to the canonical form, if it is needed.
    fn canonical(&mut self, add: impl FnOnce(&mut CanonicalForm)) {
        if let Some(canonical) = &mut self.1.canonical {
            add(canonical);
        }
    }
}

impl<'de, T: Accept<'de>> Visitor<'de> for ValueVisitor<'_, T> {
    type Value = Option<T::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_str<E>(mut self, text: &str) -> Result<Self::Value, E> {
        self.canonical(|form| form.text(text));
        Ok(self.0.string(text, self.1))
    }
    fn visit_i64<E>(mut self, number: i64) -> Result<Self::Value, E> {
        self.canonical(|form| form.integer(number.into()));
        Ok(self.0.scalar(Found::Integer(number.into()), self.1))
    }
    fn visit_u64<E>(mut self, number: u64) -> Result<Self::Value, E> {
        self.canonical(|form| form.integer(number.into()));
        Ok(self.0.scalar(Found::Integer(number.into()), self.1))
    }
    fn visit_f64<E>(mut self, number: f64) -> Result<Self::Value, E> {
        self.canonical(|form| form.fraction(number));
        Ok(self.0.scalar(Found::Fraction, self.1))
    }
    fn visit_bool<E>(mut self, value: bool) -> Result<Self::Value, E> {
        self.canonical(|form| form.boolean(value));
        Ok(self.0.scalar(Found::Boolean(value), self.1))
    }
    fn visit_unit<E>(mut self) -> Result<Self::Value, E> {
        self.canonical(CanonicalForm::null);
        Ok(self.0.scalar(Found::Null, self.1))
    }
    fn visit_seq<A: SeqAccess<'de>>(mut self, list: A) -> Result<Self::Value, A::Error> {
        self.canonical(CanonicalForm::start_list);
        let Self(accept, context) = self;
        let value = accept.list(list, context)?;
        if let Some(form) = &mut context.canonical {
            form.end_list();
        }
        Ok(value)
    }
    fn visit_map<A: MapAccess<'de>>(mut self, entries: A) -> Result<Self::Value, A::Error> {
        self.canonical(CanonicalForm::start_object);
        let Self(accept, context) = self;
        let value = accept.object(entries, context)?;
        if let Some(form) = &mut context.canonical {
            form.end_object();
        }
        Ok(value)
    }
}
