//! Cost of rate limits and idempotency keys per call: in memory, and in a real Redis, with one bare round trip for comparison (`make bench`;
//! figures in `docs/PERFORMANCE.md`).

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use divan::{AllocProfiler, Bencher, black_box};
use lrs_gateway::idempotency::{Acquisition, Completion, IdempotencyStore, IdempotentRequest, ReservationTimes};
use lrs_gateway::organisations::RateOverrides;
use lrs_gateway::rate_limit::{Limit, RateLimitKeys, RateLimiter, Rates};
use lrs_gateway::storage::encryption::KeyRing;
use lrs_gateway::storage::{LrsIdentity, Redis, Storage};
use tokio::runtime::Runtime;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// A Redis server for one benchmark. It is killed when this is dropped.
struct RedisServer {
    process: Child,
    url: String,
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
    }
}

impl RedisServer {
    fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        let process = command.stdout(Stdio::null()).spawn().expect("redis-server is installed");
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { process, url: format!("redis://127.0.0.1:{port}/") }
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn storage(server: Option<&RedisServer>) -> Storage {
    let key_ring = Arc::new(KeyRing::generate().expect("random numbers"));
    Storage {
        redis: server.map(|server| Arc::new(Redis::new(&server.url, None, "bench").expect("a Redis URL").accept_volatile(true))),
        key_ring,
        lrs: LrsIdentity::new("https://lrs.test"),
    }
}

/// Creates a limiter that never rejects a call of a benchmark.
fn rate_limiter(storage: &Storage) -> RateLimiter {
    let limit = Limit { per_minute: 60_000_000, burst: 10_000_000 };
    RateLimiter::new(Rates { organisation: limit, person: limit, searches: limit }, 1, storage)
}

static USERS: LazyLock<Vec<String>> = LazyLock::new(|| (0..1000).map(|number| format!("person-{number}")).collect());

/// Returns the keys of each user, as they are prepared when a token is verified.
fn rate_limit_keys(limiter: &RateLimiter) -> Vec<RateLimitKeys> {
    USERS.iter().map(|user| limiter.keys("10088881", "https://idp.example", user)).collect()
}

fn count_calls(bencher: Bencher<'_, '_>, server: Option<&RedisServer>) {
    let (runtime, limiter, mut number) = (runtime(), rate_limiter(&storage(server)), 0);
    let keys = rate_limit_keys(&limiter);
    bencher.bench_local(|| {
        number += 1;
        let decision = runtime.block_on(limiter.count(&keys[number % keys.len()], number.is_multiple_of(2), RateOverrides::default()));
        assert!(decision.exceeded.is_none());
        (decision.policy_header(), decision.header())
    });
}

#[divan::bench]
fn rate_limit_call_in_memory(bencher: Bencher<'_, '_>) {
    count_calls(bencher, None);
}

#[divan::bench]
fn rate_limit_call_in_redis(bencher: Bencher<'_, '_>) {
    count_calls(bencher, Some(&RedisServer::start()));
}

#[divan::bench]
fn ping_redis(bencher: Bencher<'_, '_>) {
    let server = RedisServer::start();
    let (runtime, storage) = (runtime(), storage(Some(&server)));
    let redis = storage.redis.expect("a Redis");
    let ping = || redis.run_with_retry(|mut handle| async move { redis::cmd("PING").query_async::<String>(&mut handle).await });
    bencher.bench_local(|| runtime.block_on(ping()).expect("a reply"));
}

/// Reserves a new key and stores its answer.
fn store_answers(bencher: Bencher<'_, '_>, server: Option<&RedisServer>) {
    let (runtime, mut number) = (runtime(), 0);
    let store = IdempotencyStore::new(&storage(server), ReservationTimes::default());
    let answer = br#"{"status":201,"headers":[],"body":"{\"outcome\":\"REGISTERED\",\"lrsCode\":\"WSRC0005\",\"uln\":\"3000000258\"}"}"#;
    bencher.bench_local(|| {
        number += 1;
        let key = number.to_string();
        let request = IdempotentRequest {
            organisation: "10088881",
            issuer: "https://idp.example",
            client: "desk",
            operation: "register",
            key: &key,
            body_digest: None,
        };
        runtime.block_on(async {
            let Ok(Acquisition::Acquired(reservation)) = store.acquire(black_box(request)).await else { panic!("not reserved") };
            store.complete(&reservation, Completion::Answered(answer.to_vec())).await.expect("stored");
        });
    });
}

#[divan::bench]
fn idempotency_key_in_memory(bencher: Bencher<'_, '_>) {
    store_answers(bencher, None);
}

#[divan::bench]
fn idempotency_key_in_redis(bencher: Bencher<'_, '_>) {
    store_answers(bencher, Some(&RedisServer::start()));
}
