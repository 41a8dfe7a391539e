//! Environment variables over the configuration file.

use toml::{Table, Value};

const PREFIX: &str = "LRS_GATEWAY__";

/// Puts every `LRS_GATEWAY__SECTION__KEY` into the table, and says which do not fit.
pub fn apply(table: &mut Table, variables: impl Iterator<Item = (String, String)>) -> Vec<String> {
    let mut ours: Vec<(String, String)> = variables.filter(|(name, _)| name.starts_with(PREFIX)).collect();
    ours.sort();
    let mut problems = Vec::new();
    for (name, text) in ours {
        let path: Vec<String> = name[PREFIX.len()..].split("__").map(str::to_ascii_lowercase).collect();
        if put(table, &path, text).is_none() {
            problems.push(format!("{name}: the configuration file has nothing at {}", path.join(".")));
        }
    }
    problems
}

fn put(table: &mut Table, path: &[String], text: String) -> Option<()> {
    match path {
        [] => None,
        [key] => {
            // A list is written with commas.
            let value = match table.get(key) {
                Some(Value::Array(_)) => Value::Array(text.split(',').map(|item| Value::String(item.trim().to_owned())).collect()),
                Some(Value::Table(_)) => return None,
                _ => Value::String(text),
            };
            table.insert(key.clone(), value);
            Some(())
        }
        [key, rest @ ..] => match table.entry(key.clone()).or_insert_with(|| Value::Table(Table::new())) {
            Value::Table(inner) => put(inner, rest, text),
            Value::Array(items) => {
                let (index, rest) = rest.split_first()?;
                put(items.get_mut(index.parse::<usize>().ok()?)?.as_table_mut()?, rest, text)
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
        let problems = apply(&mut table, variables);
        (table, problems)
    }

    #[test]
    fn the_environment_wins() {
        let toml = "[server]\nlisten = \"127.0.0.1:1\"\n[[auth.issuers]]\nissuer = \"a\"\nalgorithms = [\"RS256\"]\n";
        let (table, problems) = applied(
            toml,
            &[
                ("LRS_GATEWAY__SERVER__LISTEN", "127.0.0.1:2"),
                ("LRS_GATEWAY__LRS__ENVIRONMENT", "live"),
                ("LRS_GATEWAY__AUTH__ISSUERS__0__ISSUER", "b"),
                ("LRS_GATEWAY__AUTH__ISSUERS__0__ALGORITHMS", "ES256, EdDSA"),
                ("PATH", "/bin"),
            ],
        );
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(table["server"]["listen"].as_str(), Some("127.0.0.1:2"));
        assert_eq!(table["lrs"]["environment"].as_str(), Some("live"));
        assert_eq!(table["auth"]["issuers"][0]["issuer"].as_str(), Some("b"));
        assert_eq!(table["auth"]["issuers"][0]["algorithms"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let (_, problems) =
            applied("[auth]\nissuers = []\n", &[("LRS_GATEWAY__AUTH__ISSUERS__3__ISSUER", "b"), ("LRS_GATEWAY__AUTH", "x")]);
        assert_eq!(problems.len(), 2, "{problems:?}");
    }
}
