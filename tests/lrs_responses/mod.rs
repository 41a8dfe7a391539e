//! Responses of LRS to one search: malformed ones, undocumented ones that are accepted, and failures.

mod failures;
mod malformed;
mod undocumented;
