//! Reading of claims whose names are unique, as RFC 7519 (4) requires: of two claims with the same name, another reader of the token may
//! see the other one.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::auth::claims::Claims;
use crate::auth::error::InvalidToken;

/// The claims of a token, and whether an object of them has a name twice.
pub struct UniqueClaims {
    claims: Claims,
    has_duplicates: bool,
}

impl UniqueClaims {
    /// Returns the claims.
    ///
    /// # Errors
    /// Returns an error if an object has a name twice.
    pub fn into_claims(self) -> Result<Claims, InvalidToken> {
        if self.has_duplicates { Err(InvalidToken("it has a claim more than once")) } else { Ok(self.claims) }
    }
}

impl<'de> Deserialize<'de> for UniqueClaims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut reader = Reader { has_duplicates: false };
        match reader.deserialize(deserializer)? {
            Value::Object(claims) => Ok(Self { claims, has_duplicates: reader.has_duplicates }),
            _ => Err(D::Error::custom("the claims are not an object")),
        }
    }
}

/// Reads any JSON value, and notes whether an object in it has a name twice.
struct Reader {
    has_duplicates: bool,
}

impl<'de> DeserializeSeed<'de> for &mut Reader {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(&mut *self)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some(name) = object.next_key::<String>()? {
            let value = object.next_value_seed(&mut *self)?;
            self.has_duplicates |= values.insert(name, value).is_some();
        }
        Ok(Value::Object(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Claims, InvalidToken> {
        serde_json::from_str::<UniqueClaims>(json).expect(json).into_claims()
    }

    #[test]
    fn claims_with_unique_names_are_read_as_they_are() {
        let json = r#"{"sub":"Zoë","exp":1.5,"nbf":-1,"iat":18446744073709551615,"a":{"sub":[null,true,{"sub":"a\n"}]}}"#;
        assert_eq!(read(json).ok().map(Value::Object), serde_json::from_str(json).ok());
    }

    #[test]
    fn claims_with_a_name_twice_are_refused_at_any_depth() {
        for json in [
            r#"{"org":"1","org":"1"}"#,
            r#"{"realm":{"org":"1","a":1,"org":"2"}}"#,
            r#"{"a":[{"b":1,"b":1}]}"#,
            r#"{"org":1,"\u006frg":2}"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
    }
}
