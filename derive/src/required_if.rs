//! The attribute for a field that another field's value makes required.

use quote::quote;
use syn::spanned::Spanned as _;
use syn::{BinOp, Error, Expr, ExprBinary, Ident, Result};

use crate::record::{Field, Record};

/// The form of the attribute for an optional field that another field's value makes required.
pub const REQUIRED_IF: &str = "required_if = <field> == <value>";

/// Returns the position of the field, and its value, that make a field required.
///
/// # Errors
/// Returns an error if the attribute has another form or there is no such field.
pub fn required_if<'a>(record: &Record<'_>, field: &'a Field<'_>) -> Result<Option<(usize, &'a Expr)>> {
    let Some(condition) = field.attributes.values("required_if").next() else { return Ok(None) };
    let Expr::Binary(ExprBinary { left, op: BinOp::Eq(_), right, .. }) = condition else {
        return Err(Error::new(condition.span(), format!("expected `{REQUIRED_IF}`")));
    };
    Ok(Some((record.position(&syn::parse2::<Ident>(quote! { #left })?)?, right)))
}
