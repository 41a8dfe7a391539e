//! `check-config`: reports every error of a configuration in one run.

use super::NO_LRS;
use crate::support::program::{ConfigDirectory, run, stderr};

/// Runs `check-config`. Returns whether it succeeded, and the errors: one line for each.
fn check_config(directory: &ConfigDirectory) -> (bool, String) {
    let output = run(&["check-config", "--config", &directory.config_path()]);
    (output.status.success(), stderr(&output))
}

/// Asserts that `check-config` fails and reports these errors.
fn assert_errors(directory: &ConfigDirectory, expected: &[&str]) -> String {
    let (is_valid, errors) = check_config(directory);
    assert!(!is_valid, "check-config succeeded");
    for error in expected {
        assert!(errors.contains(error), "{error}: {errors}");
    }
    errors
}

/// Asserts that `check-config` fails and reports these errors and no others.
fn assert_only_errors(directory: &ConfigDirectory, expected: &[&str]) {
    let errors = assert_errors(directory, expected);
    assert_eq!(errors.lines().count(), expected.len(), "one line for each error: {errors}");
}

#[test]
fn check_config_with_valid_configuration_reports_no_error() {
    let directory = ConfigDirectory::new(NO_LRS);
    let output = run(&["check-config", "--config", &directory.config_path()]);
    let report = String::from_utf8(output.stdout.clone()).expect("text");
    assert!(output.status.success() && report.contains("no error found, 1 organisations"), "{report}{}", stderr(&output));
}

#[test]
fn check_config_reports_every_invalid_missing_and_unknown_setting() {
    let directory = ConfigDirectory::new(NO_LRS);
    directory.write(
        "gateway.toml",
        "\
        [server]\nlisten = \"8080\"\nworkers = \"many\"\ncolour = \"blue\"\n\
        [[auth.issuers]]\naudience = \"lrs-gateway\"\nalgorithms = [\"none\"]\n\
        [lrs]\nenvironment = \"test\"\ntimeout_seconds = -1\n[organisation]\ndirectory = \"x\"\n",
    );
    assert_only_errors(
        &directory,
        &[
            "server.listen: must be an IP address",
            "server.workers: must be",
            "server.colour: unknown field",
            "auth.issuers.0.issuer: is required",
            "auth.issuers.0.algorithms.0: must be one of",
            "lrs.environment: must be one of live, compatibility, custom",
            "lrs.timeout_seconds: must be",
            "organisation: unknown field",
            "organisations: is required",
        ],
    );
}

#[test]
fn check_config_with_unknown_setting_still_checks_values_and_organisations() {
    let directory = ConfigDirectory::new(NO_LRS);
    directory.configure(|config| {
        let config = config.replacen("[lrs]\n", "[lrs]\ntimeout_secs = 3\nbatch_timeout_seconds = 4000\n", 1);
        config
            + "[store]\nredis-url = \"x\"\n[limits]\nexpected_replicas = 0\n\
               [batches]\ninitial_poll_interval_seconds = 900\nmax_poll_interval_seconds = 60\n\
               [lrs.achievements]\ncreate_action = 2\nfinal_type = \"Provisional\"\n"
    });
    directory.write("organisations/10088882.toml", "ukprn = \"10088882\"\nclient-certificate = {}\n");
    assert_errors(
        &directory,
        &[
            "lrs.timeout_secs: unknown field",
            "store.redis-url: unknown field",
            "lrs.batch_timeout_seconds: must be from 1 to 3600",
            "limits.expected_replicas: must be at least 1",
            "batches.initial_poll_interval_seconds: must not be more than max_poll_interval_seconds",
            "lrs.achievements: each action needs a number of its own",
            "lrs.achievements.final_type: must not be equal to provisional_type",
            "10088882.toml: client-certificate: unknown field",
        ],
    );
}

#[test]
fn check_config_with_setting_that_contradicts_a_default_still_checks_the_rest() {
    let directory = ConfigDirectory::new(NO_LRS);
    directory.configure(|config| {
        config.replace("drain_seconds = 0", "drain_seconds = 601")
            + "[batches]\nmax_poll_interval_seconds = 14\n[store]\nredis_url = \"redis://127.0.0.1/\"\n"
    });
    assert_only_errors(
        &directory,
        &[
            "gateway.toml: server.drain_seconds: must be at most 600",
            "gateway.toml: batches.initial_poll_interval_seconds: must not be more than max_poll_interval_seconds",
            "store.encryption_key_file: is required with redis_url",
        ],
    );
}

#[test]
fn check_config_with_batches_that_are_kept_longer_than_400_days_reports_an_error() {
    let day = 24 * 60 * 60;
    // The default of the third is seven days.
    for (submission_days, result_days, is_valid) in [(300, 93, true), (301, 93, false), (393, 1, false)] {
        let directory = ConfigDirectory::new(NO_LRS);
        let [submission, result] = [submission_days, result_days].map(|days| days * day);
        let batches = format!("[batches]\nsubmission_timeout_seconds = {submission}\nresult_timeout_seconds = {result}\n");
        directory.configure(|config| config + &batches);
        let error = "gateway.toml: batches.submission_timeout_seconds: together with result_timeout_seconds and retention_seconds, \
                     must be at most 34560000";
        if is_valid {
            assert!(check_config(&directory).0);
        } else {
            assert_only_errors(&directory, &[error]);
        }
    }
}

#[test]
fn check_config_with_setting_of_wrong_type_still_checks_organisations() {
    let directory = ConfigDirectory::new(NO_LRS);
    directory.configure(|config| config.replace("workers = 1", "workers = true"));
    directory.write("organisations/10088881.password", "short");
    assert_errors(&directory, &["server.workers: must be", "exactly 16 characters"]);
}

#[test]
fn check_config_with_malformed_toml_reports_line_and_column() {
    let directory = ConfigDirectory::new(NO_LRS);
    directory.write("gateway.toml", "[server]\nworkers = 1\n\n[lrs]\nenvironment = live\n");
    assert_errors(&directory, &["not well-formed TOML at line 5, column 15:"]);
}

#[test]
fn check_config_with_unreachable_redis_reports_its_address_without_password() {
    let directory = ConfigDirectory::new(NO_LRS);
    let store = "[store]\nredis_url = \"redis://someone:hidden@127.0.0.1:1/0\"\nencryption_key_file = \"store.key\"\n";
    directory.write("store.key", &"01".repeat(32));
    directory.configure(|config| config + store);
    let errors = assert_errors(&directory, &["store.redis_url:", "127.0.0.1:1: ", "refused"]);
    assert!(!errors.contains("hidden"), "{errors}");
}

#[test]
fn check_config_reports_every_error_of_files_that_the_configuration_names() {
    let directory = ConfigDirectory::new("http://lrs.example.com");
    directory.write(
        "gateway.toml",
        "\
        [server]\ntls = { certificate_file = \"a\", key_file = \"b\" }\n\
        [[auth.issuers]]\nissuer = \"https://a.example/\"\naudience = \"x\"\nhmac_secret_file = \"short\"\n\
        [[auth.issuers]]\nissuer = \"https://a.example/\"\naudience = \"x\"\njwks_url = \"https://a.example/jwks\"\n\
        [[auth.issuers]]\nissuer = \"https://b.example/\"\naudience = \"x\"\nalgorithms = [\"RS256\"]\npublic_key_file = \"secret\"\n\
        [lrs]\nenvironment = \"custom\"\nbase_url = \"http://lrs.example.com\"\nca_certificate_file = \"missing.pem\"\n\
        [store]\nredis_url = \"redis://127.0.0.1/\"\n[organisations]\ndirectory = \"organisations\"\n",
    );
    directory.write("short", "too short");
    let organisation = |file: &str, ukprn: &str, settings: &str| {
        directory.write(&format!("organisations/{file}.toml"), &format!("ukprn = \"{ukprn}\"\nname = \"B\"\n{settings}\n"));
    };
    organisation("10088882", "10088882", "products = [\"uln-managment\"]\npassword_file = \"p\"");
    organisation("10088883", "10088883", "products = []\npassword_file = \"missing\"\nclient_certificate = { pfx_file = \"c.pfx\" }");
    organisation("10088884", "10088881", "products = []\npassword_file = \"10088881.password\"");
    let incomplete_certificate = "client_certificate = { certificate_file = \"x\" }";
    organisation("10088885", "10088885", &format!("products = []\npassword_file = \"long.password\"\n{incomplete_certificate}"));
    directory.write("organisations/long.password", "seventeen letters");
    directory.write("organisations/10088886.toml", "ukprn = ");
    assert_only_errors(
        &directory,
        &[
            "server.tls: ",
            "auth.issuers.0.hmac_secret_file: holds fewer than 32 bytes",
            "auth.issuers.1.audience: section 0 has the issuer https://a.example/ with the audience x already",
            "auth.issuers.1.algorithms: is required with jwks_url",
            "auth.issuers.2.public_key_file",
            "lrs.base_url: must be https",
            "lrs.ca_certificate_file",
            "store.encryption_key_file: is required with redis_url",
            "10088882.toml: products.0: must be one of",
            "10088883.toml: password_file",
            "10088883.toml: client_certificate: pfx_file",
            "10088884.toml: ukprn: organisation 10088881 is already described",
            "10088885.toml: password_file",
            "10088885.toml: client_certificate: must have either certificate_file and key_file",
            "10088886.toml: not well-formed TOML",
        ],
    );
}

#[test]
fn check_config_reports_numbers_and_addresses_with_which_serve_would_fail() {
    let directory = ConfigDirectory::new("https://user:password@lrs.example");
    directory.configure(|config| {
        config
            .replace("workers = 1", "workers = 0")
            .replace("admin_listen = \"127.0.0.1:0\"", "admin_listen = \"127.0.0.1:8080\"")
            .replace("\nlisten = \"127.0.0.1:0\"", "\nlisten = \"127.0.0.1:8080\"")
            .replace("[lrs]", "[lrs]\ntimeout_seconds = 0\nconnect_timeout_seconds = 0\nmax_response_bytes = 0")
    });
    assert_only_errors(
        &directory,
        &[
            "server.workers",
            "lrs.connect_timeout_seconds",
            "lrs.timeout_seconds",
            "lrs.max_response_bytes",
            "server.admin_listen",
            "lrs.base_url: must not have a user name or password",
        ],
    );
}

#[test]
fn check_config_for_live_lrs_requires_client_certificates() {
    let directory = ConfigDirectory::new(NO_LRS);
    directory.configure(|config| config.replace("environment = \"custom\"\nbase_url = \"http://127.0.0.1:1\"", "environment = \"live\""));
    assert_errors(&directory, &["organisation 10088881: client_certificate: is required"]);
}
