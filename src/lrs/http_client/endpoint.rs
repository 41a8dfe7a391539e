//! The address that requests are sent to, prepared for every request.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, HOST, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Uri};
use reqwest::Url;

use crate::observability;

/// Number of headers for which a request has space: those of [`Endpoint::request`], three of the caller's and the length.
const HEADERS: usize = 8;

/// An address that requests are sent to.
#[derive(Debug, Clone)]
pub struct Endpoint {
    url: Url,
    server: Uri,
    path: Uri,
    host: HeaderValue,
}

impl Endpoint {
    /// Prepares an address. A user name and a fragment in it are not sent.
    ///
    /// # Errors
    /// Returns a text if it is not the address of a web server.
    pub fn new(url: Url) -> Result<Self, String> {
        let invalid = "is not the address of a web server";
        let host = url.host_str().ok_or(invalid)?;
        let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let server = format!("{}://{host}/", url.scheme()).parse().map_err(|_| invalid)?;
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let path = format!("{}{query}", url.path()).parse().map_err(|_| invalid)?;
        let host = HeaderValue::try_from(host).map_err(|_| invalid)?;
        Ok(Self { url, server, path, host })
    }

    /// Returns the whole address.
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// Returns the address of the server.
    pub const fn server(&self) -> &Uri {
        &self.server
    }

    /// Returns a request with the headers that every request has.
    pub fn request(&self, method: Method, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.path.clone();
        let headers = request.headers_mut();
        headers.reserve(HEADERS);
        headers.insert(HOST, self.host.clone());
        headers.insert(USER_AGENT, HeaderValue::from_static(observability::USER_AGENT));
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoint_request_has_path_and_query_of_address_and_its_host() {
        for (address, server, path, host) in [
            ("https://lrs.example/a/B.svc", "https://lrs.example/", "/a/B.svc", "lrs.example"),
            ("https://lrs.example:443", "https://lrs.example/", "/", "lrs.example"),
            ("http://me@[::1]:8080/keys?a=b%20c#d", "http://[::1]:8080/", "/keys?a=b%20c", "[::1]:8080"),
            ("https://bücher.example/ä", "https://xn--bcher-kva.example/", "/%C3%A4", "xn--bcher-kva.example"),
        ] {
            let endpoint = Endpoint::new(address.parse().expect("a URL")).expect("the address of a web server");
            let request = endpoint.request(Method::POST, Bytes::new());
            let parts = (endpoint.server().to_string(), request.uri().to_string());
            assert_eq!(parts, (server.to_owned(), path.to_owned()), "{address}");
            assert_eq!(request.headers()[HOST], host, "{address}");
        }
    }

    #[test]
    fn endpoint_address_without_server_is_an_error() {
        for address in ["mailto:me@lrs.example", "data:text/plain,lrs"] {
            assert!(Endpoint::new(address.parse().expect("a URL")).is_err(), "{address}");
        }
    }
}
