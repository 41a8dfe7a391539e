//! The codes LRS answers with, and what each means for a call (FACTS 3).

use std::fmt;

/// What a code says about the call that got it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The call was done; the code is its outcome.
    Outcome,
    /// The message is not one LRS accepts.
    MessageRefused,
    /// LRS does not let this organisation in: unknown, wrong password, service not allowed.
    CredentialsRefused,
    /// LRS is closed at this time.
    OutOfHours,
    /// Something went wrong inside LRS.
    ServiceFailed,
}

/// One documented code.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// As LRS writes it.
    pub code: &'static str,
    /// What it means, in our words.
    pub meaning: &'static str,
    /// What it says about the call.
    pub kind: Kind,
}

const fn entry(code: &'static str, kind: Kind, meaning: &'static str) -> Entry {
    Entry { code, meaning, kind }
}

/// Every code the gateway knows (FACTS 3.1, 3.3).
pub const TABLE: &[Entry] = &[
    entry("WSRC0001", Kind::Outcome, "no learner matches"),
    entry("WSRC0002", Kind::Outcome, "too many learners match"),
    entry("WSRC0003", Kind::Outcome, "one or more learners may be the one"),
    entry("WSRC0004", Kind::Outcome, "exactly this learner was found"),
    entry("WSRC0022", Kind::Outcome, "the learner was merged into another; the master record is given"),
    entry("WSEC0001", Kind::MessageRefused, "the message does not fit LRS's schema, or holds a value LRS prohibits"),
    entry("WSEC0002", Kind::MessageRefused, "the operation is not one LRS supports"),
    entry("WSEC0003", Kind::CredentialsRefused, "the organisation is not known to LRS or not authorised for web services"),
    entry("WSEC0004", Kind::OutOfHours, "LRS is outside its operational hours"),
    entry("WSEC0005", Kind::CredentialsRefused, "the organisation's password is not right"),
    entry("WSEC0006", Kind::CredentialsRefused, "the organisation may not use this LRS service"),
    entry("WSEC0999", Kind::ServiceFailed, "LRS met an error of its own"),
];

/// A code from LRS, exactly as it came.
#[derive(Clone, PartialEq, Eq)]
pub struct LrsCode(String);

impl LrsCode {
    /// Keeps a code as LRS wrote it.
    pub fn new(verbatim: impl Into<String>) -> Self {
        Self(verbatim.into())
    }

    /// The code as it came, for the caller whose answer it is.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The code, if it looks like one: for errors and logs, where free text might be personal data.
    pub fn printable(&self) -> Option<&str> {
        let letters = self.0.trim_end_matches(|c: char| c.is_ascii_digit());
        let looks_right = (1..=8).contains(&letters.len())
            && letters.bytes().all(|b| b.is_ascii_alphabetic())
            && (1..=8).contains(&(self.0.len() - letters.len()));
        looks_right.then_some(self.0.as_str())
    }

    /// Is this the documented code, give or take leading zeros and case (FACTS 6.18)?
    pub fn is(&self, documented: &str) -> bool {
        split(&self.0) == split(documented)
    }

    /// What is known about it. Undocumented `WSEC` codes are errors, all others outcomes (FACTS 3.3).
    pub fn kind(&self) -> Kind {
        match self.entry() {
            Some(entry) => entry.kind,
            None if split(&self.0).0 == "WSEC" => Kind::ServiceFailed,
            None => Kind::Outcome,
        }
    }

    /// Its row in the table.
    pub fn entry(&self) -> Option<&'static Entry> {
        TABLE.iter().find(|entry| self.is(entry.code))
    }
}

impl fmt::Debug for LrsCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.printable().unwrap_or("[unprintable]"))
    }
}

/// `WSRC0004` → (`WSRC`, `4`). One documentation writes three digits, and one `WCEC` for `WSEC`.
fn split(code: &str) -> (String, &str) {
    let code = code.trim();
    let digits = code.find(|c: char| c.is_ascii_digit()).unwrap_or(code.len());
    let prefix = code[..digits].to_ascii_uppercase();
    let prefix = if prefix == "WCEC" { "WSEC".to_owned() } else { prefix };
    (prefix, code[digits..].trim_start_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_documentation_are_the_same_code() {
        for spelling in ["WSRC0004", "WSRC004", "wsrc0004", " WSRC0004 "] {
            assert!(LrsCode::new(spelling).is("WSRC0004"), "{spelling:?}");
        }
        assert!(!LrsCode::new("WSRC0040").is("WSRC0004"));
        assert_eq!(LrsCode::new("WCEC0999").kind(), Kind::ServiceFailed);
    }

    #[test]
    fn undocumented_codes_are_judged_by_their_prefix() {
        assert_eq!(LrsCode::new("WSRC7777").kind(), Kind::Outcome);
        assert_eq!(LrsCode::new("WSEC7777").kind(), Kind::ServiceFailed);
        assert_eq!(LrsCode::new("").kind(), Kind::Outcome);
    }

    #[test]
    fn free_text_is_not_printed_as_a_code() {
        assert_eq!(LrsCode::new("WSRC0004").printable(), Some("WSRC0004"));
        for text in ["Ana O'Neill", "Quillfeather", "3000000126", "", "A1B2"] {
            assert_eq!(LrsCode::new(text).printable(), None, "{text}");
        }
        assert_eq!(format!("{:?}", LrsCode::new("Ana O'Neill")), "[unprintable]");
    }
}
