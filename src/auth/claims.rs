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
    /// Claims with the person's user name for LRS. The first that can be used counts.
    pub user: Vec<String>,
    /// Claims with the scopes of a person's token: a string separated by spaces, or a list. The first that the token has counts.
    pub scope: Vec<String>,
    /// Claims with the scopes of an application's token, likewise.
    pub application_scope: Vec<String>,
    /// Claims with the id of the client that requested the token. The first that is a text counts.
    pub client: Vec<String>,
}

/// The names that most issuers use.
impl Default for ClaimNames {
    fn default() -> Self {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            organisation: "org".into(),
            user: names(&["preferred_username"]),
            // Entra writes what a person has allowed a client into `scp`, and the permissions of a client of its own into `roles`. The roles of
            // a person are in their tokens, too, also in ID tokens, which have no `scp`.
            scope: names(&["scope", "scp"]),
            application_scope: names(&["scope", "scp", "roles"]),
            // Okta writes `cid`.
            client: names(&["azp", "client_id", "appid", "cid"]),
        }
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

    /// Returns the user claims that are texts, with their names.
    pub fn users<'c>(&'c self, claims: &'c Claims) -> impl Iterator<Item = (&'c str, &'c str)> {
        self.user.iter().filter_map(|name| Some((name.as_str(), find(claims, name)?.as_str()?)))
    }

    /// Returns the id of the client that requested the token, if the token names it.
    pub fn client_id<'c>(&self, claims: &'c Claims) -> Option<&'c str> {
        self.client.iter().find_map(|name| find(claims, name)?.as_str())
    }

    /// Returns the calling program: the client's id, otherwise the subject, if the token names one of them.
    pub fn client<'c>(&self, claims: &'c Claims) -> Option<&'c str> {
        self.client_id(claims).or_else(|| claims.get("sub")?.as_str())
    }

    /// Returns those of the known scopes that a token has.
    pub fn scopes(&self, claims: &Claims, is_application: bool, known: &[&'static str]) -> Vec<&'static str> {
        let present = |name: &String| find(claims, name).filter(|value| !value.is_null());
        let names = if is_application { &self.application_scope } else { &self.scope };
        let value = names.iter().find_map(present);
        let has_scope = |scope: &&&'static str| match value {
            Some(Value::String(text)) => text.split(' ').any(|one| one == **scope),
            Some(Value::Array(list)) => list.iter().any(|one| one == **scope),
            _ => false,
        };
        known.iter().filter(has_scope).copied().collect()
    }

    /// Adds the three claims to a development token.
    pub fn insert(&self, claims: &mut Claims, organisation: &str, user: &str, scope: &str) {
        insert(claims, &self.organisation, organisation);
        for (path, text) in self.user.first().map(|path| (path, user)).into_iter().chain(self.scope.first().map(|path| (path, scope))) {
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
        ClaimNames { organisation: organisation.into(), ..ClaimNames::default() }
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

    fn has_scope(json: &str, is_application: bool, scope: &'static str) -> bool {
        !names("org").scopes(&claims(json), is_application, &[scope]).is_empty()
    }

    #[test]
    fn scope_prefix_does_not_match() {
        let text = r#"{"scope":"learners:read learners:write"}"#;
        let list = r#"{"scope":["learners:read"]}"#;
        assert!(has_scope(text, false, "learners:write") && has_scope(list, false, "learners:read"));
        assert!(!has_scope(text, false, "learners") && !has_scope(list, false, "learners:write"));
        assert!(!has_scope("{}", false, "learners:read"));
    }

    #[test]
    fn scope_claim_that_is_present_hides_the_next_one() {
        for is_application in [false, true] {
            let has_scope = |json: &str| has_scope(json, is_application, "learners:read");
            assert!(has_scope(r#"{"scp":"learners:read openid"}"#));
            assert!(has_scope(r#"{"scope":null,"scp":["learners:read"]}"#));
            assert!(!has_scope(r#"{"scp":"openid","roles":["learners:read"]}"#), "a role does not widen what a person allowed a client");
            assert!(!has_scope(r#"{"scope":"","scp":"learners:read"}"#));
        }
    }

    #[test]
    fn scope_claim_roles_counts_for_applications_only() {
        let roles = r#"{"roles":["learners:read"]}"#;
        assert!(has_scope(roles, true, "learners:read") && !has_scope(roles, false, "learners:read"));
    }

    #[test]
    fn client_is_the_first_client_claim_and_otherwise_the_subject() {
        let client = |json: &str| names("org").client(&claims(json)).map(str::to_owned);
        assert_eq!(client(r#"{"appid":"3","client_id":"2","azp":"1","sub":"4"}"#).as_deref(), Some("1"));
        assert_eq!(client(r#"{"appid":"3","azp":7,"sub":"4"}"#).as_deref(), Some("3"));
        assert_eq!(client(r#"{"cid":"5","uid":"6","sub":"4"}"#).as_deref(), Some("5"));
        assert_eq!(client(r#"{"sub":"4"}"#).as_deref(), Some("4"));
        assert_eq!(names("org").client_id(&claims(r#"{"sub":"4"}"#)), None);
    }
}
