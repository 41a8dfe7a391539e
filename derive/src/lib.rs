//! The derives of lrs-gateway: one declaration of a record or a code list, from which reading, writing and the OpenAPI schema follow.
//!
//! * [`Request`](macro@Request): a record that callers send.
//! * [`Settings`](macro@Settings): a record of a configuration file.
//! * [`Answer`](macro@Answer): a record that the gateway returns.
//! * [`XmlRecord`](macro@XmlRecord): a record that is the content of an XML element.
//! * [`CodeList`](macro@CodeList): an enumeration.
//! * [`SharedFields`](macro@SharedFields) and [`fields_of`](macro@fields_of): a record whose fields other records have too.
//!
//! Doc comments become descriptions. Names are converted at compile time ([`naming`]). The expansions name items of the gateway by
//! `crate::` paths, so the derives work in the gateway only.

mod answer;
mod attributes;
mod code_list;
mod from_document;
mod naming;
mod object_schema;
mod record;
mod request;
mod required_if;
mod settings;
mod shared_fields;
mod xml_record;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Declares a record that callers send: it is read from JSON with every error, and the OpenAPI document describes it.
///
/// A field is required unless its type is an `Option` or it has a default.
///
/// * `#[request(validate = function(field, …))]` at the struct calls `function(Option<&Field>, …, &mut DeserializeContext)` after all fields
///   are read. A field that cannot be used is `None`.
/// * `#[request(identified_by = field)]` at the struct: errors of the record carry the caller's identifier of it, which this optional field has.
/// * `#[request(stored)]` at the struct implements `Serialize`: the JSON that the record was read from.
/// * `#[request(default = expression)]` at a field: its value if it is absent.
/// * `#[request(required_if = field == value)]` at an optional text: it must be there, and not be blank, if another field, a word of a code list
///   that is required, has this value. The schema has the same rule.
/// * `#[request(example = value)]` at a field, `#[request(examples = table)]` at the struct: as for [`Answer`](macro@Answer).
#[proc_macro_derive(Request, attributes(request))]
pub fn derive_request(input: TokenStream) -> TokenStream {
    expand(request::expand, &parse_macro_input!(input))
}

/// Declares a record that is read from a configuration file or another document that the OpenAPI document does not describe.
///
/// A section, that is a record in a record, is required only if one of its settings is.
///
/// * `#[setting(validate = function(field, …))]` at the struct, and `#[setting(default = expression)]` at a field: as for
///   [`Request`](macro@Request).
/// * `#[setting(range = first..=last)]` at a number, which may be optional: the numbers that are allowed. Also `first..` and `..=last`.
/// * `#[setting(page)]` at the struct: the settings are in a page of the documentation, with their default, their values and their doc
///   comment. `#[setting(shown_default = "…")]` and `#[setting(shown_values = "…")]` at a field replace the first two in the page.
#[proc_macro_derive(Settings, attributes(setting))]
pub fn derive_settings(input: TokenStream) -> TokenStream {
    expand(settings::expand, &parse_macro_input!(input))
}

/// Declares a record that the gateway returns: JSON without `null`, described by the OpenAPI document.
///
/// * `#[answer(name = "…")]` at the struct names the schema component. Without it, the component has the struct's name.
/// * `#[answer(example = value)]` at a field: its example in the OpenAPI document, a literal or an array of literals.
/// * `#[answer(examples = table)]` at the struct: a `&[(&str, &str)]` of JSON names and examples, for records that show the same learner. Fields
///   that it does not name have the example of their type.
#[proc_macro_derive(Answer, attributes(answer))]
pub fn derive_answer(input: TokenStream) -> TokenStream {
    expand(answer::expand, &parse_macro_input!(input))
}

/// Declares a record that is the content of an XML element. A field's type says how often its element may occur.
///
/// * `#[xml(prefix = "…")]` at the struct: elements are written with this prefix.
/// * `#[xml(camel_case)]` at the struct: elements are named in `camelCase` instead of `PascalCase`.
/// * `#[xml(order(field, …))]` at the struct: the order of the elements, if it is not that of the fields.
/// * `#[xml(tolerant)]` at the struct: an optional value of the wrong kind is reported and left out, instead of an error of the whole document.
/// * `#[xml(strict)]` at a field of such a struct: a value of the wrong kind is an error.
/// * `#[xml(name = "…")]` at a field: the element's name, if it does not follow from the field's.
/// * `#[xml(nil)]` at an optional field: an absent value is written as `xsi:nil`.
/// * `#[xml(items("name", "attributes", "item attributes"))]` at a list of values: the items are in a wrapper element, which is always
///   written. The attributes are those of the wrapper and of each item.
#[proc_macro_derive(XmlRecord, attributes(xml))]
pub fn derive_xml_record(input: TokenStream) -> TokenStream {
    expand(xml_record::expand, &parse_macro_input!(input))
}

/// Declares an enumeration: each variant is a word in JSON and may have a code at LRS.
///
/// * `#[code_list(request)]` at the enum: callers send it, so the schema component is closed. Without it, the component is open: later
///   versions may add words.
/// * `#[code_list(personal)]` at the enum: the values are personal data, which `{:?}` does not print.
/// * `#[code_list(name = "…")]` at the enum names the schema component. Without it, the component has the enum's name.
/// * `#[code_list(answer = "…")]` at the enum names the open component of answers that pass on undocumented values of LRS.
/// * `#[code_list(case = "…")]` at the enum: the case of the words, `SCREAMING_SNAKE_CASE` by default.
/// * `#[code(lrs = "…")]` at a variant: LRS's code.
/// * `#[code(word = "…")]` at a variant: the word, if it does not follow from the variant's name.
/// * `#[code(example)]` at a variant: its word is the example of the component. Without it, the first word is.
/// * `#[code(other)]` at a variant: stands for every code that no other variant has.
#[proc_macro_derive(CodeList, attributes(code_list, code))]
pub fn derive_code_list(input: TokenStream) -> TokenStream {
    expand(code_list::expand, &parse_macro_input!(input))
}

/// Shares the fields of a [`Request`](macro@Request) with other records, which have them by [`fields_of`](macro@fields_of).
///
/// The constant `EXAMPLES` has the texts of `#[request(example = "…")]`, by JSON names: a table for `#[request(examples = table)]`.
#[proc_macro_derive(SharedFields)]
pub fn derive_shared_fields(input: TokenStream) -> TokenStream {
    expand(shared_fields::share, &parse_macro_input!(input))
}

/// Adds the shared fields of another record, `#[fields_of(path::to::Record)]`, with all their attributes. It stands above the derives.
///
/// A field that the record declares itself replaces the shared one with the same name, at its place. A field of another name stands after the
/// field that is declared before it, the first one before the shared fields. `#[after(field)]` and `#[last]` name another place.
///
/// * `each(Type<_>)`: the type of each shared field. `_` is its own type, without its `Option`. The attributes are left out then, except the doc
///   comment.
/// * `without_limits`: doc comments leave `, up to … characters` out.
///
/// At an enum that derives [`CodeList`](macro@CodeList), it adds a variant for each shared field that is optional. Its word is the JSON name. A variant
/// that the enum declares itself gives that variant another doc comment, or more attributes.
#[proc_macro_attribute]
pub fn fields_of(arguments: TokenStream, record: TokenStream) -> TokenStream {
    shared_fields::fields_of(&arguments.into(), &record.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

#[doc(hidden)]
#[proc_macro]
pub fn merge_fields(input: TokenStream) -> TokenStream {
    shared_fields::merge(input.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

fn expand(derive: fn(&DeriveInput) -> syn::Result<proc_macro2::TokenStream>, input: &DeriveInput) -> TokenStream {
    derive(input).unwrap_or_else(syn::Error::into_compile_error).into()
}
