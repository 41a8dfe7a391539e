//! A token of a document.

use std::borrow::Cow;

use crate::xml::start_tag::StartTag;

/// A token of a document.
#[derive(Debug)]
pub enum Token<'x> {
    /// An element starts. Its attributes are not read.
    Start(StartTag<'x>),
    /// The current element ends.
    End,
    /// Text as it is written, with line ends as `\n`, or the text of a CDATA section.
    Text(Cow<'x, str>),
    /// A reference, such as `amp` or `#65`.
    Reference(Cow<'x, str>),
}
