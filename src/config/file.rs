//! Sections and settings of the configuration file. Doc comments of fields are their meanings in docs/SETTINGS.md.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use toml::{Table, Value};

use crate::app::request_memory::DEFAULT_REQUEST_MEMORY_MIB;
use crate::auth::{Algorithm, ClaimNames, JwksSettings};
use crate::batches::BatchSettings;
use crate::config::validate;
use crate::domain::UserName;
use crate::lrs::concurrency_limit::ConcurrencySettings;
use crate::lrs::http_client::{DEFAULT_MAX_CONNECTION_AGE, TlsBackend};
use crate::lrs::maintenance::WindowBoundary;
use crate::lrs::services::external::AchievementCodes;
use crate::lrs::{CircuitBreakerSettings, DEFAULT_BATCH_TIMEOUT, DEFAULT_MAX_RESPONSE_BYTES, DEFAULT_MAX_RETRIES, DEFAULT_TIMEOUT, Vendor};
use crate::rate_limit::Rates;
use crate::schema::deserialize::OneOrMore;
use crate::schema::{CodeList, Scalar as _, Settings};
use crate::server::client_address::{ForwardedHeader, Network};
use crate::server::connection_limits::ConnectionLimits;
use crate::server::cors::Origin;
use crate::server::public_url::PublicUrl;

/// The whole file.
#[derive(Debug, Settings)]
#[setting(page)]
pub struct ConfigFile {
    /// The API, and the admin listener for operators.
    pub server: ServerSection,
    /// Bearer tokens ([AUTHENTICATION.md](AUTHENTICATION.md)).
    pub auth: AuthSection,
    /// The connection to LRS, and the limits of calls.
    pub lrs: LrsSection,
    /// Storage of batches, rate limits and idempotency keys: Redis, or the memory of the process ([BATCHES.md](BATCHES.md#storage)).
    pub store: StoreSection,
    /// Limits and intervals of batches ([BATCHES.md](BATCHES.md)).
    pub batches: BatchesSection,
    /// Rate limits. A rate limit has two numbers: sustained calls per minute, and calls at once after a pause (burst).
    pub limits: LimitsSection,
    /// The [audit trail](AUDIT.md).
    pub audit: AuditSection,
    /// The organisations, whose [files](#an-organisations-file) have settings of their own.
    pub organisations: OrganisationsSection,
}

/// `[server]`
#[derive(Debug, Settings)]
#[setting(page, validate = validate::listeners(listen, admin_listen))]
pub struct ServerSection {
    /// Addresses of the API. `[::]:8080` is all addresses of the machine, IPv4 and IPv6 ([SERVER.md](SERVER.md#listening-addresses)).
    #[setting(default = OneOrMore::one(SocketAddr::from(([127, 0, 0, 1], 8080))))]
    pub listen: OneOrMore<SocketAddr>,
    /// Addresses of the admin listener: [`/metrics`](METRICS.md), `/health/live` and `/health/ready`. The API has the two health paths too. Must
    /// not be an address of `listen`.
    #[setting(default = OneOrMore::one(SocketAddr::from(([127, 0, 0, 1], 9090))))]
    pub admin_listen: OneOrMore<SocketAddr>,
    /// Time after SIGTERM in which the gateway reports that it is not ready, but still serves requests.
    #[setting(default = 5, range = ..=600)]
    pub drain_seconds: u64,
    /// Threads that serve the API.
    #[setting(default = available_cores(), shown_default = "number of cores", range = 1..)]
    pub workers: usize,
    /// Maximum number of connections to the API. The longest idle connection is closed for a new one; if none is idle, new ones wait. Each one
    /// takes a file descriptor ([SERVER.md](SERVER.md#connections)).
    #[setting(default = ConnectionLimits::default().max_connections, range = 1..)]
    pub max_connections: usize,
    /// Maximum number of connections of one client address, and of requests of one client behind a trusted proxy. `0`: no limit, for a proxy
    /// or load balancer that is not in `trusted_proxies`.
    #[setting(shown_default = "half of `max_connections`")]
    pub max_connections_per_client: Option<usize>,
    /// Proxies and load balancers in front of the gateway, such as `["10.0.0.0/8"]`. For their connections, the client is the one that they name
    /// in `forwarded_header`.
    #[setting(default = Vec::new())]
    pub trusted_proxies: Vec<Network>,
    /// Header in which trusted proxies name the client.
    #[setting(default = ForwardedHeader::default())]
    pub forwarded_header: ForwardedHeader,
    /// Memory for request bodies that are read or held at the same time, in MiB. One organisation gets at most half of it, so no body may be
    /// larger than that half. Beyond it, requests are answered 503 `request_memory_full`. Bodies up to 64 KiB have a reserve of their own
    /// ([SERVER.md](SERVER.md#memory)).
    #[setting(default = DEFAULT_REQUEST_MEMORY_MIB, range = 2..=65_536)]
    pub max_request_memory_mib: usize,
    /// Address at which callers reach the API, such as `https://mis.example/lrs`. `Location`, the `type` of problems and the OpenAPI document
    /// start with it ([SERVER.md](SERVER.md#behind-a-proxy)).
    #[setting(shown_default = "none: references are relative")]
    pub public_url: Option<PublicUrl>,
    /// Whether the gateway serves its documentation at `/docs`, and a page at `/` that leads to it. The OpenAPI documents do not depend on it.
    /// Without the documentation, the `type` of a problem is a URN.
    #[setting(default = true)]
    pub docs: bool,
    /// Origins whose web pages may call the API from a browser, such as `["https://mis.example"]`.
    #[setting(default = Vec::new())]
    pub cors_origins: Vec<Origin>,
    /// The API's certificate. With it the API uses TLS 1.2 or newer, without it plain HTTP. Renewed files need no restart
    /// ([SERVER.md](SERVER.md)).
    pub tls: Option<TlsSection>,
}

/// `[server.tls]`
#[derive(Debug, Settings)]
#[setting(page)]
pub struct TlsSection {
    /// PEM file with the certificate, followed by its issuers.
    pub certificate_file: PathBuf,
    /// PEM file with the certificate's key.
    pub key_file: PathBuf,
}

/// `[auth]`
#[derive(Debug, Settings)]
#[setting(page)]
pub struct AuthSection {
    /// Token issuers, at least one. Each has exactly one of `jwks_url`, `public_key_file` and `hmac_secret_file`.
    #[setting(default = Vec::new())]
    pub issuers: Vec<IssuerSection>,
}

/// `[[auth.issuers]]`
#[derive(Debug, Settings)]
#[setting(page, validate = validate::user_domains(user_domains, user_strip_domain))]
pub struct IssuerSection {
    /// Accepted `iss` of tokens. An issuer may have several sections, each with an audience of its own.
    pub issuer: String,
    /// Required `aud` of tokens. A token for the audiences of two sections of its issuer is rejected.
    pub audience: String,
    /// Accepted algorithms. With `hmac_secret_file` always `HS256`, which is not allowed otherwise.
    #[setting(default = Vec::new(), shown_default = "required with `jwks_url` and `public_key_file`")]
    pub algorithms: Vec<Algorithm>,
    /// Address of the issuer's key set (JWKS): `https`, or `http` on this machine. Sections with the same address share the keys, and must have the
    /// same `jwks_` settings.
    pub jwks_url: Option<String>,
    /// PEM file of the authorities to trust for `jwks_url` instead.
    #[setting(shown_default = "public authorities")]
    pub jwks_ca_certificate_file: Option<PathBuf>,
    /// Interval at which the keys are fetched. A key stays in use for this long after its issuer has withdrawn it.
    #[setting(shown_default = format!("`{}`", JwksSettings::REFRESH_INTERVAL.as_secs()), range = 1..=24 * 60 * 60)]
    pub jwks_refresh_seconds: Option<u64>,
    /// Minimum interval between two fetches when a token has an unknown key. Tokens with a new key are rejected for up to this long.
    #[setting(shown_default = format!("`{}`", JwksSettings::COOLDOWN.as_secs()), range = 1..=60 * 60)]
    pub jwks_cooldown_seconds: Option<u64>,
    /// PEM file with the issuer's public key.
    pub public_key_file: Option<PathBuf>,
    /// File with a shared secret of at least 32 bytes.
    pub hmac_secret_file: Option<PathBuf>,
    /// Claim with the organisation's UKPRN: a text, a number, or a list of one. Dots separate the names of nested objects, here and in the
    /// other settings of claims. If a token has no such objects, the name is that of one claim with dots in it. A name with `://` is first of all a claim.
    #[setting(default = ClaimNames::default().organisation)]
    pub organisation_claim: String,
    /// Claims with the person's user name. The gateway sends the first that can be used to LRS: 1 to 35 characters, without control and
    /// bidirectional characters, and not only invisible ones.
    #[setting(default = ClaimNames::default().user.into())]
    pub user_claims: OneOrMore<String>,
    /// Domains of user names that are accepted, such as `["college.ac.uk"]`. People of other domains are refused. Required with
    /// `user_strip_domain`.
    #[setting(default = Vec::new(), shown_default = "none: names are used as they are")]
    pub user_domains: Vec<String>,
    /// `true`: `name@college.ac.uk` is `name` for LRS. A name must belong to one person in all of `user_domains`.
    #[setting(default = false)]
    pub user_strip_domain: bool,
    /// User names for programs that call without a person, by client id: `{ "8b1f0a52-…" = "nightly.enrolment" }`. Other programs are refused
    /// ([AUTHENTICATION.md](AUTHENTICATION.md#programs-without-a-person)).
    #[setting(default = BTreeMap::new())]
    pub clients: BTreeMap<String, UserName>,
    /// Claims with the id of the client that requested the token. The first that is a text counts.
    #[setting(default = ClaimNames::default().client.into())]
    pub client_claims: OneOrMore<String>,
    /// Claims with the scopes: a text or a list. The first that the token has counts. A list here is for tokens of people and of programs: with
    /// `roles` in it, the roles of a person are scopes.
    #[setting(shown_default = "`[\"scope\", \"scp\"]`, and then `\"roles\"` in tokens of programs")]
    pub scope_claims: Option<OneOrMore<String>>,
}

/// `[lrs]`
#[derive(Debug, Settings)]
#[setting(page)]
pub struct LrsSection {
    /// The LRS to call: `live`, `compatibility` (LRS's test system), or `custom`: the one at `base_url`, such as a simulator.
    #[setting(default = Environment::Compatibility)]
    pub environment: Environment,
    /// Base address of the services. Required with the environment `custom`, and allowed only there. `https`, or `http` on this machine.
    pub base_url: Option<String>,
    /// Allows `http` to other machines. For simulators only.
    #[setting(default = false)]
    pub allow_plain_http: bool,
    /// PEM file of the authorities to trust for LRS instead.
    #[setting(shown_default = "public authorities")]
    pub ca_certificate_file: Option<PathBuf>,
    /// `native`: the system's TLS, for an LRS that requests certificates by renegotiation ([TLS.md](TLS.md)). Needs a program built with
    /// `--features native-tls`.
    #[setting(default = TlsBackend::default())]
    pub tls_backend: TlsBackend,
    /// Forward proxy for connections to LRS, such as `http://proxy.example:3128`, with a user name if it requires a login:
    /// `http://gateway@proxy.example:3128`. Also used for `https` addresses of issuers' key sets and of the collector of traces, except on this
    /// machine ([TLS.md](TLS.md#forward-proxy)). Never taken from the environment.
    #[setting(shown_default = "none: connections are direct")]
    pub proxy_url: Option<String>,
    /// File with the password for the proxy.
    pub proxy_password_file: Option<PathBuf>,
    /// Hosts that are called without the proxy, with their subdomains, such as `["idp.college.example"]`. Also IP addresses and networks.
    #[setting(default = Vec::new())]
    pub proxy_bypass: Vec<String>,
    /// Maximum age of a connection to LRS. After it, DNS is asked again.
    #[setting(default = DEFAULT_MAX_CONNECTION_AGE.as_secs(), range = 1..=24 * 60 * 60)]
    pub max_connection_age_seconds: u64,
    /// Timeout for connecting to LRS.
    #[setting(default = 5, range = 1..=600)]
    pub connect_timeout_seconds: u64,
    /// Timeout of a single call, including its time in the queue and its retries.
    #[setting(default = DEFAULT_TIMEOUT.as_secs(), range = 1..=600)]
    pub timeout_seconds: u64,
    /// Timeout of a call that carries a batch.
    #[setting(default = DEFAULT_BATCH_TIMEOUT.as_secs(), range = 1..=60 * 60)]
    pub batch_timeout_seconds: u64,
    /// Maximum size of a response from LRS.
    #[setting(default = DEFAULT_MAX_RESPONSE_BYTES, range = 1..)]
    pub max_response_bytes: usize,
    /// Vendor number that is sent with learning-event calls ([LRS contract, 4.4](LRS-CONTRACT.md#44-vendor-user-type-and-language)). LRS issues
    /// it. Required with the environment `live` for organisations with the product `learning-events`.
    #[setting(shown_default = format!("`{}`", Vendor::default().id))]
    pub vendor_id: Option<i32>,
    /// User type that is sent with learning-event calls.
    #[setting(default = Vendor::default().user_type)]
    pub user_type: String,
    /// LRS's codes for achievement batches. They are not public: ask LRS. All are required with the environment `live` if an organisation has
    /// the product `achievement-batches`.
    pub achievements: AchievementsSection,
    /// Maximum number of concurrent calls to LRS of this process. Batches leave the last one to single calls.
    #[setting(default = ConcurrencySettings::default().max_concurrent_calls, range = 1..)]
    pub max_concurrent_calls: usize,
    /// The same limit for each organisation. Batches leave the last one of these to single calls too.
    #[setting(default = ConcurrencySettings::default().max_concurrent_calls_per_organisation, range = 1..)]
    pub max_concurrent_calls_per_organisation: usize,
    /// Maximum number of queued calls, counted separately for single calls and for calls with batches. Further single calls are answered 503
    /// `lrs_queue_full`.
    #[setting(default = ConcurrencySettings::default().queue_capacity)]
    pub queue_capacity: usize,
    /// Maximum queue time of a single call, in milliseconds. After it the call is answered 503 `lrs_queue_full`.
    #[setting(default = milliseconds(ConcurrencySettings::default().queue_timeout))]
    pub queue_timeout_ms: u64,
    /// Maximum number of retries of a read-only call after a connection failure.
    #[setting(default = DEFAULT_MAX_RETRIES)]
    pub max_retries: u32,
    /// The circuit breaker of each LRS service.
    pub circuit_breaker: CircuitBreakerSection,
    /// File with [windows of announced maintenance](#a-file-of-maintenance-windows), in addition to those of `[[lrs.maintenance]]`. Read again
    /// while the gateway runs: a change takes effect within seconds. A file with an error changes nothing.
    pub maintenance_file: Option<PathBuf>,
    /// Announced maintenance of LRS. Calls are answered 503 `lrs_maintenance`, batches wait.
    #[setting(default = Vec::new())]
    pub maintenance: Vec<MaintenanceSection>,
}

/// `[lrs.circuit_breaker]`
#[derive(Debug, Settings)]
#[setting(page)]
pub struct CircuitBreakerSection {
    /// Consecutive failures that open the circuit breaker of an LRS service.
    #[setting(default = CircuitBreakerSettings::default().failure_threshold, range = 1..)]
    pub failure_threshold: usize,
    /// Time between the probes while the circuit breaker is open, in milliseconds.
    #[setting(default = milliseconds(CircuitBreakerSettings::default().probe_interval), range = 1..)]
    pub probe_interval_ms: u64,
}

/// `[[lrs.maintenance]]`
#[derive(Debug, Settings)]
#[setting(page, validate = validate::window(starts_at, ends_at))]
pub struct MaintenanceSection {
    /// Start of the maintenance.
    pub starts_at: WindowBoundary,
    /// End of the maintenance, after its start.
    pub ends_at: WindowBoundary,
    /// Note for callers.
    pub note: Option<String>,
}

/// `[lrs.achievements]`
#[derive(Debug, Settings)]
#[setting(page)]
#[setting(validate = validate::action_numbers(create_action, update_action, withdraw_action, reinstate_action))]
#[setting(validate = validate::submission_types(final_type, provisional_type))]
pub struct AchievementsSection {
    /// LRS's number of the action that creates an achievement. Each action needs a number of its own.
    #[setting(shown_default = format!("`{}`", AchievementCodes::default().actions[0]))]
    pub create_action: Option<i32>,
    /// LRS's number of the action that updates an achievement.
    #[setting(shown_default = format!("`{}`", AchievementCodes::default().actions[1]))]
    pub update_action: Option<i32>,
    /// LRS's number of the action that withdraws an achievement.
    #[setting(shown_default = format!("`{}`", AchievementCodes::default().actions[2]))]
    pub withdraw_action: Option<i32>,
    /// LRS's number of the action that reinstates an achievement.
    #[setting(shown_default = format!("`{}`", AchievementCodes::default().actions[3]))]
    pub reinstate_action: Option<i32>,
    /// LRS's word for final submissions.
    #[setting(shown_default = format!("`{:?}`", AchievementCodes::default().submission_types[0]))]
    pub final_type: Option<String>,
    /// LRS's word for provisional submissions, which is another word.
    #[setting(shown_default = format!("`{:?}`", AchievementCodes::default().submission_types[1]))]
    pub provisional_type: Option<String>,
}

/// `[store]`
#[derive(Debug, Settings)]
#[setting(page)]
pub struct StoreSection {
    /// Address of Redis: `redis://`, `redis-sentinel://`, `redis-cluster://`; with TLS `rediss://`, `rediss-sentinel://`,
    /// `rediss-cluster://`.
    #[setting(shown_default = "in memory")]
    pub redis_url: Option<String>,
    /// User name for the sentinels, if they have logins of their own. The login in `redis_url` is for Redis itself.
    #[setting(shown_default = "none")]
    pub sentinel_username: Option<String>,
    /// File with the password for the sentinels. Without it they are asked without a login.
    #[setting(shown_default = "none")]
    pub sentinel_password_file: Option<PathBuf>,
    /// Uses a Redis that can lose what it has confirmed: one that deletes data when its memory is full, or that has no append-only file.
    /// Otherwise batches and idempotency keys are refused with such a Redis. LRS may then get registrations twice.
    #[setting(default = false)]
    pub accept_volatile: bool,
    /// PEM file of the authorities to trust for Redis instead.
    #[setting(shown_default = "public authorities")]
    pub redis_ca_certificate_file: Option<PathBuf>,
    /// Prefix of all keys in Redis: letters, digits, and `-`, `_`, `:`, `.`.
    #[setting(default = "lrs-gateway".to_owned())]
    pub key_prefix: String,
    /// The LRS that batches and idempotency keys in Redis belong to. Set it to LRS's former address if LRS has moved and the gateway must
    /// continue the batches that it accepted before.
    #[setting(shown_default = "LRS's address")]
    pub lrs_identity: Option<String>,
    /// File with the keys that encrypt learners' data, one per line. The first key encrypts, every key decrypts.
    #[setting(shown_default = "required with Redis")]
    pub encryption_key_file: Option<PathBuf>,
}

/// `[batches]`
#[derive(Debug, Settings)]
#[setting(page)]
#[setting(validate = validate::poll_intervals(initial_poll_interval_seconds, max_poll_interval_seconds))]
#[setting(validate = validate::batch_lifetime(submission_timeout_seconds, result_timeout_seconds, retention_seconds))]
pub struct BatchesSection {
    /// Maximum number of learners in a request. The size of a request in bytes is limited too.
    #[setting(default = BatchSettings::default().max_learners, range = 1..)]
    pub max_learners: usize,
    /// Maximum number of achievements in a request. The size of a request in bytes is limited too.
    #[setting(default = BatchSettings::default().max_achievements, range = 1..)]
    pub max_achievements: usize,
    /// Maximum time for which a part waits to be sent to LRS. It starts again if the part is resubmitted. Announced maintenance does not count.
    /// Together with `result_timeout_seconds` and `retention_seconds` at most 400 days.
    #[setting(default = BatchSettings::default().submission_timeout.as_secs(), range = 1..)]
    pub submission_timeout_seconds: u64,
    /// Maximum time from the submission of a part to LRS's results. Announced maintenance does not count.
    #[setting(default = BatchSettings::default().result_timeout.as_secs(), range = 1..)]
    pub result_timeout_seconds: u64,
    /// Time between a lost response to a `FULL` registration and the `CHECK` job that shows whether LRS has it. LRS needs time to process the
    /// registration: a `CHECK` job that comes too early finds nothing.
    #[setting(default = BatchSettings::default().reconciliation_delay.as_secs(), range = 1..=7 * 24 * 60 * 60)]
    pub reconciliation_delay_seconds: u64,
    /// Time for which the results of a finished batch are kept. With less than the minimum, callers could not read the results in time.
    #[setting(default = BatchSettings::default().retention.as_secs(), range = 60..)]
    pub retention_seconds: u64,
    /// Time before the first poll of a job. Each time varies at random by up to a sixth. Not more than `max_poll_interval_seconds`.
    #[setting(default = BatchSettings::default().initial_poll_interval.as_secs(), range = 1..)]
    pub initial_poll_interval_seconds: u64,
    /// Maximum time between two polls of a job. Each time varies at random by up to a sixth.
    #[setting(default = BatchSettings::default().max_poll_interval.as_secs(), range = 1..)]
    pub max_poll_interval_seconds: u64,
    /// Time after which another replica continues the batches of a replica that has stopped.
    #[setting(default = BatchSettings::default().lease.as_secs(), range = 1..)]
    pub lease_seconds: u64,
    /// Maximum number of parts that a replica sends or polls at the same time.
    #[setting(default = BatchSettings::default().max_concurrent_parts, range = 1..)]
    pub max_concurrent_parts: usize,
    /// The same limit for each organisation. It also limits how many batches of an organisation a replica works on at the same time.
    #[setting(default = BatchSettings::default().max_concurrent_parts_per_organisation, range = 1..)]
    pub max_concurrent_parts_per_organisation: usize,
}

/// `[limits]`
#[derive(Debug, Settings)]
#[setting(page)]
pub struct LimitsSection {
    /// Rate limit of an organisation: calls per minute.
    #[setting(default = Rates::default().organisation.per_minute, range = 1..)]
    pub organisation_per_minute: u32,
    /// Rate limit of an organisation: burst.
    #[setting(default = Rates::default().organisation.burst, range = 1..)]
    pub organisation_burst: u32,
    /// Rate limit of each person: calls per minute.
    #[setting(default = Rates::default().person.per_minute, range = 1..)]
    pub person_per_minute: u32,
    /// Rate limit of each person: burst.
    #[setting(default = Rates::default().person.burst, range = 1..)]
    pub person_burst: u32,
    /// Rate limit of each person's searches by demographics, including those of `obtainUln`: calls per minute.
    #[setting(default = Rates::default().searches.per_minute, range = 1..)]
    pub searches_per_minute: u32,
    /// Rate limit of each person's searches by demographics, including those of `obtainUln`: burst.
    #[setting(default = Rates::default().searches.burst, range = 1..)]
    pub searches_burst: u32,
    /// Expected number of replicas. While Redis is unavailable, each replica enforces the rate limits divided by this number.
    #[setting(default = 2, range = 1..)]
    pub expected_replicas: u32,
}

/// `[audit]`
#[derive(Debug, Settings)]
#[setting(page)]
pub struct AuditSection {
    /// Whether one JSON line is written for each call to LRS.
    #[setting(default = true)]
    pub enabled: bool,
    /// File to which the lines are appended.
    #[setting(shown_default = "standard output")]
    pub file: Option<PathBuf>,
    /// File with the keys that hash ULNs in the audit trail, in the format of `store.encryption_key_file`. Without it the trail contains no ULN
    /// hashes.
    pub key_file: Option<PathBuf>,
}

/// `[organisations]`
#[derive(Debug, Settings)]
#[setting(page)]
pub struct OrganisationsSection {
    /// Directory with one `*.toml` file per organisation.
    pub directory: PathBuf,
}

/// The LRS to call (LRS-CONTRACT 1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, CodeList)]
#[code_list(case = "lowercase")]
pub enum Environment {
    /// LRS's live system.
    Live,
    /// LRS's test system.
    Compatibility,
    /// An LRS at `lrs.base_url`, such as a simulator.
    Custom,
}

impl Environment {
    /// Returns LRS's address in this environment. A custom environment has none: `lrs.base_url` gives it.
    pub const fn base_url(self) -> Option<&'static str> {
        match self {
            Self::Live => Some("https://ws.lrs.education.gov.uk"),
            Self::Compatibility => Some("https://cmp-ws.dev.lrs.education.gov.uk"),
            Self::Custom => None,
        }
    }

    /// Returns `true` if LRS requires client certificates in this environment (LRS-CONTRACT 4.2).
    pub const fn requires_client_certificates(self) -> bool {
        !matches!(self, Self::Custom)
    }

    /// Returns `true` if the `lrs.environment` of a file is absent or valid.
    pub fn is_usable_in(file: &Table) -> bool {
        match file.get("lrs").and_then(|lrs| lrs.get("environment")) {
            None => true,
            Some(Value::String(text)) => Self::parse(text).is_ok(),
            Some(_) => false,
        }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn available_cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
