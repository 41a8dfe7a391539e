//! Words of closed lists in answers.

/// Gives words of a closed list their names in JSON.
macro_rules! words {
    ($name:ty, |$word:ident| $of:expr, [$($json:literal),+]) => {
        impl $crate::schema::openapi::PropertySchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $crate::schema::openapi::one_of(&[$($json),+])
            }
        }

        impl $name {
            /// Its name in JSON.
            pub const fn word(&self) -> &'static str {
                let $word = *self;
                $of
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.word())
            }
        }
    };
}
pub(super) use words;
