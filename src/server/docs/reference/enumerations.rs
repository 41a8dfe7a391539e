//! The page of enumerations: the words of coded fields, and LRS's codes.

use serde_json::Value;

use super::api_document::{ApiDocument, entries, text};
use super::markup::{PageWriter, anchor, code, inline, table};
use super::types::is_enumeration;
use crate::server::docs::markdown::{prose, slug};
use crate::server::docs::page::{Page, escape};

/// The path of the page.
pub const PATH: &str = "reference/enumerations";

/// An enumeration of the document.
struct Enumeration<'d> {
    name: &'d str,
    /// `true` if there are no other words.
    is_closed: bool,
    /// What it means, and what other words there can be. Markdown.
    description: String,
    words: Vec<Word<'d>>,
}

/// A word of an enumeration.
struct Word<'d> {
    word: &'d str,
    lrs_code: Option<&'d str>,
    meaning: &'d str,
}

/// Returns the page.
pub fn page(api: ApiDocument<'_>) -> Page {
    let summary = "The words of coded fields, with LRS’s codes: from the word to the code, and from the code to the word.";
    let mut page = PageWriter::new(PATH, "Enumerations", summary);
    page.push(format!("<p>{summary}</p>\n"));
    page.prose(
        "Requests have closed enumerations: a word that is not in the list is rejected. Answers have open enumerations: later versions of the \
         gateway, or LRS, can add words. Let your program accept them.",
    );
    let enumerations: Vec<Enumeration<'_>> = entries(&api.0["components"]["schemas"])
        .filter(|(_, schema)| is_enumeration(schema))
        .map(|(name, schema)| Enumeration::new(name, schema))
        .collect();
    page.heading(2, "Words by LRS’s code");
    let codes = codes(&enumerations);
    page.push(table("Words by LRS’s code", ["LRS’s code", "Word", "Enumeration"], codes));
    for enumeration in &enumerations {
        enumeration.write(&mut page);
    }
    page.finish()
}

/// Returns the rows of LRS's codes: numbers first, in their order.
fn codes(enumerations: &[Enumeration<'_>]) -> Vec<[String; 3]> {
    // Answers have the words of some requests in an enumeration of their own.
    let own = enumerations.iter().filter(|enumeration| !enumeration.name.starts_with("Recorded"));
    let mut codes: Vec<_> = own
        .flat_map(|enumeration| enumeration.words.iter().filter_map(|word| Some((word.lrs_code?, word.word, enumeration.name))))
        .collect();
    codes.sort_by_key(|(lrs, _, name)| (lrs.parse().unwrap_or(u32::MAX), *lrs, *name));
    let row = |(lrs, word, name): (&str, &str, &str)| [code(lrs), code(word), anchor(&format!("#{}", slug(name)), &escape(name))];
    codes.into_iter().map(row).collect()
}

impl<'d> Enumeration<'d> {
    /// Reads the component of a list: its description has a list item for each word.
    fn new(name: &'d str, schema: &'d Value) -> Self {
        let (items, others): (Vec<_>, Vec<_>) = text(&schema["description"]).lines().partition(|line| line.starts_with("* `"));
        let words = items.into_iter().filter_map(Word::new).collect();
        Self { name, is_closed: schema["enum"].is_array(), description: others.join("\n"), words }
    }

    fn write(&self, page: &mut PageWriter) {
        page.heading(2, self.name);
        page.prose(&self.description);
        page.push(if self.is_closed { "<p>Closed.</p>\n" } else { "<p>Open.</p>\n" });
        let name = |word: &Word<'_>| code(word.word);
        if self.words.iter().any(|word| word.lrs_code.is_some()) {
            let lrs = |word: &Word<'_>| word.lrs_code.map_or_else(|| "none".to_owned(), code);
            let rows = self.words.iter().map(|word| [name(word), lrs(word), prose(word.meaning)]);
            page.push(table(self.name, ["Word", "LRS’s code", "Meaning"], rows));
        } else {
            let rows = self.words.iter().map(|word| [name(word), inline(word.meaning)]);
            page.push(table(self.name, ["Word", "Meaning"], rows));
        }
    }
}

impl<'d> Word<'d> {
    /// Reads an item: "* `WORD` (LRS: `code`): Meaning."
    fn new(item: &'d str) -> Option<Self> {
        let (word, rest) = item.strip_prefix("* `")?.split_once('`')?;
        let (lrs_code, rest) = match rest.strip_prefix(" (LRS: `").and_then(|rest| rest.split_once("`)")) {
            Some((code, rest)) => (Some(code), rest),
            None => (None, rest),
        };
        Some(Self { word, lrs_code, meaning: rest.strip_prefix(": ")? })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::{AbilityToShare, Gender, VerificationType};
    use crate::schema::{CodeList, CodeTable};
    use crate::server::openapi::document_3_1;

    #[test]
    fn enumerations_have_every_word_of_the_document() {
        let document: Value = serde_json::from_str(&document_3_1()).expect("JSON");
        let schemas = entries(&document["components"]["schemas"]).filter(|(_, schema)| is_enumeration(schema));
        let mut count = 0;
        for (name, schema) in schemas {
            let words: Vec<&str> = Enumeration::new(name, schema).words.iter().map(|word| word.word).collect();
            let listed = if schema["enum"].is_array() { &schema["enum"] } else { &schema["x-extensible-enum"] };
            assert_eq!(json!(words), *listed, "{name}");
            count += 1;
        }
        assert!(count > 25, "{count}");
    }

    #[test]
    fn words_have_the_codes_and_meanings_of_their_declaration() {
        const TABLES: [&CodeTable; 3] = [Gender::TABLE, AbilityToShare::TABLE, VerificationType::TABLE];
        let document: Value = serde_json::from_str(&document_3_1()).expect("JSON");
        for table in TABLES {
            let enumeration = Enumeration::new(table.name, &document["components"]["schemas"][table.name]);
            let words = enumeration.words.iter().map(|word| (word.word, word.lrs_code, word.meaning));
            assert!(words.eq(table.entries.iter().map(|entry| (entry.word, entry.lrs, entry.description))), "{}", table.name);
        }
    }
}
