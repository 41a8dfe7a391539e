//! The identifier of a batch.

use std::fmt;

use uuid::Uuid;

use super::time::EpochMillis;

/// The identifier of a batch: a UUID of version 7, so ids of later batches are greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(Uuid);

impl BatchId {
    /// Returns a new random id.
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// Converts a UUID of version 7.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// Returns a lower bound of all ids created at `time` or later.
    pub fn min_at(time: EpochMillis) -> Self {
        let milliseconds = u64::try_from(time.0).unwrap_or(0);
        Self(Uuid::from_u128(u128::from(milliseconds) << 80))
    }

    /// Parses an id; `None` unless the text has the form that the gateway writes, in upper or lower case. Clients that parse a UUID write it
    /// in either case.
    pub fn parse(text: &str) -> Option<Self> {
        let id = Uuid::try_parse(text).ok().map(Self)?;
        id.to_string().eq_ignore_ascii_case(text).then_some(id)
    }
}

impl Default for BatchId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.hyphenated())
    }
}

impl fmt::Debug for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batch_id_created_later_is_greater() {
        let (first, second) = (BatchId::new(), BatchId::new());
        assert!(first < second && first.to_string() < second.to_string());
    }

    #[test]
    fn batch_id_parse_accepts_written_form_only_in_any_case() {
        let id = BatchId::new();
        assert_eq!(BatchId::parse(&id.to_string()), Some(id));
        assert_eq!(BatchId::parse(&id.to_string().to_uppercase()), Some(id));
        for other in ["", "1", "../etc", &format!("{{{id}}}"), &format!("urn:uuid:{id}"), &id.to_string().replace('-', "")] {
            assert_eq!(BatchId::parse(other), None, "{other}");
        }
    }
}
