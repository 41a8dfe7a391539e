//! The query of results: `limit`, `cursor`, and the options of CSV.

use utoipa::openapi::path::ParameterIn;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use crate::api::batches::results::csv::CsvOptions;
use crate::api::batches::results::cursor::ResultCursor;
use crate::api::description::{Description, parameter, text};
use crate::api::extract::pagination::{Pagination, malformed, parse_query};
use crate::api::handler::HeadInput;
use crate::auth::AdmittedRequest;
use crate::problem::Problem;

const FORMULAS: &str = "formulas";
const BYTE_ORDER_MARK: &str = "bom";

/// The results that a query requests.
#[derive(Debug, Clone, Copy, Default)]
pub struct ResultsQuery {
    /// The page.
    pub pagination: Pagination<ResultCursor>,
    /// How CSV is written.
    pub csv: CsvOptions,
}

impl ResultsQuery {
    fn parse(query: &str) -> Result<Self, Problem> {
        let mut parsed = Self::default();
        for (name, value) in parse_query(query)? {
            match (name.as_str(), value.as_str()) {
                (FORMULAS, "verbatim") => parsed.csv.escapes_formulas = false,
                (FORMULAS, "escaped") => parsed.csv.escapes_formulas = true,
                (FORMULAS, _) => return Err(malformed("The query parameter `formulas` must be `verbatim` or `escaped`.")),
                (BYTE_ORDER_MARK, "false") => parsed.csv.has_byte_order_mark = false,
                (BYTE_ORDER_MARK, "true") => parsed.csv.has_byte_order_mark = true,
                (BYTE_ORDER_MARK, _) => return Err(malformed("The query parameter `bom` must be `true` or `false`.")),
                _ if parsed.pagination.set(&name, &value)? => {}
                _ => {
                    let allowed = "Only `limit`, `cursor`, `formulas` and `bom` are allowed.";
                    return Err(malformed(format!("The query string has an unknown parameter. {allowed}")));
                }
            }
        }
        Ok(parsed)
    }
}

impl HeadInput for ResultsQuery {
    fn describe(description: &mut Description) {
        Pagination::<ResultCursor>::describe(description);
        let formulas = text().default(Some("verbatim".into()));
        let meaning = "`verbatim` or `escaped`. Only with CSV. `escaped`: a cell that starts with `=`, `+`, `-`, `@`, a tab or a carriage return gets an apostrophe before \
            it, so that no spreadsheet takes it for a formula. Use it for files that people open; the apostrophe is then part of the value. \
            `verbatim`, the default: cells are as they are.";
        description.add_parameter(FORMULAS, parameter(FORMULAS, ParameterIn::Query, formulas, meaning));
        let mark = ObjectBuilder::new().schema_type(Type::Boolean).default(Some(false.into()));
        let meaning = "Only with CSV. `true`: the text starts with a byte order mark (U+FEFF), by which spreadsheets recognise UTF-8. Default \
            `false`.";
        description.add_parameter(BYTE_ORDER_MARK, parameter(BYTE_ORDER_MARK, ParameterIn::Query, mark, meaning));
    }

    fn from_head(request: &AdmittedRequest) -> Result<Self, Problem> {
        Self::parse(request.head().query_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_query_with_an_unknown_csv_option_is_rejected() {
        let csv = |query: &str| ResultsQuery::parse(query).map(|query| query.csv).ok();
        assert_eq!(csv("limit=1&cursor=1-0"), Some(CsvOptions::default()));
        assert_eq!(csv("formulas=escaped&bom=true"), Some(CsvOptions { escapes_formulas: true, has_byte_order_mark: true }));
        assert_eq!(csv("formulas=verbatim&bom=false"), Some(CsvOptions::default()));
        for query in ["formulas=", "formulas=ESCAPED", "bom=1", "bom", "escaped=true"] {
            assert_eq!(csv(query), None, "{query}");
        }
    }
}
