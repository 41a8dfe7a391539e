//! The macros that declare records.

mod answer;
mod input;
mod request;

pub(crate) use answer::{answer, component_name, describe, doc_line};
pub(crate) use input::{absent_value, input};
pub(crate) use request::{request, stored_request};
