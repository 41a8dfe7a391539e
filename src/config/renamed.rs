//! Settings whose names have changed. An old name is an error that names the new one.

use toml::{Table, Value};

/// A setting whose name has changed.
#[derive(Debug, Clone, Copy)]
pub struct RenamedSetting {
    /// Section of the setting; `*` stands for the number of a list item.
    pub section: &'static str,
    /// Old key in the section.
    pub old_key: &'static str,
    /// New key in the section; with a dot if the setting has moved to a subsection.
    pub new_key: &'static str,
}

/// Every setting whose name has changed.
pub const RENAMED_SETTINGS: [RenamedSetting; 21] = [
    renamed("auth.issuers.*", "user_claim", "user_claims"),
    renamed("auth.issuers.*", "scope_claim", "scope_claims"),
    renamed("lrs", "calls_at_once", "max_concurrent_calls"),
    renamed("lrs", "calls_at_once_per_organisation", "max_concurrent_calls_per_organisation"),
    renamed("lrs", "longest_queue_milliseconds", "queue_timeout_ms"),
    renamed("lrs", "queue_length", "queue_capacity"),
    renamed("lrs", "max_answer_bytes", "max_response_bytes"),
    renamed("lrs", "breaker_failures", "circuit_breaker.failure_threshold"),
    renamed("lrs", "breaker_probe_milliseconds", "circuit_breaker.probe_interval_ms"),
    renamed("lrs", "retries", "max_retries"),
    renamed("lrs.maintenance.*", "from", "starts_at"),
    renamed("lrs.maintenance.*", "until", "ends_at"),
    renamed("batches", "most_learners", "max_learners"),
    renamed("batches", "most_achievements", "max_achievements"),
    renamed("batches", "horizon_seconds", "submission_timeout_seconds"),
    renamed("batches", "tracking_timeout_seconds", "submission_timeout_seconds"),
    renamed("batches", "first_poll_seconds", "initial_poll_interval_seconds"),
    renamed("batches", "longest_poll_seconds", "max_poll_interval_seconds"),
    renamed("batches", "parts_at_once", "max_concurrent_parts"),
    renamed("batches", "parts_at_once_per_organisation", "max_concurrent_parts_per_organisation"),
    renamed("limits", "replicas", "expected_replicas"),
];

/// A setting that has moved to another file.
#[derive(Debug, Clone, Copy)]
pub struct MovedSetting {
    /// Section of the setting.
    pub section: &'static str,
    /// Key in the section.
    pub key: &'static str,
    /// Where the setting is now.
    pub new_place: &'static str,
}

/// Every setting that has moved to another file.
pub const MOVED_SETTINGS: [MovedSetting; 1] =
    [MovedSetting { section: "lrs", key: "language", new_place: "language in each organisation's file" }];

const fn renamed(section: &'static str, old_key: &'static str, new_key: &'static str) -> RenamedSetting {
    RenamedSetting { section, old_key, new_key }
}

/// Moves old names in a file to their new names, so that their values are checked as well, and removes settings that have moved to another
/// file. Returns an error for each of them.
pub fn rename_settings(file: &mut Table) -> Vec<String> {
    let mut errors = Vec::new();
    for RenamedSetting { section, old_key, new_key } in RENAMED_SETTINGS {
        let keys: Vec<&str> = section.split('.').collect();
        visit_sections(file, &keys, "", &mut |place, table| {
            if let Some(value) = table.remove(old_key) {
                errors.push(format!("{place}{old_key}: was renamed: use {place}{new_key}"));
                insert_if_absent(table, new_key, value);
            }
        });
    }
    for MovedSetting { section, key, new_place } in MOVED_SETTINGS {
        visit_sections(file, &[section], "", &mut |place, table| {
            if table.remove(key).is_some() {
                errors.push(format!("{place}{key}: was moved: use {new_place}"));
            }
        });
    }
    errors
}

/// Returns the new place of a setting if it has moved to another file.
pub fn new_place(path: &[String]) -> Option<&'static str> {
    let moved = MOVED_SETTINGS.iter().find(|setting| matches!(path, [section, key] if setting.section == section && setting.key == key))?;
    Some(moved.new_place)
}

/// Returns the new path of a setting if `path` is its old path.
pub fn new_path(path: &[String]) -> Option<Vec<String>> {
    let (key, section) = path.split_last()?;
    let is_in = |expected: &str| {
        let expected: Vec<&str> = expected.split('.').collect();
        let matches = |(expected, actual): (&&str, &String)| expected == actual || *expected == "*" && actual.parse::<usize>().is_ok();
        expected.len() == section.len() && expected.iter().zip(section).all(matches)
    };
    let setting = RENAMED_SETTINGS.iter().find(|setting| setting.old_key == key && is_in(setting.section))?;
    Some(section.iter().cloned().chain(setting.new_key.split('.').map(str::to_owned)).collect())
}

/// Visits every table at a path. `place` is the path of `table`, with a dot at its end.
fn visit_sections(table: &mut Table, path: &[&str], place: &str, visit: &mut impl FnMut(&str, &mut Table)) {
    match path {
        [] => visit(place, table),
        [key, "*", rest @ ..] => {
            for (index, item) in table.get_mut(*key).and_then(Value::as_array_mut).into_iter().flatten().enumerate() {
                if let Value::Table(item) = item {
                    visit_sections(item, rest, &format!("{place}{key}.{index}."), visit);
                }
            }
        }
        [key, rest @ ..] => {
            if let Some(Value::Table(section)) = table.get_mut(*key) {
                visit_sections(section, rest, &format!("{place}{key}."), visit);
            }
        }
    }
}

/// Inserts a value at a dotted key, unless the key has a value.
fn insert_if_absent(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            table.entry(key).or_insert(value);
        }
        Some((section, key)) => {
            if let Value::Table(section) = table.entry(section).or_insert_with(|| Value::Table(Table::new())) {
                insert_if_absent(section, key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_name_beside_its_new_name_new_value_stays() {
        let mut file: Table = "[lrs]\nretries = 1\nmax_retries = 2\nbreaker_failures = 3\n[lrs.circuit_breaker]\nprobe_interval_ms = 4\n"
            .parse()
            .expect("TOML");
        let errors = rename_settings(&mut file);
        assert_eq!(
            errors,
            [
                "lrs.breaker_failures: was renamed: use lrs.circuit_breaker.failure_threshold",
                "lrs.retries: was renamed: use lrs.max_retries",
            ]
        );
        let expected: Table =
            "[lrs]\nmax_retries = 2\n[lrs.circuit_breaker]\nfailure_threshold = 3\nprobe_interval_ms = 4\n".parse().expect("TOML");
        assert_eq!(file, expected);
    }

    #[test]
    fn new_path_list_item_keeps_its_number() {
        let path = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(new_path(&path("lrs.maintenance.3.from")), Some(path("lrs.maintenance.3.starts_at")));
        assert_eq!(new_path(&path("lrs.maintenance.from")), None);
        assert_eq!(new_path(&path("lrs.maintenance.three.from")), None);
        assert_eq!(new_path(&path("batches.retries")), None);
        assert_eq!(new_path(&path("lrs.breaker_failures")), Some(path("lrs.circuit_breaker.failure_threshold")));
    }
}
