//! `#[derive(Answer)]`

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, LitStr, Result};

use crate::object_schema::{EXAMPLE, EXAMPLES, schema, serialize};
use crate::record::Record;

pub fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let record = Record::new(input, "Answer", "answer", &["name = \"…\"", EXAMPLES], &[EXAMPLE])?;
    let component = record.attributes.text("name")?.map_or_else(|| record.ident.to_string(), |name: LitStr| name.value());
    let (schema, serialize) = (schema(&record, &component, false)?, serialize(&record));
    Ok(quote! { #schema #serialize })
}
