//! `#[derive(SharedFields)]` and `#[fields_of]`: a record whose fields other records have too.
//!
//! A macro sees only the item that it stands at. So the derive puts the fields into a `macro_rules!` macro. `fields_of` calls that with the other
//! record, and it passes both to [`merge`].

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, format_ident, quote};
use syn::parse::{ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{Attribute, DeriveInput, Error, Field, Fields, GenericArgument, Ident, Item, Path, PathArguments, Result, Token, Type, Variant};
use syn::{parse_quote, parse2};

use crate::attributes::{Attributes, collect, doc};
use crate::naming::camel_case;
use crate::record::Record;
use crate::request::{AT_FIELD, AT_STRUCT};

const ARGUMENTS: &[&str] = &["each(<type with _>)", "without_limits"];
const UNCLEAR_LIMIT: &str =
    "`without_limits` cannot take the length out of this field's description: write it as `, up to <number> characters`";

/// Returns the macro with the fields of a request, and its constant `EXAMPLES`.
///
/// # Errors
/// Returns the errors of the request.
pub fn share(input: &DeriveInput) -> Result<TokenStream> {
    let record = Record::new(input, "SharedFields", "request", AT_STRUCT, AT_FIELD)?;
    let (ident, fields_macro, fields) = (record.ident, fields_macro(record.ident), record.declarations);
    let example = |name, example| quote! { (#name, #example) };
    let examples = record.fields.iter().filter_map(|field| Some(example(&field.json_name, field.attributes.values("example").next()?)));
    Ok(quote! {
        impl #ident {
            /// The examples that stand at the fields, by JSON names.
            pub const EXAMPLES: &'static [(&'static str, &'static str)] = &[#(#examples),*];
        }
        macro_rules! #fields_macro {
            ($($record:tt)*) => { lrs_gateway_derive::merge_fields! { #fields $($record)* } };
        }
        pub(crate) use #fields_macro;
    })
}

fn fields_macro(record: &Ident) -> Ident {
    format_ident!("{record}Fields")
}

/// Returns the call of the macro with the shared fields.
///
/// # Errors
/// Returns the errors of the arguments.
pub fn fields_of(arguments: &TokenStream, record: &TokenStream) -> Result<TokenStream> {
    let (mut source, _) = read_arguments(arguments.clone())?;
    if let Some(last) = source.segments.last_mut() {
        last.ident = fields_macro(&last.ident);
    }
    Ok(quote! { #source! { {#arguments} #record } })
}

/// Returns the path of the record with the shared fields, and the other arguments.
fn read_arguments(arguments: TokenStream) -> Result<(Path, Attributes)> {
    let parse = |input: ParseStream<'_>| Ok((input.parse()?, input.parse::<Option<Token![,]>>()?, input.parse::<TokenStream>()?));
    let (source, _, others) = parse.parse2(arguments)?;
    Ok((source, Attributes::read(&[parse_quote! { #[fields_of(#others)] }], "fields_of", ARGUMENTS)?))
}

/// Returns the record with the shared fields: a struct has them beside its own, an enum has a variant for each that is optional.
///
/// # Errors
/// Returns an error at each name of a field or variant that does not exist, and if the record is no struct with named fields and no enum.
pub fn merge(input: TokenStream) -> Result<TokenStream> {
    let parse = |input: ParseStream<'_>| Ok((input.parse::<Group>()?, input.parse::<Group>()?, input.parse()?));
    let (shared, arguments, mut record) = parse.parse2(input)?;
    let (_, arguments) = read_arguments(arguments.stream())?;
    let shared = |record: &Ident| shared_fields(resolved_at(shared.stream(), record.span()), &arguments);
    match &mut record {
        Item::Struct(syn::ItemStruct { ident, fields: Fields::Named(own), .. }) => {
            let own_fields = std::mem::take(&mut own.named);
            own.named = with_own_fields(shared(ident)?, own_fields)?.into_iter().collect();
        }
        Item::Enum(own) => {
            let fields = shared(&own.ident)?;
            let variants = collect(fields.iter().filter(|field| optional_value(&field.ty).is_some()).map(variant))?;
            own.variants = with_own_variants(variants, std::mem::take(&mut own.variants))?.into_iter().collect();
        }
        other => return Err(Error::new_spanned(other, "`fields_of` is for structs with named fields and for enums")),
    }
    Ok(record.into_token_stream())
}

/// Returns the shared fields as the arguments want them.
fn shared_fields(shared: TokenStream, arguments: &Attributes) -> Result<Vec<Field>> {
    let fields = (|input: ParseStream<'_>| Punctuated::<_, Token![,]>::parse_terminated_with(input, Field::parse_named)).parse2(shared)?;
    let mut fields: Vec<Field> = fields.into_iter().collect();
    let each = arguments.list::<Type>("each")?.and_then(|(types, _)| types.into_iter().next());
    for field in &mut fields {
        if let Some(each) = &each {
            field.ty = parse2(replace_placeholder(each, optional_value(&field.ty).unwrap_or(&field.ty)))?;
            field.attrs.retain(|attribute| attribute.path().is_ident("doc"));
        }
        if let (true, Some(ident)) = (arguments.has("without_limits"), &field.ident) {
            let description = without_limit(&doc(&field.attrs, ident)?).ok_or_else(|| Error::new(ident.span(), UNCLEAR_LIMIT))?;
            field.attrs.retain(|attribute| !attribute.path().is_ident("doc"));
            field.attrs.push(parse_quote! { #[doc = #description] });
        }
    }
    Ok(fields)
}

/// Returns the fields with the record's own ones, each at its place. It replaces a shared field with the same name.
fn with_own_fields(mut fields: Vec<Field>, own: impl IntoIterator<Item = Field>) -> Result<Vec<Field>> {
    let mut next = 0;
    for mut field in own {
        let replaced = fields.iter().position(|shared| shared.ident == field.ident);
        replaced.map(|position| fields.remove(position));
        let is_place = |attribute: &syn::Attribute| ["after", "last"].iter().any(|name| attribute.path().is_ident(name));
        let place = field.attrs.iter().position(is_place).map(|position| field.attrs.remove(position));
        next = match (place, replaced) {
            (Some(place), _) if place.path().is_ident("last") => fields.len(),
            (Some(place), _) => position(&fields, &place.parse_args()?)? + 1,
            (None, replaced) => replaced.unwrap_or(next),
        };
        fields.insert(next, field);
        next += 1;
    }
    Ok(fields)
}

fn position(fields: &[Field], name: &Ident) -> Result<usize> {
    fields.iter().position(|field| field.ident.as_ref() == Some(name)).ok_or_else(|| {
        let names: Vec<_> = fields.iter().filter_map(|field| Some(field.ident.as_ref()?.to_string())).collect();
        Error::new(name.span(), format!("unknown field; the fields are `{}`", names.join("`, `")))
    })
}

/// Returns the variants for fields with the attributes that the enum gives them. Its doc comment replaces that of the field.
fn with_own_variants(mut variants: Vec<Variant>, own: impl IntoIterator<Item = Variant>) -> Result<Vec<Variant>> {
    for own in own {
        let Some(variant) = variants.iter_mut().find(|variant| variant.ident == own.ident) else {
            let names: Vec<_> = variants.iter().map(|variant| variant.ident.to_string()).collect();
            let message = format!("no optional field has this variant; the variants are `{}`", names.join("`, `"));
            return Err(Error::new(own.ident.span(), message));
        };
        let is_doc = |attribute: &Attribute| attribute.path().is_ident("doc");
        let is_described = own.attrs.iter().any(is_doc);
        variant.attrs.retain(|attribute| !(is_described && is_doc(attribute)));
        variant.attrs.extend(own.attrs);
    }
    Ok(variants)
}

/// Returns the variant for a field: its word is the field's name in JSON.
fn variant(field: &Field) -> Result<Variant> {
    let ident = field.ident.as_ref().ok_or_else(|| Error::new_spanned(field, "needs a name"))?;
    let (word, description) = (camel_case(&ident.to_string()), doc(&field.attrs, ident)?);
    let variant = Ident::new(&camel_case(&format!("_{ident}")), ident.span());
    Ok(parse_quote! { #[doc = #description] #[code(word = #word)] #variant })
}

/// Returns the type in an `Option`.
fn optional_value(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Option")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    arguments.args.iter().find_map(|argument| if let GenericArgument::Type(ty) = argument { Some(ty) } else { None })
}

/// Returns a description without the length of a text: `Notes, up to 4,000 characters.` becomes `Notes.` Returns `None` if it gives a length in
/// another way.
fn without_limit(text: &str) -> Option<String> {
    let parts = text.split_once(", up to ").and_then(|(before, limit)| Some((before, limit.split_once(" characters")?.1)));
    let without = parts.map_or_else(|| text.to_owned(), |(before, after)| format!("{before}{after}"));
    (!without.contains("character")).then_some(without)
}

/// Replaces each `_` of a type.
fn replace_placeholder(ty: &Type, value: &Type) -> TokenStream {
    let is_placeholder = |token: &TokenTree| matches!(token, TokenTree::Ident(ident) if ident == "_");
    let replace = |token| if is_placeholder(&token) { value.to_token_stream() } else { token.into() };
    ty.to_token_stream().into_iter().flat_map(replace).collect()
}

/// Lets names mean what they mean at `place`. Their own places stay, so that errors point to the shared fields.
fn resolved_at(tokens: TokenStream, place: Span) -> TokenStream {
    let resolve = |mut token: TokenTree| {
        let span = token.span().resolved_at(place);
        if let TokenTree::Group(group) = &token {
            token = Group::new(group.delimiter(), resolved_at(group.stream(), place)).into();
        }
        token.set_span(span);
        token
    };
    tokens.into_iter().map(resolve).collect()
}
