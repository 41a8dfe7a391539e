//! Records that the gateway returns, and the OpenAPI schema of all records.

/// Declares a record that the gateway returns: JSON without `null`, described by the OpenAPI document. Doc comments become its
/// descriptions.
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
        $crate::schema::macros::describe! {
            [$(#[$($meta)*])*] $name $(as $schema_name)?, closed: false { $([$($doc)*] $field: $type,)* }
        }
    };
}
pub(crate) use answer;

/// Implements a record's OpenAPI schema.
macro_rules! describe {
    ([$(#[$($meta:tt)*])*] $name:ident $(as $schema_name:literal)?, closed: $closed:literal {
        $([$($doc:literal)*] $field:ident : $type:ty $(= $default:expr)?,)*
    }) => {
        impl $crate::schema::openapi::ObjectSchema for $name {
            const DOC: &'static str = concat!($($crate::schema::macros::doc_line!($($meta)*)),*);
        }
        impl utoipa::PartialSchema for $name {
            fn schema() -> $crate::schema::openapi::SchemaOrRef {
                use $crate::schema::openapi::{ObjectSchema, PropertyBuilder, object_schema};
                object_schema(<Self as ObjectSchema>::DOC, $closed, vec![
                    $(PropertyBuilder::of::<$type>(stringify!($field), concat!($($doc, "\n"),*))
                        $(.default(&$crate::schema::Scalar::text(&$default)))?),*
                ])
            }
        }
        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                std::borrow::Cow::Borrowed($crate::schema::macros::component_name!($name $($schema_name)?))
            }
            fn schemas(schemas: &mut $crate::schema::openapi::Schemas) {
                $(<$type as $crate::schema::openapi::PropertySchema>::collect(schemas);)*
            }
        }
        $crate::schema::openapi::property_by_reference!($name);
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

/// The text of a doc-comment attribute; empty for other attributes.
macro_rules! doc_line {
    (doc = $doc:literal) => {
        concat!($doc, "\n")
    };
    ($($other:tt)*) => {
        ""
    };
}
pub(crate) use doc_line;
