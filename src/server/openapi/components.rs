//! The parts of the OpenAPI document that are not paths: description, tags, security scheme, and what every response refers to.

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, ComponentsBuilder, ContactBuilder, Header, Info, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder,
    server::ServerBuilder, tag::TagBuilder,
};

use crate::api::response_headers;
use crate::problem::ProblemBody;
use crate::schema::openapi::{Schemas, collect_schema};

const DESCRIPTION: &str = "\
JSON API for the SOAP web services of the Learning Records Service (LRS) of England, Wales and Northern Ireland.

* Every call to `/v1` needs a bearer token. The token names one organisation and one person. The gateway calls LRS with that organisation's \
password and client certificate, and with that person's user name.
* Field names are those of LRS, in `camelCase`. Identifiers are strings, except numbers that LRS declares as integers. Dates are `YYYY-MM-DD`. Optional fields are left out, never \
`null`. Unknown request fields are rejected.
* A search result is never an error. No match, several matches and linked learners are HTTP 200 with an `outcome`. LRS's own code is in \
`lrsCode`, even if LRS has not documented it.
* Errors are `application/problem+json` (RFC 9457) with a `code`. Each operation lists the codes that it can answer, by status, and for \
programs in `x-problem-codes`.
* Request bodies are JSON in UTF-8, as they are or compressed with `Content-Encoding: gzip`. Size limits count the bytes without compression.
* Each path answers with one media type. Results of batches are JSON at `results`, NDJSON at `results.ndjson` and CSV at `results.csv`.
* Every answer has the gateway's own id of the request in `Gateway-Request-Id`. `X-Request-Id` repeats the caller's id, or has the gateway's own one. \
`traceparent` is repeated too.
* Learners' data is in request bodies only, never in an address.
* Rate limits apply per organisation and per person. Every answer to a call that was counted has `RateLimit-Policy` (the \
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

/// The headers that problems have, beside those that operations add.
const HEADERS: [(&str, fn() -> Header); 7] = [
    ("X-Request-Id", response_headers::x_request_id),
    ("Gateway-Request-Id", response_headers::gateway_request_id),
    ("RateLimit", response_headers::rate_limit),
    ("RateLimit-Policy", response_headers::rate_limit_policy),
    ("Retry-After", response_headers::retry_after),
    ("WWW-Authenticate", response_headers::www_authenticate),
    ("Accept-Encoding", response_headers::accept_encoding),
];

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
    for (name, header) in HEADERS {
        components = components.header(name, header());
    }
    components.build()
}
