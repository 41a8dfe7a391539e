//! The start tag of an element.

use quick_xml::events::BytesStart;

/// The start tag of an element.
#[derive(Debug, PartialEq, Eq)]
pub struct StartTag<'x> {
    /// The name and the attributes.
    pub(super) tag: BytesStart<'x>,
    /// The place of the local name in the name.
    local: usize,
    /// `true` if the element has `xsi:nil="true"`: it has no value.
    pub nil: bool,
}

impl<'x> StartTag<'x> {
    /// Creates the start tag with this content. Its attributes are not read.
    pub(super) fn new(tag: BytesStart<'x>) -> Self {
        // A name without a colon is its own local name.
        let local = tag.name().0.find(':').map_or(0, |colon| colon + 1);
        Self { tag, local, nil: false }
    }

    /// Does the same, if the lengths of the name and of its prefix with the colon are known.
    #[inline]
    pub(super) fn with_lengths(content: &'x str, name: usize, prefix: usize) -> Self {
        Self { tag: BytesStart::from_content(content, name), local: prefix, nil: false }
    }

    /// Returns the local name.
    #[inline]
    pub fn name(&self) -> &str {
        &self.tag.name().0[self.local..]
    }

    #[inline]
    pub(super) fn has_attributes(&self) -> bool {
        let attributes = self.tag.attributes_raw();
        !attributes.is_empty() && !attributes.trim_ascii().is_empty()
    }
}
