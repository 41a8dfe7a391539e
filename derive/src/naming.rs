//! Names in JSON and XML, from names in Rust.

/// Words of field names that LRS writes in another way than with one capital. LRS writes `Ukprn` in records, which needs no entry.
const XML_WORDS: [(&str, &str); 4] = [("id", "ID"), ("mis", "MIS"), ("uln", "ULN"), ("ulns", "ULNs")];

/// The cases that the words of a code list can have, each with its separator.
const CASES: [(&str, &str); 4] = [("SCREAMING_SNAKE_CASE", "_"), ("snake_case", "_"), ("kebab-case", "-"), ("lowercase", "")];

/// Returns a field's name in JSON: `last_known_address_line1` becomes `lastKnownAddressLine1`.
pub fn camel_case(field: &str) -> String {
    let mut words = field.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| name + &capitalised(word))
}

/// Returns the name of a field's XML element: `linked_ulns` becomes `LinkedULNs`.
pub fn xml_name(field: &str) -> String {
    let in_xml = |word| XML_WORDS.iter().find(|(rust, _)| *rust == word).map_or_else(|| capitalised(word), |(_, xml)| (*xml).to_owned());
    field.split('_').map(in_xml).collect()
}

/// Returns a variant's word: `NotKnown` becomes `NOT_KNOWN`.
///
/// # Errors
/// Returns the list of the known cases if `case` is not one of them.
pub fn word(variant: &str, case: &str) -> Result<String, String> {
    let Some((_, separator)) = CASES.iter().find(|(name, _)| *name == case) else {
        return Err(format!("unknown case; known cases: {}", CASES.map(|(name, _)| format!("`{name}`")).join(", ")));
    };
    let mut word = String::new();
    for letter in variant.chars() {
        if letter.is_ascii_uppercase() && !word.is_empty() {
            word.push_str(separator);
        }
        word.push(letter.to_ascii_lowercase());
    }
    Ok(if case == "SCREAMING_SNAKE_CASE" { word.to_ascii_uppercase() } else { word })
}

/// Returns `true` if the text can be the name of an XML element without a prefix.
pub fn is_xml_name(text: &str) -> bool {
    let is_valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.chars().all(is_valid)
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
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
            ("linked_ulns", "linkedUlns"),
        ] {
            assert_eq!(camel_case(field), json);
        }
    }

    #[test]
    fn field_name_in_xml_is_pascal_case_with_the_words_of_lrs() {
        for (field, xml) in [
            ("uln", "ULN"),
            ("given_name", "GivenName"),
            ("linked_ulns", "LinkedULNs"),
            ("mis_identifier", "MISIdentifier"),
            ("job_id", "JobID"),
            ("provider_ukprn", "ProviderUkprn"),
            ("school_at_age16", "SchoolAtAge16"),
        ] {
            assert_eq!(xml_name(field), xml);
        }
    }

    #[test]
    fn variant_name_becomes_a_word_in_each_case() {
        for (case, expected) in
            [("SCREAMING_SNAKE_CASE", "NOT_KNOWN"), ("snake_case", "not_known"), ("kebab-case", "not-known"), ("lowercase", "notknown")]
        {
            assert_eq!(word("NotKnown", case).as_deref(), Ok(expected));
        }
        assert!(word("NotKnown", "camelCase").is_err_and(|error| error.contains("`kebab-case`")));
    }

    #[test]
    fn xml_name_with_a_prefix_or_a_space_is_not_valid() {
        assert!(is_xml_name("ULN") && is_xml_name("_a-b.c1"));
        for wrong in ["", "1A", "a:ULN", "Given Name", "-a", "é"] {
            assert!(!is_xml_name(wrong), "{wrong:?}");
        }
    }
}
