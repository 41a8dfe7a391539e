//! SOAP 1.1 as LRS uses it: envelopes and faults. No operation is known here.

mod envelope;
mod fault;

pub use envelope::{ENVELOPE, SoapError, read_body, write_envelope};
pub use fault::Fault;
