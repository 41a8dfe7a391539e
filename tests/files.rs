//! Files as operators and their tools leave them: things that are no files, large ones, byte order marks, directories that are empty for a
//! moment. The program reports them and goes on.

use std::fmt::Write as _;

use lrs_gateway::file_watch::{FileStamp, Poll, WatchedFiles, read_with_stamp};

use crate::support::certificates::CertificateAuthority;
use crate::support::program::{ConfigDirectory, run, stderr};

/// Address of an LRS that refuses connections.
const NO_LRS: &str = "http://127.0.0.1:1";
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Runs `check-config`. Returns whether it succeeded, and its errors.
fn check_config(directory: &ConfigDirectory) -> (bool, String) {
    let output = run(&["check-config", "--config", &directory.config_path()]);
    (output.status.success(), stderr(&output))
}

fn assert_errors(directory: &ConfigDirectory, expected: &[&str]) {
    let (is_valid, errors) = check_config(directory);
    assert!(!is_valid, "check-config succeeded");
    for error in expected {
        assert!(errors.contains(error), "{error}: {errors}");
    }
}

#[cfg(unix)]
fn make_fifo(directory: &ConfigDirectory, name: &str) {
    let status = std::process::Command::new("mkfifo").arg(directory.path(name)).status().expect("the command `mkfifo` exists");
    assert!(status.success());
}

#[cfg(unix)]
#[test]
fn file_that_is_no_regular_file_or_too_large_is_an_error_and_not_a_hang() {
    let directory = ConfigDirectory::new(NO_LRS);
    make_fifo(&directory, "organisations/fifo.toml");
    std::fs::create_dir(directory.path("organisations/folder.toml")).expect("the directory is created");
    std::os::unix::fs::symlink("/dev/zero", directory.path("organisations/device.toml")).expect("the link is created");
    directory.write("organisations/large.toml", &"# comment\n".repeat(200_000));
    assert_errors(
        &directory,
        &[
            "fifo.toml: cannot be read: is a named pipe (FIFO), must be a regular file",
            "folder.toml: cannot be read: is a directory, must be a regular file",
            "device.toml: cannot be read: is a device, must be a regular file",
            "large.toml: cannot be read: is larger than 1 MiB",
        ],
    );
}

#[cfg(unix)]
#[test]
fn setting_that_names_a_fifo_is_an_error_for_every_setting_with_a_file() {
    let directory = ConfigDirectory::new(NO_LRS);
    make_fifo(&directory, "fifo");
    directory.add_lrs_settings("maintenance_file = \"fifo\"\nca_certificate_file = \"fifo\"");
    directory.configure(|config| {
        config.replace("\"secret\"", "\"fifo\"")
            + "[store]\nredis_url = \"rediss://127.0.0.1:1\"\nencryption_key_file = \"fifo\"\nredis_ca_certificate_file = \"fifo\"\n\
               [audit]\nkey_file = \"fifo\"\n[server.tls]\ncertificate_file = \"fifo\"\nkey_file = \"fifo\"\n"
    });
    let (is_valid, errors) = check_config(&directory);
    assert!(!is_valid, "check-config succeeded");
    for setting in [
        "hmac_secret_file",
        "lrs.maintenance_file",
        "lrs.ca_certificate_file",
        "store.encryption_key_file",
        "store.redis_ca_certificate_file",
        "audit.key_file",
        "server.tls",
    ] {
        let line = errors.lines().find(|line| line.contains(setting)).unwrap_or_else(|| panic!("{setting}: {errors}"));
        assert!(line.contains("is a named pipe (FIFO)"), "{line}");
    }
}

#[test]
fn byte_order_mark_in_configuration_organisation_certificate_key_and_secret_is_ignored() {
    let directory = ConfigDirectory::new(NO_LRS);
    let [certificate, key] = CertificateAuthority::new().certify("127.0.0.1");
    directory.write("server.pem", &format!("{BYTE_ORDER_MARK}{certificate}"));
    directory.write("server.key", &format!("{BYTE_ORDER_MARK}{key}"));
    directory.write("audit.key", &format!("{BYTE_ORDER_MARK}{}", "01".repeat(32)));
    directory.configure(|config| {
        let tls = "[server.tls]\ncertificate_file = \"server.pem\"\nkey_file = \"server.key\"\n";
        let mut text = format!("{BYTE_ORDER_MARK}{config}{tls}[audit]\nenabled = false\nkey_file = \"audit.key\"\n");
        let _ = write!(text, "[[auth.issuers]]\nissuer = \"x\"\naudience = \"x\"\nhmac_secret_file = \"other\"\n");
        text
    });
    directory.write("other", &format!("{BYTE_ORDER_MARK}another secret of thirty-two bytes"));
    let file = std::fs::read_to_string(directory.path("organisations/10088881.toml")).expect("the file exists");
    let client = "client_certificate = { certificate_file = \"../server.pem\", key_file = \"../server.key\" }\n";
    directory.write("organisations/10088881.toml", &format!("{BYTE_ORDER_MARK}{file}{client}"));
    let (is_valid, errors) = check_config(&directory);
    assert!(is_valid, "{errors}");
}

#[test]
fn file_stamp_identifies_an_old_file_and_not_one_that_has_just_changed() {
    let old = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let (content, stamp) = read_with_stamp(&old);
    assert!(content.is_ok() && stamp.is_some_and(|stamp: FileStamp| stamp.is_current(&old)), "{stamp:?}");
    let directory = tempfile::tempdir().expect("the directory is created");
    let new = directory.path().join("new");
    std::fs::write(&new, "one").expect("the file is written");
    assert_eq!(read_with_stamp(&new), (Ok(b"one".to_vec()), None));
}

#[test]
fn watched_file_changed_twice_in_the_same_moment_is_read_again() {
    let directory = tempfile::tempdir().expect("the directory is created");
    let path = directory.path().join("file");
    std::fs::write(&path, "0").expect("the file is written");
    let (mut files, _) = WatchedFiles::read([path.clone()]);
    for content in ["1", "2", "3"] {
        std::fs::write(&path, content).expect("the file is written");
        assert_eq!(files.read_if_changed(Poll::Changed), Some(vec![Ok(content.as_bytes().to_vec())]));
        assert_eq!(files.read_if_changed(Poll::Full), None, "the same content is no change");
    }
}
