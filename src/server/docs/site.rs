//! The documentation site: the pages of all sources, each rendered and compressed once, when it is first requested.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

use actix_web::web::Bytes;
use serde_json::Value;

use super::contents::Contents;
use super::document::Document;
use super::page::{Page, Section, escape, relative};
use super::{frame, library, links, markdown, problems, reference, search_index};

const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// Files of the site that are no pages.
const ASSETS: &[(&str, &str, &str)] = &[
    ("site.css", "text/css; charset=utf-8", concat!(include_str!("assets/site.css"), include_str!("assets/reference.css"))),
    ("site.js", "text/javascript; charset=utf-8", include_str!("assets/site.js")),
    ("try.js", "text/javascript; charset=utf-8", include_str!("assets/try.js")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];

/// Path of the index for the search.
const SEARCH_INDEX: &str = "search-index.json";

/// Number of directories below `/docs/` up to which an unknown page is answered with a page.
const MAX_DEPTH: usize = 6;

/// The site. Its content is collected by [`Site::prepare`], or by the first request that comes before: the gateway's start waits for neither.
#[derive(Debug)]
pub struct Site {
    /// The OpenAPI document, as JSON.
    openapi: Bytes,
    built: OnceLock<Built>,
}

/// The pages, and what is served.
#[derive(Debug)]
struct Built {
    contents: Contents,
    special: Vec<Page>,
    /// What was requested, by path.
    documents: HashMap<String, OnceLock<Document>>,
    /// The page for unknown paths, by the number of directories.
    not_found: [OnceLock<Bytes>; MAX_DEPTH],
}

/// What the site has at a path.
#[derive(Debug)]
pub enum Found<'s> {
    /// A page or a file.
    Document(&'s Document),
    /// The page has another path: a reference relative to the requested one.
    Redirect(String),
}

/// Returns every page that belongs to the navigation, from all sources.
fn collect(openapi: &Value) -> Vec<Page> {
    // Within a section, pages keep this order: the operations stand before what is written about them.
    let mut pages = reference::pages(openapi);
    pages.extend(library_pages());
    pages.extend(problems::pages(openapi));
    pages
}

impl Site {
    /// Creates the site of a program with this OpenAPI document.
    pub fn new(openapi: Bytes) -> Self {
        Self { openapi, built: OnceLock::new() }
    }

    /// Collects the pages and their search index in a thread of its own, so that no request waits for them on a thread that serves others, too.
    ///
    /// # Errors
    /// Returns the I/O error if the system has no thread left. The first request then collects them.
    pub fn prepare(self: Arc<Self>) -> io::Result<JoinHandle<()>> {
        thread::Builder::new().name("documentation".to_owned()).spawn(move || drop(self.find(SEARCH_INDEX)))
    }

    /// Returns every page of the navigation.
    pub fn contents(&self) -> &Contents {
        &self.built().contents
    }

    /// Returns what is served at a path below `/docs/`.
    pub fn find(&self, path: &str) -> Option<Found<'_>> {
        let built = self.built();
        if let Some(document) = built.documents.get(path) {
            return Some(Found::Document(document.get_or_init(|| built.render(path))));
        }
        // Pages of directories end with a slash, and no others do.
        let other = path.strip_suffix('/').map_or_else(|| format!("{path}/"), str::to_owned);
        built.documents.contains_key(&other).then(|| Found::Redirect(relative(path, &other)))
    }

    /// Returns the page for an unknown path below `/docs/`; `None` if the path is too deep for one.
    pub fn not_found(&self, path: &str) -> Option<&Bytes> {
        let built = self.built();
        let depth = path.matches('/').count();
        let page = built.not_found.get(depth)?;
        Some(page.get_or_init(|| frame::render(&not_found_page(), &"/".repeat(depth), &built.contents).into()))
    }

    fn built(&self) -> &Built {
        self.built.get_or_init(|| {
            let openapi = serde_json::from_slice(&self.openapi).expect("the gateway has written this JSON from its own document");
            let contents = Contents::new(collect(&openapi));
            let special = vec![search_page(&contents), file_list()];
            let pages = contents.pages().iter().chain(&special).map(|page| page.path.clone());
            let files = library::FILES.iter().map(|(file, _)| format!("{}{file}", library::FILE_LIST));
            let assets = ASSETS.iter().map(|(name, ..)| (*name).to_owned());
            let paths = pages.chain(files).chain(assets).chain([SEARCH_INDEX.to_owned()]);
            let documents = paths.map(|path| (path, OnceLock::new())).collect();
            Built { contents, special, documents, not_found: Default::default() }
        })
    }
}

impl Built {
    /// Renders what is served at a known path.
    fn render(&self, path: &str) -> Document {
        if let Some(page) = self.contents.page(path).or_else(|| self.special.iter().find(|page| page.path == path)) {
            return Document::compressed(HTML, frame::render(page, path, &self.contents).into());
        }
        if path == SEARCH_INDEX {
            return Document::compressed("application/json", search_index::json(self.contents.pages()).into());
        }
        if let Some((_, media_type, content)) = ASSETS.iter().find(|(name, ..)| *name == path) {
            return Document::compressed(media_type, Bytes::from_static(content.as_bytes()));
        }
        let file = path.strip_prefix(library::FILE_LIST).unwrap_or_default();
        let content = library::FILES.iter().find(|(known, _)| *known == file).map_or("", |(_, content)| content);
        Document::compressed(TEXT, Bytes::from_static(content.as_bytes()))
    }
}

/// Returns the pages of the repository's Markdown files.
fn library_pages() -> Vec<Page> {
    let files = library::PAGES.iter().flat_map(|(section, files)| files.iter().map(move |file| (*section, file)));
    let pages = files.map(|(section, (file, text))| {
        let link = |target: &str| links::resolve(file, target).unwrap_or_else(|_| target.to_owned());
        let markdown::Content { title, summary, html, headings } =
            markdown::render_events(links::with_titles(file, markdown::events(text)), link);
        let path = library::page_path(file);
        let html = problems::link_codes(&html, &path);
        Page { path, title, summary, section, html, headings }
    });
    pages.collect()
}

/// Returns the page of the search, which a script fills. Without a script, it lists all pages.
fn search_page(contents: &Contents) -> Page {
    let mut html = "<noscript><p>The search needs JavaScript. Without it, choose a page from the list.</p></noscript>\n\
                    <div id=\"searchResults\" data-index=\"search-index.json\"></div>\n<div id=\"allPages\">\n"
        .to_owned();
    for section in Section::ALL {
        let item = |page: &Page| format!("<li><a href=\"{}\">{}</a></li>\n", escape(&relative("search", &page.path)), escape(&page.title));
        let links: String = contents.pages().iter().filter(|page| page.section == section).map(item).collect();
        if !links.is_empty() {
            html.extend(["<h2>", section.label(), "</h2>\n<ul>\n", &links, "</ul>\n"]);
        }
    }
    html.push_str("</div>\n");
    special_page("search", "All pages", "Search the documentation, or choose a page from the list of all pages.", html)
}

/// Returns the page that lists the files to which pages link. A link to a directory leads to its first file.
fn file_list() -> Page {
    let mut html = "<p>Examples and templates to which the pages link, as they are in the repository.</p>\n<ul>\n".to_owned();
    let mut known = HashSet::new();
    for (file, _) in library::FILES {
        let directories = file.match_indices('/').map(|(end, _)| &file[..end]).filter(|directory| known.insert(*directory));
        let places: String = directories.map(|directory| format!("<span id=\"{}\"></span>", library::directory_id(directory))).collect();
        let file = escape(file);
        html.extend(["<li>", &places, "<a href=\"", &file, "\">", &file, "</a></li>\n"]);
    }
    html.push_str("</ul>\n");
    special_page(library::FILE_LIST, "Files", "Examples and templates to which the pages link.", html)
}

fn not_found_page() -> Page {
    let html = "<p>There is no page at this address. Search the documentation above, or choose a page from the menu.</p>\n".to_owned();
    special_page("page-not-found", "Page not found", "There is no page at this address.", html)
}

/// Returns a page that is not in the navigation.
fn special_page(path: &str, title: &str, summary: &str, html: String) -> Page {
    let (path, title, summary) = (path.to_owned(), title.to_owned(), summary.to_owned());
    Page { path, title, summary, section: Section::Start, html, headings: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn site_that_is_prepared_has_its_pages_and_the_search_index_before_the_first_request() {
        let site = Arc::new(Site::new(crate::server::openapi::to_json_3_1(&crate::server::openapi::document()).into()));
        assert!(site.built.get().is_none());
        site.clone().prepare().expect("a thread").join().expect("the pages");
        let built = site.built.get().expect("the pages are there");
        assert!(built.documents[SEARCH_INDEX].get().is_some() && built.contents.page("reference/obtainUln").is_some());
    }
}
