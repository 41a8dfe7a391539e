//! `check-config` and `serve` with `live`: no value that LRS gives to each supplier is guessed. And what `check-config` prints of
//! certificates and secrets.

use std::path::Path;

use rcgen::ExtendedKeyUsagePurpose;

use super::NO_LRS;
use crate::support::certificates::CertificateAuthority;
use crate::support::program::{ConfigDirectory, run, stderr};

/// A configuration for the live LRS, and one organisation with these products.
fn live(products: &str) -> ConfigDirectory {
    let directory = ConfigDirectory::new(NO_LRS);
    directory.configure(|config| config.replace(&format!("environment = \"custom\"\nbase_url = \"{NO_LRS}\""), "environment = \"live\""));
    let organisation = format!(
        "ukprn = \"10088881\"\nname = \"Example College\"\norganisation_ref = \"COLL01\"\nproducts = {products}\n\
         password_file = \"10088881.password\"\n"
    );
    directory.write("organisations/10088881.toml", &organisation);
    let [certificate, key] = CertificateAuthority::new().certify("college");
    directory.write("organisations/college.pem", &certificate);
    directory.write("organisations/college.key", &key);
    directory.certificate("10088881", Path::new("college.pem"), Path::new("college.key"));
    directory
}

/// Runs a command with this configuration. Returns `true` if it succeeded, and its output.
fn run_with(command: &str, directory: &ConfigDirectory) -> (bool, String) {
    let output = run(&[command, "--config", &directory.config_path()]);
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output))
}

const CODES: [&str; 6] = [
    "create_action = 11",
    "update_action = 12",
    "withdraw_action = 13",
    "reinstate_action = 14",
    "final_type = \"F\"",
    "provisional_type = \"P\"",
];

#[test]
fn live_with_learning_events_and_no_vendor_id_does_not_start() {
    let directory = live("[\"uln-management\", \"learning-events\"]");
    for command in ["check-config", "serve"] {
        let (is_success, output) = run_with(command, &directory);
        let expected = "lrs.vendor_id: is required with environment = \"live\": organisation 10088881 has the product learning-events";
        assert!(!is_success && output.contains(expected), "{command}: {output}");
    }
    directory.add_lrs_settings("vendor_id = 1");
    let (is_success, output) = run_with("check-config", &directory);
    assert!(is_success, "the value may be that of the default: {output}");
}

#[test]
fn live_with_achievement_batches_requires_each_code() {
    let directory = live("[\"achievement-batches\"]");
    let (is_success, output) = run_with("check-config", &directory);
    assert!(!is_success && !output.contains("vendor_id"), "{output}");
    for code in CODES {
        let setting = code.split(' ').next().unwrap_or_default();
        assert!(output.contains(&format!("lrs.achievements.{setting}: is required with environment = \"live\"")), "{setting}: {output}");
    }
    directory.add_lrs_settings(&format!("achievements = {{ {} }}", CODES[1..].join(", ")));
    let (is_success, output) = run_with("check-config", &directory);
    assert!(!is_success && output.matches("is required").count() == 1 && output.contains("create_action"), "{output}");
}

#[test]
fn live_without_products_that_need_a_code_starts_with_defaults() {
    let (is_success, output) = run_with("check-config", &live("[\"uln-management\", \"registration-batches\", \"verification\"]"));
    assert!(is_success, "{output}");
}

#[test]
fn custom_environment_at_an_address_of_lrs_is_an_error() {
    for host in ["ws.lrs.education.gov.uk", "cmp-ws.dev.lrs.education.gov.uk"] {
        let (is_success, output) = run_with("check-config", &ConfigDirectory::new(&format!("https://{host}:443/")));
        assert!(!is_success && output.contains("lrs.base_url: must not be an address of LRS: set environment"), "{output}");
    }
}

#[test]
fn compatibility_needs_no_code() {
    let directory = live("[\"learning-events\", \"achievement-batches\"]");
    directory.configure(|config| config.replace("\"live\"", "\"compatibility\""));
    let (is_success, output) = run_with("check-config", &directory);
    assert!(is_success, "{output}");
}

const WARNING: &str = "warning: organisation 10088881: the client certificate is not for clients: its purposes lack clientAuth";

#[test]
fn client_certificate_details_are_printed_and_a_missing_purpose_is_a_warning() {
    let (directory, authority) = (ConfigDirectory::new(NO_LRS), CertificateAuthority::named("Example Authority 7"));
    let write_certificate = |purposes: &[ExtendedKeyUsagePurpose]| {
        let [certificate, key] = authority.certify_for("college", purposes);
        directory.write("organisations/college.pem", &certificate);
        directory.write("organisations/college.key", &key);
    };
    directory.certificate("10088881", Path::new("college.pem"), Path::new("college.key"));
    for (purposes, expected, has_warning) in [
        (&[][..], "purposes: any", false),
        (&[ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth], "purposes: clientAuth, serverAuth", false),
        (&[ExtendedKeyUsagePurpose::Any], "purposes: any", false),
        (&[ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::CodeSigning], "purposes: serverAuth, others", true),
    ] {
        write_certificate(purposes);
        let (is_success, output) = run_with("check-config", &directory);
        assert!(is_success, "{output}");
        for text in ["valid until 2099-01-01T00:00:00Z", "subject CN=college", "issuer CN=Example Authority 7", expected] {
            assert!(output.contains(text), "{text}: {output}");
        }
        assert_eq!(output.contains(WARNING), has_warning, "{output}");
    }
}

#[cfg(unix)]
#[test]
fn secret_that_every_user_can_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = ConfigDirectory::new(NO_LRS);
    directory.write("proxy.password", "an invented password");
    for file in ["store.key", "audit.key"] {
        directory.write(file, &"01".repeat(32));
    }
    directory.add_lrs_settings("proxy_url = \"http://me@proxy.example\"\nproxy_password_file = \"proxy.password\"");
    directory.configure(|config| config + "[store]\nencryption_key_file = \"store.key\"\n[audit]\nkey_file = \"audit.key\"\n");
    let set_mode = |mode| {
        for file in ["secret", "proxy.password", "store.key", "audit.key", "organisations/10088881.password"] {
            std::fs::set_permissions(directory.path(file), std::fs::Permissions::from_mode(mode)).expect("own file");
        }
    };
    set_mode(0o640);
    let (is_success, output) = run_with("check-config", &directory);
    assert!(is_success && !output.contains("warning:"), "{output}");
    set_mode(0o644);
    let (is_success, output) = run_with("check-config", &directory);
    assert!(is_success, "a warning is no error: {output}");
    for setting in
        ["auth.issuers.0.hmac_secret_file", "lrs.proxy_password_file", "store.encryption_key_file", "audit.key_file", "password_file"]
    {
        let text = format!("{setting}: every user of this machine can read");
        assert!(output.contains(&text), "{text}: {output}");
    }
}
