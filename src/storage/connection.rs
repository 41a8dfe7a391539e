//! One connection for three topologies: a single Redis, Sentinel, Cluster. Made when it is first needed, and again after it broke.

use std::time::{Duration, Instant};

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, Pipeline, RedisError, RedisFuture,
    TlsCertificates, TlsMode, Value,
};
use tokio::sync::Mutex;

use crate::io_runtime;
use crate::storage::StoreError;

/// How long connecting to a server may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long it may take to find out which server, and to connect to it.
const FIND_TIMEOUT: Duration = Duration::from_secs(4);
/// How long an answer may take.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a failure to connect is believed before it is tried again: so that callers do not queue up behind a dead host.
const FAILURE_BELIEVED: Duration = Duration::from_millis(250);

/// Where Redis is.
#[derive(Clone)]
enum Topology {
    Single(Client),
    Sentinel(SentinelParts),
    Cluster(Box<ClusterClient>),
}

/// What a client of sentinels is made of; one is made for each attempt to find the master.
#[derive(Clone)]
struct SentinelParts {
    nodes: Vec<ConnectionInfo>,
    master: String,
    db: i64,
    tls: bool,
    certificates: Option<TlsCertificates>,
}

/// A connection that is open.
#[derive(Clone)]
pub enum RedisHandle {
    /// To one server, which Sentinel may have named.
    Server(MultiplexedConnection),
    /// To a cluster.
    Cluster(ClusterConnection),
}

impl ConnectionLike for RedisHandle {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Server(connection) => connection.req_packed_command(command),
            Self::Cluster(connection) => connection.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(&'a mut self, pipeline: &'a Pipeline, offset: usize, count: usize) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Server(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        0
    }
}

#[derive(Default)]
struct Current {
    open: Option<(u64, RedisHandle)>,
    made: u64,
    failed: Option<(Instant, String)>,
}

/// The connection.
pub struct Connection {
    topology: Topology,
    /// Hosts and ports, for people.
    place: String,
    current: Mutex<Current>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.topology {
            Topology::Single(_) => "[Redis]",
            Topology::Sentinel(_) => "[Redis, by Sentinel]",
            Topology::Cluster(_) => "[Redis Cluster]",
        })
    }
}

impl Connection {
    /// A connection to be made to this address: `redis://host:port/db`, `redis-sentinel://host:port,host:port/master/db` or
    /// `redis-cluster://host:port,host:port`, each with `rediss` for TLS, and `user:password@` before the hosts. `ca` are the
    /// authorities to trust instead of the web's (PEM).
    ///
    /// # Errors
    /// What is wrong with the address, without the password in it.
    pub fn new(url: &str, ca: Option<Vec<u8>>) -> Result<Self, String> {
        const SCHEMES: &str = "must begin with redis://, redis-sentinel:// or redis-cluster://, or the same with rediss for TLS";
        let certificates = ca.map(|root_cert| TlsCertificates { client_tls: None, root_cert: Some(root_cert) });
        let (scheme, rest) = url.split_once("://").ok_or(SCHEMES)?;
        let (tls, topology) = match scheme.split_once('-').unwrap_or((scheme, "")) {
            ("redis", topology) => (false, topology),
            ("rediss", topology) => (true, topology),
            _ => return Err(SCHEMES.into()),
        };
        let topology = match topology {
            "" => Topology::Single(single(info(&format!("{scheme}://{rest}"))?, certificates)?),
            "sentinel" => Topology::Sentinel(sentinels(rest, tls, certificates)?),
            "cluster" => Topology::Cluster(Box::new(cluster(rest, tls, certificates)?)),
            _ => return Err(SCHEMES.into()),
        };
        let hosts = rest.split('/').next().unwrap_or_default();
        let place = hosts.rsplit_once('@').map_or(hosts, |(_, hosts)| hosts).to_owned();
        Ok(Self { topology, place, current: Mutex::default() })
    }

    /// The open connection, or a new one, with its number.
    pub async fn open(&self) -> Result<(u64, RedisHandle), StoreError> {
        let mut current = self.current.lock().await;
        if let Some(open) = &current.open {
            return Ok(open.clone());
        }
        if let Some((at, problem)) = &current.failed
            && at.elapsed() < FAILURE_BELIEVED
        {
            return Err(StoreError::Unavailable(problem.clone()));
        }
        match tokio::time::timeout(FIND_TIMEOUT, io_runtime::run(connect(self.topology.clone()))).await {
            Ok(Ok(open)) => {
                current.made += 1;
                current.failed = None;
                current.open = Some((current.made, open.clone()));
                Ok((current.made, open))
            }
            failed => {
                let why = match failed {
                    Ok(result) => result.err().map_or_else(String::new, |error| reason(&error)),
                    Err(_) => "no connection in time".to_owned(),
                };
                let problem = format!("{}: {why}", self.place);
                current.failed = Some((Instant::now(), problem.clone()));
                Err(StoreError::Unavailable(problem))
            }
        }
    }

    /// Says that a connection failed so: one that is broken, or leads to a server that is not the master any more, is made anew. That to
    /// a cluster heals itself.
    pub async fn failed(&self, number: u64, error: &RedisError) {
        let broken = error.is_io_error()
            || error.is_connection_dropped()
            || error.is_unrecoverable_error()
            || matches!(error.code(), Some("READONLY" | "LOADING" | "MASTERDOWN"));
        let mut current = self.current.lock().await;
        if broken && matches!(&current.open, Some((open, RedisHandle::Server(_))) if *open == number) {
            current.open = None;
        }
    }
}

async fn connect(topology: Topology) -> Result<RedisHandle, RedisError> {
    let config = AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_TIMEOUT)).set_response_timeout(Some(RESPONSE_TIMEOUT));
    Ok(match topology {
        Topology::Single(client) => RedisHandle::Server(client.get_multiplexed_async_connection_with_config(&config).await?),
        Topology::Sentinel(parts) => RedisHandle::Server(parts.client()?.get_async_connection_with_config(&config).await?),
        Topology::Cluster(client) => RedisHandle::Cluster(client.get_async_connection().await?),
    })
}

/// Why there is no connection. What the network says may be told; what the server says may quote the login.
fn reason(error: &RedisError) -> String {
    if error.is_io_error() { error.to_string() } else { describe(Some(error)) }
}

/// A problem in words for operators.
pub fn describe(error: Option<&RedisError>) -> String {
    error.map_or_else(String::new, |error| {
        // The detail may quote what was sent; code and kind do not.
        error.code().map_or_else(|| format!("{:?}", error.kind()), |code| format!("{:?} ({code})", error.kind()))
    })
}

fn info(url: &str) -> Result<ConnectionInfo, String> {
    url.into_connection_info().map_err(|error| format!("is not an address of Redis: {}", error.category()))
}

/// The addresses of `user:password@host:port,host:port`, and what follows the slash after them.
fn nodes(rest: &str, tls: bool) -> Result<(Vec<ConnectionInfo>, &str), String> {
    let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, hosts) = hosts.rsplit_once('@').map_or((String::new(), hosts), |(login, hosts)| (format!("{login}@"), hosts));
    let scheme = if tls { "rediss" } else { "redis" };
    let nodes: Vec<_> = hosts.split(',').map(|host| info(&format!("{scheme}://{login}{host}"))).collect::<Result<_, _>>()?;
    Ok((nodes, path))
}

fn single(info: ConnectionInfo, certificates: Option<TlsCertificates>) -> Result<Client, String> {
    match certificates {
        Some(certificates) if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) => Client::build_with_tls(info, certificates),
        _ => Client::open(info),
    }
    .map_err(|error| describe(Some(&error)))
}

fn sentinels(rest: &str, tls: bool, certificates: Option<TlsCertificates>) -> Result<SentinelParts, String> {
    let (nodes, path) = nodes(rest, tls)?;
    let (master, db) = path.split_once('/').unwrap_or((path, "0"));
    let db = db.parse().map_err(|_| "the database after the master's name must be a number")?;
    if master.is_empty() {
        return Err("must name the master after the sentinels: redis-sentinel://host:port,host:port/master".into());
    }
    let parts = SentinelParts { nodes, master: master.to_owned(), db, tls, certificates };
    parts.client().map_err(|error| describe(Some(&error)))?;
    Ok(parts)
}

impl SentinelParts {
    fn client(&self) -> Result<SentinelClient, RedisError> {
        let addresses = self.nodes.iter().map(|node| node.addr().clone());
        let mut builder = SentinelClientBuilder::new(addresses, &self.master, SentinelServerType::Master)?.set_client_to_redis_db(self.db);
        let login = self.nodes.first().map(ConnectionInfo::redis_settings);
        if let Some(user) = login.and_then(|login| login.username()) {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = login.and_then(|login| login.password()) {
            builder = builder.set_client_to_redis_password(password);
        }
        if self.tls {
            builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
        }
        if let Some(certificates) = &self.certificates {
            builder = builder.set_client_to_redis_certificates(certificates.clone());
        }
        builder.build()
    }
}

fn cluster(rest: &str, tls: bool, certificates: Option<TlsCertificates>) -> Result<ClusterClient, String> {
    let (nodes, _) = nodes(rest, tls)?;
    let mut builder = ClusterClient::builder(nodes).retries(3).connection_timeout(CONNECT_TIMEOUT).response_timeout(RESPONSE_TIMEOUT);
    if tls {
        builder = builder.tls(TlsMode::Secure);
    }
    if let Some(certificates) = certificates {
        builder = builder.certs(certificates);
    }
    builder.build().map_err(|error| describe(Some(&error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_every_topology_are_read() {
        for (url, topology) in [
            ("redis://127.0.0.1/", "[Redis]"),
            ("redis://:secret@redis.example:6380/2", "[Redis]"),
            ("redis-sentinel://a.example:26379,b.example:26379/master", "[Redis, by Sentinel]"),
            ("redis-sentinel://user:secret@a.example/master/1", "[Redis, by Sentinel]"),
            ("redis-cluster://user:secret@a.example:7000,b.example:7001", "[Redis Cluster]"),
        ] {
            assert_eq!(format!("{:?}", Connection::new(url, None).expect(url)), topology, "{url}");
        }
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        for url in ["rediss://a.example", "rediss-cluster://a.example:7000", "rediss-sentinel://a.example/m"] {
            assert!(Connection::new(url, None).is_ok(), "{url}");
        }
    }

    #[test]
    fn other_addresses_are_refused_without_their_password() {
        for url in
            ["", "localhost:6379", "http://a.example", "redis-sentinel://a.example", "redis-sentinel://a/m/x", "redis://:pass word@:x"]
        {
            let problem = Connection::new(url, None).expect_err(url);
            assert!(!problem.contains("pass word") && problem.len() > 10, "{url}: {problem}");
        }
    }
}
