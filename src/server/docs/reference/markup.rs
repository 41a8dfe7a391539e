//! HTML of the pages of the reference.

use std::fmt::Write as _;

use serde_json::Value;

use crate::server::docs::blocks;
use crate::server::docs::markdown::{prose, slug};
use crate::server::docs::page::{Heading, Page, Section, escape, relative};

/// A page that is being written.
#[derive(Debug)]
pub struct PageWriter {
    page: Page,
}

impl PageWriter {
    /// Starts a page at this path. The summary is text.
    pub fn new(path: &str, title: &str, summary: &str) -> Self {
        let [path, title, summary] = [path, title, summary].map(str::to_owned);
        Self { page: Page { path, title, summary, section: Section::Reference, html: String::new(), headings: Vec::new() } }
    }

    /// Adds HTML.
    pub fn push(&mut self, html: impl AsRef<str>) {
        self.page.html.push_str(html.as_ref());
    }

    /// Adds a heading of level 2 or 3. Its fragment is made from the text: texts of a page are different.
    pub fn heading(&mut self, level: u8, text: &str) {
        let id = slug(text);
        self.push(blocks::heading(level, &id, &escape(text), text));
        self.page.headings.push(Heading { level, id, text: text.to_owned() });
    }

    /// Adds a paragraph, or several, in Markdown.
    pub fn prose(&mut self, markdown: &str) {
        self.push(prose(markdown));
    }

    /// Returns the address of another page or file, relative to this page.
    pub fn link(&self, path: &str) -> String {
        relative(&self.page.path, path)
    }

    pub fn finish(self) -> Page {
        self.page
    }
}

/// Returns the Markdown of one paragraph as HTML without the element of the paragraph.
pub fn inline(markdown: &str) -> String {
    let html = prose(markdown);
    let html = html.trim_end();
    html.strip_prefix("<p>").and_then(|html| html.strip_suffix("</p>")).unwrap_or(html).to_owned()
}

/// Returns a table in a region that scrolls. `label` names the region. Cells are HTML; the first of each row is its heading.
pub fn table<const N: usize>(label: &str, columns: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let head = columns.map(|column| format!("<th scope=\"col\">{}</th>", escape(column))).concat();
    let mut body = String::new();
    for row in rows {
        body.push_str("<tr>");
        for (index, cell) in row.iter().enumerate() {
            // The writer is a string: it cannot fail.
            let _ = if index == 0 { write!(body, "<th scope=\"row\">{cell}</th>") } else { write!(body, "<td>{cell}</td>") };
        }
        body.push_str("</tr>\n");
    }
    let start = blocks::table_start(label);
    format!("{start}<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>{}", blocks::TABLE_END)
}

/// Returns an example of a body as a block. A text is an example in another format than JSON, and is shown as it is.
pub fn example_block(label: &str, value: &Value) -> String {
    match value {
        Value::String(text) => blocks::code("text", &text.replace("\r\n", "\n"), label),
        value => blocks::code("json", &pretty(value), label),
    }
}

/// Returns JSON with indentation.
pub fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// Returns content that readers open.
pub fn details(summary: &str, content: &str) -> String {
    format!("<details><summary>{}</summary>\n{content}</details>\n", escape(summary))
}

/// Returns a link.
pub fn anchor(address: &str, content: &str) -> String {
    format!("<a href=\"{}\">{content}</a>", escape(address))
}

/// Returns a text as code.
pub fn code(text: &str) -> String {
    format!("<code>{}</code>", escape(text))
}
