//! The codes in LRS's responses, and what each means for a call (LRS-CONTRACT 3).

use std::fmt;

use crate::schema::openapi::{PropertySchema, SchemaOrRef};

/// A code from LRS, verbatim.
#[derive(Clone, PartialEq, Eq)]
pub struct LrsCode(String);

/// What a code says about the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeKind {
    /// LRS executed the call; the code is the outcome.
    Outcome,
    /// LRS understood the call and did not execute it because of one of its rules.
    Rejected(Rejection),
    /// LRS does not accept the message.
    RequestRejected,
    /// LRS does not authorise the organisation: it is unknown, its password is wrong, or the service is not allowed.
    CredentialsRejected,
    /// LRS is outside its operational hours.
    OutOfHours,
    /// LRS failed internally.
    ServiceFailed,
    /// An undocumented error. Very likely LRS does not accept the message.
    UnknownError,
}

/// The reason why LRS did not execute a request that it understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// The learner is registered already, or was not searched for shortly before.
    NotRegistered,
    /// The record changed after it was read.
    StaleVersion,
    /// No learner has the ULN.
    UlnNotFound,
    /// The request has too little data about the learner.
    InsufficientData,
    /// The requested change of the ability to share is not allowed.
    ShareChangeNotAllowed,
    /// LRS does not accept the ULN as valid.
    InvalidUln,
}

/// What the code of one learner of a registration batch says about the ULN in the learner's row (LRS-CONTRACT 3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LearnerReturn {
    /// LRS has processed the learner: a ULN in the row is the learner's.
    Processed,
    /// An exception, which a person must resolve. A ULN in the row may be another learner's.
    Exception,
    /// An undocumented code. A ULN in the row may be another learner's.
    Undocumented,
}

/// A documented code.
#[derive(Debug, Clone, Copy)]
pub struct CodeEntry {
    /// The code as LRS writes it.
    pub code: &'static str,
    /// The meaning, in the gateway's words.
    pub meaning: &'static str,
    /// What the code says about the call.
    pub kind: CodeKind,
    /// The next step for the caller.
    pub advice: &'static str,
}

/// Every code that the gateway knows (LRS-CONTRACT 3.1 to 3.4).
pub const DOCUMENTED_CODES: &[CodeEntry] = &[
    entry("WSRC0001", CodeKind::Outcome, "no learner matches", "Check the learner's details, or register the learner."),
    entry("WSRC0002", CodeKind::Outcome, "too many learners match", "Search with more details."),
    entry(
        "WSRC0003",
        CodeKind::Outcome,
        "one or more learners are possible matches",
        "Have a person decide. Never select the first match automatically.",
    ),
    entry("WSRC0004", CodeKind::Outcome, "exactly this learner was found", "Use the learner's record."),
    entry("WSRC0005", CodeKind::Outcome, "the learner was registered", "Store the new ULN."),
    entry("WSRC0006", CodeKind::Outcome, "the learner was updated", "Read the record again before the next update."),
    entry("WSRC0007", CodeKind::Outcome, "the registration batch was accepted", "No action: the gateway polls for the results."),
    entry("WSRC0008", CodeKind::Outcome, "the registration batch is not complete yet", "No action: the gateway polls again."),
    entry("WSRC0009", CodeKind::Outcome, "the registration batch is complete", "Read the results."),
    entry(
        "WSRC0010",
        CodeKind::Outcome,
        "the registration batch failed",
        "Read the available results, and check the batch in the LRS portal.",
    ),
    entry(
        "WSRC0013",
        CodeKind::Rejected(Rejection::StaleVersion),
        "the record has changed since it was read",
        "Read the record again, apply the changes to the new version, and send that.",
    ),
    entry(
        "WSRC0014",
        CodeKind::Rejected(Rejection::ShareChangeNotAllowed),
        "this change of the ability to share is not allowed",
        "Leave `abilityToShare` at the value that LRS holds, or set it to `SEEN_SHARE` after the learner has seen the privacy notice.",
    ),
    entry(
        "WSRC0015",
        CodeKind::Rejected(Rejection::InsufficientData),
        "the request does not contain enough data",
        "Provide more of the optional fields.",
    ),
    entry("WSRC0017", CodeKind::Outcome, "the batch's record count differs from its number of learners", REPORT),
    entry(
        "WSRC0018",
        CodeKind::Outcome,
        "LRS does not know the batch job",
        "Check the job number, and which organisation the job belongs to.",
    ),
    entry("WSRC0019", CodeKind::Rejected(Rejection::UlnNotFound), "no learner has this ULN", "Find the learner first."),
    entry("WSRC0020", CodeKind::Outcome, "nothing has changed, so nothing was updated", "No action: LRS already holds the record as sent."),
    entry(
        "WSRC0021",
        CodeKind::Rejected(Rejection::NotRegistered),
        "the learner was not registered: a learner with the same details exists; or there was no recent search for them; or the search gave \
         possible matches, and LRS's minimum wait after that is not over",
        "Search by demographics. If the learner is found, use that ULN. If no learner matches, register at once. If there are possible matches, \
         a person looks at each of them. If it is none of them, register some minutes after the search: LRS does not publish how long it waits.",
    ),
    entry(
        "WSRC0022",
        CodeKind::Outcome,
        "the learner was merged into another; the response contains the master record",
        "Store the master's ULN, and keep the other on record.",
    ),
    entry("WSRC0023", CodeKind::Outcome, "the ULNs of the report were not found", NOT_OFFERED),
    entry("WSRC0024", CodeKind::Outcome, "there are no ULNs to report", NOT_OFFERED),
    entry("WSRC0030", CodeKind::Outcome, "the verification batch's record count differs from its number of learners", REPORT),
    entry(
        "WSRC0043",
        CodeKind::CredentialsRejected,
        "the awarding organisation is not set up for achievement batches",
        "Ask LRS to set up the organisation.",
    ),
    entry(
        "WSEC0001",
        CodeKind::RequestRejected,
        "the message does not conform to LRS's schema, or contains a value that LRS prohibits",
        "Check for unusual values. If there are none, report it to the gateway's maintainers.",
    ),
    entry("WSEC0002", CodeKind::RequestRejected, "LRS does not support the operation", REPORT),
    entry(
        "WSEC0003",
        CodeKind::CredentialsRejected,
        "LRS does not know the organisation, or has not authorised it for web services",
        CHECK_CREDENTIALS,
    ),
    entry("WSEC0004", CodeKind::OutOfHours, "LRS is outside its operational hours", "Try again after the time in `Retry-After`."),
    entry("WSEC0005", CodeKind::CredentialsRejected, "the organisation's password is wrong", CHECK_CREDENTIALS),
    entry("WSEC0006", CodeKind::CredentialsRejected, "the organisation is not authorised for this LRS service", CHECK_CREDENTIALS),
    entry("WSEC0044", CodeKind::RequestRejected, "the email address is not valid", "Correct the email address."),
    entry("WSEC0045", CodeKind::RequestRejected, "the submission type is not valid", REPORT),
    entry("WSEC0046", CodeKind::RequestRejected, "the request contains more achievements than LRS permits", "Send fewer achievements."),
    entry("WSEC0047", CodeKind::RequestRejected, "the request contains no achievement", "Send at least one achievement."),
    entry("WSEC0136", CodeKind::Rejected(Rejection::InvalidUln), "LRS does not accept the ULN as valid", "Check the ULN."),
    entry(
        "WSEC0206",
        CodeKind::Outcome,
        "the learner does not share the learning record",
        "Give the learner the current privacy notice. Then update the learner's record to the ability to share `SEEN_SHARE`. Learners can no \
         longer opt out; old refusals stay until an organisation does this.",
    ),
    entry("WSEC0208", CodeKind::Outcome, "the learner could not be verified", "Check the ULN, names, date of birth and gender."),
    entry("WSEC0999", CodeKind::ServiceFailed, "LRS reported an internal error", "Try again later."),
    entry("WSVRC001", CodeKind::Outcome, "every value matches the LRS record", "The learner is verified."),
    entry(
        "WSVRC002",
        CodeKind::Outcome,
        "every value matches the LRS record, which belongs to a linked learner",
        "The learner is verified. Store the master's ULN.",
    ),
    entry("WSVRC003", CodeKind::Outcome, "the names are similar but not equal", "Check `failures`, and have a person decide."),
    entry(
        "WSVRC004",
        CodeKind::Outcome,
        "the names are similar but not equal to those of a linked learner",
        "Check `failures`, and have a person decide.",
    ),
    entry(
        "WSVRC005",
        CodeKind::Outcome,
        "the ULN exists but does not belong to this learner",
        "Check the ULN: it belongs to another person.",
    ),
    entry("WSVRC006", CodeKind::Outcome, "no learner has this ULN", "Check the ULN."),
    entry("RC006", CodeKind::Outcome, "an exception: there is not enough data to give the learner a ULN", CORRECT_OR_RESOLVE),
    entry("RC007", CodeKind::Outcome, UNPUBLISHED_EXCEPTION, RESOLVE_EXCEPTION),
    entry("RC008", CodeKind::Outcome, UNPUBLISHED_EXCEPTION, RESOLVE_EXCEPTION),
    entry("RC009", CodeKind::Outcome, UNPUBLISHED_EXCEPTION, RESOLVE_EXCEPTION),
    entry("RC010", CodeKind::Outcome, UNPUBLISHED_EXCEPTION, RESOLVE_EXCEPTION),
    entry(
        "RC011",
        CodeKind::Outcome,
        "an exception: a field has the wrong format, the ability to share is invalid, or the learner is younger than 13 or older than 110",
        CORRECT_OR_RESOLVE,
    ),
    entry("RC012", CodeKind::Outcome, "an exception: an identifier (UCI or UPN) has the wrong format", RESOLVE_EXCEPTION),
    entry(
        "RC013",
        CodeKind::Outcome,
        "an exception: the learner is younger than 13 or older than 110. In web services the code for this is `RC011`",
        CORRECT_OR_RESOLVE,
    ),
];

const NOT_OFFERED: &str =
    "No action: the code belongs to an operation that the gateway does not offer, and is passed on if LRS returns it.";
const UNPUBLISHED_EXCEPTION: &str = "an exception, which LRS has not published the meaning of";
const RESOLVE_EXCEPTION: &str = "Search for the learner by demographics. A person chooses a candidate, whose ULN you then use, or registers the learner. \
    Or resolve the exception in the LRS portal.";
const CORRECT_OR_RESOLVE: &str = "Correct the learner's fields and submit the record again. Or search for the learner by demographics: a person chooses a \
    candidate or registers the learner. Or resolve the exception in the LRS portal.";
const REPORT: &str = "Report it to the gateway's maintainers.";
const CHECK_CREDENTIALS: &str = "Ask the operator to resolve this with LRS.";

const fn entry(code: &'static str, kind: CodeKind, meaning: &'static str, advice: &'static str) -> CodeEntry {
    CodeEntry { code, meaning, kind, advice }
}

impl LrsCode {
    /// Stores a code as LRS wrote it.
    pub fn new(verbatim: impl Into<String>) -> Self {
        Self(verbatim.into())
    }

    /// Returns the verbatim code, for the caller of this very request.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the code if it looks like one. Errors and logs use this, because free text could be personal data.
    pub fn loggable(&self) -> Option<&str> {
        let letters = self.0.trim_end_matches(|c: char| c.is_ascii_digit());
        let has_code_format = (1..=8).contains(&letters.len())
            && letters.bytes().all(|b| b.is_ascii_alphabetic())
            && (1..=8).contains(&(self.0.len() - letters.len()));
        has_code_format.then_some(self.0.as_str())
    }

    /// Returns `true` if this is the documented code, regardless of case and leading zeros (LRS-CONTRACT 3.6).
    pub fn matches(&self, documented: &str) -> bool {
        Spelling::new(&self.0).is_same_code(Spelling::new(documented))
    }

    /// Returns the kind of the code. Undocumented `WSEC` codes are errors, all other undocumented codes are outcomes (LRS-CONTRACT 3.2).
    pub fn kind(&self) -> CodeKind {
        match self.entry() {
            Some(entry) => entry.kind,
            None if Spelling::new(&self.0).prefix.eq_ignore_ascii_case("WSEC") => CodeKind::UnknownError,
            None => CodeKind::Outcome,
        }
    }

    /// Returns what the code of a learner of a registration batch says about the ULN in the learner's row. LRS numbers results `RC001` to
    /// `RC005` and exceptions `RC006` to `RC013`. A row without a code is a result: exceptions have one. The simulator's own codes, which
    /// begin with `SIM-`, are results too.
    pub fn learner_return(&self) -> LearnerReturn {
        let Spelling { prefix, number } = Spelling::new(&self.0);
        let is_of_simulator = prefix.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("SIM-"));
        match number.parse::<u32>() {
            Ok(1..=5) if prefix.eq_ignore_ascii_case("RC") => LearnerReturn::Processed,
            Ok(6..=13) if prefix.eq_ignore_ascii_case("RC") => LearnerReturn::Exception,
            _ if (prefix.is_empty() && number.is_empty()) || is_of_simulator => LearnerReturn::Processed,
            _ => LearnerReturn::Undocumented,
        }
    }

    /// Returns the code's entry in [`DOCUMENTED_CODES`].
    pub fn entry(&self) -> Option<&'static CodeEntry> {
        let code = Spelling::new(&self.0);
        // Most codes differ in the last digit, which no spelling changes.
        let last = code.number.bytes().last();
        DOCUMENTED_CODES.iter().find(|entry| entry.code.bytes().last() == last && Spelling::new(entry.code).is_same_code(code))
    }
}

impl serde::Serialize for LrsCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl PropertySchema for LrsCode {
    fn schema() -> SchemaOrRef {
        String::schema()
    }
}

impl fmt::Debug for LrsCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.loggable().unwrap_or("[redacted]"))
    }
}

/// A code split into prefix and number without leading zeros: `WSRC0004` becomes `WSRC` and `4`. The case of the prefix does not matter.
#[derive(Clone, Copy)]
struct Spelling<'c> {
    prefix: &'c str,
    number: &'c str,
}

impl<'c> Spelling<'c> {
    /// Splits a code.
    ///
    /// LRS's documents differ from each other: one writes three digits, and one `WCEC` for `WSEC`. `WSRC0043` is listed among the codes that
    /// begin with `WSEC` (LRS-CONTRACT 3.1).
    fn new(code: &'c str) -> Self {
        let code = code.trim();
        let (prefix, number) = code.split_at(code.bytes().position(|byte| byte.is_ascii_digit()).unwrap_or(code.len()));
        let number = number.trim_start_matches('0');
        if number == "43" && prefix.eq_ignore_ascii_case("WSEC") {
            Self { prefix: "WSRC", number }
        } else if prefix.eq_ignore_ascii_case("WCEC") {
            Self { prefix: "WSEC", number }
        } else {
            Self { prefix, number }
        }
    }

    fn is_same_code(self, other: Spelling<'_>) -> bool {
        self.number == other.number && self.prefix.eq_ignore_ascii_case(other.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lrs_code_other_documented_spelling_matches() {
        for spelling in ["WSRC0004", "WSRC004", "wsrc0004", " WSRC0004 "] {
            assert!(LrsCode::new(spelling).matches("WSRC0004"), "{spelling:?}");
        }
        assert!(!LrsCode::new("WSRC0040").matches("WSRC0004"));
        assert_eq!(LrsCode::new("WCEC0999").kind(), CodeKind::ServiceFailed);
        assert!(LrsCode::new("WSEC0043").matches("WSRC0043") && !LrsCode::new("WSEC0004").matches("WSRC0004"));
    }

    #[test]
    fn lrs_code_documented_has_its_entry_in_any_spelling() {
        for entry in DOCUMENTED_CODES {
            for spelling in [entry.code.to_owned(), format!(" {} ", entry.code.to_lowercase()), entry.code.replacen('0', "000", 1)] {
                let found = LrsCode::new(spelling.as_str()).entry().map(|entry| entry.code);
                assert_eq!(found, Some(entry.code), "{spelling:?}");
            }
        }
        for undocumented in ["", " ", "4", "WSRC", "WSRC0000", "WSRC4", "XSRC0004", "WSRC0004x", "WSRC١"] {
            let found = LrsCode::new(undocumented).entry().map(|entry| entry.code);
            assert_eq!(found, (undocumented == "WSRC4").then_some("WSRC0004"), "{undocumented:?}");
        }
    }

    #[test]
    fn lrs_code_undocumented_prefix_determines_kind() {
        assert_eq!(LrsCode::new("WSRC7777").kind(), CodeKind::Outcome);
        assert_eq!(LrsCode::new("WSEC7777").kind(), CodeKind::UnknownError);
        assert_eq!(LrsCode::new("").kind(), CodeKind::Outcome);
    }

    #[test]
    fn lrs_code_of_batch_learner_only_known_results_vouch_for_the_uln() {
        for code in ["", " ", "RC001", "rc5", "RC0005", "SIM-NEW"] {
            assert_eq!(LrsCode::new(code).learner_return(), LearnerReturn::Processed, "{code:?}");
        }
        for code in ["RC006", "RC07", "rc008", "RC009", "RC010", " RC011", "RC012", "RC013"] {
            assert_eq!(LrsCode::new(code).learner_return(), LearnerReturn::Exception, "{code:?}");
        }
        for code in ["RC", "RC000", "RC014", "RC99999999999", "RC001a", "WSRC0003", "WSRC0004", "POSSIBLE", "1"] {
            assert_eq!(LrsCode::new(code).learner_return(), LearnerReturn::Undocumented, "{code:?}");
        }
    }

    #[test]
    fn lrs_code_free_text_is_not_loggable() {
        assert_eq!(LrsCode::new("WSRC0004").loggable(), Some("WSRC0004"));
        for text in ["Ana O'Neill", "Quillfeather", "3000000126", "", "A1B2"] {
            assert_eq!(LrsCode::new(text).loggable(), None, "{text}");
        }
        assert_eq!(format!("{:?}", LrsCode::new("Ana O'Neill")), "[redacted]");
    }
}
