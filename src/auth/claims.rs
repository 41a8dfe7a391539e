//! Claims of access tokens (RFC 7519).

use serde_json::{Map, Value};

/// The claims of a verified token.
pub type Claims = Map<String, Value>;

/// The names of the claims that an issuer uses. A dot leads into a nested object: `realm.organisation`.
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
    /// Returns the organisation; `None` if the token does not name exactly one.
    pub fn organisation<'c>(&self, claims: &'c Claims) -> Option<&'c str> {
        find(claims, &self.organisation)?.as_str()
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

/// Returns a claim by its full name, which may be a URI with dots in it, or by a path of names.
fn find<'c>(claims: &'c Claims, path: &str) -> Option<&'c Value> {
    if let Some(claim) = claims.get(path) {
        return Some(claim);
    }
    let (first, rest) = path.split_once('.')?;
    find(claims.get(first)?.as_object()?, rest)
}

fn insert(claims: &mut Claims, path: &str, text: &str) {
    match path.split_once('.') {
        Some((first, rest)) if !path.contains("://") => {
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
        assert_eq!(names("realm.org.ukprn").organisation(&nested), Some("10012345"));
        assert_eq!(names("https://x.example/org").organisation(&nested), Some("10054321"));
        assert_eq!(names("realm.org").organisation(&nested), None);
        assert_eq!(names("realm.none.ukprn").organisation(&nested), None);
    }

    #[test]
    fn organisation_list_is_not_accepted() {
        assert_eq!(names("org").organisation(&claims(r#"{"org":["10012345","10054321"]}"#)), None);
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
