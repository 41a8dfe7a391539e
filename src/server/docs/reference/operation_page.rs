//! The page of an operation.

use serde_json::Value;

use super::api_document::{ApiDocument, Content, Operation, contents, entries, text};
use super::fields::table_of_fields;
use super::markup::{PageWriter, anchor, code, example_block, inline, table};
use super::types::type_in_words;
use super::{calls, problems};
use crate::server::docs::markdown::prose;
use crate::server::docs::page::{Page, escape};

/// Returns the path of an operation's page.
pub fn path_of(id: &str) -> String {
    format!("reference/{id}")
}

/// Returns the page.
pub fn page(operation: Operation<'_>) -> Page {
    let method = operation.method();
    let mut page = PageWriter::new(&path_of(operation.id()), &operation.title(), &first_sentence(operation));
    page.push(format!(
        "<p class=\"endpoint\"><strong class=\"method\">{method}</strong> <code>{}</code></p>\n",
        escape(&operation.path.replace('/', "/\u{200b}")).replace('\u{200b}', "<wbr>")
    ));
    if operation.is_deprecated() {
        page.push("<p class=\"warning\"><strong>Deprecated.</strong> Use the successor of this operation.</p>\n");
    }
    page.prose(operation.description());
    write_facts(&mut page, operation);
    page.heading(2, "Call");
    calls::write(&mut page, operation);
    write_request(&mut page, operation);
    for (status, answer) in operation.successes() {
        write_answer(&mut page, operation.api, status, answer);
    }
    page.heading(2, "Problems");
    problems::write(&mut page, operation);
    write_next_steps(&mut page, operation);
    page.finish()
}

/// Returns the first sentence of the description, for search results.
fn first_sentence(operation: Operation<'_>) -> String {
    let description = operation.description();
    let end = description.find(". ").or_else(|| description.find(".\n")).map_or(description.len(), |at| at + 1);
    description[..end].replace(['`', '\n'], "")
}

/// Adds what a call needs and does, and the link to try it.
fn write_facts(page: &mut PageWriter, operation: Operation<'_>) {
    let requirements = operation.requirements();
    let mut facts = vec![("Operation", code(operation.id()))];
    if operation.needs_token() {
        let named = |text: &str, without: &str| if text == "none" { without.to_owned() } else { inline(text) };
        facts.push(("Scope of the token", named(requirements.scope, "any: every token of a registered organisation")));
        facts.push(("Product of the organisation", named(requirements.product, "none")));
        facts.push(("LRS operation", named(requirements.lrs_operations, "none: LRS is not called")));
    } else {
        facts.push(("Token", "none".to_owned()));
    }
    facts.push(("Repetition", repetition(page, operation)));
    let facts = facts.iter().map(|(name, fact)| format!("<div><dt>{name}</dt><dd>{fact}</dd></div>\n"));
    let facts = facts.collect::<String>();
    page.push(format!("<dl class=\"facts\">\n{facts}</dl>\n"));
    let address = page.link(&format!("try#{}", operation.id()));
    page.push(format!("<p>{}</p>\n", anchor(&address, "Try this call")));
}

/// Returns whether a call can be repeated.
fn repetition(page: &PageWriter, operation: Operation<'_>) -> String {
    let idempotency = anchor(&page.link("idempotency"), "Idempotency-Key");
    match operation.method().as_str() {
        _ if operation.has_parameter("Idempotency-Key") => {
            format!("changes data: send an {idempotency} to repeat a call safely")
        }
        "DELETE" => "a repeated call has no further effect".to_owned(),
        "GET" => "changes nothing: repeat it as you need".to_owned(),
        _ if operation.path.contains("/parts/") => "a repeated call is refused if the part does not await a decision any more".to_owned(),
        _ if operation.path.ends_with("/track") => "a repeated call is answered with the batch that tracks the job already".to_owned(),
        _ => "changes nothing at LRS: repeat it as you need".to_owned(),
    }
}

fn write_request(page: &mut PageWriter, operation: Operation<'_>) {
    let parameters = operation.parameters();
    let body = operation.request_body();
    if parameters.is_empty() && body.is_none() {
        return;
    }
    page.heading(2, "Request");
    if !parameters.is_empty() {
        page.heading(3, "Parameters");
        let enumerations = page.link("reference/enumerations");
        let rows: Vec<_> = parameters.iter().map(|parameter| parameter_row(operation.api, parameter, &enumerations)).collect();
        page.push(table("Parameters", ["Parameter", "Place", "Type and meaning"], rows));
    }
    if let Some(body) = body {
        write_content(page, operation.api, body, "request");
    }
}

fn parameter_row(api: ApiDocument<'_>, parameter: &Value, enumerations: &str) -> [String; 3] {
    let requirement = if parameter["required"] == true { "required" } else { "optional" };
    let name = format!("{} <span class=\"{requirement}\">{requirement}</span>", code(text(&parameter["name"])));
    let kind = type_in_words(api, &parameter["schema"], enumerations);
    let meaning = format!("<p class=\"type\">{kind}</p>\n{}", prose(text(&parameter["description"])));
    [name, escape(text(&parameter["in"])), meaning]
}

fn write_answer(page: &mut PageWriter, api: ApiDocument<'_>, status: &str, answer: &Value) {
    page.heading(2, &format!("Answer {status}"));
    page.prose(text(&answer["description"]));
    let headers = entries(&answer["headers"]).map(|(name, header)| [code(name), prose(text(&api.resolve(header)["description"]))]);
    let headers: Vec<_> = headers.collect();
    let mut contents = contents(answer).peekable();
    if contents.peek().is_none() {
        page.push("<p>The answer has no body.</p>\n");
    }
    for content in contents {
        write_content(page, api, content, &format!("answer {status}"));
    }
    if !headers.is_empty() {
        page.heading(3, &format!("Headers of answer {status}"));
        page.push(table(&format!("Headers of answer {status}"), ["Header", "Meaning"], headers));
    }
}

/// Adds the examples and the fields of a body. `owner` says in headings what the body belongs to.
fn write_content(page: &mut PageWriter, api: ApiDocument<'_>, content: Content<'_>, owner: &str) {
    let examples = content.examples();
    if !examples.is_empty() {
        page.heading(3, &format!("Example of {owner}"));
    }
    for example in &examples {
        if !example.title.is_empty() {
            page.push(format!("<p>{}:</p>\n", escape(example.title)));
        }
        let label = format!("Example of {owner} {}", example.title);
        page.push(example_block(label.trim_end(), example.value));
    }
    page.heading(3, &format!("Fields of {owner}"));
    let schema = api.resolve(content.schema);
    let closed = schema["additionalProperties"] == false;
    page.push(format!("<p>Media type {}.</p>\n", code(content.media_type)));
    page.prose(text(&schema["description"]));
    let fields = table_of_fields(api, content.schema, &format!("Fields of {owner}"), &page.link("reference/enumerations"));
    page.push(fields);
    if closed {
        page.push("<p>Other fields are rejected.</p>\n");
    }
}

fn write_next_steps(page: &mut PageWriter, operation: Operation<'_>) {
    let linked = operation.linked_operations();
    if linked.is_empty() {
        return;
    }
    page.heading(2, "Next steps");
    let items = linked.iter().map(|next| {
        let address = page.link(&path_of(next.id()));
        format!("<li>{}</li>\n", anchor(&address, &escape(&next.title())))
    });
    let items = items.collect::<String>();
    page.push(format!("<ul>\n{items}</ul>\n"));
}
