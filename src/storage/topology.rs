//! Redis URLs: one server, Sentinel or Cluster.

use std::time::Duration;

use redis::cluster::ClusterClient;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisError, TlsCertificates, TlsMode};

use super::error::describe_redis_error;

/// Time limit for connecting to one server.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Time limit for one reply.
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Deployment of Redis.
#[derive(Clone)]
pub(super) enum Topology {
    Single(Client),
    Sentinel(SentinelSettings),
    Cluster(Box<ClusterClient>),
}

/// Settings of a sentinel client. Each search for the master needs a new client.
#[derive(Clone)]
pub(super) struct SentinelSettings {
    nodes: Vec<ConnectionInfo>,
    master: String,
    db: i64,
    tls: bool,
    certificates: Option<TlsCertificates>,
    /// User name and password for the sentinels themselves.
    sentinel_login: Option<(Option<String>, String)>,
}

impl std::fmt::Debug for Topology {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Single(_) => "[Redis]",
            Self::Sentinel(_) => "[Redis Sentinel]",
            Self::Cluster(_) => "[Redis Cluster]",
        })
    }
}

impl Topology {
    /// Parses a URL and returns the topology with the hosts and ports, without the login.
    ///
    /// # Errors
    /// Returns a text without the password if the URL or a certificate is invalid.
    pub(super) fn parse(url: &str, ca: Option<Vec<u8>>) -> Result<(Self, String), String> {
        const SCHEMES: &str = "must begin with redis://, redis-sentinel:// or redis-cluster://; \
            with TLS: rediss://, rediss-sentinel:// or rediss-cluster://";
        let certificates = ca.map(|root_cert| TlsCertificates { client_tls: None, root_cert: Some(root_cert) });
        let (scheme, rest) = url.split_once("://").ok_or(SCHEMES)?;
        let (tls, topology) = match scheme.split_once('-').unwrap_or((scheme, "")) {
            ("redis", topology) => (false, topology),
            ("rediss", topology) => (true, topology),
            _ => return Err(SCHEMES.into()),
        };
        let topology = match topology {
            "" => Self::Single(single_client(connection_info(&format!("{scheme}://{rest}"))?, certificates)?),
            "sentinel" => Self::Sentinel(SentinelSettings::parse(rest, tls, certificates)?),
            "cluster" => Self::Cluster(Box::new(cluster_client(rest, tls, certificates)?)),
            _ => return Err(SCHEMES.into()),
        };
        let authority = rest.split('/').next().unwrap_or_default();
        let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
        Ok((topology, hosts.to_owned()))
    }
}

impl Topology {
    /// Sets the login for the sentinels.
    ///
    /// # Errors
    /// Returns a text if the topology has no sentinels, or the password is empty.
    pub(super) fn with_sentinel_login(self, username: Option<&str>, password: &str) -> Result<Self, String> {
        if password.is_empty() {
            return Err("contains no password".into());
        }
        match self {
            Self::Sentinel(settings) => {
                let sentinel_login = Some((username.map(str::to_owned), password.to_owned()));
                Ok(Self::Sentinel(SentinelSettings { sentinel_login, ..settings }))
            }
            Self::Single(_) | Self::Cluster(_) => Err("is allowed with redis-sentinel:// in store.redis_url only".into()),
        }
    }
}

impl SentinelSettings {
    fn parse(rest: &str, tls: bool, certificates: Option<TlsCertificates>) -> Result<Self, String> {
        let (nodes, path) = parse_nodes(rest, tls)?;
        let (master, db) = path.split_once('/').unwrap_or((path, "0"));
        let db = db.parse().map_err(|_| "the database after the master name must be a number")?;
        if master.is_empty() {
            return Err("must name the master after the sentinels: redis-sentinel://host:port,host:port/master".into());
        }
        let settings = Self { nodes, master: master.to_owned(), db, tls, certificates, sentinel_login: None };
        settings.client().map_err(|error| describe_redis_error(&error))?;
        Ok(settings)
    }

    /// Creates a sentinel client.
    ///
    /// # Errors
    /// Returns the error of the Redis client if the settings are invalid.
    pub(super) fn client(&self) -> Result<SentinelClient, RedisError> {
        let addresses = self.nodes.iter().map(|node| node.addr().clone());
        let mut builder = SentinelClientBuilder::new(addresses, &self.master, SentinelServerType::Master)?.set_client_to_redis_db(self.db);
        let login = self.nodes.first().map(ConnectionInfo::redis_settings);
        if let Some(user) = login.and_then(|login| login.username()) {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = login.and_then(|login| login.password()) {
            builder = builder.set_client_to_redis_password(password);
        }
        if let Some((username, password)) = &self.sentinel_login {
            builder = builder.set_client_to_sentinel_password(password);
            if let Some(username) = username {
                builder = builder.set_client_to_sentinel_username(username);
            }
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

fn single_client(info: ConnectionInfo, certificates: Option<TlsCertificates>) -> Result<Client, String> {
    match certificates {
        Some(certificates) if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) => Client::build_with_tls(info, certificates),
        _ => Client::open(info),
    }
    .map_err(|error| describe_redis_error(&error))
}

fn cluster_client(rest: &str, tls: bool, certificates: Option<TlsCertificates>) -> Result<ClusterClient, String> {
    let (nodes, _) = parse_nodes(rest, tls)?;
    let mut builder = ClusterClient::builder(nodes).retries(3).connection_timeout(CONNECT_TIMEOUT).response_timeout(RESPONSE_TIMEOUT);
    if tls {
        builder = builder.tls(TlsMode::Secure);
    }
    if let Some(certificates) = certificates {
        builder = builder.certs(certificates);
    }
    builder.build().map_err(|error| describe_redis_error(&error))
}

/// Parses `user:password@host:port,host:port/path`. Returns the nodes, each with the login, and the path.
fn parse_nodes(rest: &str, tls: bool) -> Result<(Vec<ConnectionInfo>, &str), String> {
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, hosts) = authority.rsplit_once('@').map_or((String::new(), authority), |(login, hosts)| (format!("{login}@"), hosts));
    let scheme = if tls { "rediss" } else { "redis" };
    let nodes: Vec<_> = hosts.split(',').map(|host| connection_info(&format!("{scheme}://{login}{host}"))).collect::<Result<_, _>>()?;
    Ok((nodes, path))
}

fn connection_info(url: &str) -> Result<ConnectionInfo, String> {
    url.into_connection_info().map_err(|error| format!("is not a valid Redis URL: {}", error.category()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redis_url_of_every_topology_is_parsed() {
        for (url, topology) in [
            ("redis://127.0.0.1/", "[Redis]"),
            ("redis://:secret@redis.example:6380/2", "[Redis]"),
            ("redis-sentinel://a.example:26379,b.example:26379/master", "[Redis Sentinel]"),
            ("redis-sentinel://user:secret@a.example/master/1", "[Redis Sentinel]"),
            ("redis-cluster://user:secret@a.example:7000,b.example:7001", "[Redis Cluster]"),
        ] {
            let (parsed, hosts) = Topology::parse(url, None).expect(url);
            assert_eq!(format!("{parsed:?}"), topology, "{url}");
            assert!(url.contains(&hosts) && !hosts.contains("secret"), "{hosts}");
        }
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        for url in ["rediss://a.example", "rediss-cluster://a.example:7000", "rediss-sentinel://a.example/m"] {
            assert!(Topology::parse(url, None).is_ok(), "{url}");
        }
    }

    #[test]
    fn redis_url_invalid_is_rejected_without_quoting_the_password() {
        for url in
            ["", "localhost:6379", "http://a.example", "redis-sentinel://a.example", "redis-sentinel://a/m/x", "redis://:pass word@:x"]
        {
            let error = Topology::parse(url, None).expect_err(url);
            assert!(!error.contains("pass word") && error.len() > 10, "{url}: {error}");
        }
    }
}
