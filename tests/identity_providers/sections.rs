//! Several sections for one issuer: the audience decides.

use serde_json::{Value, json};

use super::Fixture;
use crate::support::program::{ConfigDirectory, run, stderr};

const USER: &str = include_str!("keycloak-user.json");

/// Two sections of the issuer of [`USER`], whose tokens name the person in different claims.
const SECTIONS: &str = r#"
[[auth.issuers]]
issuer = "https://login.college.example/realms/college"
audience = "lrs-gateway"
algorithms = ["RS256"]
jwks_url = "https://login.college.example/certs"
organisation_claim = "lrs.ukprn"

[[auth.issuers]]
issuer = "https://login.college.example/realms/college"
audience = "lrs-gateway-staff"
algorithms = ["RS256"]
jwks_url = "https://login.college.example/certs"
organisation_claim = "lrs.ukprn"
user_claims = "staff_number, name"
"#;

#[tokio::test]
async fn issuer_sections_are_selected_by_audience() {
    let fixture = Fixture::start(SECTIONS);
    let name = async |changes: Value| fixture.user_name_at_lrs(USER, &changes).await;
    assert_eq!(name(json!({"staff_number": "S-1"})).await, "ana.oneill@college.example");
    assert_eq!(name(json!({"aud": "lrs-gateway-staff", "staff_number": "S-1"})).await, "S-1");
    assert_eq!(name(json!({"aud": ["account", "lrs-gateway-staff"], "name": "Ana"})).await, "Ana", "the second claim");
    assert_eq!(name(json!({"staff_number": "S-1"})).await, "ana.oneill@college.example", "after the other section's tokens");
    assert_eq!(fixture.provider.fetches(), 1, "the sections share the key set");
}

#[tokio::test]
async fn issuer_sections_reject_tokens_for_both_audiences_or_for_none() {
    let fixture = Fixture::start(SECTIONS);
    for (audience, reason) in [
        (json!(["lrs-gateway", "lrs-gateway-staff"]), "several of the audiences"),
        (json!("other"), "another audience"),
        (json!([]), "another audience"),
        (Value::Null, "lacks one of the claims"),
        (json!({"lrs-gateway": true}), "invalid"),
    ] {
        let problem = fixture.call(USER, &json!({"aud": audience})).await.problem(401, "invalid_token");
        assert!(problem["detail"].as_str().expect("a detail").contains(reason), "{reason}: {problem}");
    }
}

/// Returns the errors of `check-config` with these sections of issuers.
fn errors_of(issuers: &str) -> String {
    let directory = ConfigDirectory::new("http://127.0.0.1:1");
    directory.configure(|config| config.replace("[[auth.issuers]]", &format!("{issuers}\n[[auth.issuers]]")));
    let output = run(&["check-config", "--config", &directory.config_path()]);
    assert!(!output.status.success());
    stderr(&output)
}

#[test]
fn check_config_reports_issuer_sections_that_cannot_be_told_apart() {
    let errors = errors_of(&SECTIONS.replace("lrs-gateway-staff", "lrs-gateway"));
    assert!(errors.contains("auth.issuers.1.audience: section 0 has the issuer"), "{errors}");
    let errors = errors_of(&SECTIONS.replacen("organisation_claim", "jwks_refresh_seconds = 60\norganisation_claim", 1));
    assert!(errors.contains("auth.issuers.1.jwks_url: section 0 has the same address"), "{errors}");
}

#[test]
fn check_config_reports_issuer_sections_that_remove_different_domains() {
    let with_domains = |settings: [&str; 2]| {
        let (first, second) = SECTIONS.rsplit_once("organisation_claim").expect("two sections");
        let first = first.replacen("organisation_claim", &format!("{}\norganisation_claim", settings[0]), 1);
        errors_of(&format!("{first}{}\norganisation_claim{second}", settings[1]))
    };
    let strip = |domains: &str| format!("user_domains = [{domains}]\nuser_strip_domain = true");
    let (college, students) = (strip("\"college.example\""), strip("\"students.college.example\""));
    let message = "auth.issuers.1.user_domains: section 0 of the same issuer removes other domains";
    let errors = with_domains([&college, &students]);
    assert!(errors.contains(message) && errors.contains("two people could become one user"), "{errors}");
    for same in [
        [&*college, &*strip("\"College.EXAMPLE\"")],
        [&*strip("\"college.example\", \"staff.example\""), &*strip("\"staff.example\", \"college.example\"")],
        [&*college, "user_domains = [\"students.college.example\"]"],
        [&*college, ""],
    ] {
        let errors = with_domains(same);
        assert!(!errors.contains("removes other domains"), "{errors}");
    }
}

#[test]
fn check_config_reports_rules_for_user_names_that_are_not_safe() {
    for (settings, error) in [
        ("user_strip_domain = true", "auth.issuers.0.user_domains: is required with user_strip_domain"),
        ("user_domains = [\"college.example\", \"*.ac.uk\"]", "auth.issuers.0.user_domains.1: must be a domain"),
        ("clients = { \"mis\" = \"\" }", "auth.issuers.0.clients.mis: "),
        ("clients = { \"mis\" = \"a name of more than thirty-five characters\" }", "auth.issuers.0.clients.mis: "),
        ("clients = { \"mis\" = \"nightly\\u202E\" }", "auth.issuers.0.clients.mis: must not contain the character U+202E"),
        ("clients = [\"mis\"]", "auth.issuers.0.clients: must be a table"),
        ("user_claims = []", "auth.issuers.0.user_claims: must not be an empty list"),
    ] {
        let errors = errors_of(&SECTIONS.replacen("organisation_claim", &format!("{settings}\norganisation_claim"), 1));
        assert!(errors.contains(error), "{error}: {errors}");
    }
}
