//! Parts of serde visitors that accept one kind of value: every other kind is consumed and recorded as an error.
//!
//! The macros expand inside `impl Visitor`. The visitor is a tuple struct whose first field is `&mut DeserializeContext`, and its value is an
//! `Option`.

use crate::schema::InvalidValue;

/// The error for `null`.
pub(crate) const NULL_NOT_ALLOWED: InvalidValue = InvalidValue::new("null_not_allowed", "must not be null; leave the field out instead");

/// Implements the methods of a visitor for objects, all but `visit_map`.
macro_rules! reject_non_objects {
    () => {
        $crate::schema::deserialize::visitor::reject_scalars!("must be an object");

        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            while list.next_element::<serde::de::IgnoredAny>()?.is_some() {}
            self.visit_str("")
        }
    };
}

/// Implements the methods of a visitor for lists, all but `visit_seq`.
macro_rules! reject_non_lists {
    () => {
        $crate::schema::deserialize::visitor::reject_scalars!("must be a list");

        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
            while entries.next_entry::<serde::de::IgnoredAny, serde::de::IgnoredAny>()?.is_some() {}
            self.visit_str("")
        }
    };
}

/// Implements the methods of a visitor for `null`, strings, numbers and booleans. `visit_str` records the error for all kinds but `null`;
/// its text does not matter.
macro_rules! reject_scalars {
    ($detail:literal) => {
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str($detail)
        }
        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            self.0.add_error($crate::schema::InvalidValue::new("wrong_type", $detail));
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
            self.0.add_error($crate::schema::deserialize::visitor::NULL_NOT_ALLOWED);
            Ok(None)
        }
    };
}
pub(crate) use {reject_non_lists, reject_non_objects, reject_scalars};
