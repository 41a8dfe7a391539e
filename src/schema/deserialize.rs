//! Reading forms: everything wrong with a document, told at once.
//!
//! The document is read as a stream, straight into values; no intermediate tree is built, so large bodies cost little.
//! A field that cannot be used is noted with its place and reading goes on. Only text that is not well-formed ends it.

use std::fmt::Write as _;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::schema::{FieldError, InvalidValue, is_camel_case_of};

/// How a document names its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamingConvention {
    /// JSON: `givenName`, and a number is not a text.
    Json,
    /// TOML and environment: `given_name`, and numbers may be written as text.
    Settings,
}

/// A document being read: where we are, and what was wrong so far.
#[derive(Debug)]
pub struct DeserializeContext {
    pub(super) style: NamingConvention,
    place: String,
    mistakes: Vec<FieldError>,
    unlisted: usize,
}

/// The code of what stands at the end of a list that is not complete: how many mistakes there are.
pub const TOO_MANY: &str = "too_many_mistakes";

/// How many mistakes are listed; of the others only the number is told.
pub const MOST_MISTAKES: usize = 1000;

/// Something that can be read from a document.
pub trait FromDocument: Sized {
    /// Reads one value. `None`: it cannot be used, and `reading` says why.
    ///
    /// # Errors
    /// Only when the document itself is not well-formed.
    fn read<'de, D: Deserializer<'de>>(input: D, reading: &mut DeserializeContext) -> Result<Option<Self>, D::Error>;

    /// What it is when the document does not mention it. `None`: it must be there.
    fn absent() -> Option<Self> {
        None
    }
}

/// Reads a whole JSON body.
///
/// # Errors
/// Every mistake, in the order of the document; for text that is not JSON, the place where it stops being JSON.
pub fn from_json<T: FromDocument>(body: &[u8]) -> Result<T, Vec<FieldError>> {
    let mut reading = DeserializeContext { style: NamingConvention::Json, place: String::new(), mistakes: Vec::new(), unlisted: 0 };
    let mut json = serde_json::Deserializer::from_slice(body);
    match T::read(&mut json, &mut reading).and_then(|value| json.end().map(|()| value)) {
        Ok(value) => reading.finish(value),
        Err(error) => {
            let detail = format!("not well-formed JSON at line {}, column {}", error.line(), error.column());
            Err(vec![FieldError { pointer: String::new(), code: "malformed_json", detail: detail.into() }])
        }
    }
}

/// Reads settings that were parsed as TOML before.
///
/// # Errors
/// Every mistake, in the order of the document.
pub fn from_toml<T: FromDocument>(table: toml::Table) -> Result<T, Vec<FieldError>> {
    let mut reading = DeserializeContext { style: NamingConvention::Settings, place: String::new(), mistakes: Vec::new(), unlisted: 0 };
    match T::read(toml::Value::Table(table), &mut reading) {
        Ok(value) => reading.finish(value),
        Err(error) => Err(vec![FieldError { pointer: String::new(), code: "malformed", detail: error.to_string().into() }]),
    }
}

impl DeserializeContext {
    fn finish<T>(self, value: Option<T>) -> Result<T, Vec<FieldError>> {
        match value {
            Some(value) if self.mistakes.is_empty() => Ok(value),
            _ if self.unlisted == 0 => Err(self.mistakes),
            _ => {
                let detail =
                    format!("{} mistakes to correct, of which {MOST_MISTAKES} are listed", self.mistakes.len() + self.unlisted).into();
                let more = FieldError { pointer: String::new(), code: TOO_MANY, detail };
                Err(self.mistakes.into_iter().chain([more]).collect())
            }
        }
    }

    /// Notes a mistake here.
    pub fn note(&mut self, invalid: InvalidValue) {
        if self.mistakes.len() >= MOST_MISTAKES {
            self.unlisted += 1;
            return;
        }
        self.mistakes.push(FieldError { pointer: self.place.clone(), code: invalid.code, detail: invalid.detail });
    }

    /// Does `key` name this field, in the document's style?
    pub fn names(&self, key: &str, field: &str) -> bool {
        match self.style {
            NamingConvention::Json => is_camel_case_of(key, field),
            NamingConvention::Settings => key == field,
        }
    }

    /// Does `work` one step deeper, at this key or index.
    pub fn at<T>(&mut self, step: impl std::fmt::Display, work: impl FnOnce(&mut Self) -> T) -> T {
        let here = self.place.len();
        let _ = write!(self.place, "/{step}");
        let done = work(self);
        self.place.truncate(here);
        done
    }

    /// A key that no field has. In requests the key is shown only if it looks like a field's name: people's data end up there too.
    ///
    /// # Errors
    /// Only when the document is not well-formed.
    pub fn unknown_field<'de, A: MapAccess<'de>>(&mut self, entries: &mut A, key: &str) -> Result<(), A::Error> {
        entries.next_value::<IgnoredAny>()?;
        let invalid = InvalidValue::new("unknown_field", "there is no such field: look for a spelling mistake, or leave it out");
        let is_name = key.len() <= 40 && !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_');
        if is_name || self.style == NamingConvention::Settings {
            self.at(key, |reading| reading.note(invalid));
        } else {
            self.note(invalid);
        }
        Ok(())
    }
}

/// A field of a form while the form is being read.
#[derive(Debug, Default)]
pub enum FieldState<T> {
    /// Not mentioned so far.
    #[default]
    Empty,
    /// Mentioned. `None`: it cannot be used, which has been noted.
    Filled(Option<T>),
}

impl<T: FromDocument> FieldState<T> {
    /// Has the document not mentioned the field?
    pub const fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// Reads the field's value; a second mention is a mistake.
    ///
    /// # Errors
    /// Only when the document is not well-formed.
    pub fn fill<'de, A: MapAccess<'de>>(&mut self, entries: &mut A, key: &str, reading: &mut DeserializeContext) -> Result<(), A::Error> {
        reading.at(key, |reading| {
            if self.is_empty() {
                *self = Self::Filled(entries.next_value_seed(Seed(reading, PhantomData))?);
            } else {
                entries.next_value::<IgnoredAny>()?;
                reading.note(InvalidValue::new("duplicate_field", "is given twice"));
            }
            Ok(())
        })
    }

    /// The field's value, or `otherwise` if it was not mentioned, or a mistake if there is no such.
    pub fn take(self, otherwise: impl FnOnce() -> Option<T>, field: &str, reading: &mut DeserializeContext) -> Option<T> {
        if let Self::Filled(value) = self {
            return value;
        }
        let value = otherwise();
        if value.is_none() {
            let key = match reading.style {
                NamingConvention::Json => super::camel_case(field),
                NamingConvention::Settings => field.to_owned(),
            };
            reading.at(key, |reading| reading.note(InvalidValue::new("required", "is required")));
        }
        value
    }
}

struct Seed<'a, T>(&'a mut DeserializeContext, PhantomData<T>);

impl<'de, T: FromDocument> DeserializeSeed<'de> for Seed<'_, T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        T::read(input, self.0)
    }
}

impl<T: FromDocument> FromDocument for Option<T> {
    fn read<'de, D: Deserializer<'de>>(input: D, reading: &mut DeserializeContext) -> Result<Option<Self>, D::Error> {
        Ok(T::read(input, reading)?.map(Some))
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: FromDocument> FromDocument for Vec<T> {
    fn read<'de, D: Deserializer<'de>>(input: D, reading: &mut DeserializeContext) -> Result<Option<Self>, D::Error> {
        let mut items = Self::new();
        let complete = each(input, reading, |item| items.push(item))?;
        Ok(complete.then_some(items))
    }
}

/// Reads a list item by item, so that they need not all be there at once. Is every one of them good?
///
/// # Errors
/// Only when the document is not well-formed.
pub fn each<'de, T: FromDocument, D: Deserializer<'de>>(
    input: D,
    reading: &mut DeserializeContext,
    take: impl FnMut(T),
) -> Result<bool, D::Error> {
    struct Items<'a, T, F>(&'a mut DeserializeContext, F, PhantomData<T>);
    impl<'de, T: FromDocument, F: FnMut(T)> Visitor<'de> for Items<'_, T, F> {
        type Value = Option<bool>;
        refuse_all_but_lists!();

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut complete = true;
            for index in 0_usize.. {
                match self.0.at(index, |reading| list.next_element_seed(Seed(reading, PhantomData::<T>)))? {
                    Some(Some(item)) => (self.1)(item),
                    Some(None) => complete = false,
                    None => break,
                }
            }
            Ok(Some(complete))
        }
    }
    Ok(input.deserialize_any(Items(reading, take, PhantomData))?.unwrap_or(false))
}

/// The mistake of writing `null`.
pub const NULL: InvalidValue = InvalidValue::new("null_not_allowed", "must not be null: leave the field out instead");

/// The visitor methods that refuse every kind of value but one.
macro_rules! refuse {
    ($reading:tt, $detail:literal, { $($list:tt)* }, { $($map:tt)* }) => {
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str($detail)
        }
        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            self.$reading.note($crate::schema::InvalidValue::new("wrong_type", $detail));
            Ok(None)
        }
        fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Self::Value, E> {
            self.visit_str("")
        }
        fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Self::Value, E> {
            self.visit_str("")
        }
        fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Self::Value, E> {
            self.visit_str("")
        }
        fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Self::Value, E> {
            self.visit_str("")
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            self.$reading.note($crate::schema::deserialize::NULL);
            Ok(None)
        }
        $($list)*
        $($map)*
    };
}

/// For visitors of objects.
macro_rules! refuse_all_but_objects {
    () => {
        $crate::schema::deserialize::refuse!(
            0,
            "must be an object",
            {
                fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                    while list.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                    self.visit_str("")
                }
            },
            {}
        );
    };
}

/// For visitors of lists.
macro_rules! refuse_all_but_lists {
    () => {
        $crate::schema::deserialize::refuse!(0, "must be a list", {}, {
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
                while entries.next_entry::<serde::de::IgnoredAny, serde::de::IgnoredAny>()?.is_some() {}
                self.visit_str("")
            }
        });
    };
}
use refuse_all_but_lists;
pub(crate) use {refuse, refuse_all_but_objects};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Date, FindType, Name, Uln};
    use crate::schema::form;

    form! {
        #[derive(Debug, PartialEq)]
        struct Search {
            uln: Uln,
            given_name: Name,
            date_of_birth: Option<Date>,
            find_type: FindType = FindType::Full,
        }
    }

    form! {
        #[derive(Debug, PartialEq)]
        struct Searches {
            searches: Vec<Search>,
        }
    }

    fn mistakes<T: FromDocument + std::fmt::Debug>(json: &str) -> Vec<(String, &'static str)> {
        from_json::<T>(json.as_bytes()).expect_err(json).into_iter().map(|m| (m.pointer, m.code)).collect()
    }

    #[test]
    fn a_good_document_becomes_values() {
        let search: Search = from_json(br#"{"uln":"3000000126","givenName":"Ana"}"#).expect("good");
        assert_eq!((search.uln.as_str(), search.given_name.as_str()), ("3000000126", "Ana"));
        assert!(search.find_type == FindType::Full && search.date_of_birth.is_none());
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let json = r#"{"uln":3000000126,"givenName":null,"dateOfBirth":"2023-02-29","findType":"ALL","colour":[{}],"findType":"FULL"}"#;
        let expected = [
            ("/uln", "wrong_type"),
            ("/givenName", "null_not_allowed"),
            ("/dateOfBirth", "not_a_date"),
            ("/findType", "unknown_value"),
            ("/colour", "unknown_field"),
            ("/findType", "duplicate_field"),
        ];
        assert_eq!(mistakes::<Search>(json), expected.map(|(at, code)| (at.to_owned(), code)));
        assert_eq!(mistakes::<Search>("{}"), [("/uln".to_owned(), "required"), ("/givenName".to_owned(), "required")]);
    }

    #[test]
    fn places_in_lists_are_counted() {
        let json = r#"{"searches":[{"uln":"3000000126","givenName":"Ana"},{"uln":"3000000127","givenName":"Li"},7,{"uln":[],"givenName":{"a":1}}]}"#;
        let expected = [
            ("/searches/1/uln", "check_digit"),
            ("/searches/2", "wrong_type"),
            ("/searches/3/uln", "wrong_type"),
            ("/searches/3/givenName", "wrong_type"),
        ];
        assert_eq!(mistakes::<Searches>(json), expected.map(|(at, code)| (at.to_owned(), code)));
    }

    #[test]
    fn what_is_not_json_is_said_to_be_so() {
        for broken in ["", "{", "{\"uln\":\"3000000126\",}", "{\"givenName\":\"\\ud800\"}", "{} {}", "nul", "{\"a\":\"\u{1}\"}"] {
            assert_eq!(mistakes::<Search>(broken), [(String::new(), "malformed_json")], "{broken:?}");
        }
        assert_eq!(mistakes::<Search>("[]"), [(String::new(), "wrong_type")]);
        assert_eq!(mistakes::<Search>("null"), [(String::new(), "null_not_allowed")]);
        assert_eq!(mistakes::<Search>(&"[".repeat(100_000)).len(), 1);
    }

    #[test]
    fn a_flood_of_mistakes_is_counted_not_listed() {
        let json = format!("{{{}\"uln\":\"3000000126\",\"givenName\":\"Ana\"}}", "\"a\":1,".repeat(5000));
        let mistakes = from_json::<Search>(json.as_bytes()).expect_err("5,000 unknown fields");
        assert_eq!(mistakes.len(), MOST_MISTAKES + 1);
        assert_eq!(mistakes[MOST_MISTAKES].detail, "5000 mistakes to correct, of which 1000 are listed");
    }

    #[test]
    fn keys_that_may_be_personal_data_are_not_repeated() {
        let found = mistakes::<Search>(r#"{"uln":"3000000126","givenName":"Ana","Ana O'Neill 2003-04-05":1}"#);
        assert_eq!(found, [(String::new(), "unknown_field")]);
    }
}
