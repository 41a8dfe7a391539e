//! How values and records are declared, and what follows from one declaration.
//!
//! * A [`Value`] is one text with rules: a ULN, a name, a date.
//! * [`form!`] declares what people fill in (request bodies, configuration, register files). It is read straight into
//!   values, and everything wrong with it is told at once, each with its place ([`read`]).
//! * [`request!`] is a form that is also described in the OpenAPI document ([`kept_request!`] one that can be written too);
//!   [`answer!`] declares what is sent back ([`schema`]).
//!
//! Field names are written once, in Rust's `snake_case`. JSON has them in `camelCase`, TOML as they are.

pub mod deserialize;
mod field_error;
mod list;
pub mod openapi;
mod scalar;
pub mod toml;
mod value;

pub use field_error::FieldError;
pub use list::List;
pub(crate) use value::personal_value;
pub use value::{Constraints, InvalidValue, Scalar, is_xml_char};

/// `last_known_address_line1` → `lastKnownAddressLine1`, as `serde(rename_all = "camelCase")` has it.
pub fn camel_case(field: &str) -> String {
    let field = field.strip_prefix("r#").unwrap_or(field); // a name that Rust has taken
    let mut name = String::with_capacity(field.len());
    for (at, word) in field.split('_').enumerate() {
        let mut letters = word.chars();
        if at > 0 {
            name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        }
        name.push_str(letters.as_str());
    }
    name
}

/// Is `key` the `camelCase` name of this field? Compares without building the name.
pub fn is_camel_case_of(key: &str, field: &str) -> bool {
    let mut key = key.bytes();
    let mut letters = field.bytes();
    while let Some(letter) = letters.next() {
        let expected = match letter {
            b'_' => match letters.next() {
                Some(next) => next.to_ascii_uppercase(),
                None => return false,
            },
            letter => letter,
        };
        if key.next() != Some(expected) {
            return false;
        }
    }
    key.next().is_none()
}

/// Declares something people fill in. Every field is required unless its type is an `Option` or a default is given.
///
/// ```text
/// form! {
///     /// What this is.
///     pub struct FindByUln {
///         /// What this field is.
///         pub uln: Uln,
///         /// This one may be left out.
///         pub find_type: FindType = FindType::Full,
///     }
///     // Rules about several fields together; what cannot be used is `None` to them.
///     also (uln, given_name) => function
/// }
/// ```
macro_rules! form {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$fmeta:meta])* $fvis:vis $field:ident : $type:ty $(= $default:expr)?,)*
    } $(also ($($together:ident),+) => $rule:path)?) => {
        $(#[$meta])*
        $vis struct $name { $($(#[$fmeta])* $fvis $field: $type,)* }

        impl $crate::schema::deserialize::FromDocument for $name {
            fn read<'de, D: serde::Deserializer<'de>>(
                input: D,
                reading: &mut $crate::schema::deserialize::DeserializeContext,
            ) -> Result<Option<Self>, D::Error> {
                use $crate::schema::deserialize::{DeserializeContext, FieldState};

                struct Fields<'a>(&'a mut DeserializeContext);
                impl<'de> serde::de::Visitor<'de> for Fields<'_> {
                    type Value = Option<$name>;
                    $crate::schema::deserialize::refuse_all_but_objects!();

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
                        let reading = self.0;
                        $(let mut $field = FieldState::<$type>::default();)*
                        while let Some(key) = entries.next_key::<String>()? {
                            match key.as_str() {
                                $(key if reading.names(key, stringify!($field)) => $field.fill(&mut entries, key, reading)?,)*
                                key => reading.unknown_field(&mut entries, key)?,
                            }
                        }
                        $(
                            let otherwise = $crate::schema::otherwise!($type $(, $default)?);
                            let $field = $field.take(otherwise, stringify!($field), reading);
                        )*
                        $($rule($($together.as_ref()),+, reading);)?
                        Ok((|| Some($name { $($field: $field?,)* }))())
                    }
                }
                input.deserialize_any(Fields(reading))
            }
        }
    };
}
pub(crate) use form;

/// What a field is when the document does not mention it.
macro_rules! otherwise {
    ($type:ty) => {
        <$type as $crate::schema::deserialize::FromDocument>::absent
    };
    ($type:ty, $default:expr) => {
        || Some($default)
    };
}
pub(crate) use otherwise;

/// A [`form!`] that the OpenAPI document describes.
macro_rules! request {
    ($(#[$($meta:tt)*])* $vis:vis struct $name:ident {
        $($(#[doc = $doc:literal])* $fvis:vis $field:ident : $type:ty $(= $default:expr)?,)*
    } $(also ($($together:ident),+) => $rule:path)?) => {
        $crate::schema::form! {
            $(#[$($meta)*])* $vis struct $name { $($(#[doc = $doc])* $fvis $field: $type $(= $default)?,)* }
            $(also ($($together),+) => $rule)?
        }
        $crate::schema::describe! { [$(#[$($meta)*])*] $name, closed: true { $([$($doc)*] $field: $type $(= $default)?,)* } }
    };
}
pub(crate) use request;

/// A [`request!`] that can also be written, as it was read: what the gateway keeps for a while.
macro_rules! kept_request {
    ($(#[$($meta:tt)*])* $vis:vis struct $name:ident {
        $($(#[doc = $doc:literal])* $fvis:vis $field:ident : $type:ty,)*
    } $(also ($($together:ident),+) => $rule:path)?) => {
        $crate::schema::form! {
            $(#[$($meta)*])*
            #[derive(serde::Serialize)]
            #[serde(rename_all = "camelCase")]
            $vis struct $name {
                $(
                    $(#[doc = $doc])*
                    #[serde(skip_serializing_if = "crate::schema::openapi::PropertySchema::is_absent")]
                    $fvis $field: $type,
                )*
            }
            $(also ($($together),+) => $rule)?
        }
        $crate::schema::describe! { [$(#[$($meta)*])*] $name, closed: true { $([$($doc)*] $field: $type,)* } }
    };
}
pub(crate) use kept_request;

/// Declares something the gateway sends: JSON without `null`, described in the OpenAPI document.
macro_rules! answer {
    ($(#[$($meta:tt)*])* $vis:vis struct $name:ident $(as $schema_name:literal)? {
        $($(#[doc = $doc:literal])* $fvis:vis $field:ident : $type:ty,)*
    }) => {
        $(#[$($meta)*])*
        #[derive(serde::Serialize)]
        #[serde(rename_all = "camelCase")]
        $vis struct $name {
            $(
                $(#[doc = $doc])*
                #[serde(skip_serializing_if = "crate::schema::openapi::PropertySchema::is_absent")]
                $fvis $field: $type,
            )*
        }
        $crate::schema::describe! { [$(#[$($meta)*])*] $name $(as $schema_name)?, closed: false { $([$($doc)*] $field: $type,)* } }
    };
}
pub(crate) use answer;

/// The schema of a record: the part that [`request!`] and [`answer!`] share.
macro_rules! describe {
    ([$(#[$($meta:tt)*])*] $name:ident $(as $schema_name:literal)?, closed: $closed:literal { $([$($doc:literal)*] $field:ident : $type:ty $(= $default:expr)?,)* }) => {
        impl $crate::schema::openapi::ObjectSchema for $name {
            const DOC: &'static str = concat!($($crate::schema::doc_line!($($meta)*)),*);
        }
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                use $crate::schema::openapi::{PropertyBuilder, ObjectSchema, object};
                object(<Self as ObjectSchema>::DOC, $closed, vec![
                    $(PropertyBuilder::of::<$type>(stringify!($field), concat!($($doc, "\n"),*))
                        $(.default(&$crate::schema::Scalar::text(&$default)))?),*
                ])
            }
        }
        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                std::borrow::Cow::Borrowed($crate::schema::component_name!($name $($schema_name)?))
            }
            fn schemas(list: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>)>) {
                $(<$type as $crate::schema::openapi::PropertySchema>::collect(list);)*
            }
        }
        $crate::schema::openapi::field_by_reference!($name);
    };
}
pub(crate) use describe;

/// The name of a schema component: the type's own unless another is given.
macro_rules! component_name {
    ($name:ident) => {
        stringify!($name)
    };
    ($name:ident $schema_name:literal) => {
        $schema_name
    };
}
pub(crate) use component_name;

/// The text of one doc-comment attribute; nothing for other attributes.
macro_rules! doc_line {
    (doc = $doc:literal) => {
        concat!($doc, "\n")
    };
    ($($other:tt)*) => {
        ""
    };
}
pub(crate) use doc_line;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_json() {
        for (field, json) in [
            ("uln", "uln"),
            ("given_name", "givenName"),
            ("last_known_address_line1", "lastKnownAddressLine1"),
            ("family_name_at_age16", "familyNameAtAge16"),
        ] {
            assert_eq!(camel_case(field), json);
            assert!(is_camel_case_of(json, field), "{json}");
            assert!(field == json || !is_camel_case_of(field, field), "{field} is not camelCase");
        }
        assert_eq!(camel_case("r#type"), "type");
        assert!(!is_camel_case_of("givenNames", "given_name"));
        assert!(!is_camel_case_of("givenNam", "given_name"));
        assert!(!is_camel_case_of("GivenName", "given_name"));
    }
}
