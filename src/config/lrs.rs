//! Settings of the LRS client, from `[lrs]`.

use std::time::Duration;

use reqwest::Url;

use crate::config::file::{AchievementsSection, Environment, LrsSection};
use crate::config::url::{check_no_credentials, is_loopback};
use crate::domain::Product;
use crate::lrs::concurrency_limit::ConcurrencySettings;
use crate::lrs::maintenance::MaintenanceWindow;
use crate::lrs::{DEFAULT_PROMPT_RESPONSE, LrsAddress, LrsSettings, Vendor};
use crate::schema::Scalar as _;

/// Converts the section to settings of the LRS client.
///
/// # Errors
/// Returns the error of LRS's address.
pub(super) fn lrs_settings(section: &LrsSection) -> Result<LrsSettings, String> {
    Ok(LrsSettings {
        address: LrsAddress::new(base_url(section)?).map_err(|error| format!("lrs.base_url: {error}"))?,
        timeout: Duration::from_secs(section.timeout_seconds),
        batch_timeout: Duration::from_secs(section.batch_timeout_seconds),
        max_response_bytes: section.max_response_bytes,
        prompt_response: DEFAULT_PROMPT_RESPONSE,
        vendor: Vendor { id: section.vendor_id.unwrap_or_else(|| Vendor::default().id), user_type: section.user_type.clone() },
        achievement_codes: (&section.achievements).into(),
        concurrency: ConcurrencySettings {
            max_concurrent_calls: section.max_concurrent_calls,
            max_concurrent_calls_per_organisation: section.max_concurrent_calls_per_organisation,
            queue_capacity: section.queue_capacity,
            queue_timeout: Duration::from_millis(section.queue_timeout_ms),
        },
        circuit_breaker: (&section.circuit_breaker).into(),
        max_retries: section.max_retries,
        maintenance: section.maintenance.iter().map(MaintenanceWindow::from).collect::<Vec<_>>().into(),
    })
}

/// Returns the settings that LRS gives to each supplier and that have no value, each with the product that needs it. The defaults serve
/// tests only, so there are such settings in the live environment alone.
pub(super) fn missing_settings(section: &LrsSection) -> Vec<(Product, &'static str)> {
    if section.environment != Environment::Live {
        return Vec::new();
    }
    let AchievementsSection { create_action, update_action, withdraw_action, reinstate_action, final_type, provisional_type } =
        &section.achievements;
    let settings = [
        (Product::LearningEvents, "lrs.vendor_id", section.vendor_id.is_none()),
        (Product::AchievementBatches, "lrs.achievements.create_action", create_action.is_none()),
        (Product::AchievementBatches, "lrs.achievements.update_action", update_action.is_none()),
        (Product::AchievementBatches, "lrs.achievements.withdraw_action", withdraw_action.is_none()),
        (Product::AchievementBatches, "lrs.achievements.reinstate_action", reinstate_action.is_none()),
        (Product::AchievementBatches, "lrs.achievements.final_type", final_type.is_none()),
        (Product::AchievementBatches, "lrs.achievements.provisional_type", provisional_type.is_none()),
    ];
    settings.into_iter().filter(|(.., is_missing)| *is_missing).map(|(product, setting, _)| (product, setting)).collect()
}

fn base_url(section: &LrsSection) -> Result<String, String> {
    match (section.environment.base_url(), &section.base_url) {
        (Some(url), None) => Ok(url.to_owned()),
        (Some(_), Some(_)) => {
            let environment = section.environment.text();
            Err(format!("lrs.base_url: is allowed with environment = \"custom\" only, not with \"{environment}\""))
        }
        (None, Some(url)) => custom_url(url, section.allow_plain_http).map_err(|error| format!("lrs.base_url: {error}")),
        (None, None) => Err("lrs.base_url: is required with environment = \"custom\"".into()),
    }
}

fn is_same_host(url: &Url, other: &str) -> bool {
    Url::parse(other).is_ok_and(|other| other.host_str() == url.host_str())
}

/// Checks the address of a custom LRS. Requests contain passwords and learners' data, so they use TLS or stay on this machine.
fn custom_url(text: &str, allow_plain_http: bool) -> Result<String, &'static str> {
    let url = Url::parse(text).map_err(|_| "must be an address such as https://lrs.example")?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) || allow_plain_http => {}
        "http" => {
            return Err(
                "must be https. With http, passwords and learners' data are not encrypted. For a simulator, set allow_plain_http = true",
            );
        }
        _ => return Err("must be an https address"),
    }
    // Their rules would not apply: the certificate and the codes that they require.
    if [Environment::Live, Environment::Compatibility]
        .iter()
        .any(|environment| environment.base_url().is_some_and(|lrs| is_same_host(&url, lrs)))
    {
        return Err("must not be an address of LRS: set environment to \"live\" or \"compatibility\" instead");
    }
    check_no_credentials(&url)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not have a query or fragment: the services' paths are appended to it");
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}
