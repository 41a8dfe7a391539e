//! Outcomes: the meaning of LRS's response codes for a caller. An outcome is an answer, not an error.

use crate::lrs::response_codes::LrsCode;
use crate::schema::CodeListWithOther;

/// A code list of outcomes: those that LRS has a code for, and `OTHER`.
pub trait Outcome: CodeListWithOther {
    /// Returns the outcome that a code stands for.
    fn from_code(code: &LrsCode) -> Self {
        let entries = Self::TABLE.entries.iter().zip(Self::ALL);
        let found = entries.into_iter().find(|(entry, _)| entry.lrs.is_some_and(|documented| code.matches(documented)));
        found.map_or(Self::OTHER, |(_, outcome)| *outcome)
    }
}

impl<T: CodeListWithOther> Outcome for T {}
