//! The codes LRS answers with, and what each means for a call (FACTS 3).

use std::fmt;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use crate::schema::openapi::PropertySchema;

/// What a code says about the call that got it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeKind {
    /// The call was done; the code is its outcome.
    Outcome,
    /// LRS understood the call and did not do it, for a reason of its rules.
    Refused(Rejection),
    /// The message is not one LRS accepts.
    MessageRefused,
    /// LRS does not let this organisation in: unknown, wrong password, service not allowed.
    CredentialsRefused,
    /// LRS is closed at this time.
    OutOfHours,
    /// Something went wrong inside LRS.
    ServiceFailed,
    /// An error that nobody has documented: very likely the message is not one LRS accepts.
    UnknownError,
}

/// Why LRS did not do what it understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// The learner is registered already, or was not searched for shortly before.
    NotRegistered,
    /// Somebody changed the record since it was read.
    StaleVersion,
    /// There is no learner with the ULN.
    UlnNotFound,
    /// Too little is known of the learner.
    InsufficientData,
    /// The ability to share may not be changed so.
    ShareChange,
    /// LRS does not take the ULN for one.
    InvalidUln,
}

/// One documented code.
#[derive(Debug, Clone, Copy)]
pub struct CodeEntry {
    /// As LRS writes it.
    pub code: &'static str,
    /// What it means, in our words.
    pub meaning: &'static str,
    /// What it says about the call.
    pub kind: CodeKind,
    /// What to do next.
    pub advice: &'static str,
}

const fn entry(code: &'static str, kind: CodeKind, meaning: &'static str, advice: &'static str) -> CodeEntry {
    CodeEntry { code, meaning, kind, advice }
}

const NOT_OFFERED: &str = "Belongs to an operation the gateway does not offer; should it come, it is passed on.";
const REPORT: &str = "Report it to the gateway's maintainers.";
const CHECK_CREDENTIALS: &str = "Have the operator settle it with LRS.";

/// Every code the gateway knows (FACTS 3.1, 3.3 to 3.5).
pub const TABLE: &[CodeEntry] = &[
    entry("WSRC0001", CodeKind::Outcome, "no learner matches", "Check the particulars, or register the learner."),
    entry("WSRC0002", CodeKind::Outcome, "too many learners match", "Search with more particulars."),
    entry("WSRC0003", CodeKind::Outcome, "one or more learners may be the one", "Have a person decide. Never take the first."),
    entry("WSRC0004", CodeKind::Outcome, "exactly this learner was found", "Use the learner's record."),
    entry("WSRC0005", CodeKind::Outcome, "the learner was registered", "Keep the new ULN."),
    entry("WSRC0006", CodeKind::Outcome, "the learner was updated", "Read the record again before the next update."),
    entry("WSRC0007", CodeKind::Outcome, "the registration batch was accepted", "Nothing: the gateway asks for the results."),
    entry("WSRC0008", CodeKind::Outcome, "the registration batch is not complete yet", "Nothing: the gateway asks again."),
    entry("WSRC0009", CodeKind::Outcome, "the registration batch was done", "Read the results."),
    entry("WSRC0010", CodeKind::Outcome, "the registration batch failed", "Read the results that there are; look into the portal."),
    entry(
        "WSRC0013",
        CodeKind::Refused(Rejection::StaleVersion),
        "the record has changed since it was read",
        "Read the record again, make the changes to the new version, send that.",
    ),
    entry(
        "WSRC0014",
        CodeKind::Refused(Rejection::ShareChange),
        "the ability to share may not be changed in this way",
        "Leave `abilityToShare` as LRS holds it.",
    ),
    entry("WSRC0015", CodeKind::Refused(Rejection::InsufficientData), "there is not enough data", "Give more of the optional fields."),
    entry("WSRC0017", CodeKind::Outcome, "the batch's record count is not its number of learners", REPORT),
    entry("WSRC0018", CodeKind::Outcome, "the batch job is not known", "Check the number of the job, and whose it is."),
    entry("WSRC0019", CodeKind::Refused(Rejection::UlnNotFound), "there is no learner with this ULN", "Find the learner first."),
    entry("WSRC0020", CodeKind::Outcome, "nothing has changed, so nothing was updated", "Nothing: the record is as it was sent."),
    entry(
        "WSRC0021",
        CodeKind::Refused(Rejection::NotRegistered),
        "the learner was not registered: there is one with the same particulars, or no recent search for them",
        "Search by demographics; register only if nobody matches. `obtainUln` does both.",
    ),
    entry(
        "WSRC0022",
        CodeKind::Outcome,
        "the learner was merged into another; the master record is given",
        "Keep the master's ULN, remember the other.",
    ),
    entry("WSRC0023", CodeKind::Outcome, "the ULNs of the report were not found", NOT_OFFERED),
    entry("WSRC0024", CodeKind::Outcome, "there are no ULNs to report", NOT_OFFERED),
    entry("WSRC0030", CodeKind::Outcome, "the verification batch's record count is not its number of learners", REPORT),
    entry(
        "WSRC0043",
        CodeKind::CredentialsRefused,
        "the awarding organisation is not set up for achievement batches",
        "Have LRS set the organisation up.",
    ),
    entry(
        "WSEC0001",
        CodeKind::MessageRefused,
        "the message does not fit LRS's schema, or holds a value LRS prohibits",
        "Look for unusual values; if there are none, report it to the gateway's maintainers.",
    ),
    entry("WSEC0002", CodeKind::MessageRefused, "the operation is not one LRS supports", REPORT),
    entry(
        "WSEC0003",
        CodeKind::CredentialsRefused,
        "the organisation is not known to LRS or not authorised for web services",
        CHECK_CREDENTIALS,
    ),
    entry("WSEC0004", CodeKind::OutOfHours, "LRS is outside its operational hours", "Try again after the time in Retry-After."),
    entry("WSEC0005", CodeKind::CredentialsRefused, "the organisation's password is not right", CHECK_CREDENTIALS),
    entry("WSEC0006", CodeKind::CredentialsRefused, "the organisation may not use this LRS service", CHECK_CREDENTIALS),
    entry("WSEC0044", CodeKind::MessageRefused, "the e-mail address is not valid", "Correct the address."),
    entry("WSEC0045", CodeKind::MessageRefused, "the submission type is not valid", REPORT),
    entry("WSEC0046", CodeKind::MessageRefused, "there are more achievements than LRS permits", "Send fewer."),
    entry("WSEC0047", CodeKind::MessageRefused, "there is no achievement in the request", "Send at least one."),
    entry("WSEC0136", CodeKind::Refused(Rejection::InvalidUln), "LRS does not take the ULN for a valid one", "Check the ULN."),
    entry(
        "WSEC0206",
        CodeKind::Outcome,
        "the learner does not share the learning record",
        "Nothing can be shown; the learner may decide otherwise.",
    ),
    entry("WSEC0208", CodeKind::Outcome, "the learner could not be verified", "Check ULN, names, date of birth and gender."),
    entry("WSEC0999", CodeKind::ServiceFailed, "LRS met an error of its own", "Try again later."),
    entry("WSVRC001", CodeKind::Outcome, "every value is that of the LRS record", "The learner is verified."),
    entry(
        "WSVRC002",
        CodeKind::Outcome,
        "every value is that of the LRS record, which is a linked learner's",
        "The learner is verified; keep the master's ULN.",
    ),
    entry("WSVRC003", CodeKind::Outcome, "the names are similar, not equal", "Look at `failures`, and have a person decide."),
    entry(
        "WSVRC004",
        CodeKind::Outcome,
        "the names are similar, not equal, to a linked learner's",
        "Look at `failures`, and have a person decide.",
    ),
    entry("WSVRC005", CodeKind::Outcome, "the ULN exists and is not this learner's", "Check the ULN: it belongs to somebody else."),
    entry("WSVRC006", CodeKind::Outcome, "there is no learner with this ULN", "Check the ULN."),
    entry("RC006", CodeKind::Outcome, "there is not enough data to give the learner a ULN", "Give more of the optional fields."),
    entry(
        "RC011",
        CodeKind::Outcome,
        "a field has the wrong format, or the learner is younger than 13 or older than 110",
        "Check the learner's fields, the date of birth first.",
    ),
    entry("RC013", CodeKind::Outcome, "the learner is younger than 13 or older than 110", "Check the date of birth."),
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
    pub fn kind(&self) -> CodeKind {
        match self.entry() {
            Some(entry) => entry.kind,
            None if split(&self.0).0 == "WSEC" => CodeKind::UnknownError,
            None => CodeKind::Outcome,
        }
    }

    /// Its row in the table.
    pub fn entry(&self) -> Option<&'static CodeEntry> {
        TABLE.iter().find(|entry| self.is(entry.code))
    }
}

impl serde::Serialize for LrsCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl PropertySchema for LrsCode {
    fn schema() -> RefOr<Schema> {
        String::schema()
    }
}

impl fmt::Debug for LrsCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.printable().unwrap_or("[unprintable]"))
    }
}

/// `WSRC0004` → (`WSRC`, `4`). One documentation writes three digits, and one `WCEC` for `WSEC`; and `WSRC0043` stands among codes with
/// `WSEC` (FACTS 3.1).
fn split(code: &str) -> (String, &str) {
    let code = code.trim();
    let (prefix, number) = code.split_at(code.find(|c: char| c.is_ascii_digit()).unwrap_or(code.len()));
    let (prefix, number) = (prefix.to_ascii_uppercase(), number.trim_start_matches('0'));
    match (prefix.as_str(), number) {
        ("WSEC", "43") => ("WSRC".to_owned(), number),
        ("WCEC", _) => ("WSEC".to_owned(), number),
        _ => (prefix, number),
    }
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
        assert_eq!(LrsCode::new("WCEC0999").kind(), CodeKind::ServiceFailed);
        assert!(LrsCode::new("WSEC0043").is("WSRC0043") && !LrsCode::new("WSEC0004").is("WSRC0004"));
    }

    #[test]
    fn undocumented_codes_are_judged_by_their_prefix() {
        assert_eq!(LrsCode::new("WSRC7777").kind(), CodeKind::Outcome);
        assert_eq!(LrsCode::new("WSEC7777").kind(), CodeKind::UnknownError);
        assert_eq!(LrsCode::new("").kind(), CodeKind::Outcome);
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
