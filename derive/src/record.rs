//! A struct with named fields, as every derive for records needs it.

use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Attribute, Data, DataStruct, DeriveInput, Error, Fields, FieldsNamed, Ident, Result, Type};

use crate::attributes::{Attributes, both, collect, doc};
use crate::naming::camel_case;

/// A struct with named fields.
pub struct Record<'a> {
    pub ident: &'a Ident,
    pub attributes: Attributes,
    pub fields: Vec<Field<'a>>,
    /// The fields as they are declared, in braces.
    pub declarations: &'a FieldsNamed,
    outer: &'a [Attribute],
}

/// A field of a record.
pub struct Field<'a> {
    pub ident: &'a Ident,
    pub ty: &'a Type,
    pub attributes: Attributes,
    /// The name in Rust, without `r#`.
    pub name: String,
    pub json_name: String,
    outer: &'a [Attribute],
}

impl<'a> Record<'a> {
    /// Returns the record that a derive stands at: the derive's name, the name of its attributes, and those that are allowed at the struct
    /// and at each field.
    ///
    /// # Errors
    /// Returns an error if the type is not a struct with named fields and without generic parameters, or if an attribute is wrong.
    pub fn new(input: &'a DeriveInput, derive: &str, helper: &str, at_struct: &[&str], at_field: &[&str]) -> Result<Self> {
        let Data::Struct(DataStruct { fields: Fields::Named(declarations), .. }) = &input.data else {
            return Err(Error::new(input.ident.span(), format!("`{derive}` is for structs with named fields")));
        };
        if !input.generics.params.is_empty() {
            return Err(Error::new_spanned(&input.generics, format!("`{derive}` is for structs without generic parameters")));
        }
        let attributes = Attributes::read(&input.attrs, helper, at_struct);
        let fields = collect(declarations.named.iter().filter_map(|field| Some((field.ident.as_ref()?, field))).map(|(ident, field)| {
            let (name, attributes) = (ident.unraw().to_string(), Attributes::read(&field.attrs, helper, at_field)?);
            Ok(Field { ident, ty: &field.ty, attributes, json_name: camel_case(&name), name, outer: &field.attrs })
        }));
        let (attributes, fields) = both(attributes, fields)?;
        Ok(Self { ident: &input.ident, attributes, fields, declarations, outer: &input.attrs })
    }

    /// Returns the doc comments of the struct and of its fields.
    ///
    /// # Errors
    /// Returns an error at each name that has none.
    pub fn docs(&self) -> Result<(String, Vec<String>)> {
        let of_struct = doc(self.outer, self.ident);
        let fields = self.fields.iter().map(|field| doc(field.outer, field.ident));
        let mut all = collect(std::iter::once(of_struct).chain(fields))?;
        Ok((all.remove(0), all))
    }

    /// Returns the position of the field with this name.
    ///
    /// # Errors
    /// Returns an error at the name, with the fields that there are.
    pub fn position(&self, name: &Ident) -> Result<usize> {
        self.fields.iter().position(|field| field.ident == name).ok_or_else(|| {
            let fields: Vec<_> = self.fields.iter().map(|field| field.name.as_str()).collect();
            Error::new(name.span(), format!("unknown field; the fields are `{}`", fields.join("`, `")))
        })
    }
}

impl Field<'_> {
    /// Returns a variable for the field in generated code. It has the place of the field's type: errors about the type point to it.
    pub fn variable(&self, number: usize) -> Ident {
        Ident::new(&format!("field{number}"), self.ty.span())
    }
}
