//! What may be written in the configuration file.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::auth::{Algorithm, ClaimNames};
use crate::batches::BatchSettings;
use crate::lrs::concurrency_limit::ConcurrencySettings;
use crate::lrs::http_client::TlsBackend;
use crate::lrs::maintenance::WindowBoundary;
use crate::lrs::services::external::AchievementCodes;
use crate::lrs::{CircuitBreakerSettings, DEFAULT_BATCH_TIMEOUT, DEFAULT_MAX_RESPONSE_BYTES, DEFAULT_MAX_RETRIES, DEFAULT_TIMEOUT, Vendor};
use crate::rate_limit::Rates;
use crate::schema::{Constraints, InvalidValue, Scalar, form};
use crate::server::connection_limits::ConnectionLimits;
use crate::server::cors::Origin;

form! {
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

form! {
    #[derive(Debug)]
    pub struct ServerSection {
        pub listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8080)),
        pub admin_listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 9090)),
        pub workers: Option<usize>,
        pub drain_seconds: u64 = 5,
        pub max_connections: usize = ConnectionLimits::default().connections,
        pub cors_origins: Vec<Origin> = Vec::new(),
        pub tls: Option<TlsSection>,
    }
}

form! {
    #[derive(Debug)]
    pub struct TlsSection {
        pub certificate_file: PathBuf,
        pub key_file: PathBuf,
    }
}

form! {
    #[derive(Debug)]
    pub struct AuthSection {
        pub issuers: Vec<IssuerSection> = Vec::new(),
    }
}

form! {
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

form! {
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
        pub max_answer_bytes: usize = DEFAULT_MAX_RESPONSE_BYTES,
        pub vendor_id: i32 = Vendor::default().id,
        pub user_type: String = Vendor::default().user_type,
        pub language: String = Vendor::default().language,
        pub achievements: Option<AchievementsSection>,
        pub calls_at_once: usize = ConcurrencySettings::default().max_concurrent_calls,
        pub calls_at_once_per_organisation: usize = ConcurrencySettings::default().max_concurrent_calls_per_organisation,
        pub queue_length: usize = ConcurrencySettings::default().queue_capacity,
        pub longest_queue_milliseconds: u64 = milliseconds(ConcurrencySettings::default().queue_timeout),
        pub retries: u32 = DEFAULT_MAX_RETRIES,
        pub breaker_failures: usize = CircuitBreakerSettings::default().failure_threshold,
        pub breaker_probe_milliseconds: u64 = milliseconds(CircuitBreakerSettings::default().probe_interval),
        pub maintenance: Vec<MaintenanceSection> = Vec::new(),
    }
}

form! {
    #[derive(Debug)]
    pub struct MaintenanceSection {
        pub from: WindowBoundary,
        pub until: WindowBoundary,
        pub note: Option<String>,
    }
}

form! {
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

form! {
    #[derive(Debug)]
    pub struct StoreSection {
        pub redis_url: Option<String>,
        pub redis_ca_certificate_file: Option<PathBuf>,
        pub key_prefix: String = "lrs-gateway".to_owned(),
        pub encryption_key_file: Option<PathBuf>,
    }
}

form! {
    #[derive(Debug)]
    pub struct BatchesSection {
        pub most_learners: usize = BatchSettings::default().max_learners,
        pub most_achievements: usize = BatchSettings::default().max_achievements,
        pub horizon_seconds: u64 = BatchSettings::default().tracking_timeout.as_secs(),
        pub retention_seconds: u64 = BatchSettings::default().retention.as_secs(),
        pub first_poll_seconds: u64 = BatchSettings::default().initial_poll_interval.as_secs(),
        pub longest_poll_seconds: u64 = BatchSettings::default().max_poll_interval.as_secs(),
        pub lease_seconds: u64 = BatchSettings::default().lease.as_secs(),
        pub parts_at_once: usize = BatchSettings::default().max_concurrent_parts,
        pub parts_at_once_per_organisation: usize = BatchSettings::default().max_concurrent_parts_per_organisation,
    }
}

form! {
    #[derive(Debug)]
    pub struct LimitsSection {
        pub organisation_per_minute: u32 = Rates::default().organisation.per_minute,
        pub organisation_burst: u32 = Rates::default().organisation.burst,
        pub person_per_minute: u32 = Rates::default().person.per_minute,
        pub person_burst: u32 = Rates::default().person.burst,
        pub searches_per_minute: u32 = Rates::default().searches.per_minute,
        pub searches_burst: u32 = Rates::default().searches.burst,
        pub replicas: u32 = 2,
    }
}

form! {
    #[derive(Debug)]
    pub struct AuditSection {
        pub enabled: bool = true,
        pub file: Option<PathBuf>,
        pub key_file: Option<PathBuf>,
    }
}

form! {
    #[derive(Debug)]
    pub struct OrganisationsSection {
        pub directory: PathBuf,
    }
}

/// Which LRS is called (FACTS 1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    Live,
    Compatibility,
    Custom,
}

impl Environment {
    /// LRS's address there.
    pub const fn base_url(self) -> Option<&'static str> {
        match self {
            Self::Live => Some("https://ws.lrs.education.gov.uk"),
            Self::Compatibility => Some("https://cmp-ws.dev.lrs.education.gov.uk"),
            Self::Custom => None,
        }
    }

    /// Does LRS ask for client certificates there (FACTS 1.3)?
    pub const fn needs_certificates(self) -> bool {
        !matches!(self, Self::Custom)
    }
}

impl Scalar for Environment {
    const CONSTRAINTS: Constraints = Constraints::new("Which LRS is called.", "compatibility");

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
