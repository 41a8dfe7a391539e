//! Integers in JSON, as JSON Schema defines them: by their value, however they are written. `204.0` and `2.04e2` are the integer 204.
//!
//! The text of a number is read, because a floating-point number has only 53 bits for its digits.

use std::marker::PhantomData;

use serde::de::{Deserialize as _, Deserializer, Error, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::value::RawValue;

/// Number of digits above which an integer has no type.
const MAX_DIGITS: usize = 20;

/// A value in JSON where an integer is expected.
pub(super) struct JsonInteger<'de> {
    text: &'de str,
    number: Option<Number>,
}

/// A number that is an integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    Negative(i64),
    NotNegative(u64),
    /// Outside the ranges of the two others.
    TooLarge,
}

impl<'de> JsonInteger<'de> {
    /// Takes the next value of a JSON document.
    ///
    /// # Errors
    /// Returns an error if the document is not well-formed.
    pub fn take<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = <&RawValue>::deserialize(input)?.get();
        Ok(Self { text, number: parse(text) })
    }

    /// Returns `true` for an integer that no type can hold.
    pub fn is_too_large(&self) -> bool {
        self.number == Some(Number::TooLarge)
    }

    /// Passes an integer on as if it were written with digits only, a string without its text, and any other value as it is.
    ///
    /// # Errors
    /// Returns an error if the value is not well-formed.
    pub fn deserializer<E: Error>(self) -> impl Deserializer<'de, Error = E> {
        WithError(self, PhantomData)
    }
}

/// A value with the error of the deserializer that it comes from.
struct WithError<'de, E>(JsonInteger<'de>, PhantomData<E>);

impl<'de, E: Error> Deserializer<'de> for WithError<'de, E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        let JsonInteger { text, number } = self.0;
        match number {
            Some(Number::Negative(number)) => visitor.visit_i64(number),
            Some(Number::NotNegative(number)) => visitor.visit_u64(number),
            // Of the wrong type, whatever its text is.
            None if text.starts_with('"') => visitor.visit_str(""),
            Some(Number::TooLarge) | None => serde_json::Deserializer::from_str(text).deserialize_any(visitor).map_err(E::custom),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

/// Returns the integer that a well-formed JSON value is; `None` for a number with a fraction, and for other values.
fn parse(text: &str) -> Option<Number> {
    let (is_negative, number) = text.strip_prefix('-').map_or((false, text), |number| (true, number));
    if !number.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let Ok(magnitude) = number.parse() else { return parse_decimal(is_negative, number) };
    Some(Number::new(is_negative, magnitude))
}

/// Returns the integer of a number that has a point, an exponent, or more digits than the largest type.
#[cold]
fn parse_decimal(is_negative: bool, number: &str) -> Option<Number> {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return Some(Number::NotNegative(0));
    }
    // The number is `significant` times ten to the power of `scale`. A text has far fewer digits than an `i64` can count.
    let trailing_zeros = digits.len() - digits.trim_end_matches('0').len();
    let count = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
    let exponent = exponent.parse().unwrap_or(if exponent.starts_with('-') { i64::MIN } else { i64::MAX });
    let scale = exponent.saturating_add(count(trailing_zeros)).saturating_sub(count(fraction.len()));
    if scale < 0 {
        return None;
    }
    let zeros = usize::try_from(scale).unwrap_or(MAX_DIGITS).min(MAX_DIGITS);
    let magnitude = if significant.len() + zeros <= MAX_DIGITS { format!("{significant}{}", "0".repeat(zeros)).parse().ok() } else { None };
    Some(magnitude.map_or(Number::TooLarge, |magnitude| Number::new(is_negative, magnitude)))
}

impl Number {
    fn new(is_negative: bool, magnitude: u64) -> Self {
        if !is_negative || magnitude == 0 {
            return Self::NotNegative(magnitude);
        }
        0_i64.checked_sub_unsigned(magnitude).map_or(Self::TooLarge, Self::Negative)
    }
}

#[cfg(test)]
mod tests {
    use super::super::json::from_json;
    use crate::schema::Settings;

    #[derive(Debug, Settings)]
    struct Record {
        version: i32,
        #[setting(default = 0)]
        large: u64,
    }

    #[test]
    fn integer_in_json_is_read_by_its_exact_value_however_it_is_written() {
        for (texts, expected) in [
            (&["204", "204.0", "204.000000000000000000000000000000", "2.04e2", "2.04E+2", "20400e-2", "0.204e3", "0.00204e+0005"][..], 204),
            (&["-7", "-7.0", "-0.7e1", "-70e-1"], -7),
            (&["0", "-0", "-0.0", "0e99999999999999999999", "0.000e-99999999999999999999"], 0),
            (&["2147483647", "2147483647.0", "2.147483647e9"], i32::MAX),
        ] {
            for text in texts {
                let record = from_json::<Record>(format!("{{\"version\": {text} }}").as_bytes());
                assert_eq!(record.expect(text).version, expected, "{text}");
            }
        }
        for text in ["9007199254740993", "9007199254740993.0", "9007199254740993.000e0", "9.007199254740993e15", "900719925474099300e-2"] {
            let record = from_json::<Record>(format!("{{\"version\":1,\"large\":{text}}}").as_bytes());
            assert_eq!(record.expect(text).large, 9_007_199_254_740_993, "{text}");
        }
        let largest = from_json::<Record>(br#"{"version":1,"large":18446744073709551615.0}"#).expect("the largest integer");
        assert_eq!(largest.large, u64::MAX);
    }

    #[test]
    fn number_that_is_no_integer_or_out_of_range_is_an_error() {
        let error = |text: &str| {
            let errors = from_json::<Record>(format!("{{\"version\":{text}}}").as_bytes()).expect_err(text);
            let [error] = &errors[..] else { panic!("{text}: {errors:?}") };
            (error.pointer.clone(), error.code, error.detail.to_string())
        };
        for text in ["204.5", "204.00000000000000000000000000000001", "1e-1", "-0.5", "1.5e0", "1e-99999999999999999999"] {
            let expected = ("/version".to_owned(), "wrong_type", "must be a whole number; this one has a fraction".to_owned());
            assert_eq!(error(text), expected, "{text}");
        }
        for text in ["2147483648", "2147483648.0", "-2147483649", "1e10", "1e400", "99999999999999999999", "-1e99999999999999999999"] {
            let range = "must be a whole number from -2147483648 to 2147483647".to_owned();
            assert_eq!(error(text), ("/version".to_owned(), "out_of_range", range), "{text}");
        }
        for text in ["\"204\"", "\"204.0\"", "true", "[204]", "{\"a\":[204]}"] {
            assert_eq!(error(text).1, "wrong_type", "{text}");
        }
        assert_eq!(error("null").1, "null_not_allowed");
        for text in ["204.", ".5", "01", "+1", "1e", "0x1", "NaN"] {
            assert_eq!(
                from_json::<Record>(format!("{{\"version\":{text}}}").as_bytes()).expect_err(text)[0].code,
                "malformed_json",
                "{text}"
            );
        }
    }
}
