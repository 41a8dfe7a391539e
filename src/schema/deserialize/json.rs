//! JSON documents.

use aws_lc_rs::digest::Digest;

use super::canonical::CanonicalForm;
use super::context::{DeserializeContext, NamingConvention};
use super::from_document::FromDocument;
use crate::schema::{FieldError, Warnings};

/// The byte order mark in UTF-8. Readers may ignore it (RFC 8259, 8.1); editors and scripts on Windows write it.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads a whole JSON document, with or without a byte order mark.
///
/// # Errors
/// Returns every field error, in the order of the document; or, for bytes that are not UTF-8 or not JSON, one error with the place.
pub fn from_json<T: FromDocument>(body: &[u8]) -> Result<T, Vec<FieldError>> {
    from_json_with_digest(body, false).map(|parsed| parsed.value)
}

/// A document that was read.
#[derive(Debug)]
pub struct ParsedBody<T> {
    /// Its value.
    pub value: T,
    /// The warnings about it.
    pub warnings: Warnings,
    /// The digest of its JSON value, if it was asked for: another text with the same value has the same digest.
    pub digest: Option<Digest>,
}

/// Reads a whole JSON document, and returns the warnings about it, and its digest if `with_digest`.
///
/// # Errors
/// Returns the errors of [`from_json`].
pub fn from_json_with_digest<T: FromDocument>(body: &[u8], with_digest: bool) -> Result<ParsedBody<T>, Vec<FieldError>> {
    let mut context = DeserializeContext::new(NamingConvention::Json, T::outline);
    context.canonical = with_digest.then(CanonicalForm::new);
    let Ok(text) = simdutf8::basic::from_utf8(body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body)) else { return Err(vec![not_utf8(body)]) };
    let mut json = serde_json::Deserializer::from_str(text);
    match T::read(&mut json, &mut context).and_then(|value| json.end().map(|()| value)) {
        Ok(value) => {
            let digest = context.canonical.as_ref().map(CanonicalForm::digest);
            let (value, warnings) = context.finish(value)?;
            Ok(ParsedBody { value, warnings, digest })
        }
        Err(error) => {
            let detail = format!("not well-formed JSON at line {}, column {}", error.line(), error.column());
            Err(vec![FieldError::new("", "malformed_json", detail)])
        }
    }
}

/// Returns the error of a body that is not UTF-8, with the position of the first byte that is not.
fn not_utf8(body: &[u8]) -> FieldError {
    let position = std::str::from_utf8(body).map_or_else(|error| error.valid_up_to(), str::len);
    let detail = format!(
        "is not UTF-8: the byte at position {position}, counted from 0, is not part of a character. Encode the body in UTF-8, whatever the \
         system's own encoding is"
    );
    FieldError::new("", "not_utf8", detail)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::super::context::MAX_LISTED_ERRORS;
    use super::*;
    use crate::schema::{Constraints, InvalidValue, Scalar, Settings};

    /// The code of the error of each test scalar, and the texts that it accepts.
    const SCALARS: [(&str, &[&str]); 4] = [
        ("check_digit", &["3000000126"]),
        ("blank", &["Ana", "Li"]),
        ("not_a_date", &["2023-02-28"]),
        ("unknown_value", &["FULL", "CHECK"]),
    ];

    #[derive(Debug, PartialEq)]
    struct TestScalar<const N: usize>(String);

    type Uln = TestScalar<0>;
    type Name = TestScalar<1>;
    type Date = TestScalar<2>;
    type FindType = TestScalar<3>;

    impl<const N: usize> Scalar for TestScalar<N> {
        const CONSTRAINTS: Constraints = Constraints::new("A test value.", "");

        fn parse(text: &str) -> Result<Self, InvalidValue> {
            let (code, texts) = SCALARS[N];
            if texts.contains(&text) { Ok(Self(text.to_owned())) } else { Err(InvalidValue::new(code, "must be a listed text")) }
        }

        fn text(&self) -> Cow<'_, str> {
            Cow::Borrowed(&self.0)
        }
    }

    #[derive(Debug, PartialEq, Settings)]
    struct Search {
        uln: Uln,
        given_name: Name,
        date_of_birth: Option<Date>,
        #[setting(default = TestScalar("FULL".to_owned()))]
        find_type: FindType,
    }

    #[derive(Debug, PartialEq, Settings)]
    struct Searches {
        searches: Vec<Search>,
    }

    fn errors<T: FromDocument + std::fmt::Debug>(json: &str) -> Vec<(String, &'static str)> {
        from_json::<T>(json.as_bytes()).expect_err(json).into_iter().map(|error| (error.pointer, error.code)).collect()
    }

    #[test]
    fn document_that_is_valid_becomes_a_record() {
        let search: Search = from_json(br#"{"uln":"3000000126","givenName":"Ana"}"#).expect("a valid document");
        assert_eq!((search.uln.text().as_ref(), search.given_name.text().as_ref()), ("3000000126", "Ana"));
        assert!(search.find_type == TestScalar("FULL".to_owned()) && search.date_of_birth.is_none());
    }

    #[test]
    fn document_with_several_errors_reports_each_with_its_pointer() {
        let json = r#"{"uln":3000000126,"givenName":null,"dateOfBirth":"2023-02-29","findType":"ALL","colour":[{}],"findType":"FULL"}"#;
        let expected = [
            ("/uln", "wrong_type"),
            ("/givenName", "null_not_allowed"),
            ("/dateOfBirth", "not_a_date"),
            ("/findType", "unknown_value"),
            ("/colour", "unknown_field"),
            ("/findType", "duplicate_field"),
        ];
        assert_eq!(errors::<Search>(json), expected.map(|(pointer, code)| (pointer.to_owned(), code)));
        assert_eq!(errors::<Search>("{}"), [("/uln".to_owned(), "required"), ("/givenName".to_owned(), "required")]);
    }

    #[test]
    fn list_item_with_an_error_has_its_index_in_the_pointer() {
        let json = r#"{"searches":[{"uln":"3000000126","givenName":"Ana"},{"uln":"3000000127","givenName":"Li"},7,{"uln":[],"givenName":{"a":1}}]}"#;
        let expected = [
            ("/searches/1/uln", "check_digit"),
            ("/searches/2", "wrong_type"),
            ("/searches/3/uln", "wrong_type"),
            ("/searches/3/givenName", "wrong_type"),
        ];
        assert_eq!(errors::<Searches>(json), expected.map(|(pointer, code)| (pointer.to_owned(), code)));
    }

    #[test]
    fn text_that_is_not_json_is_malformed() {
        for text in ["", "{", "{\"uln\":\"3000000126\",}", "{\"givenName\":\"\\ud800\"}", "{} {}", "nul", "{\"a\":\"\u{1}\"}"] {
            assert_eq!(errors::<Search>(text), [(String::new(), "malformed_json")], "{text:?}");
        }
        assert_eq!(errors::<Search>("[]"), [(String::new(), "wrong_type")]);
        assert_eq!(errors::<Search>("null"), [(String::new(), "null_not_allowed")]);
        assert_eq!(errors::<Search>(&"[".repeat(100_000)).len(), 1);
    }

    #[test]
    fn document_may_start_with_one_byte_order_mark() {
        let json = "{\"uln\":\"3000000126\",\"givenName\":\"Ana\"}";
        from_json::<Search>(format!("\u{FEFF}{json}").as_bytes()).expect("a valid document");
        assert_eq!(errors::<Search>(&format!("\u{FEFF}\u{FEFF}{json}")), [(String::new(), "malformed_json")]);
        assert_eq!(errors::<Search>("\u{FEFF}"), [(String::new(), "malformed_json")]);
    }

    #[test]
    fn document_in_another_encoding_is_not_utf8_and_the_position_is_stated() {
        for (body, position) in [
            (&b"{\"uln\":\"3000000126\",\"givenName\":\"Zo\xEB\"}"[..], "position 35,"),
            (b"\xEF\xBB\xBF{\"givenName\":\"\xD1\"}", "position 17,"),
            (b"\xFF\xFE{\0}\0", "position 0,"),
            (b"{} \xC3", "position 3,"),
        ] {
            let found = from_json::<Search>(body).expect_err("not UTF-8");
            assert!(found.len() == 1 && found[0].code == "not_utf8" && found[0].detail.contains(position), "{found:?}");
        }
    }

    #[test]
    fn errors_above_the_limit_are_counted_and_not_listed() {
        let json = format!("{{{}\"uln\":\"3000000126\",\"givenName\":\"Ana\"}}", "\"a\":1,".repeat(5000));
        let errors = from_json::<Search>(json.as_bytes()).expect_err("5,000 unknown fields");
        assert_eq!(errors.len(), MAX_LISTED_ERRORS + 1);
        assert_eq!(errors[MAX_LISTED_ERRORS].detail, "5000 errors to correct, of which the first 1000 are listed");
    }

    #[test]
    fn unknown_key_that_may_be_personal_data_is_not_repeated() {
        let found = errors::<Search>(r#"{"uln":"3000000126","givenName":"Ana","Ana O'Neill 2003-04-05":1}"#);
        assert_eq!(found, [(String::new(), "unknown_field")]);
    }
}
