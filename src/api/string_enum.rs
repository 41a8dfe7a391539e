//! Enums with fixed strings in JSON.

/// Declares the strings that an enum has in JSON, once: for writing and for the OpenAPI document, in the same order.
///
/// ```text
/// string_enum! {
///     /// A new enum.
///     pub enum CertificateStatus {
///         /// Description of the variant.
///         Valid = "VALID",
///     }
/// }
/// // An enum that is declared elsewhere:
/// string_enum! { impl ServiceStatus { Available = "AVAILABLE" } }
/// ```
macro_rules! string_enum {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $json:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)+
        }

        $crate::api::string_enum::string_enum! { impl $name { $($variant = $json,)+ } }
    };
    (impl $name:ident { $($variant:ident = $json:literal),+ $(,)? }) => {
        impl $name {
            /// Returns the string in JSON.
            pub const fn json_name(self) -> &'static str {
                match self {
                    $(Self::$variant => $json,)+
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.json_name())
            }
        }

        impl $crate::schema::openapi::PropertySchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $crate::schema::openapi::string_enum_schema(&[$($json),+])
            }
        }
    };
}
pub(super) use string_enum;
