//! Records that callers send.

/// Declares an `input!` that the OpenAPI document describes. Doc comments become its descriptions.
macro_rules! request {
    ($(#[$($meta:tt)*])* $vis:vis struct $name:ident {
        $($(#[doc = $doc:literal])* $fvis:vis $field:ident : $type:ty $(= $default:expr)?,)*
    } $(validate ($($validated:ident),+) => $validate:path)?) => {
        $crate::schema::input! {
            $(#[$($meta)*])* $vis struct $name { $($(#[doc = $doc])* $fvis $field: $type $(= $default)?,)* }
            $(validate ($($validated),+) => $validate)?
        }
        $crate::schema::macros::describe! {
            [$(#[$($meta)*])*] $name, closed: true { $([$($doc)*] $field: $type $(= $default)?,)* }
        }
    };
}
pub(crate) use request;

/// Declares a `request!` that can be serialised to the JSON that it was read from, so that the gateway can store it.
macro_rules! stored_request {
    ($(#[$($meta:tt)*])* $vis:vis struct $name:ident {
        $($(#[doc = $doc:literal])* $fvis:vis $field:ident : $type:ty,)*
    } $(validate ($($validated:ident),+) => $validate:path)?) => {
        $crate::schema::input! {
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
            $(validate ($($validated),+) => $validate)?
        }
        $crate::schema::macros::describe! { [$(#[$($meta)*])*] $name, closed: true { $([$($doc)*] $field: $type,)* } }
    };
}
pub(crate) use stored_request;
