//! Sections and settings of the configuration file. README.md describes each setting.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use toml::{Table, Value};

use crate::auth::{Algorithm, ClaimNames};
use crate::batches::BatchSettings;
use crate::lrs::concurrency_limit::ConcurrencySettings;
use crate::lrs::http_client::TlsBackend;
use crate::lrs::maintenance::WindowBoundary;
use crate::lrs::services::external::AchievementCodes;
use crate::lrs::{CircuitBreakerSettings, DEFAULT_BATCH_TIMEOUT, DEFAULT_MAX_RESPONSE_BYTES, DEFAULT_MAX_RETRIES, DEFAULT_TIMEOUT, Vendor};
use crate::rate_limit::Rates;
use crate::schema::{Constraints, InvalidValue, Scalar, input};
use crate::server::connection_limits::ConnectionLimits;
use crate::server::cors::Origin;

/// Sections that may be absent. An absent section is an empty one: each of its settings has its default.
pub const OPTIONAL_SECTIONS: [&str; 7] = ["server", "auth", "lrs", "store", "batches", "limits", "audit"];

input! {
    /// The whole file.
    #[derive(Debug)]
    pub struct ConfigFile {
        pub server: ServerSection,
        pub auth: AuthSection,
        pub lrs: LrsSection,
        pub store: StoreSection,
        pub batches: BatchesSection,
        pub limits: LimitsSection,
        pub audit: AuditSection,
        pub organisations: OrganisationsSection,
    }
}

input! {
    /// `[server]`: the API and the admin listener.
    #[derive(Debug)]
    pub struct ServerSection {
        pub listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8080)),
        pub admin_listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 9090)),
        pub workers: Option<usize>,
        pub drain_seconds: u64 = 5,
        pub max_connections: usize = ConnectionLimits::default().max_connections,
        pub cors_origins: Vec<Origin> = Vec::new(),
        pub tls: Option<TlsSection>,
    }
}

input! {
    /// `server.tls`: the server's own certificate.
    #[derive(Debug)]
    pub struct TlsSection {
        pub certificate_file: PathBuf,
        pub key_file: PathBuf,
    }
}

input! {
    /// `[auth]`: bearer tokens.
    #[derive(Debug)]
    pub struct AuthSection {
        pub issuers: Vec<IssuerSection> = Vec::new(),
    }
}

input! {
    /// `[[auth.issuers]]`: one token issuer.
    #[derive(Debug)]
    pub struct IssuerSection {
        pub issuer: String,
        pub audience: String,
        pub algorithms: Vec<Algorithm> = Vec::new(),
        pub jwks_url: Option<String>,
        pub jwks_ca_certificate_file: Option<PathBuf>,
        pub jwks_refresh_seconds: Option<u64>,
        pub jwks_cooldown_seconds: Option<u64>,
        pub public_key_file: Option<PathBuf>,
        pub hmac_secret_file: Option<PathBuf>,
        pub organisation_claim: String = ClaimNames::default().organisation,
        pub user_claim: String = ClaimNames::default().user,
        pub scope_claim: String = ClaimNames::default().scope,
    }
}

input! {
    /// `[lrs]`: the connection to LRS.
    #[derive(Debug)]
    pub struct LrsSection {
        pub environment: Environment = Environment::Compatibility,
        pub base_url: Option<String>,
        pub allow_plain_http: bool = false,
        pub ca_certificate_file: Option<PathBuf>,
        pub tls_backend: TlsBackend = TlsBackend::default(),
        pub connect_timeout_seconds: u64 = 5,
        pub timeout_seconds: u64 = DEFAULT_TIMEOUT.as_secs(),
        pub batch_timeout_seconds: u64 = DEFAULT_BATCH_TIMEOUT.as_secs(),
        pub max_response_bytes: usize = DEFAULT_MAX_RESPONSE_BYTES,
        pub vendor_id: i32 = Vendor::default().id,
        pub user_type: String = Vendor::default().user_type,
        pub language: String = Vendor::default().language,
        pub achievements: Option<AchievementsSection>,
        pub max_concurrent_calls: usize = ConcurrencySettings::default().max_concurrent_calls,
        pub max_concurrent_calls_per_organisation: usize = ConcurrencySettings::default().max_concurrent_calls_per_organisation,
        pub queue_capacity: usize = ConcurrencySettings::default().queue_capacity,
        pub queue_timeout_ms: u64 = milliseconds(ConcurrencySettings::default().queue_timeout),
        pub max_retries: u32 = DEFAULT_MAX_RETRIES,
        pub circuit_breaker: Option<CircuitBreakerSection>,
        pub maintenance: Vec<MaintenanceSection> = Vec::new(),
    }
}

input! {
    /// `[lrs.circuit_breaker]`: the circuit breaker of each LRS service.
    #[derive(Debug)]
    pub struct CircuitBreakerSection {
        pub failure_threshold: usize = CircuitBreakerSettings::default().failure_threshold,
        pub probe_interval_ms: u64 = milliseconds(CircuitBreakerSettings::default().probe_interval),
    }
}

input! {
    /// `[[lrs.maintenance]]`: one announced maintenance window.
    #[derive(Debug)]
    pub struct MaintenanceSection {
        pub starts_at: WindowBoundary,
        pub ends_at: WindowBoundary,
        pub note: Option<String>,
    }
}

input! {
    /// `[lrs.achievements]`: LRS's codes for achievement batches. LRS does not publish them.
    #[derive(Debug)]
    pub struct AchievementsSection {
        pub create_action: i32 = AchievementCodes::default().actions[0],
        pub update_action: i32 = AchievementCodes::default().actions[1],
        pub withdraw_action: i32 = AchievementCodes::default().actions[2],
        pub reinstate_action: i32 = AchievementCodes::default().actions[3],
        pub final_type: String = AchievementCodes::default().submission_types[0].clone(),
        pub provisional_type: String = AchievementCodes::default().submission_types[1].clone(),
    }
}

input! {
    /// `[store]`: Redis and its encryption. Without Redis, the store is in memory.
    #[derive(Debug)]
    pub struct StoreSection {
        pub redis_url: Option<String>,
        pub redis_ca_certificate_file: Option<PathBuf>,
        pub key_prefix: String = "lrs-gateway".to_owned(),
        pub encryption_key_file: Option<PathBuf>,
    }
}

input! {
    /// `[batches]`: limits and times of batches.
    #[derive(Debug)]
    pub struct BatchesSection {
        pub max_learners: usize = BatchSettings::default().max_learners,
        pub max_achievements: usize = BatchSettings::default().max_achievements,
        pub tracking_timeout_seconds: u64 = BatchSettings::default().tracking_timeout.as_secs(),
        pub retention_seconds: u64 = BatchSettings::default().retention.as_secs(),
        pub initial_poll_interval_seconds: u64 = BatchSettings::default().initial_poll_interval.as_secs(),
        pub max_poll_interval_seconds: u64 = BatchSettings::default().max_poll_interval.as_secs(),
        pub lease_seconds: u64 = BatchSettings::default().lease.as_secs(),
        pub max_concurrent_parts: usize = BatchSettings::default().max_concurrent_parts,
        pub max_concurrent_parts_per_organisation: usize = BatchSettings::default().max_concurrent_parts_per_organisation,
    }
}

input! {
    /// `[limits]`: rate limits.
    #[derive(Debug)]
    pub struct LimitsSection {
        pub organisation_per_minute: u32 = Rates::default().organisation.per_minute,
        pub organisation_burst: u32 = Rates::default().organisation.burst,
        pub person_per_minute: u32 = Rates::default().person.per_minute,
        pub person_burst: u32 = Rates::default().person.burst,
        pub searches_per_minute: u32 = Rates::default().searches.per_minute,
        pub searches_burst: u32 = Rates::default().searches.burst,
        pub expected_replicas: u32 = 2,
    }
}

input! {
    /// `[audit]`: the audit trail.
    #[derive(Debug)]
    pub struct AuditSection {
        pub enabled: bool = true,
        pub file: Option<PathBuf>,
        pub key_file: Option<PathBuf>,
    }
}

input! {
    /// `[organisations]`: the files of the organisations.
    #[derive(Debug)]
    pub struct OrganisationsSection {
        pub directory: PathBuf,
    }
}

/// The LRS to call (LRS-CONTRACT 1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

impl Scalar for Environment {
    const CONSTRAINTS: Constraints = Constraints::new("The LRS to call.", "compatibility");

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        match text {
            "live" => Ok(Self::Live),
            "compatibility" => Ok(Self::Compatibility),
            "custom" => Ok(Self::Custom),
            _ => Err(InvalidValue::new("unknown_value", "must be live, compatibility or custom")),
        }
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(match self {
            Self::Live => "live",
            Self::Compatibility => "compatibility",
            Self::Custom => "custom",
        })
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
