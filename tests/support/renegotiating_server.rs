//! A web server that asks for the client certificate by renegotiation, once it has seen what is wanted, as IIS does.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};

use super::certificates::Authority;

/// OpenSSL's server. It knows TLS alone: HTTP is what this writes to its input when it has seen a certificate.
pub struct RenegotiatingServer {
    child: Child,
    pub port: u16,
    subjects: Arc<Mutex<Vec<String>>>,
}

impl RenegotiatingServer {
    /// A server of this authority, which wants a certificate of the same, and then gives this answer.
    pub fn start(authority: &Authority, answer: Vec<u8>) -> Self {
        Self::with(&["-tls1_2"], authority, answer)
    }

    /// The same with these arguments.
    pub fn with(arguments: &[&str], authority: &Authority, answer: Vec<u8>) -> Self {
        let (certificate, key) = authority.issue("127.0.0.1");
        let mut child = Command::new("openssl")
            // No session is resumed: that would be a renegotiation without a certificate.
            .args(["s_server", "-accept", "127.0.0.1:0", "-no_ticket", "-no_cache", "-verify_return_error"])
            .args(["-cert".as_ref(), certificate.as_os_str(), "-key".as_ref(), key.as_os_str()])
            .args(["-CAfile".as_ref(), authority.ca_file().as_os_str()])
            .args(arguments) // the last counts
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("openssl is installed (`make tools`)");
        let input = Arc::new(Mutex::new(child.stdin.take().expect("piped")));
        let (found, port) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let commands = Arc::clone(&input);
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if let Some((_, port)) = line.strip_prefix("ACCEPT ").and_then(|address| address.rsplit_once(':')) {
                    let _ = found.send(port.parse().expect("a port"));
                }
                if line.starts_with("GET /") || line.starts_with("POST /") {
                    order(&commands, b"R\n"); // renegotiate, and ask for a certificate
                }
            }
        });
        let subjects = Arc::new(Mutex::new(Vec::new()));
        let (stderr, seen) = (BufReader::new(child.stderr.take().expect("piped")), Arc::clone(&subjects));
        std::thread::spawn(move || {
            let mut subject = None;
            for line in stderr.lines().map_while(Result::ok) {
                if let Some(name) = line.strip_prefix("depth=0 ") {
                    subject = Some(name.to_owned());
                } else if line == "verify return:1"
                    && let Some(subject) = subject.take()
                {
                    seen.lock().expect("nobody panicked").push(subject);
                    order(&input, &answer);
                }
            }
        });
        let port = port.recv().expect("it listens");
        Self { child, port, subjects }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// Whose certificates it has seen and found good.
    pub fn subjects(&self) -> Vec<String> {
        self.subjects.lock().expect("nobody panicked").clone()
    }
}

/// What is written at once is read at once: a line of one letter would be an order otherwise.
fn order(input: &Mutex<ChildStdin>, bytes: &[u8]) {
    let _ = input.lock().expect("nobody panicked").write_all(bytes);
}

impl Drop for RenegotiatingServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
