//! Identity providers as they are: the worked configurations in `examples/identity-providers/`, unchanged, with tokens as the providers write
//! them. Each test calls a gateway process and reads which user name LRS receives.

mod keycloak;
mod microsoft_entra;
mod sections;

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::support::caller::Answer;
use crate::support::fake_server::soap;
use crate::support::identity_provider::{IdentityProvider, SigningKey};
use crate::support::program::{ConfigDirectory, ServingProgram};
use crate::support::{Caller, FakeServer};

const FIND: &str = "/v1/learners/find-by-uln";

/// A gateway whose issuers are those of a configuration. Their key sets are at an identity provider of this machine.
struct Fixture {
    gateway: ServingProgram,
    lrs: FakeServer,
    key: SigningKey,
    provider: IdentityProvider,
    _directory: ConfigDirectory,
}

impl Fixture {
    /// Starts the gateway with these sections of issuers.
    fn start(issuers: &str) -> Self {
        let lrs = FakeServer::with_response(soap(
            200,
            "<n:FindLearnerResponse xmlns:n=\"http://api.lrs.miap.gov.uk/findmsg\"><ResponseCode>WSRC0001</ResponseCode></n:FindLearnerResponse>",
        ));
        let key = SigningKey::with_algorithm("one", Algorithm::RS256);
        let provider = IdentityProvider::publishing(&[&key]);
        let directory = ConfigDirectory::new(&lrs.url());
        directory.configure(|config| {
            let (before, rest) = config.split_once("[[auth.issuers]]").expect("the configuration has an issuer");
            let (_, after) = rest.split_once("[lrs]").expect("the section of LRS follows");
            format!("{before}{issuers}\n[lrs]{after}")
        });
        let names: Vec<String> = (0..issuers.matches("[[auth.issuers]]").count())
            .map(|number| format!("LRS_GATEWAY__AUTH__ISSUERS__{number}__JWKS_URL"))
            .collect();
        let url = provider.url();
        let variables: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), url.as_str())).collect();
        let gateway = ServingProgram::with(&directory, &variables);
        Self { gateway, lrs, key, provider, _directory: directory }
    }

    /// Calls an operation with a token of this shape, which is valid for an hour. `changes` replace claims; `null` removes one.
    async fn call(&self, shape: &str, changes: &Value) -> Answer {
        let mut claims: Value = serde_json::from_str(shape).expect("a token shape is JSON");
        let now = jiff::Timestamp::now().as_second();
        (claims["iat"], claims["nbf"], claims["exp"]) = (json!(now), json!(now), json!(now + 3600));
        for default_claim in ["org", "preferred_username", "scope"] {
            if claims.get(default_claim).is_none() {
                claims[default_claim] = Value::Null;
            }
        }
        for (name, value) in changes.as_object().expect("changes are an object") {
            claims[name] = value.clone();
        }
        let search = json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"});
        Caller::new(self.gateway.api.clone()).with_token(&self.key.token(claims)).post(FIND, &search).await
    }

    /// Calls an operation, and returns the user name that LRS receives.
    async fn user_name_at_lrs(&self, shape: &str, changes: &Value) -> String {
        let earlier = self.lrs.received().len();
        self.call(shape, changes).await.expect_success();
        let received = self.lrs.received();
        assert_eq!(received.len(), earlier + 1, "one call");
        let (_, rest) = received[earlier].body.split_once("<UserName>").expect("the request has a user name");
        rest.split_once("</UserName>").expect("the element ends").0.to_owned()
    }

    /// Calls an operation that is refused for its user name. Asserts that LRS is not called and that nothing of the token is repeated. Returns
    /// the detail.
    async fn refusal(&self, shape: &str, changes: &Value) -> String {
        let earlier = self.lrs.received().len();
        let problem = self.call(shape, changes).await.problem(403, "user_name_unusable");
        assert_eq!(self.lrs.received().len(), earlier, "LRS is not called");
        let detail = problem["detail"].as_str().expect("a problem has a detail").to_owned();
        for personal in ["oneill", "other.example", "mis-", "8b1f0a52", "unknown-client"] {
            assert!(!detail.contains(personal), "{detail}");
        }
        detail
    }
}
