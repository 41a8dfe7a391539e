//! `check-config --verify`: a harmless call for each product, and what LRS rejects, in words.

use std::fs::read_to_string;

use crate::support::SimulatedLrs;
use crate::support::program::{ConfigDirectory, run, stderr};

/// Runs `check-config --verify`. Returns `true` if it succeeded, and its output.
fn verify(directory: &ConfigDirectory, name: &str) -> (bool, String) {
    let output = run(&["check-config", "--config", &directory.config_path(), "--verify", name]);
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output))
}

/// A configuration for this LRS, and the organisations of the simulator with these products.
fn config_for(lrs: &SimulatedLrs, college: &str, awarding_organisation: &str) -> ConfigDirectory {
    let directory = ConfigDirectory::new(&lrs.url());
    for (number, products) in [(1, college), (2, awarding_organisation)] {
        let organisation = format!(
            "ukprn = \"1008888{number}\"\nname = \"Example\"\norganisation_ref = \"DEMO0{number}\"\nproducts = [{products}]\n\
             password_file = \"1008888{number}.password\"\n"
        );
        directory.write(&format!("organisations/1008888{number}.toml"), &organisation);
        directory.write(&format!("organisations/1008888{number}.password"), &format!("demo-password-0{number}\n"));
    }
    directory
}

#[test]
fn verify_every_product_is_accepted_and_nothing_is_changed() {
    let lrs = SimulatedLrs::start();
    let college = r#""uln-management", "registration-batches", "learning-events", "verification", "verification-batches", "retrieve-ulns""#;
    let directory = config_for(&lrs, college, "\"verification\", \"achievement-batches\"");
    directory.configure(|config| config + "[audit]\nfile = \"audit.jsonl\"\n");
    let (is_success, output) = verify(&directory, "all");
    assert!(is_success, "{output}");
    for (ukprn, product, code) in [
        ("10088881", "uln-management", "WSRC0001"),
        ("10088881", "registration-batches", "WSRC0018"),
        ("10088881", "learning-events", "WSEC0208"),
        ("10088881", "verification", "WSVRC006"),
        ("10088881", "verification-batches", "WSRC0018"),
        ("10088882", "verification", "WSVRC006"),
    ] {
        let line = format!("organisation {ukprn}: product {product}: LRS accepts organisation, password and product ({code})");
        assert!(output.contains(&line), "{line}: {output}");
    }
    for (ukprn, product) in [("10088882", "achievement-batches"), ("10088881", "retrieve-ulns")] {
        let line = format!("organisation {ukprn}: product {product}: LRS accepts organisation, password and product");
        assert!(output.contains(&line), "{line}: {output}");
    }
    let audit = read_to_string(directory.path("audit.jsonl")).expect("the audit trail");
    assert_eq!(audit.lines().count(), 8, "{audit}");
    assert!(audit.lines().all(|line| line.contains("check-config") && !line.contains("Register")), "{audit}");
}

#[test]
fn verify_rejected_password_is_named_with_its_setting() {
    let lrs = SimulatedLrs::start();
    let directory = config_for(&lrs, "\"uln-management\"", "\"achievement-batches\"");
    directory.write("organisations/10088881.password", "another-password\n");
    let (is_success, output) = verify(&directory, "10088881");
    assert!(!is_success, "{output}");
    assert!(output.contains("product uln-management: LRS rejects the password. Check password_file (WSEC0005)"), "{output}");
    assert!(!output.contains("another-password"), "{output}");
}

#[test]
fn verify_unknown_organisation_and_product_that_is_off_are_told_apart() {
    let lrs = SimulatedLrs::start();
    let directory = config_for(&lrs, "\"uln-management\"", "\"uln-management\"");
    let text = read_to_string(directory.path("organisations/10088881.toml")).expect("a file");
    directory.write("organisations/10088889.toml", &text.replace("ukprn = \"10088881\"", "ukprn = \"10088889\""));
    let (is_success, output) = verify(&directory, "all");
    assert!(!is_success, "{output}");
    for line in [
        "organisation 10088881: product uln-management: LRS accepts",
        "organisation 10088882: product uln-management: LRS has not switched this product on for the organisation",
        "organisation 10088889: product uln-management: LRS does not know the organisation",
    ] {
        assert!(output.contains(line), "{line}: {output}");
    }
}

#[test]
fn verify_unknown_name_and_unreachable_lrs_are_errors() {
    let directory = ConfigDirectory::new("http://127.0.0.1:1");
    let (is_success, output) = verify(&directory, "10012345");
    assert!(!is_success && output.contains("--verify 10012345: no usable organisation found"), "{output}");
    let (is_success, output) = verify(&directory, "10088881");
    assert!(!is_success && output.contains("product uln-management: LRS could not be reached"), "{output}");
}
