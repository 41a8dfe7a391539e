//! Organisations do not mix: passwords, persons, connections, certificates.

use std::collections::{BTreeMap, BTreeSet};

use lrs_gateway::api::organisation::CertificateState;
use lrs_gateway::domain::Product;
use lrs_gateway::lrs::http_client::TlsBackend;
use lrs_gateway::organisations::{ClientCertificate, LimitOverride, RateOverrides};
use lrs_gateway::simulator::{SimulatorSettings, TlsFiles};
use lrs_gateway::tls::Validity;
use serde_json::json;

use crate::support::caller::PROVIDER;
use crate::support::certificates::{Authority, fixture};
use crate::support::fake_server::{Reply, soap};
use crate::support::gateway::{AWARDING, Options, organisation, organisation_with_certificate};
use crate::support::{FakeServer, SimulatedLrs, TestGateway};

const FIND: &str = "/v1/learners/find-by-uln";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_interleaved_calls_never_carry_anothers_password_or_share_a_connection() {
    const CALLS: usize = 4000;
    let peer = FakeServer::start(|request| {
        let name = request.body.split("<GivenName>").nth(1).and_then(|rest| rest.split('<').next()).unwrap_or_default();
        Reply::Bytes(soap(
            200,
            &format!(
                "<n:FindLearnerResponse xmlns:n=\"http://api.lrs.miap.gov.uk/findmsg\"><ResponseCode>WSRC0001</ResponseCode><GivenName>{name}</GivenName></n:FindLearnerResponse>"
            ),
        ))
    });
    let organisations = vec![
        organisation(PROVIDER, "password-of-one-", &[Product::UlnManagement]),
        organisation(AWARDING, "password-of-two-", &[Product::UlnManagement]),
    ];
    let gateway = TestGateway::with(&peer.url(), Options { organisations, ..Options::default() });
    let callers = [PROVIDER, AWARDING]
        .map(|ukprn| gateway.caller().with_claims(json!({"org": ukprn, "preferred_username": format!("person of {ukprn}")})));
    let calls = (0..CALLS).map(|number| {
        let caller = &callers[number % 2];
        async move {
            let name = format!("call {number}");
            let found = caller.post(FIND, &json!({"uln": "3000000126", "givenName": name, "familyName": "x"})).await.expect_success();
            assert_eq!(found["searched"]["givenName"], name, "the answer to this very call");
        }
    });
    futures_util::StreamExt::for_each_concurrent(futures_util::stream::iter(calls), 32, |call| call).await;

    let received = peer.received();
    assert_eq!(received.len(), CALLS);
    let mut passwords_of_connection: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
    for request in &received {
        let (password, expected) = [(PROVIDER, "password-of-one-"), (AWARDING, "password-of-two-")]
            .iter()
            .find(|(ukprn, _)| request.body.contains(&format!("<UKPRN>{ukprn}</UKPRN>")))
            .map(|(ukprn, password)| (*password, format!("<OrgPassword>{password}</OrgPassword><UserName>person of {ukprn}</UserName>")))
            .expect("one of the two");
        assert!(request.body.contains(&expected), "password and person of the same organisation");
        passwords_of_connection.entry(request.connection).or_default().insert(password);
    }
    assert!(passwords_of_connection.values().all(|passwords| passwords.len() == 1), "no connection is shared: {passwords_of_connection:?}");
    assert!(passwords_of_connection.len() < CALLS / 10, "connections are kept: {}", passwords_of_connection.len());
}

#[tokio::test]
async fn lrs_that_asks_for_certificates_lets_in_who_has_one() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (certificate_file, key_file) = authority.issue("127.0.0.1");
    let tls = TlsFiles { certificate_file, key_file, client_ca_file: Some(authority.ca_file()) };
    let lrs = SimulatedLrs::with(&SimulatorSettings { tls: Some(tls), ..SimulatorSettings::default() });
    let search = json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"});
    let url = lrs.url().replace("http:", "https:");
    let gateway_with = |files| {
        let organisation = organisation_with_certificate(PROVIDER, "demo-password-01", TlsBackend::Rustls, &authority.ca_file(), files);
        TestGateway::with(&url, Options { organisations: vec![organisation], ..Options::default() })
    };

    let found = gateway_with(Some(authority.issue("college"))).caller().post(FIND, &search).await.expect_success();
    assert_eq!(found["outcome"], "EXACT_MATCH");
    for refused in [None, Some(stranger.issue("college"))] {
        gateway_with(refused).caller().post(FIND, &search).await.problem(502, "lrs_credentials_rejected");
    }

    // A server that our roots do not vouch for is not LRS: nothing is sent to it.
    let organisation = organisation_with_certificate(
        PROVIDER,
        "demo-password-01",
        TlsBackend::Rustls,
        &stranger.ca_file(),
        Some(authority.issue("college")),
    );
    let gateway = TestGateway::with(&url, Options { organisations: vec![organisation], ..Options::default() });
    gateway.caller().post(FIND, &search).await.problem(503, "lrs_unavailable");
}

#[test]
fn a_key_that_does_not_belong_to_the_certificate_is_noticed_at_once() {
    let authority = Authority::new();
    let ([certificate, _], [_, key]) = (authority.certify("one"), authority.certify("two"));
    let problem = ClientCertificate::from_pem(certificate.as_bytes(), key.as_bytes()).expect_err("they do not belong together");
    assert!(problem.contains("does not belong"), "{problem}");
}

#[test]
fn a_chain_begins_with_the_organisations_own_certificate_and_goes_up_in_order() {
    let [own, issuer, root, key] = ["college.pem", "issuer.pem", "root.pem", "college.key"].map(fixture);
    for good in [vec![&own], vec![&own, &issuer], vec![&own, &issuer, &root]] {
        let pem: Vec<u8> = good.into_iter().flatten().copied().collect();
        assert!(ClientCertificate::from_pem(&pem, &key).is_ok());
    }
    for (wrong, said) in [(vec![&issuer, &own], "must come first"), (vec![&own, &root], "certificate 2 is not the issuer")] {
        let pem: Vec<u8> = wrong.into_iter().flatten().copied().collect();
        let problem = ClientCertificate::from_pem(&pem, &key).expect_err(said);
        assert!(problem.contains(said), "{problem}");
    }
}

#[test]
fn archives_of_today_and_of_lrss_early_years_can_be_opened() {
    const PASSWORD: &str = "p\u{e4}ssword 1";
    for (name, password) in
        [("modern.pfx", PASSWORD), ("legacy.pfx", PASSWORD), ("triple-des.pfx", PASSWORD), ("ec.pfx", PASSWORD), ("no-password.pfx", "")]
    {
        let identity = ClientCertificate::from_pkcs12(&fixture(name), password).unwrap_or_else(|problem| panic!("{name}: {problem}"));
        assert!(identity.validity.is_current(), "{name}");
        let expected = if name == "no-password.pfx" { 1 } else { 2 };
        assert_eq!(identity.chain_length(), expected, "{name}: with its issuer, without the root");
    }
    let mut cut = fixture("modern.pfx");
    cut.truncate(1000);
    for (archive, password, said) in [
        (fixture("modern.pfx"), "another", "the password is wrong"),
        (fixture("legacy.pfx"), "", "the password is wrong"),
        (cut, PASSWORD, "the file is not PKCS#12"),
        (fixture("college.pem"), PASSWORD, "the file is not PKCS#12"),
        (fixture("no-key.pfx"), PASSWORD, "contains no certificate with its private key"),
    ] {
        let problem = ClientCertificate::from_pkcs12(&archive, password).expect_err(said);
        assert!(problem.contains(said), "{problem}");
    }
}

#[tokio::test]
async fn an_organisation_can_read_about_itself() {
    let (lrs, authority) = (SimulatedLrs::start(), Authority::new());
    let with = |files| organisation_with_certificate(PROVIDER, "demo-password-01", TlsBackend::Rustls, &authority.ca_file(), files);
    let gateway = |organisation| TestGateway::with(&lrs.url(), Options { organisations: vec![organisation], ..Options::default() });
    let plain = gateway(with(None)).caller().request("GET", "/v1/organisation").await.expect_success();
    assert_eq!((&plain["ukprn"], &plain["name"], &plain["products"]), (&json!(PROVIDER), &json!("A test"), &json!(["uln-management"])));
    assert!(plain.get("clientCertificate").is_none() && plain.get("organisationRef").is_none(), "{plain}");
    let own = RateOverrides { person: LimitOverride { per_minute: Some(7), burst: None }, ..RateOverrides::default() };
    let certified = gateway(with(Some(authority.issue("college"))).with_rate_overrides(own));
    // Whoever has a token of the organisation may know, with any scope or none.
    let told = certified.caller().with_claims(json!({"scope": ""})).request("GET", "/v1/organisation").await.expect_success();
    assert_eq!(told["limits"]["person"]["perMinute"], 7, "{told}");
    assert_eq!(told["clientCertificate"]["validUntil"], "2099-01-01T00:00:00.000Z", "{told}");
    assert_eq!(told["clientCertificate"]["status"], "VALID");
    let status = |year: i16, month: i8, day: i8| {
        let not_after = jiff::civil::date(year, month, day).to_zoned(jiff::tz::TimeZone::UTC).expect("a day").timestamp();
        serde_json::to_value(CertificateState::from(Validity { not_before: jiff::Timestamp::UNIX_EPOCH, not_after })).expect("JSON")["status"].clone()
    };
    let soon = jiff::Zoned::now().date().checked_add(jiff::Span::new().days(20)).expect("a day");
    assert_eq!([status(2020, 1, 1), status(soon.year(), soon.month(), soon.day())], [json!("NOT_VALID"), json!("EXPIRES_SOON")]);
}
