//! Pagination: `limit` and `cursor` in a query.

use actix_web::web::Query;
use utoipa::openapi::path::ParameterIn;
use utoipa::openapi::schema::ObjectBuilder;

use crate::api::description::{Description, EXAMPLE_BATCH_ID, batch_id, integer, parameter};
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
    /// What a page has, in the plural.
    const ITEMS: &'static str;
    /// Component name of the parameter `limit`.
    const LIMIT: &'static str;
    /// Component name of the parameter `cursor`.
    const CURSOR: &'static str;
    /// An example of a cursor.
    const EXAMPLE: &'static str;

    /// Returns the schema of the parameter `cursor`.
    fn schema() -> ObjectBuilder;

    /// Parses the value of the parameter `cursor`.
    ///
    /// # Errors
    /// Returns a problem if the value is invalid.
    fn parse_parameter(value: &str) -> Result<Self, Problem> {
        Self::parse(value).ok_or_else(|| malformed("The query parameter `cursor` must be the `next` of the previous page."))
    }

    /// Parses a cursor; `None` if it is invalid.
    fn parse(text: &str) -> Option<Self>;
}

/// A list of batches continues after the batch with this id.
impl Cursor for BatchId {
    const DEFAULT_PAGE_SIZE: usize = 20;
    const MAX_PAGE_SIZE: usize = 100;
    const ITEMS: &'static str = "batches";
    const LIMIT: &'static str = "batchLimit";
    const CURSOR: &'static str = "batchCursor";
    const EXAMPLE: &'static str = EXAMPLE_BATCH_ID;

    fn schema() -> ObjectBuilder {
        batch_id()
    }

    fn parse(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

impl<C: Cursor> Pagination<C> {
    /// Returns the number of items on the page.
    pub fn limit(&self) -> usize {
        self.limit.unwrap_or(C::DEFAULT_PAGE_SIZE)
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
                Ok(limit) if (1..=C::MAX_PAGE_SIZE).contains(&limit) && !value.starts_with('+') => self.limit = Some(limit),
                _ => return Err(malformed(format!("The query parameter `limit` must be an integer from 1 to {}.", C::MAX_PAGE_SIZE))),
            },
            "cursor" => self.cursor = Some(C::parse_parameter(value)?),
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

/// Describes the parameter `cursor`, and the problem of an invalid query string.
pub fn describe_cursor<C: Cursor>(description: &mut Description) {
    let meaning = format!("Start of the page: `next` of the previous page. Absent: the first {}.", C::ITEMS);
    let schema = C::schema().examples([C::EXAMPLE]);
    description.add_parameter(C::CURSOR, parameter("cursor", ParameterIn::Query, schema, &meaning));
    description.add_problems("Query", &[Code::MalformedRequest]);
}

impl<C: Cursor> HeadInput for Pagination<C> {
    fn describe(description: &mut Description) {
        let (default, max) = (C::DEFAULT_PAGE_SIZE, C::MAX_PAGE_SIZE);
        let meaning = format!("Maximum number of {} on the page, from 1 to {max}. Default {default}.", C::ITEMS);
        let schema = integer(1).maximum(Some(max)).default(Some(default.into()));
        description.add_parameter(C::LIMIT, parameter("limit", ParameterIn::Query, schema, &meaning));
        describe_cursor::<C>(description);
    }

    fn from_head(request: &AdmittedRequest) -> Result<Self, Problem> {
        Self::parse(request.head().query_string())
    }
}
