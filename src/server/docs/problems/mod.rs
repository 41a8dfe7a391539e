//! Pages about problems: one for each code, to which the `type` of problems leads. `docs/PROBLEMS.md` is the page above them.
//!
//! The pages are written in Markdown first, so that they look like the other pages.

mod explanation;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use self::explanation::Explanation;
use super::markdown;
use super::page::{Page, Section, relative};
use super::reference::api_document::ApiDocument;
use crate::lrs::response_codes::{DOCUMENTED_CODES, LrsCode};
use crate::lrs::{CallError, LrsError};
use crate::problem::{CATALOGUE, CatalogueEntry, Code, Problem, TypeUris};
use crate::server::openapi::EXAMPLE_REQUEST_ID;

/// Path of the page with all codes. The page of a code is below it.
const ALL_CODES: &str = "problems/";

/// Advice that comes before all other advice: a reader who sees only “yes” would repeat a write.
const UNKNOWN_OUTCOME_FIRST: &str = "First look at `outcomeUnknown`. If it is `true`, the change may have been carried out, and `retryable` is `false`: \
    send the request again only with the same `Idempotency-Key`, or find out first what happened ([Unknown outcomes](problems/#unknown-outcomes)).\n\n\
    If `outcomeUnknown` is absent:\n\n";

/// Operations by the code of a problem that they can be answered with.
type OperationsByCode<'d> = BTreeMap<&'d str, Vec<&'d str>>;

/// Returns the page of each code. `document` is the OpenAPI document.
pub fn pages(document: &Value) -> Vec<Page> {
    let operations = operations_by_code(document);
    let page_of = |entry: &CatalogueEntry| {
        let operations = operations.get(entry.code).map_or(&[][..], Vec::as_slice);
        page(format!("{ALL_CODES}{}", entry.code), entry.code.to_owned(), &explain(entry, operations))
    };
    CATALOGUE.iter().map(page_of).collect()
}

/// Returns the operations that the document gives each code, in their order.
fn operations_by_code(document: &Value) -> OperationsByCode<'_> {
    let mut by_code = OperationsByCode::new();
    for operation in ApiDocument(document).operations() {
        for code in operation.problem_codes() {
            by_code.entry(code).or_default().push(operation.id());
        }
    }
    by_code
}

/// Renders a page. Its links are paths below `/docs/`.
fn page(path: String, title: String, text: &str) -> Page {
    let content = markdown::render(text, |target| relative(&path, target));
    Page { path, title, summary: content.summary, section: Section::LookUp, html: content.html, headings: content.headings }
}

/// Links the codes of problems in the tables of a page to their pages.
pub fn link_codes(html: &str, path: &str) -> String {
    let mut parts = html.split("<td");
    let mut linked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (cell, rest) = part.split_once("</td>").unwrap_or((part, ""));
        let mut cell = cell.to_owned();
        let is_candidate = cell.contains("<code>") && !cell.contains("<a ");
        for entry in CATALOGUE.iter().filter(|_| is_candidate) {
            let code = format!("<code>{}</code>", entry.code);
            if cell.contains(&code) {
                let target = relative(path, &format!("{ALL_CODES}{}", entry.code));
                cell = cell.replace(&code, &format!("<a href=\"{target}\">{code}</a>"));
            }
        }
        let _ = write!(linked, "<td{cell}</td>{rest}");
    }
    linked
}

/// Returns the text of the page of a code.
fn explain(entry: &CatalogueEntry, operations: &[&str]) -> String {
    let Explanation { happened, pages } = Explanation::of(entry.variant);
    let mut text = format!("**{}.** {happened}\n\nThe HTTP status is {}.\n\n", entry.title, entry.status);
    let _ = write!(text, "## What to do\n\n{}\n\n## Retry\n\n{}\n\n", entry.advice, retry_advice(entry));
    let codes = lrs_codes(entry.variant);
    if !codes.is_empty() {
        text += "## LRS codes\n\nThese codes of LRS lead to the problem. The field `lrs` has the code.\n\n| code | meaning | what to do |\n|---|---|---|\n";
        text += &codes;
        text += "\n";
    }
    let _ = write!(text, "## Example\n\n```json\n{}\n```\n\n", example(entry.variant));
    text += "## Operations\n\n";
    match operations {
        [] => text += "No operation of the API is answered with this problem. It occurs on other paths and with other methods.\n",
        operations => {
            text += "These operations can be answered with this problem.\n\n";
            for id in operations {
                let _ = writeln!(text, "* [`{id}`](reference/{id})");
            }
        }
    }
    text += "\n## Related pages\n\n";
    for (title, path) in pages {
        let _ = writeln!(text, "* [{title}]({path})");
    }
    let _ = writeln!(text, "* [All codes of problems]({ALL_CODES})");
    text
}

/// Returns whether and when the same request can succeed.
fn retry_advice(entry: &CatalogueEntry) -> String {
    let advice = match (entry.retryable, entry.variant.example_retry_seconds()) {
        (true, Some(seconds)) => format!(
            "Yes. The same request, unchanged, can succeed later. Send it again after the time in `Retry-After`, which `retryAfterSeconds` \
             repeats: often {seconds} seconds."
        ),
        (true, None) => {
            "Yes. The same request, unchanged, can succeed later. The answer does not say when: wait a second, and twice as long \
                         after each further attempt."
                .to_owned()
        }
        (false, _) => "No. The same request, unchanged, fails again.".to_owned(),
    };
    if Explanation::may_have_unknown_outcome(entry.variant) {
        return format!("{UNKNOWN_OUTCOME_FIRST}{advice}");
    }
    advice
}

/// Returns the rows of the LRS codes that lead to the problem after a single call.
fn lrs_codes(code: Code) -> String {
    let mut rows = String::new();
    for entry in DOCUMENTED_CODES {
        let error = LrsError::from_code(&LrsCode::new(entry.code));
        let problem = error.map(|error| Problem::from(CallError { error, outcome_unknown: false }).code());
        if problem == Some(code) {
            let _ = writeln!(rows, "| `{}` | {} | {} |", entry.code, entry.meaning, entry.advice);
        }
    }
    rows
}

/// Returns the example that the OpenAPI document has.
fn example(code: Code) -> String {
    serde_json::to_string_pretty(&Problem::example(code).body(EXAMPLE_REQUEST_ID, &TypeUris::default())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::server::openapi::document_3_1;

    fn page_of(code: &str) -> Page {
        let document = serde_json::from_str(&document_3_1()).expect("JSON");
        let pages = pages(&document);
        pages.into_iter().find(|page| page.path == format!("problems/{code}")).expect(code)
    }

    #[test]
    fn page_of_a_code_has_operations_lrs_codes_and_retry_time() {
        let page = page_of("lrs_maintenance");
        assert_eq!(page.title, "lrs_maintenance");
        assert!(page.summary.starts_with("LRS under maintenance or out of hours. LRS is closed"), "{}", page.summary);
        for part in [
            "often 300 seconds",
            "WSEC0004",
            "href=\"../reference/registerLearner\"",
            "outcomeUnknown",
            "href=\"../guides/lrs-maintenance\"",
        ] {
            assert!(page.html.contains(part), "{part}: {}", page.html);
        }
        assert!(!page.html.contains("reference/getOrganisation\""), "it makes no call to LRS: {}", page.html);
        let page = page_of("stale_version");
        assert!(page.html.contains("WSRC0013") && page.html.contains("<p>No. The same request"), "{}", page.html);
    }

    #[test]
    fn page_of_a_code_with_unknown_outcome_warns_before_it_advises_a_retry() {
        for code in ["lrs_timeout", "lrs_bad_response", "lrs_maintenance", "store_unavailable", "stale_version"] {
            let html = page_of(code).html;
            let (_, retry) = html.split_once("id=\"retry\"").expect(code);
            let warning = retry.find("outcomeUnknown").expect(code);
            let advice = retry.find("<p>Yes.").or_else(|| retry.find("<p>No.")).expect(code);
            assert!(warning < advice, "{code}: {retry}");
        }
        for code in ["lrs_timeout", "lrs_bad_response"] {
            let html = page_of(code).html;
            let (advice, _) = html.split_once("id=\"retry\"").expect(code);
            let (_, advice) = advice.split_once("id=\"what-to-do\"").expect(code);
            assert!(advice.contains("outcomeUnknown"), "{code}: {advice}");
        }
    }

    #[test]
    fn codes_in_tables_lead_to_their_pages() {
        let html = "<p><code>rate_limited</code></p><td>429 <code>rate_limited</code>, <code>other</code></td><td><a href=\"#x\"><code>not_found</code></a></td>";
        let linked =
            html.replacen("429 <code>rate_limited</code>", "429 <a href=\"../problems/rate_limited\"><code>rate_limited</code></a>", 1);
        assert_eq!(link_codes(html, "guides/retry-safely"), linked);
    }

    #[test]
    fn example_is_the_one_of_the_openapi_document() {
        let text = document_3_1();
        let document: Value = serde_json::from_str(&text).expect("JSON");
        let mut count = 0;
        let examples = document["components"]["responses"].as_object().expect("responses").values();
        for examples in examples.filter_map(|response| response.pointer("/content/application~1problem+json/examples")) {
            for (code, documented) in examples.as_object().expect("examples") {
                let entry = CATALOGUE.iter().find(|entry| entry.code == code).expect(code);
                let own: Value = serde_json::from_str(&example(entry.variant)).expect("JSON");
                assert_eq!(documented["value"], own, "{code}");
                count += 1;
            }
        }
        assert!(count > 20, "{count} examples");
    }

    #[test]
    fn related_pages_exist_in_the_repository() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
        for (_, target) in CATALOGUE.iter().flat_map(|entry| Explanation::of(entry.variant).pages) {
            let (path, fragment) = target.split_once('#').unwrap_or((target, ""));
            if path == "reference/" {
                continue;
            }
            let path = path.trim_end_matches('/');
            let name =
                path.strip_prefix("guides/").map_or_else(|| format!("{}.md", path.to_uppercase()), |guide| format!("guides/{guide}.md"));
            let text = std::fs::read_to_string(docs.join(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
            let content = markdown::render(&text, str::to_owned);
            assert!(fragment.is_empty() || content.headings.iter().any(|heading| heading.id == fragment), "{target}");
        }
    }
}
