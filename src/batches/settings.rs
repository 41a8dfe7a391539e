//! Settings of batches. Most have a setting in the configuration file; the others have their defaults always.

use std::time::Duration;

use crate::lrs::maintenance::MaintenanceSchedule;

/// Limits and intervals of batches.
#[derive(Debug, Clone)]
pub struct BatchSettings {
    /// Maximum number of learners in a batch.
    pub max_learners: usize,
    /// Maximum number of achievements in a batch.
    pub max_achievements: usize,
    /// Maximum time for which a part waits to be sent to LRS. Announced maintenance does not count.
    pub submission_timeout: Duration,
    /// Maximum time from the submission of a part to LRS's results. Announced maintenance does not count.
    pub result_timeout: Duration,
    /// Time between a lost response to a registration and the `CHECK` job that shows whether LRS has it.
    pub reconciliation_delay: Duration,
    /// Time for which results are kept after the batch is finished.
    pub retention: Duration,
    /// Time between the submission of a part and the first poll.
    pub initial_poll_interval: Duration,
    /// Maximum time between two polls of a part, plus up to a sixth: delays vary at random.
    pub max_poll_interval: Duration,
    /// Time after which an adopted job without an end time is taken as done, if LRS returns the same number of results throughout. Not in
    /// the configuration file.
    pub unfinished_job_grace: Duration,
    /// Time after which another worker may take over a batch whose worker no longer renews its lease.
    pub lease: Duration,
    /// Time between two claims of an idle worker. Not in the configuration file.
    pub idle_poll_interval: Duration,
    /// Maximum number of parts that a replica sends or polls at the same time.
    pub max_concurrent_parts: usize,
    /// The same limit for each organisation. It also limits the organisation's batches that a replica works on at the same time.
    pub max_concurrent_parts_per_organisation: usize,
    /// Maximum number of batches that a replica works on at the same time. Not in the configuration file.
    pub max_concurrent_batches: usize,
    /// Announced maintenance of LRS.
    pub maintenance: MaintenanceSchedule,
}

impl Default for BatchSettings {
    fn default() -> Self {
        const HOUR: u64 = 60 * 60;
        Self {
            max_learners: 20_000,
            max_achievements: 100_000,
            submission_timeout: Duration::from_secs(14 * 24 * HOUR),
            result_timeout: Duration::from_secs(7 * 24 * HOUR),
            reconciliation_delay: Duration::from_secs(HOUR),
            retention: Duration::from_secs(7 * 24 * HOUR),
            initial_poll_interval: Duration::from_secs(15),
            max_poll_interval: Duration::from_secs(15 * 60),
            unfinished_job_grace: Duration::from_secs(HOUR),
            lease: Duration::from_secs(60),
            idle_poll_interval: Duration::from_secs(2),
            max_concurrent_parts: 8,
            max_concurrent_parts_per_organisation: 2,
            max_concurrent_batches: 32,
            maintenance: MaintenanceSchedule::default(),
        }
    }
}
