//! The table of contents: every page, and how pages belong together.

use std::collections::HashMap;

use super::page::{Page, Section};

/// The pages, by section, in the order of the navigation.
#[derive(Debug)]
pub struct Contents {
    pages: Vec<Page>,
    by_path: HashMap<String, usize>,
}

impl Contents {
    /// Orders pages by section. Within a section they keep their order.
    pub fn new(mut pages: Vec<Page>) -> Self {
        pages.sort_by_key(|page| page.section);
        let by_path = pages.iter().enumerate().map(|(position, page)| (page.path.clone(), position)).collect();
        Self { pages, by_path }
    }

    /// Returns every page.
    pub fn pages(&self) -> &[Page] {
        &self.pages
    }

    /// Returns the page with this path.
    pub fn page(&self, path: &str) -> Option<&Page> {
        self.by_path.get(path).map(|position| &self.pages[*position])
    }

    /// Returns the page above: that of the directory, if there is one.
    pub fn parent(&self, page: &Page) -> Option<&Page> {
        self.page(page.directory()?)
    }

    /// Returns the pages of a section that are not below another one.
    pub fn top_level(&self, section: Section) -> impl Iterator<Item = &Page> {
        self.pages.iter().filter(move |page| page.section == section && self.parent(page).is_none())
    }

    /// Returns the pages below a page.
    pub fn children<'c>(&'c self, parent: &'c Page) -> impl Iterator<Item = &'c Page> {
        self.pages.iter().filter(|page| page.directory() == Some(&parent.path))
    }

    /// Returns the pages before and after a page, among those with the same page above, or in the same section.
    pub fn neighbours(&self, page: &Page) -> (Option<&Page>, Option<&Page>) {
        let siblings: Vec<&Page> = match self.parent(page) {
            Some(parent) => self.children(parent).collect(),
            None => self.top_level(page.section).collect(),
        };
        let Some(position) = siblings.iter().position(|sibling| sibling.path == page.path) else { return (None, None) };
        let before = position.checked_sub(1).map(|position| siblings[position]);
        (before, siblings.get(position + 1).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(path: &str, section: Section) -> Page {
        let (title, summary, html) = (path.to_owned(), String::new(), String::new());
        Page { path: path.to_owned(), title, summary, section, html, headings: Vec::new() }
    }

    #[test]
    fn pages_of_a_directory_belong_to_the_page_of_the_directory_if_there_is_one() {
        let contents = Contents::new(vec![
            page("problems/", Section::LookUp),
            page("problems/a", Section::LookUp),
            page("problems/b", Section::LookUp),
            page("settings", Section::LookUp),
            page("", Section::Start),
            page("guides/a", Section::Guides),
            page("guides/b", Section::Guides),
        ]);
        let paths = |section| contents.top_level(section).map(|page| page.path.as_str()).collect::<Vec<_>>();
        assert_eq!((paths(Section::Guides), paths(Section::LookUp)), (vec!["guides/a", "guides/b"], vec!["problems/", "settings"]));
        for (path, before, after) in [
            ("", None, None),
            ("guides/a", None, Some("guides/b")),
            ("guides/b", Some("guides/a"), None),
            ("problems/", None, Some("settings")),
            ("problems/a", None, Some("problems/b")),
            ("problems/b", Some("problems/a"), None),
        ] {
            let neighbours = contents.neighbours(contents.page(path).expect("a page"));
            let path_of = |page: Option<&Page>| page.map(|page| page.path.clone());
            assert_eq!((path_of(neighbours.0).as_deref(), path_of(neighbours.1).as_deref()), (before, after), "{path}");
        }
    }
}
