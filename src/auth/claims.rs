//! What a verified token says.

use serde_json::{Map, Value};

/// The claims of a verified token.
pub type Claims = Map<String, Value>;

/// Where an issuer puts the three things the gateway needs. Dots lead into nested objects: `realm.organisation`.
#[derive(Debug, Clone)]
pub struct ClaimNames {
    /// The organisation's UKPRN.
    pub organisation: String,
    /// The person, as LRS is told.
    pub user: String,
    /// The scopes: a text with spaces between them, or a list.
    pub scope: String,
}

/// Where most issuers put them.
impl Default for ClaimNames {
    fn default() -> Self {
        Self { organisation: "org".into(), user: "preferred_username".into(), scope: "scope".into() }
    }
}

impl ClaimNames {
    /// The organisation, if the token names exactly one.
    pub fn organisation<'c>(&self, claims: &'c Claims) -> Option<&'c str> {
        find(claims, &self.organisation)?.as_str()
    }

    /// The person.
    pub fn user<'c>(&self, claims: &'c Claims) -> Option<&'c str> {
        find(claims, &self.user)?.as_str()
    }

    /// The program that got the token, if the token says.
    pub fn client<'c>(&self, claims: &'c Claims) -> Option<&'c str> {
        ["azp", "client_id", "sub"].iter().find_map(|name| claims.get(*name)?.as_str())
    }

    /// Writes the three claims, for a token of our own.
    pub fn insert(&self, claims: &mut Claims, organisation: &str, user: &str, scope: &str) {
        for (path, text) in [(&self.organisation, organisation), (&self.user, user), (&self.scope, scope)] {
            put(claims, path, text);
        }
    }

    /// Does the token have this scope?
    pub fn has_scope(&self, claims: &Claims, scope: &str) -> bool {
        match find(claims, &self.scope) {
            Some(Value::String(text)) => text.split(' ').any(|one| one == scope),
            Some(Value::Array(list)) => list.iter().any(|one| one == scope),
            _ => false,
        }
    }
}

/// A claim by its whole name, which may be an address with dots in it, or by a path of names.
fn find<'c>(claims: &'c Claims, path: &str) -> Option<&'c Value> {
    if let Some(claim) = claims.get(path) {
        return Some(claim);
    }
    let (first, rest) = path.split_once('.')?;
    find(claims.get(first)?.as_object()?, rest)
}

fn put(claims: &mut Claims, path: &str, text: &str) {
    match path.split_once('.') {
        Some((first, rest)) if !path.contains("://") => {
            if let Value::Object(inner) = claims.entry(first).or_insert_with(|| Value::Object(Map::new())) {
                put(inner, rest, text);
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
    fn paths_lead_into_objects() {
        let nested = claims(r#"{"realm":{"org":{"ukprn":"10012345"}},"https://x.example/org":"10054321"}"#);
        assert_eq!(names("realm.org.ukprn").organisation(&nested), Some("10012345"));
        assert_eq!(names("https://x.example/org").organisation(&nested), Some("10054321"));
        assert_eq!(names("realm.org").organisation(&nested), None);
        assert_eq!(names("realm.none.ukprn").organisation(&nested), None);
    }

    #[test]
    fn a_list_of_organisations_names_none() {
        assert_eq!(names("org").organisation(&claims(r#"{"org":["10012345","10054321"]}"#)), None);
    }

    #[test]
    fn scopes_are_whole_words() {
        let text = claims(r#"{"scope":"learners:read learners:write"}"#);
        let list = claims(r#"{"scope":["learners:read"]}"#);
        assert!(names("org").has_scope(&text, "learners:write") && names("org").has_scope(&list, "learners:read"));
        assert!(!names("org").has_scope(&text, "learners") && !names("org").has_scope(&list, "learners:write"));
        assert!(!names("org").has_scope(&claims("{}"), "learners:read"));
    }
}
