//! `#[derive(Settings)]`

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{DeriveInput, Result};

use crate::attributes::{both, collect};
use crate::from_document::{DEFAULT, RANGE, VALIDATE, absent, from_document, range};
use crate::record::{Field, Record};

/// The form of the attribute for the default in the page of settings.
const SHOWN_DEFAULT: &str = "shown_default = <text>";
/// The form of the attribute for the values in the page of settings.
const SHOWN_VALUES: &str = "shown_values = <text>";

pub fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let record = Record::new(input, "Settings", "setting", &["page", VALIDATE], &[DEFAULT, RANGE, SHOWN_DEFAULT, SHOWN_VALUES])?;
    let description = if record.attributes.has("page") { setting_type(&record) } else { Ok(TokenStream::new()) };
    let (from_document, description) = both(from_document(&record, Some(&absent_section(&record))), description)?;
    Ok(quote! { #from_document #description })
}

/// A section can be absent if each of its settings can.
fn absent_section(record: &Record<'_>) -> TokenStream {
    let (fields, values): (Vec<_>, Vec<_>) = record.fields.iter().map(|field| (field.ident, absent(field))).unzip();
    quote! { fn absent() -> Option<Self> { Some(Self { #(#fields: #values?,)* }) } }
}

/// Implements `SettingType`: the descriptions of the settings in their page.
fn setting_type(record: &Record<'_>) -> Result<TokenStream> {
    let (ident, (_, meanings)) = (record.ident, record.docs()?);
    let settings = collect(record.fields.iter().zip(meanings).map(|(field, meaning)| description(field, &meaning)))?;
    Ok(quote! {
        impl crate::schema::SettingType for #ident {
            fn values() -> crate::schema::SettingValues {
                crate::schema::SettingValues::Section(vec![#(#settings),*])
            }
        }
    })
}

fn description(field: &Field<'_>, meaning: &str) -> Result<TokenStream> {
    let (name, ty) = (&field.name, field.ty);
    let default = match (field.attributes.values("shown_default").next(), absent(field)) {
        (Some(text), _) => quote! { #text.to_string() },
        (None, absent) => quote_spanned! { ty.span()=> crate::schema::default_text::<#ty>(#absent.as_ref()) },
    };
    let values = match (field.attributes.values("shown_values").next(), range(field)?) {
        (Some(text), _) => quote! { crate::schema::SettingValues::Text(#text.to_string()) },
        (None, Some(range)) => quote! { crate::schema::SettingValues::Text(crate::schema::deserialize::range_text::<#ty>(&(#range))) },
        (None, None) => quote_spanned! { ty.span()=> <#ty as crate::schema::SettingType>::values() },
    };
    Ok(quote! { crate::schema::SettingDescription { name: #name, default: #default, values: #values, meaning: #meaning } })
}
