//! Responses of LRS that are malformed, undocumented, or failures.

mod failures;
mod malformed;
mod undocumented;
