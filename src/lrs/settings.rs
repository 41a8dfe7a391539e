//! The settings of LRS and their defaults.

use std::time::Duration;

use crate::lrs::address::LrsAddress;
use crate::lrs::circuit_breaker::CircuitBreakerSettings;
use crate::lrs::concurrency_limit::ConcurrencySettings;
use crate::lrs::maintenance::MaintenanceSchedule;
use crate::lrs::operation::Vendor;
use crate::lrs::retry::DEFAULT_MAX_RETRIES;
use crate::lrs::services::external::AchievementCodes;

/// Default timeout of a single call.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// Default timeout of a call that carries a batch, which has thousands of records.
pub const DEFAULT_BATCH_TIMEOUT: Duration = Duration::from_secs(120);
/// Default maximum size of a response, in bytes.
pub const DEFAULT_MAX_RESPONSE_BYTES: usize = 16 * 1024 * 1024;

/// Default time after which a response counts as late. A proxy that waits for LRS in vain may then report that LRS is unavailable.
pub const DEFAULT_PROMPT_RESPONSE: Duration = Duration::from_secs(10);

/// The address of LRS, and the timeouts and limits of its calls.
#[derive(Debug, Clone)]
pub struct LrsSettings {
    /// The address.
    pub address: LrsAddress,
    /// Timeout of a single call, including its retries and its time in the queue.
    pub timeout: Duration,
    /// Timeout of a call that carries a batch.
    pub batch_timeout: Duration,
    /// Maximum size of a response, in bytes.
    pub max_response_bytes: usize,
    /// Time within which a response with status 503 is prompt: LRS did not process the request.
    pub prompt_response: Duration,
    /// The software's vendor.
    pub vendor: Vendor,
    /// LRS's codes about achievements. LRS does not publish them.
    pub achievement_codes: AchievementCodes,
    /// Limits of concurrent and queued calls.
    pub concurrency: ConcurrencySettings,
    /// When the circuit breakers open, and how often they probe.
    pub circuit_breaker: CircuitBreakerSettings,
    /// Maximum number of retries of a read-only call after connection failures.
    pub max_retries: u32,
    /// Announced maintenance.
    pub maintenance: MaintenanceSchedule,
}

impl LrsSettings {
    /// Returns the default settings for LRS at this address.
    pub fn for_address(address: LrsAddress) -> Self {
        Self {
            address,
            timeout: DEFAULT_TIMEOUT,
            batch_timeout: DEFAULT_BATCH_TIMEOUT,
            max_response_bytes: DEFAULT_MAX_RESPONSE_BYTES,
            prompt_response: DEFAULT_PROMPT_RESPONSE,
            vendor: Vendor::default(),
            achievement_codes: AchievementCodes::default(),
            concurrency: ConcurrencySettings::default(),
            circuit_breaker: CircuitBreakerSettings::default(),
            max_retries: DEFAULT_MAX_RETRIES,
            maintenance: MaintenanceSchedule::default(),
        }
    }
}
