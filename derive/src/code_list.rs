//! `#[derive(CodeList)]`

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DataEnum, DeriveInput, Error, Fields, Ident, LitStr, Result, Variant};

use crate::attributes::{Attributes, both, collect, doc, require_unique};
use crate::naming::word;

const AT_ENUM: &[&str] = &["request", "personal", "name = \"…\"", "answer = \"…\"", "case = \"…\""];
const AT_VARIANT: &[&str] = &["lrs = \"…\"", "word = \"…\"", "example", "other"];

/// One value.
struct Entry<'a> {
    variant: &'a Ident,
    doc: String,
    word: String,
    lrs: Option<LitStr>,
    example: bool,
    other: bool,
}

pub fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Enum(DataEnum { variants, .. }) = &input.data else {
        return Err(Error::new(input.ident.span(), "`CodeList` is for enums whose variants have no fields"));
    };
    let (list, description) = both(Attributes::read(&input.attrs, "code_list", AT_ENUM), doc(&input.attrs, &input.ident))?;
    let case = list.text("case")?;
    let entries = collect(variants.iter().map(|variant| Entry::new(variant, case.as_ref())))?;
    require_unique("variant has the word", entries.iter().map(|entry| (entry.word.clone(), entry.variant.span())))?;
    let codes = entries.iter().filter_map(|entry| entry.lrs.as_ref());
    require_unique("variant has the code", codes.map(|code| (code.value(), code.span())))?;
    let others = entries.iter().filter(|entry| entry.other);
    require_unique("variant is marked", others.map(|entry| ("other".to_owned(), entry.variant.span())))?;
    let examples = entries.iter().filter(|entry| entry.example);
    require_unique("variant is marked", examples.map(|entry| ("example".to_owned(), entry.variant.span())))?;
    let name = list.text("name")?.map_or_else(|| input.ident.to_string(), |name| name.value());
    let answer_name = list.text("answer")?.map_or_else(|| name.clone(), |name| name.value());
    let implementation = implementation(&input.ident, [&name, &answer_name, &description], list.has("request"), &entries);
    let debug = list.has("personal").then(|| debug(&input.ident));
    Ok(quote! { #implementation #debug })
}

impl<'a> Entry<'a> {
    fn new(variant: &'a Variant, case: Option<&LitStr>) -> Result<Self> {
        let ident = &variant.ident;
        if !matches!(variant.fields, Fields::Unit) || variant.discriminant.is_some() {
            return Err(Error::new(ident.span(), "a variant of a `CodeList` has no fields and no number"));
        }
        let attributes = Attributes::read(&variant.attrs, "code", AT_VARIANT)?;
        let own_word = || {
            let (name, place) = case.map_or_else(|| ("SCREAMING_SNAKE_CASE".to_owned(), ident.span()), |case| (case.value(), case.span()));
            word(&ident.to_string(), &name).map_err(|message| Error::new(place, message))
        };
        let word = attributes.text("word")?.map_or_else(own_word, |word| Ok(word.value()))?;
        let doc = doc(&variant.attrs, ident)?;
        Ok(Self {
            variant: ident,
            doc,
            word,
            lrs: attributes.text("lrs")?,
            example: attributes.has("example"),
            other: attributes.has("other"),
        })
    }
}

fn implementation(ident: &Ident, [name, answer_name, description]: [&str; 3], closed: bool, entries: &[Entry<'_>]) -> TokenStream {
    let variants: Vec<_> = entries.iter().map(|entry| entry.variant).collect();
    let codes = entries.iter().map(|Entry { doc, word, lrs, .. }| {
        let lrs = lrs.as_ref().map_or_else(|| quote! { None }, |code| quote! { Some(#code) });
        quote! { crate::schema::CodeListEntry { word: #word, lrs: #lrs, description: #doc } }
    });
    let example = entries.iter().position(|entry| entry.example).unwrap_or_default();
    let other = entries.iter().filter(|entry| entry.other).map(|entry| entry.variant);
    quote! {
        impl crate::schema::CodeList for #ident {
            const TABLE: &'static crate::schema::CodeTable = &crate::schema::CodeTable {
                name: #name,
                answer_name: #answer_name,
                closed: #closed,
                description: #description,
                entries: &[#(#codes),*],
                example: #example,
            };
            const ALL: &'static [Self] = &[#(Self::#variants),*];

            fn index(self) -> usize {
                self as usize
            }
        }

        #(impl crate::schema::CodeListWithOther for #ident {
            const OTHER: Self = Self::#other;
        })*

        impl serde::Serialize for #ident {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(crate::schema::CodeList::word(*self))
            }
        }
    }
}

/// Hides the value.
fn debug(ident: &Ident) -> TokenStream {
    quote! {
        impl std::fmt::Debug for #ident {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("[personal]")
            }
        }
    }
}
