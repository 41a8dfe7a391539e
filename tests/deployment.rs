//! The examples of the three deployment models, as they are: what they name is put beside them, and then they serve.

use std::path::Path;

use jsonwebtoken::Algorithm;
use lrs_gateway::domain::{OrganisationRef, Product, Ukprn};
use lrs_gateway::schema::Scalar as _;
use lrs_gateway::simulator::{SimulatedOrganisation, SimulatorSettings};
use serde_json::{Value, json};

use crate::support::certificates::{Authority, fixture};
use crate::support::identity_provider::{IdentityProvider, SigningKey};
use crate::support::program::{ConfigDirectory, TestProgram, run_with};
use crate::support::redis::TestRedis;
use crate::support::{Caller, SimulatedLrs};

const PASSWORD: &str = "example-password";
const FIND: &str = "/v1/learners/find-by-uln";

fn ana() -> Value {
    json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"})
}

/// An LRS that knows the organisations of the examples.
fn lrs() -> SimulatedLrs {
    let known = [("10012345", None), ("10023456", Some("EXAMP1")), ("10034567", None), ("10045678", None)];
    let organisations = known.map(|(ukprn, reference)| SimulatedOrganisation {
        ukprn: Ukprn::parse(ukprn).expect("a UKPRN"),
        organisation_ref: reference.map(|reference| OrganisationRef::parse(reference).expect("a reference")),
        password: PASSWORD.into(),
        products: vec![Product::UlnManagement, Product::Verification],
    });
    SimulatedLrs::with(&SimulatorSettings { organisations: organisations.into(), ..SimulatorSettings::default() })
}

/// A copy of an example, with everything it names.
fn example(model: &str, authority: &Authority, key: &SigningKey) -> ConfigDirectory {
    let setup = ConfigDirectory::new("http://127.0.0.1:1");
    std::fs::remove_dir_all(setup.path("organisations")).expect("there is one");
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/deployment").join(model);
    let read = |name: &str| std::fs::read_to_string(from.join(name)).expect(name);
    setup.write("gateway.toml", &read("gateway.toml"));
    for file in std::fs::read_dir(from.join("organisations")).expect("a directory") {
        let name = file.expect("a file").file_name().into_string().expect("a name");
        let ukprn = name.strip_suffix(".toml").expect("a file of an organisation").to_owned();
        setup.write(&format!("organisations/{name}"), &read(&format!("organisations/{name}")));
        setup.write(&format!("organisations/{ukprn}.password"), PASSWORD);
        let [certificate, certificate_key] = authority.certify(&ukprn);
        setup.write(&format!("organisations/{ukprn}.pem"), &certificate);
        setup.write(&format!("organisations/{ukprn}.key.pem"), &certificate_key);
        std::fs::write(setup.path(&format!("organisations/{ukprn}.pfx")), fixture("modern.pfx")).expect("written");
        setup.write(&format!("organisations/{ukprn}.pfx.password"), "p\u{e4}ssword 1\n");
    }
    let [certificate, certificate_key] = authority.certify("127.0.0.1");
    setup.write("tls/gateway.pem", &certificate);
    setup.write("tls/gateway.key.pem", &certificate_key);
    setup.write("secrets/store.key", &"01".repeat(32));
    setup.write("secrets/audit.key", &"02".repeat(32));
    setup.write("idp.public.pem", &key.public_pem());
    std::fs::create_dir_all(setup.path("audit")).expect("made");
    setup
}

/// An example, serving. Only addresses are others than in its file.
struct Scene {
    url: String,
    key: SigningKey,
    http: reqwest::Client,
    _program: TestProgram,
    _others: (SimulatedLrs, TestRedis, IdentityProvider, ConfigDirectory),
}

impl Scene {
    fn start(model: &str, algorithm: Algorithm) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let (lrs, redis, authority, key) = (lrs(), TestRedis::start(), Authority::new(), SigningKey::of("one", algorithm));
        let provider = IdentityProvider::publishing(&[&key]);
        let setup = example(model, &authority, &key);
        let config = std::fs::read_to_string(setup.path("gateway.toml")).expect("written");
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
        let checked = run_with(&["check-config", "--config", &setup.config()], &variables);
        assert!(checked.status.success(), "{}", crate::support::program::stderr(&checked));
        let mut program = TestProgram::start(&["serve", "--config", &setup.config()], &variables);
        let address = program.wait_for("serving")["api"].as_str().expect("an address").to_owned();
        let scheme = if config.contains("\ntls =") { "https" } else { "http" };
        let root = std::fs::read(authority.ca_file()).expect("written");
        let root = reqwest::Certificate::from_pem(&root).expect("a certificate");
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([root]).build().expect("a client");
        Self { url: format!("{scheme}://{address}"), key, http, _program: program, _others: (lrs, redis, provider, setup) }
    }

    fn caller(&self, issuer: &str, claims: Value) -> Caller {
        let mut claims = claims;
        claims["iss"] = json!(issuer);
        for usual in ["org", "preferred_username"] {
            if claims.get(usual).is_none() {
                claims[usual] = Value::Null;
            }
        }
        Caller::new(self.url.clone()).through(self.http.clone()).with_token(&self.key.token(claims))
    }
}

#[tokio::test]
async fn internet_a_supplier_serves_its_customers_and_nobody_else() {
    let scene = Scene::start("internet", Algorithm::RS256);
    let person = |ukprn: &str| json!({"lrs": {"ukprn": ukprn}, "preferred_username": "j.bloggs"});
    let caller = |claims| scene.caller("https://login.supplier.example/", claims);
    caller(person("10012345")).post(FIND, &ana()).await.expect_success();
    caller(person("10023456")).post("/v1/learners/verify", &ana()).await.expect_success();
    caller(person("10023456")).post(FIND, &ana()).await.problem(403, "product_not_enabled");
    caller(person("10099999")).post(FIND, &ana()).await.problem(403, "organisation_not_registered");
    caller(json!({"preferred_username": "j.bloggs"})).post(FIND, &ana()).await.problem(403, "organisation_not_registered");
    caller(json!({"lrs": {"ukprn": "10012345"}})).post(FIND, &ana()).await.problem(403, "user_name_unusable");
    caller(person("10012345")).with_authorization(None).post(FIND, &ana()).await.problem(401, "missing_token");
    let own = caller(person("10023456")).request("GET", "/v1/organisation").await.expect_success();
    assert_eq!((&own["organisationRef"], &own["limits"]["organisation"]["perMinute"]), (&json!("EXAMP1"), &json!(1200)), "{own}");
}

#[tokio::test]
async fn client_site_a_college_serves_itself_over_tls() {
    let scene = Scene::start("client-site", Algorithm::RS256);
    let caller = scene.caller("https://adfs.college.example/", json!({"org": "10012345", "preferred_username": "j.bloggs"}));
    caller.post(FIND, &ana()).await.expect_success();
    let own = caller.request("GET", "/v1/organisation").await.expect_success();
    assert_eq!(own["clientCertificate"]["status"], "VALID", "{own}");
    // Plain HTTP is not served.
    let plain = reqwest::Client::builder().no_proxy().build().expect("a client").get(scene.url.replace("https", "http")).send().await;
    assert!(plain.is_err() || plain.is_ok_and(|answer| !answer.status().is_success()));
}

#[tokio::test]
async fn agent_a_token_is_for_one_organisation_at_a_time() {
    let scene = Scene::start("agent", Algorithm::ES256);
    let caller = |claims| scene.caller("https://id.agent.example/realms/lrs", claims);
    let person = |organisation: Value| json!({"organisation": organisation, "email": "p.agent@agent.example"});
    for ukprn in ["10034567", "10045678"] {
        let own = caller(person(json!(ukprn))).request("GET", "/v1/organisation").await.expect_success();
        assert_eq!(own["ukprn"], ukprn);
        caller(person(json!(ukprn))).post(FIND, &ana()).await.expect_success();
    }
    for several in [json!(["10034567", "10045678"]), json!("10034567 10045678"), json!("10034567,10045678")] {
        caller(person(several)).post(FIND, &ana()).await.problem(403, "organisation_not_registered");
    }
}
