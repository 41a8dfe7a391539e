//! Records that are read from documents.

/// Declares a record that is read from JSON or TOML. A field is required unless its type is an `Option` or it has a default.
///
/// ```text
/// input! {
///     /// Describes the record.
///     pub struct FindByUln {
///         /// Describes a required field.
///         pub uln: Uln,
///         /// Describes a field with a default.
///         pub find_type: FindType = FindType::Full,
///     }
///     // Checks several fields together. A field that cannot be used is `None`.
///     validate (uln, given_name) => function
/// }
/// ```
macro_rules! input {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$fmeta:meta])* $fvis:vis $field:ident : $type:ty $(= $default:expr)?,)*
    } $(validate ($($validated:ident),+) => $validate:path)?) => {
        $(#[$meta])*
        $vis struct $name { $($(#[$fmeta])* $fvis $field: $type,)* }

        impl $crate::schema::deserialize::FromDocument for $name {
            fn read<'de, D: serde::Deserializer<'de>>(
                input: D,
                context: &mut $crate::schema::deserialize::DeserializeContext,
            ) -> Result<Option<Self>, D::Error> {
                use $crate::schema::deserialize::{DeserializeContext, FieldState};

                struct RecordVisitor<'a>(&'a mut DeserializeContext);
                impl<'de> serde::de::Visitor<'de> for RecordVisitor<'_> {
                    type Value = Option<$name>;
                    $crate::schema::deserialize::visitor::reject_non_objects!();

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
                        let context = self.0;
                        $(let mut $field = FieldState::<$type>::default();)*
                        while let Some(key) = entries.next_key::<String>()? {
                            match key.as_str() {
                                $(key if context.is_named(key, stringify!($field)) => $field.read(&mut entries, key, context)?,)*
                                key => context.skip_unknown_field(&mut entries, key)?,
                            }
                        }
                        $(
                            let absent = $crate::schema::macros::absent_value!($type $(, $default)?);
                            let $field = $field.into_value(absent, stringify!($field), context);
                        )*
                        $($validate($($validated.as_ref()),+, context);)?
                        Ok((|| Some($name { $($field: $field?,)* }))())
                    }
                }
                input.deserialize_any(RecordVisitor(context))
            }
        }
    };
}
pub(crate) use input;

/// A function that returns the value of a field that the document does not contain.
macro_rules! absent_value {
    ($type:ty) => {
        <$type as $crate::schema::deserialize::FromDocument>::absent
    };
    ($type:ty, $default:expr) => {
        || Some($default)
    };
}
pub(crate) use absent_value;
