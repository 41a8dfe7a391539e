//! The program as its operators run it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::caller::{Caller, claims};

/// The secret of the issuer that [`Setup`]'s configuration trusts.
const SECRET: &[u8] = b"a secret of thirty-two bytes or more";

/// The program, running; it is killed with its owner. Its log is read all the time: a full pipe would stop it.
pub struct TestProgram {
    pub child: Child,
    log: mpsc::Receiver<String>,
    /// The lines of its standard output; it has none any more when it has ended.
    pub output: mpsc::Receiver<String>,
}

impl TestProgram {
    pub fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut child = program(arguments, variables).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let (lines, log) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        let (written, output) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| written.send(line)));
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| lines.send(line)));
        Self { child, log, output }
    }

    /// The first log line with this message, which must come within half a minute.
    pub fn wait_for(&mut self, message: &str) -> Value {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let line = self.log.recv_timeout(until.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_else(|_| panic!("it says {message:?} before it ends, and in time"));
            let event: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("logs are JSON: {line}"));
            if event["message"] == message {
                return event;
            }
        }
    }

    /// Waits for its end, which must come: did it succeed, and what did it say?
    pub fn end(mut self) -> (bool, String) {
        let started = Instant::now();
        loop {
            match self.child.try_wait().expect("it was started") {
                Some(status) => return (status.success(), self.log.iter().collect::<Vec<_>>().join("\n")),
                None => assert!(started.elapsed() < Duration::from_secs(30), "it does not end"),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Asks it to end, as an operator does.
    pub fn terminate(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().expect("kill is everywhere");
        assert!(sent.success());
    }

    /// Ends it and gives back all it said on standard error since.
    pub fn rest_of_log(mut self) -> String {
        self.child.kill().expect("it runs");
        self.log.iter().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for TestProgram {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program with these arguments and variables.
pub fn program(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lrs-gateway"));
    command.args(arguments).envs(variables.iter().copied()).stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub fn run(arguments: &[&str]) -> Output {
    run_with(arguments, &[])
}

/// The same, with these variables.
pub fn run_with(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    program(arguments, variables).output().expect("it runs")
}

/// What it said on standard error.
pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

/// A directory with a configuration that works.
pub struct ConfigDirectory(tempfile::TempDir);

impl ConfigDirectory {
    pub fn new(lrs_url: &str) -> Self {
        let setup = Self(tempfile::tempdir().expect("a directory"));
        setup.write("gateway.toml", &format!(
            "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\nworkers = 1\ndrain_seconds = 0\n\
             [[auth.issuers]]\nissuer = \"https://idp.example.ac.uk/\"\naudience = \"lrs-gateway\"\nhmac_secret_file = \"secret\"\norganisation_claim = \"realm.ukprn\"\n\
             [lrs]\nenvironment = \"custom\"\nbase_url = \"{lrs_url}\"\n[organisations]\ndirectory = \"organisations\"\n"
        ));
        setup.write("secret", "a secret of thirty-two bytes or more\n");
        setup.write(
            "organisations/10088881.toml",
            "ukprn = \"10088881\"\nname = \"Example College\"\nproducts = [\"uln-management\"]\npassword_file = \"10088881.password\"\n",
        );
        setup.write("organisations/10088881.password", "demo-password-01\n");
        setup
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        std::fs::write(path, text).expect("written");
    }

    /// With another configuration, made of the one that is there.
    pub fn configure(&self, change: impl FnOnce(String) -> String) {
        let config = std::fs::read_to_string(self.path("gateway.toml")).expect("written");
        self.write("gateway.toml", &change(config));
    }

    /// With more settings of LRS.
    pub fn lrs(&self, settings: &str) {
        self.configure(|config| config.replace("[organisations]", &format!("{settings}\n[organisations]")));
    }

    /// With this certificate and key for an organisation.
    pub fn certificate(&self, ukprn: &str, certificate: &Path, key: &Path) {
        self.client_certificate(ukprn, ["certificate_file", "key_file"], [certificate, key]);
    }

    /// With this PKCS#12 archive and password file for an organisation.
    #[cfg(feature = "native-tls")]
    pub fn archive(&self, ukprn: &str, archive: &Path, password: &Path) {
        self.client_certificate(ukprn, ["pfx_file", "pfx_password_file"], [archive, password]);
    }

    fn client_certificate(&self, ukprn: &str, names: [&str; 2], paths: [&Path; 2]) {
        let file = format!("organisations/{ukprn}.toml");
        let text = std::fs::read_to_string(self.path(&file)).expect("written");
        let ([one, other], [first, second]) = (names, paths.map(Path::display));
        self.write(&file, &format!("{text}client_certificate = {{ {one} = \"{first}\", {other} = \"{second}\" }}\n"));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn config(&self) -> String {
        self.path("gateway.toml").display().to_string()
    }
}

/// The gateway as a program, serving.
pub struct ServingProgram {
    pub program: TestProgram,
    /// Address of the API.
    pub api: String,
    /// Address for operators.
    pub admin: String,
}

impl ServingProgram {
    /// As this configuration says.
    pub fn start(setup: &ConfigDirectory) -> Self {
        Self::with(setup, &[])
    }

    /// The same, with these variables.
    pub fn with(setup: &ConfigDirectory, variables: &[(&str, &str)]) -> Self {
        let mut program = TestProgram::start(&["serve", "--config", &setup.config()], variables);
        let said = program.wait_for("serving");
        let address = |name: &str| format!("http://{}", said[name].as_str().expect("an address"));
        Self { program, api: address("api"), admin: address("admin") }
    }
}

/// A person of this organisation, with a token as [`Setup`]'s configuration wants it.
pub fn caller_of(api: &str, ukprn: &str) -> Caller {
    let claims = claims(json!({"org": null, "realm": {"ukprn": ukprn}}));
    let token = lrs_gateway::auth::sign_token(SECRET, claims.as_object().expect("an object")).expect("signed");
    Caller::new(api.to_owned()).with_token(&token)
}
