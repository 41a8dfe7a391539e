//! Tokens of Microsoft Entra.

use serde_json::json;

use super::Fixture;

const CONFIGURATION: &str = include_str!("../../examples/identity-providers/microsoft-entra.toml");
const USER: &str = include_str!("entra-user.json");
const APPLICATION: &str = include_str!("entra-application.json");

#[tokio::test]
async fn entra_token_of_a_person_names_them_without_their_domain() {
    let fixture = Fixture::start(CONFIGURATION);
    assert_eq!(fixture.user_name_at_lrs(USER, &json!({})).await, "ana.oneill");
    assert_eq!(fixture.user_name_at_lrs(USER, &json!({"upn": null})).await, "ana.oneill", "the second claim");
    fixture.refusal(USER, &json!({"upn": "ana_other.example#EXT#@college.onmicrosoft.example"})).await;
}

#[tokio::test]
async fn entra_role_of_a_person_does_not_widen_the_scopes_of_their_client() {
    let fixture = Fixture::start(CONFIGURATION);
    let changes = json!({"scp": "learners:write", "roles": ["learners:read"]});
    fixture.call(USER, &changes).await.problem(403, "insufficient_scope");
}

#[tokio::test]
async fn entra_role_of_a_person_without_scp_is_no_scope() {
    let fixture = Fixture::start(CONFIGURATION);
    let roles = json!(["learners:read"]);
    fixture.call(USER, &json!({"scp": null, "roles": roles})).await.problem(403, "insufficient_scope");
    let for_programs = json!({"aud": "6e5d4c3b-2a19-4807-96f5-e4d3c2b1a098", "ukprn": "10088881", "scp": null, "roles": roles});
    fixture.call(USER, &for_programs).await.problem(403, "insufficient_scope");
}

#[tokio::test]
async fn entra_guest_is_refused_for_the_api_of_programs() {
    let fixture = Fixture::start(CONFIGURATION);
    let guest = json!({
        "aud": "6e5d4c3b-2a19-4807-96f5-e4d3c2b1a098", "ukprn": "10088881", "preferred_username": "ana@other.example",
    });
    let detail = fixture.refusal(USER, &guest).await;
    assert!(detail.contains("`user_domains`"), "{detail}");
}

#[tokio::test]
async fn entra_role_of_a_person_is_a_scope_only_if_the_configuration_lists_the_claim() {
    let default = CONFIGURATION.replace("scope_claims = [\"scp\"]", "");
    assert_ne!(default, CONFIGURATION, "the section of people names its scope claim");
    let id_token = json!({"scp": null, "roles": ["learners:read"]});
    Fixture::start(&default).call(USER, &id_token).await.problem(403, "insufficient_scope");
    let explicit = CONFIGURATION.replace("scope_claims = [\"scp\"]", "scope_claims = [\"scp\", \"roles\"]");
    Fixture::start(&explicit).call(USER, &id_token).await.expect_success();
}

#[tokio::test]
async fn entra_token_of_an_application_names_the_client_of_the_configuration() {
    let fixture = Fixture::start(CONFIGURATION);
    assert_eq!(fixture.user_name_at_lrs(APPLICATION, &json!({})).await, "nightly.enrolment");
    assert_eq!(fixture.user_name_at_lrs(APPLICATION, &json!({"idtyp": null})).await, "nightly.enrolment", "idtyp is an optional claim");
    let detail = fixture.refusal(APPLICATION, &json!({"azp": "unknown-client"})).await;
    assert!(detail.contains("add the client's id to `clients` of the issuer"), "{detail}");
    let detail = fixture.refusal(APPLICATION, &json!({"azp": null})).await;
    assert!(detail.contains("`azp`, `client_id`, `appid`, `cid` are missing"), "{detail}");
}

#[tokio::test]
async fn entra_token_of_a_person_for_the_api_of_programs_is_refused() {
    let fixture = Fixture::start(CONFIGURATION);
    let audience = "6e5d4c3b-2a19-4807-96f5-e4d3c2b1a098";
    let as_person = json!({
        "aud": audience, "azp": "8b1f0a52-6d3e-4c7f-a1b2-c3d4e5f60718", "ukprn": "10088881", "roles": ["learners:read"],
        "upn": null, "preferred_username": null,
    });
    let detail = fixture.refusal(USER, &as_person).await;
    assert!(detail.contains("`preferred_username` is missing"), "the person does not get the name of the program: {detail}");
}

#[tokio::test]
async fn entra_token_for_the_api_of_people_that_is_an_applications_is_refused() {
    let fixture = Fixture::start(CONFIGURATION);
    let changes = json!({"aud": "1d2c3b4a-5f6e-4a7b-8c9d-0e1f2a3b4c5d", "extn.ukprn": "10088881"});
    fixture.call(APPLICATION, &changes).await.problem(403, "insufficient_scope");
}
