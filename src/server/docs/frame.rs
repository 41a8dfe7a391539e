//! The frame of every page: head, header with search, navigation, table of contents, footer.

use std::fmt::Write as _;

use super::contents::Contents;
use super::page::{Page, Section, escape, relative};

/// Number of headings from which a page has a table of contents.
const MIN_HEADINGS: usize = 3;
/// Number of headings up to which the table of contents has the headings of level 3.
const MAX_HEADINGS: usize = 30;
/// Length of a page's description, in characters: search engines show no more.
const DESCRIPTION_LENGTH: usize = 200;

/// Returns a page in its frame. `location` is the path below `/docs/` at which it is served: all links are relative to it.
pub fn render(page: &Page, location: &str, contents: &Contents) -> String {
    let link = |path: &str| escape(&relative(location, path));
    let Page { title, html, .. } = page;
    let mut document = format!(
        "<!DOCTYPE html>\n<html lang=\"en-GB\">\n<head>\n<meta charset=\"utf-8\">\n<title>{name}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"description\" content=\"{description}\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"{icon}\">\n<link rel=\"stylesheet\" href=\"{style}\">\n\
         <script src=\"{script}\" defer></script>\n</head>\n<body>\n<a class=\"skip\" href=\"#pageContent\">Skip to the content</a>\n",
        name = escape(&browser_title(page)),
        description = escape(&shortened(&page.summary)),
        icon = link("icon.svg"),
        style = link("site.css"),
        script = link("site.js"),
    );
    let _ = write!(
        document,
        "<header class=\"top\">\n<a class=\"brand\" href=\"{home}\">lrs-gateway <span>documentation</span></a>\n\
         <form class=\"search\" role=\"search\" action=\"{search}\"><label for=\"searchTerms\">Search the documentation</label>\
         <input id=\"searchTerms\" name=\"q\" type=\"search\" placeholder=\"Search\" autocomplete=\"off\" maxlength=\"200\">\
         <button>Search</button></form>\n<a class=\"search-link\" href=\"{search}\">All pages</a>\n\
         <button class=\"menu\" popovertarget=\"siteNavigation\">Menu</button>\n</header>\n<div class=\"columns\">\n",
        home = link(""),
        search = link("search"),
    );
    write_navigation(&mut document, page, location, contents);
    document.push_str("<main id=\"pageContent\" tabindex=\"-1\">\n");
    write_breadcrumb(&mut document, page, location, contents);
    let _ = writeln!(document, "<h1>{}</h1>", escape(title));
    write_headings(&mut document, page);
    let _ = writeln!(document, "<div class=\"content\">\n{html}</div>");
    write_neighbours(&mut document, page, location, contents);
    let _ = write!(
        document,
        "</main>\n</div>\n<footer class=\"bottom\">\n<p>lrs-gateway {version}</p>\n<ul><li><a href=\"{all}\">All pages</a></li>\
         <li><a href=\"{v3_1}\">OpenAPI 3.1</a></li><li><a href=\"{v3_0}\">OpenAPI 3.0</a></li></ul>\n</footer>\n</body>\n</html>\n",
        version = env!("CARGO_PKG_VERSION"),
        all = link("search"),
        v3_1 = link("../openapi.json"),
        v3_0 = link("../openapi-3.0.json"),
    );
    document
}

/// Returns the title that a browser shows for a page.
fn browser_title(page: &Page) -> String {
    if page.path.is_empty() { "lrs-gateway documentation".to_owned() } else { format!("{} – lrs-gateway documentation", page.title) }
}

/// Returns the first sentences of a text, up to a limit.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(DESCRIPTION_LENGTH) {
        None => text.to_owned(),
        Some((limit, _)) => {
            let end = text[..limit].rfind(". ").map(|end| end + 1).or(text[..limit].rfind(' ')).unwrap_or(limit);
            text[..end].to_owned()
        }
    }
}

/// Returns a link to a page, which says whether it is the current one.
fn page_link(to: &Page, current: &Page, location: &str) -> String {
    let mark = if to.path == current.path { " aria-current=\"page\"" } else { "" };
    // A code and its title, as pages of problems have them, would be long: the code is sufficient below the page of all problems.
    let title = match (&*to.path, to.title.split_once(": ")) {
        ("", _) => "Overview",
        (_, Some((code, _))) if to.directory().is_some() => code,
        _ => &to.title,
    };
    format!("<a href=\"{}\"{mark}>{}</a>", escape(&relative(location, &to.path)), escape(title))
}

/// Writes links to all pages by section. The pages below a page are listed only there, and on its own page.
fn write_navigation(document: &mut String, current: &Page, location: &str, contents: &Contents) {
    document.push_str("<nav id=\"siteNavigation\" popover aria-label=\"Documentation\">\n");
    let current_parent = contents.parent(current).map(|parent| &parent.path);
    for (number, section) in Section::ALL.into_iter().enumerate() {
        let mut links = String::new();
        for page in contents.top_level(section) {
            let _ = write!(links, "<li>{}", page_link(page, current, location));
            let is_open = page.path == current.path || Some(&page.path) == current_parent;
            let below: Vec<String> = if is_open {
                contents.children(page).map(|child| format!("<li>{}</li>\n", page_link(child, current, location))).collect()
            } else {
                Vec::new()
            };
            if !below.is_empty() {
                let _ = write!(links, "\n<ul>\n{}</ul>\n", below.concat());
            }
            links.push_str("</li>\n");
        }
        if !links.is_empty() {
            let (id, label) = (format!("siteSection{number}"), section.label());
            let _ = write!(document, "<p id=\"{id}\">{label}</p>\n<ul aria-labelledby=\"{id}\">\n{links}</ul>\n");
        }
    }
    document.push_str("</nav>\n");
}

/// Writes the way from the first page to a page.
fn write_breadcrumb(document: &mut String, page: &Page, location: &str, contents: &Contents) {
    if page.path.is_empty() {
        return;
    }
    let mut steps = format!("<li><a href=\"{}\">Documentation</a></li>", escape(&relative(location, "")));
    if contents.page(&page.path).is_some() {
        let _ = write!(steps, "<li>{}</li>", page.section.label());
    }
    if let Some(parent) = contents.parent(page) {
        let _ = write!(steps, "<li>{}</li>", page_link(parent, page, location));
    }
    let _ = writeln!(document, "<nav class=\"breadcrumb\" aria-label=\"Breadcrumb\"><ol>{steps}</ol></nav>");
}

/// Writes links to the headings of a page that has several.
fn write_headings(document: &mut String, page: &Page) {
    let max_level = if page.headings.len() > MAX_HEADINGS { 2 } else { 3 };
    let headings: Vec<_> = page.headings.iter().filter(|heading| heading.level <= max_level).collect();
    if headings.len() < MIN_HEADINGS {
        return;
    }
    document.push_str("<nav class=\"headings\" aria-labelledby=\"pageHeadings\"><p id=\"pageHeadings\">On this page</p>\n<ul>\n");
    for heading in headings {
        let (level, id, text) = (heading.level, escape(&heading.id), escape(&heading.text));
        let _ = writeln!(document, "<li class=\"level-{level}\"><a href=\"#{id}\">{text}</a></li>");
    }
    document.push_str("</ul></nav>\n");
}

/// Writes links to the pages before and after a page.
fn write_neighbours(document: &mut String, page: &Page, location: &str, contents: &Contents) {
    let (before, after) = contents.neighbours(page);
    let link = |page: Option<&Page>, class: &str, label: &str| {
        page.map_or_else(String::new, |page| {
            let (address, title) = (escape(&relative(location, &page.path)), escape(&page.title));
            format!("<a class=\"{class}\" rel=\"{class}\" href=\"{address}\"><span>{label}</span> {title}</a>\n")
        })
    };
    let links = link(before, "prev", "Previous") + &link(after, "next", "Next");
    if !links.is_empty() {
        let _ = writeln!(document, "<nav class=\"neighbours\" aria-label=\"Previous and next page\">\n{links}</nav>");
    }
}
