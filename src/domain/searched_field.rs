//! The fields of a search by demographics, as answers name them.

use crate::schema::CodeList;

/// A field of a search by demographics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, CodeList)]
pub enum SearchedField {
    /// Given name. The record's preferred given name counts too.
    #[code(word = "givenName")]
    GivenName,
    /// Family name.
    #[code(word = "familyName")]
    FamilyName,
    /// Date of birth.
    #[code(word = "dateOfBirth")]
    DateOfBirth,
    /// Gender.
    #[code(word = "gender")]
    Gender,
    /// Postcode.
    #[code(word = "lastKnownPostCode")]
    LastKnownPostCode,
    /// Previous family name.
    #[code(word = "previousFamilyName")]
    PreviousFamilyName,
    /// School at the age of 16.
    #[code(word = "schoolAtAge16")]
    SchoolAtAge16,
    /// Place of birth.
    #[code(word = "placeOfBirth")]
    PlaceOfBirth,
    /// Email address.
    #[code(word = "emailAddress")]
    EmailAddress,
}

impl SearchedField {
    /// Returns `true` for the fields of which LRS does not register the same values twice (LRS-CONTRACT 2.6).
    pub const fn identifies(&self) -> bool {
        matches!(self, Self::GivenName | Self::FamilyName | Self::DateOfBirth | Self::Gender | Self::LastKnownPostCode)
    }
}
