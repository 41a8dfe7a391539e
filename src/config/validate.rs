//! Rules for settings whose form is valid: ranges, and settings that depend on each other.

use crate::config::file::{
    AchievementsSection, BatchesSection, CircuitBreakerSection, ConfigFile, LimitsSection, LrsSection, ServerSection,
};

/// Maximum drain time and maximum timeout of a single call, in seconds.
const MAX_SHORT_TIMEOUT_SECONDS: u64 = 600;

/// Maximum timeout of a call with a batch, in seconds.
const MAX_BATCH_TIMEOUT_SECONDS: u64 = 60 * 60;

/// Minimum retention of a batch, in seconds.
const MIN_RETENTION_SECONDS: u64 = 60;

/// Maximum time for which data of a batch is kept, in seconds. Personal data must not become an archive.
const MAX_BATCH_LIFETIME_SECONDS: u64 = 400 * 24 * 60 * 60;

/// Returns every broken rule.
pub(super) fn validate(file: &ConfigFile) -> Vec<String> {
    let mut errors = Vec::new();
    validate_server(&file.server, &mut errors);
    validate_lrs(&file.lrs, &mut errors);
    validate_limits(&file.limits, &mut errors);
    validate_batches(&file.batches, &mut errors);
    errors
}

fn validate_server(section: &ServerSection, errors: &mut Vec<String>) {
    at_least_one("server.workers", section.workers.map_or(1, |workers| workers as u64), errors);
    at_least_one("server.max_connections", section.max_connections as u64, errors);
    at_most("server.drain_seconds", section.drain_seconds, MAX_SHORT_TIMEOUT_SECONDS, errors);
    if section.listen == section.admin_listen && section.listen.port() != 0 {
        errors.push("server.admin_listen: must not be the address of server.listen".into());
    }
}

fn validate_lrs(section: &LrsSection, errors: &mut Vec<String>) {
    at_least_one("lrs.connect_timeout_seconds", section.connect_timeout_seconds, errors);
    at_least_one("lrs.timeout_seconds", section.timeout_seconds, errors);
    at_least_one("lrs.batch_timeout_seconds", section.batch_timeout_seconds, errors);
    at_most("lrs.connect_timeout_seconds", section.connect_timeout_seconds, MAX_SHORT_TIMEOUT_SECONDS, errors);
    at_most("lrs.timeout_seconds", section.timeout_seconds, MAX_SHORT_TIMEOUT_SECONDS, errors);
    at_most("lrs.batch_timeout_seconds", section.batch_timeout_seconds, MAX_BATCH_TIMEOUT_SECONDS, errors);
    at_least_one("lrs.max_response_bytes", section.max_response_bytes as u64, errors);
    at_least_one("lrs.max_concurrent_calls", section.max_concurrent_calls as u64, errors);
    at_least_one("lrs.max_concurrent_calls_per_organisation", section.max_concurrent_calls_per_organisation as u64, errors);
    if let Some(CircuitBreakerSection { failure_threshold, probe_interval_ms }) = section.circuit_breaker {
        at_least_one("lrs.circuit_breaker.failure_threshold", failure_threshold as u64, errors);
        at_least_one("lrs.circuit_breaker.probe_interval_ms", probe_interval_ms, errors);
    }
    if let Some(achievements) = &section.achievements {
        validate_achievements(achievements, errors);
    }
}

/// Checks that LRS can tell the codes apart. With equal codes, LRS would perform another action than the caller asked for.
fn validate_achievements(section: &AchievementsSection, errors: &mut Vec<String>) {
    let mut actions = [section.create_action, section.update_action, section.withdraw_action, section.reinstate_action];
    actions.sort_unstable();
    if actions.windows(2).any(|pair| pair[0] == pair[1]) {
        errors.push("lrs.achievements: each action needs a number of its own. With equal numbers, LRS performs the wrong action".into());
    }
    if section.final_type == section.provisional_type {
        errors.push("lrs.achievements.final_type: must not be equal to provisional_type".into());
    }
}

fn validate_limits(section: &LimitsSection, errors: &mut Vec<String>) {
    at_least_one("limits.organisation_per_minute", section.organisation_per_minute.into(), errors);
    at_least_one("limits.organisation_burst", section.organisation_burst.into(), errors);
    at_least_one("limits.person_per_minute", section.person_per_minute.into(), errors);
    at_least_one("limits.person_burst", section.person_burst.into(), errors);
    at_least_one("limits.searches_per_minute", section.searches_per_minute.into(), errors);
    at_least_one("limits.searches_burst", section.searches_burst.into(), errors);
    at_least_one("limits.expected_replicas", section.expected_replicas.into(), errors);
}

fn validate_batches(section: &BatchesSection, errors: &mut Vec<String>) {
    at_least_one("batches.max_learners", section.max_learners as u64, errors);
    at_least_one("batches.max_achievements", section.max_achievements as u64, errors);
    at_least_one("batches.tracking_timeout_seconds", section.tracking_timeout_seconds, errors);
    at_least_one("batches.initial_poll_interval_seconds", section.initial_poll_interval_seconds, errors);
    at_least_one("batches.max_poll_interval_seconds", section.max_poll_interval_seconds, errors);
    at_least_one("batches.lease_seconds", section.lease_seconds, errors);
    at_least_one("batches.max_concurrent_parts", section.max_concurrent_parts as u64, errors);
    at_least_one("batches.max_concurrent_parts_per_organisation", section.max_concurrent_parts_per_organisation as u64, errors);
    if section.initial_poll_interval_seconds > section.max_poll_interval_seconds {
        errors.push("batches.initial_poll_interval_seconds: must not be more than max_poll_interval_seconds".into());
    }
    if section.retention_seconds < MIN_RETENTION_SECONDS {
        errors.push(format!(
            "batches.retention_seconds: must be at least {MIN_RETENTION_SECONDS}. With less, callers cannot read the results in time"
        ));
    }
    if section.tracking_timeout_seconds.saturating_add(section.retention_seconds) > MAX_BATCH_LIFETIME_SECONDS {
        errors.push(format!(
            "batches.tracking_timeout_seconds: together with retention_seconds, must be at most {MAX_BATCH_LIFETIME_SECONDS}"
        ));
    }
}

fn at_least_one(setting: &str, value: u64, errors: &mut Vec<String>) {
    if value == 0 {
        errors.push(format!("{setting}: must be at least 1"));
    }
}

fn at_most(setting: &str, value: u64, max: u64, errors: &mut Vec<String>) {
    if value > max {
        errors.push(format!("{setting}: must be at most {max}"));
    }
}
