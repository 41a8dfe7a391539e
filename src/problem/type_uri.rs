//! The `type` of problems.

use crate::problem::CatalogueEntry;

/// The URIs of the types of problems. They are addresses of pages below the gateway's public address, or URNs if it is not known. A URN cannot
/// be resolved (RFC 9457, 3.1.1).
#[derive(Debug, Clone, Default)]
pub struct TypeUris(Option<String>);

impl TypeUris {
    /// Returns the URIs below a public address, if there is one.
    pub fn below(public_url: Option<&str>) -> Self {
        Self(public_url.map(str::to_owned))
    }

    /// Returns the URI of a type.
    pub fn uri(&self, entry: &CatalogueEntry) -> String {
        match &self.0 {
            Some(public_url) => format!("{public_url}/docs/problems/{}", entry.code),
            None => format!("urn:lrs-gateway:problem:{}", entry.code),
        }
    }
}
