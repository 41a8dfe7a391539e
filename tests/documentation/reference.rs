//! The reference of the API: a page for each operation, from the OpenAPI document.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use lrs_gateway::problem::CATALOGUE;
use lrs_gateway::server::docs::page::Page;
use lrs_gateway::server::docs::reference::pages;
use serde_json::Value;

use crate::support::fields::DOCUMENT;

static PAGES: LazyLock<Vec<Page>> = LazyLock::new(|| pages(&DOCUMENT));

fn page(path: &str) -> &'static Page {
    PAGES.iter().find(|page| page.path == path).unwrap_or_else(|| panic!("no page {path}"))
}

/// Returns all operations of the document.
fn operations() -> impl Iterator<Item = &'static Value> {
    DOCUMENT["paths"].as_object().expect("paths").values().flat_map(|path| path.as_object().expect("a path").values())
}

fn id_of(operation: &Value) -> &str {
    operation["operationId"].as_str().expect("an id")
}

/// Returns the node, or the component that it refers to.
fn resolved(node: &'static Value) -> &'static Value {
    node["$ref"].as_str().map_or(node, |reference| DOCUMENT.pointer(reference.trim_start_matches('#')).expect(reference))
}

/// Returns the text of a page, without its markup.
fn text_of(html: &str) -> String {
    let text: String = html.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect();
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&")
}

/// Returns the values of an attribute in a page.
fn attributes<'h>(html: &'h str, name: &str) -> Vec<&'h str> {
    let start = format!(" {name}=\"");
    html.split(start.as_str()).skip(1).map(|rest| rest.split('"').next().expect("a value")).collect()
}

#[test]
fn page_of_each_operation_names_its_requirements_parameters_problems_and_answers() {
    let mut count = 0;
    for operation in operations() {
        let id = id_of(operation);
        let page = page(&format!("reference/{id}"));
        let text = text_of(&page.html);
        assert!(page.title.starts_with(operation["summary"].as_str().expect("a summary")), "{id}: {}", page.title);
        assert_eq!(PAGES.iter().filter(|other| other.title == page.title).count(), 1, "{id}: {}", page.title);
        assert!(page.summary.len() > 10 && page.summary.ends_with('.'), "{id}: {}", page.summary);
        if let Some(scope) = operation["security"][0]["bearer"][0].as_str() {
            assert!(page.html.contains(&format!("<dt>Scope of the token</dt><dd><code>{scope}</code></dd>")), "{id}: no scope");
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten().map(resolved) {
            assert!(text.contains(parameter["name"].as_str().expect("a name")), "{id}: {parameter}");
        }
        for (status, response) in operation["responses"].as_object().expect("responses") {
            let response = resolved(response);
            for code in response["x-problem-codes"].as_array().into_iter().flatten() {
                let code = code.as_str().expect("a code");
                let entry = CATALOGUE.iter().find(|entry| entry.code == code).expect(code);
                assert!(page.html.contains(&format!("<a href=\"../problems/{code}\">")), "{id}: no {code}");
                assert!(text.contains(entry.title) && text.contains(&entry.advice.replace('`', "")), "{id}: {code}");
            }
            if status.starts_with('2') {
                assert!(page.headings.iter().any(|heading| heading.text == format!("Answer {status}")), "{id}: no {status}");
            }
        }
        count += 1;
    }
    assert!(count > 40, "{count} operations");
}

#[test]
fn page_of_each_operation_has_all_examples_and_all_fields() {
    for operation in operations() {
        let id = id_of(operation);
        let text = text_of(&page(&format!("reference/{id}")).html);
        let responses = operation["responses"].as_object().expect("responses");
        let successes = responses.iter().filter(|(status, _)| status.starts_with('2')).map(|(_, response)| response);
        let contents = [&operation["requestBody"]].into_iter().chain(successes).filter_map(|node| node["content"].as_object());
        for (media_type, content) in contents.flatten() {
            let named = content["examples"].as_object().into_iter().flatten().map(|(_, example)| &example["value"]);
            let examples: Vec<&Value> = named.chain(content.get("example")).collect();
            assert!(!examples.is_empty(), "{id}: {media_type} has no example");
            for example in examples {
                let expected = match example {
                    Value::String(text) => text.replace("\r\n", "\n"),
                    example => serde_json::to_string_pretty(example).expect("JSON"),
                };
                assert!(text.contains(&expected), "{id}: no example {expected}");
            }
            let properties = resolved(&content["schema"])["properties"].as_object().into_iter().flatten();
            for (name, _) in properties {
                assert!(text.contains(&format!("{name} required")) || text.contains(&format!("{name} optional")), "{id}: no field {name}");
            }
        }
    }
}

#[test]
fn overview_lists_each_operation_once_in_the_order_of_a_learners_life() {
    let overview = page("reference/");
    let links: Vec<&str> = attributes(&overview.html, "href").into_iter().filter_map(|link| link.strip_prefix("../reference/")).collect();
    let ids: BTreeSet<&str> = operations().map(id_of).collect();
    let listed: Vec<&str> = links.iter().copied().filter(|link| ids.contains(link)).collect();
    assert_eq!(listed.len(), ids.len(), "{listed:?}");
    assert_eq!(listed.iter().copied().collect::<BTreeSet<_>>(), ids);
    assert_eq!(listed[..4], ["findLearnerByUln", "findLearnersByDemographics", "obtainUln", "registerLearner"]);
}

#[test]
fn links_between_pages_of_the_reference_lead_to_pages_and_fragments() {
    /// Pages of other parts of the site.
    const OTHERS: [&str; 5] = ["problems/", "clients", "idempotency", "authentication", ""];
    let mut checked = 0;
    for page in PAGES.iter() {
        for link in attributes(&page.html, "href") {
            if link.starts_with("../../openapi") {
                continue;
            }
            let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
            let directory = page.path.rsplit_once('/').map_or("", |(directory, _)| directory);
            let target = match path.strip_prefix("../") {
                _ if path.is_empty() => page.path.clone(),
                Some(rest) => rest.to_owned(),
                None if directory.is_empty() => path.to_owned(),
                None => format!("{directory}/{path}"),
            };
            if OTHERS.contains(&target.as_str()) {
                continue;
            }
            if let Some(code) = target.strip_prefix("problems/") {
                assert!(CATALOGUE.iter().any(|entry| entry.code == code), "{}: {link}", page.path);
                continue;
            }
            let target = self::page(&target);
            let chosen = target.path == "try" && operations().any(|operation| id_of(operation) == fragment);
            assert!(fragment.is_empty() || chosen || attributes(&target.html, "id").contains(&fragment), "{}: {link}", page.path);
            checked += 1;
        }
    }
    assert!(checked > 300, "{checked}");
}

#[test]
fn ids_and_names_of_regions_are_unique_in_each_page() {
    for page in PAGES.iter() {
        for attribute in ["id", "aria-label"] {
            let values = attributes(&page.html, attribute);
            let different: BTreeSet<&str> = values.iter().copied().collect();
            assert_eq!(different.len(), values.len(), "{}: {attribute}: {values:?}", page.path);
        }
    }
}

#[test]
fn enumerations_have_each_word_with_its_code_in_both_directions() {
    let page = page("reference/enumerations");
    for (name, schema) in DOCUMENT["components"]["schemas"].as_object().expect("schemas") {
        let (closed, open) = (schema["enum"].as_array(), schema["x-extensible-enum"].as_array());
        let Some(words) = closed.or(open) else { continue };
        let section = page.html.split(&format!("id=\"{}\"", name.to_lowercase())).nth(1).expect(name);
        let section = section.split("<h2").next().expect("a section");
        assert!(section.contains(if closed.is_some() { "Closed." } else { "Open." }), "{name}");
        for word in words {
            let word = word.as_str().expect("a word");
            assert!(section.contains(&format!("<th scope=\"row\"><code>{word}</code></th>")), "{name}: {word}");
        }
    }
    let row = "<th scope=\"row\"><code>2</code></th><td><code>FEMALE</code></td><td><a href=\"#gender\">Gender</a></td>";
    assert!(page.html.contains(row), "from the code to the word");
    assert!(page.html.contains("<th scope=\"row\"><code>FEMALE</code></th><td><code>2</code></td>"), "from the word to the code");
}

#[test]
fn hostile_text_of_the_document_stays_text() {
    const HOSTILE: &str =
        "</pre></textarea></option></code><script>alert(1)</script>\" onfocus=\"alert(1)' <img src=x onerror=alert(1)>&amp;";
    /// Adds the text to all texts for people, and to all texts and names in examples.
    fn poison(node: &mut Value, is_example: bool) {
        match node {
            Value::Object(fields) => {
                if is_example {
                    fields.insert(HOSTILE.to_owned(), HOSTILE.into());
                }
                for (name, child) in fields {
                    match (name.as_str(), &mut *child) {
                        ("description" | "summary" | "title", Value::String(text)) => *text = format!("{HOSTILE} {text} {HOSTILE}"),
                        ("example" | "examples" | "value", child) => poison(child, true),
                        (_, child) => poison(child, is_example),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| poison(item, is_example)),
            Value::String(text) if is_example => text.push_str(HOSTILE),
            _ => {}
        }
    }
    let mut document = DOCUMENT.clone();
    for (_, item) in document["paths"].as_object_mut().expect("paths") {
        poison(item, false);
    }
    for (_, components) in document["components"].as_object_mut().expect("components") {
        for (_, component) in components.as_object_mut().expect("components") {
            poison(component, false);
        }
    }
    let known: BTreeSet<&str> = PAGES.iter().flat_map(|page| elements(&page.html)).collect();
    let poisoned = pages(&document);
    assert_eq!(poisoned.len(), PAGES.len());
    let mut count = 0;
    for page in &poisoned {
        count += page.html.matches("alert(1)").count();
        for element in elements(&page.html) {
            assert!(known.contains(element), "{}: <{element}>", page.path);
        }
        let tags = page.html.split('<').skip(1).map(|part| part.split('>').next().expect("a tag"));
        let outside_values = tags.map(|tag| tag.split('"').step_by(2).collect::<String>());
        for tag in outside_values {
            assert!(!tag.contains(" on"), "{}: <{tag}>", page.path);
        }
        for (title, end) in [("<pre", "</pre>"), ("<textarea", "</textarea>"), ("<option", "</option>")] {
            assert_eq!(page.html.matches(title).count(), page.html.matches(end).count(), "{}: {title}", page.path);
        }
    }
    assert!(count > 1000, "{count}");
}

/// Returns the names of the elements in a page.
fn elements(html: &str) -> impl Iterator<Item = &str> {
    let starts = html.split('<').skip(1).filter(|part| !part.starts_with('/'));
    starts.map(|part| part.split([' ', '>', '\n']).next().expect("a name"))
}

#[test]
fn try_page_has_the_fields_of_each_operation_with_labels() {
    let page = page("try");
    for operation in operations() {
        let id = id_of(operation);
        let form = page.html.split(&format!("<fieldset id=\"try-{id}\"")).nth(1).unwrap_or_else(|| panic!("no form of {id}"));
        let form = form.split("</fieldset>").next().expect("a form");
        assert!(page.html.contains(&format!("<option value=\"{id}\">")), "{id} cannot be chosen");
        for parameter in operation["parameters"].as_array().into_iter().flatten().map(resolved) {
            let field = format!("{id}-{}", parameter["name"].as_str().expect("a name"));
            assert!(form.contains(&format!("<label for=\"{field}\">")) && form.contains(&format!("id=\"{field}\"")), "{field}");
        }
        assert_eq!(operation["requestBody"].is_object(), form.contains("<textarea"), "{id}");
    }
    let labels: BTreeSet<&str> = attributes(&page.html, "for").into_iter().collect();
    for field in ["<input ", "<select ", "<textarea "] {
        for part in page.html.split(field).skip(1) {
            let id = part.split("id=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an id");
            assert!(labels.contains(id), "{id} has no label");
        }
    }
}

#[test]
fn pages_have_no_inline_script_and_no_inline_style() {
    for page in PAGES.iter() {
        let scripts = page.html.matches("<script").count();
        assert_eq!(scripts, page.html.matches("<script src=\"try.js\" defer></script>").count(), "{}", page.path);
        assert!(!page.html.contains("<style") && !page.html.contains(" style="), "{}", page.path);
    }
}
