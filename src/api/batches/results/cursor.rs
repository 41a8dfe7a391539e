//! Cursors of result pages.

use std::fmt;

use utoipa::openapi::schema::ObjectBuilder;

use crate::api::description::text;
use crate::api::extract::pagination::Cursor;

/// The start of a page of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResultCursor {
    /// Number of the part, from 1.
    pub part: u32,
    /// Number of the part's results that come before the page.
    pub offset: usize,
}

impl ResultCursor {
    /// The start of the first page.
    pub const START: Self = Self { part: 1, offset: 0 };
}

impl Cursor for ResultCursor {
    const DEFAULT_PAGE_SIZE: usize = 1_000;
    const MAX_PAGE_SIZE: usize = 10_000;
    const ITEMS: &'static str = "results";
    const LIMIT: &'static str = "resultLimit";
    const CURSOR: &'static str = "resultCursor";
    const EXAMPLE: &'static str = "2-1000";

    fn schema() -> ObjectBuilder {
        text().max_length(Some(18)).pattern(Some("^[1-9][0-9]{0,7}-(0|[1-9][0-9]{0,8})$"))
    }

    /// Accepts the form that the gateway writes, and no other.
    fn parse(text: &str) -> Option<Self> {
        let (part, offset) = text.split_once('-')?;
        let cursor = Self { part: part.parse().ok().filter(|part| *part > 0)?, offset: offset.parse().ok()? };
        (part.len() < 9 && offset.len() < 10 && cursor.to_string() == text).then_some(cursor)
    }
}

impl fmt::Display for ResultCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.part, self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_cursor_display_parses_back_and_other_text_is_rejected() {
        let cursor = ResultCursor { part: 7, offset: 1000 };
        assert_eq!(ResultCursor::parse(&cursor.to_string()), Some(cursor));
        assert_eq!(ResultCursor::parse("99999999-999999999"), Some(ResultCursor { part: 99_999_999, offset: 999_999_999 }));
        for other in ["", "7", "0-1", "7-", "-1-1", "7-1-1", "07-1", "+7-1", "7-01", "7-+1", "7-1000000000", "100000000-0"] {
            assert_eq!(ResultCursor::parse(other), None, "{other}");
        }
    }
}
