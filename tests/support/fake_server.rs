//! A peer that sends exactly the bytes a test wants, and remembers what it was sent.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct ReceivedRequest {
    /// Which connection it came over, counted from 0.
    pub connection: usize,
    /// Request line and headers.
    pub head: String,
    /// Body.
    pub body: String,
}

impl ReceivedRequest {
    /// A header's value, or nothing.
    pub fn header(&self, name: &str) -> &str {
        let line = self.head.lines().skip(1).find(|line| line.split(':').next().is_some_and(|key| key.eq_ignore_ascii_case(name)));
        line.and_then(|line| line.split_once(':')).map_or("", |(_, value)| value.trim())
    }
}

/// What the peer does with a request.
pub enum Reply {
    /// Sends these bytes and keeps the connection.
    Bytes(Vec<u8>),
    /// Sends these bytes and closes.
    ThenClose(Vec<u8>),
    /// Sends these bytes and resets the connection.
    ThenReset(Vec<u8>),
    /// Sends these bytes and then nothing more, for as long as the other side waits.
    ThenSilence(Vec<u8>),
    /// Sends the first bytes once and the second for ever.
    Forever(Vec<u8>, Vec<u8>),
}

/// The peer, listening.
pub struct FakeServer {
    address: SocketAddr,
    received: Arc<Mutex<Vec<ReceivedRequest>>>,
    stopped: Arc<AtomicBool>,
}

/// An HTTP answer.
pub fn http(status: u16, content_type: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// A SOAP answer of LRS, with the status that goes with it.
pub fn soap(status: u16, body: &str) -> Vec<u8> {
    let envelope = format!(
        "<?xml version=\"1.0\"?><soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    );
    http(status, "text/xml; charset=utf-8", envelope.as_bytes())
}

impl FakeServer {
    /// Answers every request as `reply` says.
    pub fn start(reply: impl Fn(&ReceivedRequest) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(super::ANY_PORT).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let received = Arc::new(Mutex::new(Vec::new()));
        let stopped = Arc::new(AtomicBool::new(false));
        let (log, stop, reply) = (Arc::clone(&received), Arc::clone(&stopped), Arc::new(reply));
        std::thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), log, reply) = (stream, Arc::clone(&log), Arc::clone(&reply)) else { continue };
                std::thread::spawn(move || serve(connection, stream, &log, &*reply));
            }
        });
        Self { address, received, stopped }
    }

    /// Answers every request with these bytes.
    pub fn with_response(bytes: Vec<u8>) -> Self {
        Self::start(move |_| Reply::Bytes(bytes.clone()))
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was sent so far.
    pub fn received(&self) -> Vec<ReceivedRequest> {
        self.received.lock().expect("no panic").clone()
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address); // wakes the listener
    }
}

fn serve(connection: usize, mut stream: TcpStream, log: &Mutex<Vec<ReceivedRequest>>, reply: &dyn Fn(&ReceivedRequest) -> Reply) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::new();
    while let Some(request) = read_request(connection, &mut stream, &mut buffer) {
        let reply = reply(&request);
        log.lock().expect("no panic").push(request);
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
                // Give the bytes a chance to be read: a reset takes what is still on its way with it.
                std::thread::sleep(Duration::from_millis(50));
                reset(stream);
                return;
            }
            Reply::ThenSilence(bytes) => {
                let _ = stream.write_all(&bytes);
                let _ = stream.read(&mut [0; 1]); // until the other side gives up
                return;
            }
            Reply::Forever(first, again) => {
                let _ = stream.write_all(&first);
                while stream.write_all(&again).is_ok() {}
                return;
            }
        }
    }
}

/// Closes with RST instead of FIN: no time to linger.
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
