//! Isolation of organisations from each other (passwords, user names, connections), their client certificates, and what an organisation
//! can read about itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use lrs_gateway::api::organisation::CertificateState;
use lrs_gateway::domain::Product;
use lrs_gateway::lrs::http_client::TlsBackend;
use lrs_gateway::organisations::{ClientCertificate, LimitOverride, Organisation, RateOverrides};
use lrs_gateway::simulator::{SimulatorSettings, TlsFiles};
use lrs_gateway::tls::Validity;
use serde_json::{Value, json};

use crate::support::caller::{Answer, PROVIDER};
use crate::support::certificates::{CertificateAuthority, fixture};
use crate::support::fake_server::{Reply, soap};
use crate::support::gateway::{AWARDING, Options, organisation, organisation_with_certificate};
use crate::support::{FakeServer, SimulatedLrs, TestGateway};

const FIND: &str = "/v1/learners/find-by-uln";
const ORGANISATION: &str = "/v1/organisation";
const PASSWORD: &str = "demo-password-01";

fn search() -> Value {
    json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"})
}

/// An LRS that finds no learner and repeats the given name that it received.
fn echoing_lrs() -> FakeServer {
    FakeServer::start(|request| {
        let name = request.body.split("<GivenName>").nth(1).and_then(|rest| rest.split('<').next()).unwrap_or_default();
        Reply::Bytes(soap(
            200,
            &format!(
                "<n:FindLearnerResponse xmlns:n=\"http://api.lrs.miap.gov.uk/findmsg\"><ResponseCode>WSRC0001</ResponseCode><GivenName>{name}</GivenName></n:FindLearnerResponse>"
            ),
        ))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn organisations_concurrent_calls_use_own_password_user_name_and_connections() {
    const CALLS: usize = 4000;
    const PASSWORDS: [(&str, &str); 2] = [(PROVIDER, "password-of-one-"), (AWARDING, "password-of-two-")];
    let lrs = echoing_lrs();
    let organisations = PASSWORDS.map(|(ukprn, password)| organisation(ukprn, password, &[Product::UlnManagement])).into();
    let gateway = TestGateway::with(&lrs.url(), Options { organisations, ..Options::default() });
    let callers =
        PASSWORDS.map(|(ukprn, _)| gateway.caller().with_claims(json!({"org": ukprn, "preferred_username": format!("person of {ukprn}")})));

    let calls = (0..CALLS).map(|number| {
        let caller = &callers[number % 2];
        async move {
            let name = format!("call {number}");
            let found = caller.post(FIND, &json!({"uln": "3000000126", "givenName": name, "familyName": "x"})).await.expect_success();
            assert_eq!(found["searched"]["givenName"], name, "the answer belongs to another call");
        }
    });
    futures_util::StreamExt::for_each_concurrent(futures_util::stream::iter(calls), 32, |call| call).await;

    let received = lrs.received();
    assert_eq!(received.len(), CALLS);
    let mut passwords_by_connection: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
    for request in &received {
        let (ukprn, password) = PASSWORDS
            .into_iter()
            .find(|(ukprn, _)| request.body.contains(&format!("<UKPRN>{ukprn}</UKPRN>")))
            .expect("the UKPRN of one of the organisations");
        let credentials = format!("<OrgPassword>{password}</OrgPassword><UserName>person of {ukprn}</UserName>");
        assert!(request.body.contains(&credentials), "not the password and the user name of {ukprn}: {}", request.body);
        passwords_by_connection.entry(request.connection).or_default().insert(password);
    }
    let is_shared = passwords_by_connection.values().any(|passwords| passwords.len() > 1);
    assert!(!is_shared, "organisations share a connection: {passwords_by_connection:?}");
    assert!(passwords_by_connection.len() < CALLS / 10, "connections are not reused: {}", passwords_by_connection.len());
}

/// A simulated LRS that requires client certificates of an authority.
struct MutualTlsLrs {
    authority: CertificateAuthority,
    lrs: SimulatedLrs,
}

impl MutualTlsLrs {
    fn start() -> Self {
        let authority = CertificateAuthority::new();
        let (certificate_file, key_file) = authority.issue("127.0.0.1");
        let tls = TlsFiles { certificate_file, key_file, client_ca_file: Some(authority.ca_file()) };
        let lrs = SimulatedLrs::with(&SimulatorSettings { tls: Some(tls), ..SimulatorSettings::default() });
        Self { authority, lrs }
    }

    /// Searches through a gateway that trusts servers of this authority, and whose organisation has this certificate and key.
    async fn search(&self, trusted: &CertificateAuthority, client_files: Option<(PathBuf, PathBuf)>) -> Answer {
        let organisation = organisation_with_certificate(PROVIDER, PASSWORD, TlsBackend::Rustls, &trusted.ca_file(), client_files);
        let url = self.lrs.url().replace("http:", "https:");
        let gateway = TestGateway::with(&url, Options { organisations: vec![organisation], ..Options::default() });
        gateway.caller().post(FIND, &search()).await
    }

    /// The number of requests that the LRS received over a connection with a client certificate.
    fn requests_with_certificate(&self) -> usize {
        self.lrs.simulator.certificate_counts().values().sum()
    }
}

#[tokio::test]
async fn client_certificate_issued_by_authority_of_lrs_is_accepted() {
    let lrs = MutualTlsLrs::start();
    let answer = lrs.search(&lrs.authority, Some(lrs.authority.issue("college"))).await;
    assert_eq!(answer.expect_success()["outcome"], "EXACT_MATCH");
    assert_eq!(lrs.requests_with_certificate(), 1);
}

#[tokio::test]
async fn client_certificate_missing_or_of_other_authority_returns_lrs_credentials_rejected() {
    let (lrs, other_authority) = (MutualTlsLrs::start(), CertificateAuthority::new());
    for client_files in [None, Some(other_authority.issue("college"))] {
        lrs.search(&lrs.authority, client_files).await.problem(502, "lrs_credentials_rejected");
    }
}

#[tokio::test]
async fn server_certificate_of_untrusted_authority_returns_lrs_unavailable_and_sends_nothing() {
    let (lrs, other_authority) = (MutualTlsLrs::start(), CertificateAuthority::new());
    let answer = lrs.search(&other_authority, Some(lrs.authority.issue("college"))).await;
    answer.problem(503, "lrs_unavailable");
    assert_eq!(lrs.requests_with_certificate(), 0);
}

#[test]
fn client_certificate_with_key_of_another_is_rejected() {
    let authority = CertificateAuthority::new();
    let ([certificate, _], [_, key]) = (authority.certify("one"), authority.certify("two"));
    let error = ClientCertificate::from_pem(certificate.as_bytes(), key.as_bytes()).expect_err("the key does not match");
    assert!(error.contains("does not belong"), "{error}");
}

#[test]
fn client_certificate_chain_must_start_with_own_certificate_and_continue_in_order() {
    let [own, issuer, root, key] = ["college.pem", "issuer.pem", "root.pem", "college.key"].map(fixture);
    for valid in [vec![&own], vec![&own, &issuer], vec![&own, &issuer, &root]] {
        let pem: Vec<u8> = valid.into_iter().flatten().copied().collect();
        assert!(ClientCertificate::from_pem(&pem, &key).is_ok());
    }
    for (invalid, expected) in [(vec![&issuer, &own], "must come first"), (vec![&own, &root], "certificate 2 is not the issuer")] {
        let pem: Vec<u8> = invalid.into_iter().flatten().copied().collect();
        let error = ClientCertificate::from_pem(&pem, &key).expect_err(expected);
        assert!(error.contains(expected), "{error}");
    }
}

/// Password of the PKCS#12 files in tests/certificates.
const PFX_PASSWORD: &str = "p\u{e4}ssword 1";

#[test]
fn pkcs12_file_with_current_or_legacy_encryption_is_accepted() {
    for (name, password, chain_length) in [
        ("modern.pfx", PFX_PASSWORD, 2),
        ("legacy.pfx", PFX_PASSWORD, 2),
        ("triple-des.pfx", PFX_PASSWORD, 2),
        ("ec.pfx", PFX_PASSWORD, 2),
        ("no-password.pfx", "", 1),
    ] {
        let certificate = ClientCertificate::from_pkcs12(&fixture(name), password).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(certificate.details.validity.is_current(), "{name}");
        assert_eq!(certificate.chain_length(), chain_length, "{name}: the chain has the issuer, if the file has it, and not the root");
    }
}

#[test]
fn pkcs12_file_invalid_or_password_wrong_is_rejected() {
    let mut truncated = fixture("modern.pfx");
    truncated.truncate(1000);
    for (archive, password, expected) in [
        (fixture("modern.pfx"), "another", "the password is wrong"),
        (fixture("legacy.pfx"), "", "the password is wrong"),
        (truncated, PFX_PASSWORD, "the file is not PKCS#12"),
        (fixture("college.pem"), PFX_PASSWORD, "the file is not PKCS#12"),
        (fixture("no-key.pfx"), PFX_PASSWORD, "contains no certificate with its private key"),
    ] {
        let error = ClientCertificate::from_pkcs12(&archive, password).expect_err(expected);
        assert!(error.contains(expected), "{error}");
    }
}

/// Returns what an organisation, changed by `change`, reads about itself. The operation requires no scope.
async fn read_organisation(certificate: Option<(PathBuf, PathBuf)>, change: impl FnOnce(Organisation) -> Organisation) -> Value {
    let (lrs, authority) = (SimulatedLrs::start(), CertificateAuthority::new());
    let organisation = organisation_with_certificate(PROVIDER, PASSWORD, TlsBackend::Rustls, &authority.ca_file(), certificate);
    let options = Options { organisations: vec![change(organisation)], ..Options::default() };
    let gateway = TestGateway::with(&lrs.url(), options);
    gateway.caller().with_claims(json!({"scope": ""})).request("GET", ORGANISATION).await.expect_success()
}

#[tokio::test]
async fn own_organisation_without_certificate_returns_name_and_products() {
    let own = read_organisation(None, |organisation| organisation).await;
    assert_eq!((&own["ukprn"], &own["name"], &own["products"]), (&json!(PROVIDER), &json!("A test"), &json!(["uln-management"])));
    assert!(own.get("clientCertificate").is_none() && own.get("organisationRef").is_none(), "{own}");
}

#[tokio::test]
async fn own_organisation_with_rate_overrides_returns_its_limits() {
    let overrides = RateOverrides { person: LimitOverride { per_minute: Some(7), burst: None }, ..RateOverrides::default() };
    let own = read_organisation(None, |organisation| organisation.with_rate_overrides(overrides)).await;
    assert_eq!(own["limits"]["person"]["perMinute"], 7, "{own}");
}

#[tokio::test]
async fn own_organisation_with_certificate_returns_its_validity() {
    let authority = CertificateAuthority::new();
    let own = read_organisation(Some(authority.issue("college")), |organisation| organisation).await;
    assert_eq!(own["clientCertificate"]["validUntil"], "2099-01-01T00:00:00.000Z", "{own}");
    assert_eq!(own["clientCertificate"]["status"], "VALID", "{own}");
}

#[test]
fn client_certificate_status_depends_on_time_until_expiry() {
    let status_of = |not_after: jiff::civil::Date| {
        let not_after = not_after.to_zoned(jiff::tz::TimeZone::UTC).expect("a date").timestamp();
        let state = CertificateState::from(Validity { not_before: jiff::Timestamp::UNIX_EPOCH, not_after });
        serde_json::to_value(state).expect("JSON")["status"].clone()
    };
    let in_days = |days: i64| jiff::Zoned::now().date().checked_add(jiff::Span::new().days(days)).expect("a date");
    assert_eq!(status_of(jiff::civil::date(2020, 1, 1)), "NOT_VALID");
    assert_eq!(status_of(in_days(20)), "EXPIRES_SOON");
    assert_eq!(status_of(in_days(40)), "VALID");
}
