//! A setting that is one value or a list of values.

use std::ops::Deref;

use serde::de::value::{Error, StrDeserializer};
use serde::de::{Deserializer, SeqAccess};

use super::context::DeserializeContext;
use super::from_document::FromDocument;
use super::list::Items;
use super::value::{Accept, Found, read_value};
use crate::schema::{InvalidValue, SettingType, SettingValues};

/// One value or more: a text, or a list of texts that is not empty. A text can be several values that are separated by commas, as in a
/// variable of the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOrMore<T>(Vec<T>);

impl<T> OneOrMore<T> {
    /// Creates one value.
    pub fn one(value: T) -> Self {
        Self(vec![value])
    }
}

/// A list that is not empty.
impl<T> From<Vec<T>> for OneOrMore<T> {
    fn from(values: Vec<T>) -> Self {
        Self(values)
    }
}

impl<T> Deref for OneOrMore<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: FromDocument> FromDocument for OneOrMore<T> {
    fn read<'de, D: Deserializer<'de>>(input: D, context: &mut DeserializeContext) -> Result<Option<Self>, D::Error> {
        Ok(read_value(input, context, Values(Vec::new()))?.map(Self))
    }
}

struct Values<T>(Vec<T>);

impl<'de, T: FromDocument> Accept<'de> for Values<T> {
    type Value = Vec<T>;
    const EXPECTED: &'static str = "must be a string, or a list of strings";

    fn scalar(self, found: Found<'_>, context: &mut DeserializeContext) -> Option<Vec<T>> {
        let Found::String(text) = found else {
            context.add_error(found.wrong_type(Self::EXPECTED));
            return None;
        };
        let read = |text: &str| T::read(StrDeserializer::<Error>::new(text), context).ok().flatten();
        text.split(',').map(str::trim).map(read).collect()
    }

    fn list<A: SeqAccess<'de>>(mut self, list: A, context: &mut DeserializeContext) -> Result<Option<Vec<T>>, A::Error> {
        let is_valid = Items::new(|item, _| self.0.push(item)).list(list, context)?;
        if self.0.is_empty() && is_valid == Some(true) {
            context.add_error(InvalidValue::new("too_short", "must not be an empty list"));
            return Ok(None);
        }
        Ok(is_valid.unwrap_or(false).then_some(self.0))
    }
}

impl<T: SettingType> SettingType for OneOrMore<T> {
    fn values() -> SettingValues {
        match T::values() {
            SettingValues::Text(text) => SettingValues::Text(format!("{text}, or a list of them")),
            values => values,
        }
    }

    fn toml_text(&self) -> Option<String> {
        match &self.0[..] {
            [one] => one.toml_text(),
            _ => self.0.toml_text(),
        }
    }
}
