//! The reasons why a text cannot be read as a message, and the limits that a message must keep.

/// Maximum number of nested elements. LRS's responses have up to seven.
pub const MAX_DEPTH: usize = 32;
/// Maximum number of attributes of an element, including namespace declarations.
pub const MAX_ATTRIBUTES: usize = 64;

/// The reason why a text cannot be read as a message. Names elements of the contract, never content.
///
/// The text is a clause, for use in a longer sentence: after a colon, or in parentheses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// The text is empty or only white space.
    #[error("the message is empty")]
    Empty,
    /// The bytes are not UTF-8, or another encoding is declared.
    #[error("the message is not encoded in UTF-8")]
    Encoding,
    /// The markup is broken or incomplete.
    #[error("the message is not well-formed XML")]
    Malformed,
    /// There is a document type declaration.
    #[error("the message has a document type declaration, which is not allowed")]
    Doctype,
    /// The elements are nested more than [`MAX_DEPTH`] levels deep.
    #[error("elements are nested more than {MAX_DEPTH} levels deep")]
    Depth,
    /// An element has more than [`MAX_ATTRIBUTES`] attributes.
    #[error("an element has more than {MAX_ATTRIBUTES} attributes")]
    Attributes,
    /// A required element is missing or empty.
    #[error("the required element {0} is missing or empty")]
    Missing(&'static str),
    /// An element occurs more than once where the contract allows one.
    #[error("the element {0} occurs more than once")]
    Repeated(&'static str),
    /// An element's text is not of its type.
    #[error("the element {0} has an invalid value")]
    Value(&'static str),
}

impl XmlError {
    /// Returns the name of the element at fault, if the error is about one.
    pub const fn element(&self) -> Option<&'static str> {
        match self {
            Self::Missing(name) | Self::Repeated(name) | Self::Value(name) => Some(name),
            _ => None,
        }
    }
}

impl From<quick_xml::Error> for XmlError {
    fn from(_: quick_xml::Error) -> Self {
        Self::Malformed
    }
}
