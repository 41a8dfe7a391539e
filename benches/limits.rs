//! What limits cost a call: in memory, and in a real Redis beside the cost of one round trip to it (`make bench`; figures in
//! `docs/PERFORMANCE.md`).

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use divan::{AllocProfiler, Bencher, black_box};
use lrs_gateway::idempotency::{Acquisition, Completion, IdempotencyStore, IdempotentRequest};
use lrs_gateway::rate_limit::{Limit, RateLimitKey, RateLimits, RateOverrides, Rates};
use lrs_gateway::storage::encryption::KeyRing;
use lrs_gateway::storage::{Redis, Storage};
use tokio::runtime::Runtime;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// A Redis of the benchmark's own, which ends with it.
struct Server(Child, String);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}

fn server() -> Server {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    let child = command.stdout(Stdio::null()).spawn().expect("redis-server is installed");
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::sleep(Duration::from_millis(10));
    }
    Server(child, format!("redis://127.0.0.1:{port}/"))
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn storage(server: Option<&Server>) -> Storage {
    let keys = Arc::new(KeyRing::random().expect("random numbers"));
    Storage { redis: server.map(|Server(_, url)| Arc::new(Redis::new(url, None, "bench").expect("an address"))), keys }
}

fn limits(storage: &Storage) -> RateLimits {
    let limit = Limit { per_minute: 60_000_000, burst: 10_000_000 };
    RateLimits::new(Rates { organisation: limit, person: limit, searches: limit }, 1, storage)
}

static PEOPLE: LazyLock<Vec<String>> = LazyLock::new(|| (0..1000).map(|number| format!("person-{number}")).collect());

fn call(number: usize) -> RateLimitKey<'static> {
    RateLimitKey {
        organisation: "10088881",
        person: ("https://idp.example", &PEOPLE[number % PEOPLE.len()]),
        is_search: number.is_multiple_of(2),
    }
}

fn count(bencher: Bencher<'_, '_>, server: Option<&Server>) {
    let (runtime, limits, mut number) = (runtime(), limits(&storage(server)), 0);
    bencher.bench_local(|| {
        number += 1;
        let verdict = runtime.block_on(limits.count(call(number), RateOverrides::default()));
        assert!(verdict.refused.is_none());
        (verdict.policy_header(), verdict.header())
    });
}

#[divan::bench]
fn count_a_call_in_memory(bencher: Bencher<'_, '_>) {
    count(bencher, None);
}

#[divan::bench]
fn count_a_call_in_redis(bencher: Bencher<'_, '_>) {
    count(bencher, Some(&server()));
}

#[divan::bench]
fn ping_redis(bencher: Bencher<'_, '_>) {
    let server = server();
    let (runtime, storage) = (runtime(), storage(Some(&server)));
    let redis = storage.redis.expect("a Redis");
    let ping = || redis.run(|mut open| async move { redis::cmd("PING").query_async::<String>(&mut open).await });
    bencher.bench_local(|| runtime.block_on(ping()).expect("it answers"));
}

fn once(bencher: Bencher<'_, '_>, server: Option<&Server>) {
    let (runtime, mut number) = (runtime(), 0);
    let store = IdempotencyStore::new(&storage(server), Duration::from_secs(60));
    let answer = br#"{"status":201,"headers":[],"body":"{\"outcome\":\"REGISTERED\",\"lrsCode\":\"WSRC0005\",\"uln\":\"3000000258\"}"}"#;
    bencher.bench_local(|| {
        number += 1;
        let key = number.to_string();
        let request = IdempotentRequest {
            organisation: "10088881",
            client: ("https://idp.example", "desk"),
            operation: "register",
            key: &key,
            body: &[7; 32],
        };
        runtime.block_on(async {
            let Ok(Acquisition::Acquired(turn)) = store.acquire(black_box(request)).await else { panic!("begun") };
            store.complete(&turn, Completion::Answered(answer.to_vec())).await.expect("kept");
        });
    });
}

#[divan::bench]
fn remember_a_key_in_memory(bencher: Bencher<'_, '_>) {
    once(bencher, None);
}

#[divan::bench]
fn remember_a_key_in_redis(bencher: Bencher<'_, '_>) {
    once(bencher, Some(&server()));
}
