//! The address at which callers reach the API, which a proxy may make another than the server's own.

use std::borrow::Cow;

use reqwest::Url;

use crate::schema::{Constraints, InvalidValue, Scalar};

/// The address of the API without a slash at its end: `https://mis.example/lrs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// Returns the address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the address that a reference means in the answer to a request for this path; `None` if it is not a reference.
    pub fn resolve(&self, path: &str, reference: &str) -> Option<String> {
        let request = Url::parse(&format!("{}{path}", self.0)).ok()?;
        Some(request.join(reference).ok()?.into())
    }
}

impl Scalar for PublicUrl {
    const CONSTRAINTS: Constraints = Constraints::new("An address of http or https.", "https://mis.example/lrs");

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        const INVALID: InvalidValue = InvalidValue::new(
            "invalid_format",
            "must be an address such as https://mis.example/lrs: http or https, a host, and a path if there is one, and nothing else",
        );
        let url = Url::parse(text).map_err(|_| INVALID)?;
        let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
        if is_plain && ["http", "https"].contains(&url.scheme()) && url.has_host() && !url.path().contains("//") {
            Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
        } else {
            Err(INVALID)
        }
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_url_is_an_address_with_or_without_a_path() {
        for (text, url) in [
            ("https://mis.example", "https://mis.example"),
            ("https://MIS.example:443/", "https://mis.example"),
            ("https://mis.example/lrs/", "https://mis.example/lrs"),
            ("http://127.0.0.1:8080/a/b", "http://127.0.0.1:8080/a/b"),
        ] {
            assert_eq!(PublicUrl::parse(text).map(|url| url.0).as_deref(), Ok(url));
        }
        for bad in [
            "",
            "/lrs",
            "mis.example",
            "ftp://mis.example",
            "https://user@mis.example",
            "https://mis.example/?a=1",
            "https://mis.example/#a",
            "https://mis.example//lrs",
        ] {
            assert!(PublicUrl::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn public_url_makes_references_absolute() {
        let url = PublicUrl::parse("https://mis.example/lrs").expect("an address");
        for (path, reference, absolute) in [
            ("/v1/registration-batches", "registration-batches/7", "https://mis.example/lrs/v1/registration-batches/7"),
            ("/v1/registration-batches/track", "7", "https://mis.example/lrs/v1/registration-batches/7"),
            ("/docs", "docs/", "https://mis.example/lrs/docs/"),
        ] {
            assert_eq!(url.resolve(path, reference).as_deref(), Some(absolute));
        }
    }
}
