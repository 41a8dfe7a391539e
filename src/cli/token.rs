//! `token`: development tokens.

use std::path::Path;

use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::auth::{Claims, scope, sign_token};
use crate::cli::command::CommandResult;
use crate::config::DevTokenIssuer;
use crate::domain::{Ukprn, UserName};
use crate::schema::Scalar as _;

/// Prints a token that the configured issuer with a shared secret has signed. Without scopes, the token has every scope.
pub fn run(config: &Path, organisation: &str, user: &str, scopes: &[String], lifetime_seconds: u32) -> CommandResult {
    check_arguments(organisation, user, scopes)?;
    let issuer = DevTokenIssuer::load(config)?;
    let scope = if scopes.is_empty() { scope::ALL.join(" ") } else { scopes.join(" ") };
    let mut claims: Claims = Claims::new();
    claims.insert("iss".into(), json!(issuer.issuer));
    claims.insert("aud".into(), json!(issuer.audience));
    claims.insert("exp".into(), json!(Timestamp::now().as_second() + i64::from(lifetime_seconds)));
    issuer.claims.insert(&mut claims, organisation, user, &scope);
    check_user_name(&issuer, &claims)?;
    println!("{}", sign_token(issuer.secret.expose_secret(), &claims).map_err(|error| vec![error])?);
    Ok(())
}

/// Checks that the gateway accepts the user name of the token.
fn check_user_name(issuer: &DevTokenIssuer, claims: &Claims) -> CommandResult {
    let Err(error) = issuer.user_names.user_name(&issuer.claims, claims) else { return Ok(()) };
    let domains = issuer.user_names.domains.join(", @");
    let accepted = if domains.is_empty() { String::new() } else { format!(" Accepted are names that end in @{domains}.") };
    Err(vec![format!("--user: the gateway would refuse this token. {}{accepted}", error.detail(&issuer.claims))])
}

fn check_arguments(organisation: &str, user: &str, scopes: &[String]) -> CommandResult {
    let mut errors = Vec::new();
    if let Err(invalid) = Ukprn::parse(organisation) {
        errors.push(format!("--organisation {}", invalid.detail));
    }
    if let Err(invalid) = UserName::parse(user) {
        errors.push(format!("--user {}", invalid.detail));
    }
    for unknown in scopes.iter().filter(|scope| !scope::ALL.contains(&scope.as_str())) {
        errors.push(format!("--scope {unknown}: must be one of {}", scope::ALL.join(", ")));
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}
