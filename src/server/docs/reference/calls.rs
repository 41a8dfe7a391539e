//! The same call in several languages.

use super::api_document::Operation;
use super::curl;
use super::markup::{PageWriter, anchor, code, details};
use super::snippets::PROGRAMS;
use crate::server::docs::blocks;
use crate::server::docs::markdown::prose;

/// Adds the call of an operation: with curl, and in each language whose program makes it.
pub fn write(page: &mut PageWriter, operation: Operation<'_>) {
    page.push(blocks::code("sh", &curl::command(operation), "Call with curl"));
    let snippets = in_all_languages(operation.id());
    if snippets.is_empty() {
        let clients = anchor(&page.link("clients"), "generated client");
        page.push(format!("<p>A {clients} has a function for this operation, in the language of your choice.</p>\n"));
    } else {
        let connect = anchor(&page.link("reference/#call-the-api-from-your-language"), "connects first");
        page.push(format!("<p>The same call with a generated client, which {connect}:</p>\n{snippets}"));
    }
}

/// Adds how programs connect and read problems.
pub fn write_connections(page: &mut PageWriter) {
    page.push(prose(
        "Generate a client from the OpenAPI document. The programs of these examples are in `examples/clients` of the repository. \
         The tests of each version generate their clients, compile them and run them.",
    ));
    let guide = anchor(&page.link("clients"), "How to generate a client");
    page.push(format!("<p>{guide} has the commands for each language.</p>\n"));
    page.heading(3, "Connect");
    page.push(in_all_languages("connect"));
    page.heading(3, "Read a problem");
    page.push(in_all_languages("problem"));
}

/// Returns a snippet in each language that has it: languages that readers open.
fn in_all_languages(name: &str) -> String {
    let snippets = PROGRAMS.iter().filter_map(|program| {
        let snippet = program.snippet(name)?;
        let origin = format!("<p>From {}</p>\n", code(&format!("examples/clients/{}", program.directory)));
        let block = blocks::code(program.class, &snippet, &format!("{name} in {}", program.language));
        Some(details(program.language, &(block + &origin)))
    });
    snippets.collect()
}
