//! The description of an operation in the OpenAPI document.
//!
//! Texts, examples and successful responses stand at the handler, in `#[utoipa::path]`. What the handler's signature states is added from
//! there: scope, parameters, request body, LRS operations, and the problems of all of these. Parameters and headers are components, which
//! operations refer to. `server/openapi` makes responses of the problems.

use utoipa::ToSchema;
use utoipa::openapi::content::Content;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Components, Ref, RefOr, Required, Response};

use crate::domain::Product;
use crate::problem::Code;
use crate::schema::openapi::{SchemaOrRef, Schemas, collect_schema, schema_reference};

/// The media type of requests and answers.
pub const JSON: &str = "application/json";

/// The identifier of the batch in examples.
pub const EXAMPLE_BATCH_ID: &str = "0198c1d2-7a3b-7c4d-8e5f-001122334455";

/// An operation, with the components that it refers to.
pub struct Description {
    /// The operation.
    pub operation: Operation,
    /// The components.
    pub components: Components,
    /// The problems that the operation can answer, each with what causes it.
    pub problems: Vec<(&'static str, Code)>,
    /// The scope of the token and the product of the organisation.
    pub requirement: Option<(&'static str, Product)>,
    /// The operations of LRS that the operation causes.
    pub lrs_operations: Vec<&'static str>,
    /// `true` if calls are counted for rate limits.
    pub is_counted: bool,
}

impl Description {
    /// Creates a description from the part that stands at the handler.
    pub fn new(mut operation: Operation, schemas: Schemas) -> Self {
        let mut components = Components::new();
        components.schemas.extend(schemas);
        for response in successful_responses(&mut operation) {
            for (name, header) in &mut response.headers {
                components.headers.insert(name.clone(), std::mem::replace(header, header_reference(name)));
            }
        }
        Self { operation, components, problems: Vec::new(), requirement: None, lrs_operations: Vec::new(), is_counted: false }
    }

    /// Requires a token: with this scope and product, or any token of a registered organisation.
    pub fn require_token(&mut self, requirement: Option<(&'static str, Product)>) {
        self.operation.security = Some(vec![SecurityRequirement::new("bearer", requirement.map(|(scope, _)| scope))]);
        self.requirement = requirement;
        self.is_counted = true;
        let codes = [
            Code::MissingToken,
            Code::InvalidToken,
            Code::OrganisationNotRegistered,
            Code::UserNameUnusable,
            Code::RateLimited,
            Code::IssuerUnavailable,
        ];
        self.add_problems("Token", &codes);
        if requirement.is_some() {
            self.add_problems("Token", &[Code::InsufficientScope, Code::ProductNotEnabled]);
        }
    }

    /// Adds problems that the operation can answer. `source` names their cause in the names of components.
    pub fn add_problems(&mut self, source: &'static str, codes: &[Code]) {
        self.problems.extend(codes.iter().map(|code| (source, *code)));
    }

    /// Adds an operation of LRS that the operation causes.
    pub fn add_lrs_operation(&mut self, name: &'static str) {
        if !self.lrs_operations.contains(&name) {
            self.lrs_operations.push(name);
        }
    }

    /// Adds a parameter, which becomes the component with this name.
    pub fn add_parameter(&mut self, component: &str, parameter: Parameter) {
        let reference = Ref::new(format!("#/components/parameters/{component}"));
        self.operation.parameters.get_or_insert_default().push(RefOr::Ref(reference));
        self.components.parameters.insert(component.to_owned(), RefOr::T(parameter));
    }

    /// Adds a header to the successful responses. It becomes the component with its name.
    pub fn add_header(&mut self, name: &str, header: Header) {
        for response in successful_responses(&mut self.operation) {
            response.headers.insert(name.to_owned(), header_reference(name));
        }
        self.components.headers.insert(name.to_owned(), RefOr::T(header));
    }

    /// Adds a header to the response with this status. It becomes the component with its name.
    pub fn add_header_of(&mut self, status: &str, name: &str, header: Header) {
        if let Some(RefOr::T(response)) = self.operation.responses.responses.get_mut(status) {
            response.headers.insert(name.to_owned(), header_reference(name));
        }
        self.components.headers.insert(name.to_owned(), RefOr::T(header));
    }

    /// Adds a media type to the successful responses.
    pub fn add_content(&mut self, media_type: &str, schema: &SchemaOrRef) {
        for response in successful_responses(&mut self.operation) {
            response.content.insert(media_type.to_owned(), RefOr::T(Content::new(Some(schema.clone()))));
        }
    }

    /// Sets the example of the successful responses in this media type.
    pub fn set_example(&mut self, media_type: &str, example: &serde_json::Value) {
        for response in successful_responses(&mut self.operation) {
            if let Some(RefOr::T(content)) = response.content.get_mut(media_type) {
                content.example = Some(example.clone());
            }
        }
    }

    /// Sets the example of the response with this status in this media type.
    pub fn set_example_of(&mut self, status: &str, media_type: &str, example: &serde_json::Value) {
        if let Some(RefOr::T(response)) = self.operation.responses.responses.get_mut(status)
            && let Some(RefOr::T(content)) = response.content.get_mut(media_type)
        {
            content.example = Some(example.clone());
        }
    }

    /// Makes a record the request body. Its example stands at the handler.
    pub fn set_request_body<T: ToSchema>(&mut self) {
        let schema = self.add_schema::<T>();
        let body = self.operation.request_body.get_or_insert_with(|| RefOr::T(RequestBody::new()));
        if let RefOr::T(RequestBody { content, required, .. }) = body {
            *required = Some(Required::True);
            if let RefOr::T(content) = content.entry(JSON.to_owned()).or_insert_with(|| RefOr::T(Content::default())) {
                content.schema = Some(schema);
            }
        }
    }

    /// Adds a record, and all records that it refers to. Returns the reference to it.
    pub fn add_schema<T: ToSchema>(&mut self) -> SchemaOrRef {
        let mut schemas = Schemas::new();
        collect_schema::<T>(&mut schemas);
        self.components.schemas.extend(schemas);
        schema_reference::<T>()
    }
}

/// Returns the responses that are not problems.
pub fn successful_responses(operation: &mut Operation) -> impl Iterator<Item = &mut Response> {
    operation.responses.responses.iter_mut().filter_map(|(status, response)| match response {
        RefOr::T(response) if status.starts_with('2') => Some(response),
        _ => None,
    })
}

/// Returns a reference to the component of a header.
pub fn header_reference(name: &str) -> RefOr<Header> {
    RefOr::Ref(Ref::new(format!("#/components/headers/{name}")))
}

/// Creates a parameter. Only parameters in paths are required.
pub fn parameter(name: &str, place: ParameterIn, schema: impl Into<SchemaOrRef>, description: &str) -> Parameter {
    let required = if place == ParameterIn::Path { Required::True } else { Required::False };
    let parameter = ParameterBuilder::new().name(name).parameter_in(place).required(required);
    parameter.schema(Some(schema)).description(Some(description)).build()
}

/// Creates a response header.
pub fn header(schema: ObjectBuilder, description: &str) -> Header {
    HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build()
}

/// Returns the schema of a text.
pub fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// Returns the schema of a batch's identifier. It has no format: the type of generated clients is then that of `batchId` in answers.
pub fn batch_id() -> ObjectBuilder {
    text().pattern(Some("^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"))
}

/// Returns the schema of a time.
pub fn timestamp() -> ObjectBuilder {
    text().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
}

/// Returns the schema of an integer with a minimum.
pub fn integer(minimum: usize) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32))).minimum(Some(minimum))
}
