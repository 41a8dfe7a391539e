//! What a request about a batch says beside its body: which batch, which part, which page, and how long it may take.

use actix_web::dev::Payload;
use actix_web::web::Query;
use actix_web::{FromRequest, HttpRequest};

use crate::auth::{ExtractFuture, after_authentication};
use crate::batches::model::BatchId;
use crate::problem::{Code, Problem};

/// The batch that a path names.
#[derive(Debug, Clone, Copy)]
pub struct BatchPath(pub BatchId);

impl FromRequest for BatchPath {
    type Error = Problem;
    type Future = ExtractFuture<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = request.match_info().get("batchId").and_then(BatchId::parse);
        after_authentication(request, id.map(Self).ok_or(Problem::new(Code::BatchNotFound)))
    }
}

/// The part that a path names.
#[derive(Debug, Clone, Copy)]
pub struct PartPath(pub u32);

impl FromRequest for PartPath {
    type Error = Problem;
    type Future = ExtractFuture<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let number = request.match_info().get("part").and_then(|text| text.parse().ok());
        after_authentication(request, number.map(Self).ok_or_else(no_such_part))
    }
}

/// How long a caller is willing to wait: `Prefer: wait=10` (RFC 7240). What cannot be read is passed over, as it says there.
#[derive(Debug, Clone, Copy)]
pub struct PreferWait(pub Option<u64>);

impl PreferWait {
    const LONGEST_SECONDS: u64 = 30;
}

impl FromRequest for PreferWait {
    type Error = Problem;
    type Future = ExtractFuture<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let headers = request.headers().get_all("prefer").filter_map(|value| value.to_str().ok());
        let wait = headers.flat_map(|value| value.split([',', ';'])).find_map(|preference| {
            let (name, seconds) = preference.split_once('=')?;
            name.trim().eq_ignore_ascii_case("wait").then(|| seconds.trim().trim_matches('"').parse::<u64>().ok())?
        });
        after_authentication(request, Ok(Self(wait.map(|seconds| seconds.min(Self::LONGEST_SECONDS)))))
    }
}

/// Which page: `limit` and `cursor` of the query.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pagination<C> {
    limit: Option<usize>,
    /// Where to go on.
    pub cursor: Option<C>,
}

/// A place to go on from.
pub trait Cursor: Sized + 'static {
    /// Reads one.
    fn parse(text: &str) -> Option<Self>;
}

impl Cursor for BatchId {
    fn parse(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

impl<C> Pagination<C> {
    /// How many to give.
    pub fn limit(&self, default: usize, most: usize) -> usize {
        self.limit.unwrap_or(default).min(most)
    }
}

impl<C: Cursor> Pagination<C> {
    /// What a query says.
    fn of(query: &str) -> Result<Self, Problem> {
        let wrong = |detail: &str| Problem::new(Code::MalformedRequest).detail(detail);
        let pairs = Query::<Vec<(String, String)>>::from_query(query).map_err(|_| wrong("The query cannot be read."))?.into_inner();
        let mut paging = Self { limit: None, cursor: None };
        for (name, value) in pairs {
            match name.as_str() {
                "limit" => match value.parse() {
                    Ok(limit) if limit > 0 && !value.starts_with('+') => paging.limit = Some(limit),
                    _ => return Err(wrong("The query's `limit` must be a number from 1.")),
                },
                "cursor" => match C::parse(&value) {
                    Some(cursor) => paging.cursor = Some(cursor),
                    None => return Err(wrong("The query's `cursor` must be the `next` of a page before.")),
                },
                _ => return Err(wrong("The query may have `limit` and `cursor`, and nothing else.")),
            }
        }
        Ok(paging)
    }
}

impl<C: Cursor> FromRequest for Pagination<C> {
    type Error = Problem;
    type Future = ExtractFuture<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        after_authentication(request, Self::of(request.query_string()))
    }
}

/// There is no part with that number.
pub fn no_such_part() -> Problem {
    Problem::new(Code::NotFound).detail("The batch has no such part.")
}
