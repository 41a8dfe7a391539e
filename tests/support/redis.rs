//! Redis servers of the tests: the real program, alone, as a cluster, or watched by a sentinel. Each has free ports and its own directory.

use std::collections::HashMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lrs_gateway::batches::repository::redis::RedisRepository;
use lrs_gateway::storage::{self, LrsIdentity, Storage};
use redis::{Connection, FromRedisValue, Value};
use tempfile::TempDir;

use super::ANY_PORT;
use super::batch_backend::key_ring;

/// A running `redis-server`.
pub struct TestRedis {
    port: u16,
    directory: TempDir,
    arguments: Vec<String>,
    child: Child,
}

/// Returns the gateway's client for the Redis at this URL.
pub fn redis_client(url: &str, ca: Option<Vec<u8>>) -> Arc<storage::Redis> {
    Arc::new(storage::Redis::new(url, ca, "test").expect("the URL is valid"))
}

/// Returns a batch repository in the Redis at this URL.
pub fn repository_at(url: &str, ca: Option<Vec<u8>>) -> RedisRepository {
    RedisRepository::new(redis_client(url, ca), &lrs_identity())
}

/// Returns the LRS that the tests' batches belong to.
pub fn lrs_identity() -> LrsIdentity {
    LrsIdentity::new("https://lrs.test")
}

/// Returns the name of a key of the queue, for example of `scheduled`.
pub fn queue_key(name: &str) -> String {
    format!("test:{{queue}}:{}:{name}", lrs_identity().tag())
}

/// Returns a port that is free now.
pub fn free_port() -> u16 {
    TcpListener::bind(ANY_PORT).and_then(|listener| listener.local_addr()).expect("a port is free").port()
}

impl TestRedis {
    /// Starts a server that the gateway accepts as durable. It leaves the time of each write to disk to the system, so it is fast.
    pub fn start() -> Self {
        Self::with(free_port(), &["--save", "", "--appendonly", "yes", "--appendfsync", "no"])
    }

    /// Starts a server that stores nothing on disk.
    pub fn volatile() -> Self {
        Self::with(free_port(), &["--save", "", "--appendonly", "no"])
    }

    /// Starts a server that stores everything on disk, and loads it after a restart.
    pub fn persistent() -> Self {
        Self::with(free_port(), &["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"])
    }

    /// Starts a server on this port with these settings.
    pub fn with(port: u16, arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory is created");
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let child = spawn(port, directory.path(), &arguments);
        let redis = Self { port, directory, arguments, child };
        redis.wait_until_ready();
        redis
    }

    /// Returns its port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Returns its URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Returns the storage of a gateway that uses this Redis and these encryption keys.
    pub fn storage(&self, key_file: &str) -> Storage {
        Storage { redis: Some(redis_client(&self.url(), None)), key_ring: Arc::new(key_ring(key_file)), lrs: lrs_identity() }
    }

    /// Returns a batch repository in it.
    pub fn repository(&self) -> Arc<RedisRepository> {
        Arc::new(repository_at(&self.url(), None))
    }

    /// Kills the server, as a power cut would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts the server again, on the same port and in the same directory.
    pub fn restart(&mut self) {
        self.child = spawn(self.port, self.directory.path(), &self.arguments);
        self.wait_until_ready();
    }

    fn wait_until_ready(&self) {
        let started_at = Instant::now();
        let responds = |mut connection: Connection| redis::cmd("PING").query::<String>(&mut connection).is_ok();
        while !self.try_connect().is_some_and(responds) {
            assert!(started_at.elapsed() < Duration::from_secs(10), "redis-server does not respond on port {}", self.port);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn try_connect(&self) -> Option<Connection> {
        redis::Client::open(self.url()).and_then(|client| client.get_connection()).ok()
    }

    /// Runs a command and returns its reply.
    pub fn query<T: FromRedisValue>(&self, command: &[&str]) -> T {
        let mut connection = self.try_connect().expect("redis-server accepts connections");
        let (name, arguments) = command.split_first().expect("the command has a name");
        redis::cmd(name).arg(arguments).query(&mut connection).unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    /// Returns every key.
    pub fn keys(&self) -> Vec<String> {
        self.query(&["KEYS", "*"])
    }

    /// Returns everything that is stored: the names and values of all keys, and the files on disk.
    pub fn dump(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for key in self.keys() {
            bytes.extend_from_slice(key.as_bytes());
            let value_type: String = self.query(&["TYPE", &key]);
            let value: Value = match value_type.as_str() {
                "string" => self.query(&["GET", &key]),
                "hash" => self.query(&["HGETALL", &key]),
                "zset" => self.query(&["ZRANGE", &key, "0", "-1"]),
                "set" => self.query(&["SMEMBERS", &key]),
                "none" => Value::Nil,
                other => panic!("{key} is a {other}"),
            };
            append_value(&value, &mut bytes);
        }
        append_files(self.directory.path(), &mut bytes);
        bytes
    }

    /// Asserts that none of these texts is stored in plain text. Skips texts of less than five bytes, which encrypted data may contain by
    /// chance.
    pub fn assert_contains_none_of(&self, texts: &[String]) {
        let dump = self.dump();
        assert!(dump.len() > 100, "something is stored");
        let mut by_start: HashMap<&[u8], Vec<&str>> = HashMap::new();
        for text in texts {
            if let Some(start) = text.as_bytes().get(..5) {
                by_start.entry(start).or_default().push(text);
            }
        }
        for (position, start) in dump.windows(5).enumerate() {
            for text in by_start.get(start).into_iter().flatten() {
                assert!(!dump[position..].starts_with(text.as_bytes()), "{text} is in Redis in plain text");
            }
        }
    }

    /// Returns the number of commands that it has executed.
    pub fn command_count(&self) -> u64 {
        let info: String = self.query(&["INFO", "stats"]);
        let line = info.lines().find_map(|line| line.strip_prefix("total_commands_processed:")).expect("INFO has the number of commands");
        line.trim().parse().expect("the number is valid")
    }
}

impl Drop for TestRedis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn append_value(value: &Value, bytes: &mut Vec<u8>) {
    match value {
        Value::BulkString(text) => bytes.extend_from_slice(text),
        Value::SimpleString(text) => bytes.extend_from_slice(text.as_bytes()),
        Value::Array(items) | Value::Set(items) => items.iter().for_each(|item| append_value(item, bytes)),
        Value::Map(pairs) => pairs.iter().for_each(|(key, value)| {
            append_value(key, bytes);
            append_value(value, bytes);
        }),
        _ => {}
    }
}

fn append_files(directory: &Path, bytes: &mut Vec<u8>) {
    for entry in std::fs::read_dir(directory).expect("the directory is readable").flatten() {
        if entry.path().is_dir() {
            append_files(&entry.path(), bytes);
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

/// A Redis cluster of three masters.
pub struct RedisCluster {
    pub nodes: Vec<TestRedis>,
}

impl RedisCluster {
    /// Starts a cluster.
    pub fn start() -> Self {
        let node = |_| TestRedis::with(free_cluster_port(), &["--save", "", "--appendonly", "no", "--cluster-enabled", "yes"]);
        let nodes: Vec<TestRedis> = (0..3).map(node).collect();
        let slots = [("0", "5461"), ("5462", "10922"), ("10923", "16383")];
        for (epoch, (node, (first, last))) in (1..).zip(nodes.iter().zip(slots)) {
            let _: String = node.query(&["CLUSTER", "ADDSLOTSRANGE", first, last]);
            let _: String = node.query(&["CLUSTER", "SET-CONFIG-EPOCH", &format!("{epoch}")]);
        }
        for node in &nodes[1..] {
            let _: String = nodes[0].query(&["CLUSTER", "MEET", "127.0.0.1", &node.port.to_string()]);
        }
        let started_at = Instant::now();
        while !nodes.iter().all(|node| node.query::<String>(&["CLUSTER", "INFO"]).contains("cluster_state:ok")) {
            assert!(started_at.elapsed() < Duration::from_secs(30), "the cluster does not form");
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { nodes }
    }

    /// Returns its URL.
    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("redis-cluster://{}", hosts.join(","))
    }
}

/// Returns a free port for a node of a cluster. Nodes communicate on the port 10,000 above, so that must be free too.
fn free_cluster_port() -> u16 {
    loop {
        let port = free_port();
        if port < 55_000 && TcpListener::bind(("127.0.0.1", port + 10_000)).is_ok() {
            return port;
        }
        // Most ports that the system assigns are above 55,000, so try lower ones.
        let port = fastrand::u16(20_000..30_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() && TcpListener::bind(("127.0.0.1", port + 10_000)).is_ok() {
            return port;
        }
    }
}

/// A Redis master, a replica, and a sentinel that watches them.
pub struct SentinelRedis {
    pub master: TestRedis,
    pub replica: TestRedis,
    sentinel: Child,
    port: u16,
    _directory: TempDir,
}

impl SentinelRedis {
    /// Starts the three processes.
    pub fn start() -> Self {
        let master = TestRedis::start();
        let port = master.port.to_string();
        let replica = TestRedis::with(free_port(), &["--save", "", "--appendonly", "no", "--replicaof", "127.0.0.1", &port]);
        let directory = tempfile::tempdir().expect("a temporary directory is created");
        let file = directory.path().join("sentinel.conf");
        let sentinel_port = free_port();
        let settings = format!(
            "port {sentinel_port}\nbind 127.0.0.1\nsentinel monitor gateway 127.0.0.1 {port} 1\nsentinel down-after-milliseconds gateway 500\n\
             sentinel failover-timeout gateway 2000\n"
        );
        std::fs::write(&file, settings).expect("the file is written");
        let mut command = Command::new("redis-server");
        command.arg(&file).arg("--sentinel").stdout(Stdio::null()).stderr(Stdio::null());
        let sentinel = command.spawn().expect("redis-server is installed");
        let deployment = Self { master, replica, sentinel, port: sentinel_port, _directory: directory };
        let started_at = Instant::now();
        while !deployment.sentinel_sees_replica() {
            assert!(started_at.elapsed() < Duration::from_secs(20), "the sentinel does not see the replica");
            std::thread::sleep(Duration::from_millis(50));
        }
        deployment
    }

    fn sentinel_sees_replica(&self) -> bool {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}/", self.port)).expect("the URL is valid");
        let Ok(mut connection) = client.get_connection() else { return false };
        let replicas: redis::RedisResult<Vec<Value>> = redis::cmd("SENTINEL").arg("REPLICAS").arg("gateway").query(&mut connection);
        let linked = self.replica.query::<String>(&["INFO", "replication"]).contains("master_link_status:up");
        linked && replicas.is_ok_and(|replicas| !replicas.is_empty())
    }

    /// Makes the sentinel require this password.
    pub fn require_password(&self, password: &str) {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}/", self.port)).expect("the URL is valid");
        let mut connection = client.get_connection().expect("the sentinel accepts connections");
        let mut set_user = redis::cmd("ACL");
        set_user.arg("SETUSER").arg("default").arg("resetpass").arg(format!(">{password}"));
        set_user.exec(&mut connection).expect("the sentinel has an access list");
    }

    /// Returns its URL.
    pub fn url(&self) -> String {
        format!("redis-sentinel://127.0.0.1:{}/gateway", self.port)
    }
}

impl Drop for SentinelRedis {
    fn drop(&mut self) {
        let _ = self.sentinel.kill();
        let _ = self.sentinel.wait();
    }
}
