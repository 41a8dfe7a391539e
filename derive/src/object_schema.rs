//! A record as a JSON object: its OpenAPI schema and its serialisation.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Result;
use syn::spanned::Spanned as _;

use crate::record::{Field, Record};
use crate::required_if::required_if;

/// The form of the attribute for the example of a field.
pub const EXAMPLE: &str = "example = <value>";
/// The form of the attribute for the table with the examples of a record's fields.
pub const EXAMPLES: &str = "examples = <table>";

/// Implements the OpenAPI schema of a record: a named component. Requests are `closed`: they have no other fields.
///
/// # Errors
/// Returns an error at each name without a doc comment.
pub fn schema(record: &Record<'_>, component: &str, closed: bool) -> Result<TokenStream> {
    let (ident, (doc, docs)) = (record.ident, record.docs()?);
    let properties = record.fields.iter().zip(docs).map(|(field, doc)| property(record, field, &doc));
    let types = record.fields.iter().map(|field| field.ty);
    Ok(quote! {
        impl crate::schema::openapi::PartialSchema for #ident {
            fn schema() -> crate::schema::openapi::SchemaOrRef {
                crate::schema::openapi::object_schema(#doc, #closed, vec![#(#properties),*])
            }
        }

        impl crate::schema::openapi::ToSchema for #ident {
            fn name() -> std::borrow::Cow<'static, str> {
                std::borrow::Cow::Borrowed(#component)
            }

            fn schemas(schemas: &mut crate::schema::openapi::Schemas) {
                #(<#types as crate::schema::openapi::PropertySchema>::collect(schemas);)*
            }
        }

        impl crate::schema::openapi::PropertySchema for #ident {
            fn schema() -> crate::schema::openapi::SchemaOrRef {
                crate::schema::openapi::schema_reference::<Self>()
            }

            fn collect(schemas: &mut crate::schema::openapi::Schemas) {
                crate::schema::openapi::collect_schema::<Self>(schemas);
            }
        }
    })
}

/// Returns the property of a field. An example of the field replaces that of the record's table, which replaces that of the type. A condition with
/// a wrong form is an error of the reader.
fn property(record: &Record<'_>, field: &Field<'_>, doc: &str) -> TokenStream {
    let (ty, name) = (field.ty, &field.json_name);
    let default = field.attributes.values("default").map(|default| quote! { .default(&crate::schema::Scalar::text(&#default)) });
    let condition = required_if(record, field).ok().flatten().map(|(position, value)| {
        let other = &record.fields[position].json_name;
        quote! { .required_if(#other, &crate::schema::Scalar::text(&#value)) }
    });
    let of_record = record.attributes.values("examples").map(|table| quote! { .example_from(#table) });
    let of_field = field.attributes.values("example").map(|example| quote! { .example(serde_json::json!(#example)) });
    quote_spanned! { ty.span()=>
        crate::schema::openapi::Property::new::<#ty>(#name, #doc)#(#default)* #condition #(#of_record)* #(#of_field)*
    }
}

/// Implements `Serialize`: an object without the absent fields.
pub fn serialize(record: &Record<'_>) -> TokenStream {
    let (ident, name, count) = (record.ident, record.ident.to_string(), record.fields.len());
    let statements = record.fields.iter().map(|field| {
        let (ident, json) = (field.ident, &field.json_name);
        quote_spanned! { field.ty.span()=>
            if !self.#ident.is_absent() {
                object.serialize_field(#json, &self.#ident)?;
            }
        }
    });
    quote! {
        impl serde::Serialize for #ident {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use crate::schema::openapi::PropertySchema as _;
                use serde::ser::SerializeStruct as _;
                let mut object = serializer.serialize_struct(#name, #count)?;
                #(#statements)*
                object.end()
            }
        }
    }
}
