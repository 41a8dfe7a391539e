//! JSON documents.

use super::context::{DeserializeContext, NamingConvention};
use super::from_document::FromDocument;
use crate::schema::{FieldError, Warnings};

/// Reads a whole JSON document.
///
/// # Errors
/// Returns every field error, in the order of the document; or, for text that is not JSON, one error with the line and column.
pub fn from_json<T: FromDocument>(body: &[u8]) -> Result<T, Vec<FieldError>> {
    from_json_with_warnings(body).map(|(value, _)| value)
}

/// Reads a whole JSON document, and returns the warnings about it.
///
/// # Errors
/// Returns the errors of [`from_json`].
pub fn from_json_with_warnings<T: FromDocument>(body: &[u8]) -> Result<(T, Warnings), Vec<FieldError>> {
    let mut context = DeserializeContext::new(NamingConvention::Json);
    let mut json = serde_json::Deserializer::from_slice(body);
    match T::read(&mut json, &mut context).and_then(|value| json.end().map(|()| value)) {
        Ok(value) => context.finish(value),
        Err(error) => {
            let detail = format!("not well-formed JSON at line {}, column {}", error.line(), error.column());
            Err(vec![FieldError { pointer: String::new(), code: "malformed_json", detail: detail.into() }])
        }
    }
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
