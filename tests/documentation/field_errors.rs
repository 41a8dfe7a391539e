//! The codes of field errors: the page of problems has every code that the gateway uses.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use lrs_gateway::problem::Problem;
use regex::Regex;

use super::assert_generated;

/// Every code that callers can get, with its meaning, in the order of the page.
const MEANINGS: [(&str, &str); 21] = [
    ("malformed_json", "The body is not JSON."),
    ("not_utf8", "The body is not UTF-8. `detail` states the position of the first byte that is not."),
    ("wrong_type", "The value has another JSON type."),
    ("null_not_allowed", "The value is null. `detail` says whether the field is required or can be left out."),
    ("duplicate_field", "The object has the field twice."),
    ("unknown_field", "The object has no such field. `detail` names the nearest field, or the object that the field belongs in."),
    ("required", "A required field is missing."),
    ("blank", "The text is empty or only white space."),
    ("too_long", "The text is too long."),
    ("invalid_character", "The text contains a character that XML does not allow."),
    ("invalid_format", "The text does not have the format of the field."),
    ("unknown_value", "The text is not one of the listed values."),
    ("contradictory", "The value contradicts another field of the request."),
    ("unreadable", "`amendLearner`: the value in the register cannot be written back, and the amendment does not replace it."),
    ("check_digit", "The ULN has a wrong check digit, or is 9999999999."),
    ("not_a_date", "The date is not in the calendar."),
    ("out_of_range", "The number or date is too small or too large."),
    ("may_be_needed", "The field is absent, and LRS wants more data."),
    ("too_few", "The list has too few items."),
    ("too_many", "The list has too many items."),
    (TOO_MANY_MISTAKES, "Last of 1,001 entries: `detail` states the total number of errors."),
];

/// Every code of a warning, with its meaning, in the order of the page.
const WARNINGS: [(&str, &str); 12] = [
    ("typographic_apostrophe", "The text has an apostrophe other than U+0027, such as U+2019 or U+02BC."),
    ("typographic_hyphen", "The text has a hyphen or dash other than U+002D, such as U+2011 or U+2013."),
    ("unusual_space", "The text has white space other than U+0020, such as the no-break space U+00A0."),
    ("repeated_space", "The text has several spaces in a row."),
    ("surrounding_space", "The text begins or ends with a space."),
    ("invisible_character", "The text has an invisible character, such as the soft hyphen U+00AD."),
    ("found_with_plain_text", "`obtainUln` found the learner, or candidates, with the plain text. Compare the names."),
    (
        "match_was_rejected",
        "LRS identified a learner who is among the `rejectedCandidates` of `obtainUln`. Nothing was registered. Let a person compare the record.",
    ),
    ("may_change_record", "The learner has a ULN: the batch may change details of the learner's record."),
    ("duplicate_mis_identifier", "An earlier record of the batch has the same `misIdentifier`. `detail` states its position."),
    ("duplicate_uln", "An earlier learner of the batch has the same ULN. `detail` states the position."),
    (
        "duplicate_achievement",
        "An earlier achievement of the batch has the same ULN, qualification, award date, provider and action. `detail` states the position.",
    ),
];

/// The code of the entry that follows a list of 1,000 errors.
const TOO_MANY_MISTAKES: &str = "too_many_mistakes";

/// Codes that no caller can get: of TOML files, and of a minimum length above 1, which no field of a request has.
const UNUSED: [&str; 2] = ["malformed", "too_short"];

#[test]
fn problems_page_has_the_codes_of_field_errors() {
    let mut table = String::from("\n| code | meaning | code of the problem |\n|---|---|---|\n");
    for (code, meaning) in MEANINGS {
        let problem = match code {
            TOO_MANY_MISTAKES => "that of the other errors".to_owned(),
            "may_be_needed" => "`insufficient_data`".to_owned(),
            _ => format!("`{}`", Problem::from_field_error("", code, String::new()).code().entry().code),
        };
        writeln!(table, "| `{code}` | {meaning} | {problem} |").expect("text");
    }
    assert_generated("docs/PROBLEMS.md", "field-errors", &format!("{table}\n"));
}

#[test]
fn problems_page_has_the_codes_of_warnings() {
    let mut table = String::from("\n| code | meaning |\n|---|---|\n");
    for (code, meaning) in WARNINGS {
        writeln!(table, "| `{code}` | {meaning} |").expect("text");
    }
    assert_generated("docs/PROBLEMS.md", "warnings", &format!("{table}\n"));
}

#[test]
fn field_error_codes_in_the_source_are_documented() {
    let mut source = String::new();
    for directory in ["src/schema", "src/domain", "src/api", "src/batches"] {
        append_source(&Path::new(env!("CARGO_MANIFEST_DIR")).join(directory), &mut source);
    }
    let pattern = Regex::new(r#"(?-u)(?:InvalidValue::new\(\s*|\bcode: |"/\w+", )"([a-z_]+)","#).expect("a pattern");
    let used: BTreeSet<&str> = pattern.captures_iter(&source).map(|found| found.extract::<1>().1[0]).collect();
    assert!(used.len() > 10, "{used:?}");
    for code in used {
        let mut documented = MEANINGS.iter().chain(&WARNINGS).map(|(documented, _)| *documented);
        assert!(documented.any(|documented| documented == code) || UNUSED.contains(&code), "{code}");
    }
    for (code, _) in MEANINGS.into_iter().chain(WARNINGS) {
        assert!(source.contains(&format!("\"{code}\"")), "{code} is not used any more");
    }
}

/// Appends the code of a directory's source files, without their unit tests.
fn append_source(directory: &Path, source: &mut String) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            append_source(&path, source);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source file");
            source.push_str(text.split("#[cfg(test)]").next().unwrap_or_default());
        }
    }
}
