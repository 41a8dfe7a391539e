//! Describing records: JSON Schema for the OpenAPI document, from the declarations themselves.

use std::borrow::Cow;

use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::schema::{Constraints, Scalar, camel_case};

/// A record with a description of its own.
pub trait ObjectSchema {
    /// Its doc comment.
    const DOC: &'static str;
}

/// The list of named schemas a document collects.
pub type Schemas = Vec<(String, RefOr<Schema>)>;

/// A type that can be a property of a record.
pub trait PropertySchema {
    /// Must the property be there?
    const REQUIRED: bool = true;

    /// The schema where the property stands.
    fn schema() -> RefOr<Schema>;

    /// Adds the named schemas it refers to.
    fn collect(_: &mut Schemas) {}

    /// Is there nothing to write?
    fn is_absent(&self) -> bool {
        false
    }
}

impl<T: Scalar> PropertySchema for T {
    fn schema() -> RefOr<Schema> {
        of_rule(&T::CONSTRAINTS).into()
    }
}

impl<T: PropertySchema> PropertySchema for Option<T> {
    const REQUIRED: bool = false;

    fn schema() -> RefOr<Schema> {
        T::schema()
    }

    fn collect(list: &mut Schemas) {
        T::collect(list);
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<T: PropertySchema> PropertySchema for Vec<T> {
    fn schema() -> RefOr<Schema> {
        ArrayBuilder::new().items(T::schema()).into()
    }

    fn collect(list: &mut Schemas) {
        T::collect(list);
    }
}

macro_rules! any_string {
    ($($t:ty),*) => {$(
        impl PropertySchema for $t {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new().schema_type(Type::String).into()
            }
        }
    )*};
}
any_string!(String, &'static str, Cow<'static, str>);

macro_rules! whole_number {
    ($($t:ty => $format:ident),*) => {$(
        impl PropertySchema for $t {
            fn schema() -> RefOr<Schema> {
                let format = SchemaFormat::KnownFormat(KnownFormat::$format);
                let [least, most] = [<$t>::MIN, <$t>::MAX].map(|limit| isize::try_from(limit).unwrap_or_default());
                ObjectBuilder::new().schema_type(Type::Integer).format(Some(format)).minimum(Some(least)).maximum(Some(most)).into()
            }
        }
    )*};
}
whole_number!(i32 => Int32, u16 => Int32);

macro_rules! long_number {
    ($($t:ty),*) => {$(
        impl PropertySchema for $t {
            fn schema() -> RefOr<Schema> {
                let format = SchemaFormat::KnownFormat(KnownFormat::Int64);
                ObjectBuilder::new().schema_type(Type::Integer).format(Some(format)).into()
            }
        }
    )*};
}
long_number!(i64, u32, u64);

impl PropertySchema for bool {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::Boolean).into()
    }
}

/// A string that may grow new values: those we know stand in the description, so that clients generated from the document
/// do not break on the next one.
pub fn open_text(rule: &Constraints) -> RefOr<Schema> {
    let mut description = rule.description.to_owned();
    if !rule.values.is_empty() {
        description = format!("{description} One of `{}`, or LRS's own text if it is none of them.", rule.values.join("`, `"));
    }
    let example = [serde_json::Value::from(rule.example)];
    ObjectBuilder::new().schema_type(Type::String).description(Some(description)).examples(example).into()
}

/// A string out of a closed list.
pub fn one_of(values: &[&str]) -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(values.iter().copied())).into()
}

fn of_rule(rule: &Constraints) -> Schema {
    let mut schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(rule.description))
        .min_length(rule.min_length)
        .max_length(rule.max_length)
        .pattern(rule.pattern)
        .examples([serde_json::Value::from(rule.example)]);
    if let Some(format) = rule.format {
        schema = schema.format(Some(SchemaFormat::Custom(format.to_owned())));
    }
    if !rule.values.is_empty() {
        schema = schema.enum_values(Some(rule.values.iter().copied()));
    }
    schema.into()
}

/// One property of a record.
pub struct PropertyBuilder {
    name: String,
    required: bool,
    schema: RefOr<Schema>,
}

impl PropertyBuilder {
    /// The property for a field of this type.
    pub fn of<T: PropertySchema>(field: &str, doc: &str) -> Self {
        let mut schema = T::schema();
        describe(&mut schema, doc);
        Self { name: camel_case(field), required: T::REQUIRED, schema }
    }

    /// What it is when left out. Said in words: generators take a `default` for something that is always there.
    #[must_use]
    pub fn default(mut self, text: &str) -> Self {
        self.required = false;
        if let RefOr::T(Schema::Object(object)) = &mut self.schema {
            let said = object.description.take().unwrap_or_default();
            object.description = Some(format!("{said} Left out, it is `{text}`.").trim_start().to_owned());
        }
        self
    }
}

/// The field's own words come first, the type's after them.
fn describe(schema: &mut RefOr<Schema>, doc: &str) {
    let doc = tidy(doc);
    match schema {
        RefOr::Ref(reference) => reference.description = doc,
        RefOr::T(Schema::Object(object)) => {
            let general = object.description.take();
            object.description = Some(match general {
                Some(general) if !doc.is_empty() => format!("{doc}\n\n{general}"),
                Some(general) => general,
                None => doc,
            });
        }
        RefOr::T(Schema::Array(array)) => array.description = Some(doc),
        RefOr::T(_) => {}
    }
}

/// Doc-comment lines without the space Rust leaves before each.
pub fn tidy(doc: &str) -> String {
    let lines: Vec<&str> = doc.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    lines.join("\n").trim().to_owned()
}

/// The schema of a record. What callers send is closed: unknown fields are refused. What they get may grow.
pub fn object(doc: &str, closed: bool, properties: Vec<PropertyBuilder>) -> RefOr<Schema> {
    let mut object = ObjectBuilder::new().schema_type(Type::Object).description(Some(tidy(doc)));
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

/// A reference to a named schema, and the schema itself on the list.
pub fn reference<T: ToSchema>() -> RefOr<Schema> {
    RefOr::Ref(Ref::from_schema_name(T::name()))
}

/// Adds a named schema and all it refers to.
pub fn collect<T: ToSchema + PartialSchema>(list: &mut Schemas) {
    list.push((T::name().into_owned(), T::schema()));
    T::schemas(list);
}

/// Records stand in others by reference.
macro_rules! field_by_reference {
    ($t:ty) => {
        impl $crate::schema::openapi::PropertySchema for $t {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $crate::schema::openapi::reference::<$t>()
            }

            fn collect(list: &mut $crate::schema::openapi::Schemas) {
                $crate::schema::openapi::collect::<$t>(list);
            }
        }
    };
}
pub(crate) use field_by_reference;
