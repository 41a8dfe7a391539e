//! Declares scalars and records, reads them from documents and describes them in the OpenAPI document.
//!
//! * A [`Scalar`] is a text with constraints: a ULN, a name, a date.
//! * `input!` declares a record that is read: a request body, a configuration file, an organisation's file. The record is read
//!   straight into scalars, and all field errors are returned together, each with its JSON Pointer ([`deserialize`]).
//! * `request!` declares an `input!` that the OpenAPI document describes. `stored_request!` declares one that can also be
//!   serialised.
//! * `answer!` declares a record that the gateway returns. The OpenAPI document describes it too ([`openapi`]).
//!
//! Field names are written once, in Rust's `snake_case`. JSON uses them in `camelCase`, TOML in `snake_case`.

pub mod deserialize;
mod field_error;
mod list;
pub(crate) mod macros;
mod naming;
pub mod openapi;
mod scalar;
mod serialize;
pub mod toml;
mod xml_char;

pub use field_error::FieldError;
pub use list::List;
pub(crate) use macros::{answer, input, request, stored_request};
pub use naming::{camel_case, is_camel_case_of};
pub(crate) use scalar::personal_value;
pub use scalar::{Constraints, InvalidValue, Scalar};
pub use serialize::json_object;
pub use xml_char::is_xml_char;
