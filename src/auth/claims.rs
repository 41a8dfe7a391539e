//! Claims of access tokens (RFC 7519).

use std::borrow::Cow;

use serde_json::{Map, Value};

/// The claims of a verified token.
pub type Claims = Map<String, Value>;

/// The names of the claims that an issuer uses. A dot leads into a nested object: `realm.organisation`. Without such an object, the name is
/// that of one claim, dots included.
#[derive(Debug, Clone)]
pub struct ClaimNames {
    /// Claim with the organisation's UKPRN.
    pub organisation: String,
    /// Claim with the person's user name for LRS.
    pub user: String,
    /// Claim with the scopes: a string separated by spaces, or a list.
    pub scope: String,
}

/// The names that most issuers use.
impl Default for ClaimNames {
    fn default() -> Self {
        Self { organisation: "org".into(), user: "preferred_username".into(), scope: "scope".into() }
    }
}

impl ClaimNames {
    /// Returns the organisation: a text, a number, or a list with one of them. `None` if the token does not name exactly one.
    pub fn organisation<'c>(&self, claims: &'c Claims) -> Option<Cow<'c, str>> {
        match find(claims, &self.organisation)? {
            Value::Array(list) => match list.as_slice() {
                [one] => text_or_number(one),
                _ => None,
            },
            other => text_or_number(other),
        }
    }

    /// Returns the person's user name.
    pub fn user<'c>(&self, claims: &'c Claims) -> Option<&'c str> {
        find(claims, &self.user)?.as_str()
    }

    /// Returns the client that requested the token, if the token names it.
    pub fn client<'c>(&self, claims: &'c Claims) -> Option<&'c str> {
        ["azp", "client_id", "sub"].iter().find_map(|name| claims.get(*name)?.as_str())
    }

    /// Returns `true` if the token has this scope.
    pub fn has_scope(&self, claims: &Claims, scope: &str) -> bool {
        match find(claims, &self.scope) {
            Some(Value::String(text)) => text.split(' ').any(|one| one == scope),
            Some(Value::Array(list)) => list.iter().any(|one| one == scope),
            _ => false,
        }
    }

    /// Adds the three claims to a development token.
    pub fn insert(&self, claims: &mut Claims, organisation: &str, user: &str, scope: &str) {
        for (path, text) in [(&self.organisation, organisation), (&self.user, user), (&self.scope, scope)] {
            insert(claims, path, text);
        }
    }
}

/// Returns a text, or an integer as text.
fn text_or_number(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => number.as_u64().map(|number| Cow::Owned(number.to_string())),
        _ => None,
    }
}

/// Returns a claim by a path of names or by its full name. The path comes first: the setting states a path, and an issuer whose users can
/// add claims must not let them replace the nested one. Only a URI, which may have dots in it, is first of all a name.
fn find<'c>(claims: &'c Claims, name: &str) -> Option<&'c Value> {
    let nested = || {
        let (first, rest) = name.split_once('.')?;
        find(claims.get(first)?.as_object()?, rest)
    };
    if is_uri(name) { claims.get(name).or_else(nested) } else { nested().or_else(|| claims.get(name)) }
}

fn is_uri(name: &str) -> bool {
    name.contains("://")
}

fn insert(claims: &mut Claims, path: &str, text: &str) {
    match path.split_once('.') {
        Some((first, rest)) if !is_uri(path) => {
            if let Value::Object(inner) = claims.entry(first).or_insert_with(|| Value::Object(Map::new())) {
                insert(inner, rest, text);
            }
        }
        _ => {
            claims.insert(path.to_owned(), text.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(organisation: &str) -> ClaimNames {
        ClaimNames { organisation: organisation.into(), user: "user".into(), scope: "scope".into() }
    }

    fn claims(json: &str) -> Claims {
        serde_json::from_str(json).expect("an object")
    }

    #[test]
    fn claim_name_with_dots_finds_nested_claim() {
        let nested = claims(r#"{"realm":{"org":{"ukprn":"10012345"}},"https://x.example/org":"10054321"}"#);
        assert_eq!(names("realm.org.ukprn").organisation(&nested).as_deref(), Some("10012345"));
        assert_eq!(names("https://x.example/org").organisation(&nested).as_deref(), Some("10054321"));
        assert_eq!(names("realm.org").organisation(&nested), None);
        assert_eq!(names("realm.none.ukprn").organisation(&nested), None);
    }

    #[test]
    fn claim_name_with_dots_means_the_path_before_the_literal_name() {
        let both = claims(r#"{"realm.org":"10054321","realm":{"org":"10012345"}}"#);
        assert_eq!(names("realm.org").organisation(&both).as_deref(), Some("10012345"));
        let literal = claims(r#"{"realm.org":"10054321","realm":{"other":"10012345"}}"#);
        assert_eq!(names("realm.org").organisation(&literal).as_deref(), Some("10054321"));
        let uri = claims(r#"{"https://x.example/org":"10054321","https://x":{"example/org":"10012345"}}"#);
        assert_eq!(names("https://x.example/org").organisation(&uri).as_deref(), Some("10054321"));
    }

    #[test]
    fn organisation_is_one_text_or_number_or_a_list_of_one() {
        let organisation = |value: &str| names("org").organisation(&claims(&format!("{{\"org\":{value}}}"))).map(Cow::into_owned);
        for one in ["\"10012345\"", "10012345", "[\"10012345\"]", "[10012345]"] {
            assert_eq!(organisation(one).as_deref(), Some("10012345"), "{one}");
        }
        for other in
            ["[\"10012345\",\"10054321\"]", "[]", "[[\"10012345\"]]", "-1", "10012345.5", "true", "null", "{\"ukprn\":\"10012345\"}"]
        {
            assert_eq!(organisation(other), None, "{other}");
        }
    }

    #[test]
    fn scope_prefix_does_not_match() {
        let text = claims(r#"{"scope":"learners:read learners:write"}"#);
        let list = claims(r#"{"scope":["learners:read"]}"#);
        assert!(names("org").has_scope(&text, "learners:write") && names("org").has_scope(&list, "learners:read"));
        assert!(!names("org").has_scope(&text, "learners") && !names("org").has_scope(&list, "learners:write"));
        assert!(!names("org").has_scope(&claims("{}"), "learners:read"));
    }
}
