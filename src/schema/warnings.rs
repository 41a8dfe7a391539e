//! Warnings: hints about fields of a request that was accepted.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::schema::{Answer, Hint};

/// Maximum number of warnings that are listed for each code. The others are counted.
pub const MAX_LISTED_WARNINGS: usize = 100;

/// A hint about a field of the request. The request was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Answer)]
pub struct FieldWarning {
    /// JSON Pointer (RFC 6901) to the field in the request body. Empty for the whole body.
    #[answer(example = "/learner/familyName")]
    pub pointer: String,
    /// Machine-readable reason, stable: `typographic_apostrophe`, `unusual_space`, `may_change_record`, …
    #[answer(example = "typographic_apostrophe")]
    pub code: &'static str,
    /// Human-readable reason, and what to do.
    #[answer(
        example = "has an apostrophe other than U+0027, such as U+2019; LRS may regard the text as different from the one with U+0027: search for that text too before you register the learner"
    )]
    pub detail: Cow<'static, str>,
}

/// The warnings about a document. A body with many records can have many: the first of each code are listed.
#[derive(Debug, Clone, Default)]
pub struct Warnings {
    listed: Vec<FieldWarning>,
    counts: BTreeMap<&'static str, usize>,
}

impl Warnings {
    /// Adds a warning about the whole document.
    pub fn add(&mut self, hint: &'static Hint) {
        self.add_with_detail(hint, || hint.detail.into());
    }

    /// Adds a warning about the value at this pointer.
    pub fn add_at(&mut self, pointer: &str, hint: &'static Hint) {
        let position = self.len();
        self.add(hint);
        self.pointers_from(position).for_each(|of_warning| pointer.clone_into(of_warning));
    }

    /// Adds a warning about the whole document with a detail of its own, which is made only if it is listed.
    pub fn add_with_detail(&mut self, hint: &'static Hint, detail: impl FnOnce() -> Cow<'static, str>) {
        let count = self.counts.entry(hint.code).or_default();
        *count += 1;
        if *count <= MAX_LISTED_WARNINGS {
            self.listed.push(FieldWarning { pointer: String::new(), code: hint.code, detail: detail() });
        }
    }

    /// Returns the number of warnings that are listed.
    pub(super) fn len(&self) -> usize {
        self.listed.len()
    }

    /// Returns the pointers of the listed warnings from a position.
    pub(super) fn pointers_from(&mut self, position: usize) -> impl Iterator<Item = &mut String> {
        self.listed[position..].iter_mut().map(|warning| &mut warning.pointer)
    }

    /// Returns the warnings without those of a hint.
    #[must_use]
    pub fn without(mut self, hint: &Hint) -> Self {
        self.listed.retain(|warning| warning.code != hint.code);
        self.counts.remove(hint.code);
        self
    }

    /// Returns the list for the answer; `None` if there is no warning. Codes with more warnings than are listed end with their number.
    pub fn into_list(self) -> Option<Vec<FieldWarning>> {
        let mut warnings = self.listed;
        let unlisted = self.counts.into_iter().filter(|(_, count)| *count > MAX_LISTED_WARNINGS);
        warnings.extend(unlisted.map(|(code, count)| {
            let detail = format!("{count} fields have this warning, of which the first {MAX_LISTED_WARNINGS} are listed").into();
            FieldWarning { pointer: String::new(), code, detail }
        }));
        (!warnings.is_empty()).then_some(warnings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ODD: Hint = Hint { code: "odd", detail: "is odd" };
    const EVEN: Hint = Hint { code: "even", detail: "is even" };

    #[test]
    fn warnings_above_the_limit_are_counted_for_each_code() {
        let mut warnings = Warnings::default();
        for number in 0..=2 * MAX_LISTED_WARNINGS {
            warnings.add(if number % 2 == 0 { &EVEN } else { &ODD });
        }
        let all = warnings.clone().into_list().expect("there are warnings");
        assert_eq!(all.len(), 2 * MAX_LISTED_WARNINGS + 1);
        let last = all.last().expect("the list is not empty");
        assert_eq!((last.pointer.as_str(), last.code), ("", "even"));
        assert!(last.detail.starts_with("101 fields"), "{}", last.detail);
        assert_eq!(warnings.without(&EVEN).into_list().expect("there are others").len(), MAX_LISTED_WARNINGS);
        assert_eq!(Warnings::default().into_list(), None);
    }
}
