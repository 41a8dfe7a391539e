//! Somebody who calls the gateway over HTTP, and what they get.

use std::sync::LazyLock;

use lrs_gateway::auth::{scope, sign_token};
use serde_json::{Value, json};

pub const ISSUER: &str = "https://idp.example.ac.uk/";
pub const AUDIENCE: &str = "lrs-gateway";
pub const SECRET: &[u8] = b"only the tests know this secret, and they do not tell";
pub const PROVIDER: &str = "10088881";

/// The OpenAPI document that callers have.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(include_str!("../../openapi/openapi.json")).expect("JSON"));

/// A caller with a token.
pub struct Caller {
    url: String,
    http: reqwest::Client,
    authorization: Option<String>,
    header: Option<(&'static str, &'static str)>,
}

/// Claims of a token that is good for an hour; `changes` are laid over them, `null` takes one away.
pub fn claims(changes: Value) -> Value {
    let exp = jiff::Timestamp::now().as_second() + 3600;
    let mut claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "exp": exp, "org": PROVIDER, "preferred_username": "j.bloggs", "scope": scope::ALL.join(" "),
    });
    let (Some(claims_map), Value::Object(changes)) = (claims.as_object_mut(), changes) else { panic!("claims are objects") };
    for (name, value) in changes {
        if value.is_null() {
            claims_map.remove(&name)
        } else {
            claims_map.insert(name, value)
        };
    }
    claims
}

/// A token of the tests' issuer.
pub fn token(changes: Value) -> String {
    sign_token(SECRET, claims(changes).as_object().expect("an object")).expect("signs")
}

impl Caller {
    pub fn new(url: String) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        Self { url, http: reqwest::Client::builder().no_proxy().build().expect("a client"), authorization: None, header: None }
            .with_claims(json!({}))
    }

    /// With a token of these claims.
    pub fn with_claims(self, changes: Value) -> Self {
        self.with_token(&token(changes))
    }

    /// With this token.
    pub fn with_token(self, token: &str) -> Self {
        Self { authorization: Some(format!("Bearer {token}")), ..self }
    }

    /// With this whole header, or none.
    pub fn with_authorization(self, header: Option<&str>) -> Self {
        Self { authorization: header.map(str::to_owned), ..self }
    }

    /// With one more header.
    pub fn with_header(self, name: &'static str, value: &'static str) -> Self {
        Self { header: Some((name, value)), ..self }
    }

    /// Through this client instead of one that trusts the web.
    pub fn through(self, http: reqwest::Client) -> Self {
        Self { http, ..self }
    }

    /// Posts JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_text(path, "application/json", body.to_string()).await
    }

    /// Posts anything.
    pub async fn post_text(&self, path: &str, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
        let mut request = self.http.post(format!("{}{path}", self.url)).body(body);
        if !content_type.is_empty() {
            request = request.header("Content-Type", content_type);
        }
        self.send(request).await
    }

    /// Calls with any method and no body.
    pub async fn request(&self, method: &str, path: &str) -> Answer {
        self.send(self.http.request(method.parse().expect("a method"), format!("{}{path}", self.url))).await
    }

    async fn send(&self, mut request: reqwest::RequestBuilder) -> Answer {
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        if let Some((name, value)) = self.header {
            request = request.header(name, value);
        }
        let response = request.send().await.expect("the gateway answers");
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await.expect("the answer is whole");
        let answer = Answer { status, headers, text };
        answer.keeps_its_promises();
        answer
    }
}

/// What the gateway answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The body of a 200.
    pub fn expect_success(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()
    }

    /// The body of a problem, which must be this one.
    pub fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.json();
        assert_eq!((self.status, problem["code"].as_str()), (status, Some(code)), "{}", self.text);
        problem
    }

    /// The places and codes of a problem's errors.
    pub fn errors(&self) -> Vec<(String, String)> {
        let text = |error: &Value, key: &str| error[key].as_str().expect("a text").to_owned();
        let problem = self.json();
        let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("no errors: {}", self.text));
        errors.iter().map(|error| (text(error, "pointer"), text(error, "code"))).collect()
    }

    /// What holds for every answer whatsoever.
    fn keeps_its_promises(&self) {
        let id = self.header("x-request-id");
        assert!(id.len() == 36, "an id on every answer: {self:?}");
        for (name, value) in [("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer"), ("x-frame-options", "DENY")] {
            assert_eq!(self.header(name), value, "{name}: {self:?}");
        }
        let policy = self.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; ") && policy.ends_with("frame-ancestors 'none'"), "{self:?}");
        assert_eq!(self.header("server"), "", "nobody needs to know what it is made with");
        if self.status < 400 {
            return;
        }
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        let schema = &DOCUMENT["components"]["schemas"]["ProblemBody"];
        let names: Vec<&String> = problem.as_object().expect("an object").keys().collect();
        assert!(names.iter().all(|name| schema["properties"].get(name).is_some()), "{names:?} are documented");
        let required = schema["required"].as_array().expect("a list");
        assert!(required.iter().all(|name| problem.get(name.as_str().expect("a name")).is_some()), "{required:?} are there");
        let codes = schema["properties"]["code"]["enum"].as_array().expect("a list");
        assert!(codes.contains(&problem["code"]), "{} is in the catalogue", problem["code"]);
        assert_eq!(problem["requestId"], id);
        assert_eq!(problem["instance"], format!("urn:uuid:{id}"));
        assert_eq!(problem["type"], format!("urn:lrs-gateway:problem:{}", problem["code"].as_str().expect("a code")));
        assert!(["title", "detail"].iter().all(|key| problem[key].as_str().is_some_and(|text| text.len() > 10)), "{problem}");
        assert!(problem["retryable"].is_boolean(), "{problem}");
        assert!(!self.text.contains(":null"), "{problem}");
        assert_eq!(problem["retryAfterSeconds"].is_u64(), self.headers.contains_key("retry-after"), "{self:?}");
        assert_eq!(self.status == 401, self.headers.contains_key("www-authenticate") && self.status != 403, "{self:?}");
    }
}
