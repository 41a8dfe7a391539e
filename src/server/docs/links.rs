//! Links of Markdown files, which name files of the repository, as addresses within the site.

use pulldown_cmark::{Event, Tag, TagEnd};

use super::library;
use super::page::relative;

/// Returns the address on the page of `file` for the target of a link in this file: a path relative to the file, or an address.
///
/// # Errors
/// Returns the path in the repository that the site does not have.
pub fn resolve(file: &str, target: &str) -> Result<String, String> {
    if target.starts_with('#') || is_address(target) {
        return Ok(target.to_owned());
    }
    let (path, fragment) = target.split_once('#').map_or((target, None), |(path, fragment)| (path, Some(fragment)));
    let wanted = join(file, path).ok_or_else(|| target.to_owned())?;
    let to = library::path_of(&wanted).ok_or(wanted)?;
    let address = relative(&library::page_path(file), &to);
    Ok(fragment.map_or(address.clone(), |fragment| format!("{address}#{fragment}")))
}

/// Returns the parts of a page in which links whose text is the name of a page, `[SERVER.md](SERVER.md)`, have the title of the page as text:
/// readers of the site do not know the files.
pub fn with_titles<'e>(file: &str, events: impl Iterator<Item = Event<'e>>) -> impl Iterator<Item = Event<'e>> {
    let mut target = None;
    events.map(move |event| {
        match &event {
            Event::Start(Tag::Link { dest_url, .. }) => target = Some(dest_url.clone()),
            Event::End(TagEnd::Link) => target = None,
            Event::Text(text) => {
                let path = target.as_deref().map(|target| target.split_once('#').map_or(target, |(path, _)| path));
                let named = path.filter(|path| path.rsplit('/').next() == Some(text));
                let title = named.and_then(|path| join(file, path)).and_then(|path| library::title(&path));
                return title.map_or(event, |title| Event::Text(title.into()));
            }
            _ => {}
        }
        event
    })
}

/// Returns `true` if a target has a scheme, as `https://` and `mailto:` have.
fn is_address(target: &str) -> bool {
    target.split_once(':').is_some_and(|(scheme, _)| scheme.chars().all(|character| character.is_ascii_alphanumeric()))
}

/// Returns the path in the repository that a path relative to a file means; `None` if it is outside.
fn join(file: &str, path: &str) -> Option<String> {
    let mut segments: Vec<&str> = file.split('/').collect();
    segments.pop();
    for segment in path.trim_end_matches('/').split('/') {
        match segment {
            ".." => drop(segments.pop()?),
            "." => {}
            other => segments.push(other),
        }
    }
    Some(segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::docs::markdown;

    #[test]
    fn target_of_a_link_is_an_address_relative_to_the_page() {
        for (file, target, address) in [
            ("docs/SERVER.md", "BATCHES.md#storage", "batches#storage"),
            ("docs/guides/retry.md", "../BATCHES.md", "../batches"),
            ("docs/guides/retry.md", "../README.md", "../"),
            ("docs/SERVER.md", "README.md", "./"),
            ("docs/SERVER.md", "../README.md", "./"),
            ("docs/SERVER.md", "../CHANGELOG.md", "changelog"),
            ("CHANGELOG.md", "docs/TLS.md", "tls"),
            ("docs/SERVER.md", "PROBLEMS.md#warnings", "problems/#warnings"),
            ("docs/PROBLEMS.md", "SERVER.md", "../server"),
            ("docs/SERVER.md", "../openapi/openapi.json", "../openapi.json"),
            ("docs/guides/retry.md", "../../openapi/openapi.json", "../../openapi.json"),
            ("docs/SERVER.md", "../examples/gateway.toml", "files/examples/gateway.toml"),
            ("docs/SERVER.md", "../examples/clients", "files/#examples-clients"),
            ("docs/SERVER.md", "#memory", "#memory"),
            ("docs/SERVER.md", "https://example.org/a#b", "https://example.org/a#b"),
        ] {
            assert_eq!(resolve(file, target).as_deref(), Ok(address), "{file}: {target}");
        }
        for (file, target, path) in [
            ("docs/SERVER.md", "NOTHING.md#a", "docs/NOTHING.md"),
            ("docs/SERVER.md", "../src/main.rs", "src/main.rs"),
            ("docs/SERVER.md", "../../etc/passwd", "../../etc/passwd"),
            ("docs/SERVER.md", "../exam", "exam"),
        ] {
            assert_eq!(resolve(file, target), Err(path.to_owned()), "{file}: {target}");
        }
    }

    #[test]
    fn link_whose_text_is_the_name_of_a_page_has_its_title_and_code_stays() {
        let text = "([SERVER.md](SERVER.md#memory), [SERVER](SERVER.md), [X.md](X.md), [CHANGELOG.md](../CHANGELOG.md))\n\n\
            `[TLS.md](TLS.md)`\n\n```text\n[TLS.md](TLS.md)\n```\n";
        let html = markdown::render_events(with_titles("docs/TLS.md", markdown::events(text)), str::to_owned).html;
        for part in [
            "<a href=\"SERVER.md#memory\">Server</a>",
            "<a href=\"SERVER.md\">SERVER</a>",
            "<a href=\"X.md\">X.md</a>",
            "<a href=\"../CHANGELOG.md\">Changelog</a>",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert_eq!(html.matches("[TLS.md](TLS.md)").count(), 2, "{html}");
    }
}
