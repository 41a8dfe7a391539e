//! The page to try calls. It has a form for each operation; the script `assets/try.js` shows one of them, and sends it.

use serde_json::Value;

use super::api_document::{ApiDocument, Content, Operation, text};
use super::curl::example_of;
use super::groups::groups;
use super::markup::{PageWriter, anchor, code, inline, pretty};
use super::operation_page::path_of;
use crate::server::docs::page::{Page, escape};

/// The path of the page.
pub const PATH: &str = "try";

/// Returns the page.
pub fn page(api: ApiDocument<'_>) -> Page {
    let mut page = PageWriter::new(PATH, "Try a call", "Call this gateway from the browser, with a token of your own.");
    page.push("<p>Call this gateway from the browser. The calls are real: with a gateway that is connected to LRS, they read and change real records.</p>\n");
    page.push(
        "<noscript><p class=\"warning\">This page needs JavaScript. The page of each operation has the call with curl.</p></noscript>\n",
    );
    page.push("<form id=\"try\" class=\"try\" autocomplete=\"off\">\n");
    page.push(token_field());
    page.push(operation_select(api));
    for operation in api.operations() {
        let form = operation_form(&page, operation);
        page.push(form);
    }
    page.push("<p><button type=\"submit\" id=\"try-send\">Send</button></p>\n</form>\n");
    page.heading(2, "Answer");
    page.push(ANSWER);
    page.heading(2, "The same call with curl");
    page.push(CURL);
    page.push("<script src=\"try.js\" defer></script>\n");
    page.finish()
}

/// Where the script puts the answer. Only the first line is announced: screen readers would otherwise read the whole body.
const ANSWER: &str = "\
<p id=\"try-status\" role=\"status\" aria-live=\"polite\">No call was sent yet.</p>
<p id=\"try-problem\" hidden><a href=\"problems/\">What to do about this problem</a></p>
<div id=\"try-answer\" hidden>
<h3 id=\"body-of-the-answer\">Body</h3>
<pre id=\"try-body\" tabindex=\"0\" role=\"region\" aria-labelledby=\"body-of-the-answer\"></pre>
<h3 id=\"headers-of-the-answer\">Headers</h3>
<pre id=\"try-headers\" tabindex=\"0\" role=\"region\" aria-labelledby=\"headers-of-the-answer\"></pre>
</div>
";

const CURL: &str = "\
<p>Set the variable <code>TOKEN</code> in your shell first: the command does not contain the token.</p>
<pre id=\"try-curl\" tabindex=\"0\" role=\"region\" aria-label=\"Command\"></pre>
<p><button type=\"button\" id=\"try-copy\">Copy the command</button> <span id=\"try-copied\" role=\"status\"></span></p>
";

fn token_field() -> &'static str {
    "<div class=\"field\"><label for=\"try-token\">Token</label>\n\
     <p class=\"hint\" id=\"try-token-hint\">The page keeps it until you leave or reload the page, and stores it nowhere. \
     Paste it without <code>Bearer</code>.</p>\n\
     <div class=\"with-button\"><input id=\"try-token\" type=\"password\" autocomplete=\"off\" autocapitalize=\"off\" spellcheck=\"false\" \
     aria-describedby=\"try-token-hint\">\n\
     <button type=\"button\" id=\"try-show\" aria-controls=\"try-token\" aria-pressed=\"false\">Show the token</button></div></div>\n"
}

fn operation_select(api: ApiDocument<'_>) -> String {
    let groups = groups(api).into_iter().map(|group| {
        let options = group
            .operations
            .iter()
            .map(|operation| format!("<option value=\"{}\">{}</option>", operation.id(), escape(&operation.title())));
        format!("<optgroup label=\"{}\">{}</optgroup>\n", escape(group.title), options.collect::<String>())
    });
    let groups = groups.collect::<String>();
    format!("<div class=\"field\"><label for=\"try-operation\">Operation</label>\n<select id=\"try-operation\">\n{groups}</select></div>\n")
}

/// Returns the fields of an operation, which the script shows when the operation is chosen.
fn operation_form(page: &PageWriter, operation: Operation<'_>) -> String {
    let id = operation.id();
    let parameters = operation.parameters().into_iter().map(|parameter| parameter_field(id, parameter)).collect::<String>();
    let body = operation.request_body().map(|body| body_field(id, body)).unwrap_or_default();
    let reference = anchor(&page.link(&path_of(id)), "All about this operation");
    let accept = operation.successes().first().and_then(|(_, answer)| super::api_document::contents(answer).next());
    format!(
        "<fieldset id=\"try-{id}\" data-method=\"{method}\" data-path=\"{path}\" data-accept=\"{accept}\" data-token=\"{token}\" disabled hidden>\n\
         <legend><strong class=\"method\">{method}</strong> <code>{path}</code></legend>\n\
         <p>{reference}</p>\n{parameters}{body}</fieldset>\n",
        method = operation.method(),
        path = escape(operation.path),
        accept = accept.map_or("application/json", |content| content.media_type),
        token = operation.needs_token(),
    )
}

fn parameter_field(operation_id: &str, parameter: &Value) -> String {
    let name = text(&parameter["name"]);
    let place = text(&parameter["in"]);
    let id = format!("{operation_id}-{name}");
    let is_required = parameter["required"] == true;
    let generate = if name == "Idempotency-Key" {
        format!("<button type=\"button\" data-generate=\"{id}\">Generate a key</button>")
    } else {
        String::new()
    };
    format!(
        "<div class=\"field\"><label for=\"{id}\">{name} <span class=\"{requirement}\">{requirement}</span></label>\n\
         <div class=\"hint\" id=\"{id}-hint\">{hint}</div>\n\
         <div class=\"with-button\"><input id=\"{id}\" data-in=\"{place}\" data-name=\"{name}\" placeholder=\"{example}\" autocomplete=\"off\" \
         spellcheck=\"false\" aria-describedby=\"{id}-hint\"{required}>{generate}</div></div>\n",
        requirement = if is_required { "required" } else { "optional" },
        hint = inline(text(&parameter["description"])),
        example = escape(&example_of(parameter)),
        required = if is_required { " required" } else { "" },
    )
}

fn body_field(operation_id: &str, body: Content<'_>) -> String {
    let id = format!("{operation_id}-body");
    let examples: Vec<(String, String)> = body.examples().iter().map(|example| (example.title.to_owned(), pretty(example.value))).collect();
    let first = examples.first().map(|(_, text)| escape(text)).unwrap_or_default();
    format!(
        "{select}<div class=\"field\"><label for=\"{id}\">Body</label>\n<p class=\"hint\" id=\"{id}-hint\">Content type {media_type}</p>\n\
         <textarea id=\"{id}\" rows=\"{rows}\" data-type=\"{media_type_value}\" spellcheck=\"false\" aria-describedby=\"{id}-hint\">\n{first}</textarea></div>\n",
        select = example_select(&id, &examples),
        media_type = code(body.media_type),
        media_type_value = escape(body.media_type),
        rows = first.lines().count().clamp(4, 24),
    )
}

/// Returns the choice of examples, of which the value is the body: nothing if there is only one.
fn example_select(body_id: &str, examples: &[(String, String)]) -> String {
    if examples.len() < 2 {
        return String::new();
    }
    let options = examples.iter().map(|(title, text)| format!("<option value=\"{}\">{}</option>", escape(text), escape(title)));
    format!(
        "<div class=\"field\"><label for=\"{body_id}-example\">Example</label>\n<select id=\"{body_id}-example\" data-fills=\"{body_id}\">{}</select></div>\n",
        options.collect::<String>()
    )
}
