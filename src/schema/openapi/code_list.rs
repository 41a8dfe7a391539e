//! The schemas of code lists: named components, which properties refer to.
//!
//! The component of a list that callers send is closed: it has the keyword `enum`. The component of a list that the gateway returns is
//! open: a generated client accepts words that later versions add. The known words are in `x-extensible-enum`.

use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Ref, RefOr};

use super::component::{Component, SchemaOrRef};
use crate::schema::CodeTable;

const NEW_WORDS: &str = "Later versions of the gateway may return other words.";
/// Ends the description of every value that LRS sends.
pub const VERBATIM: &str = "Any other text that LRS sends is passed on unchanged.";

/// Returns a reference to a component.
pub fn reference(name: &str) -> SchemaOrRef {
    RefOr::Ref(Ref::from_schema_name(name))
}

/// Returns the component of a list.
pub fn component(table: &CodeTable) -> Component {
    let schema = if table.closed { string(table, "").enum_values(Some(table.words())).into() } else { open_schema(table, NEW_WORDS) };
    (table.name.to_owned(), schema)
}

/// Returns the component for values that LRS sent: a word of the list, or any other text.
pub fn verbatim_component(table: &CodeTable) -> Component {
    (table.answer_name.to_owned(), open_schema(table, VERBATIM))
}

fn open_schema(table: &CodeTable, others: &str) -> SchemaOrRef {
    let words: Vec<_> = table.words().collect();
    let extensions = ExtensionsBuilder::new().add("x-extensible-enum", words).build();
    string(table, others).extensions(Some(extensions)).into()
}

/// Returns a string whose description has the meaning of the list and of each word, with LRS's code.
fn string(table: &CodeTable, others: &str) -> ObjectBuilder {
    let entries = table.entries.iter().map(|entry| {
        let code = entry.lrs.map_or_else(String::new, |code| format!(" (LRS: `{code}`)"));
        format!("* `{}`{code}: {}", entry.word, entry.description)
    });
    let entries = entries.collect::<Vec<_>>().join("\n");
    let description = format!("{}\n\n{entries}\n\n{others}", table.description);
    let example = table.words().nth(table.example);
    ObjectBuilder::new().schema_type(Type::String).description(Some(description.trim_end())).examples(example)
}
