//! Search criteria and matching rules of the learner register (LRS-CONTRACT 2.4, 2.5).
//!
//! LRS's matching algorithm is not public. The simulator implements the known part: postcodes are compared without the space, and the
//! given name may also be the preferred given name.

use crate::domain::{Learner, Personal};

/// The result of a search.
#[derive(Debug, Clone, PartialEq)]
pub enum SearchMatches {
    /// No learner matches.
    NoMatch,
    /// More learners match than LRS returns.
    TooManyMatches,
    /// Some learners match in names and date of birth only.
    PossibleMatches(Vec<Learner>),
    /// One learner matches in every value.
    ExactMatch(Box<Learner>),
    /// One learner matches in every value and was merged into this master record.
    LinkedLearner(Box<Learner>),
}

/// The criteria of a search by demographics, as texts of the message.
#[derive(Debug, Clone, Copy)]
pub struct Demographics<'a> {
    /// Given name.
    pub given_name: &'a str,
    /// Family name.
    pub family_name: &'a str,
    /// Date of birth, `YYYY-MM-DD`.
    pub date_of_birth: &'a str,
    /// LRS's code of the gender.
    pub gender: &'a str,
    /// Postcode.
    pub post_code: &'a str,
}

impl Demographics<'_> {
    /// Returns `true` if the names and the date of birth match the learner's.
    pub fn is_possible_match(&self, learner: &Learner) -> bool {
        names_match(learner, self.given_name, self.family_name)
            && learner.date_of_birth.as_ref().is_some_and(|date| date.to_lrs() == self.date_of_birth)
    }

    /// Returns `true` if gender and postcode, too, match the learner's.
    pub fn is_exact_match(&self, learner: &Learner) -> bool {
        self.is_possible_match(learner)
            && learner.gender.as_ref().is_some_and(|gender| gender.to_lrs() == self.gender)
            && learner.last_known_post_code.as_ref().is_some_and(|post_code| same_post_code(post_code.reveal(), self.post_code))
    }

    /// Returns a text that is equal for a search and for the registration that may follow it.
    pub fn registration_key(&self, organisation: &str) -> String {
        let Self { given_name, family_name, date_of_birth, gender, post_code } = self;
        let names = format!("{}\n{}", given_name.trim().to_lowercase(), family_name.trim().to_lowercase());
        format!("{organisation}\n{names}\n{date_of_birth}\n{gender}\n{}", normalised_post_code(post_code))
    }
}

/// Returns `true` if both names match the learner's.
///
/// The given name may be the preferred one, and the family name may be the previous one.
pub fn names_match(learner: &Learner, given_name: &str, family_name: &str) -> bool {
    let matches = |known: &Option<Personal<String>>, name: &str| known.as_ref().is_some_and(|known| same_name(known.reveal(), name));
    (matches(&learner.given_name, given_name) || matches(&learner.preferred_given_name, given_name))
        && (matches(&learner.family_name, family_name) || matches(&learner.previous_family_name, family_name))
}

/// Returns `true` if the names are equal, ignoring case and surrounding spaces.
pub fn same_name(one: &str, other: &str) -> bool {
    one == other || one.trim().to_lowercase() == other.trim().to_lowercase()
}

fn same_post_code(one: &str, other: &str) -> bool {
    normalised_post_code(one) == normalised_post_code(other)
}

fn normalised_post_code(post_code: &str) -> String {
    post_code.chars().filter(|c| *c != ' ').map(|c| c.to_ascii_uppercase()).collect()
}
