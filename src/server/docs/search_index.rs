//! The index for the search in the browser: the sections of all pages, each with the words that it has.
//!
//! `assets/site.js` reads it: `{"frequent": words, "pages": [[path, title, sections]]}`, each section as `[id, heading, beginning, further words]`.
//! The first section of a page is the text before its first heading. The words are without repetitions, because the index is loaded as a whole.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::page::{Page, Section};

/// Length of the beginning of a section, in characters: what search results show if the words stand in it.
const BEGINNING_LENGTH: usize = 150;

/// Words that are too frequent to be searched for, like those of one or two characters.
const FREQUENT_WORDS: &[&str] = &[
    "all", "and", "are", "can", "does", "each", "for", "from", "has", "have", "how", "its", "not", "one", "only", "that", "the", "their",
    "them", "then", "there", "they", "this", "was", "what", "when", "which", "with",
];

/// Returns the index as JSON.
pub fn json<'p>(pages: impl IntoIterator<Item = &'p Page>) -> String {
    let pages: Vec<Value> = pages.into_iter().map(|page| json!([page.path, page.title, sections(page)])).collect();
    json!({ "frequent": FREQUENT_WORDS, "pages": pages }).to_string()
}

/// Returns the sections of a page.
fn sections(page: &Page) -> Vec<Value> {
    let mut sections = Vec::new();
    let (mut id, mut heading, mut rest) = ("", "", page.html.as_str());
    for next in &page.headings {
        let mark = format!("<h{} id=\"{}\">", next.level, super::page::escape(&next.id));
        let Some((before, after)) = rest.split_once(&mark) else { continue };
        sections.push(section(id, heading, before, page.section));
        (id, heading) = (&next.id, &next.text);
        rest = after.split_once(&format!("</h{}>", next.level)).map_or(after, |(_, content)| content);
    }
    sections.push(section(id, heading, rest, page.section));
    sections
}

fn section(id: &str, heading: &str, html: &str, part: Section) -> Value {
    // The same call in nine languages would be most of the index.
    let text = text_of(html, part != Section::Reference);
    let end = text.char_indices().nth(BEGINNING_LENGTH).map_or(text.len(), |(limit, _)| text[..limit].rfind(' ').unwrap_or(limit));
    let (beginning, further) = text.split_at(end);
    let mut known: HashSet<String> = words(beginning).chain(words(heading)).collect();
    known.extend(FREQUENT_WORDS.iter().map(|word| (*word).to_owned()));
    let further: Vec<String> = words(further).filter(|word| is_searched(word) && known.insert(word.clone())).collect();
    json!([id, heading, beginning, further.join(" ")])
}

/// Returns `true` if readers may search for a word: it is longer than two characters, and no number but that of an HTTP status.
fn is_searched(word: &str) -> bool {
    word.len() > 2 && (word.len() == 3 || word.contains(char::is_alphabetic))
}

/// Returns the words of a text in lower case. Names such as `calls_at_once` and `WSEC0208` are words.
fn words(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|character: char| !character.is_alphanumeric() && !"_-.'’".contains(character));
    words.map(|word| word.trim_matches(['.', '\'', '’', '-']).to_lowercase()).filter(|word| !word.is_empty())
}

/// Returns the text of HTML that the program has written: one line, with code or without.
fn text_of(html: &str, has_code: bool) -> String {
    let (mut text, mut rest) = (String::new(), html);
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        if !has_code && tag.starts_with("pre") {
            rest = tag.split_once("</pre>").map_or("", |(_, after)| after);
            text.push(' ');
            continue;
        }
        let end = tag_length(tag);
        // Elements within a line separate no words.
        let name = tag.trim_start_matches('/');
        let is_inline = ["a", "code", "em", "strong", "span"]
            .iter()
            .any(|inline| name.strip_prefix(inline).is_some_and(|after| after.starts_with([' ', '>'])));
        if !is_inline {
            text.push(' ');
        }
        rest = &tag[end..];
    }
    text.push_str(rest);
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'").replace("&#x27;", "'");
    text.replace("&amp;", "&").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the length of a tag up to its `>`. Values of attributes can have the character, too.
fn tag_length(tag: &str) -> usize {
    let mut is_quoted = false;
    for (position, character) in tag.char_indices() {
        match character {
            '"' => is_quoted = !is_quoted,
            '>' if !is_quoted => return position + 1,
            _ => {}
        }
    }
    tag.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::docs::markdown;

    #[test]
    fn index_has_the_sections_of_a_page_with_the_words_that_follow_their_beginning() {
        let long = "word ".repeat(40);
        let text =
            format!("# Title\n\nFirst `<b>` &amp; text.\n\n## A & B\n\n{long} WSEC0208, the postcode; postcode.\n\n```sh\ncurl x\n```\n");
        let content = markdown::render(&text, str::to_owned);
        let page = |section| Page {
            path: "p".to_owned(),
            title: content.title.clone(),
            summary: String::new(),
            section,
            html: content.html.clone(),
            headings: content.headings.clone(),
        };
        let index: Value = serde_json::from_str(&json([&page(Section::LookUp)])).expect("JSON");
        assert_eq!(index["pages"][0][0], "p");
        assert_eq!(index["pages"][0][2][0], json!(["", "", "First <b> & text.", ""]));
        assert_eq!(index["pages"][0][2][1][1], "A & B");
        assert_eq!(index["pages"][0][2][1][3], "wsec0208 postcode curl");
        let index: Value = serde_json::from_str(&json([&page(Section::Reference)])).expect("JSON");
        assert_eq!(index["pages"][0][2][1][3], "wsec0208 postcode");
    }
}
