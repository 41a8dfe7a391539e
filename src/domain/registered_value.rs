//! What answers and amendments have in place of a value of a registration.

use crate::domain::{BoundedText, Date, EmailAddress, Extensible, Personal, Postcode, ScottishCandidateNumber};
use crate::schema::CodeList;

/// A value of a registration.
#[diagnostic::on_unimplemented(note = "implement `RegisteredValue` in src/domain/registered_value.rs for a new type of a learner's field")]
pub trait RegisteredValue {
    /// The value in answers: as LRS returns it.
    type Returned;
    /// The value in an amendment, which is not empty.
    type Changed;
}

/// The value in answers.
pub type Returned<T> = <T as RegisteredValue>::Returned;
/// The value in an amendment.
pub type Changed<T> = <T as RegisteredValue>::Changed;

impl<T: CodeList> RegisteredValue for T {
    type Returned = Extensible<Self>;
    type Changed = Self;
}

impl<const MIN: usize, const MAX: usize> RegisteredValue for BoundedText<MIN, MAX> {
    type Returned = Personal<String>;
    type Changed = BoundedText<1, MAX>;
}

impl RegisteredValue for Postcode {
    type Returned = Personal<String>;
    type Changed = Self;
}

impl RegisteredValue for EmailAddress {
    type Returned = Personal<String>;
    type Changed = Self;
}

impl RegisteredValue for ScottishCandidateNumber {
    type Returned = Personal<String>;
    type Changed = Self;
}

impl RegisteredValue for Date {
    type Returned = Extensible<Self>;
    type Changed = Self;
}
