//! The user name that LRS receives for a token: the person's, or the one that an accountable person has given to a client.
//!
//! A token is an application's if its issuer says so: Microsoft Entra with `idtyp`, Auth0 with `gty`, Keycloak with the user name of the client's
//! service account. RFC 9068 (2.2) and Entra without `idtyp` show it by `sub` only. A person's token can look the same by accident, so this
//! counts only if no user claim names anyone. A token that merely lacks a user claim is not an application's: it may be a person's, and calls
//! of a person must not carry the name of a client.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::auth::claims::{ClaimNames, Claims};
use crate::domain::{UserName, parse_user_name};

/// Start of the user name of a service account in Keycloak. The id of its client follows.
const SERVICE_ACCOUNT: &str = "service-account-";

/// How the user names of an issuer's tokens are used.
#[derive(Debug, Clone, Default)]
pub struct UserNameRules {
    /// The domains of which a user name may be, in lower case: `college.ac.uk`. If there are none, names are used as they are.
    pub domains: Vec<String>,
    /// `true` if the domain is removed from the name.
    pub strip_domain: bool,
    /// The user names of clients that call without a person, by client id.
    pub clients: BTreeMap<String, UserName>,
}

/// The reason why a token has no user name for LRS. It does not repeat the token's texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserNameError {
    /// No user claim is a text.
    Missing,
    /// The text of a user claim cannot be used.
    Unusable {
        /// Name of the claim.
        claim: String,
        /// The reason, as a clause after the claim's name.
        reason: Cow<'static, str>,
    },
    /// The token is an application's, and no client claim is a text.
    ClientMissing,
    /// The token is an application's, and its client has no user name.
    UnknownClient,
}

impl UserNameError {
    /// Describes the error for callers of an issuer that uses these names.
    pub fn detail(&self, names: &ClaimNames) -> String {
        const REQUIRED: &str = "LRS requires the user name of the person behind each call.";
        const APPLICATION: &str = "The token is an application's: it names no person.";
        match self {
            Self::Missing => {
                let (subject, verb) = match &names.user[..] {
                    [_] => ("claim", "is missing or not a string"),
                    _ => ("claims", "are missing or not strings"),
                };
                format!("The token's {subject} {} {verb}. {REQUIRED}", quoted(&names.user))
            }
            Self::Unusable { claim, reason } => format!("The token's claim `{claim}` {reason}. {REQUIRED}"),
            Self::ClientMissing => {
                format!("{APPLICATION} Its claims {} are missing or not strings, so its client is unknown.", quoted(&names.client))
            }
            Self::UnknownClient => format!(
                "{APPLICATION} The gateway has no user name for its client. Ask the operator to add the client's id to `clients` of the issuer, with \
                 the name of a person who is accountable for its calls."
            ),
        }
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl UserNameRules {
    /// Returns the user name for a token with these claims.
    ///
    /// # Errors
    /// Returns the reason if the token has none.
    pub fn user_name(&self, names: &ClaimNames, claims: &Claims) -> Result<UserName, UserNameError> {
        if is_application(names, claims) { self.name_of_client(names, claims) } else { self.name_of_person(names, claims) }
    }

    fn name_of_client(&self, names: &ClaimNames, claims: &Claims) -> Result<UserName, UserNameError> {
        let client = names.client_id(claims).ok_or(UserNameError::ClientMissing)?;
        self.clients.get(client).cloned().ok_or(UserNameError::UnknownClient)
    }

    /// Returns the first name that can be used. A name that is not a person's, or of another domain, ends the search: the next claim would give
    /// the same account another name.
    fn name_of_person(&self, names: &ClaimNames, claims: &Claims) -> Result<UserName, UserNameError> {
        let mut first_error = UserNameError::Missing;
        for (claim, text) in names.users(claims) {
            let unusable = |reason| UserNameError::Unusable { claim: claim.to_owned(), reason };
            if names.client_id(claims) == Some(text) || starts_with_service_account(text) {
                return Err(unusable("names a client and not a person".into()));
            }
            let name = match self.without_domain(text) {
                Domain::Accepted(name) => name,
                Domain::Other => return Err(unusable("is of a domain that is not in `user_domains` of the issuer".into())),
                Domain::None => {
                    keep_first(&mut first_error, unusable("has no domain, which `user_domains` of the issuer requires".into()));
                    continue;
                }
            };
            match parse_user_name(name) {
                Ok(name) => return Ok(name),
                Err(invalid) => keep_first(&mut first_error, unusable(invalid.detail)),
            }
        }
        Err(first_error)
    }

    fn without_domain<'t>(&self, text: &'t str) -> Domain<'t> {
        if self.domains.is_empty() {
            return Domain::Accepted(text);
        }
        match text.rsplit_once('@') {
            None => Domain::None,
            // Without the last domain, the name would be of another one.
            Some((name, _)) if self.strip_domain && name.contains('@') => Domain::Other,
            Some((name, domain)) if self.domains.iter().any(|accepted| accepted.eq_ignore_ascii_case(domain)) => {
                Domain::Accepted(if self.strip_domain { name } else { text })
            }
            Some(_) => Domain::Other,
        }
    }
}

/// What the domain of a name says about it.
enum Domain<'t> {
    Accepted(&'t str),
    Other,
    None,
}

fn keep_first(first: &mut UserNameError, error: UserNameError) {
    if *first == UserNameError::Missing {
        *first = error;
    }
}

/// Returns `true` if the token is of a client that calls without a person.
pub(super) fn is_application(names: &ClaimNames, claims: &Claims) -> bool {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if let Some(token_type) = text("idtyp") {
        return token_type == "app";
    }
    let client = names.client_id(claims);
    let is_service_account =
        client.is_some_and(|client| text("preferred_username").is_some_and(|name| is_service_account_of(name, client)));
    if is_service_account || text("gty") == Some("client-credentials") {
        return true;
    }
    let names_no_person = names.users(claims).all(|(_, name)| Some(name) == client);
    let subject = text("sub");
    let subject_is_client = subject.is_some() && (subject == client || (subject == text("oid") && !claims.contains_key("scp")));
    names_no_person && subject_is_client
}

/// Returns `true` for the user name of a client's service account. Keycloak writes user names in lower case.
fn is_service_account_of(name: &str, client: &str) -> bool {
    starts_with_service_account(name) && name[SERVICE_ACCOUNT.len()..].to_lowercase() == client.to_lowercase()
}

fn starts_with_service_account(name: &str) -> bool {
    name.get(..SERVICE_ACCOUNT.len()).is_some_and(|start| start.eq_ignore_ascii_case(SERVICE_ACCOUNT))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::Scalar as _;

    fn rules(domains: &[&str], strip_domain: bool) -> UserNameRules {
        let nightly = UserName::parse("nightly.enrolment").expect("a user name");
        UserNameRules {
            domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
            strip_domain,
            clients: [("mis".to_owned(), nightly.clone()), ("MIS-Nightly".to_owned(), nightly)].into(),
        }
    }

    fn resolve(rules: &UserNameRules, user_claims: &[&str], claims: &Value) -> Result<String, UserNameError> {
        let user = user_claims.iter().map(|claim| (*claim).to_owned()).collect();
        let names = ClaimNames { user, ..ClaimNames::default() };
        rules.user_name(&names, claims.as_object().expect("claims")).map(|name| name.as_str().to_owned())
    }

    #[test]
    fn application_token_gets_the_name_of_its_client() {
        for claims in [
            json!({"azp": "mis", "idtyp": "app", "sub": "c0ffee", "oid": "c0ffee"}),
            json!({"azp": "mis", "idtyp": "app", "preferred_username": "ana"}),
            json!({"appid": "mis", "oid": "c0ffee", "sub": "c0ffee", "roles": ["learners:read"]}),
            json!({"azp": "mis", "gty": "client-credentials", "sub": "mis@clients"}),
            json!({"azp": "mis", "client_id": "mis", "preferred_username": "service-account-mis", "sub": "5f3b"}),
            json!({"azp": "MIS-Nightly", "preferred_username": "service-account-mis-nightly", "email": "ana@college.example"}),
            json!({"client_id": "mis", "sub": "mis"}),
            json!({"cid": "mis", "sub": "mis", "scp": ["learners:read"]}),
        ] {
            let name = resolve(&rules(&[], false), &["preferred_username", "email"], &claims);
            assert_eq!(name.as_deref(), Ok("nightly.enrolment"), "{claims}");
        }
        let by_subject = json!({"client_id": "mis", "sub": "mis"});
        assert_eq!(resolve(&rules(&[], false), &["sub"], &by_subject).as_deref(), Ok("nightly.enrolment"));
    }

    #[test]
    fn person_without_a_usable_name_never_gets_the_name_of_the_client() {
        for claims in [
            json!({"azp": "mis"}),
            json!({"azp": "mis", "sub": "5f3b"}),
            json!({"azp": "mis", "idtyp": "user", "sub": "mis"}),
            json!({"azp": "mis", "oid": "c0ffee", "sub": "pairwise", "scp": "learners:read"}),
            json!({"azp": "mis", "oid": "c0ffee", "sub": "c0ffee", "scp": "learners:read"}),
            json!({"azp": "mis", "sub": "mis", "preferred_username": "x".repeat(36)}),
            json!({"azp": "mis", "preferred_username": "service-account-other"}),
            json!({"azp": "mis", "preferred_username": "mis"}),
            json!({"azp": "mis", "preferred_username": "mis", "email": "ana@college.example"}),
        ] {
            let error = resolve(&rules(&[], false), &["preferred_username", "email"], &claims).expect_err("no name");
            assert!(matches!(error, UserNameError::Missing | UserNameError::Unusable { .. }), "{claims}: {error:?}");
        }
    }

    #[test]
    fn application_token_of_an_unknown_client_never_gets_the_name_of_a_person() {
        for (claims, expected) in [
            (json!({"azp": "other", "idtyp": "app", "preferred_username": "ana"}), UserNameError::UnknownClient),
            (
                json!({"azp": "other", "preferred_username": "service-account-other", "email": "ana@x.example"}),
                UserNameError::UnknownClient,
            ),
            (json!({"client_id": "Mis", "sub": "Mis"}), UserNameError::UnknownClient),
            (json!({"idtyp": "app", "sub": "mis", "preferred_username": "ana"}), UserNameError::ClientMissing),
        ] {
            assert_eq!(resolve(&rules(&[], false), &["preferred_username", "email"], &claims), Err(expected), "{claims}");
        }
    }

    #[test]
    fn first_usable_user_claim_names_the_person() {
        let claims = |first: Value| json!({"azp": "mis", "sub": "5f3b", "preferred_username": first, "upn": "ana"});
        let name = |first| resolve(&rules(&[], false), &["preferred_username", "upn"], &claims(first));
        assert_eq!(name(json!("a.oneill")).as_deref(), Ok("a.oneill"));
        for unusable in [json!(null), json!(7), json!(""), json!("x".repeat(36)), json!("\u{202E}ana")] {
            assert_eq!(name(unusable.clone()).as_deref(), Ok("ana"), "{unusable}");
        }
        let both = json!({"preferred_username": " ", "upn": "x".repeat(36)});
        let error = resolve(&rules(&[], false), &["preferred_username", "upn"], &both).expect_err("no name");
        assert!(matches!(&error, UserNameError::Unusable { claim, .. } if claim == "preferred_username"), "{error:?}");
    }

    #[test]
    fn user_name_of_a_listed_domain_only_is_accepted() {
        let name = |strip_domain, text: &str| {
            resolve(&rules(&["college.ac.uk", "staff.example"], strip_domain), &["upn"], &json!({"azp": "mis", "upn": text}))
        };
        assert_eq!(name(true, "ana.oneill@College.AC.uk").as_deref(), Ok("ana.oneill"));
        assert_eq!(name(false, "ana.oneill@college.ac.uk").as_deref(), Ok("ana.oneill@college.ac.uk"));
        let long = format!("{}@staff.example", "x".repeat(35));
        assert_eq!(name(true, &long).map(|name| name.len()), Ok(35));
        for text in [
            "ana.oneill@other.ac.uk",
            "ana.oneill@mail.college.ac.uk",
            "ana.oneill@college.ac.uk@other.example",
            "ana.oneill@other.example@college.ac.uk",
            "ana_other.example#EXT#@tenant.example",
            "@college.ac.uk",
            "ana.oneill",
        ] {
            assert!(name(true, text).is_err(), "{text}");
        }
        let names = json!({"azp": "mis", "preferred_username": "ana@other.example", "upn": "ana@college.ac.uk"});
        let other = resolve(&rules(&["college.ac.uk"], true), &["preferred_username", "upn"], &names);
        assert!(other.is_err(), "another claim does not make up for another domain");
    }
}
