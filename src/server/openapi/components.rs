//! The parts of the OpenAPI document that are not paths: description, tags, security scheme, and problem responses.

use serde_json::Value;
use utoipa::ToSchema as _;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, ComponentsBuilder, ContactBuilder, ContentBuilder, Header, HeaderBuilder, Info, InfoBuilder, LicenseBuilder, ObjectBuilder,
    OpenApi, OpenApiBuilder, Ref, Response, ResponseBuilder, schema::Type, server::ServerBuilder, tag::TagBuilder,
};

use crate::problem::responses::{component_name, problem_statuses};
use crate::problem::{CATALOGUE, CatalogueEntry, Problem, ProblemBody, TypeUris};
use crate::schema::openapi::{Schemas, collect_schema};

const DESCRIPTION: &str = "\
JSON API for the SOAP web services of the Learning Records Service (LRS) of England, Wales and Northern Ireland.

* Every call needs a bearer token. The token names one organisation and one person. The gateway calls LRS with that organisation's \
password and client certificate, and with that person's user name.
* Field names are those of LRS, in `camelCase`. Identifiers are strings. Dates are `YYYY-MM-DD`. Optional fields are left out, never \
`null`. Unknown request fields are rejected.
* A search result is never an error. No match, several matches and linked learners are HTTP 200 with an `outcome`. LRS's own code is in \
`lrsCode`, even if LRS has not documented it.
* Errors are `application/problem+json` (RFC 9457). Their `code` is from a list, which this document gives for each status.
* Request bodies are JSON in UTF-8, as they are or compressed with `Content-Encoding: gzip`. Size limits count the bytes without compression.
* Every answer has the gateway's own id of the request in `Gateway-Request-Id`. `X-Request-Id` repeats the caller's id, or has the gateway's own one. \
`traceparent` is repeated too.
* Learners' data is in request bodies only, never in an address.
* Rate limits apply per organisation and per person. Every response to a call that was counted has the headers `RateLimit-Policy` (the \
limits) and `RateLimit` (what is left of them), as in draft-ietf-httpapi-ratelimit-headers-11.";

/// Tags, each with its description.
const TAGS: [(&str, &str); 6] = [
    ("Learners", "Find, register, update and verify learners and their ULNs."),
    ("Registration batches", "Obtain the ULNs of many learners."),
    ("Verification batches", "Verify many learners."),
    ("Achievement batches", "Achievements of awarding organisations."),
    ("Learning events", "Personal learning records (PLR)."),
    ("Service", "The gateway itself."),
];

/// Request id in the examples of problems.
const EXAMPLE_REQUEST_ID: &str = "01a206e9-1f29-728e-8c05-c7b61af44332";

/// Meaning of the header `X-Request-Id` of answers.
const REQUEST_ID_MEANING: &str = "Identifies the request in the operator's logs: the `X-Request-Id` of the request if it has 1 to 128 letters, \
    digits, or characters of `-_.:/+=~`, otherwise a new one.";

/// Returns the document without its paths.
pub fn document_without_paths() -> OpenApi {
    let server = ServerBuilder::new().url("/").description(Some("This gateway")).build();
    OpenApiBuilder::new()
        .info(info())
        .servers(Some([server]))
        .tags(Some(TAGS.map(|(name, description)| TagBuilder::new().name(name).description(Some(description)).build())))
        .components(Some(components()))
        .build()
}

fn info() -> Info {
    InfoBuilder::new()
        .title("lrs-gateway")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(LicenseBuilder::new().name("MIT").identifier(Some("MIT")).build()))
        .contact(Some(ContactBuilder::new().name(Some("The operator of this gateway")).build()))
        .build()
}

fn components() -> Components {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("A JWT of a trusted issuer. Its claims name the organisation (a UKPRN), the person and the scopes."));
    let mut components = ComponentsBuilder::new().security_scheme("bearer", SecurityScheme::Http(bearer.build()));
    let mut schemas: Schemas = Vec::new();
    collect_schema::<ProblemBody>(&mut schemas);
    for (name, schema) in schemas {
        components = components.schema(name, schema);
    }
    for status in problem_statuses() {
        components = components.response(component_name(status), problem_response(status));
    }
    components.build()
}

/// Returns the response of a status, with every problem that has this status.
fn problem_response(status: u16) -> Response {
    let entries: Vec<&CatalogueEntry> = CATALOGUE.iter().filter(|entry| entry.status == status).collect();
    let example: Option<Value> = entries
        .first()
        .and_then(|entry| serde_json::to_value(Problem::new(entry.variant).body(EXAMPLE_REQUEST_ID, &TypeUris::default())).ok());
    let descriptions: Vec<String> = entries.iter().map(|entry| format!("* `{}`: {}. {}", entry.code, entry.title, entry.advice)).collect();
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(ProblemBody::name()))).example(example).build();
    let mut response = ResponseBuilder::new()
        .description(descriptions.join("\n"))
        .content("application/problem+json", content)
        .header("X-Request-Id", text_header(REQUEST_ID_MEANING))
        .header(
            "Gateway-Request-Id",
            text_header("The gateway's own id of the request: the `requestId` of the problem and of the audit trail."),
        );
    if matches!(status, 401 | 403) {
        response = response.header("WWW-Authenticate", text_header("What the token lacks (RFC 6750)."));
    }
    if status == 415 {
        response =
            response.header("Accept-Encoding", text_header("Codings that a body may have. Only if its `Content-Encoding` is the fault."));
    }
    if matches!(status, 429 | 503) {
        response = response.header("Retry-After", text_header("Seconds to wait before the next attempt."));
    }
    if status == 429 {
        response = response
            .header("RateLimit", text_header("What is left of each limit (draft-ietf-httpapi-ratelimit-headers-11)."))
            .header("RateLimit-Policy", text_header("The limits."));
    }
    response.build()
}

fn text_header(description: &str) -> Header {
    HeaderBuilder::new().schema(Some(ObjectBuilder::new().schema_type(Type::String))).description(Some(description)).build()
}
