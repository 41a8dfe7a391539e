//! Outcomes: what LRS's response codes mean to a caller. An answer is not an error.

/// Declares the outcomes of an operation: variant, name in JSON, LRS's code. `Other` is for codes nobody documented.
macro_rules! outcomes {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $json:literal <- $lrs:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$vmeta])* $variant,)+
            /// LRS answered with a code that is not documented: `lrsCode` has it.
            Other,
        }

        impl $name {
            /// Its names in JSON and LRS's codes for them.
            pub const TABLE: &[(&str, &str)] = &[$(($json, $lrs)),+];

            /// What LRS's code means.
            pub fn of(code: &$crate::lrs::codes::LrsCode) -> Self {
                match code {
                    $(code if code.is($lrs) => Self::$variant,)+
                    _ => Self::Other,
                }
            }

            /// Its name in JSON.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $json,)+
                    Self::Other => "OTHER",
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl $crate::schema::openapi::PropertySchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $crate::schema::openapi::one_of(&[$($json,)+ "OTHER"])
            }
        }
    };
}
pub(crate) use outcomes;
