//! The tokens of a plain document: one with the markup that LRS writes.
//!
//! Plain are the usual declaration, elements with ASCII names, texts and references. CDATA sections, comments, processing instructions and
//! unusual spellings are not. Neither is anything with an error: `None` is the answer to both.

use std::borrow::Cow;

use memchr::{memchr, memchr2};
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::parser::{ElementParser, Parser as _};

use super::token::Token;
use crate::xml::error::MAX_DEPTH;
use crate::xml::start_tag::StartTag;

/// Maximum length in bytes of a reference, without `&` and `;`. The longest that a message needs is `#x10FFFF`.
const MAX_REFERENCE_BYTES: usize = 10;

/// The tokens of a document as long as it is plain.
pub struct PlainTokens<'x> {
    document: &'x str,
    /// The part of the document that is not read yet.
    rest: &'x str,
    /// The number of tokens read.
    count: usize,
    /// The names of the open elements.
    open: [&'x str; MAX_DEPTH],
    depth: usize,
    /// Whether the current element is written as `<name/>`: its end is the next token.
    is_empty_element: bool,
}

impl<'x> PlainTokens<'x> {
    /// Starts to read a document that has only plain characters.
    pub fn new(document: &'x str) -> Self {
        let rest = without_declaration(document).unwrap_or(document);
        Self { document, rest, count: 0, open: [""; MAX_DEPTH], depth: 0, is_empty_element: false }
    }

    /// Returns the whole document.
    pub const fn document(&self) -> &'x str {
        self.document
    }

    /// Returns the number of tokens that were read.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Returns `true` if nothing but white space comes after the root element.
    pub fn is_at_end(&self) -> bool {
        self.depth == 0 && self.rest.trim_ascii_start().is_empty()
    }

    /// Returns the next token; `None` if what comes next is not plain.
    pub fn next(&mut self) -> Option<Token<'x>> {
        let token = if self.is_empty_element {
            self.end_empty_element()
        } else {
            match self.rest.as_bytes() {
                [b'<', b'/', ..] => self.end_tag()?,
                [b'<', ..] => Token::Start(self.start_tag(self.rest)?),
                [b'&', ..] => self.reference()?,
                text => {
                    let (text, rest) = self.rest.split_at_checked(memchr2(b'<', b'&', text)?)?;
                    self.rest = rest;
                    Token::Text(Cow::Borrowed(text))
                }
            }
        };
        self.count += 1;
        Some(token)
    }

    /// Returns the start of a child element if it comes next, perhaps after white space.
    #[inline]
    pub fn child(&mut self) -> Option<StartTag<'x>> {
        let markup = self.rest.trim_ascii_start();
        let has_space = markup.len() < self.rest.len();
        if self.is_empty_element || self.depth == 0 || !markup.starts_with('<') {
            return None;
        }
        let start = self.start_tag(markup)?;
        self.count += 1 + usize::from(has_space);
        Some(start)
    }

    /// Returns the text of the current element to its end if that is all it contains and has no numeric references.
    #[inline]
    pub fn simple_text(&mut self) -> Option<Cow<'x, str>> {
        if self.is_empty_element {
            self.end_empty_element();
            self.count += 1;
            return Some(Cow::Borrowed(""));
        }
        let depth = self.depth.checked_sub(1)?;
        let first = memchr2(b'<', b'&', self.rest.as_bytes())?;
        let (text, rest, parts) = if self.rest.as_bytes()[first] == b'<' {
            let (text, markup) = self.rest.split_at_checked(first)?;
            (Cow::Borrowed(text), after_end_tag(markup, self.open[depth])?, usize::from(first > 0))
        } else {
            let (text, markup) = self.rest.split_at_checked(memchr(b'<', self.rest.as_bytes())?)?;
            let (resolved, parts) = resolve_references(text)?;
            (Cow::Owned(resolved), after_end_tag(markup, self.open[depth])?, parts)
        };
        (self.rest, self.depth) = (rest, depth);
        self.count += parts + 1;
        Some(text)
    }

    #[inline]
    fn start_tag(&mut self, markup: &'x str) -> Option<StartTag<'x>> {
        let content = markup.get(1..)?;
        let bytes = content.as_bytes();
        let (name, prefix) = name_lengths(bytes)?;
        let length = match bytes.get(name)? {
            b'>' => name,
            b'/' => name + 1,
            // quick-xml finds the end, and reads the attributes later.
            b' ' | b'\t' | b'\n' => ElementParser::Outside.feed(bytes)?,
            _ => return None,
        };
        if bytes.get(length) != Some(&b'>') {
            return None;
        }
        *self.open.get_mut(self.depth)? = content.get(..name)?;
        self.rest = content.get(length + 1..)?;
        self.is_empty_element = bytes[length - 1] == b'/';
        self.depth += 1;
        Some(StartTag::with_lengths(content.get(..length - usize::from(self.is_empty_element))?, name, prefix))
    }

    fn end_empty_element(&mut self) -> Token<'x> {
        self.is_empty_element = false;
        self.depth -= 1;
        Token::End
    }

    fn end_tag(&mut self) -> Option<Token<'x>> {
        let depth = self.depth.checked_sub(1)?;
        (self.rest, self.depth) = (after_end_tag(self.rest, self.open[depth])?, depth);
        Some(Token::End)
    }

    fn reference(&mut self) -> Option<Token<'x>> {
        let content = self.rest.get(1..)?;
        let length = content.bytes().take(MAX_REFERENCE_BYTES + 1).position(|byte| byte == b';')?;
        let reference = content.get(..length)?;
        if !reference.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'#') {
            return None;
        }
        self.rest = content.get(length + 1..)?;
        Some(Token::Reference(Cow::Borrowed(reference)))
    }
}

/// Returns the document without its declaration; `None` if it does not begin with a usual one.
fn without_declaration(document: &str) -> Option<&str> {
    let (encoding, rest) = document.strip_prefix("<?xml version=\"1.0\" encoding=\"")?.split_at_checked("utf-8".len())?;
    encoding.eq_ignore_ascii_case("utf-8").then(|| rest.strip_prefix("\"?>"))?
}

/// Returns what comes after the end tag of the element with this name.
#[inline]
fn after_end_tag<'x>(markup: &'x str, name: &str) -> Option<&'x str> {
    let (tag, rest) = markup.split_at_checked(name.len() + "</>".len())?;
    (tag.strip_prefix("</")?.strip_suffix('>')? == name).then_some(rest)
}

/// Returns the length of the name at the start of a tag's content, and that of its prefix with the colon.
#[inline]
fn name_lengths(content: &[u8]) -> Option<(usize, usize)> {
    let is_other = |byte: &u8| !matches!(NAME_BYTES[usize::from(*byte)], NameByte::Letter | NameByte::Later);
    let mut name = content.iter().position(is_other)?;
    let mut prefix = 0;
    while content[name] == b':' {
        prefix = if prefix == 0 { name + 1 } else { prefix };
        name += 1 + content[name + 1..].iter().position(is_other)?;
    }
    matches!(NAME_BYTES[usize::from(content[0])], NameByte::Letter).then_some((name, prefix))
}

/// Resolves the references of a text. Returns the number of tokens, too. `None` if one is not of the five entities of XML.
fn resolve_references(text: &str) -> Option<(String, usize)> {
    let mut resolved = String::with_capacity(text.len());
    let (mut rest, mut count) = (text, 0);
    while let Some(length) = memchr(b'&', rest.as_bytes()) {
        let (before, reference) = rest.split_at_checked(length)?;
        let (name, after) = reference.get(1..)?.split_once(';')?;
        resolved.push_str(before);
        resolved.push_str(resolve_predefined_entity(name)?);
        count += usize::from(!before.is_empty()) + 1;
        rest = after;
    }
    resolved.push_str(rest);
    Some((resolved, count + usize::from(!rest.is_empty())))
}

/// What a byte can be in a plain name.
#[derive(Clone, Copy)]
enum NameByte {
    /// Stands anywhere in a name.
    Letter,
    /// Stands anywhere but at the start.
    Later,
    Colon,
    /// Ends a name, or makes it one that is not plain.
    Other,
}

const NAME_BYTES: [NameByte; 256] = {
    let mut bytes = [NameByte::Other; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        bytes[byte as usize] = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => NameByte::Letter,
            b'0'..=b'9' | b'-' | b'.' => NameByte::Later,
            b':' => NameByte::Colon,
            _ => NameByte::Other,
        };
        byte += 1;
    }
    bytes
};
