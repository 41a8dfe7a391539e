//! The queries of results: `cursor` for every format, `limit` for JSON, and the options of CSV.

use utoipa::openapi::path::ParameterIn;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use crate::api::batches::results::csv::CsvOptions;
use crate::api::batches::results::cursor::ResultCursor;
use crate::api::description::{Description, parameter};
use crate::api::extract::pagination::{Cursor as _, describe_cursor, malformed, parse_query};
use crate::api::handler::HeadInput;
use crate::auth::AdmittedRequest;
use crate::problem::Problem;
use crate::schema::openapi::PropertySchema as _;
use crate::schema::{CodeList, Scalar as _};

const CURSOR: &str = "cursor";
const FORMULAS: &str = "formulas";
const BYTE_ORDER_MARK: &str = "bom";

/// The query of results as NDJSON.
#[derive(Debug, Clone, Copy)]
pub struct StreamQuery {
    /// The first result.
    pub start: ResultCursor,
}

/// The query of results as CSV.
#[derive(Debug, Clone, Copy)]
pub struct CsvQuery {
    /// The first result.
    pub start: ResultCursor,
    /// How CSV is written.
    pub options: CsvOptions,
}

/// How CSV has cells that spreadsheets take for formulas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, CodeList)]
#[code_list(name = "CsvFormulas", case = "lowercase", request)]
pub enum FormulaStyle {
    /// The cell as it is.
    Verbatim,
    /// An apostrophe before the cell.
    Escaped,
}

impl StreamQuery {
    fn parse(query: &str) -> Result<Self, Problem> {
        let mut start = ResultCursor::START;
        for (name, value) in parse_query(query)? {
            if name != CURSOR {
                return Err(unknown_parameter("Only `cursor` is allowed."));
            }
            start = ResultCursor::parse_parameter(&value)?;
        }
        Ok(Self { start })
    }
}

impl CsvQuery {
    fn parse(query: &str) -> Result<Self, Problem> {
        let mut parsed = Self { start: ResultCursor::START, options: CsvOptions::default() };
        for (name, value) in parse_query(query)? {
            match (name.as_str(), value.as_str()) {
                (CURSOR, cursor) => parsed.start = ResultCursor::parse_parameter(cursor)?,
                (FORMULAS, style) => match FormulaStyle::parse(style) {
                    Ok(style) => parsed.options.escapes_formulas = style == FormulaStyle::Escaped,
                    Err(_) => return Err(malformed("The query parameter `formulas` must be `verbatim` or `escaped`.")),
                },
                // Clients that openapi-generator generates for PHP send booleans in queries as numbers.
                (BYTE_ORDER_MARK, "false" | "0") => parsed.options.has_byte_order_mark = false,
                (BYTE_ORDER_MARK, "true" | "1") => parsed.options.has_byte_order_mark = true,
                (BYTE_ORDER_MARK, _) => return Err(malformed("The query parameter `bom` must be `true` or `false`.")),
                _ => return Err(unknown_parameter("Only `cursor`, `formulas` and `bom` are allowed.")),
            }
        }
        Ok(parsed)
    }
}

impl HeadInput for StreamQuery {
    fn describe(description: &mut Description) {
        describe_cursor::<ResultCursor>(description);
    }

    fn from_head(request: &AdmittedRequest) -> Result<Self, Problem> {
        Self::parse(request.head().query_string())
    }
}

impl HeadInput for CsvQuery {
    fn describe(description: &mut Description) {
        describe_cursor::<ResultCursor>(description);
        let mut schemas = Vec::new();
        FormulaStyle::collect(&mut schemas);
        description.components.schemas.extend(schemas);
        let meaning = "How cells are written that spreadsheets take for formulas: those that start with `=`, `+`, `-`, `@`, a tab or a carriage \
            return. Default `verbatim`: as they are. `escaped`: with an apostrophe before them. Use it for files that people open; the \
            apostrophe is then part of the value.";
        description.add_parameter(FORMULAS, parameter(FORMULAS, ParameterIn::Query, FormulaStyle::schema(), meaning));
        let mark = ObjectBuilder::new().schema_type(Type::Boolean).default(Some(false.into()));
        let meaning = "`true`: the text starts with a byte order mark (U+FEFF), by which spreadsheets recognise UTF-8. Default `false`.";
        description.add_parameter(BYTE_ORDER_MARK, parameter(BYTE_ORDER_MARK, ParameterIn::Query, mark, meaning));
    }

    fn from_head(request: &AdmittedRequest) -> Result<Self, Problem> {
        Self::parse(request.head().query_string())
    }
}

fn unknown_parameter(allowed: &str) -> Problem {
    malformed(format!("The query string has an unknown parameter. {allowed}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_query_with_an_unknown_option_is_rejected() {
        let options = |query: &str| CsvQuery::parse(query).map(|query| query.options).ok();
        assert_eq!(options("cursor=1-0"), Some(CsvOptions::default()));
        assert_eq!(options("formulas=escaped&bom=true"), Some(CsvOptions { escapes_formulas: true, has_byte_order_mark: true }));
        assert_eq!(options("formulas=verbatim&bom=false"), Some(CsvOptions::default()));
        for query in
            ["formulas=", "formulas=ESCAPED", "bom=TRUE", "bom=2", "bom=10", "bom=", "bom", "escaped=true", "limit=1", "cursor=0-0"]
        {
            assert_eq!(options(query), None, "{query}");
        }
    }

    #[test]
    fn csv_query_with_a_boolean_as_a_number_is_accepted() {
        let mark = |query: &str| CsvQuery::parse(query).map(|query| query.options.has_byte_order_mark).ok();
        assert_eq!((mark("bom=1"), mark("bom=0")), (Some(true), Some(false)));
    }

    #[test]
    fn ndjson_query_has_only_a_cursor() {
        let start = |query: &str| StreamQuery::parse(query).map(|query| query.start).ok();
        assert_eq!(start(""), Some(ResultCursor::START));
        assert_eq!(start("cursor=2-7"), Some(ResultCursor { part: 2, offset: 7 }));
        for query in ["limit=1", "formulas=escaped", "bom=true", "cursor=", "cursor=0-0"] {
            assert_eq!(start(query), None, "{query}");
        }
    }
}
