//! A web server that requests the client certificate by renegotiation, after it has read the request line, as IIS does.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};

use super::certificates::CertificateAuthority;

/// OpenSSL's `s_server`. It speaks TLS only: when it has accepted a client certificate, the test writes the HTTP response to its standard
/// input.
pub struct RenegotiatingServer {
    child: Child,
    pub port: u16,
    subjects: Arc<Mutex<Vec<String>>>,
}

impl RenegotiatingServer {
    /// Starts a server with a certificate of this authority. It requires a client certificate of the same authority, and then sends this
    /// response.
    pub fn start(authority: &CertificateAuthority, response: Vec<u8>) -> Self {
        Self::with(&["-tls1_2"], authority, response)
    }

    /// Starts a server with these arguments of `s_server`.
    pub fn with(arguments: &[&str], authority: &CertificateAuthority, response: Vec<u8>) -> Self {
        let (certificate, key) = authority.issue("127.0.0.1");
        let mut child = Command::new("openssl")
            // A resumed session would renegotiate without a certificate, so resumption is off.
            .args(["s_server", "-accept", "127.0.0.1:0", "-no_ticket", "-no_cache", "-verify_return_error"])
            .args(["-cert".as_ref(), certificate.as_os_str(), "-key".as_ref(), key.as_os_str()])
            .args(["-CAfile".as_ref(), authority.ca_file().as_os_str()])
            .args(arguments) // The last value of an option applies.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("openssl is installed (`make tools`)");
        let input = Arc::new(Mutex::new(child.stdin.take().expect("piped")));
        let (sender, receiver) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let commands = Arc::clone(&input);
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if let Some((_, port)) = line.strip_prefix("ACCEPT ").and_then(|address| address.rsplit_once(':')) {
                    let _ = sender.send(port.parse().expect("the port is a number"));
                }
                if line.starts_with("GET /") || line.starts_with("POST /") {
                    write_to(&commands, b"R\n"); // Renegotiates and requests a certificate.
                }
            }
        });
        let subjects = Arc::new(Mutex::new(Vec::new()));
        let (stderr, verified) = (BufReader::new(child.stderr.take().expect("piped")), Arc::clone(&subjects));
        std::thread::spawn(move || {
            let mut subject = None;
            for line in stderr.lines().map_while(Result::ok) {
                if let Some(name) = line.strip_prefix("depth=0 ") {
                    subject = Some(name.to_owned());
                } else if line == "verify return:1"
                    && let Some(subject) = subject.take()
                {
                    verified.lock().expect("no thread panicked").push(subject);
                    write_to(&input, &response);
                }
            }
        });
        let port = receiver.recv().expect("the server listens");
        Self { child, port, subjects }
    }

    /// Returns its URL.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// Returns the subjects of the client certificates that were accepted.
    pub fn subjects(&self) -> Vec<String> {
        self.subjects.lock().expect("no thread panicked").clone()
    }
}

/// Writes bytes in one call: `s_server` would take a response's line of one letter for a command if it read the line on its own.
fn write_to(input: &Mutex<ChildStdin>, bytes: &[u8]) {
    let _ = input.lock().expect("no thread panicked").write_all(bytes);
}

impl Drop for RenegotiatingServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
