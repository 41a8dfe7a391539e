//! A proxy in front of LRS. It records the requests, and can hold them, delay them, or reset their connections.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::FakeServer;
use super::fake_server::{ReceivedRequest, Reply};

/// Maximum time for which a request is held, so that a failed test ends.
const MAX_HOLD: Duration = Duration::from_secs(20);

/// A running proxy.
pub struct TcpProxy {
    server: FakeServer,
    shared: Arc<Shared>,
}

/// What the proxy shares with the threads of its connections.
struct Shared {
    state: Mutex<State>,
    held_words_changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Requests that contain one of these words are held.
    held_words: Vec<String>,
    /// `true` if every connection is reset, as if LRS were not running.
    is_unreachable: bool,
    /// Time by which every request is delayed.
    delay: Duration,
    /// Bodies of the requests in flight.
    in_flight: Vec<String>,
    max_in_flight: usize,
    arrivals: Vec<(Instant, String)>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panicked")
    }

    /// Holds and delays a request if required, then forwards it.
    fn pass(&self, body: &str, forward: impl FnOnce() -> Vec<u8>) -> Reply {
        let mut state = self.state();
        state.arrivals.push((Instant::now(), body.to_owned()));
        if state.is_unreachable {
            return Reply::ThenReset(Vec::new());
        }
        state.in_flight.push(body.to_owned());
        state.max_in_flight = state.max_in_flight.max(state.in_flight.len());
        let delay = state.delay;
        let is_held = |state: &mut State| state.held_words.iter().any(|word| body.contains(word.as_str()));
        drop(self.held_words_changed.wait_timeout_while(state, MAX_HOLD, is_held).expect("no thread panicked"));
        std::thread::sleep(delay);
        let response = forward();
        let mut state = self.state();
        let position = state.in_flight.iter().position(|other| other == body).expect("the request is in flight");
        state.in_flight.swap_remove(position);
        Reply::ThenClose(response)
    }
}

/// Sends a request to the LRS at this address and returns the bytes of the response.
fn forward_to(address: &str, request: &ReceivedRequest) -> Vec<u8> {
    let mut connection = TcpStream::connect(address).expect("LRS listens");
    let request_line = request.head.lines().next().unwrap_or_default();
    let length = request.body.len();
    let soap_headers = ["Content-Type", "SOAPAction"].map(|name| format!("{name}: {}\r\n", request.header(name))).concat();
    let head = format!("{request_line}\r\nHost: lrs\r\nConnection: close\r\n{soap_headers}Content-Length: {length}\r\n\r\n");
    connection.write_all(format!("{head}{}", request.body).as_bytes()).expect("LRS reads the request");
    let mut response = Vec::new();
    let _ = connection.read_to_end(&mut response);
    response
}

impl TcpProxy {
    /// Starts a proxy in front of the LRS at this URL. It forwards everything.
    pub fn in_front_of(url: &str) -> Self {
        let address = url.trim_start_matches("http://").to_owned();
        let shared = Arc::new(Shared { state: Mutex::default(), held_words_changed: Condvar::new() });
        let of_server = Arc::clone(&shared);
        let server = FakeServer::start(move |request| of_server.pass(&request.body, || forward_to(&address, request)));
        Self { server, shared }
    }

    /// Returns its URL.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Holds requests that contain this word until [`TcpProxy::release_all`].
    pub fn hold_requests(&self, word: &str) {
        self.shared.state().held_words.push(word.to_owned());
    }

    /// Forwards all held requests, and holds no more.
    pub fn release_all(&self) {
        self.shared.state().held_words.clear();
        self.shared.held_words_changed.notify_all();
    }

    /// Delays every request by this time.
    pub fn set_delay(&self, delay: Duration) {
        self.shared.state().delay = delay;
    }

    /// Sets whether every new connection is reset.
    pub fn set_unreachable(&self, is_unreachable: bool) {
        self.shared.state().is_unreachable = is_unreachable;
    }

    /// Returns the number of requests in flight that contain this word.
    pub fn held_count(&self, word: &str) -> usize {
        self.shared.state().in_flight.iter().filter(|body| body.contains(word)).count()
    }

    /// Waits until `count` requests that contain this word are in flight.
    pub async fn wait_until_held(&self, word: &str, count: usize) {
        let description = || format!("{count} requests with {word:?} in flight, there are {}", self.held_count(word));
        super::wait_until(|| self.held_count(word) >= count, description).await;
    }

    /// Returns the maximum number of requests that were in flight at the same time.
    pub fn max_concurrent(&self) -> usize {
        self.shared.state().max_in_flight
    }

    /// Resets [`TcpProxy::max_concurrent`] to the number of requests in flight now.
    pub fn reset_max_concurrent(&self) {
        let mut state = self.shared.state();
        state.max_in_flight = state.in_flight.len();
    }

    /// Returns the requests that contain this word, with the time of arrival, in the order of arrival.
    pub fn arrivals(&self, word: &str) -> Vec<(Instant, String)> {
        self.shared.state().arrivals.iter().filter(|(_, body)| body.contains(word)).cloned().collect()
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.release_all();
    }
}
