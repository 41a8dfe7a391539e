//! Pagination: `limit` and `cursor` in a query.

use actix_web::web::Query;
use utoipa::openapi::path::ParameterIn;

use crate::api::description::{Description, integer, parameter, text};
use crate::api::handler::HeadInput;
use crate::auth::AdmittedRequest;
use crate::batches::model::BatchId;
use crate::problem::{Code, Problem};

/// The page that a query requests.
#[derive(Debug, Clone, Copy)]
pub struct Pagination<C> {
    limit: Option<usize>,
    /// The start of the page; `None` for the first page.
    pub cursor: Option<C>,
}

/// The first page, with the default number of items.
impl<C> Default for Pagination<C> {
    fn default() -> Self {
        Self { limit: None, cursor: None }
    }
}

/// The start of a page.
pub trait Cursor: Sized + 'static {
    /// Default number of items on a page.
    const DEFAULT_PAGE_SIZE: usize;
    /// Maximum number of items on a page.
    const MAX_PAGE_SIZE: usize;
    /// Component name of the parameter `limit`, and its description.
    const LIMIT: (&'static str, &'static str);

    /// Parses a cursor; `None` if it is invalid.
    fn parse(text: &str) -> Option<Self>;
}

/// A list of batches continues after the batch with this id.
impl Cursor for BatchId {
    const DEFAULT_PAGE_SIZE: usize = 20;
    const MAX_PAGE_SIZE: usize = 100;
    const LIMIT: (&'static str, &'static str) =
        ("batchLimit", "Number of batches on the page. Default 20, maximum 100. A higher number is treated as 100.");

    fn parse(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

impl<C: Cursor> Pagination<C> {
    /// Returns the number of items on the page.
    pub fn limit(&self) -> usize {
        self.limit.unwrap_or(C::DEFAULT_PAGE_SIZE).min(C::MAX_PAGE_SIZE)
    }

    fn parse(query: &str) -> Result<Self, Problem> {
        let mut pagination = Self::default();
        for (name, value) in parse_query(query)? {
            if !pagination.set(&name, &value)? {
                return Err(malformed("The query string has an unknown parameter. Only `limit` and `cursor` are allowed."));
            }
        }
        Ok(pagination)
    }

    /// Sets a parameter. Returns `false` if pagination has none with this name.
    ///
    /// # Errors
    /// Returns a problem if the value is invalid.
    pub fn set(&mut self, name: &str, value: &str) -> Result<bool, Problem> {
        match name {
            "limit" => match value.parse() {
                Ok(limit) if limit > 0 && !value.starts_with('+') => self.limit = Some(limit),
                _ => return Err(malformed("The query parameter `limit` must be an integer of at least 1.")),
            },
            "cursor" => match C::parse(value) {
                Some(cursor) => self.cursor = Some(cursor),
                None => return Err(malformed("The query parameter `cursor` must be the `next` of the previous page.")),
            },
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Splits a query string into names and values.
///
/// # Errors
/// Returns a problem if the query string is malformed.
pub fn parse_query(query: &str) -> Result<Vec<(String, String)>, Problem> {
    let pairs = Query::<Vec<(String, String)>>::from_query(query);
    Ok(pairs.map_err(|_| malformed("The query string is malformed. Encode its parameters as `name=value`."))?.into_inner())
}

/// Creates the problem of an invalid query string.
pub fn malformed(detail: impl Into<String>) -> Problem {
    Problem::new(Code::MalformedRequest).detail(detail)
}

impl<C: Cursor> HeadInput for Pagination<C> {
    fn describe(description: &mut Description) {
        let (component, meaning) = C::LIMIT;
        description.add_parameter(component, parameter("limit", ParameterIn::Query, integer(1), meaning));
        description.add_parameter("cursor", parameter("cursor", ParameterIn::Query, text(), "`next` of the previous page."));
    }

    fn from_head(request: &AdmittedRequest) -> Result<Self, Problem> {
        Self::parse(request.head().query_string())
    }
}
