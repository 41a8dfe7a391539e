//! A Redis of the test's own: the real server, on a free port, in a directory of its own.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lrs_gateway::batches::repository::redis::RedisRepository;
use lrs_gateway::storage::encryption::KeyRing;
use lrs_gateway::storage::{self, Storage};
use redis::{Connection, FromRedisValue, Value};
use tempfile::TempDir;

use super::ANY_PORT;

/// A `redis-server`.
pub struct TestRedis {
    port: u16,
    directory: TempDir,
    arguments: Vec<String>,
    child: Child,
}

/// The way to the Redis at this address.
pub fn link(url: &str, ca: Option<Vec<u8>>) -> Arc<storage::Redis> {
    Arc::new(storage::Redis::new(url, ca, "test").expect("an address"))
}

/// A store in it.
pub fn store(url: &str, ca: Option<Vec<u8>>) -> RedisRepository {
    RedisRepository::new(link(url, ca))
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind(ANY_PORT).and_then(|listener| listener.local_addr()).expect("a free port").port()
}

impl TestRedis {
    /// One that keeps nothing on disk.
    pub fn start() -> Self {
        Self::with(free_port(), &["--save", "", "--appendonly", "no"])
    }

    /// One that keeps everything on disk, and has it again after a restart.
    pub fn persistent() -> Self {
        Self::with(free_port(), &["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"])
    }

    /// On this port, with these settings.
    pub fn with(port: u16, arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let child = spawn(port, directory.path(), &arguments);
        let redis = Self { port, directory, arguments, child };
        redis.wait();
        redis
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// The way to it, for gateways that seal with these keys.
    pub fn storage(&self, key_file: &str) -> Storage {
        let keys = KeyRing::parse(key_file.as_bytes()).expect("keys");
        Storage { redis: Some(link(&self.url(), None)), key_ring: Arc::new(keys) }
    }

    /// A store in it.
    pub fn store(&self) -> Arc<RedisRepository> {
        Arc::new(store(&self.url(), None))
    }

    /// Kills it, as a power cut would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again where it was.
    pub fn restart(&mut self) {
        self.child = spawn(self.port, self.directory.path(), &self.arguments);
        self.wait();
    }

    fn wait(&self) {
        let started = Instant::now();
        let answers = |mut connection: Connection| redis::cmd("PING").query::<String>(&mut connection).is_ok();
        while !self.try_connect().is_some_and(answers) {
            assert!(started.elapsed() < Duration::from_secs(10), "redis-server does not answer on port {}", self.port);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn try_connect(&self) -> Option<Connection> {
        redis::Client::open(self.url()).and_then(|client| client.get_connection()).ok()
    }

    /// Asks it something.
    pub fn ask<T: FromRedisValue>(&self, command: &[&str]) -> T {
        let mut connection = self.try_connect().expect("a connection");
        let (name, arguments) = command.split_first().expect("a command");
        redis::cmd(name).arg(arguments).query(&mut connection).unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    /// Every key.
    pub fn keys(&self) -> Vec<String> {
        self.ask(&["KEYS", "*"])
    }

    /// Everything in it: names and contents of every key, and what it wrote to its disk.
    pub fn dump(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for key in self.keys() {
            bytes.extend_from_slice(key.as_bytes());
            let kind: String = self.ask(&["TYPE", &key]);
            let contents: Value = match kind.as_str() {
                "string" => self.ask(&["GET", &key]),
                "hash" => self.ask(&["HGETALL", &key]),
                "zset" => self.ask(&["ZRANGE", &key, "0", "-1"]),
                "set" => self.ask(&["SMEMBERS", &key]),
                "none" => Value::Nil,
                other => panic!("{key} is a {other}"),
            };
            collect(&contents, &mut bytes);
        }
        collect_files(self.directory.path(), &mut bytes);
        bytes
    }

    /// How many commands it has carried out.
    pub fn commands(&self) -> u64 {
        let info: String = self.ask(&["INFO", "stats"]);
        let line = info.lines().find_map(|line| line.strip_prefix("total_commands_processed:")).expect("a count");
        line.trim().parse().expect("a number")
    }
}

impl Drop for TestRedis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn collect(value: &Value, bytes: &mut Vec<u8>) {
    match value {
        Value::BulkString(text) => bytes.extend_from_slice(text),
        Value::SimpleString(text) => bytes.extend_from_slice(text.as_bytes()),
        Value::Array(items) | Value::Set(items) => items.iter().for_each(|item| collect(item, bytes)),
        Value::Map(pairs) => pairs.iter().for_each(|(key, value)| {
            collect(key, bytes);
            collect(value, bytes);
        }),
        _ => {}
    }
}

fn collect_files(directory: &Path, bytes: &mut Vec<u8>) {
    for entry in std::fs::read_dir(directory).expect("a directory").flatten() {
        if entry.path().is_dir() {
            collect_files(&entry.path(), bytes);
        } else if let Ok(content) = std::fs::read(entry.path()) {
            bytes.extend(content);
        }
    }
}

fn spawn(port: u16, directory: &Path, arguments: &[String]) -> Child {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--protected-mode", "no", "--daemonize", "no", "--port", &port.to_string()]);
    command.arg("--dir").arg(directory).args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("redis-server is installed (Debian package redis-server)")
}

/// Three masters of a cluster.
pub struct RedisCluster {
    pub nodes: Vec<TestRedis>,
}

impl RedisCluster {
    pub fn start() -> Self {
        let node = |_| TestRedis::with(free_cluster_port(), &["--save", "", "--appendonly", "no", "--cluster-enabled", "yes"]);
        let nodes: Vec<TestRedis> = (0..3).map(node).collect();
        let slots = [("0", "5461"), ("5462", "10922"), ("10923", "16383")];
        for (epoch, (node, (first, last))) in (1..).zip(nodes.iter().zip(slots)) {
            let _: String = node.ask(&["CLUSTER", "ADDSLOTSRANGE", first, last]);
            let _: String = node.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &format!("{epoch}")]);
        }
        for node in &nodes[1..] {
            let _: String = nodes[0].ask(&["CLUSTER", "MEET", "127.0.0.1", &node.port.to_string()]);
        }
        let started = Instant::now();
        while !nodes.iter().all(|node| node.ask::<String>(&["CLUSTER", "INFO"]).contains("cluster_state:ok")) {
            assert!(started.elapsed() < Duration::from_secs(30), "the cluster does not come together");
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { nodes }
    }

    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("redis-cluster://{}", hosts.join(","))
    }
}

/// Nodes of a cluster talk to each other on a port 10,000 above their own.
fn free_cluster_port() -> u16 {
    loop {
        let port = free_port();
        if port < 55_000 && TcpListener::bind(("127.0.0.1", port + 10_000)).is_ok() {
            return port;
        }
        // Ports given out for “any” are mostly above: look below.
        let port = fastrand::u16(20_000..30_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() && TcpListener::bind(("127.0.0.1", port + 10_000)).is_ok() {
            return port;
        }
    }
}

/// A master, a replica, and a sentinel that watches them.
pub struct SentinelRedis {
    pub master: TestRedis,
    pub replica: TestRedis,
    sentinel: Child,
    port: u16,
    _directory: TempDir,
}

impl SentinelRedis {
    pub fn start() -> Self {
        let master = TestRedis::start();
        let port = master.port.to_string();
        let replica = TestRedis::with(free_port(), &["--save", "", "--appendonly", "no", "--replicaof", "127.0.0.1", &port]);
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("sentinel.conf");
        let sentinel_port = free_port();
        let settings = format!(
            "port {sentinel_port}\nbind 127.0.0.1\nsentinel monitor shelf 127.0.0.1 {port} 1\nsentinel down-after-milliseconds shelf 500\n\
             sentinel failover-timeout shelf 2000\n"
        );
        std::fs::write(&file, settings).expect("written");
        let mut command = Command::new("redis-server");
        command.arg(&file).arg("--sentinel").stdout(Stdio::null()).stderr(Stdio::null());
        let sentinel = command.spawn().expect("redis-server is installed");
        let watched = Self { master, replica, sentinel, port: sentinel_port, _directory: directory };
        let started = Instant::now();
        while !watched.sees_the_replica() {
            assert!(started.elapsed() < Duration::from_secs(20), "the sentinel does not see the replica");
            std::thread::sleep(Duration::from_millis(50));
        }
        watched
    }

    fn sees_the_replica(&self) -> bool {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}/", self.port)).expect("an address");
        let Ok(mut connection) = client.get_connection() else { return false };
        let replicas: redis::RedisResult<Vec<Value>> = redis::cmd("SENTINEL").arg("REPLICAS").arg("shelf").query(&mut connection);
        let linked = self.replica.ask::<String>(&["INFO", "replication"]).contains("master_link_status:up");
        linked && replicas.is_ok_and(|replicas| !replicas.is_empty())
    }

    pub fn url(&self) -> String {
        format!("redis-sentinel://127.0.0.1:{}/shelf", self.port)
    }
}

impl Drop for SentinelRedis {
    fn drop(&mut self) {
        let _ = self.sentinel.kill();
        let _ = self.sentinel.wait();
    }
}
