//! The schemas of records: objects with properties.

use serde_json::Value;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::component::{SchemaOrRef, Schemas};
use super::conditions::{Condition, REQUIRED_IF};
use super::property::PropertySchema;

/// One property of a record.
pub struct Property {
    name: &'static str,
    required: bool,
    schema: SchemaOrRef,
    condition: Option<Condition>,
}

impl Property {
    /// Creates the property for a field of this type.
    pub fn new<T: PropertySchema>(name: &'static str, doc: &str) -> Self {
        let mut schema = T::schema();
        change_description(&mut schema, |of_type| if of_type.is_empty() { doc.to_owned() } else { format!("{doc}\n\n{of_type}") });
        Self { name, required: T::REQUIRED, schema, condition: None }
    }

    /// Makes the property optional and states its default in the description.
    ///
    /// The keyword `default` is not used: client generators treat a property that has it as always present.
    #[must_use]
    pub fn default(mut self, text: &str) -> Self {
        self.required = false;
        change_description(&mut self.schema, |description| format!("{description} Default: `{text}`."));
        self
    }

    /// Makes the property required if another one has this value, and says so in the description.
    #[must_use]
    pub fn required_if(mut self, other: &'static str, value: &str) -> Self {
        change_description(&mut self.schema, |description| format!("{description} Required, and not blank, if `{other}` is `{value}`."));
        self.condition = Some(Condition { property: self.name, other, value: value.to_owned() });
        self
    }

    /// Sets the example. A property that refers to a component has the component's example.
    #[must_use]
    pub fn example(mut self, example: Value) -> Self {
        match &mut self.schema {
            RefOr::T(Schema::Object(object)) => object.examples = vec![example],
            RefOr::T(Schema::Array(array)) => array.examples = vec![example],
            RefOr::Ref(_) | RefOr::T(_) => {}
        }
        self
    }

    /// Sets the example that a table has for the property.
    #[must_use]
    pub fn example_from(self, table: &[(&str, &str)]) -> Self {
        let example = table.iter().find(|(name, _)| *name == self.name).map(|(_, example)| Value::from(*example));
        if let Some(example) = example { self.example(example) } else { self }
    }
}

fn change_description(schema: &mut SchemaOrRef, change: impl FnOnce(&str) -> String) {
    match schema {
        RefOr::Ref(reference) => reference.description = change(&reference.description),
        RefOr::T(Schema::Object(object)) => object.description = Some(change(object.description.as_deref().unwrap_or_default())),
        RefOr::T(Schema::Array(array)) => array.description = Some(change(array.description.as_deref().unwrap_or_default())),
        RefOr::T(_) => {}
    }
}

/// Returns the schema of a record.
///
/// Requests are `closed`: unknown fields are rejected. Answers are not, so that later versions can add fields.
pub fn object_schema(doc: &str, closed: bool, properties: Vec<Property>) -> SchemaOrRef {
    let mut object = ObjectBuilder::new().schema_type(Type::Object).description(Some(doc));
    if closed {
        object = object.additional_properties(Some(AdditionalProperties::FreeForm(false)));
    }
    let conditions: Vec<Value> = properties.iter().filter_map(|property| property.condition.as_ref()).map(Condition::to_json).collect();
    if !conditions.is_empty() {
        object = object.extensions(Some(ExtensionsBuilder::new().add(REQUIRED_IF, conditions).build()));
    }
    for property in properties {
        if property.required {
            object = object.required(property.name);
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
