//! The example configurations of the three deployment models (docs/DEPLOYMENT.md): unchanged, with the files that they name, they serve.

use std::path::Path;

use jsonwebtoken::Algorithm;
use lrs_gateway::domain::{OrganisationRef, Product, Ukprn};
use lrs_gateway::schema::Scalar as _;
use lrs_gateway::simulator::{SimulatedOrganisation, SimulatorSettings};
use serde_json::{Value, json};

use crate::support::certificates::{CertificateAuthority, fixture};
use crate::support::identity_provider::{IdentityProvider, SigningKey};
use crate::support::program::{ConfigDirectory, ServingProgram, run_with, stderr};
use crate::support::redis::TestRedis;
use crate::support::{Caller, SimulatedLrs};

const PASSWORD: &str = "example-password";
const FIND: &str = "/v1/learners/find-by-uln";
const VERIFY: &str = "/v1/learners/verify";
const ORGANISATION: &str = "/v1/organisation";

/// A search for a learner of the simulator.
fn search() -> Value {
    json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"})
}

/// A simulated LRS with the organisations of the examples.
fn simulated_lrs() -> SimulatedLrs {
    let organisations = [("10012345", None), ("10023456", Some("EXAMP1")), ("10034567", None), ("10045678", None)];
    let organisations = organisations.map(|(ukprn, reference)| SimulatedOrganisation {
        ukprn: Ukprn::parse(ukprn).expect("a UKPRN"),
        organisation_ref: reference.map(|reference| OrganisationRef::parse(reference).expect("a reference")),
        password: PASSWORD.into(),
        products: vec![Product::UlnManagement, Product::Verification],
    });
    SimulatedLrs::with(&SimulatorSettings { organisations: organisations.into(), ..SimulatorSettings::default() })
}

/// Copies an example, and writes the files that it names.
fn copy_example(model: &str, authority: &CertificateAuthority, key: &SigningKey) -> ConfigDirectory {
    let directory = ConfigDirectory::new("http://127.0.0.1:1");
    std::fs::remove_dir_all(directory.path("organisations")).expect("the directory is removed");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/deployment").join(model);
    let read = |name: &str| std::fs::read_to_string(example.join(name)).expect(name);
    directory.write("gateway.toml", &read("gateway.toml"));
    for file in std::fs::read_dir(example.join("organisations")).expect("the directory") {
        let name = file.expect("a file").file_name().into_string().expect("a name in UTF-8");
        let ukprn = name.strip_suffix(".toml").expect("an organisation file").to_owned();
        directory.write(&format!("organisations/{name}"), &read(&format!("organisations/{name}")));
        directory.write(&format!("organisations/{ukprn}.password"), PASSWORD);
        let [certificate, certificate_key] = authority.certify(&ukprn);
        directory.write(&format!("organisations/{ukprn}.pem"), &certificate);
        directory.write(&format!("organisations/{ukprn}.key.pem"), &certificate_key);
        std::fs::write(directory.path(&format!("organisations/{ukprn}.pfx")), fixture("modern.pfx")).expect("the archive is written");
        directory.write(&format!("organisations/{ukprn}.pfx.password"), "p\u{e4}ssword 1\n");
    }
    let [certificate, certificate_key] = authority.certify("127.0.0.1");
    directory.write("tls/gateway.pem", &certificate);
    directory.write("tls/gateway.key.pem", &certificate_key);
    directory.write("secrets/store.key", &"01".repeat(32));
    directory.write("secrets/audit.key", &"02".repeat(32));
    directory.write("idp.public.pem", &key.public_pem());
    std::fs::create_dir_all(directory.path("audit")).expect("the directory is created");
    directory
}

/// A gateway that serves with an example. Environment variables replace only the addresses.
struct Fixture {
    url: String,
    key: SigningKey,
    http: reqwest::Client,
    _gateway: ServingProgram,
    _dependencies: (SimulatedLrs, TestRedis, IdentityProvider, ConfigDirectory),
}

impl Fixture {
    /// Starts the gateway with the example of this model, whose issuer signs with this algorithm. Asserts that `check-config` accepts it.
    fn start(model: &str, algorithm: Algorithm) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let (lrs, redis, authority) = (simulated_lrs(), TestRedis::start(), CertificateAuthority::new());
        let key = SigningKey::with_algorithm("one", algorithm);
        let provider = IdentityProvider::publishing(&[&key]);
        let directory = copy_example(model, &authority, &key);
        let config = std::fs::read_to_string(directory.path("gateway.toml")).expect("the file exists");
        let (lrs_url, redis_url, jwks_url) = (lrs.url(), redis.url(), provider.url());
        let mut variables = vec![
            ("LRS_GATEWAY__SERVER__LISTEN", "127.0.0.1:0"),
            ("LRS_GATEWAY__SERVER__ADMIN_LISTEN", "127.0.0.1:0"),
            ("LRS_GATEWAY__LRS__ENVIRONMENT", "custom"),
            ("LRS_GATEWAY__LRS__BASE_URL", &lrs_url),
        ];
        if config.contains("\nredis_url") {
            variables.push(("LRS_GATEWAY__STORE__REDIS_URL", &redis_url));
        }
        if config.contains("\njwks_url") {
            variables.push(("LRS_GATEWAY__AUTH__ISSUERS__0__JWKS_URL", &jwks_url));
        }
        let check = run_with(&["check-config", "--config", &directory.config_path()], &variables);
        assert!(check.status.success(), "{}", stderr(&check));
        let gateway = ServingProgram::with(&directory, &variables);
        let url = if config.contains("\ntls =") { gateway.api.replace("http:", "https:") } else { gateway.api.clone() };
        let root = std::fs::read(authority.ca_file()).expect("the file exists");
        let root = reqwest::Certificate::from_pem(&root).expect("a certificate");
        let http = crate::support::http_client_builder().tls_certs_only([root]).build().expect("a client");
        Self { url, key, http, _gateway: gateway, _dependencies: (lrs, redis, provider, directory) }
    }

    /// A caller whose token has these claims of the organisation and the person, and no others.
    fn caller(&self, issuer: &str, mut claims: Value) -> Caller {
        claims["iss"] = json!(issuer);
        for default_claim in ["org", "preferred_username"] {
            if claims.get(default_claim).is_none() {
                claims[default_claim] = Value::Null;
            }
        }
        Caller::new(self.url.clone()).with_client(self.http.clone()).with_token(&self.key.token(claims))
    }
}

#[tokio::test]
async fn deployment_internet_serves_registered_organisations_with_their_products_only() {
    let fixture = Fixture::start("internet", Algorithm::RS256);
    let caller = |claims| fixture.caller("https://login.supplier.example/", claims);
    let person_of = |ukprn: &str| caller(json!({"lrs": {"ukprn": ukprn}, "preferred_username": "j.bloggs"}));

    person_of("10012345").post(FIND, &search()).await.expect_success();
    person_of("10023456").post(VERIFY, &search()).await.expect_success();
    person_of("10023456").post(FIND, &search()).await.problem(403, "product_not_enabled");
    person_of("10099999").post(FIND, &search()).await.problem(403, "organisation_not_registered");
    caller(json!({"preferred_username": "j.bloggs"})).post(FIND, &search()).await.problem(403, "organisation_not_registered");
    caller(json!({"lrs": {"ukprn": "10012345"}})).post(FIND, &search()).await.problem(403, "user_name_unusable");
    person_of("10012345").with_authorization(None).post(FIND, &search()).await.problem(401, "missing_token");

    let own = person_of("10023456").request("GET", ORGANISATION).await.expect_success();
    assert_eq!((&own["organisationRef"], &own["limits"]["organisation"]["perMinute"]), (&json!("EXAMP1"), &json!(1200)), "{own}");
}

#[tokio::test]
async fn deployment_client_site_serves_one_organisation_over_tls_only() {
    let fixture = Fixture::start("client-site", Algorithm::RS256);
    let caller = fixture.caller("https://adfs.college.example/", json!({"org": "10012345", "preferred_username": "j.bloggs"}));
    caller.post(FIND, &search()).await.expect_success();
    let own = caller.request("GET", ORGANISATION).await.expect_success();
    assert_eq!(own["clientCertificate"]["status"], "VALID", "{own}");

    let http = crate::support::http_client_builder().build().expect("a client");
    let answer = http.get(fixture.url.replace("https", "http")).send().await;
    assert!(answer.as_ref().map_or(true, |answer| !answer.status().is_success()), "plain HTTP is served: {answer:?}");
}

#[tokio::test]
async fn deployment_agent_serves_several_organisations_and_requires_one_in_the_token() {
    let fixture = Fixture::start("agent", Algorithm::ES256);
    let person_of = |organisation: Value| {
        let claims = json!({"organisation": organisation, "email": "p.agent@agent.example"});
        fixture.caller("https://id.agent.example/realms/lrs", claims)
    };
    for ukprn in ["10034567", "10045678"] {
        let own = person_of(json!(ukprn)).request("GET", ORGANISATION).await.expect_success();
        assert_eq!(own["ukprn"], ukprn);
        person_of(json!(ukprn)).post(FIND, &search()).await.expect_success();
    }
    for several in [json!(["10034567", "10045678"]), json!("10034567 10045678"), json!("10034567,10045678")] {
        person_of(several).post(FIND, &search()).await.problem(403, "organisation_not_registered");
    }
}
