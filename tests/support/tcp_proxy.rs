//! A door before LRS: whoever comes is counted, can be kept waiting in it, or be thrown out.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::FakeServer;
use super::fake_server::{ReceivedRequest, Reply};

/// The door, standing.
pub struct TcpProxy {
    peer: FakeServer,
    hall: Arc<Hall>,
}

/// Those who are inside, and what is done with them.
struct Hall {
    inside: Mutex<Inside>,
    changed: Condvar,
}

#[derive(Default)]
struct Inside {
    /// Whose requests are kept waiting: those that have one of these words in them.
    held: Vec<String>,
    /// Is everybody thrown out, as if LRS were dead?
    dead: bool,
    /// How long everybody is kept at least.
    lingering: Duration,
    now: Vec<String>,
    most: usize,
    came: Vec<(Instant, String)>,
}

impl Hall {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().expect("no panic")
    }

    /// Lets a request in, keeps it for as long as it must wait, and lets it out. `false`: it was thrown out.
    fn pass(&self, body: &str, go_through: impl FnOnce() -> Vec<u8>) -> Reply {
        let mut inside = self.inside();
        inside.came.push((Instant::now(), body.to_owned()));
        if inside.dead {
            return Reply::ThenReset(Vec::new());
        }
        inside.now.push(body.to_owned());
        inside.most = inside.most.max(inside.now.len());
        let lingering = inside.lingering;
        let patience = Duration::from_secs(20);
        let (inside, _) = self.changed.wait_timeout_while(inside, patience, |inside| has_one_of(&inside.held, body)).expect("no panic");
        drop(inside);
        std::thread::sleep(lingering);
        let answer = go_through();
        let mut inside = self.inside();
        let at = inside.now.iter().position(|one| one == body).expect("it is inside");
        inside.now.swap_remove(at);
        Reply::ThenClose(answer)
    }
}

fn has_one_of(words: &[String], body: &str) -> bool {
    words.iter().any(|word| body.contains(word.as_str()))
}

/// Asks the LRS at this address the same, and gets its answer as it came.
fn ask(address: &str, request: &ReceivedRequest) -> Vec<u8> {
    let mut connection = TcpStream::connect(address).expect("LRS listens");
    let line = request.head.lines().next().unwrap_or_default();
    let length = request.body.len();
    let head = format!("{line}\r\nHost: lrs\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    connection.write_all(format!("{head}{}", request.body).as_bytes()).expect("it reads");
    let mut answer = Vec::new();
    let _ = connection.read_to_end(&mut answer);
    answer
}

impl TcpProxy {
    /// Before the LRS at this address. Open.
    pub fn in_front_of(url: &str) -> Self {
        let address = url.trim_start_matches("http://").to_owned();
        let hall = Arc::new(Hall { inside: Mutex::default(), changed: Condvar::new() });
        let at = Arc::clone(&hall);
        let peer = FakeServer::start(move |request| at.pass(&request.body, || ask(&address, request)));
        Self { peer, hall }
    }

    /// Its address.
    pub fn url(&self) -> String {
        self.peer.url()
    }

    /// Keeps those waiting who have this word in their request, until [`Door::open`].
    pub fn hold_requests(&self, word: &str) {
        self.hall.inside().held.push(word.to_owned());
    }

    /// Lets everybody go.
    pub fn release_all(&self) {
        self.hall.inside().held.clear();
        self.hall.changed.notify_all();
    }

    /// Keeps everybody for so long.
    pub fn set_delay(&self, time: Duration) {
        self.hall.inside().lingering = time;
    }

    /// Throws everybody out who comes, or no longer.
    pub fn set_unreachable(&self, dead: bool) {
        self.hall.inside().dead = dead;
    }

    /// How many requests with this word are inside.
    pub fn held_count(&self, word: &str) -> usize {
        self.hall.inside().now.iter().filter(|body| body.contains(word)).count()
    }

    /// Waits until so many with this word are inside.
    pub async fn wait_until_held(&self, word: &str, count: usize) {
        super::wait_until(|| self.held_count(word) >= count, || format!("{count} of {word} inside, there are {}", self.held_count(word)))
            .await;
    }

    /// The most there have been inside at once.
    pub fn max_concurrent(&self) -> usize {
        self.hall.inside().most
    }

    /// Counts anew from now on how many are inside at once.
    pub fn reset_max_concurrent(&self) {
        let mut inside = self.hall.inside();
        inside.most = inside.now.len();
    }

    /// The requests with this word, in the order of their coming.
    pub fn arrivals(&self, word: &str) -> Vec<(Instant, String)> {
        self.hall.inside().came.iter().filter(|(_, body)| body.contains(word)).cloned().collect()
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.release_all();
    }
}
