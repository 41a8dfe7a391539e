//! The call of an operation with curl.

use std::fmt::Write as _;

use serde_json::Value;

use super::api_document::{Operation, text};
use super::markup::pretty;

/// Returns the commands that call the operation with the example of its body. `GATEWAY` and `TOKEN` are variables of the shell.
pub fn command(operation: Operation<'_>) -> String {
    let mut command = String::new();
    let has_key = operation.has_parameter("Idempotency-Key");
    if has_key {
        command.push_str("# One key for each write. Repeat the same request with the same key.\nKEY=$(uuidgen)\n");
    }
    let method = operation.method();
    let body = operation.request_body();
    // curl's own method is GET, or POST if there is a body.
    let request = if method == "GET" || body.is_some() { String::new() } else { format!("--request {method} ") };
    // The writer is a string: it cannot fail.
    let _ = write!(command, "curl {request}\"$GATEWAY{}\"", path_with_examples(operation));
    if operation.needs_token() {
        command.push_str(" \\\n    --header \"Authorization: Bearer $TOKEN\"");
    }
    if has_key {
        command.push_str(" \\\n    --header \"Idempotency-Key: $KEY\"");
    }
    if let Some(example) = body.and_then(|body| body.examples().into_iter().next()) {
        let body = pretty(example.value);
        // A quoted word after `<<` keeps the shell from reading the body.
        let _ = write!(command, " \\\n    --json @- <<'JSON'\n{body}\nJSON");
    }
    command
}

/// Returns the path with an example in the place of each parameter.
fn path_with_examples(operation: Operation<'_>) -> String {
    operation.parameters().iter().filter(|parameter| parameter["in"] == "path").fold(operation.path.to_owned(), |path, parameter| {
        path.replace(&format!("{{{}}}", text(&parameter["name"])), &example_of(parameter))
    })
}

/// Returns the example of a parameter as text: empty if it has none.
pub fn example_of(parameter: &Value) -> String {
    match &parameter["schema"]["examples"][0] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
