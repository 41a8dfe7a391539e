//! Signals: reload, shutdown, and those that have no effect.

use super::{FIND, ana, caller, config_with};
use crate::support::SimulatedLrs;
use crate::support::certificates::CertificateAuthority;
use crate::support::identity_provider::{IdentityProvider, SigningKey};
use crate::support::program::{ConfigDirectory, ServingProgram, TestProgram};

#[tokio::test]
async fn sighup_reloads_organisations_maintenance_certificate_and_key_sets_at_once() {
    let identity_provider = IdentityProvider::publishing(&[&SigningKey::new("first")]);
    let directory = ConfigDirectory::new("http://127.0.0.1:1");
    let [certificate, key] = CertificateAuthority::new().certify("127.0.0.1");
    directory.write("server.pem", &certificate);
    directory.write("server.key", &key);
    directory.write("windows.toml", "");
    directory.add_lrs_settings("maintenance_file = \"windows.toml\"");
    let issuer = format!(
        "[[auth.issuers]]\nissuer = \"https://other.example/\"\naudience = \"x\"\nalgorithms = [\"RS256\"]\njwks_url = \"{}\"\n\
         [server.tls]\ncertificate_file = \"server.pem\"\nkey_file = \"server.key\"\n[lrs]",
        identity_provider.url()
    );
    directory.configure(|text| text.replacen("[lrs]", &issuer, 1));
    let mut gateway = ServingProgram::start(&directory);
    gateway.program.signal("HUP");
    let mut reloaded = Vec::new();
    while reloaded.len() < 3 {
        reloaded.push(gateway.program.wait_for_log("files reloaded")["files"].to_string());
    }
    reloaded.sort();
    assert_eq!(reloaded, ["\"maintenance windows\"", "\"organisations\"", "\"server certificate\""]);

    gateway.program.signal("HUP");
    assert_eq!(gateway.program.wait_for_log("issuer key sets reloaded")["fetched"], 1);
}

#[tokio::test]
async fn signal_without_meaning_is_logged_and_calls_go_on() {
    let lrs = SimulatedLrs::start();
    let mut gateway = ServingProgram::start(&config_with(&lrs.url(), ""));
    // The default of each of them is to end the process.
    for signal in ["USR1", "USR2", "ALRM", "VTALRM", "PROF", "IO", "XFSZ", "XCPU"] {
        gateway.program.signal(signal);
        assert_eq!(gateway.program.wait_for_log("signal ignored")["signal"], format!("SIG{signal}"));
    }
    gateway.program.signal("PIPE");
    caller(&gateway.api).post(FIND, &ana()).await.expect_success();
}

#[tokio::test]
async fn sigquit_and_sigint_shut_down_gracefully() {
    for signal in ["QUIT", "INT"] {
        let mut gateway = ServingProgram::start(&config_with("http://127.0.0.1:1", ""));
        gateway.program.signal(signal);
        let event = gateway.program.wait_for_log("shutdown requested: no longer ready, draining");
        assert_eq!(event["signal"], format!("SIG{signal}"));
        let (is_success, log) = gateway.program.wait_for_exit();
        assert!(is_success && log.contains("\"stopped\""), "{log}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn sighup_ends_the_simulator_unless_it_was_ignored_at_start() {
    let arguments = ["simulate", "--listen", "127.0.0.1:0"];
    let mut simulator = TestProgram::start(&arguments, &[]);
    simulator.wait_for_log("simulating LRS");
    simulator.signal("HUP");
    simulator.wait_for_exit();

    let mut of_nohup = TestProgram::start_ignoring_hangup(&arguments);
    of_nohup.wait_for_log("simulating LRS");
    of_nohup.signal("HUP");
    // Signals are handled in any order: the log shows that the first one had its time.
    of_nohup.signal("USR1");
    of_nohup.wait_for_log("signal ignored");
    of_nohup.signal("USR2");
    assert_eq!(of_nohup.wait_for_log("signal ignored")["signal"], "SIGUSR2");
}
