//! Parts of a page's content that look and work the same on every page: headings, code, tables.

use super::highlight;
use super::page::escape;

/// Returns a heading with a link to itself. `inner` is HTML, `text` the same as text.
pub fn heading(level: u8, id: &str, inner: &str, text: &str) -> String {
    format!(
        "<div class=\"heading\"><h{level} id=\"{id}\">{inner}</h{level}>\
         <a class=\"permalink\" href=\"#{id}\" aria-label=\"Link to “{text}”\"></a></div>\n",
        id = escape(id),
        text = escape(text)
    )
}

/// Returns code of a language in a region that scrolls. The label names the region: each of a page has another one.
pub fn code(language: &str, code: &str, label: &str) -> String {
    format!("<pre tabindex=\"0\" role=\"region\" aria-label=\"{}\"><code>{}</code></pre>\n", escape(label), highlight::html(language, code))
}

/// Returns the start of a region in which a table scrolls. The label names the region: each of a page has another one.
pub fn table_start(label: &str) -> String {
    format!("<div class=\"table\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">", escape(label))
}

/// The end of the region of a table.
pub const TABLE_END: &str = "</div>\n";
