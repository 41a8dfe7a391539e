//! The problem responses of operations. Each lists exactly the problems that its operation can answer.
//!
//! Equal responses of several operations are one component. The name of a component has its codes, or, if it has many, their causes:
//! `MissingTokenOrInvalidToken`, `ServiceUnavailableFromTokenBodyLrs`.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::http::StatusCode;
use utoipa::ToSchema as _;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::{Ref, RefOr, Response, ResponseBuilder};

use crate::api::description::{Description, header_reference};
use crate::problem::{CatalogueEntry, Code, Problem, ProblemBody, TypeUris};

/// The keyword for the codes of the problems of a response.
const CODES: &str = "x-problem-codes";
/// Number of codes from which the name of a component has their causes instead.
const MANY_CODES: usize = 4;
/// Request id in the examples.
pub const EXAMPLE_REQUEST_ID: &str = "01a206e9-1f29-728e-8c05-c7b61af44332";
/// What every request can be answered with before or after its handler.
const SERVER_PROBLEMS: &[Code] = &[Code::HeadersTooLarge, Code::RateLimited, Code::InternalError];

/// The problems of one status of an operation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct ProblemSet {
    status: u16,
    codes: BTreeSet<Code>,
    /// Whether the answer has the headers of rate limits.
    is_counted: bool,
}

/// Adds the problem responses to operations. Returns the responses that several of them refer to, by name.
pub fn add_responses(descriptions: &mut [Description]) -> BTreeMap<String, Response> {
    let sets: Vec<Vec<ProblemSet>> = descriptions.iter_mut().map(sets_of).collect();
    let mut components = BTreeMap::new();
    for (description, own_sets) in descriptions.iter_mut().zip(&sets) {
        for set in own_sets {
            let is_shared = set.is_counted && sets.iter().filter(|sets| sets.contains(set)).count() > 1;
            let response = if is_shared {
                let name = set.name(description);
                let reference = RefOr::Ref(Ref::from_response_name(&name));
                components.entry(name).or_insert_with(|| set.response());
                reference
            } else {
                RefOr::T(set.response())
            };
            description.operation.responses.responses.insert(set.status.to_string(), response);
        }
    }
    components
}

/// Returns the problems of an operation by status.
fn sets_of(description: &mut Description) -> Vec<ProblemSet> {
    description.add_problems("Server", SERVER_PROBLEMS);
    let mut by_status: BTreeMap<u16, BTreeSet<Code>> = BTreeMap::new();
    for (_, code) in &description.problems {
        by_status.entry(code.entry().status).or_default().insert(*code);
    }
    by_status.into_iter().map(|(status, codes)| ProblemSet { status, codes, is_counted: description.is_counted }).collect()
}

impl ProblemSet {
    fn entries(&self) -> impl Iterator<Item = &'static CatalogueEntry> {
        self.codes.iter().map(|code| code.entry())
    }

    /// Returns the name of the component, as it is in an operation with this description.
    fn name(&self, description: &Description) -> String {
        if self.codes.len() < MANY_CODES {
            return self.entries().map(|entry| pascal_case(entry.code)).collect::<Vec<_>>().join("Or");
        }
        let mut sources: Vec<&str> = Vec::new();
        for (source, code) in &description.problems {
            if self.codes.contains(code) && !sources.contains(source) {
                sources.push(source);
            }
        }
        let status = StatusCode::from_u16(self.status).ok();
        let reason = status.and_then(|status| status.canonical_reason()).unwrap_or_default();
        format!("{}From{}", pascal_case(&reason.to_lowercase()), sources.concat())
    }

    fn response(&self) -> Response {
        let meanings: Vec<String> = self.entries().map(|entry| format!("* `{}`: {}. {}", entry.code, entry.title, entry.advice)).collect();
        let codes: Vec<&str> = self.entries().map(|entry| entry.code).collect();
        let examples = self.entries().map(|entry| {
            let body = Problem::example(entry.variant).body(EXAMPLE_REQUEST_ID, &TypeUris::default());
            (entry.code, ExampleBuilder::new().summary(entry.title).value(serde_json::to_value(body).ok()).build())
        });
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(ProblemBody::name()))).examples_from_iter(examples).build();
        let mut response = ResponseBuilder::new()
            .description(meanings.join("\n"))
            .content("application/problem+json", content)
            .extensions(Some(ExtensionsBuilder::new().add(CODES, codes).build()))
            .build();
        response.headers.extend(self.headers().into_iter().map(|name| (name.to_owned(), header_reference(name))));
        response
    }

    /// Returns the names of the headers that such an answer can have.
    fn headers(&self) -> Vec<&'static str> {
        let has = |codes: &[Code]| codes.iter().any(|code| self.codes.contains(code));
        let mut names = vec!["X-Request-Id", "Gateway-Request-Id"];
        // Callers are counted after authentication, which follows the check of the size of the headers. Achievement batches then require the
        // reference of the organisation: without it, they are not enabled.
        if self.is_counted && (!matches!(self.status, 401 | 403 | 431) || has(&[Code::ProductNotEnabled])) {
            names.extend(["RateLimit", "RateLimit-Policy"]);
        }
        if self.codes.iter().any(|code| code.example_retry_seconds().is_some()) {
            names.push("Retry-After");
        }
        if has(&[Code::MissingToken, Code::InvalidToken, Code::InsufficientScope]) {
            names.push("WWW-Authenticate");
        }
        if has(&[Code::UnsupportedMediaType]) {
            names.push("Accept-Encoding");
        }
        names
    }
}

/// Converts words that are separated by `_` or spaces.
fn pascal_case(words: &str) -> String {
    let capitalised = words.split(['_', ' ']).map(|word| {
        let (first, rest) = word.split_at_checked(1).unwrap_or_default();
        first.to_ascii_uppercase() + rest
    });
    capitalised.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::route::Route;
    use crate::server::router;

    #[test]
    fn problem_components_have_one_meaning() {
        let mut descriptions: Vec<Description> = router::api().iter().map(Route::description).collect();
        let sets: BTreeSet<(String, ProblemSet)> = descriptions
            .iter_mut()
            .flat_map(|description| {
                let sets = sets_of(description);
                sets.into_iter().map(|set| (set.name(description), set)).collect::<Vec<_>>()
            })
            .filter(|(_, set)| set.is_counted)
            .collect();
        let shared = add_responses(&mut descriptions);
        let named: Vec<_> = sets.iter().filter(|(name, _)| shared.contains_key(name)).collect();
        assert!(shared.len() > 15 && shared.len() <= named.len());
        for (name, set) in named {
            assert_eq!(shared.get(name).map(|response| response.description.clone()), Some(set.response().description), "{name}");
        }
    }
}
