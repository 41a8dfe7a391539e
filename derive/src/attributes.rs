//! Attributes, doc comments and errors of a declaration.

use proc_macro2::Span;
use quote::ToTokens as _;
use syn::parse::{Parse, Parser as _};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{Attribute, Error, Expr, ExprLit, Ident, Lit, LitStr, Meta, Result, Token};

/// The attributes of a derive at one place: `#[helper(key, key = value, key(…))]`.
pub struct Attributes(Vec<Meta>);

impl Attributes {
    /// Reads the attributes. `allowed` has the form of each, as an error message shows it. Only `validate` may be given twice.
    ///
    /// # Errors
    /// Returns an error at each attribute that is not allowed, has another form or is given twice.
    pub fn read(attributes: &[Attribute], helper: &str, allowed: &[&str]) -> Result<Self> {
        let of_helper = attributes.iter().filter(|attribute| attribute.path().is_ident(helper));
        let lists = collect(of_helper.map(|attribute| attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)))?;
        let mut given = Vec::new();
        let check = |meta: Meta| {
            let key = meta.path().to_token_stream().to_string();
            let message = match allowed.iter().find(|form| form.split([' ', '(']).next() == Some(&key)) {
                None if allowed.is_empty() => format!("no `{helper}` attribute is allowed here"),
                None => format!("unknown attribute; allowed here: `{}`", allowed.join("`, `")),
                Some(form) if form.contains(" = ") != matches!(meta, Meta::NameValue(_)) => format!("expected `{form}`"),
                Some(form) if form.contains('(') && !matches!(meta, Meta::List(_) | Meta::NameValue(_)) => format!("expected `{form}`"),
                Some(_) if key != "validate" && given.contains(&key) => format!("`{key}` is given twice"),
                Some(_) => {
                    given.push(key);
                    return Ok(meta);
                }
            };
            Err(Error::new(meta.path().span(), message))
        };
        collect(lists.into_iter().flatten().map(check)).map(Self)
    }

    fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Meta> {
        self.0.iter().filter(move |meta| meta.path().is_ident(key))
    }

    /// Returns `true` if the attribute is given.
    pub fn has(&self, key: &str) -> bool {
        self.all(key).next().is_some()
    }

    /// Returns the values of each `key = value`.
    pub fn values<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Expr> {
        self.all(key).filter_map(|meta| meta.require_name_value().ok()).map(|meta| &meta.value)
    }

    /// Returns the text of `key = "text"`.
    pub fn text(&self, key: &str) -> Result<Option<LitStr>> {
        self.values(key).next().map(|value| syn::parse2(value.to_token_stream())).transpose()
    }

    /// Returns the items of `key(item, …)`, and the place of the attribute.
    pub fn list<T: Parse>(&self, key: &str) -> Result<Option<(Vec<T>, Span)>> {
        let Some(meta) = self.all(key).next() else { return Ok(None) };
        let items = Punctuated::<T, Token![,]>::parse_terminated.parse2(meta.require_list()?.tokens.clone())?;
        Ok(Some((items.into_iter().collect(), meta.span())))
    }
}

/// Returns the text of the doc comment. The lines of a paragraph and of a list item are joined: a line break in a description would be one in
/// generated code and in pages that keep line breaks.
///
/// # Errors
/// Returns an error at `place` if there is none: the OpenAPI document and the page of settings need a description.
pub fn doc(attributes: &[Attribute], place: &Ident) -> Result<String> {
    let lines = attributes.iter().filter(|attribute| attribute.path().is_ident("doc")).filter_map(|attribute| {
        let mut value = &attribute.meta.require_name_value().ok()?.value;
        // A literal that a macro passed on is in an invisible group.
        while let Expr::Group(group) = value {
            value = &group.expr;
        }
        let Expr::Lit(ExprLit { lit: Lit::Str(line), .. }) = value else { return None };
        Some(line.value().strip_prefix(' ').map_or_else(|| line.value(), str::to_owned))
    });
    match join_lines(lines).trim() {
        "" => Err(Error::new(place.span(), "needs a doc comment: it is the description in the documentation")),
        text => Ok(text.to_owned()),
    }
}

/// Joins each line to the one before it, unless one of them is empty or the line starts a list item.
fn join_lines(lines: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    for line in lines {
        let line = line.trim();
        if line.is_empty() {
            text.push_str(if text.ends_with('\n') { "" } else { "\n\n" });
        } else if !text.is_empty() && !text.ends_with('\n') {
            text.push(if starts_item(line) { '\n' } else { ' ' });
        }
        text.push_str(line);
    }
    text
}

/// Returns `true` for the first line of a list item: `* …`, `- …` or `1. …`.
fn starts_item(line: &str) -> bool {
    let after_number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    line.starts_with("* ") || line.starts_with("- ") || (after_number.len() < line.len() && after_number.starts_with(". "))
}

/// Requires that no two texts are equal. `what` has the text; each stands at its place.
pub fn require_unique(what: &str, texts: impl IntoIterator<Item = (String, Span)>) -> Result<()> {
    let mut taken = Vec::new();
    let results = texts.into_iter().map(|(text, place)| {
        let error = taken.contains(&text).then(|| Error::new(place, format!("another {what} `{text}`")));
        taken.push(text);
        error.map_or(Ok(()), Err)
    });
    collect(results).map(drop)
}

/// Returns both values, or the errors together.
pub fn both<A, B>(first: Result<A>, second: Result<B>) -> Result<(A, B)> {
    match (first, second) {
        (Ok(first), Ok(second)) => Ok((first, second)),
        (Err(mut first), Err(second)) => {
            first.combine(second);
            Err(first)
        }
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

/// Returns all values, or all errors together.
pub fn collect<T>(results: impl IntoIterator<Item = Result<T>>) -> Result<Vec<T>> {
    let mut all = Ok(Vec::new());
    for result in results {
        all = both(all, result).map(|(mut values, value)| {
            values.push(value);
            values
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doc_comment_lines_of_a_paragraph_and_an_item_are_joined() {
        let join = |text: &str| join_lines(text.lines().map(str::to_owned));
        assert_eq!(join("One\nparagraph.\n\nAnother\none."), "One paragraph.\n\nAnother one.");
        assert_eq!(
            join("Words:\n* `A`: one\n  word\n* `B`\n\n1. First\n2. Second"),
            "Words:\n* `A`: one word\n* `B`\n\n1. First\n2. Second"
        );
        assert_eq!(join("In\n2003 or\n*later*"), "In 2003 or *later*");
    }
}
