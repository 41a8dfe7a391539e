//! Field names: from Rust's `snake_case` to JSON's `camelCase`.

/// Converts a field name to `camelCase`, as `serde(rename_all = "camelCase")` does: `last_known_address_line1` becomes
/// `lastKnownAddressLine1`.
pub fn camel_case(field: &str) -> String {
    let field = field.strip_prefix("r#").unwrap_or(field); // a raw identifier, such as `r#type`
    let mut name = String::with_capacity(field.len());
    for (index, word) in field.split('_').enumerate() {
        let mut letters = word.chars();
        if index > 0 {
            name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        }
        name.push_str(letters.as_str());
    }
    name
}

/// Returns `true` if `key` is the `camelCase` name of this field. Does not allocate.
pub fn is_camel_case_of(key: &str, field: &str) -> bool {
    let mut key = key.bytes();
    let mut letters = field.bytes();
    while let Some(letter) = letters.next() {
        let expected = match letter {
            b'_' => match letters.next() {
                Some(next) => next.to_ascii_uppercase(),
                None => return false,
            },
            letter => letter,
        };
        if key.next() != Some(expected) {
            return false;
        }
    }
    key.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_name_in_json_is_camel_case() {
        for (field, json) in [
            ("uln", "uln"),
            ("given_name", "givenName"),
            ("last_known_address_line1", "lastKnownAddressLine1"),
            ("family_name_at_age16", "familyNameAtAge16"),
        ] {
            assert_eq!(camel_case(field), json);
            assert!(is_camel_case_of(json, field), "{json}");
            assert!(field == json || !is_camel_case_of(field, field), "{field} is not camelCase");
        }
        assert_eq!(camel_case("r#type"), "type");
        assert!(!is_camel_case_of("givenNames", "given_name"));
        assert!(!is_camel_case_of("givenNam", "given_name"));
        assert!(!is_camel_case_of("GivenName", "given_name"));
    }
}
