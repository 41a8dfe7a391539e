//! What a verified token says about its caller.

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::auth::claims::{ClaimNames, Claims};
use crate::auth::scope;
use crate::auth::user_name::{UserNameError, UserNameRules, is_application};
use crate::domain::{Ukprn, UserName};
use crate::rate_limit::{RateLimitKeys, RateLimiter};
use crate::schema::Scalar as _;

/// The caller that a verified token names, read from its claims once: the token of a person comes with each of their requests.
pub struct Principal {
    /// Issuer of the token.
    pub issuer: Arc<str>,
    /// The client that requested the token; empty if the token does not name it.
    pub client: Arc<str>,
    /// The organisation; `None` if the token does not name exactly one.
    pub organisation: Option<Ukprn>,
    /// The user name for LRS, or the reason why there is none.
    pub user: Result<UserName, UserNameError>,
    /// The scopes that the gateway knows.
    scopes: Vec<&'static str>,
    rate_limit_keys: OnceLock<RateLimitKeys>,
}

impl Principal {
    /// Reads the claims of a verified token of an issuer that uses these names and rules.
    pub fn new(issuer: Arc<str>, names: &ClaimNames, user_names: &UserNameRules, claims: &Claims) -> Self {
        Self {
            issuer,
            client: names.client(claims).unwrap_or_default().into(),
            organisation: names.organisation(claims).and_then(|text| Ukprn::parse(&text).ok()),
            user: user_names.user_name(names, claims),
            scopes: names.scopes(claims, is_application(names, claims), scope::ALL),
            rate_limit_keys: OnceLock::new(),
        }
    }

    /// Returns `true` if the token has this scope.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.contains(&scope)
    }

    /// Returns the keys under which the limiter counts the calls of this user in this organisation, which are those of the principal.
    pub fn rate_limit_keys(&self, limiter: &RateLimiter, organisation: &Ukprn, user: &UserName) -> &RateLimitKeys {
        self.rate_limit_keys.get_or_init(|| limiter.keys(organisation.as_str(), &self.issuer, user.as_str()))
    }
}

/// Omits the principal, who is a person.
impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[personal]")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn principal(claims: &Value) -> Principal {
        Principal::new("https://idp.example".into(), &ClaimNames::default(), &UserNameRules::default(), claims.as_object().expect("claims"))
    }

    #[test]
    fn principal_has_the_organisation_user_client_and_scopes_of_its_token() {
        let scope = "openid learners:read achievement-batches learners:reads";
        let ana = principal(&json!({"org": 10_012_345, "preferred_username": "ana@college.example", "azp": "mis", "scope": scope}));
        assert_eq!(ana.organisation.as_ref().map(Ukprn::as_str), Some("10012345"));
        assert_eq!(ana.user.as_ref().map(UserName::as_str), Ok("ana@college.example"));
        assert_eq!((&*ana.issuer, &*ana.client), ("https://idp.example", "mis"));
        let scopes: Vec<_> = scope::ALL.iter().filter(|scope| ana.has_scope(scope)).collect();
        assert_eq!(scopes, [&"learners:read", &"achievement-batches"]);
        assert_eq!(format!("{ana:?}"), "[personal]");
    }

    #[test]
    fn principal_of_a_person_has_no_scopes_from_roles() {
        let roles = ["learners:read"];
        let has_scope = |claims: &Value| principal(claims).has_scope("learners:read");
        // An ID token of Entra.
        assert!(!has_scope(&json!({"aud": "mis-web", "oid": "2e4d", "sub": "q7Xw", "preferred_username": "ana", "roles": roles})));
        assert!(!has_scope(&json!({"azp": "mis", "oid": "2e4d", "sub": "q7Xw", "roles": roles})), "a person without a user claim");
        assert!(has_scope(&json!({"azp": "mis", "oid": "c0ffee", "sub": "c0ffee", "roles": roles})));
        assert!(has_scope(&json!({"azp": "mis", "idtyp": "app", "roles": roles})));
    }

    #[test]
    fn principal_of_a_token_without_usable_claims_says_why_there_is_no_user_name() {
        let none = principal(&json!({"org": "1001234", "scope": 1}));
        assert_eq!((none.organisation.is_none(), &*none.client, none.has_scope("learners:read")), (true, "", false));
        let detail = |user: Result<UserName, UserNameError>| user.expect_err("no user name").detail(&ClaimNames::default());
        assert!(detail(none.user).contains("claim `preferred_username` is missing or not a string"));
        let blank = principal(&json!({"preferred_username": " "})).user;
        assert!(detail(blank).contains("claim `preferred_username` must not have only invisible characters"));
    }
}
