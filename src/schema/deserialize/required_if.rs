//! Fields that the value of another field makes required.

use super::context::DeserializeContext;
use crate::schema::{InvalidValue, Scalar};

/// Records an error if a field is absent or blank although `condition` requires it: the name of another field, what was read of it, and the value
/// that it must have. A field that is invalid, `None`, has an error already.
pub fn require_if<C: Scalar + PartialEq, T: Scalar>(
    (other, read, value): (&str, Option<&C>, &C),
    (name, field): (&'static str, Option<&Option<T>>),
    context: &mut DeserializeContext,
) {
    let Some(field) = field else { return };
    let is_blank = field.as_ref().is_none_or(|text| text.text().trim().is_empty());
    if is_blank && read == Some(value) {
        let detail = format!("is required if {other} is {}", value.text());
        context.add_error_at(name, InvalidValue { code: "required", detail: detail.into() });
    }
}
