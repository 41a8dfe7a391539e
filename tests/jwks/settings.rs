//! The settings of a key set, as `check-config` checks them: it also fetches the set.

use jsonwebtoken::Algorithm;

use crate::support::fake_server::http;
use crate::support::identity_provider::{SigningKey, key_set_json};
use crate::support::program::{ConfigDirectory, run, stderr};
use crate::support::{ANY_PORT, IdentityProvider, RunningServer};

/// Runs `check-config` for a gateway that trusts the keys at this URL, with these further settings of the issuer. Returns whether it
/// succeeded, and its output.
fn check_config(url: &str, settings: &str) -> (bool, String) {
    let directory = ConfigDirectory::new("http://127.0.0.1:1");
    directory.configure(|config| config.replace("hmac_secret_file = \"secret\"", &format!("jwks_url = \"{url}\"\n{settings}")));
    let output = run(&["check-config", "--config", &directory.config_path()]);
    (output.status.success(), String::from_utf8(output.stdout.clone()).expect("text") + &stderr(&output))
}

#[tokio::test]
async fn jwks_check_config_reports_number_of_keys() {
    let (es256, rs256) = (SigningKey::new("1"), SigningKey::with_algorithm("2", Algorithm::RS256));
    let provider = IdentityProvider::publishing(&[&es256, &rs256]);
    let (is_valid, output) = check_config(&provider.url(), "algorithms = [\"ES256\", \"RS256\"]");
    assert!(is_valid && output.contains("issuer https://idp.example.ac.uk/: 2 keys"), "{output}");
}

#[tokio::test]
async fn jwks_check_config_reports_set_without_usable_key() {
    let provider = IdentityProvider::publishing(&[&SigningKey::new("1")]);
    let (is_valid, output) = check_config(&provider.url(), "algorithms = [\"EdDSA\"]");
    assert!(!is_valid && output.contains("auth.issuers.0.jwks_url: holds no key for the issuer's algorithms"), "{output}");
}

#[tokio::test]
async fn jwks_check_config_reports_failed_fetch() {
    let provider = IdentityProvider::responding_with(http(404, "text/plain", b""));
    let (is_valid, output) = check_config(&provider.url(), "algorithms = [\"ES256\"]");
    assert!(!is_valid && output.contains("auth.issuers.0.jwks_url: responds with status 404"), "{output}");
}

#[test]
fn jwks_check_config_reports_insecure_or_contradictory_settings() {
    const URL: &str = "https://idp.example.ac.uk/jwks";
    let valid = "algorithms = [\"RS256\"]";
    for (url, settings, error) in [
        ("http://idp.example.ac.uk/jwks", valid, "jwks_url: must be https"),
        ("http://127.0.0.1.example.com/jwks", valid, "jwks_url: must be https"),
        ("file:///etc/keys", valid, "jwks_url: must be https"),
        ("idp.example.ac.uk", valid, "jwks_url: must be an address"),
        ("https://me:secret@idp.example.ac.uk/jwks", valid, "jwks_url: must not have a user name"),
        (URL, "", "algorithms: is required with jwks_url"),
        (URL, "algorithms = [\"RS256\", \"HS256\"]", "algorithms: HS256 is allowed with hmac_secret_file only"),
        (URL, "algorithms = [\"RS256\"]\npublic_key_file = \"x\"", "exactly one of jwks_url"),
        (URL, "algorithms = [\"RS256\"]\njwks_cooldown_seconds = 0", "jwks_cooldown_seconds: must be from 1 to"),
        (URL, "algorithms = [\"RS256\"]\njwks_refresh_seconds = 90000", "jwks_refresh_seconds: must be from 1 to"),
        (URL, "algorithms = [\"RS256\"]\njwks_ca_certificate_file = \"x\"", "jwks_ca_certificate_file: "),
    ] {
        let (is_valid, output) = check_config(url, settings);
        assert!(!is_valid && output.contains("auth.issuers.0.") && output.contains(error), "{error}: {output}");
        assert_eq!(output.lines().count(), 1, "{output}");
    }
}

#[test]
fn jwks_check_config_reports_jwks_setting_without_jwks_url() {
    let directory = ConfigDirectory::new("http://127.0.0.1:1");
    directory.configure(|config| config.replace("hmac_secret_file", "jwks_refresh_seconds = 5\nhmac_secret_file"));
    let errors = stderr(&run(&["check-config", "--config", &directory.config_path()]));
    assert!(errors.contains("jwks_refresh_seconds: is allowed with jwks_url only"), "{errors}");
}

#[tokio::test]
async fn jwks_tls_certificate_must_be_trusted() {
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let files = tempfile::tempdir().expect("a directory");
    let (certificate, key) = (files.path().join("idp.pem"), files.path().join("idp.key"));
    std::fs::write(&certificate, certified.cert.pem()).expect("the certificate is written");
    std::fs::write(&key, certified.signing_key.serialize_pem()).expect("the key is written");
    let tls = lrs_gateway::tls::server_config(&certificate, &key, None).expect("a TLS configuration");
    let set = String::from_utf8(key_set_json(&[&SigningKey::new("1")])).expect("text");
    let provider = RunningServer::start(move || {
        let server = actix_web::HttpServer::new(move || {
            let set = set.clone();
            actix_web::App::new().default_service(actix_web::web::to(move || std::future::ready(set.clone())))
        });
        let server = server.workers(1).disable_signals().bind_rustls_0_23(ANY_PORT, tls)?;
        Ok((server.addrs()[0], server.run()))
    });
    let url = format!("https://{}/jwks", provider.address);
    let check = |ca_setting: &str| check_config(&url, &format!("algorithms = [\"ES256\"]\n{ca_setting}"));

    let (is_valid, output) = check(&format!("jwks_ca_certificate_file = \"{}\"", certificate.display()));
    assert!(is_valid, "{output}");
    let (is_valid, output) = check("");
    assert!(!is_valid, "the certificate is not trusted, but check-config succeeded: {output}");
    assert!(output.contains("auth.issuers.0.jwks_url: cannot be reached") && output.contains("UnknownIssuer"), "{output}");
}
