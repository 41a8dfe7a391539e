//! Named schemas.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

/// A schema, or a reference to a named schema.
pub type SchemaOrRef = RefOr<Schema>;

/// A named schema.
pub type Component = (String, SchemaOrRef);

/// The named schemas of a document.
pub type Schemas = Vec<Component>;
