//! The schemas of records: objects with properties.

use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::property::{PropertySchema, SchemaOrRef, Schemas};
use crate::schema::camel_case;

/// A record with a description.
pub trait ObjectSchema {
    /// The record's doc comment.
    const DOC: &'static str;
}

/// One property of a record.
pub struct PropertyBuilder {
    name: String,
    required: bool,
    schema: SchemaOrRef,
}

impl PropertyBuilder {
    /// Creates the property for a field of this type.
    pub fn of<T: PropertySchema>(field: &str, doc: &str) -> Self {
        let mut schema = T::schema();
        add_description(&mut schema, doc);
        Self { name: camel_case(field), required: T::REQUIRED, schema }
    }

    /// Makes the property optional and states its default in the description.
    ///
    /// The keyword `default` is not used: client generators treat a property that has it as always present.
    #[must_use]
    pub fn default(mut self, text: &str) -> Self {
        self.required = false;
        if let RefOr::T(Schema::Object(object)) = &mut self.schema {
            let description = object.description.take().unwrap_or_default();
            object.description = Some(format!("{description} Default: `{text}`.").trim_start().to_owned());
        }
        self
    }
}

/// Puts the field's description before the description of its type.
fn add_description(schema: &mut SchemaOrRef, doc: &str) {
    let doc = trim_doc_comment(doc);
    match schema {
        RefOr::Ref(reference) => reference.description = doc,
        RefOr::T(Schema::Object(object)) => {
            object.description = Some(match object.description.take() {
                Some(of_type) if !doc.is_empty() => format!("{doc}\n\n{of_type}"),
                Some(of_type) => of_type,
                None => doc,
            });
        }
        RefOr::T(Schema::Array(array)) => array.description = Some(doc),
        RefOr::T(_) => {}
    }
}

/// Removes the space that starts each line of a doc comment.
fn trim_doc_comment(doc: &str) -> String {
    let lines: Vec<&str> = doc.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    lines.join("\n").trim().to_owned()
}

/// Returns the schema of a record.
///
/// Requests are `closed`: unknown fields are rejected. Answers are not, so that later versions can add fields.
pub fn object_schema(doc: &str, closed: bool, properties: Vec<PropertyBuilder>) -> SchemaOrRef {
    let mut object = ObjectBuilder::new().schema_type(Type::Object).description(Some(trim_doc_comment(doc)));
    if closed {
        object = object.additional_properties(Some(AdditionalProperties::FreeForm(false)));
    }
    for property in properties {
        if property.required {
            object = object.required(&property.name);
        }
        object = object.property(property.name, property.schema);
    }
    object.into()
}

/// Returns a reference to a named schema.
pub fn schema_reference<T: ToSchema>() -> SchemaOrRef {
    RefOr::Ref(Ref::from_schema_name(T::name()))
}

/// Adds a named schema and all schemas that it refers to.
pub fn collect_schema<T: ToSchema + PartialSchema>(schemas: &mut Schemas) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
}

/// Implements [`PropertySchema`] for a record: other records refer to it by name.
macro_rules! property_by_reference {
    ($t:ty) => {
        impl $crate::schema::openapi::PropertySchema for $t {
            fn schema() -> $crate::schema::openapi::SchemaOrRef {
                $crate::schema::openapi::schema_reference::<$t>()
            }

            fn collect(schemas: &mut $crate::schema::openapi::Schemas) {
                $crate::schema::openapi::collect_schema::<$t>(schemas);
            }
        }
    };
}
pub(crate) use property_by_reference;
