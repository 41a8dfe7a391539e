//! Time and allocations of the work for one call, without the network (`make bench`; figures in `docs/PERFORMANCE.md`).

use std::sync::Arc;
use std::time::Duration;

use divan::{AllocProfiler, Bencher, black_box};
use futures_util::FutureExt as _;
use lrs_gateway::auth::{Algorithm, ClaimNames, Issuer, IssuerKey, Principal, Verifier, sign_token};
use lrs_gateway::domain::{
    Achievement, BatchLearner, Date, DemographicSearch, FindType, Gender, LearnerRegistration, Name, Postcode, Ukprn, Uln, UlnSearch,
    UserName,
};
use lrs_gateway::lrs::http_client::HttpClientFactory;
use lrs_gateway::lrs::{MessageContext, Operation as _, Vendor, parse_response};
use lrs_gateway::organisations::{CallContext, Organisation, OrganisationPassword, OrganisationSettings};
use lrs_gateway::schema::Scalar;
use lrs_gateway::schema::deserialize::{FromDocument, from_json};
use rcgen::KeyPair;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

fn value<T: Scalar>(text: &str) -> T {
    T::parse(text).unwrap_or_else(|invalid| panic!("{text}: {}", invalid.detail))
}

fn request_context() -> CallContext {
    let clients = HttpClientFactory::new(None, Duration::from_secs(1)).expect("root certificates");
    let settings = OrganisationSettings {
        ukprn: value::<Ukprn>("10088881"),
        name: "Example".into(),
        organisation_ref: None,
        products: Vec::new(),
        password: OrganisationPassword::new("demo-password-01").expect("16 characters"),
        client_certificate: None,
    };
    let organisation = Organisation::new(settings, &clients).expect("an HTTP client");
    CallContext::new(Arc::new(organisation), value::<UserName>("j.bloggs"))
}

fn find_by_uln() -> UlnSearch {
    UlnSearch {
        find_type: FindType::Full,
        uln: value::<Uln>("3000000126"),
        family_name: value::<Name>("O'Neill"),
        given_name: value::<Name>("Ana"),
    }
}

#[divan::bench]
fn write_find_by_uln(bencher: Bencher<'_, '_>) {
    let (request, vendor, operation) = (request_context(), Vendor::default(), find_by_uln());
    let context = MessageContext { caller: &request, vendor: &vendor };
    bencher.bench(|| black_box(&operation).envelope(black_box(&context)).expect("an envelope"));
}

#[divan::bench]
fn write_find_by_demographics(bencher: Bencher<'_, '_>) {
    let operation = DemographicSearch {
        find_type: FindType::Full,
        family_name: value::<Name>("O'Neill & Søn"),
        given_name: value::<Name>("Ana"),
        date_of_birth: value::<Date>("2003-04-05"),
        gender: Gender::Female,
        last_known_post_code: value::<Postcode>("ZZ99 9ZZ"),
        previous_family_name: None,
        school_at_age16: None,
        place_of_birth: None,
        email_address: None,
    };
    let (request, vendor) = (request_context(), Vendor::default());
    let context = MessageContext { caller: &request, vendor: &vendor };
    bencher.bench(|| black_box(&operation).envelope(black_box(&context)).expect("an envelope"));
}

fn read_request<T: FromDocument>(bencher: Bencher<'_, '_>, json: &str) {
    bencher.bench(|| from_json::<T>(black_box(json.as_bytes())).unwrap_or_else(|errors| panic!("{errors:?}")));
}

#[divan::bench]
fn read_request_find_by_uln(bencher: Bencher<'_, '_>) {
    read_request::<UlnSearch>(bencher, r#"{"uln":"3000000126","givenName":"Ana","familyName":"O'Neill","findType":"FULL"}"#);
}

/// The fields of a learner that registrations commonly have.
const LEARNER: &str = r#""title":"Ms","givenName":"Gwenllian","middleOtherName":"Siân","familyName":"Ó Briain-Price",
    "preferredGivenName":"Gwen","previousFamilyName":"Price","schoolAtAge16":"Northfield & Sons",
    "lastKnownAddressLine1":"1 High Street","lastKnownAddressTown":"Exampleton","lastKnownPostCode":"ZZ99 9ZZ",
    "dateOfAddressCapture":"2026-01-02","dateOfBirth":"2005-07-21","placeOfBirth":"Exampleton","gender":"FEMALE",
    "emailAddress":"gwen@mail.example.com","nationality":"GB","verificationType":"PASSPORT","abilityToShare":"SEEN_SHARE""#;

/// The other fields of a learner.
const RARE: &str = r#""familyNameAtAge16":"Price","lastKnownAddressLine2":"Flat 2","lastKnownAddressCountyOrCity":"Exampleshire",
    "scottishCandidateNumber":"123456789","otherVerificationDescription":"","notes":"None.""#;

#[divan::bench]
fn read_request_registration(bencher: Bencher<'_, '_>) {
    read_request::<LearnerRegistration>(bencher, &format!("{{\"learner\":{{{LEARNER},{RARE}}}}}"));
}

#[divan::bench]
fn read_request_batch_record(bencher: Bencher<'_, '_>) {
    read_request::<BatchLearner>(bencher, &format!("{{\"misIdentifier\":\"STU-17\",{LEARNER}}}"));
}

#[divan::bench]
fn read_request_achievement(bencher: Bencher<'_, '_>) {
    let json = r#"{"action":"CREATE","actionDate":"2026-08-20","achievementAwardDate":"2026-08-13","uln":"3000000126",
        "givenName":"Gwenllian","familyName":"Ó Briain-Price","dateOfBirth":"2005-07-21","gender":"FEMALE","learnerPostcode":"ZZ99 9ZZ",
        "providerUkprn":"10088881","unitOrQualificationReferenceNumber":"600/0001/1","grade":"Pass","languageForAssessment":"English",
        "misIdentifier":"CAND-17"}"#;
    read_request::<Achievement>(bencher, json);
}

/// Returns a response with learners, as LRS writes it.
fn find_response(learners: usize) -> String {
    let learner = "<Learner><CreatedDate>2019-09-02</CreatedDate><LastUpdatedDate>2023-01-16</LastUpdatedDate><ULN>3000000126</ULN>\
        <GivenName>Ana</GivenName><FamilyName>O&apos;Neill</FamilyName><SchoolAtAge16>Northfield &amp; Sons</SchoolAtAge16>\
        <LastKnownPostCode>ZZ99 9ZZ</LastKnownPostCode><DateOfBirth>2003-04-05</DateOfBirth><Gender>2</Gender>\
        <EmailAddress>ana@mail.example.com</EmailAddress><VerificationType>2</VerificationType><TierLevel>0</TierLevel>\
        <AbilityToShare>1</AbilityToShare><LearnerStatus>1</LearnerStatus><LinkedULNs xmlns=\"http://api.lrs.miap.gov.uk/learner\"/>\
        <Notes/><VersionNumber>3</VersionNumber></Learner>";
    let code = if learners == 1 { "WSRC0004" } else { "WSRC0003" };
    format!(
        "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Body>\
         <ns2:FindLearnerResponse xmlns:ns2=\"http://api.lrs.miap.gov.uk/findmsg\"><ResponseCode>{code}</ResponseCode><ULN>3000000126</ULN>\
         {}</ns2:FindLearnerResponse></soapenv:Body></soapenv:Envelope>",
        learner.repeat(learners)
    )
}

fn read_learners(bencher: Bencher<'_, '_>, learners: usize) {
    let xml = find_response(learners);
    bencher.bench(|| parse_response::<UlnSearch>(200, "text/xml", black_box(xml.as_bytes())).expect("a response"));
}

#[divan::bench]
fn read_exact_match(bencher: Bencher<'_, '_>) {
    read_learners(bencher, 1);
}

#[divan::bench]
fn read_ten_candidates(bencher: Bencher<'_, '_>) {
    read_learners(bencher, 10);
}

fn claims() -> serde_json::Value {
    serde_json::json!({
        "iss": "https://idp.example.ac.uk/", "aud": "lrs-gateway", "exp": 4_000_000_000_i64, "org": "10088881",
        "preferred_username": "j.bloggs", "scope": "learners:read learners:write",
    })
}

#[divan::bench]
fn verify_token_hs256(bencher: Bencher<'_, '_>) {
    let secret = b"a secret of thirty-two bytes or more";
    let key = IssuerKey::from_hmac_secret(secret).expect("32 bytes or more");
    let verifier =
        Verifier::new(vec![Issuer::new("https://idp.example.ac.uk/", "lrs-gateway", &[Algorithm::HS256], key, ClaimNames::default())]);
    let token = sign_token(secret, claims().as_object().expect("an object")).expect("a signature");
    bencher.bench(|| verify(&verifier, &token).0);
}

/// Returns an issuer with a public key, and a token signed with its private key.
fn issuer_and_token(algorithm_name: &str) -> (Issuer, String) {
    let (key_type, header_algorithm, parse_key): (_, _, fn(&[u8]) -> _) = match algorithm_name {
        "RS256" => (&rcgen::PKCS_RSA_SHA256, jsonwebtoken::Algorithm::RS256, jsonwebtoken::EncodingKey::from_rsa_pem),
        "ES256" => (&rcgen::PKCS_ECDSA_P256_SHA256, jsonwebtoken::Algorithm::ES256, jsonwebtoken::EncodingKey::from_ec_pem),
        _ => (&rcgen::PKCS_ED25519, jsonwebtoken::Algorithm::EdDSA, jsonwebtoken::EncodingKey::from_ed_pem),
    };
    let pair = KeyPair::generate_for(key_type).expect("a key");
    let algorithms = [value::<Algorithm>(algorithm_name)];
    let key = IssuerKey::from_public_pem(pair.public_key_pem().as_bytes(), &algorithms).expect("a key");
    let issuer = Issuer::new("https://idp.example.ac.uk/", "lrs-gateway", &algorithms, key, ClaimNames::default());
    let signing_key = parse_key(pair.serialize_pem().as_bytes()).expect("a key");
    let token = jsonwebtoken::encode(&jsonwebtoken::Header::new(header_algorithm), &claims(), &signing_key).expect("a signature");
    (issuer, token)
}

/// Verifies a token with keys that need not be fetched.
fn verify<'v>(verifier: &'v Verifier, token: &str) -> (Arc<Principal>, &'v Issuer) {
    verifier.verify(black_box(token)).now_or_never().expect("no wait").expect("a valid token")
}

#[divan::bench(args = ["RS256", "ES256", "EdDSA"])]
fn verify_token(bencher: Bencher<'_, '_>, name: &str) {
    let (issuer, token) = issuer_and_token(name);
    // A new verifier for each run: its token cache is empty.
    bencher.with_inputs(|| Verifier::new(vec![issuer.clone()])).bench_refs(|verifier| verify(verifier, &token).0);
}

#[divan::bench]
fn verify_token_cached(bencher: Bencher<'_, '_>) {
    let (issuer, token) = issuer_and_token("RS256");
    let verifier = Verifier::new(vec![issuer]);
    bencher.bench(|| verify(&verifier, &token).0);
}
