//! The problems that an operation can answer.

use super::api_document::Operation;
use super::markup::{PageWriter, anchor, code, details, example_block, inline, table};
use crate::problem::{CATALOGUE, CatalogueEntry};
use crate::server::docs::page::escape;

/// Adds the table of the problems, and an example.
pub fn write(page: &mut PageWriter, operation: Operation<'_>) {
    let codes = operation.problem_codes();
    let entries: Vec<&CatalogueEntry> = codes.iter().filter_map(|code| CATALOGUE.iter().find(|entry| entry.code == *code)).collect();
    let rows = entries.iter().map(|entry| {
        let address = page.link(&format!("problems/{}", entry.code));
        let name = format!("{}<br>{}", anchor(&address, &code(entry.code)), escape(entry.title));
        let retry = if entry.retryable { "Yes, later" } else { "No" };
        [name, entry.status.to_string(), retry.to_owned(), inline(entry.advice)]
    });
    let rows: Vec<_> = rows.collect();
    page.push(table("Problems of this operation", ["Problem", "Status", "Same request again", "What to do"], rows));
    if codes.contains(&"validation_failed") {
        let address = page.link("problems/#codes-of-field-errors");
        page.push(format!(
            "<p>Each wrong field has an entry in <code>errors</code>. {}</p>\n",
            anchor(&address, "The codes of these entries")
        ));
    }
    // The problem with the most fields.
    let most_specific = codes.iter().find(|code| **code == "validation_failed").or(codes.first());
    if let Some(example) = most_specific.and_then(|code| operation.problem_example(code)) {
        page.push(details("Example of a problem", &example_block("Example of a problem", example)));
    }
}
