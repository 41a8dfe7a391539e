//! The namespaces that are declared at the current place of a document.

use quick_xml::name::{Namespace, NamespaceResolver, PrefixDeclaration, QName, ResolveResult};

use super::error::{MAX_DEPTH, XmlError};

/// Maximum number of declarations at one place.
const MAX_DECLARATIONS: usize = MAX_DEPTH * 8;

/// The declared namespaces. Costs nothing for an element without declarations.
pub struct Namespaces {
    /// `None` before the first declaration.
    resolver: Option<NamespaceResolver>,
    /// One bit for each level of the current element and those around it: whether the element at the level has declarations.
    levels: u64,
}

impl Namespaces {
    pub const fn new() -> Self {
        const { assert!(MAX_DEPTH < 64, "each level has a bit") };
        Self { resolver: None, levels: 0 }
    }

    /// Adds a declaration of the element at this level.
    ///
    /// # Errors
    /// Returns [`XmlError::Malformed`] if the prefix or the namespace is reserved, and if there are too many declarations.
    pub fn declare(&mut self, level: usize, prefix: PrefixDeclaration<'_>, namespace: &str) -> Result<(), XmlError> {
        let resolver = self.resolver.get_or_insert_with(|| {
            let mut resolver = NamespaceResolver::default();
            resolver.set_max_namespace_bindings(MAX_DECLARATIONS);
            resolver
        });
        self.levels |= 1 << level;
        resolver.set_level(u16::try_from(level).map_err(|_| XmlError::Depth)?);
        resolver.add(prefix, Namespace(namespace)).map_err(|_| XmlError::Malformed)
    }

    /// Removes the declarations of the element at this level, which has ended.
    #[inline]
    pub fn leave(&mut self, level: usize) {
        if self.levels & (1 << level) != 0 {
            self.levels &= !(1 << level);
            if let (Some(resolver), Ok(outer)) = (&mut self.resolver, u16::try_from(level - 1)) {
                resolver.set_level(outer);
            }
        }
    }

    /// Returns the namespace of an element with this name, if any.
    pub fn of_element(&self, name: QName<'_>) -> Option<&str> {
        self.resolve(name, true)
    }

    /// Returns the namespace of an attribute with this name, if any.
    pub fn of_attribute(&self, name: QName<'_>) -> Option<&str> {
        self.resolve(name, false)
    }

    fn resolve(&self, name: QName<'_>, is_element: bool) -> Option<&str> {
        match self.resolver.as_ref()?.resolve_prefix(name.prefix(), is_element) {
            ResolveResult::Bound(Namespace(namespace)) => Some(namespace),
            _ => None,
        }
    }
}
