//! The documentation site: every page in its frame, links that lead somewhere, search, unknown pages, and a gateway without it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use lrs_gateway::schema::Scalar as _;
use lrs_gateway::server::ServerOptions;
use lrs_gateway::server::docs::{library, links};
use lrs_gateway::server::public_url::PublicUrl;
use reqwest::Url;
use serde_json::Value;

use super::UNREACHABLE_LRS;
use crate::support::TestGateway;
use crate::support::gateway::Options;

/// What browsers accept.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";

/// An answer to a browser.
struct Fetched {
    url: Url,
    status: u16,
    content_type: String,
    text: String,
}

async fn fetch(http: &reqwest::Client, url: Url, accept: &str) -> Fetched {
    let response = http.get(url).header("Accept", accept).send().await.expect("the gateway answers");
    let content_type = response.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (url, status) = (response.url().clone(), response.status().as_u16());
    Fetched { url, status, content_type, text: response.text().await.expect("a text") }
}

fn http() -> reqwest::Client {
    crate::support::http_client_builder().build().expect("a client")
}

/// Returns the tags of a page: `a href="x"`, `/a`. Text has no `<`.
fn tags(html: &str) -> impl Iterator<Item = &str> {
    html.split('<').skip(1).map(|rest| rest.split_once('>').map_or(rest, |(tag, _)| tag))
}

/// Returns the value of an attribute.
fn attribute<'t>(tag: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

/// Returns the names and values of all attributes of a tag. The site's pages have each value in double quotes.
fn all_attributes(tag: &str) -> Vec<(&str, &str)> {
    let (mut attributes, mut rest) = (Vec::new(), tag.trim_start_matches(|character: char| !character.is_whitespace()).trim_start());
    while let Some(end) = rest.find(|character: char| character == '=' || character.is_whitespace()) {
        let (name, after) = rest.split_at(end);
        let quoted = after.strip_prefix("=\"").map(|after| after.split_once('"').expect("the end of a value"));
        assert!(quoted.is_some() || !after.starts_with('='), "{tag}: the value of {name} is in double quotes");
        let (value, after) = quoted.unwrap_or(("", after));
        attributes.push((name, value));
        rest = after.trim_start();
    }
    attributes.extend((!rest.is_empty()).then_some((rest, "")));
    attributes
}

#[test]
fn all_attributes_of_a_tag_are_found_for_the_check_of_inline_code() {
    let tag = "a class=\"x on\" onclick=\"go()\" hidden\n href=\"javascript:a\" required";
    let attributes = [("class", "x on"), ("onclick", "go()"), ("hidden", ""), ("href", "javascript:a"), ("required", "")];
    assert_eq!(all_attributes(tag), attributes);
    assert_eq!(all_attributes("/a"), []);
}

/// Follows every link from the first page, and returns every page and file of the site by its path.
async fn crawl(gateway: &TestGateway) -> BTreeMap<String, Fetched> {
    let (http, start) = (http(), Url::parse(&format!("{}/", gateway.url())).expect("an address"));
    let (mut waiting, mut fetched) = (vec![start.clone()], BTreeMap::new());
    while let Some(mut url) = waiting.pop() {
        url.set_fragment(None);
        if fetched.contains_key(url.path()) || url.host() != start.host() {
            continue;
        }
        let page = fetch(&http, url.clone(), BROWSER).await;
        assert_eq!((page.status, page.url.path()), (200, url.path()), "the links lead there without a redirect");
        if page.content_type.starts_with("text/html") {
            let links = tags(&page.text).filter_map(|tag| attribute(tag, "href").or(attribute(tag, "src")));
            waiting.extend(links.map(|link| page.url.join(&link.replace("&amp;", "&")).expect("a reference")));
        }
        fetched.insert(url.path().to_owned(), page);
    }
    fetched
}

#[tokio::test]
async fn every_page_has_the_frame_and_every_link_leads_to_a_page_and_its_heading() {
    let gateway = TestGateway::to(UNREACHABLE_LRS);
    let fetched = crawl(&gateway).await;
    let is_page = |page: &&Fetched| page.content_type.starts_with("text/html") && page.url.path().starts_with("/docs/");
    let pages: Vec<&Fetched> = fetched.values().filter(is_page).collect();
    assert!(pages.len() > 20, "{} pages", pages.len());
    let ids: BTreeMap<&str, BTreeSet<&str>> =
        fetched.iter().map(|(path, page)| (path.as_str(), tags(&page.text).filter_map(|tag| attribute(tag, "id")).collect())).collect();
    let mut titles = BTreeSet::new();
    for page in pages {
        let (path, text) = (page.url.path(), &page.text);
        for part in [
            "<!DOCTYPE html>\n<html lang=\"en-GB\">",
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">",
            "<meta name=\"description\" content=\"",
            "<a class=\"skip\" href=\"#pageContent\">",
            "role=\"search\"",
            "<nav id=\"siteNavigation\"",
            "<main id=\"pageContent\"",
            concat!("lrs-gateway ", env!("CARGO_PKG_VERSION")),
        ] {
            assert_eq!(text.matches(part).count(), 1, "{path}: {part}");
        }
        let title = text.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>")).expect("a title").0;
        assert!(titles.insert(title), "{path}: the title {title} is that of another page, too");
        let attributes = |name| tags(text).filter_map(move |tag| attribute(tag, name));
        assert!(attributes("content").all(|content| !content.is_empty()), "{path}");
        assert_eq!(attributes("id").count(), ids[path].len(), "{path}: each id is there once");
        for (name, value) in tags(text).flat_map(all_attributes) {
            assert!(name != "style" && !name.starts_with("on"), "{path}: {name} is inline code");
            assert!(!value.trim_start().to_ascii_lowercase().starts_with("javascript:"), "{path}: {name} has a script");
        }
        let (mut level, mut is_first) = (1, true);
        for tag in tags(text).filter(|tag| tag.len() > 1 && tag.starts_with('h') && tag.as_bytes()[1].is_ascii_digit()) {
            let next = usize::from(tag.as_bytes()[1] - b'0');
            assert!(if is_first { next == 1 } else { next > 1 && next <= level + 1 }, "{path}: h{next} after h{level}");
            (level, is_first) = (next, false);
        }
        let labels: Vec<&str> =
            tags(text).filter(|tag| tag.contains("role=\"region\"")).filter_map(|tag| attribute(tag, "aria-label")).collect();
        assert_eq!(labels.iter().collect::<BTreeSet<_>>().len(), labels.len(), "{path}: each region has its own name");
        let mut scripts = tags(text).filter(|tag| tag.starts_with("script"));
        assert!(scripts.all(|tag| attribute(tag, "src").is_some()), "{path}: no script is inline");
        assert!(!tags(text).any(|tag| tag.starts_with("style")), "{path}: no style is inline");
        for link in attributes("href").filter(|link| !link.contains("://")) {
            let target = page.url.join(link).expect("a reference");
            assert!(!link.starts_with('/'), "{path}: {link} is relative");
            // The fragment of the page to try calls selects the operation.
            if let Some(fragment) = target.fragment().filter(|_| target.path() != "/docs/try") {
                let fragment: String = percent_decoded(fragment);
                assert!(ids[target.path()].contains(fragment.as_str()), "{path}: {link} leads to a heading");
            }
        }
        let current: Vec<&str> =
            tags(text).filter(|tag| tag.contains("aria-current=\"page\"")).filter_map(|tag| attribute(tag, "href")).collect();
        for link in current {
            assert_eq!(page.url.join(link).expect("a reference").path(), path);
        }
    }
}

/// Returns a fragment as the page has it: addresses encode letters beyond ASCII.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        bytes.push(u8::from_str_radix(&after[..2], 16).expect("two digits"));
        rest = &after[2..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).expect("UTF-8")
}

/// Returns every Markdown file of the documentation, by its path in the repository.
fn markdown_files() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = ["CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"].map(str::to_owned).to_vec();
    let mut directories = vec!["docs".to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(root.join(&directory)).expect("a directory") {
            let entry = entry.expect("an entry");
            let path = format!("{directory}/{}", entry.file_name().to_string_lossy());
            match entry.file_type().expect("a type") {
                kind if kind.is_dir() => directories.push(path),
                _ if Path::new(&path).extension().is_some_and(|extension| extension == "md") => files.push(path),
                _ => {}
            }
        }
    }
    files
}

#[tokio::test]
async fn every_markdown_file_is_a_page_and_its_links_work_in_the_repository_and_in_the_site() {
    let gateway = TestGateway::to(UNREACHABLE_LRS);
    let (root, http) = (Path::new(env!("CARGO_MANIFEST_DIR")), http());
    let mut count = 0;
    for file in markdown_files() {
        let address = links::resolve("docs/README.md", &format!("../{file}")).unwrap_or_else(|_| panic!("{file} is missing in library.rs"));
        let base = Url::parse(&format!("{}/docs/", gateway.url())).expect("an address");
        let page = fetch(&http, base.join(&address).expect("a reference"), BROWSER).await;
        assert_eq!(page.status, 200, "{file}: {address}");
        let text = std::fs::read_to_string(root.join(&file)).expect("a page");
        for (target, _) in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).filter(|(target, _)| !target.contains("://")) {
            let (path, _) = target.split_once('#').unwrap_or((target, ""));
            let in_repository = if path.is_empty() { root.join(&file) } else { root.join(&file).with_file_name(path) };
            assert!(in_repository.exists(), "{file}: {target} is no file of the repository");
            let address = links::resolve(&file, target).unwrap_or_else(|path| panic!("{file}: {target}: add {path} to library.rs"));
            let found = fetch(&http, page.url.join(&address).expect("a reference"), BROWSER).await;
            assert_eq!(found.status, 200, "{file}: {target}: {address}");
            count += 1;
        }
    }
    assert!(count > 50, "{count} links");
}

#[tokio::test]
async fn unknown_page_is_a_page_with_search_for_browsers_and_a_problem_for_programs() {
    let gateway = TestGateway::to(UNREACHABLE_LRS);
    let http = http();
    for path in [
        "nothing", "batches/nothing", "a/b/c/d", "%00", "%ff", "..%2f..%2fetc%2fpasswd", "%2e%2e%2f", "batches%00", "<script>",
        "files/src/main.rs",
    ] {
        let url = Url::parse(&format!("{}/docs/{path}", gateway.url())).expect("an address");
        let page = fetch(&http, url.clone(), BROWSER).await;
        assert_eq!((page.status, page.content_type.as_str()), (404, "text/html; charset=utf-8"), "{path}");
        assert!(page.text.contains("<h1>Page not found</h1>") && page.text.contains("role=\"search\""), "{path}");
        assert!(!page.text.contains("etc") && !page.text.contains("<script>"), "the page does not repeat the address");
        let style = tags(&page.text).find(|tag| tag.starts_with("link rel=\"stylesheet\"")).and_then(|tag| attribute(tag, "href"));
        assert_eq!(page.url.join(style.expect("a style")).expect("a reference").path(), "/docs/site.css", "{path}");
        for accept in ["*/*", "application/json", "application/problem+json, text/html;q=0.5", "text/html;q=0, */*"] {
            let answer = fetch(&http, url.clone(), accept).await;
            assert_eq!((answer.status, answer.content_type.as_str()), (404, "application/problem+json"), "{path} {accept}");
            assert_eq!(serde_json::from_str::<Value>(&answer.text).expect("JSON")["code"], "not_found");
        }
    }
    for accept in [BROWSER, "application/json"] {
        let answer = http.get(format!("{}/docs/nothing", gateway.url())).header("Accept", accept).send().await.expect("an answer");
        let header = |name: &str| answer.headers().get(name).map_or("", |value| value.to_str().expect("a text"));
        assert_eq!((header("cache-control"), header("vary")), ("no-cache", "Accept"), "{accept}");
    }
    // A page of many links, each with a step for each slash, would make a large answer of a small request.
    let deep = Url::parse(&format!("{}/docs/{}", gateway.url(), "a/".repeat(1000))).expect("an address");
    assert_eq!(fetch(&http, deep, BROWSER).await.content_type, "application/problem+json");
}

#[tokio::test]
async fn path_with_dots_that_the_client_has_not_resolved_is_not_found() {
    use std::io::{Read as _, Write as _};
    let gateway = TestGateway::to(UNREACHABLE_LRS);
    for path in ["/docs/../openapi.json", "/docs/%2e%2e/openapi.json", "/docs/files/../../Cargo.toml", "/docs/files/examples/../deny.toml"]
    {
        let mut socket = super::connect(gateway.url().trim_start_matches("http://").parse().expect("an address"));
        write!(socket, "GET {path} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n").expect("the request is sent");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("the answer is complete");
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
    }
}

#[tokio::test]
async fn page_whose_path_is_encoded_has_the_policy_of_pages() {
    let gateway = TestGateway::to(UNREACHABLE_LRS);
    for path in ["/docs/batches", "/%64ocs/batches", "/docs/%62atches"] {
        let answer = http().get(format!("{}{path}", gateway.url())).header("Accept", BROWSER).send().await.expect("an answer");
        let policy = answer.headers()["content-security-policy"].to_str().expect("a text").to_owned();
        assert!(answer.status() == 200 && policy.contains("style-src 'self'") && policy.contains("form-action 'self'"), "{path}: {policy}");
    }
}

#[tokio::test]
async fn page_with_or_without_a_trailing_slash_leads_to_the_page_and_keeps_the_query() {
    let gateway = TestGateway::to(UNREACHABLE_LRS);
    let http = http();
    for (path, leads_to) in [
        ("/docs", "/docs/"),
        ("/docs/batches/", "/docs/batches"),
        ("/docs/problems", "/docs/problems/"),
        ("/docs/files", "/docs/files/"),
        ("/docs/search/?q=a%20b&c", "/docs/search?q=a%20b&c"),
        ("/docs?q=x", "/docs/?q=x"),
    ] {
        let page = fetch(&http, Url::parse(&format!("{}{path}", gateway.url())).expect("an address"), BROWSER).await;
        assert_eq!((page.status, page.url.as_str()), (200, format!("{}{leads_to}", gateway.url()).as_str()), "{path}");
    }
}

#[tokio::test]
async fn root_is_a_page_or_json_as_the_caller_prefers() {
    let gateway = TestGateway::to(UNREACHABLE_LRS);
    let (http, root) = (http(), Url::parse(&format!("{}/", gateway.url())).expect("an address"));
    for (accept, is_json) in [
        (BROWSER, false),
        ("*/*", false),
        ("image/png", false),
        ("application/json", true),
        ("application/json, text/plain, */*", false),
        ("text/html;q=0.5, application/json", true),
        ("application/json;q=0.5, text/html", false),
        ("application/*", true),
    ] {
        let answer = fetch(&http, root.clone(), accept).await;
        let expected = if is_json { "application/json" } else { "text/html; charset=utf-8" };
        assert_eq!((answer.status, answer.content_type.as_str()), (200, expected), "{accept}");
    }
    let links: Value = serde_json::from_str(&fetch(&http, root.clone(), "application/json").await.text).expect("JSON");
    for name in ["documentation", "openapi", "health"] {
        let url = root.join(links[name].as_str().expect("a link")).expect("a reference");
        assert_eq!(fetch(&http, url, "*/*").await.status, 200, "{name}");
    }
}

#[tokio::test]
async fn gateway_without_docs_has_no_page_and_no_addresses_of_pages_but_its_openapi_documents() {
    let public_url = Some(PublicUrl::parse("https://lrs.example.org/gateway").expect("an address"));
    let server = ServerOptions { has_docs: false, public_url, ..ServerOptions::default() };
    let gateway = TestGateway::with(UNREACHABLE_LRS, Options { server, ..Options::default() });
    let caller = gateway.caller();
    for path in ["/", "/docs", "/docs/", "/docs/batches", "/docs/site.css", "/docs/problems/not_found"] {
        let problem = caller.request("GET", path).await.problem(404, "not_found");
        assert_eq!(problem["type"], "urn:lrs-gateway:problem:not_found", "no address leads to a page about it");
    }
    for path in ["/openapi.json", "/openapi-3.0.json"] {
        caller.request("GET", path).await.expect_success();
    }
}

#[tokio::test]
async fn search_index_has_every_page_and_is_small_enough_to_load_at_once() {
    let gateway = TestGateway::to(UNREACHABLE_LRS);
    let http = crate::support::http_client_builder().no_gzip().build().expect("a client");
    let mut transferred = 0;
    for file in ["search-index.json", "site.js", "site.css"] {
        let request = http.get(format!("{}/docs/{file}", gateway.url())).header("Accept-Encoding", "gzip");
        transferred += request.send().await.expect("an answer").bytes().await.expect("a body").len();
    }
    assert!(transferred < 150_000, "{transferred} bytes");
    let index = gateway.caller().request("GET", "/docs/search-index.json").await.expect_success();
    let pages = index["pages"].as_array().expect("pages");
    for word in ["wsec0208", "postcode", "expires"] {
        let has_word = |section: &Value| {
            [&section[1], &section[2], &section[3]].iter().any(|text| text.as_str().is_some_and(|text| text.to_lowercase().contains(word)))
        };
        assert!(pages.iter().any(|page| page[2].as_array().expect("sections").iter().any(has_word)), "{word}");
    }
    for file in markdown_files() {
        let path = links::resolve("docs/README.md", &format!("../{file}")).expect("a page");
        assert!(pages.iter().any(|page| page[0] == path.trim_start_matches("./")), "{file}");
    }
}

#[test]
fn files_of_the_site_are_copied_into_the_image_that_builds_the_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let [dockerfile, ignored] = ["Dockerfile", ".dockerignore"].map(|file| std::fs::read_to_string(root.join(file)).expect(file));
    let copied: Vec<&str> = dockerfile.lines().filter_map(|line| line.strip_prefix("COPY ")).flat_map(str::split_whitespace).collect();
    let pages = library::PAGES.iter().flat_map(|(_, pages)| *pages);
    for (file, _) in pages.chain(library::FILES) {
        let top = file.split('/').next().unwrap_or_default();
        assert!(copied.contains(&top) && ignored.lines().any(|line| line == format!("!{top}")), "{file}: add {top} to both");
    }
}
