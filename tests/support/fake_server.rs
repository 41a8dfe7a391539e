//! A server that replies with exactly the bytes that a test sets, and records the requests that it receives.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A received request.
#[derive(Debug, Clone)]
pub struct ReceivedRequest {
    /// Number of the connection, from 0.
    pub connection: usize,
    /// Request line and headers.
    pub head: String,
    /// Body.
    pub body: String,
}

impl ReceivedRequest {
    /// Returns the value of a header; empty if it is absent.
    pub fn header(&self, name: &str) -> &str {
        let mut headers = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        headers.find(|(header, _)| header.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value.trim())
    }
}

/// The reaction to a request.
pub enum Reply {
    /// Sends these bytes and keeps the connection open.
    Bytes(Vec<u8>),
    /// Sends these bytes and closes the connection.
    ThenClose(Vec<u8>),
    /// Sends these bytes and resets the connection.
    ThenReset(Vec<u8>),
    /// Sends these bytes, then nothing more until the client closes the connection.
    ThenSilence(Vec<u8>),
    /// Sends the first bytes once, then the second bytes again and again.
    Forever(Vec<u8>, Vec<u8>),
}

/// A listening server.
pub struct FakeServer {
    address: SocketAddr,
    received: Arc<Mutex<Vec<ReceivedRequest>>>,
    connection_count: Arc<AtomicUsize>,
    stopped: Arc<AtomicBool>,
}

/// Returns an HTTP response.
pub fn http(status: u16, content_type: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// Returns an LRS response: an HTTP response with this element in a SOAP envelope.
pub fn soap(status: u16, body: &str) -> Vec<u8> {
    let envelope = format!(
        "<?xml version=\"1.0\"?><soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    );
    http(status, "text/xml; charset=utf-8", envelope.as_bytes())
}

impl FakeServer {
    /// Starts a server that calls `reply` for every request.
    pub fn start(reply: impl Fn(&ReceivedRequest) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(super::ANY_PORT).expect("a port is free");
        let address = listener.local_addr().expect("the listener is bound");
        let received = Arc::new(Mutex::new(Vec::new()));
        let stopped = Arc::new(AtomicBool::new(false));
        let connection_count = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connection_count);
        let (log, stop, reply) = (Arc::clone(&received), Arc::clone(&stopped), Arc::new(reply));
        std::thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                counter.fetch_add(1, Ordering::SeqCst);
                let (Ok(stream), log, reply) = (stream, Arc::clone(&log), Arc::clone(&reply)) else { continue };
                std::thread::spawn(move || serve(connection, stream, &log, &*reply));
            }
        });
        Self { address, received, connection_count, stopped }
    }

    /// Starts a server that replies to every request with these bytes.
    pub fn with_response(bytes: Vec<u8>) -> Self {
        Self::start(move |_| Reply::Bytes(bytes.clone()))
    }

    /// Returns its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns its address.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the number of connections accepted so far.
    pub fn connection_count(&self) -> usize {
        self.connection_count.load(Ordering::SeqCst)
    }

    /// Returns the requests received so far.
    pub fn received(&self) -> Vec<ReceivedRequest> {
        self.received.lock().expect("no thread panicked").clone()
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address); // Wakes the listener, which then stops.
    }
}

fn serve(connection: usize, mut stream: TcpStream, log: &Mutex<Vec<ReceivedRequest>>, reply: &dyn Fn(&ReceivedRequest) -> Reply) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::new();
    while let Some(request) = read_request(connection, &mut stream, &mut buffer) {
        let reply = reply(&request);
        log.lock().expect("no thread panicked").push(request);
        match reply {
            Reply::Bytes(bytes) => {
                if stream.write_all(&bytes).is_err() {
                    return;
                }
            }
            Reply::ThenClose(bytes) => {
                let _ = stream.write_all(&bytes);
                return;
            }
            Reply::ThenReset(bytes) => {
                let _ = stream.write_all(&bytes);
                // A reset discards bytes that the client has not read yet, so give it time to read them.
                std::thread::sleep(Duration::from_millis(50));
                reset(stream);
                return;
            }
            Reply::ThenSilence(bytes) => {
                let _ = stream.write_all(&bytes);
                let _ = stream.read(&mut [0; 1]); // Returns when the client closes the connection.
                return;
            }
            Reply::Forever(first, repeated) => {
                let _ = stream.write_all(&first);
                while stream.write_all(&repeated).is_ok() {}
                return;
            }
        }
    }
}

/// Closes the connection with RST instead of FIN.
fn reset(stream: TcpStream) {
    let socket = socket2::Socket::from(stream);
    let _ = socket.set_linger(Some(Duration::ZERO));
}

fn read_request(connection: usize, stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<ReceivedRequest> {
    let mut chunk = [0; 16 * 1024];
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            let mut request = ReceivedRequest { connection, head, body: String::new() };
            let length: usize = request.header("content-length").parse().unwrap_or(0);
            while buffer.len() < end + 4 + length {
                match stream.read(&mut chunk) {
                    Ok(read) if read > 0 => buffer.extend_from_slice(&chunk[..read]),
                    _ => return None,
                }
            }
            request.body = String::from_utf8_lossy(&buffer[end + 4..end + 4 + length]).into_owned();
            buffer.drain(..end + 4 + length);
            return Some(request);
        }
        match stream.read(&mut chunk) {
            Ok(read) if read > 0 => buffer.extend_from_slice(&chunk[..read]),
            _ => return None,
        }
    }
}
