//! Declares scalars and records, reads them from documents and describes them in the OpenAPI document.
//!
//! * A [`Scalar`] is a text with constraints: a ULN, a name, a date.
//! * [`derive(CodeList)`](macro@CodeList) declares an enumeration: a scalar with a list of words, some of which LRS has a code for.
//! * [`derive(Request)`](macro@Request) declares a record that callers send. It is read straight into scalars, and all field errors are
//!   returned together, each with its JSON Pointer ([`deserialize`]).
//! * [`derive(Settings)`](macro@Settings) declares a record that is read in the same way and that the OpenAPI document does not describe:
//!   a configuration file, an organisation's file. A page of the documentation describes each setting.
//! * [`derive(Answer)`](macro@Answer) declares a record that the gateway returns. The OpenAPI document describes requests and answers
//!   ([`openapi`]).
//! * [`derive(SharedFields)`](macro@SharedFields) and [`fields_of`](macro@fields_of) declare fields that several records have.
//!
//! Field names are written once, in Rust's `snake_case`. JSON uses them in `camelCase`, TOML in `snake_case`.

mod code_list;
pub mod deserialize;
mod field_error;
mod list;
pub mod openapi;
mod scalar;
mod serialize;
mod setting_type;
pub mod toml;
mod warnings;

pub use code_list::{CodeList, CodeListEntry, CodeListWithOther, CodeTable};
pub use field_error::FieldError;
pub use list::List;
pub use lrs_gateway_derive::{Answer, CodeList, Request, Settings, SharedFields, fields_of};
pub(crate) use scalar::personal_value;
pub use scalar::{Constraints, Hint, InvalidValue, Scalar};
pub use serialize::json_object;
pub use setting_type::{SettingDescription, SettingType, SettingValues, default_text};
pub use warnings::{FieldWarning, MAX_LISTED_WARNINGS, Warnings};
