//! Single values in documents: texts, numbers, truths.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::schema::deserialize::{DeserializeContext, FromDocument, NULL, NamingConvention};
use crate::schema::{InvalidValue, Scalar};

/// What stood where a single value was expected.
enum Atom<'a> {
    Text(&'a str),
    Whole(i128),
    Fraction,
    Truth(bool),
    Null,
    List,
    Object,
}

/// Reads a single value, whatever stands there, and lets `parse` judge it.
struct AtomVisitor<'a, F>(&'a mut DeserializeContext, F);

impl<'de, T, F: FnOnce(Atom<'_>, NamingConvention) -> Result<T, InvalidValue>> AtomVisitor<'_, F> {
    fn judge(self, atom: Atom<'_>) -> Option<T> {
        (self.1)(atom, self.0.style).map_err(|invalid| self.0.note(invalid)).ok()
    }

    fn read<D: Deserializer<'de>>(self, input: D) -> Result<Option<T>, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de, T, F: FnOnce(Atom<'_>, NamingConvention) -> Result<T, InvalidValue>> Visitor<'de> for AtomVisitor<'_, F> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(self.judge(Atom::Text(text)))
    }
    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(self.judge(Atom::Whole(number.into())))
    }
    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(self.judge(Atom::Whole(number.into())))
    }
    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(self.judge(Atom::Fraction))
    }
    fn visit_bool<E>(self, truth: bool) -> Result<Self::Value, E> {
        Ok(self.judge(Atom::Truth(truth)))
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(self.judge(Atom::Null))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(self.judge(Atom::List))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(self.judge(Atom::Object))
    }
}

/// The mistake of writing one kind of value where another belongs.
const fn wrong_type(atom: &Atom<'_>, detail: &'static str) -> InvalidValue {
    match atom {
        Atom::Null => NULL,
        _ => InvalidValue::new("wrong_type", detail),
    }
}

impl<T: Scalar> FromDocument for T {
    fn read<'de, D: Deserializer<'de>>(input: D, reading: &mut DeserializeContext) -> Result<Option<Self>, D::Error> {
        let parse = |atom: Atom<'_>, _| match atom {
            Atom::Text(text) => T::parse(text),
            other => Err(wrong_type(&other, "must be a string")),
        };
        AtomVisitor(reading, parse).read(input)
    }
}

macro_rules! whole_numbers {
    ($($t:ty),*) => {$(
        impl FromDocument for $t {
            fn read<'de, D: Deserializer<'de>>(input: D, reading: &mut DeserializeContext) -> Result<Option<Self>, D::Error> {
                let parse = |atom: Atom<'_>, style| {
                    let number = match atom {
                        Atom::Whole(number) => Some(number),
                        Atom::Text(text) if style == NamingConvention::Settings => text.parse().ok(),
                        other => return Err(wrong_type(&other, "must be a whole number")),
                    };
                    number.and_then(|number| Self::try_from(number).ok()).ok_or_else(|| InvalidValue {
                        code: "out_of_range",
                        detail: format!("must be a whole number from {} to {}", Self::MIN, Self::MAX).into(),
                    })
                };
                AtomVisitor(reading, parse).read(input)
            }
        }
    )*};
}
whole_numbers!(i32, u16, u32, u64, usize);

impl FromDocument for bool {
    fn read<'de, D: Deserializer<'de>>(input: D, reading: &mut DeserializeContext) -> Result<Option<Self>, D::Error> {
        let parse = |atom: Atom<'_>, style| match atom {
            Atom::Truth(truth) => Ok(truth),
            Atom::Text("true") if style == NamingConvention::Settings => Ok(true),
            Atom::Text("false") if style == NamingConvention::Settings => Ok(false),
            other => Err(wrong_type(&other, "must be true or false")),
        };
        AtomVisitor(reading, parse).read(input)
    }
}

/// Free text of settings: not empty.
impl FromDocument for String {
    fn read<'de, D: Deserializer<'de>>(input: D, reading: &mut DeserializeContext) -> Result<Option<Self>, D::Error> {
        let parse = |atom: Atom<'_>, _| match atom {
            Atom::Text("") => Err(InvalidValue::new("blank", "must not be empty")),
            Atom::Text(text) => Ok(text.to_owned()),
            other => Err(wrong_type(&other, "must be a string")),
        };
        AtomVisitor(reading, parse).read(input)
    }
}

impl FromDocument for SocketAddr {
    fn read<'de, D: Deserializer<'de>>(input: D, reading: &mut DeserializeContext) -> Result<Option<Self>, D::Error> {
        let parse = |atom: Atom<'_>, _| match atom {
            Atom::Text(text) => {
                text.parse().map_err(|_| InvalidValue::new("invalid_format", "must be an IP address and a port, such as 127.0.0.1:8080"))
            }
            other => Err(wrong_type(&other, "must be a string")),
        };
        AtomVisitor(reading, parse).read(input)
    }
}

impl FromDocument for PathBuf {
    fn read<'de, D: Deserializer<'de>>(input: D, reading: &mut DeserializeContext) -> Result<Option<Self>, D::Error> {
        Ok(String::read(input, reading)?.map(Self::from))
    }
}
