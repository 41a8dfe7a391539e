//! `token`: development tokens.

use super::NO_LRS;
use crate::support::program::{ConfigDirectory, run, stderr};

#[test]
fn token_with_invalid_arguments_reports_every_error() {
    let config = ConfigDirectory::new(NO_LRS);
    let output = run(&["token", "--config", &config.config_path(), "--organisation", "1", "--user", "", "--scope", "learners"]);
    let errors = stderr(&output);
    assert!(!output.status.success());
    for argument in ["--organisation ", "--user ", "--scope learners: must be one of "] {
        assert_eq!(errors.matches(argument).count(), 1, "{argument}: {errors}");
    }
    assert_eq!(errors.lines().count(), 3, "{errors}");
}

#[test]
fn token_with_a_user_name_that_the_issuer_refuses_is_rejected() {
    let config = ConfigDirectory::new(NO_LRS);
    config.configure(|config| {
        config.replace(
            "hmac_secret_file",
            "user_domains = [\"college.ac.uk\", \"staff.example\"]\nuser_strip_domain = true\nhmac_secret_file",
        )
    });
    let token = |user: &str| run(&["token", "--config", &config.config_path(), "--organisation", "10088881", "--user", user]);
    for user in ["ana", "ana@other.example"] {
        let output = token(user);
        let errors = stderr(&output);
        assert!(!output.status.success() && output.stdout.is_empty(), "{errors}");
        assert!(errors.contains("--user: the gateway would refuse this token."), "{errors}");
        assert!(errors.contains("names that end in @college.ac.uk, @staff.example."), "{errors}");
    }
    assert!(token("ana@staff.example").status.success());
}

#[test]
fn token_for_issuer_without_shared_secret_is_rejected() {
    let config = ConfigDirectory::new(NO_LRS);
    config.configure(|config| config.replace("hmac_secret_file = \"secret\"", "public_key_file = \"secret\""));
    let output = run(&["token", "--config", &config.config_path(), "--organisation", "10088881", "--user", "j.bloggs"]);
    assert!(!output.status.success() && stderr(&output).contains("hmac_secret_file"), "{}", stderr(&output));
}
