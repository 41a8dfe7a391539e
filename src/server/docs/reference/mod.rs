//! The reference of the API, from the OpenAPI document: a page for each operation, an overview, and the enumerations.

pub(super) mod api_document;
mod calls;
mod curl;
mod enumerations;
mod fields;
mod groups;
mod markup;
mod operation_page;
mod overview;
mod problems;
mod snippets;
mod try_page;
mod types;

use serde_json::Value;

use super::page::Page;
use api_document::ApiDocument;

/// Returns the pages: the overview first, the operations in the order of their groups, the enumerations, and the page to try calls.
/// `document` has version 3.1.
pub fn pages(document: &Value) -> Vec<Page> {
    let api = ApiDocument(document);
    let operations = groups::groups(api).into_iter().flat_map(|group| group.operations).map(operation_page::page);
    let first = std::iter::once(overview::page(api));
    first.chain(operations).chain([enumerations::page(api), try_page::page(api)]).collect()
}
