//! Code lists: enumerations whose values are words in JSON, some of which LRS has a code for.

/// An enumeration. [`derive(CodeList)`](macro@super::CodeList) implements it.
pub trait CodeList: Copy + 'static {
    /// The words, codes and descriptions of all values.
    const TABLE: &'static CodeTable;
    /// All values, in the order of the declaration.
    const ALL: &'static [Self];

    /// Returns the position of the value in [`CodeList::ALL`] and in the table.
    fn index(self) -> usize;

    /// Returns the word in JSON.
    fn word(self) -> &'static str {
        Self::TABLE.entries[self.index()].word
    }
}

/// A code list with a value that stands for every code that no other value has.
pub trait CodeListWithOther: CodeList {
    /// This value.
    const OTHER: Self;
}

/// The words, codes and descriptions of a code list, and its schema components.
#[derive(Debug)]
pub struct CodeTable {
    /// Name of the schema component.
    pub name: &'static str,
    /// Name of the open component of answers that pass on undocumented values of LRS.
    pub answer_name: &'static str,
    /// `true` if callers send the values: the component has no other words.
    pub closed: bool,
    /// The meaning of the list.
    pub description: &'static str,
    /// The values, in the order of the declaration.
    pub entries: &'static [CodeListEntry],
    /// Position of the value that is the example of the component.
    pub example: usize,
}

/// One value of a code list.
#[derive(Debug)]
pub struct CodeListEntry {
    /// The word in JSON.
    pub word: &'static str,
    /// LRS's code, if LRS has one for this value.
    pub lrs: Option<&'static str>,
    /// The meaning of the value.
    pub description: &'static str,
}

impl CodeTable {
    /// Returns all words.
    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        self.entries.iter().map(|entry| entry.word)
    }

    /// Returns the words that LRS has a code for, each with the code.
    pub fn lrs_codes(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.entries.iter().filter_map(|entry| Some((entry.word, entry.lrs?)))
    }
}
