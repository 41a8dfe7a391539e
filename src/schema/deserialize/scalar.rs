//! Strings, numbers and booleans.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::context::{DeserializeContext, NamingConvention};
use super::from_document::FromDocument;
use super::visitor::NULL_NOT_ALLOWED;
use crate::schema::{InvalidValue, Scalar};

impl<T: Scalar> FromDocument for T {
    fn read<'de, D: Deserializer<'de>>(input: D, context: &mut DeserializeContext) -> Result<Option<Self>, D::Error> {
        let parse = |found: Found<'_>, _| match found {
            Found::String(text) => T::parse(text),
            other => Err(wrong_type(&other, "must be a string")),
        };
        ScalarVisitor(context, parse).read(input)
    }
}

macro_rules! integers {
    ($($t:ty),*) => {$(
        impl FromDocument for $t {
            fn read<'de, D: Deserializer<'de>>(input: D, context: &mut DeserializeContext) -> Result<Option<Self>, D::Error> {
                let parse = |found: Found<'_>, naming| {
                    let number = match found {
                        Found::Integer(number) => Some(number),
                        Found::String(text) if naming == NamingConvention::Settings => text.parse().ok(),
                        other => return Err(wrong_type(&other, "must be a whole number")),
                    };
                    number.and_then(|number| Self::try_from(number).ok()).ok_or_else(|| InvalidValue {
                        code: "out_of_range",
                        detail: format!("must be a whole number from {} to {}", Self::MIN, Self::MAX).into(),
                    })
                };
                ScalarVisitor(context, parse).read(input)
            }
        }
    )*};
}
integers!(i32, u16, u32, u64, usize);

impl FromDocument for bool {
    fn read<'de, D: Deserializer<'de>>(input: D, context: &mut DeserializeContext) -> Result<Option<Self>, D::Error> {
        let parse = |found: Found<'_>, naming| match found {
            Found::Boolean(value) => Ok(value),
            Found::String("true") if naming == NamingConvention::Settings => Ok(true),
            Found::String("false") if naming == NamingConvention::Settings => Ok(false),
            other => Err(wrong_type(&other, "must be true or false")),
        };
        ScalarVisitor(context, parse).read(input)
    }
}

/// A setting's text; it must not be empty.
impl FromDocument for String {
    fn read<'de, D: Deserializer<'de>>(input: D, context: &mut DeserializeContext) -> Result<Option<Self>, D::Error> {
        let parse = |found: Found<'_>, _| match found {
            Found::String("") => Err(InvalidValue::new("blank", "must not be empty")),
            Found::String(text) => Ok(text.to_owned()),
            other => Err(wrong_type(&other, "must be a string")),
        };
        ScalarVisitor(context, parse).read(input)
    }
}

impl FromDocument for SocketAddr {
    fn read<'de, D: Deserializer<'de>>(input: D, context: &mut DeserializeContext) -> Result<Option<Self>, D::Error> {
        let parse = |found: Found<'_>, _| match found {
            Found::String(text) => {
                text.parse().map_err(|_| InvalidValue::new("invalid_format", "must be an IP address and a port, such as 127.0.0.1:8080"))
            }
            other => Err(wrong_type(&other, "must be a string")),
        };
        ScalarVisitor(context, parse).read(input)
    }
}

impl FromDocument for PathBuf {
    fn read<'de, D: Deserializer<'de>>(input: D, context: &mut DeserializeContext) -> Result<Option<Self>, D::Error> {
        Ok(String::read(input, context)?.map(Self::from))
    }
}

/// The value found where a scalar is expected.
enum Found<'a> {
    String(&'a str),
    Integer(i128),
    Fraction,
    Boolean(bool),
    Null,
    List,
    Object,
}

/// Returns the error for a value of another type than expected.
const fn wrong_type(found: &Found<'_>, detail: &'static str) -> InvalidValue {
    match found {
        Found::Null => NULL_NOT_ALLOWED,
        _ => InvalidValue::new("wrong_type", detail),
    }
}

/// Reads one value of any type and converts it with a function.
struct ScalarVisitor<'a, F>(&'a mut DeserializeContext, F);

impl<'de, T, F: FnOnce(Found<'_>, NamingConvention) -> Result<T, InvalidValue>> ScalarVisitor<'_, F> {
    fn read<D: Deserializer<'de>>(self, input: D) -> Result<Option<T>, D::Error> {
        input.deserialize_any(self)
    }

    fn convert(self, found: Found<'_>) -> Option<T> {
        let Self(context, parse) = self;
        parse(found, context.naming).map_err(|invalid| context.add_error(invalid)).ok()
    }
}

impl<'de, T, F: FnOnce(Found<'_>, NamingConvention) -> Result<T, InvalidValue>> Visitor<'de> for ScalarVisitor<'_, F> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(self.convert(Found::String(text)))
    }
    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(self.convert(Found::Integer(number.into())))
    }
    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(self.convert(Found::Integer(number.into())))
    }
    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(self.convert(Found::Fraction))
    }
    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(self.convert(Found::Boolean(value)))
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(self.convert(Found::Null))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(self.convert(Found::List))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(self.convert(Found::Object))
    }
}
