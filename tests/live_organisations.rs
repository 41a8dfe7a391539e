//! Organisations change while the gateway runs: what their files say holds within seconds, and no call is lost by it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lrs_gateway::simulator::{Fault, FaultStep, SimulatorSettings, TlsFiles};
use serde_json::{Value, json};

use crate::support::SimulatedLrs;
use crate::support::batches::learners;
use crate::support::caller::{Answer, Caller};
use crate::support::certificates::Authority;
use crate::support::program::{ConfigDirectory, ServingProgram, TestProgram, caller_of, run};

const ONE: &str = "10088881";
const OTHER: &str = "10088882";
const FIND: &str = "/v1/learners/find-by-uln";

/// The gateway as a program, with organisations' files that can be changed.
struct Scene {
    setup: ConfigDirectory,
    program: TestProgram,
    url: String,
    admin: String,
}

fn search() -> Value {
    json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"})
}

impl Scene {
    fn start(setup: ConfigDirectory) -> Self {
        let ServingProgram { program, api: url, admin } = ServingProgram::start(&setup);
        Self { setup, program, url, admin }
    }

    /// How many organisations' files cannot be used, as operators can measure it.
    async fn unusable(&self) -> String {
        let metrics = Caller::new(self.admin.clone()).request("GET", "/metrics").await.text;
        let line = metrics.lines().find_map(|line| line.strip_prefix("lrs_gateway_organisations_unusable "));
        line.expect("it is measured").to_owned()
    }

    fn caller(&self, ukprn: &str) -> Caller {
        caller_of(&self.url, ukprn)
    }

    /// Calls until the answer is this, which must come within five seconds.
    async fn becomes(&self, ukprn: &str, status: u16) -> Answer {
        let (caller, begun) = (self.caller(ukprn), Instant::now());
        loop {
            let answer = caller.post(FIND, &search()).await;
            if answer.status == status {
                return answer;
            }
            assert!(begun.elapsed() < Duration::from_secs(5), "within five seconds: {}", answer.text);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn organisation(setup: &ConfigDirectory, ukprn: &str, password: &str) {
    let file =
        format!("ukprn = \"{ukprn}\"\nname = \"A college\"\nproducts = [\"uln-management\"]\npassword_file = \"{ukprn}.password\"\n");
    setup.write(&format!("organisations/{ukprn}.password"), password);
    setup.write(&format!("organisations/{ukprn}.toml"), &file);
}

#[tokio::test]
async fn organisations_come_change_and_go_while_the_gateway_runs() {
    let lrs = SimulatedLrs::start();
    let mut scene = Scene::start(ConfigDirectory::new(&lrs.url()));
    scene.becomes(ONE, 200).await;
    scene.caller(OTHER).post(FIND, &search()).await.problem(403, "organisation_not_registered");
    // It comes, though LRS refuses it: the simulator's second organisation does not have the product.
    organisation(&scene.setup, OTHER, "demo-password-02");
    scene.becomes(OTHER, 502).await.problem(502, "lrs_credentials_rejected");
    // A broken file changes nothing, and is told once.
    scene.setup.write(&format!("organisations/{ONE}.toml"), "ukprn = ");
    let told = scene.program.wait_for("organisation file error: an unusable file leaves the organisation unchanged");
    assert!(told["problem"].as_str().is_some_and(|problem| problem.contains("not well-formed TOML")), "{told}");
    scene.caller(ONE).post(FIND, &search()).await.expect_success();
    assert_eq!(scene.unusable().await, "1");
    // A password that LRS does not know shows that it is read again; and then the right one.
    organisation(&scene.setup, ONE, "another-password");
    scene.becomes(ONE, 502).await.problem(502, "lrs_credentials_rejected");
    organisation(&scene.setup, ONE, "demo-password-01");
    scene.becomes(ONE, 200).await;
    // It goes.
    std::fs::remove_file(scene.setup.path(&format!("organisations/{ONE}.toml"))).expect("removed");
    scene.becomes(ONE, 403).await.problem(403, "organisation_not_registered");
    assert_eq!(scene.unusable().await, "0");
    assert_eq!(scene.program.wait_for("organisation removed")["organisation"], ONE);
}

#[tokio::test]
async fn the_batches_of_an_organisation_that_is_gone_wait_until_it_is_back() {
    const PASSWORD: &str = "demo-password-01";
    let lrs = SimulatedLrs::start();
    lrs.simulator.set_job_duration(Duration::ZERO);
    lrs.simulator.inject_faults(vec![FaultStep::new(Fault::OutOfHours)]);
    let setup = ConfigDirectory::new(&lrs.url());
    setup.configure(|config| config + "[batches]\ninitial_poll_interval_seconds = 1\nmax_poll_interval_seconds = 1\n");
    organisation(&setup, ONE, PASSWORD);
    let file = setup.path(&format!("organisations/{ONE}.toml"));
    let text = std::fs::read_to_string(&file).expect("written").replace("[\"uln", "[\"registration-batches\", \"uln");
    std::fs::write(&file, &text).expect("written");
    let mut scene = Scene::start(setup);
    let batch = json!({"jobType": "FULL", "learners": learners(3)});
    let accepted = scene.caller(ONE).post("/v1/registration-batches", &batch).await;
    let path = accepted.header("location").to_owned();
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    std::fs::remove_file(&file).expect("removed");
    scene.program.wait_for("batch deferred: organisation not registered");
    lrs.simulator.clear_faults();
    scene.caller(ONE).request("GET", &path).await.problem(403, "organisation_not_registered");
    assert!(lrs.simulator.jobs().submissions().is_empty(), "nothing was sent");
    std::fs::write(&file, &text).expect("written");
    scene.becomes(ONE, 200).await;
    let begun = Instant::now();
    while scene.caller(ONE).request("GET", &path).await.expect_success()["status"] != "COMPLETE" {
        assert!(begun.elapsed() < Duration::from_secs(10), "it goes on");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(lrs.simulator.jobs().submissions().len(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn a_secret_whose_link_is_turned_to_a_new_version_is_read_again() {
    let lrs = SimulatedLrs::start();
    let setup = ConfigDirectory::new(&lrs.url());
    // As Kubernetes mounts secrets: names are links into ..data, which is a link to the version of the day.
    let directory = setup.path("organisations");
    std::fs::remove_dir_all(&directory).expect("removed");
    let version = |name: &str, password: &str| {
        let at = directory.join(name);
        std::fs::create_dir_all(&at).expect("made");
        std::fs::write(at.join("one.password"), password).expect("written");
        let file = format!("ukprn = \"{ONE}\"\nname = \"A\"\nproducts = [\"uln-management\"]\npassword_file = \"one.password\"\n");
        std::fs::write(at.join("one.toml"), file).expect("written");
    };
    version("..1", "another-password");
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, directory.join(name)).expect("linked");
    link("..1", "..data");
    link("..data/one.toml", "one.toml");
    link("..data/one.password", "one.password");
    let scene = Scene::start(setup);
    scene.becomes(ONE, 502).await;
    version("..2", "demo-password-01");
    let directory = scene.setup.path("organisations");
    std::os::unix::fs::symlink("..2", directory.join("..data_tmp")).expect("linked");
    std::fs::rename(directory.join("..data_tmp"), directory.join("..data")).expect("turned");
    scene.becomes(ONE, 200).await;
}

/// Writes certificate and key anew, one after the other, as tools do.
fn certify(directory: &Path, authority: &Authority, ukprn: &str, name: &str) {
    let [certificate, key] = authority.certify(name);
    std::fs::write(directory.join(format!("{ukprn}.key.pem")), key).expect("written");
    std::thread::sleep(Duration::from_millis(50));
    std::fs::write(directory.join(format!("{ukprn}.pem")), certificate).expect("written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_rotated_under_load_and_no_call_fails_or_goes_under_another_name() {
    const CALLS: usize = 10_000;
    let authority = Authority::new();
    let (certificate_file, key_file) = authority.issue("127.0.0.1");
    let organisations = [ONE, OTHER].map(|ukprn| (ukprn, format!("password-{}", &ukprn[1..])));
    let mut settings = SimulatorSettings {
        tls: Some(TlsFiles { certificate_file, key_file, client_ca_file: Some(authority.ca_file()) }),
        ..SimulatorSettings::default()
    };
    for (simulated, (_, password)) in settings.organisations.iter_mut().zip(&organisations) {
        simulated.password.clone_from(password);
        simulated.products = vec![lrs_gateway::domain::Product::UlnManagement];
    }
    let lrs = SimulatedLrs::with(&settings);
    let setup = ConfigDirectory::new(&lrs.url().replace("http:", "https:"));
    let config = std::fs::read_to_string(setup.path("gateway.toml")).expect("written");
    let ca_file = authority.ca_file();
    let unlimited =
        "[limits]\norganisation_per_minute = 6000000\norganisation_burst = 100000\nperson_per_minute = 6000000\nperson_burst = 100000\n";
    setup.write(
        "gateway.toml",
        &(config.replace("[organisations]", &format!("ca_certificate_file = \"{}\"\nmax_retries = 0\n[organisations]", ca_file.display()))
            + unlimited),
    );
    let directory = setup.path("organisations");
    for (ukprn, password) in &organisations {
        organisation(&setup, ukprn, password);
        let file = setup.path(&format!("organisations/{ukprn}.toml"));
        let text = std::fs::read_to_string(&file).expect("written");
        let certificate = format!("client_certificate = {{ certificate_file = \"{ukprn}.pem\", key_file = \"{ukprn}.key.pem\" }}\n");
        std::fs::write(file, text + &certificate).expect("written");
        certify(&directory, &authority, ukprn, &format!("{ukprn}-1"));
    }
    let scene = Scene::start(setup);
    let callers = [ONE, OTHER].map(|ukprn| scene.caller(ukprn));
    let done = AtomicBool::new(false);
    let rotate = async {
        let mut version = 2;
        while !done.load(Ordering::Relaxed) {
            for ukprn in [ONE, OTHER] {
                certify(&directory, &authority, ukprn, &format!("{ukprn}-{version}"));
            }
            version += 1;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let calls = async {
        let (callers, search) = (&callers, &search());
        let each = (0..CALLS).map(|number| async move {
            let answer = callers[number % 2].post(FIND, search).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
        });
        futures_util::StreamExt::for_each_concurrent(futures_util::stream::iter(each), 8, |call| call).await;
        done.store(true, Ordering::Relaxed);
    };
    futures_util::future::join(rotate, calls).await;
    let shown = lrs.simulator.certificate_counts();
    assert_eq!(shown.values().sum::<usize>(), CALLS);
    for (organisation, subject) in shown.keys() {
        assert!(subject.starts_with(&format!("CN={organisation}-")), "{organisation} was shown as {subject}");
    }
    assert!(shown.len() > 3, "certificates were rotated meanwhile: {:?}", shown.keys().collect::<Vec<_>>());
}

#[test]
fn thirty_organisations_with_ten_mistakes_are_told_all_ten() {
    let (setup, authority) = (ConfigDirectory::new("http://127.0.0.1:1"), Authority::new());
    for number in 0..30 {
        organisation(&setup, &format!("100990{number:02}"), "sixteen-letters-");
    }
    let file = |number: u32| setup.path(&format!("organisations/100990{number:02}.toml"));
    let change = |number: u32, from: &str, to: &str| {
        let text = std::fs::read_to_string(file(number)).expect("written");
        std::fs::write(file(number), text.replace(from, to)).expect("written");
    };
    let more = |number: u32, line: &str| change(number, "ukprn = ", &format!("{line}\nukprn = "));
    let pem = |name: &str, content: &str| setup.write(&format!("organisations/{name}"), content);
    let ([one, one_key], [_, other_key], [old, old_key]) =
        (authority.certify("one"), authority.certify("other"), authority.certify_until("old", 2020));
    for (name, content) in [("one.pem", &one), ("one.key", &one_key), ("other.key", &other_key), ("old.pem", &old), ("old.key", &old_key)] {
        pem(name, content);
    }
    std::fs::write(setup.path("organisations/a.pfx"), crate::support::certificates::fixture("modern.pfx")).expect("written");
    pem("a.pfx.password", "wrong");
    change(0, "ukprn = \"10099000\"", "ukprn = \"1009900\"");
    change(1, "uln-management", "uln-managment");
    more(2, "colour = \"blue\"");
    change(3, "10099003.password", "missing.password");
    pem("10099004.password", "short");
    more(5, "client_certificate = { certificate_file = \"one.pem\", key_file = \"other.key\" }");
    more(6, "client_certificate = { certificate_file = \"old.pem\", key_file = \"old.key\" }");
    more(7, "client_certificate = { pfx_file = \"a.pfx\", pfx_password_file = \"a.pfx.password\" }");
    change(8, "ukprn = \"10099008\"", "ukprn = \"10099009\"");
    more(10, "limits = { person_burst = 0 }");
    more(11, "client_certificate = { certificate_file = \"one.pem\", key_file = \"one.key\" }");
    let output = run(&["check-config", "--config", &setup.config()]);
    let said = crate::support::program::stderr(&output);
    assert!(!output.status.success());
    for mistake in [
        "10099000.toml: ukprn: must",
        "10099001.toml: products.0: must be one of",
        "10099002.toml: colour: unknown field",
        "10099003.toml: password_file: ",
        "10099004.toml: password_file: ",
        "10099005.toml: client_certificate: the key does not belong to the certificate",
        "organisation 10099006: client certificate is not valid now",
        "10099007.toml: client_certificate: pfx_file: cannot be opened",
        "10099009.toml: ukprn: organisation 10099009 is already described in ",
        "10099010.toml: limits: every number must be at least 1",
    ] {
        assert_eq!(said.matches(mistake).count(), 1, "{mistake}: {said}");
    }
    assert_eq!(said.lines().count(), 10, "one line a mistake: {said}");
}
