//! The program as operators run it: its commands, configuration and log.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::caller::{Caller, claims};

/// Secret of the issuer in the configuration of [`ConfigDirectory`].
const SECRET: &[u8] = b"a secret of thirty-two bytes or more";
/// Maximum time for a log line or for the exit.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A running program. It is killed when this is dropped. Its output is read continuously: a full pipe would block it.
pub struct TestProgram {
    pub child: Child,
    log: mpsc::Receiver<String>,
    /// Lines of standard output. The channel is closed when the program has exited.
    pub output: mpsc::Receiver<String>,
}

impl TestProgram {
    /// Starts the program with these arguments and environment variables.
    pub fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::run(program(arguments, variables))
    }

    /// Starts the program with these arguments as a process that ignores SIGHUP, as `nohup` does.
    pub fn start_ignoring_hangup(arguments: &[&str]) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' HUP; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_lrs-gateway")]).args(arguments).stdin(Stdio::null());
        Self::run(command)
    }

    fn run(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let (log_lines, log) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().expect("standard error is piped"));
        let (output_lines, output) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().expect("standard output is piped"));
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| output_lines.send(line)));
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| log_lines.send(line)));
        Self { child, log, output }
    }

    /// Waits for the first log line with this message, and returns it.
    pub fn wait_for_log(&mut self, message: &str) -> Value {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let line = self.log.recv_timeout(deadline.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_else(|_| panic!("no log line with {message:?} in time, or before the program exited"));
            let event: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("log lines are JSON: {line}"));
            if event["message"] == message {
                return event;
            }
        }
    }

    /// Waits for the exit. Returns whether it was successful, and the rest of the log.
    pub fn wait_for_exit(mut self) -> (bool, String) {
        let started_at = Instant::now();
        loop {
            match self.child.try_wait().expect("the program was started") {
                Some(status) => return (status.success(), self.log.iter().collect::<Vec<_>>().join("\n")),
                None => assert!(started_at.elapsed() < TIMEOUT, "the program does not exit"),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends the signal with this name, without `SIG`.
    pub fn signal(&self, name: &str) {
        let arguments = [format!("-{name}"), self.child.id().to_string()];
        let kill = Command::new("kill").args(arguments).status().expect("the command `kill` exists");
        assert!(kill.success());
    }

    /// Ends the program and returns the rest of the log. A program that is killed loses its last lines.
    pub fn end_and_read_log(self) -> String {
        self.terminate();
        self.wait_for_exit().1
    }

    /// Kills the program, as the system does when there is no memory left.
    pub fn kill(mut self) {
        self.child.kill().expect("the program runs");
        self.child.wait().expect("the program was started");
    }
}

impl Drop for TestProgram {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns a command that runs the program with these arguments and environment variables.
pub fn program(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lrs-gateway"));
    command.args(arguments).envs(variables.iter().copied()).stdin(Stdio::null());
    command
}

/// Runs the program until it exits.
pub fn run(arguments: &[&str]) -> Output {
    run_with(arguments, &[])
}

/// Runs the program with these environment variables until it exits.
pub fn run_with(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    program(arguments, variables).output().expect("the program runs")
}

/// Returns standard error as text.
pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("standard error is UTF-8")
}

/// A directory with a valid configuration.
pub struct ConfigDirectory(tempfile::TempDir);

impl ConfigDirectory {
    /// Writes a configuration for the LRS at this URL, without documentation: preparing it costs every start processor time.
    pub fn new(lrs_url: &str) -> Self {
        let setup = Self(tempfile::tempdir().expect("a temporary directory is created"));
        setup.write("gateway.toml", &format!(
            "[server]\ndocs = false\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\nworkers = 1\ndrain_seconds = 0\n\
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

    /// Writes a file.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("the file is in a directory")).expect("the directory is created");
        std::fs::write(path, text).expect("the file is written");
    }

    /// Changes `gateway.toml`.
    pub fn configure(&self, change: impl FnOnce(String) -> String) {
        let config = std::fs::read_to_string(self.path("gateway.toml")).expect("the file exists");
        self.write("gateway.toml", &change(config));
    }

    /// Switches the documentation on.
    pub fn enable_docs(&self) {
        self.configure(|config| config.replace("docs = false", "docs = true"));
    }

    /// Adds settings to the section `[lrs]`.
    pub fn add_lrs_settings(&self, settings: &str) {
        self.configure(|config| config.replace("[organisations]", &format!("{settings}\n[organisations]")));
    }

    /// Sets the client certificate of an organisation.
    pub fn certificate(&self, ukprn: &str, certificate: &Path, key: &Path) {
        self.client_certificate(ukprn, ["certificate_file", "key_file"], [certificate, key]);
    }

    /// Sets the client certificate of an organisation, as a PKCS#12 archive and its password file.
    #[cfg(feature = "native-tls")]
    pub fn archive(&self, ukprn: &str, archive: &Path, password: &Path) {
        self.client_certificate(ukprn, ["pfx_file", "pfx_password_file"], [archive, password]);
    }

    fn client_certificate(&self, ukprn: &str, names: [&str; 2], paths: [&Path; 2]) {
        let file = format!("organisations/{ukprn}.toml");
        let text = std::fs::read_to_string(self.path(&file)).expect("the file exists");
        let ([first_name, second_name], [first, second]) = (names, paths.map(Path::display));
        self.write(&file, &format!("{text}client_certificate = {{ {first_name} = \"{first}\", {second_name} = \"{second}\" }}\n"));
    }

    /// Returns the path of a file.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Returns the path of `gateway.toml`.
    pub fn config_path(&self) -> String {
        self.path("gateway.toml").display().to_string()
    }
}

/// A running gateway process.
pub struct ServingProgram {
    pub program: TestProgram,
    /// URL of the API.
    pub api: String,
    /// URL of the admin listener.
    pub admin: String,
}

impl ServingProgram {
    /// Starts a gateway with this configuration.
    pub fn start(setup: &ConfigDirectory) -> Self {
        Self::with(setup, &[])
    }

    /// Starts a gateway with this configuration and these environment variables.
    pub fn with(setup: &ConfigDirectory, variables: &[(&str, &str)]) -> Self {
        let mut program = TestProgram::start(&["serve", "--config", &setup.config_path()], variables);
        let event = program.wait_for_log("serving");
        let url = |name: &str| format!("http://{}", event[name].as_str().expect("the log line has the address"));
        Self { program, api: url("api"), admin: url("admin") }
    }
}

/// Returns a caller of this organisation, with a token for the configuration of [`ConfigDirectory`].
pub fn caller_of(api: &str, ukprn: &str) -> Caller {
    let claims = claims(json!({"org": null, "realm": {"ukprn": ukprn}}));
    let token = lrs_gateway::auth::sign_token(SECRET, claims.as_object().expect("claims are an object")).expect("the token is signed");
    Caller::new(api.to_owned()).with_token(&token)
}
