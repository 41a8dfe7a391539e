//! Forward proxies: tinyproxy, and one of the tests' own that leads every tunnel to the same server.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::ANY_PORT;
use super::redis::free_port;

/// A running tinyproxy.
pub struct TinyProxy {
    port: u16,
    child: Child,
    directory: TempDir,
}

impl TinyProxy {
    /// Starts a proxy with these further lines of configuration.
    pub fn with(configuration: &str) -> Self {
        let (port, directory) = (free_port(), tempfile::tempdir().expect("a temporary directory is created"));
        let file = directory.path().join("tinyproxy.conf");
        let log = directory.path().join("tinyproxy.log");
        let text = format!(
            "Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 50\nAllow 127.0.0.1\nLogFile \"{}\"\nLogLevel Connect\n{configuration}\n",
            log.display()
        );
        std::fs::write(&file, text).expect("the file is written");
        let child = Command::new("tinyproxy").arg("-d").arg("-c").arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let proxy = Self { port, child: child.expect("tinyproxy is installed: run `make tools`"), directory };
        let started_at = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started_at.elapsed() < Duration::from_secs(10), "tinyproxy does not listen: {}", proxy.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        proxy
    }

    /// Returns its address, without a scheme.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Returns its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("tinyproxy.log")).unwrap_or_default()
    }
}

impl Drop for TinyProxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A proxy that connects every tunnel to the same server, whatever its name, and records the heads of the requests.
pub struct ForwardProxy {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl ForwardProxy {
    /// Starts a proxy that leads to this server; without one it refuses every tunnel.
    pub fn leading_to(target: Option<SocketAddr>) -> Self {
        let listener = TcpListener::bind(ANY_PORT).expect("a port is free");
        let address = listener.local_addr().expect("the listener is bound");
        let heads = Arc::new(Mutex::new(Vec::new()));
        let recorded = Arc::clone(&heads);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let recorded = Arc::clone(&recorded);
                std::thread::spawn(move || tunnel(client, target, &recorded));
            }
        });
        Self { address, heads }
    }

    /// Returns its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the heads of the requests received so far.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("no thread panicked").clone()
    }
}

fn tunnel(mut client: TcpStream, target: Option<SocketAddr>, heads: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match client.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    heads.lock().expect("no thread panicked").push(String::from_utf8_lossy(&head).into_owned());
    let Some(mut server) = target.and_then(|target| TcpStream::connect(target).ok()) else {
        let _ = client.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
        return;
    };
    let _ = client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n");
    let (Ok(mut client_reader), Ok(mut server_writer)) = (client.try_clone(), server.try_clone()) else { return };
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut client_reader, &mut server_writer);
        let _ = server_writer.shutdown(std::net::Shutdown::Write);
    });
    let _ = std::io::copy(&mut server, &mut client);
    let _ = client.shutdown(std::net::Shutdown::Both);
}
