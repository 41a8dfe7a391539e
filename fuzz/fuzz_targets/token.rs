//! Access tokens and JSON Web Key Sets.
//!
//! Input: what it is, then a token; or the header and the claims of a token, one on a line, which the target signs; or a key set.
//!
//! A token is accepted only if it was signed with the issuer's key, and its claims are then those that the gateway requires. A key verifies
//! tokens of its own algorithm only, and no token that it has not signed.

#![no_main]

use std::cell::LazyCell;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Validation};
use libfuzzer_sys::fuzz_target;
use lrs_gateway::auth::{self, ClaimNames, Claims, Issuer, IssuerKey, Jwks, TokenError, Verifier};
use lrs_gateway_fuzz::{choose, value};
use serde_json::Value;

const ISSUER: &str = "https://idp.example.ac.uk/";
const OTHER_ISSUER: &str = "https://login.example.ac.uk/";
const AUDIENCE: &str = "lrs-gateway";
const SECRET: &[u8] = b"a secret of thirty-two bytes or more";
const ALGORITHMS: [Algorithm; 5] = [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA, Algorithm::HS256];

/// The public key of the second issuer. Nothing has its private key.
const PUBLIC_KEY: &str = include_str!("../keys/issuer.pem");

thread_local! {
    static VERIFIER: LazyCell<Verifier> = const { LazyCell::new(|| {
        let hmac = IssuerKey::from_hmac_secret(SECRET).expect("the secret is long enough");
        let algorithms = [value::<auth::Algorithm>("ES256")];
        let public = IssuerKey::from_public_pem(PUBLIC_KEY.as_bytes(), &algorithms).expect("a public key");
        let claim_names = ClaimNames { organisation: "realm.ukprn".into(), ..ClaimNames::default() };
        Verifier::new(vec![
            Issuer::new(ISSUER, AUDIENCE, &[auth::Algorithm::HS256], hmac, ClaimNames::default()),
            Issuer::new(OTHER_ISSUER, AUDIENCE, &algorithms, public, claim_names),
        ])
    }) };
    static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
}

/// Verifies a token. Returns its claims if it is accepted.
fn verify(token: &str) -> Option<Claims> {
    VERIFIER.with(|verifier| {
        match RUNTIME.with(|runtime| runtime.block_on(verifier.verify(token))) {
            Ok((principal, issuer)) => {
                assert_eq!((issuer.name(), &*principal.issuer), (ISSUER, ISSUER), "no token of the other issuer was signed");
                let payload = token.split('.').nth(1).and_then(|payload| URL_SAFE_NO_PAD.decode(payload).ok());
                let claims: Claims = serde_json::from_slice(&payload.expect("an accepted token has claims")).expect("claims are JSON");
                let names = &issuer.claim_names;
                check_claims(&claims, names);
                assert_eq!(&*principal.client, names.client(&claims).unwrap_or_default());
                let has_scope = |is_application| !names.scopes(&claims, is_application, &[SCOPE]).is_empty();
                assert!([has_scope(false), has_scope(true)].contains(&principal.has_scope(SCOPE)));
                Some(claims)
            }
            // The text is the gateway's own: callers read it in a header.
            Err(TokenError::Invalid(invalid)) => {
                assert!(invalid.0.is_ascii() && !invalid.0.contains(['"', '\\', '\n']), "{}", invalid.0);
                None
            }
            Err(TokenError::KeysUnavailable) => panic!("all keys are configured"),
        }
    })
}

fn check_claims(claims: &Claims, names: &ClaimNames) {
    assert_eq!(claims["iss"], ISSUER);
    let audience = &claims["aud"];
    assert!(audience == AUDIENCE || audience.as_array().is_some_and(|list| list.iter().any(|one| one == AUDIENCE)), "{audience}");
    // Later than this is no proof of a mistake, but every seed that has expired did so long before.
    let (past, future) = (1_780_000_000.0, 3_900_000_000.0);
    assert!(claims["exp"].as_f64().is_some_and(|exp| exp > past), "{}", claims["exp"]);
    assert!(claims.get("nbf").is_none_or(|nbf| nbf.as_f64().is_none_or(|nbf| nbf < future)), "{claims:?}");
    let _ = (names.organisation(claims), names.users(claims).count(), names.client(claims), names.scopes(claims, true, &[SCOPE]));
}

const SCOPE: &str = "learners:read";

const CHECKS: [fn(&[u8]); 3] = [
    |input| {
        let Ok(token) = std::str::from_utf8(input) else { return };
        if verify(token).is_some() {
            // The signature covers this text, so only a token that is known has it.
            let signed = token.rsplit_once('.').map_or(token, |(signed, _)| signed);
            assert!(include_str!("../keys/tokens.txt").lines().any(|known| known.starts_with(signed)), "forged: {token}");
        }
    },
    |input| {
        let Some(end) = input.iter().position(|byte| *byte == b'\n') else { return };
        let (header, claims) = (&input[..end], &input[end + 1..]);
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &EncodingKey::from_secret(SECRET), Algorithm::HS256);
        if let Some(accepted) = verify(&format!("{signed}.{}", signature.expect("the text is signed"))) {
            let header: Value = serde_json::from_slice(header).expect("an accepted header is JSON");
            assert!(header["alg"] == "HS256" && header.get("crit").is_none(), "{header}");
            assert_eq!(serde_json::from_slice::<Claims>(claims).ok(), Some(accepted));
        }
    },
    |input| {
        let Ok(set) = Jwks::parse(input) else { return };
        assert_eq!(Jwks::parse(input).as_ref(), Ok(&set));
        let document: Value = serde_json::from_slice(input).expect("a key set is JSON");
        let published = document["keys"].as_array().expect("a key set has a list of keys");
        assert!(published.len() <= 100 && set.count(&ALGORITHMS) <= published.len());
        assert_eq!(set.is_empty(), set.count(&ALGORITHMS) == 0);
        assert_eq!(set.count(&[Algorithm::HS256]), 0, "a published key is no secret");
        let kids = published.iter().filter_map(|key| key["kid"].as_str()).map(Some);
        for kid in kids.chain([None]).take(4) {
            for algorithm in ALGORITHMS {
                if let Ok(key) = set.find(kid, algorithm) {
                    assert_eq!(key.family(), algorithm.family());
                    reject_forged(key, algorithm);
                }
            }
        }
    },
];

/// Checks that a key does not verify a signature of zeros.
fn reject_forged(key: &jsonwebtoken::DecodingKey, algorithm: Algorithm) {
    let header = format!("{{\"alg\":\"{algorithm:?}\"}}");
    let signature = if matches!(algorithm, Algorithm::ES256 | Algorithm::EdDSA) { vec![0; 64] } else { vec![0; 256] };
    let [header, claims, signature] =
        [header.as_bytes(), b"{\"exp\":4000000000}", signature.as_slice()].map(|part| URL_SAFE_NO_PAD.encode(part));
    let mut validation = Validation::new(algorithm);
    validation.validate_aud = false;
    assert!(jsonwebtoken::decode::<Claims>(format!("{header}.{claims}.{signature}"), key, &validation).is_err());
}

fuzz_target!(|input: &[u8]| {
    if let Some((check, rest)) = choose(&CHECKS, input) {
        check(rest);
    }
});
