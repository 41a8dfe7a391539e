//! Strings, numbers and booleans.

use std::marker::PhantomData;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::de::Deserializer;

use super::context::{DeserializeContext, NamingConvention};
use super::exact_integer::JsonInteger;
use super::from_document::FromDocument;
use super::range::{Ranged, range_text};
use super::value::{Accept, Found, read_value};
use crate::schema::{InvalidValue, Scalar, SettingType, SettingValues};

impl<T: Scalar> FromDocument for T {
    fn read<'de, D: Deserializer<'de>>(input: D, context: &mut DeserializeContext) -> Result<Option<Self>, D::Error> {
        read_value(input, context, Text(PhantomData))
    }
}

struct Text<T>(PhantomData<T>);

impl<T: Scalar> Accept<'_> for Text<T> {
    type Value = T;
    const EXPECTED: &'static str = "must be a string";

    fn string(self, text: &str, context: &mut DeserializeContext) -> Option<T> {
        T::parse_with_hints(text, &mut |hint| context.add_warning(hint)).map_err(|invalid| context.add_error(invalid)).ok()
    }
}

macro_rules! integers {
    ($($t:ty),*) => {$(
        impl FromDocument for $t {
            fn read<'de, D: Deserializer<'de>>(input: D, context: &mut DeserializeContext) -> Result<Option<Self>, D::Error> {
                let out_of_range = || InvalidValue {
                    code: "out_of_range",
                    detail: format!("must be a whole number from {} to {}", Self::MIN, Self::MAX).into(),
                };
                let parse = |found: Found<'_>, naming| {
                    let number = match found {
                        Found::Integer(number) => Some(number),
                        Found::String(text) if naming == NamingConvention::Settings => text.parse().ok(),
                        Found::Fraction => return Err(InvalidValue::new("wrong_type", "must be a whole number; this one has a fraction")),
                        other => return Err(other.wrong_type("must be a whole number")),
                    };
                    number.and_then(|number| Self::try_from(number).ok()).ok_or_else(out_of_range)
                };
                if !context.is_json() {
                    return read_scalar(input, context, parse);
                }
                let integer = JsonInteger::take(input)?;
                if integer.is_too_large() {
                    context.add_error(out_of_range());
                    return Ok(None);
                }
                read_scalar(integer.deserializer::<D::Error>(), context, parse)
            }
        }

        impl Ranged for $t {
            type Number = Self;

            fn number(&self) -> Option<&Self> {
                Some(self)
            }
        }

        impl SettingType for $t {
            fn values() -> SettingValues {
                SettingValues::Text(if Self::MIN == 0 { range_text::<Self>(&(0..)) } else { "whole number".to_owned() })
            }

            fn toml_text(&self) -> Option<String> {
                Some(self.to_string())
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
            other => Err(other.wrong_type("must be true or false")),
        };
        read_scalar(input, context, parse)
    }
}

/// A setting's text; it must not be empty.
impl FromDocument for String {
    fn read<'de, D: Deserializer<'de>>(input: D, context: &mut DeserializeContext) -> Result<Option<Self>, D::Error> {
        let parse = |found: Found<'_>, _| match found {
            Found::String("") => Err(InvalidValue::new("blank", "must not be empty")),
            Found::String(text) => Ok(text.to_owned()),
            other => Err(other.wrong_type("must be a string")),
        };
        read_scalar(input, context, parse)
    }
}

impl FromDocument for SocketAddr {
    fn read<'de, D: Deserializer<'de>>(input: D, context: &mut DeserializeContext) -> Result<Option<Self>, D::Error> {
        let parse = |found: Found<'_>, _| match found {
            Found::String(text) => {
                text.parse().map_err(|_| InvalidValue::new("invalid_format", "must be an IP address and a port, such as 127.0.0.1:8080"))
            }
            other => Err(other.wrong_type("must be a string")),
        };
        read_scalar(input, context, parse)
    }
}

impl FromDocument for PathBuf {
    fn read<'de, D: Deserializer<'de>>(input: D, context: &mut DeserializeContext) -> Result<Option<Self>, D::Error> {
        Ok(String::read(input, context)?.map(Self::from))
    }
}

/// Reads one value of any kind and converts it with a function.
fn read_scalar<'de, T, D: Deserializer<'de>>(
    input: D,
    context: &mut DeserializeContext,
    parse: impl FnOnce(Found<'_>, NamingConvention) -> Result<T, InvalidValue>,
) -> Result<Option<T>, D::Error> {
    read_value(input, context, Parse(parse))
}

struct Parse<F>(F);

impl<T, F: FnOnce(Found<'_>, NamingConvention) -> Result<T, InvalidValue>> Accept<'_> for Parse<F> {
    type Value = T;
    const EXPECTED: &'static str = "";

    fn scalar(self, found: Found<'_>, context: &mut DeserializeContext) -> Option<T> {
        (self.0)(found, context.naming).map_err(|invalid| context.add_error(invalid)).ok()
    }
}
