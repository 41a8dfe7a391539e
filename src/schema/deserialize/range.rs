//! Ranges of numbers, from `#[setting(range = …)]`.

use std::fmt::Display;
use std::ops::{Bound, RangeBounds};

use super::context::DeserializeContext;
use crate::schema::InvalidValue;

/// A number, or an optional one.
pub trait Ranged {
    /// The type of the number.
    type Number: PartialOrd + Display;

    /// Returns the number; `None` if it is absent.
    fn number(&self) -> Option<&Self::Number>;
}

impl<T: Ranged> Ranged for Option<T> {
    type Number = T::Number;

    fn number(&self) -> Option<&T::Number> {
        self.as_ref().and_then(T::number)
    }
}

/// Returns the value of a field unless its number is outside the range. Then an error is recorded.
pub fn check_range<T: Ranged>(
    value: Option<T>,
    range: &impl RangeBounds<T::Number>,
    name: &'static str,
    context: &mut DeserializeContext,
) -> Option<T> {
    let is_outside = |value: &T| value.number().is_some_and(|number| !range.contains(number));
    if value.as_ref().is_some_and(is_outside) {
        context.add_error_at(name, InvalidValue { code: "out_of_range", detail: format!("must be {}", range_text::<T>(range)).into() });
        return None;
    }
    value
}

/// Describes a range in words.
pub fn range_text<T: Ranged>(range: &impl RangeBounds<T::Number>) -> String {
    match (range.start_bound(), range.end_bound()) {
        (Bound::Included(first), Bound::Included(last)) => format!("from {first} to {last}"),
        (Bound::Included(first), _) => format!("at least {first}"),
        (_, Bound::Included(last)) => format!("at most {last}"),
        _ => "any number".to_owned(),
    }
}
