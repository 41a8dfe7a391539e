//! `#[derive(XmlRecord)]`

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{DeriveInput, Error, Ident, LitStr, Result};

use crate::attributes::{collect, require_unique};
use crate::naming::{camel_case, is_xml_name, xml_name};
use crate::record::{Field, Record};

const AT_STRUCT: &[&str] = &["prefix = \"…\"", "camel_case", "order(<field>, …)", "tolerant"];
const AT_FIELD: &[&str] = &["name = \"…\"", "nil", "strict", "skip", "items(\"name\", \"attributes\", \"item attributes\")"];

/// The element of a field.
struct Element<'a> {
    field: &'a Field<'a>,
    name: String,
    /// The name, with the prefix with which it is written.
    written_name: String,
    /// The name of an item, the attributes of the wrapper and those of an item.
    items: Option<[LitStr; 3]>,
    /// Whether an optional value of the wrong kind is left out.
    is_tolerant: bool,
}

pub fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let record = Record::new(input, "XmlRecord", "xml", AT_STRUCT, AT_FIELD)?;
    let prefix = record.attributes.text("prefix")?.map(|prefix| valid_name(&prefix)).transpose()?;
    let prefix = prefix.map_or_else(String::new, |prefix| prefix + ":");
    let in_camel_case = record.attributes.has("camel_case");
    let own_name = |field: &Field<'_>| if in_camel_case { camel_case(&field.name) } else { xml_name(&field.name) };
    let is_tolerant = record.attributes.has("tolerant");
    let elements = collect(record.fields.iter().map(|field| Element::new(field, own_name(field), &prefix, is_tolerant)))?;
    require_unique("field has the element", elements.iter().map(|element| (element.name.clone(), element.field.ident.span())))?;
    let order = order(&record)?;
    let (skipped, elements): (Vec<_>, Vec<_>) =
        order.into_iter().map(|position| &elements[position]).partition(|element| element.field.attributes.has("skip"));
    Ok(implementation(record.ident, &elements, &skipped))
}

/// Returns the positions of the fields in the order of the elements.
fn order(record: &Record<'_>) -> Result<Vec<usize>> {
    let Some((names, place)) = record.attributes.list::<Ident>("order")? else { return Ok((0..record.fields.len()).collect()) };
    require_unique("place in the order has", names.iter().map(|name| (name.to_string(), name.span())))?;
    let order = collect(names.iter().map(|name| record.position(name)))?;
    match record.fields.iter().enumerate().find(|(position, _)| !order.contains(position)) {
        Some((_, missing)) => Err(Error::new(place, format!("the order must list every field; `{}` is missing", missing.name))),
        None => Ok(order),
    }
}

fn valid_name(name: &LitStr) -> Result<String> {
    let error = || Error::new(name.span(), "is not an XML name: a letter, then letters, digits, `_`, `-` and `.`");
    is_xml_name(&name.value()).then(|| name.value()).ok_or_else(error)
}

/// The generated tokens have the place of the field's type: errors about the type point to it.
impl<'a> Element<'a> {
    fn new(field: &'a Field<'a>, own_name: String, prefix: &str, in_tolerant_record: bool) -> Result<Self> {
        let name = match field.attributes.text("name")? {
            Some(name) if name.value() == own_name => {
                return Err(Error::new(name.span(), "the field's own name gives this name already; remove the attribute"));
            }
            Some(name) => valid_name(&name)?,
            None => own_name,
        };
        let items = field.attributes.list::<LitStr>("items")?.map(|(texts, place)| {
            let error = |_| Error::new(place, "expected the name of an item, the attributes of the wrapper and those of an item");
            let items: [LitStr; 3] = texts.try_into().map_err(error)?;
            valid_name(&items[0]).map(|_| items)
        });
        let is_tolerant = in_tolerant_record && !field.attributes.has("strict");
        Ok(Self { field, written_name: format!("{prefix}{name}"), name, items: items.transpose()?, is_tolerant })
    }

    fn read(&self, state: &Ident) -> TokenStream {
        let name = &self.name;
        if let Some([item, ..]) = &self.items {
            quote! { crate::xml::read_value_list(&mut #state, reader, &start, (#name, #item))? }
        } else if self.is_tolerant {
            quote_spanned! { state.span()=> crate::xml::XmlField::read_tolerantly(&mut #state, reader, &start, #name)? }
        } else {
            quote_spanned! { state.span()=> crate::xml::XmlField::read_element(&mut #state, reader, &start, #name)? }
        }
    }

    fn absent(&self, state: &Ident) -> TokenStream {
        let name = &self.name;
        if self.items.is_some() {
            quote! { Vec::new() }
        } else {
            quote_spanned! { state.span()=> crate::xml::XmlField::absent(#name)? }
        }
    }

    fn write(&self, place: &Ident) -> TokenStream {
        let (field, name) = (self.field.ident, &self.written_name);
        match &self.items {
            Some([item, wrapper, items]) => quote! { writer.value_list((#name, #wrapper), (#item, #items), &self.#field) },
            None if self.field.attributes.has("nil") => quote! { writer.nillable(#name, self.#field.as_ref()) },
            None => quote_spanned! { place.span()=> crate::xml::XmlField::write_elements(&self.#field, writer, #name) },
        }
    }
}

/// Implements `XmlRecord`. The skipped fields have no elements: a record that is read has their default values.
fn implementation(ident: &Ident, elements: &[&Element<'_>], skipped: &[&Element<'_>]) -> TokenStream {
    let skipped = skipped.iter().map(|element| element.field.ident);
    let fields: Vec<_> = elements.iter().map(|element| element.field.ident).collect();
    let json = elements.iter().map(|element| &element.field.json_name);
    let names: Vec<_> = elements.iter().map(|element| &element.name).collect();
    let number: Vec<_> = (0..elements.len()).collect();
    let state: Vec<_> = elements.iter().enumerate().map(|(number, element)| element.field.variable(number)).collect();
    let read = elements.iter().zip(&state).map(|(element, state)| element.read(state));
    let absent = elements.iter().zip(&state).map(|(element, state)| element.absent(state));
    let write = elements.iter().zip(&state).map(|(element, state)| element.write(state));
    quote! {
        impl crate::xml::XmlRecord for #ident {
            const FIELDS: crate::xml::FieldMapping = &[#((#names, #json)),*];

            fn read(reader: &mut crate::xml::XmlReader<'_>) -> Result<Self, crate::xml::XmlError> {
                #(let mut #state = None;)*
                let mut fields = crate::xml::FieldOrder::new(Self::FIELDS);
                while let crate::xml::XmlNode::Element(start) = reader.next_node()? {
                    match fields.position(start.name()) {
                        #(Some(#number) => #read,)*
                        _ => reader.skip_unknown(&start)?,
                    }
                }
                Ok(Self { #(#fields: match #state { Some(value) => value, None => #absent },)* #(#skipped: Default::default(),)* })
            }

            fn write_fields(&self, fields: std::ops::Range<usize>, writer: &mut crate::xml::XmlWriter) {
                for field in fields {
                    match field { #(#number => #write,)* _ => {} }
                }
            }
        }
    }
}
