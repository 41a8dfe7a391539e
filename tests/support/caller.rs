//! A client of the gateway over HTTP, and the answers that it gets. The rules for all answers are checked on every answer.

use std::path::Path;
use std::sync::Arc;

use lrs_gateway::auth::{scope, sign_token};
use lrs_gateway::tls;
use serde_json::{Value, json};

use super::documented::{DOCUMENT, assert_documented};

pub const ISSUER: &str = "https://idp.example.ac.uk/";
pub const AUDIENCE: &str = "lrs-gateway";
pub const SECRET: &[u8] = b"the HMAC secret of the issuer that the tests use";
/// UKPRN of the demonstration's learning provider.
pub const PROVIDER: &str = "10088881";

/// A client with a token.
#[derive(Clone)]
pub struct Caller {
    url: String,
    http: reqwest::Client,
    authorization: Option<String>,
    header: Option<(&'static str, &'static str)>,
}

/// Returns the claims of a token that is valid for an hour. `changes` replace claims; `null` removes one.
pub fn claims(changes: Value) -> Value {
    let exp = jiff::Timestamp::now().as_second() + 3600;
    let mut claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "exp": exp, "org": PROVIDER, "preferred_username": "j.bloggs", "scope": scope::ALL.join(" "),
    });
    let (Some(claims_map), Value::Object(changes)) = (claims.as_object_mut(), changes) else { panic!("claims are JSON objects") };
    for (name, value) in changes {
        if value.is_null() {
            claims_map.remove(&name)
        } else {
            claims_map.insert(name, value)
        };
    }
    claims
}

/// Returns a token of the tests' issuer, with these changes to the usual claims.
pub fn token(changes: Value) -> String {
    sign_token(SECRET, claims(changes).as_object().expect("claims are an object")).expect("the token is signed")
}

impl Caller {
    /// Creates a caller of the gateway at this URL: a user of the learning provider with every scope.
    pub fn new(url: String) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        Self { url, http: crate::support::http_client_builder().build().expect("the client is created"), authorization: None, header: None }
            .with_claims(json!({}))
    }

    /// Uses a token with these changes to the usual claims.
    pub fn with_claims(self, changes: Value) -> Self {
        self.with_token(&token(changes))
    }

    /// Uses this token.
    pub fn with_token(self, token: &str) -> Self {
        Self { authorization: Some(format!("Bearer {token}")), ..self }
    }

    /// Sends this `Authorization` header, or none.
    pub fn with_authorization(self, header: Option<&str>) -> Self {
        Self { authorization: header.map(str::to_owned), ..self }
    }

    /// Sends one more header.
    pub fn with_header(self, name: &'static str, value: &'static str) -> Self {
        Self { header: Some((name, value)), ..self }
    }

    /// Uses connections of its own that trust the authorities in this PEM file.
    pub fn trusting(self, ca_file: &Path) -> Self {
        let roots = Arc::new(tls::read_root_certificates(ca_file).expect("the file has a root certificate"));
        let config = tls::client_config_builder(roots).expect("the TLS versions are supported").with_no_client_auth();
        let client = crate::support::http_client_builder().tls_backend_preconfigured(config).build();
        self.with_client(client.expect("the client is created"))
    }

    /// Uses this HTTP client instead of one with default settings.
    pub fn with_client(self, http: reqwest::Client) -> Self {
        Self { http, ..self }
    }

    /// Posts JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_text(path, "application/json", body.to_string()).await
    }

    /// Posts a body of any type; without `Content-Type` if `content_type` is empty.
    pub async fn post_text(&self, path: &str, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
        let mut request = self.http.post(format!("{}{path}", self.url)).body(body);
        if !content_type.is_empty() {
            request = request.header("Content-Type", content_type);
        }
        self.send(request).await
    }

    /// Sends a request with any method and no body.
    pub async fn request(&self, method: &str, path: &str) -> Answer {
        self.send(self.http.request(method.parse().expect("the method is valid"), format!("{}{path}", self.url))).await
    }

    async fn send(&self, mut request: reqwest::RequestBuilder) -> Answer {
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        if let Some((name, value)) = self.header {
            request = request.header(name, value);
        }
        let request = request.build().expect("the request is valid");
        let method = request.method().clone();
        let response = self.http.execute(request).await.expect("the gateway answers");
        let (status, url) = (response.status().as_u16(), response.url().clone());
        let headers = response.headers().clone();
        let text = response.text().await.expect("the answer is complete");
        let answer = Answer { url, status, headers, text };
        answer.assert_common_rules();
        assert_documented(&method, &answer);
        answer
    }
}

/// An answer of the gateway.
#[derive(Debug)]
pub struct Answer {
    pub url: reqwest::Url,
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    /// Returns the value of a header; empty if it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Returns the path that the header `Location` refers to.
    pub fn location(&self) -> String {
        self.url.join(self.header("location")).expect("the header is a reference").path().to_owned()
    }

    /// Parses the body.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// Returns the body. The status must be 200.
    pub fn expect_success(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()
    }

    /// Returns the body of a problem. It must have this status and code.
    pub fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.json();
        assert_eq!((self.status, problem["code"].as_str()), (status, Some(code)), "{}", self.text);
        problem
    }

    /// Returns the pointers and codes of a problem's field errors.
    pub fn errors(&self) -> Vec<(String, String)> {
        let text = |error: &Value, key: &str| error[key].as_str().expect("a field error has texts").to_owned();
        let problem = self.json();
        let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("no errors: {}", self.text));
        errors.iter().map(|error| (text(error, "pointer"), text(error, "code"))).collect()
    }

    /// Asserts the rules that hold for every answer.
    fn assert_common_rules(&self) {
        let request_id = self.header("x-request-id");
        assert!(request_id.len() == 36, "every answer has a request id: {self:?}");
        assert_eq!(self.header("gateway-request-id"), request_id, "the caller sends no id of its own");
        for (name, value) in [("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer"), ("x-frame-options", "DENY")] {
            assert_eq!(self.header(name), value, "{name}: {self:?}");
        }
        let policy = self.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; ") && policy.ends_with("frame-ancestors 'none'"), "{self:?}");
        assert_eq!(self.header("server"), "", "the header `Server` is absent");
        // A 403 may have the header too (RFC 6750).
        assert_eq!(self.status == 401, self.headers.contains_key("www-authenticate") && self.status != 403, "{self:?}");
        if self.status >= 400 {
            self.assert_problem_rules(request_id);
        }
    }

    /// Asserts the rules that hold for every problem.
    fn assert_problem_rules(&self, request_id: &str) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        let schema = &DOCUMENT["components"]["schemas"]["Problem"];
        let names: Vec<&String> = problem.as_object().expect("a problem is an object").keys().collect();
        assert!(names.iter().all(|name| schema["properties"].get(name).is_some()), "all of {names:?} are documented");
        let required = schema["required"].as_array().expect("the schema has required properties");
        assert!(required.iter().all(|name| problem.get(name.as_str().expect("a name")).is_some()), "all of {required:?} are present");
        assert_eq!(schema["properties"]["code"]["$ref"], "#/components/schemas/ProblemCode");
        let codes = DOCUMENT["components"]["schemas"]["ProblemCode"]["x-extensible-enum"].as_array().expect("the schema has the codes");
        let code = problem["code"].as_str().expect("a problem has a code");
        assert!(codes.contains(&problem["code"]), "{code} is in the catalogue");
        assert_eq!(problem["requestId"], request_id);
        assert_eq!(problem["instance"], format!("urn:uuid:{request_id}"));
        assert_eq!(problem["type"], format!("urn:lrs-gateway:problem:{code}"));
        assert!(["title", "detail"].iter().all(|key| problem[key].as_str().is_some_and(|text| text.len() > 10)), "{problem}");
        assert!(problem["retryable"].is_boolean(), "{problem}");
        assert!(!self.text.contains(":null"), "{problem}");
        assert_eq!(problem["retryAfterSeconds"].is_u64(), self.headers.contains_key("retry-after"), "{self:?}");
    }
}
