//! The last line of an operation's description: scope, product and operations of LRS.

use crate::api::description::Description;
use crate::schema::CodeList as _;

/// Adds the line.
pub fn add_requirements(description: &mut Description) {
    let (scope, product) = description.requirement.map_or((None, None), |(scope, product)| (Some(scope), Some(product.word())));
    let named = |names: &[&str]| match names {
        [] => "none".to_owned(),
        names => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    };
    let operations = if description.lrs_operations.len() > 1 { "operations" } else { "operation" };
    let line = format!(
        "Scope: {}. Product: {}. LRS {operations}: {}.",
        named(scope.as_slice()),
        named(product.as_slice()),
        named(&description.lrs_operations)
    );
    let text = description.operation.description.get_or_insert_default();
    *text = format!("{}\n\n{line}", text.trim_end());
}
