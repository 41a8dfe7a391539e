//! The first page of the reference.

use super::api_document::{ApiDocument, text};
use super::calls;
use super::groups::groups;
use super::markup::{PageWriter, anchor, code, inline};
use super::operation_page::path_of;
use crate::server::docs::page::{Page, escape};

/// The path of the page.
pub const PATH: &str = "reference/";

/// Returns the page.
pub fn page(api: ApiDocument<'_>) -> Page {
    let mut page = PageWriter::new(PATH, "API reference", "All operations of the API, in the order in which you need them.");
    page.push(format!(
        "<p>All operations of the API, in the order in which you need them. {}, or download the OpenAPI document: {} or {}.</p>\n",
        anchor(&page.link("try"), "Try a call in the browser"),
        anchor(&page.link("../openapi.json"), "version 3.1"),
        anchor(&page.link("../openapi-3.0.json"), "version 3.0")
    ));
    for group in groups(api) {
        page.heading(2, group.title);
        let operations = group.operations.iter().map(|operation| {
            let address = page.link(&path_of(operation.id()));
            let summary = anchor(&address, &escape(&operation.title()));
            let path = code(&format!("{} {}", operation.method(), operation.path));
            format!("<li>{summary}<br>{path}</li>\n")
        });
        let operations = operations.collect::<String>();
        page.push(format!("<ul class=\"operations\">\n{operations}</ul>\n"));
    }
    page.heading(2, "Authenticate");
    page.push(format!(
        "<p>Send <code>Authorization: Bearer</code> and a token with each call to <code>/v1</code>. {} {}</p>\n",
        inline(text(&api.0["components"]["securitySchemes"]["bearer"]["description"])),
        anchor(&page.link("authentication"), "How tokens are checked")
    ));
    page.heading(2, "Conventions");
    page.prose(text(&api.0["info"]["description"]));
    page.push(format!("<p>{}</p>\n", anchor(&page.link("reference/enumerations"), "All words of coded fields, with LRS’s codes")));
    page.heading(2, "Errors");
    page.push(format!(
        "<p>Every answer that is not 2xx is a problem: JSON with a <code>code</code>, a <code>detail</code> that says what is wrong, and \
         <code>retryable</code>, which says whether the same request can succeed later. If fields are wrong, <code>errors</code> lists all of \
         them. The page of each operation has the problems that it can answer. {}</p>\n",
        anchor(&page.link("problems/"), "All problems and what to do")
    ));
    page.heading(2, "Call the API from your language");
    calls::write_connections(&mut page);
    page.finish()
}
