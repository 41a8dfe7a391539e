//! What a Redis says about itself: whether it keeps what it stores, and whether it takes writes.
//!
//! `INFO` and `CONFIG GET` may be forbidden to the gateway's user. Only what is known is judged, and the rest is named.

use std::collections::HashMap;

use redis::{FromRedisValue as _, RedisError, Value};

use super::connection::RedisHandle;
use super::error::describe_redis_error;

/// The oldest Redis that has all commands of the gateway (`PEXPIREAT … NX`).
const MIN_VERSION: [u32; 2] = [7, 0];

/// A kind of fault of a Redis. The first kinds are the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoreFault {
    /// It is a replica, which takes no writes.
    ReadOnly,
    /// It lacks commands that the gateway uses.
    TooOld,
    /// It rejects writes at the moment: its memory is full, or its disk fails.
    RejectsWrites,
    /// It deletes data when its memory is full.
    Evicting,
    /// It loses data when it restarts.
    NotPersistent,
}

impl StoreFault {
    /// Returns `true` if the store can lose what it has confirmed.
    pub const fn is_volatile(self) -> bool {
        matches!(self, Self::Evicting | Self::NotPersistent)
    }

    /// Returns `true` if no operation of the gateway can work with the store until an operator changes it.
    pub const fn is_fatal(self) -> bool {
        matches!(self, Self::ReadOnly | Self::TooOld)
    }
}

/// A fault of a Redis, with a sentence for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The kind of fault.
    pub fault: StoreFault,
    /// The fault and its remedy.
    pub sentence: String,
}

/// The result of an inspection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspection {
    /// The faults found, the worst first.
    pub findings: Vec<Finding>,
    /// What could not be checked, and why.
    pub unchecked: Vec<String>,
    /// What was found, as a short text for operators.
    pub summary: String,
}

impl Inspection {
    /// Returns the sentences of the faults that the condition selects.
    pub fn sentences(&self, condition: impl Fn(StoreFault) -> bool) -> Vec<&str> {
        self.findings.iter().filter(|finding| condition(finding.fault)).map(|finding| finding.sentence.as_str()).collect()
    }
}

/// Asks a Redis, or each master of a cluster, about itself.
///
/// # Errors
/// Returns the error of the Redis client if there is no reply, or if Redis cannot execute a command at the moment. A command that the login
/// may not use, or that does not exist, is no error: its subject is named as unchecked.
pub(super) async fn inspect(mut handle: RedisHandle) -> Result<Inspection, RedisError> {
    let is_cluster = matches!(handle, RedisHandle::Cluster(_));
    let mut inspection = Inspection::default();
    let nodes = match rejected(redis::cmd("INFO").query_async::<Value>(&mut handle).await)? {
        Ok(reply) => info_texts(&reply),
        Err(reason) => {
            inspection.unchecked.push(format!("INFO is refused ({reason}): version and memory in use are not checked"));
            vec![String::new()]
        }
    };
    let mut configured = HashMap::new();
    for name in ["maxmemory-policy", "appendonly", "appendfsync", "save"] {
        match rejected(redis::cmd("CONFIG").arg("GET").arg(name).query_async::<HashMap<String, String>>(&mut handle).await)? {
            Ok(reply) => configured.extend(reply),
            Err(reason) => {
                let remedy = if nodes.iter().any(String::is_empty) { "eviction and the append-only file" } else { "appendfsync" };
                inspection.unchecked.push(format!("CONFIG GET is refused ({reason}): {remedy} cannot be checked"));
                break;
            }
        }
    }
    let mut is_replica = nodes.iter().any(|info| field(info, "role") == Some("slave"));
    if nodes.iter().any(|info| field(info, "role").is_none()) && !is_cluster {
        match rejected(redis::cmd("ROLE").query_async::<Vec<Value>>(&mut handle).await)? {
            Ok(role) => is_replica = role.first().is_some_and(|role| String::from_redis_value_ref(role).is_ok_and(|role| role == "slave")),
            Err(reason) => inspection.unchecked.push(format!("ROLE is refused ({reason}): the role is not checked")),
        }
    }
    let facts: Vec<Facts> = nodes.iter().map(|info| Facts::new(info, &configured, is_replica)).collect();
    let mut findings: Vec<Finding> = facts.iter().flat_map(Facts::findings).collect();
    findings.sort_by_key(|finding| finding.fault);
    findings.dedup();
    inspection.findings = findings;
    inspection.summary = facts.first().map(Facts::summary).unwrap_or_default();
    Ok(inspection)
}

/// Separates the replies that forbid a command for good from all other errors: those of the connection, and transient refusals, such as
/// `LOADING` or `BUSY`, which say nothing about the store.
fn rejected<T>(result: Result<T, RedisError>) -> Result<Result<T, String>, RedisError> {
    match result {
        Ok(reply) => Ok(Ok(reply)),
        Err(error) if is_forbidden(&error) => Ok(Err(describe_redis_error(&error))),
        Err(error) => Err(error),
    }
}

/// Returns `true` if the login may not use the command, or if the command does not exist: it can be renamed or disabled.
fn is_forbidden(error: &RedisError) -> bool {
    let is_unknown = || error.detail().is_some_and(|detail| detail.to_ascii_lowercase().starts_with("unknown command"));
    match error.code() {
        Some("NOPERM") => true,
        Some("ERR") => is_unknown(),
        _ => false,
    }
}

/// Returns the text of each node's reply to `INFO`. A cluster replies with one text for each master.
fn info_texts(reply: &Value) -> Vec<String> {
    match reply {
        Value::Map(nodes) => nodes.iter().flat_map(|(_, reply)| info_texts(reply)).collect(),
        reply => String::from_redis_value_ref(reply).into_iter().collect(),
    }
}

/// Returns the value of a field of `INFO`.
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// What is known about one node.
struct Facts {
    version: Option<String>,
    is_replica: bool,
    is_full: bool,
    is_disk_failing: bool,
    policy: Option<String>,
    has_append_only_file: Option<bool>,
    appendfsync: Option<String>,
    /// `true` if snapshots are written at intervals.
    has_snapshots: Option<bool>,
}

impl Facts {
    fn new(info: &str, configured: &HashMap<String, String>, is_replica: bool) -> Self {
        let text = |name: &str| field(info, name).map(str::to_owned);
        let number = |name: &str| field(info, name).and_then(|value| value.parse::<u64>().ok());
        let limit = number("maxmemory").filter(|limit| *limit > 0);
        Self {
            version: text("redis_version"),
            is_replica,
            is_full: limit.zip(number("used_memory")).is_some_and(|(limit, used)| used >= limit),
            is_disk_failing: field(info, "aof_last_write_status") == Some("err"),
            policy: text("maxmemory_policy").or_else(|| configured.get("maxmemory-policy").cloned()),
            has_append_only_file: field(info, "aof_enabled")
                .map(|enabled| enabled == "1")
                .or_else(|| configured.get("appendonly").map(|value| value == "yes")),
            appendfsync: configured.get("appendfsync").cloned(),
            has_snapshots: configured.get("save").map(|points| !points.is_empty()),
        }
    }

    fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut add = |fault, sentence: String| findings.push(Finding { fault, sentence });
        if self.is_replica {
            add(StoreFault::ReadOnly, "Redis is a read-only replica. Name the master in store.redis_url, or use Sentinel.".into());
        }
        if let Some(version) = self.version.as_ref().filter(|version| is_older(version, MIN_VERSION)) {
            let [major, minor] = MIN_VERSION;
            add(StoreFault::TooOld, format!("Redis has version {version}. Version {major}.{minor} or newer is required."));
        }
        if self.is_disk_failing {
            add(StoreFault::RejectsWrites, "Redis cannot write its append-only file. Check its disk.".into());
        }
        if let Some(policy) = self.policy.as_ref().filter(|policy| *policy != "noeviction") {
            let sentence = format!("Redis deletes data when its memory is full: maxmemory-policy is {policy}. Set it to noeviction.");
            add(StoreFault::Evicting, sentence);
        } else if self.is_full {
            add(StoreFault::RejectsWrites, "The memory of Redis is full, so it rejects writes. Raise maxmemory.".into());
        }
        if self.has_append_only_file == Some(false) {
            let loss = match self.has_snapshots {
                Some(true) => "what it has stored since its last snapshot",
                Some(false) => "everything",
                None => "data",
            };
            add(StoreFault::NotPersistent, format!("Redis loses {loss} when it restarts: appendonly is no. Set it to yes."));
        }
        findings
    }

    fn summary(&self) -> String {
        let known = [
            self.version.as_ref().map(|version| format!("version {version}")),
            self.policy.as_ref().map(|policy| format!("maxmemory-policy {policy}")),
            self.has_append_only_file.map(|has_file| format!("appendonly {}", if has_file { "yes" } else { "no" })),
            self.appendfsync.as_ref().map(|fsync| format!("appendfsync {fsync}")),
        ];
        known.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// Returns `true` if a version such as `6.2.14` is older. A version that cannot be read is not.
fn is_older(version: &str, [major, minor]: [u32; 2]) -> bool {
    let mut numbers = version.split('.').map(str::parse);
    let (Some(Ok(of_major)), Some(Ok(of_minor))) = (numbers.next(), numbers.next()) else { return false };
    (of_major, of_minor) < (major, minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(info: &str, configured: &[(&str, &str)]) -> Vec<StoreFault> {
        let configured = configured.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let is_replica = field(info, "role") == Some("slave");
        Facts::new(info, &configured, is_replica).findings().into_iter().map(|finding| finding.fault).collect()
    }

    #[test]
    fn store_faults_follow_from_what_redis_says_about_itself() {
        let durable =
            "redis_version:7.2.4\r\nrole:master\r\nmaxmemory:0\r\nused_memory:1000\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n";
        assert!(faults(durable, &[]).is_empty());
        for (line, other, fault) in [
            ("role:master", "role:slave", StoreFault::ReadOnly),
            ("redis_version:7.2.4", "redis_version:6.2.14", StoreFault::TooOld),
            ("maxmemory:0", "maxmemory:1000", StoreFault::RejectsWrites),
            ("aof_enabled:1", "aof_enabled:1\r\naof_last_write_status:err", StoreFault::RejectsWrites),
            ("maxmemory_policy:noeviction", "maxmemory_policy:volatile-lru", StoreFault::Evicting),
            ("aof_enabled:1", "aof_enabled:0", StoreFault::NotPersistent),
        ] {
            assert_eq!(faults(&durable.replace(line, other), &[]), [fault], "{other}");
        }
        assert_eq!(faults(&durable.replace("7.2.4", "255.255.255"), &[]), []);
    }

    #[test]
    fn store_without_info_is_judged_by_its_configuration() {
        assert_eq!(faults("", &[]), [], "nothing is known");
        assert_eq!(faults("", &[("maxmemory-policy", "allkeys-lru")]), [StoreFault::Evicting]);
        assert_eq!(faults("", &[("appendonly", "no"), ("save", "3600 1")]), [StoreFault::NotPersistent]);
        assert_eq!(faults("", &[("appendonly", "yes"), ("maxmemory-policy", "noeviction")]), []);
    }

    #[test]
    fn redis_refusal_for_good_is_unchecked_and_transient_refusal_is_error() {
        let refused = |reply: &[u8]| rejected(redis::parse_redis_value(reply).and_then(Value::extract_error)).map(|reply| reply.is_err());
        for forbidden in [
            &b"-NOPERM User gateway has no permissions to run the 'info' command\r\n"[..],
            b"-ERR unknown command 'CONFIG', with args beginning with: 'GET'\r\n",
        ] {
            assert_eq!(refused(forbidden), Ok(true), "{}", String::from_utf8_lossy(forbidden));
        }
        let transient = ["LOADING Redis is loading the dataset in memory", "BUSY Redis is busy running a script", "ERR something else"];
        for error in transient {
            assert!(refused(format!("-{error}\r\n").as_bytes()).is_err(), "{error}");
        }
        assert_eq!(refused(b"+OK\r\n"), Ok(false));
    }
}
