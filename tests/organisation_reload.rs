//! The files of organisations: changes take effect within seconds while the gateway runs, and no call fails because of them.
//! `check-config` reports every error in them.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lrs_gateway::domain::Product;
use lrs_gateway::simulator::{Fault, FaultStep, SimulatorSettings, TlsFiles};
use serde_json::{Value, json};

use crate::support::SimulatedLrs;
use crate::support::batches::{full_registration, learners};
use crate::support::caller::{Answer, Caller};
use crate::support::certificates::{CertificateAuthority, fixture};
use crate::support::program::{ConfigDirectory, ServingProgram, TestProgram, caller_of, run, stderr};

const FIRST: &str = "10088881";
const SECOND: &str = "10088882";
/// The password of the first organisation at the simulator.
const FIRST_PASSWORD: &str = "demo-password-01";
const FIND: &str = "/v1/learners/find-by-uln";
const FILE_ERROR: &str = "organisation file cannot be used: organisation not loaded, or unchanged";

const CERTIFICATE_WARNING: &str = "organisation's client certificate missing or not valid: organisation used nevertheless";

/// The gateway as a process, with organisation files that the test changes.
struct Fixture {
    directory: ConfigDirectory,
    program: TestProgram,
    url: String,
    admin_url: String,
}

impl Fixture {
    fn start(directory: ConfigDirectory) -> Self {
        let ServingProgram { program, api: url, admin: admin_url } = ServingProgram::start(&directory);
        Self { directory, program, url, admin_url }
    }

    fn caller(&self, ukprn: &str) -> Caller {
        caller_of(&self.url, ukprn)
    }

    async fn find(&self, ukprn: &str) -> Answer {
        self.caller(ukprn).post(FIND, &search()).await
    }

    /// Calls until the answer has this status, for up to five seconds.
    async fn wait_for_status(&self, ukprn: &str, status: u16) -> Answer {
        let started_at = Instant::now();
        loop {
            let answer = self.find(ukprn).await;
            if answer.status == status {
                return answer;
            }
            assert!(started_at.elapsed() < Duration::from_secs(5), "the change takes longer than five seconds: {}", answer.text);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The metric of organisation files that cannot be used.
    async fn unusable_organisations(&self) -> String {
        let metrics = Caller::new(self.admin_url.clone()).request("GET", "/metrics").await.text;
        let value = metrics.lines().find_map(|line| line.strip_prefix("lrs_gateway_organisations_unusable "));
        value.expect("the metric").to_owned()
    }

    fn replace_organisation_file(&self, ukprn: &str, text: &str) {
        // Renamed into place, so that the gateway cannot read half a file.
        self.directory.write("organisations/new-file", text);
        let file = self.directory.path(&format!("organisations/{ukprn}.toml"));
        std::fs::rename(self.directory.path("organisations/new-file"), file).expect("the file is replaced");
    }

    fn remove_organisation_file(&self, ukprn: &str) {
        std::fs::remove_file(self.directory.path(&format!("organisations/{ukprn}.toml"))).expect("the file is removed");
    }
}

fn search() -> Value {
    json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"})
}

fn organisation_file(ukprn: &str) -> String {
    format!("ukprn = \"{ukprn}\"\nname = \"A college\"\nproducts = [\"uln-management\"]\npassword_file = \"{ukprn}.password\"\n")
}

fn write_organisation(directory: &ConfigDirectory, ukprn: &str, password: &str) {
    directory.write(&format!("organisations/{ukprn}.password"), password);
    directory.write(&format!("organisations/{ukprn}.toml"), &organisation_file(ukprn));
}

#[tokio::test]
async fn organisation_file_added_registers_the_organisation() {
    let lrs = SimulatedLrs::start();
    let fixture = Fixture::start(ConfigDirectory::new(&lrs.url()));
    fixture.find(SECOND).await.problem(403, "organisation_not_registered");
    write_organisation(&fixture.directory, SECOND, "demo-password-02");
    // The call reaches LRS, which rejects it: at the simulator, the second organisation does not have the product.
    fixture.wait_for_status(SECOND, 502).await.problem(502, "lrs_credentials_rejected");
}

#[tokio::test]
async fn organisation_file_broken_leaves_the_organisation_unchanged_and_is_logged_once() {
    let lrs = SimulatedLrs::start();
    let mut fixture = Fixture::start(ConfigDirectory::new(&lrs.url()));
    fixture.find(FIRST).await.expect_success();
    fixture.replace_organisation_file(FIRST, "ukprn = ");
    let event = fixture.program.wait_for_log(FILE_ERROR);
    assert!(event["error"].as_str().is_some_and(|error| error.contains("not well-formed TOML")), "{event}");
    fixture.find(FIRST).await.expect_success();
    assert_eq!(fixture.unusable_organisations().await, "1");
    // When another organisation is registered, the gateway has read the broken file once more.
    write_organisation(&fixture.directory, SECOND, "demo-password-02");
    fixture.wait_for_status(SECOND, 502).await;
    let log = fixture.program.end_and_read_log();
    assert!(log.contains("organisation added") && !log.contains(FILE_ERROR), "{log}");
}

#[tokio::test]
async fn organisation_file_repaired_is_usable_again() {
    let lrs = SimulatedLrs::start();
    let mut fixture = Fixture::start(ConfigDirectory::new(&lrs.url()));
    fixture.replace_organisation_file(FIRST, "ukprn = ");
    fixture.program.wait_for_log(FILE_ERROR);
    fixture.replace_organisation_file(FIRST, &organisation_file(FIRST));
    fixture.program.wait_for_log("organisation changed");
    assert_eq!(fixture.unusable_organisations().await, "0");
    fixture.find(FIRST).await.expect_success();
}

#[tokio::test]
async fn organisation_certificate_not_valid_is_a_warning_and_the_organisation_is_used() {
    let lrs = SimulatedLrs::start();
    let mut fixture = Fixture::start(ConfigDirectory::new(&lrs.url()));
    let [certificate, key] = CertificateAuthority::new().certify_until("old", 2020);
    fixture.directory.write("organisations/old.pem", &certificate);
    fixture.directory.write("organisations/old.key", &key);
    let client_certificate = "client_certificate = { certificate_file = \"old.pem\", key_file = \"old.key\" }\n";
    fixture.replace_organisation_file(FIRST, &format!("{client_certificate}{}", organisation_file(FIRST)));
    let event = fixture.program.wait_for_log(CERTIFICATE_WARNING);
    assert_eq!(event["level"], "WARN", "{event}");
    assert!(event["warning"].as_str().is_some_and(|warning| warning.contains("client certificate is not valid now")), "{event}");
    fixture.program.wait_for_log("organisation changed");
    assert_eq!(fixture.unusable_organisations().await, "0");
    fixture.find(FIRST).await.expect_success();
}

#[tokio::test]
async fn organisation_password_changed_takes_effect() {
    let lrs = SimulatedLrs::start();
    let fixture = Fixture::start(ConfigDirectory::new(&lrs.url()));
    fixture.find(FIRST).await.expect_success();
    // LRS does not know this password, so its rejection shows that the gateway has read the file.
    write_organisation(&fixture.directory, FIRST, "another-password");
    fixture.wait_for_status(FIRST, 502).await.problem(502, "lrs_credentials_rejected");
    write_organisation(&fixture.directory, FIRST, FIRST_PASSWORD);
    fixture.wait_for_status(FIRST, 200).await;
}

#[tokio::test]
async fn organisation_file_removed_removes_the_organisation() {
    let lrs = SimulatedLrs::start();
    let directory = ConfigDirectory::new(&lrs.url());
    write_organisation(&directory, SECOND, "demo-password-02");
    let mut fixture = Fixture::start(directory);
    fixture.find(FIRST).await.expect_success();
    fixture.remove_organisation_file(FIRST);
    fixture.wait_for_status(FIRST, 403).await.problem(403, "organisation_not_registered");
    assert_eq!(fixture.unusable_organisations().await, "0");
    assert_eq!(fixture.program.wait_for_log("organisation removed")["organisation"], FIRST);
}

#[tokio::test]
async fn organisation_directory_empty_for_a_moment_removes_no_organisation_until_a_reload_is_requested() {
    let lrs = SimulatedLrs::start();
    let mut fixture = Fixture::start(ConfigDirectory::new(&lrs.url()));
    fixture.find(FIRST).await.expect_success();
    fixture.remove_organisation_file(FIRST);
    let event = fixture.program.wait_for_log("organisation files disappeared together: organisations stay unchanged for a limited time");
    assert_eq!((&event["level"], &event["files"]), (&json!("ERROR"), &json!(1)), "{event}");
    fixture.find(FIRST).await.expect_success();

    fixture.replace_organisation_file(FIRST, &organisation_file(FIRST));
    fixture.program.wait_for_log("organisation files that had disappeared are back");
    fixture.find(FIRST).await.expect_success();

    fixture.remove_organisation_file(FIRST);
    fixture.program.wait_for_log("organisation files disappeared together: organisations stay unchanged for a limited time");
    fixture.program.signal("HUP");
    assert_eq!(fixture.program.wait_for_log("organisation removed")["organisation"], FIRST);
    fixture.find(FIRST).await.problem(403, "organisation_not_registered");
}

#[tokio::test]
async fn batch_of_removed_organisation_is_deferred_until_the_organisation_is_added_again() {
    let lrs = SimulatedLrs::start();
    lrs.simulator.set_job_duration(Duration::ZERO);
    // Keeps the batch from being submitted before the organisation is removed.
    lrs.simulator.inject_faults(vec![FaultStep::new(Fault::OutOfHours)]);
    let directory = ConfigDirectory::new(&lrs.url());
    directory.configure(|config| config + "[batches]\ninitial_poll_interval_seconds = 1\nmax_poll_interval_seconds = 1\n");
    let file = organisation_file(FIRST).replace("[\"uln", "[\"registration-batches\", \"uln");
    directory.write(&format!("organisations/{FIRST}.toml"), &file);
    write_organisation(&directory, SECOND, "demo-password-02");
    let mut fixture = Fixture::start(directory);
    let accepted = fixture.caller(FIRST).post("/v1/registration-batches", &full_registration(&learners(3))).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    let path = accepted.location();

    fixture.remove_organisation_file(FIRST);
    fixture.program.wait_for_log("batch deferred: organisation not registered");
    lrs.simulator.clear_faults();
    fixture.caller(FIRST).request("GET", &path).await.problem(403, "organisation_not_registered");
    assert!(lrs.simulator.jobs().submissions().is_empty(), "the batch of a removed organisation was submitted");

    fixture.replace_organisation_file(FIRST, &file);
    fixture.wait_for_status(FIRST, 200).await;
    let started_at = Instant::now();
    while fixture.caller(FIRST).request("GET", &path).await.expect_success()["status"] != "COMPLETE" {
        assert!(started_at.elapsed() < Duration::from_secs(10), "the batch does not continue");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(lrs.simulator.jobs().submissions().len(), 1);
}

/// Kubernetes mounts secrets as links into `..data`, which is itself a link to the directory of the current version.
#[cfg(unix)]
#[tokio::test]
async fn organisation_secret_behind_symbolic_link_replaced_takes_effect() {
    let lrs = SimulatedLrs::start();
    let setup = ConfigDirectory::new(&lrs.url());
    let directory = setup.path("organisations");
    std::fs::remove_dir_all(&directory).expect("the directory is removed");
    let write_version = |name: &str, password: &str| {
        let version = directory.join(name);
        std::fs::create_dir_all(&version).expect("the directory is created");
        std::fs::write(version.join("one.password"), password).expect("the password is written");
        let file = format!("ukprn = \"{FIRST}\"\nname = \"A\"\nproducts = [\"uln-management\"]\npassword_file = \"one.password\"\n");
        std::fs::write(version.join("one.toml"), file).expect("the file is written");
    };
    let link = |target: &str, name: &str| std::os::unix::fs::symlink(target, directory.join(name)).expect("the link is created");
    write_version("..1", "another-password");
    link("..1", "..data");
    link("..data/one.toml", "one.toml");
    link("..data/one.password", "one.password");
    let fixture = Fixture::start(setup);
    fixture.wait_for_status(FIRST, 502).await;

    write_version("..2", FIRST_PASSWORD);
    link("..2", "..data_tmp");
    std::fs::rename(directory.join("..data_tmp"), directory.join("..data")).expect("the link is replaced");
    fixture.wait_for_status(FIRST, 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_certificate_rotation_under_load_fails_no_call_and_keeps_organisations_apart() {
    const CALLS: usize = 10_000;
    let authority = CertificateAuthority::new();
    let lrs = mutual_tls_lrs(&authority);
    let fixture = Fixture::start(rotation_config(&lrs, &authority));
    let callers = [FIRST, SECOND].map(|ukprn| fixture.caller(ukprn));
    let is_done = AtomicBool::new(false);
    let rotate = async {
        let mut version = 2;
        while !is_done.load(Ordering::Relaxed) {
            for ukprn in [FIRST, SECOND] {
                write_certificate(&fixture.directory.path("organisations"), &authority, ukprn, version);
            }
            version += 1;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let call = async {
        let (callers, search) = (&callers, &search());
        let calls = (0..CALLS).map(|number| async move {
            let answer = callers[number % 2].post(FIND, search).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
        });
        futures_util::StreamExt::for_each_concurrent(futures_util::stream::iter(calls), 8, |call| call).await;
        is_done.store(true, Ordering::Relaxed);
    };

    futures_util::future::join(rotate, call).await;

    let requests_by_certificate = lrs.simulator.certificate_counts();
    assert_eq!(requests_by_certificate.values().sum::<usize>(), CALLS);
    for (organisation, subject) in requests_by_certificate.keys() {
        assert!(subject.starts_with(&format!("CN={organisation}-")), "{organisation} used the certificate {subject}");
    }
    let certificates = requests_by_certificate.keys().collect::<Vec<_>>();
    assert!(certificates.len() > 3, "the certificates were not rotated during the calls: {certificates:?}");
}

/// The password of an organisation in the test of certificate rotation.
fn rotation_password(ukprn: &str) -> String {
    format!("password-{}", &ukprn[1..])
}

/// A simulated LRS that requires client certificates of this authority.
fn mutual_tls_lrs(authority: &CertificateAuthority) -> SimulatedLrs {
    let (certificate_file, key_file) = authority.issue("127.0.0.1");
    let tls = TlsFiles { certificate_file, key_file, client_ca_file: Some(authority.ca_file()) };
    let mut settings = SimulatorSettings { tls: Some(tls), ..SimulatorSettings::default() };
    for (organisation, ukprn) in settings.organisations.iter_mut().zip([FIRST, SECOND]) {
        organisation.password = rotation_password(ukprn);
        organisation.products = vec![Product::UlnManagement];
    }
    SimulatedLrs::with(&settings)
}

/// A configuration with certificates for both organisations, without retries and without effective rate limits.
fn rotation_config(lrs: &SimulatedLrs, authority: &CertificateAuthority) -> ConfigDirectory {
    const LIMITS: &str =
        "[limits]\norganisation_per_minute = 6000000\norganisation_burst = 100000\nperson_per_minute = 6000000\nperson_burst = 100000\n";
    let directory = ConfigDirectory::new(&lrs.url().replace("http:", "https:"));
    directory.add_lrs_settings(&format!("ca_certificate_file = \"{}\"\nmax_retries = 0", authority.ca_file().display()));
    directory.configure(|config| config + LIMITS);
    for ukprn in [FIRST, SECOND] {
        write_organisation(&directory, ukprn, &rotation_password(ukprn));
        let name = |kind: &str| format!("{ukprn}.{kind}");
        directory.certificate(ukprn, Path::new(&name("pem")), Path::new(&name("key.pem")));
        write_certificate(&directory.path("organisations"), authority, ukprn, 1);
    }
    directory
}

/// Writes a new certificate for an organisation, and its key.
fn write_certificate(directory: &Path, authority: &CertificateAuthority, ukprn: &str, version: u32) {
    let [certificate, key] = authority.certify(&format!("{ukprn}-{version}"));
    std::fs::write(directory.join(format!("{ukprn}.key.pem")), key).expect("the key is written");
    // Tools write the two files one after the other. In between, they do not match.
    std::thread::sleep(Duration::from_millis(50));
    std::fs::write(directory.join(format!("{ukprn}.pem")), certificate).expect("the certificate is written");
}

#[test]
fn check_config_with_thirty_organisations_reports_each_of_ten_errors() {
    let (directory, authority) = (ConfigDirectory::new("http://127.0.0.1:1"), CertificateAuthority::new());
    for number in 0..30 {
        write_organisation(&directory, &format!("100990{number:02}"), "sixteen-letters-");
    }
    let change = |number: u32, from: &str, to: &str| {
        let file = directory.path(&format!("organisations/100990{number:02}.toml"));
        let text = std::fs::read_to_string(&file).expect("the file exists");
        std::fs::write(file, text.replace(from, to)).expect("the file is written");
    };
    let add = |number: u32, line: &str| change(number, "ukprn = ", &format!("{line}\nukprn = "));
    write_certificates(&directory, &authority);
    change(0, "ukprn = \"10099000\"", "ukprn = \"1009900\"");
    change(1, "uln-management", "uln-managment");
    add(2, "colour = \"blue\"");
    change(3, "10099003.password", "missing.password");
    directory.write("organisations/10099004.password", "short");
    add(5, "client_certificate = { certificate_file = \"one.pem\", key_file = \"other.key\" }");
    add(6, "client_certificate = { certificate_file = \"old.pem\", key_file = \"old.key\" }");
    add(7, "client_certificate = { pfx_file = \"a.pfx\", pfx_password_file = \"a.pfx.password\" }");
    change(8, "ukprn = \"10099008\"", "ukprn = \"10099009\"");
    // An invalid number does not hide the other errors of its file.
    add(10, "limits = { person_burst = 0 }");
    change(10, "10099010.password", "missing.password");
    add(11, "client_certificate = { certificate_file = \"one.pem\", key_file = \"one.key\" }");

    let output = run(&["check-config", "--config", &directory.config_path()]);

    let (errors, remarks) = (stderr(&output), String::from_utf8(output.stdout.clone()).expect("text"));
    assert!(!output.status.success());
    // Remarks are printed although there are errors.
    assert!(remarks.contains("organisation 10099011: client certificate valid until "), "{remarks}");
    assert!(!remarks.contains("no error found"), "{remarks}");
    for error in [
        "10099000.toml: ukprn: must",
        "10099001.toml: products.0: must be one of",
        "10099002.toml: colour: unknown field",
        "10099003.toml: password_file: ",
        "10099004.toml: password_file: ",
        "10099005.toml: client_certificate: the key does not belong to the certificate",
        "organisation 10099006: client certificate is not valid now",
        "10099007.toml: client_certificate: pfx_file: cannot be opened",
        "10099009.toml: ukprn: organisation 10099009 is already described in ",
        "10099010.toml: limits.person_burst: must be at least 1",
        "10099010.toml: password_file: ",
    ] {
        assert_eq!(errors.matches(error).count(), 1, "{error}: {errors}");
    }
    assert_eq!(errors.lines().count(), 11, "one line for each error: {errors}");
}

/// Writes the certificates and keys that the files of [`check_config_with_thirty_organisations_reports_each_of_ten_errors`] name.
fn write_certificates(directory: &ConfigDirectory, authority: &CertificateAuthority) {
    let ([one, one_key], [_, other_key], [old, old_key]) =
        (authority.certify("one"), authority.certify("other"), authority.certify_until("old", 2020));
    for (name, content) in [("one.pem", &one), ("one.key", &one_key), ("other.key", &other_key), ("old.pem", &old), ("old.key", &old_key)] {
        directory.write(&format!("organisations/{name}"), content);
    }
    std::fs::write(directory.path("organisations/a.pfx"), fixture("modern.pfx")).expect("the archive is written");
    directory.write("organisations/a.pfx.password", "wrong");
}
