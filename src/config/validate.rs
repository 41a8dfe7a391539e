//! Rules for settings that depend on each other.

use std::net::SocketAddr;

use crate::lrs::maintenance::WindowBoundary;
use crate::lrs::services::external::AchievementCodes;
use crate::schema::InvalidValue;
use crate::schema::deserialize::{DeserializeContext, OneOrMore};

/// Maximum time for which data of a batch is kept, in seconds. Personal data must not become an archive.
const MAX_BATCH_LIFETIME_SECONDS: u64 = 400 * 24 * 60 * 60;

const fn contradiction(detail: &'static str) -> InvalidValue {
    InvalidValue::new("contradiction", detail)
}

type Addresses = OneOrMore<SocketAddr>;

pub fn listeners(listen: Option<&Addresses>, admin_listen: Option<&Addresses>, context: &mut DeserializeContext) {
    let is_shared = |address: &SocketAddr| address.port() != 0 && admin_listen.is_some_and(|admin_listen| admin_listen.contains(address));
    if listen.is_some_and(|listen| listen.iter().any(is_shared)) {
        context.add_error_at("admin_listen", contradiction("must not be an address of server.listen"));
    }
}

pub fn user_domains(domains: Option<&Vec<String>>, strips: Option<&bool>, context: &mut DeserializeContext) {
    let Some(domains) = domains else { return };
    if domains.is_empty() && strips == Some(&true) {
        let detail = "is required with user_strip_domain: list the domains in which a name belongs to one person, such as [\"college.ac.uk\"]. \
                      Otherwise people of two domains could have the same name at LRS";
        context.add_error_at("user_domains", contradiction(detail));
    }
    for (index, _) in domains.iter().enumerate().filter(|(_, domain)| domain.trim().is_empty() || domain.contains(['@', '*', ' '])) {
        let invalid = InvalidValue::new("invalid_format", "must be a domain, such as college.ac.uk, without @ and wildcards");
        context.descend("user_domains", |context| context.add_error_at(index, invalid));
    }
}

pub fn window(starts_at: Option<&WindowBoundary>, ends_at: Option<&WindowBoundary>, context: &mut DeserializeContext) {
    if starts_at.zip(ends_at).is_some_and(|(starts_at, ends_at)| ends_at.0 <= starts_at.0) {
        context.add_error_at("ends_at", contradiction("must be after starts_at"));
    }
}

/// Checks that LRS can tell the actions apart. With equal numbers, LRS would perform another action than the caller asked for.
pub fn action_numbers(
    create: Option<&Option<i32>>,
    update: Option<&Option<i32>>,
    withdraw: Option<&Option<i32>>,
    reinstate: Option<&Option<i32>>,
    context: &mut DeserializeContext,
) {
    let settings = [create, update, withdraw, reinstate].into_iter().zip(AchievementCodes::default().actions);
    let mut actions: Vec<_> = settings.filter_map(|(setting, default)| Some(setting?.unwrap_or(default))).collect();
    actions.sort_unstable();
    if actions.windows(2).any(|pair| pair[0] == pair[1]) {
        context.add_error(contradiction("each action needs a number of its own. With equal numbers, LRS performs the wrong action"));
    }
}

pub fn submission_types(final_type: Option<&Option<String>>, provisional_type: Option<&Option<String>>, context: &mut DeserializeContext) {
    let [final_default, provisional_default] = AchievementCodes::default().submission_types;
    let final_type = final_type.map(|word| word.as_ref().unwrap_or(&final_default));
    let provisional_type = provisional_type.map(|word| word.as_ref().unwrap_or(&provisional_default));
    if final_type.is_some() && final_type == provisional_type {
        context.add_error_at("final_type", contradiction("must not be equal to provisional_type"));
    }
}

pub fn poll_intervals(initial: Option<&u64>, max: Option<&u64>, context: &mut DeserializeContext) {
    if initial.zip(max).is_some_and(|(initial, max)| initial > max) {
        context.add_error_at("initial_poll_interval_seconds", contradiction("must not be more than max_poll_interval_seconds"));
    }
}

pub fn batch_lifetime(submission: Option<&u64>, result: Option<&u64>, retention: Option<&u64>, context: &mut DeserializeContext) {
    let (Some(submission), Some(result), Some(retention)) = (submission, result, retention) else { return };
    if submission.saturating_add(*result).saturating_add(*retention) > MAX_BATCH_LIFETIME_SECONDS {
        let detail =
            format!("together with result_timeout_seconds and retention_seconds, must be at most {MAX_BATCH_LIFETIME_SECONDS}").into();
        context.add_error_at("submission_timeout_seconds", InvalidValue { code: "contradiction", detail });
    }
}
