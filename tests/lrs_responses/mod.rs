//! Responses of LRS to one search: malformed ones, undocumented ones that are accepted, irregular ones that cost one value, and
//! failures.

mod failures;
mod irregular;
mod malformed;
mod undocumented;
