//! `#[derive(Request)]`

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Result};

use crate::attributes::both;
use crate::from_document::{DEFAULT, IDENTIFIED_BY, VALIDATE, from_document};
use crate::object_schema::{EXAMPLE, EXAMPLES, schema, serialize};
use crate::record::Record;
use crate::required_if::REQUIRED_IF;

/// The attributes at the struct.
pub const AT_STRUCT: &[&str] = &["stored", EXAMPLES, VALIDATE, IDENTIFIED_BY];
/// The attributes at each field.
pub const AT_FIELD: &[&str] = &[DEFAULT, EXAMPLE, REQUIRED_IF];

pub fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let record = Record::new(input, "Request", "request", AT_STRUCT, AT_FIELD)?;
    let (schema, from_document) = both(schema(&record, &record.ident.to_string(), true), from_document(&record, None))?;
    let serialize = record.attributes.has("stored").then(|| serialize(&record));
    Ok(quote! { #from_document #schema #serialize })
}
