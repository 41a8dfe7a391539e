//! Sections as the settings of the parts of the gateway.

use std::time::Duration;

use crate::auth::{ClaimNames, UserNameRules};
use crate::batches::BatchSettings;
use crate::config::file::{AchievementsSection, BatchesSection, CircuitBreakerSection, IssuerSection, LimitsSection, MaintenanceSection};
use crate::lrs::CircuitBreakerSettings;
use crate::lrs::maintenance::MaintenanceWindow;
use crate::lrs::services::external::AchievementCodes;
use crate::rate_limit::{Limit, Rates};

impl From<&IssuerSection> for ClaimNames {
    fn from(section: &IssuerSection) -> Self {
        let IssuerSection { organisation_claim, user_claims, scope_claims, client_claims, .. } = section;
        let default = Self::default();
        let scope_claims = scope_claims.as_ref().map(|names| names.to_vec());
        Self {
            organisation: organisation_claim.clone(),
            user: user_claims.to_vec(),
            scope: scope_claims.clone().unwrap_or(default.scope),
            application_scope: scope_claims.unwrap_or(default.application_scope),
            client: client_claims.to_vec(),
        }
    }
}

impl From<&IssuerSection> for UserNameRules {
    fn from(section: &IssuerSection) -> Self {
        let domains = section.user_domains.iter().map(|domain| domain.to_ascii_lowercase()).collect();
        Self { domains, strip_domain: section.user_strip_domain, clients: section.clients.clone() }
    }
}

impl From<&AchievementsSection> for AchievementCodes {
    fn from(section: &AchievementsSection) -> Self {
        let Self { actions: [create, update, withdraw, reinstate], submission_types: [final_type, provisional_type] } = Self::default();
        Self {
            actions: [
                section.create_action.unwrap_or(create),
                section.update_action.unwrap_or(update),
                section.withdraw_action.unwrap_or(withdraw),
                section.reinstate_action.unwrap_or(reinstate),
            ],
            submission_types: [
                section.final_type.clone().unwrap_or(final_type),
                section.provisional_type.clone().unwrap_or(provisional_type),
            ],
        }
    }
}

impl From<&CircuitBreakerSection> for CircuitBreakerSettings {
    fn from(section: &CircuitBreakerSection) -> Self {
        Self { failure_threshold: section.failure_threshold, probe_interval: Duration::from_millis(section.probe_interval_ms) }
    }
}

impl From<&MaintenanceSection> for MaintenanceWindow {
    fn from(section: &MaintenanceSection) -> Self {
        Self { starts_at: section.starts_at.0, ends_at: section.ends_at.0, note: section.note.clone() }
    }
}

impl From<&BatchesSection> for BatchSettings {
    fn from(section: &BatchesSection) -> Self {
        Self {
            max_learners: section.max_learners,
            max_achievements: section.max_achievements,
            submission_timeout: Duration::from_secs(section.submission_timeout_seconds),
            result_timeout: Duration::from_secs(section.result_timeout_seconds),
            reconciliation_delay: Duration::from_secs(section.reconciliation_delay_seconds),
            retention: Duration::from_secs(section.retention_seconds),
            initial_poll_interval: Duration::from_secs(section.initial_poll_interval_seconds),
            max_poll_interval: Duration::from_secs(section.max_poll_interval_seconds),
            lease: Duration::from_secs(section.lease_seconds),
            max_concurrent_parts: section.max_concurrent_parts,
            max_concurrent_parts_per_organisation: section.max_concurrent_parts_per_organisation,
            ..Self::default()
        }
    }
}

impl From<&LimitsSection> for Rates {
    fn from(section: &LimitsSection) -> Self {
        Self {
            organisation: Limit { per_minute: section.organisation_per_minute, burst: section.organisation_burst },
            person: Limit { per_minute: section.person_per_minute, burst: section.person_burst },
            searches: Limit { per_minute: section.searches_per_minute, burst: section.searches_burst },
        }
    }
}
