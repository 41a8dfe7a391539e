//! A page of the documentation, before it gets its frame.

/// The part of the documentation that a page belongs to. The order is the order in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// The first page and the first steps.
    Start,
    /// Tasks, step by step.
    Guides,
    /// Operations of the API.
    Reference,
    /// Codes, fields, settings: pages in which readers look something up.
    LookUp,
    /// Running the gateway.
    Operations,
    /// Versions, the LRS contract and the code.
    Background,
}

impl Section {
    /// Every part, in the order of the navigation.
    pub const ALL: [Self; 6] = [Self::Start, Self::Guides, Self::Reference, Self::LookUp, Self::Operations, Self::Background];

    /// Returns the name of the part in the navigation.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Start => "Start",
            Self::Guides => "Guides",
            Self::Reference => "API",
            Self::LookUp => "Look up",
            Self::Operations => "Operate",
            Self::Background => "Background",
        }
    }
}

/// A page: its place, and its content as HTML.
#[derive(Debug, Clone)]
pub struct Page {
    /// Path below `/docs/`, without an extension: `guides/getting-started`. Empty for the first page.
    pub path: String,
    /// The heading of the page, as text.
    pub title: String,
    /// One sentence about the page, as text: for search results and link lists.
    pub summary: String,
    /// The part of the documentation.
    pub section: Section,
    /// The content below the heading, as HTML. All links to other pages are relative.
    pub html: String,
    /// The headings of level 2 and 3 of the content, in their order.
    pub headings: Vec<Heading>,
}

impl Page {
    /// Returns the directory of the page if it is below another one: `reference/` for `reference/registerLearner`. The page of a directory
    /// has the path of the directory, and is not below itself.
    pub fn directory(&self) -> Option<&str> {
        let end = self.path.rfind('/')? + 1;
        (end < self.path.len()).then(|| &self.path[..end])
    }
}

/// A heading within a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// 2 or 3.
    pub level: u8,
    /// The fragment that links name.
    pub id: String,
    /// The heading as text.
    pub text: String,
}

/// Returns the path from one page to another, or to a file, below `/docs/`: relative, because a proxy may serve the gateway below a path.
pub fn relative(from: &str, to: &str) -> String {
    let up = "../".repeat(from.matches('/').count());
    if up.is_empty() && to.is_empty() { "./".to_owned() } else { up + to }
}

/// Escapes a text for HTML, in content and in attributes.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    // The writer is a string: it cannot fail.
    let _ = pulldown_cmark_escape::escape_html(&mut escaped, text);
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_to_another_page_is_relative_to_the_directory_of_the_first() {
        for (from, to, path) in [
            ("", "", "./"),
            ("batches", "", "./"),
            ("batches", "limits", "limits"),
            ("guides/retry-safely", "batches", "../batches"),
            ("guides/retry-safely", "", "../"),
            ("", "guides/retry-safely", "guides/retry-safely"),
        ] {
            assert_eq!(relative(from, to), path, "{from} -> {to}");
        }
    }
}
