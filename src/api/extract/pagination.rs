//! Pagination: `limit` and `cursor` in a query.

use actix_web::dev::Payload;
use actix_web::web::Query;
use actix_web::{FromRequest, HttpRequest};

use crate::auth::{ExtractFuture, after_authentication};
use crate::batches::model::BatchId;
use crate::problem::{Code, Problem};

/// The page that a query requests.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pagination<C> {
    limit: Option<usize>,
    /// The start of the page; `None` for the first page.
    pub cursor: Option<C>,
}

/// The start of a page.
pub trait Cursor: Sized + 'static {
    /// Parses a cursor; `None` if it is invalid.
    fn parse(text: &str) -> Option<Self>;
}

/// A list of batches continues after the batch with this id.
impl Cursor for BatchId {
    fn parse(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

impl<C> Pagination<C> {
    /// Returns the number of items on the page.
    pub fn limit(&self, default: usize, max: usize) -> usize {
        self.limit.unwrap_or(default).min(max)
    }
}

impl<C: Cursor> Pagination<C> {
    fn parse(query: &str) -> Result<Self, Problem> {
        let malformed = |detail: &str| Problem::new(Code::MalformedRequest).detail(detail);
        let pairs = Query::<Vec<(String, String)>>::from_query(query)
            .map_err(|_| malformed("The query string is malformed. Encode its parameters as `name=value`."))?
            .into_inner();
        let mut pagination = Self { limit: None, cursor: None };
        for (name, value) in pairs {
            match name.as_str() {
                "limit" => match value.parse() {
                    Ok(limit) if limit > 0 && !value.starts_with('+') => pagination.limit = Some(limit),
                    _ => return Err(malformed("The query parameter `limit` must be an integer of at least 1.")),
                },
                "cursor" => match C::parse(&value) {
                    Some(cursor) => pagination.cursor = Some(cursor),
                    None => return Err(malformed("The query parameter `cursor` must be the `next` of the previous page.")),
                },
                _ => return Err(malformed("The query string has an unknown parameter. Only `limit` and `cursor` are allowed.")),
            }
        }
        Ok(pagination)
    }
}

impl<C: Cursor> FromRequest for Pagination<C> {
    type Error = Problem;
    type Future = ExtractFuture<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        after_authentication(request, Self::parse(request.query_string()))
    }
}
