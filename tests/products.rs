//! Products that share something, and are switched on apart.

use lrs_gateway::domain::Product;
use serde_json::{Value, json};

use crate::support::caller::PROVIDER;
use crate::support::gateway::{Options, organisation};
use crate::support::{SimulatedLrs, TestGateway};

/// Posts to a gateway whose organisation has one product only. LRS has switched on all of them. Returns the status.
async fn status_with(product: Product, path: &str, body: &Value) -> u16 {
    let lrs = SimulatedLrs::with(&crate::support::simulator::settings_for_both_organisations());
    let organisations = vec![organisation(PROVIDER, "demo-password-01", &[product])];
    let gateway = TestGateway::with(&lrs.url(), Options { organisations, ..Options::default() });
    let answer = gateway.caller().post(path, body).await;
    if answer.status == 403 {
        let problem = answer.problem(403, "product_not_enabled");
        assert!(lrs.simulator.request_counts().is_empty(), "nothing was sent: {problem}");
    }
    answer.status
}

#[tokio::test]
async fn products_for_verification_singly_and_in_batches_are_apart() {
    let single = json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"});
    let batch = json!({"learners": [single]});
    for (product, expected) in [(Product::Verification, [200, 403]), (Product::VerificationBatches, [403, 202])] {
        let statuses =
            [status_with(product, "/v1/learners/verify", &single).await, status_with(product, "/v1/verification-batches", &batch).await];
        assert_eq!(statuses, expected, "{product:?}");
    }
}

#[tokio::test]
async fn product_for_retrieving_ulns_is_its_own() {
    let body = json!({"ulns": ["3000000126"]});
    assert_eq!(status_with(Product::UlnManagement, "/v1/learners/retrieve-ulns", &body).await, 403);
    assert_eq!(status_with(Product::RetrieveUlns, "/v1/learners/retrieve-ulns", &body).await, 200);
}
