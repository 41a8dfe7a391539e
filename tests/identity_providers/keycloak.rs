//! Tokens of Keycloak.

use serde_json::json;

use super::Fixture;

const CONFIGURATION: &str = include_str!("../../examples/identity-providers/keycloak.toml");
const USER: &str = include_str!("keycloak-user.json");
const SERVICE_ACCOUNT: &str = include_str!("keycloak-service-account.json");

#[tokio::test]
async fn keycloak_token_of_a_person_names_them_without_their_domain() {
    let fixture = Fixture::start(CONFIGURATION);
    assert_eq!(fixture.user_name_at_lrs(USER, &json!({})).await, "ana.oneill");
    let other_domain = fixture.refusal(USER, &json!({"preferred_username": "ana.oneill@other.example"})).await;
    assert!(other_domain.contains("`preferred_username` is of a domain that is not in `user_domains`"), "{other_domain}");
    let no_domain = fixture.refusal(USER, &json!({"preferred_username": "ana.oneill"})).await;
    assert!(no_domain.contains("has no domain"), "{no_domain}");
}

#[tokio::test]
async fn keycloak_token_of_a_service_account_names_the_client_of_the_configuration() {
    let fixture = Fixture::start(CONFIGURATION);
    assert_eq!(fixture.user_name_at_lrs(SERVICE_ACCOUNT, &json!({})).await, "nightly.enrolment");
    let unknown = json!({"azp": "unknown-client", "client_id": "unknown-client", "preferred_username": "service-account-unknown-client"});
    let detail = fixture.refusal(SERVICE_ACCOUNT, &unknown).await;
    assert!(detail.contains("add the client's id to `clients` of the issuer"), "{detail}");
    // The service account of another client, and a person who logged in with the client of the program.
    fixture.refusal(SERVICE_ACCOUNT, &json!({"azp": "mis-web", "client_id": null})).await;
    fixture.refusal(USER, &json!({"azp": "mis-nightly", "preferred_username": null})).await;
    assert_eq!(fixture.user_name_at_lrs(USER, &json!({"azp": "mis-nightly"})).await, "ana.oneill");
}
