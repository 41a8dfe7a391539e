//! Reading a record from a document, for [`Request`](macro@crate::Request) and [`Settings`](macro@crate::Settings).

use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Error, Expr, ExprCall, ExprRange, Ident, RangeLimits, Result};

use crate::attributes::{both, collect};
use crate::record::{Field, Record};
use crate::required_if::required_if;

/// The form of the attribute for functions that check several fields together.
pub const VALIDATE: &str = "validate = <function>(<field>, …)";
/// The form of the attribute for the value of an absent field.
pub const DEFAULT: &str = "default = <expression>";
/// The form of the attribute for the numbers that a field may have.
pub const RANGE: &str = "range = <first>..=<last>";

/// Returns the check that a field is present if the value of another field requires it.
fn required_if_check(record: &Record<'_>, number: usize) -> Result<Option<TokenStream>> {
    let field = &record.fields[number];
    Ok(required_if(record, field)?.map(|(position, value)| {
        let (state, other) = (field.variable(number), record.fields[position].variable(position));
        quote_spanned! { state.span()=>
            crate::schema::deserialize::require_if(
                (names[#position], #other.as_ref(), &#value), (names[#number], #state.as_ref()), context,
            );
        }
    }))
}

/// The form of the attribute for the field with the caller's identifier of the record.
pub const IDENTIFIED_BY: &str = "identified_by = <field>";

/// Returns the statements at the start and at the end of reading that add the caller's identifier of the record to the record's errors.
fn identification(record: &Record<'_>) -> Result<(TokenStream, TokenStream)> {
    let Some(field) = record.attributes.values("identified_by").next() else { return Ok(Default::default()) };
    let position = record.position(&syn::parse2::<Ident>(quote! { #field })?)?;
    let field = record.fields[position].variable(position);
    let end = quote! {
        if context.error_count() > errors_before {
            let identifier = #field.as_ref().and_then(Option::as_ref).map(crate::schema::Scalar::text);
            context.identify_errors(errors_before, identifier.as_deref());
        }
    };
    Ok((quote! { let errors_before = context.error_count(); }, end))
}

/// Returns the call of a function after all fields are read.
fn validation(record: &Record<'_>, value: &Expr) -> Result<TokenStream> {
    let Expr::Call(ExprCall { func, args, .. }) = value else {
        return Err(Error::new(value.span(), format!("expected `{VALIDATE}`")));
    };
    let fields = collect(args.iter().map(|field| {
        let position = record.position(&syn::parse2::<Ident>(quote! { #field })?)?;
        Ok(record.fields[position].variable(position))
    }))?;
    Ok(quote! { #func(#(#fields.as_ref(),)* context); })
}

/// Returns the field's range: `1..=600`, `1..` or `..=600`.
///
/// # Errors
/// Returns an error if the attribute has another form.
pub fn range<'a>(field: &'a Field<'_>) -> Result<Option<&'a Expr>> {
    let Some(value) = field.attributes.values("range").next() else { return Ok(None) };
    match value {
        Expr::Range(ExprRange { end: Some(_), limits: RangeLimits::Closed(_), .. } | ExprRange { start: Some(_), end: None, .. }) => {
            Ok(Some(value))
        }
        _ => Err(Error::new(value.span(), format!("expected `{RANGE}`; one of the ends can be left out, as in `1..`"))),
    }
}

/// Returns the value of a field that the document does not contain, as an `Option`; `None` if the field is required.
pub fn absent(field: &Field<'_>) -> TokenStream {
    match (field.attributes.values("default").next(), field.ty) {
        (Some(default), _) => quote! { Some(#default) },
        (None, ty) => quote_spanned! { ty.span()=> <#ty as crate::schema::deserialize::FromDocument>::absent() },
    }
}

/// Returns the body of a function that finds the position of the field with the name `key`. Few names have the same length.
fn position<'a>(names: impl Iterator<Item = &'a String>) -> TokenStream {
    let mut by_length = BTreeMap::<usize, TokenStream>::new();
    for (position, name) in names.enumerate() {
        by_length.entry(name.len()).or_default().extend(quote! { #name => Some(#position), });
    }
    let (lengths, names): (Vec<_>, Vec<_>) = by_length.into_iter().unzip();
    quote! {
        match key.len() {
            #(#lengths => match key { #names _ => None },)*
            _ => None,
        }
    }
}

/// Implements `FromDocument`. Fields are matched by name as literals. `absent_record` is the method for an absent record, if it can be absent.
///
/// # Errors
/// Returns an error at each field that is to be checked and does not exist, and at each attribute with a wrong form.
pub fn from_document(record: &Record<'_>, absent_record: Option<&TokenStream>) -> Result<TokenStream> {
    let validations = collect(record.attributes.values("validate").map(|value| validation(record, value)));
    let (validations, ranges) = both(validations, collect(record.fields.iter().map(range)))?;
    let (errors_before, identification) = identification(record)?;
    let (ident, count) = (record.ident, record.fields.len());
    let required_if_checks = collect((0..count).map(|number| required_if_check(record, number)))?.into_iter().flatten();
    let fields: Vec<_> = record.fields.iter().map(|field| field.ident).collect();
    let types: Vec<_> = record.fields.iter().map(|field| field.ty).collect();
    let json: Vec<_> = record.fields.iter().map(|field| &field.json_name).collect();
    let settings: Vec<_> = record.fields.iter().map(|field| &field.name).collect();
    let (json_position, settings_position) = (position(json.iter().copied()), position(settings.iter().copied()));
    let number: Vec<usize> = (0..count).collect();
    let state: Vec<_> = record.fields.iter().zip(&number).map(|(field, number)| field.variable(*number)).collect();
    let read = state.iter().zip(&number).map(|(state, number)| {
        let has_default = record.fields[*number].attributes.has("default");
        quote_spanned! { state.span()=> #state.read(&mut entries, names[#number], #has_default, context)? }
    });
    let outlines = types.iter().map(|ty| quote_spanned! { ty.span()=> <#ty as crate::schema::deserialize::FromDocument>::outline });
    let absent = record.fields.iter().map(absent);
    let range_checks = ranges.iter().zip(state.iter().zip(&number)).filter_map(|(range, (state, number))| {
        let range = (*range)?;
        Some(quote_spanned! { state.span()=> let #state = crate::schema::deserialize::check_range(#state, &(#range), names[#number], context); })
    });
    Ok(quote! {
        impl crate::schema::deserialize::FromDocument for #ident {
            fn read<'de, D: serde::Deserializer<'de>>(
                input: D,
                context: &mut crate::schema::deserialize::DeserializeContext,
            ) -> Result<Option<Self>, D::Error> {
                crate::schema::deserialize::read_object(input, context)
            }
            #absent_record
            fn outline(outline: &mut crate::schema::deserialize::Outline) {
                let names = crate::schema::deserialize::FieldNames { json: &[#(#json),*], settings: &[#(#settings),*] };
                outline.add_object(names, &[#(#outlines),*]);
            }
        }

        impl crate::schema::deserialize::ReadFields for #ident {
            fn read_fields<'de, A: serde::de::MapAccess<'de>>(
                mut entries: A,
                context: &mut crate::schema::deserialize::DeserializeContext,
            ) -> Result<Option<Self>, A::Error> {
                use crate::schema::deserialize::{FieldKey, FieldState, next_key};
                fn json(key: &str) -> Option<usize> {
                    #json_position
                }
                fn settings(key: &str) -> Option<usize> {
                    #settings_position
                }
                let (position, names): (fn(&str) -> Option<usize>, &[&'static str; #count]) =
                    if context.is_json() { (json, &[#(#json),*]) } else { (settings, &[#(#settings),*]) };
                #errors_before
                #(let mut #state = FieldState::<#types>::Unread;)*
                while let Some(key) = next_key(&mut entries, position)? {
                    match key {
                        #(FieldKey::Known(#number) => #read,)*
                        FieldKey::Known(_) => {}
                        FieldKey::Unknown(key) => context.skip_unknown_field(&mut entries, key, names)?,
                    }
                }
                #(let #state = #state.into_value(|| #absent, names[#number], context);)*
                #(#range_checks)*
                #(#required_if_checks)*
                #(#validations)*
                #identification
                #(let Some(#state) = #state else { return Ok(None) };)*
                Ok(Some(Self { #(#fields: #state,)* }))
            }
        }
    })
}
