//! Environment variables (`LRS_GATEWAY__SECTION__KEY`) that override the configuration file.

use toml::{Table, Value};

use crate::config::renamed;

const PREFIX: &str = "LRS_GATEWAY__";

/// Applies every variable `LRS_GATEWAY__SECTION__KEY` to a file. Returns an error for each variable that does not fit.
pub fn apply(file: &mut Table, variables: impl Iterator<Item = (String, String)>) -> Vec<String> {
    let mut overrides: Vec<(String, String)> = variables.filter(|(name, _)| name.starts_with(PREFIX)).collect();
    overrides.sort();
    let mut errors = Vec::new();
    for (name, text) in overrides {
        let mut path: Vec<String> = name[PREFIX.len()..].split("__").map(str::to_ascii_lowercase).collect();
        if let Some(new_path) = renamed::new_path(&path) {
            errors.push(format!("{name}: was renamed: use {}", variable_name(&new_path)));
            path = new_path;
        }
        if let Some(new_place) = renamed::new_place(&path) {
            errors.push(format!("{name}: was moved: use {new_place}"));
            continue;
        }
        if set(file, &path, text).is_none() {
            errors.push(format!("{name}: {} is not a setting that can be overridden. List items must exist in the file", path.join(".")));
        }
    }
    errors
}

fn variable_name(path: &[String]) -> String {
    format!("{PREFIX}{}", path.join("__").to_ascii_uppercase())
}

/// Sets a value. Returns `None` if the path leads to a section, through a value, or to a list item that does not exist.
fn set(table: &mut Table, path: &[String], text: String) -> Option<()> {
    match path {
        [] => None,
        [key] => {
            let value = match table.get(key) {
                // Items of a list are separated by commas.
                Some(Value::Array(_)) => Value::Array(text.split(',').map(|item| Value::String(item.trim().to_owned())).collect()),
                Some(Value::Table(_)) => return None,
                _ => Value::String(text),
            };
            table.insert(key.clone(), value);
            Some(())
        }
        [key, rest @ ..] => match table.entry(key.clone()).or_insert_with(|| Value::Table(Table::new())) {
            Value::Table(section) => set(section, rest, text),
            Value::Array(items) => {
                let (index, rest) = rest.split_first()?;
                set(items.get_mut(index.parse::<usize>().ok()?)?.as_table_mut()?, rest, text)
            }
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(toml: &str, variables: &[(&str, &str)]) -> (Table, Vec<String>) {
        let mut table = toml.parse::<Table>().expect("TOML");
        let variables = variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        let errors = apply(&mut table, variables);
        (table, errors)
    }

    #[test]
    fn variables_override_and_add_settings() {
        let toml = "[server]\nlisten = \"127.0.0.1:1\"\n[[auth.issuers]]\nissuer = \"a\"\nalgorithms = [\"RS256\"]\n";
        let (table, errors) = applied(
            toml,
            &[
                ("LRS_GATEWAY__SERVER__LISTEN", "127.0.0.1:2"),
                ("LRS_GATEWAY__LRS__ENVIRONMENT", "live"),
                ("LRS_GATEWAY__AUTH__ISSUERS__0__ISSUER", "b"),
                ("LRS_GATEWAY__AUTH__ISSUERS__0__ALGORITHMS", "ES256, EdDSA"),
                ("PATH", "/bin"),
            ],
        );
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(table["server"]["listen"].as_str(), Some("127.0.0.1:2"));
        assert_eq!(table["lrs"]["environment"].as_str(), Some("live"));
        assert_eq!(table["auth"]["issuers"][0]["issuer"].as_str(), Some("b"));
        assert_eq!(table["auth"]["issuers"][0]["algorithms"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn variables_without_a_matching_setting_are_errors() {
        let (_, errors) = applied("[auth]\nissuers = []\n", &[("LRS_GATEWAY__AUTH__ISSUERS__3__ISSUER", "b"), ("LRS_GATEWAY__AUTH", "x")]);
        assert_eq!(errors.len(), 2, "{errors:?}");
    }

    #[test]
    fn variable_with_an_old_name_is_an_error_that_names_the_new_variable() {
        let (table, errors) = applied("", &[("LRS_GATEWAY__LRS__BREAKER_FAILURES", "3")]);
        let error = "LRS_GATEWAY__LRS__BREAKER_FAILURES: was renamed: use LRS_GATEWAY__LRS__CIRCUIT_BREAKER__FAILURE_THRESHOLD";
        assert_eq!(errors, [error]);
        assert_eq!(table["lrs"]["circuit_breaker"]["failure_threshold"].as_str(), Some("3"));
    }
}
