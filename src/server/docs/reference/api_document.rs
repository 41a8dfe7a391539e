//! The OpenAPI document, as the pages of the reference read it.

use serde_json::Value;

/// The document, of version 3.1.
#[derive(Debug, Clone, Copy)]
pub struct ApiDocument<'d>(pub &'d Value);

/// An operation of the document.
#[derive(Debug, Clone, Copy)]
pub struct Operation<'d> {
    pub api: ApiDocument<'d>,
    /// Method in lower case, as the document has it.
    method: &'d str,
    pub path: &'d str,
    node: &'d Value,
}

/// What a token and an organisation need for an operation, and what it causes at LRS. Texts in Markdown.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Requirements<'d> {
    pub scope: &'d str,
    pub product: &'d str,
    pub lrs_operations: &'d str,
}

/// A body in one media type.
#[derive(Debug, Clone, Copy)]
pub struct Content<'d> {
    pub media_type: &'d str,
    pub schema: &'d Value,
    node: &'d Value,
}

/// An example of a body.
#[derive(Debug)]
pub struct Example<'d> {
    pub title: &'d str,
    pub value: &'d Value,
}

impl<'d> ApiDocument<'d> {
    /// Returns the node, or the component that it refers to.
    pub fn resolve(self, node: &'d Value) -> &'d Value {
        let reference = node["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
        reference.map_or(node, |pointer| self.0.pointer(pointer).unwrap_or(node))
    }

    /// Returns all operations, in the order of the document.
    pub fn operations(self) -> Vec<Operation<'d>> {
        let paths = entries(&self.0["paths"]);
        let methods = paths.flat_map(|(path, item)| entries(item).map(move |(method, node)| (path, method, node)));
        methods.map(|(path, method, node)| Operation { api: self, method, path, node }).collect()
    }
}

impl<'d> Operation<'d> {
    pub fn id(self) -> &'d str {
        text(&self.node["operationId"])
    }

    pub fn method(self) -> String {
        self.method.to_uppercase()
    }

    pub fn summary(self) -> &'d str {
        text(&self.node["summary"])
    }

    /// Returns the summary. If several kinds of batches have the same one, adds the kind: "Read a batch (registration)".
    pub fn title(self) -> String {
        let is_same = |other: &Operation<'_>| other.summary() == self.summary() && other.id() != self.id();
        match (self.api.operations().iter().any(is_same), self.tag().split(' ').next()) {
            (true, Some(kind)) => format!("{} ({})", self.summary(), kind.to_lowercase()),
            _ => self.summary().to_owned(),
        }
    }

    pub fn tag(self) -> &'d str {
        text(&self.node["tags"][0])
    }

    /// Returns the description in Markdown, without its last paragraph, which has the requirements.
    pub fn description(self) -> &'d str {
        self.description_and_requirements().0
    }

    pub fn requirements(self) -> Requirements<'d> {
        let (_, line) = self.description_and_requirements();
        let after = |name: &str| line.find(name).map(|at| &line[at + name.len()..]).unwrap_or_default();
        let until_stop = |text: &'d str| text.split(". ").next().unwrap_or_default().trim_end_matches('.');
        Requirements {
            scope: until_stop(after("Scope: ")),
            product: until_stop(after("Product: ")),
            lrs_operations: after("LRS operation").split_once(": ").map(|(_, names)| until_stop(names)).unwrap_or_default(),
        }
    }

    fn description_and_requirements(self) -> (&'d str, &'d str) {
        let text = text(&self.node["description"]);
        let is_requirements = |line: &str| line.starts_with("Scope: ");
        match text.rsplit_once("\n\n") {
            Some((description, line)) if is_requirements(line) => (description, line),
            _ if is_requirements(text) => ("", text),
            _ => (text, ""),
        }
    }

    /// Returns `true` if calls need a token.
    pub fn needs_token(self) -> bool {
        !self.node["security"][0]["bearer"].is_null()
    }

    pub fn is_deprecated(self) -> bool {
        self.node["deprecated"] == true
    }

    /// Returns the parameters, of which components are resolved.
    pub fn parameters(self) -> Vec<&'d Value> {
        self.node["parameters"].as_array().into_iter().flatten().map(|node| self.api.resolve(node)).collect()
    }

    /// Returns `true` if there is a parameter with this name.
    pub fn has_parameter(self, name: &str) -> bool {
        self.parameters().iter().any(|parameter| parameter["name"] == name)
    }

    pub fn request_body(self) -> Option<Content<'d>> {
        contents(&self.node["requestBody"]).next()
    }

    /// Returns the answers that are not problems, by status.
    pub fn successes(self) -> Vec<(&'d str, &'d Value)> {
        self.responses().filter(|(status, _)| status.starts_with('2')).collect()
    }

    /// Returns the codes of the problems that the operation can answer, in the order of their status.
    pub fn problem_codes(self) -> Vec<&'d str> {
        let problems = self.responses().flat_map(|(_, response)| response["x-problem-codes"].as_array().into_iter().flatten());
        problems.filter_map(Value::as_str).collect()
    }

    /// Returns the example of a problem with this code.
    pub fn problem_example(self, code: &str) -> Option<&'d Value> {
        let mut contents = self.responses().flat_map(|(_, response)| contents(response));
        contents.find_map(|content| content.node["examples"].get(code)).map(|example| &example["value"])
    }

    /// Returns the operations that an answer links to.
    pub fn linked_operations(self) -> Vec<Operation<'d>> {
        let links = self.successes().into_iter().flat_map(|(_, response)| entries(&response["links"]));
        let mut ids: Vec<&str> = links.filter_map(|(_, link)| link["operationId"].as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        self.api.operations().into_iter().filter(|operation| ids.contains(&operation.id())).collect()
    }

    fn responses(self) -> impl Iterator<Item = (&'d str, &'d Value)> {
        entries(&self.node["responses"]).map(move |(status, response)| (status, self.api.resolve(response)))
    }
}

impl<'d> Content<'d> {
    /// Returns the examples: those with a name, or the only one.
    pub fn examples(self) -> Vec<Example<'d>> {
        let named = entries(&self.node["examples"]).map(|(name, example)| {
            let title = example["summary"].as_str().unwrap_or(name);
            Example { title, value: &example["value"] }
        });
        let only = self.node.get("example").map(|value| Example { title: "", value });
        named.chain(only).collect()
    }
}

/// Returns the contents of a request body or a response.
pub fn contents(node: &Value) -> impl Iterator<Item = Content<'_>> {
    entries(&node["content"]).map(|(media_type, node)| Content { media_type, schema: &node["schema"], node })
}

/// Returns the entries of an object: none if the node is no object.
pub fn entries(node: &Value) -> impl Iterator<Item = (&str, &Value)> {
    node.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

/// Returns a text: empty if the node is none.
pub fn text(node: &Value) -> &str {
    node.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn requirements_are_the_last_paragraph_of_a_description() {
        let description = "Does it.\n\nTwice.\n\nScope: `a:b`. Product: `c`. LRS operations: `d`, `e`.";
        let document = json!({"paths": {"/x": {"get": {"description": description}, "post": {"description": "Scope: none."}}}});
        let [get, post] = ApiDocument(&document).operations()[..] else { panic!("two operations") };
        assert_eq!(get.description(), "Does it.\n\nTwice.");
        assert_eq!(get.requirements(), Requirements { scope: "`a:b`", product: "`c`", lrs_operations: "`d`, `e`" });
        assert_eq!((post.description(), post.requirements().scope), ("", "none"));
    }
}
