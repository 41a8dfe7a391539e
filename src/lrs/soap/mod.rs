//! SOAP 1.1 as LRS speaks it: writing envelopes ([`write`]), reading answers ([`read`]), and faults ([`fault`]).
//!
//! Nothing here knows an operation. [`wire!`] gives a record its XML names, in order, for both directions.

pub mod element;
pub mod fault;
pub mod read;
pub mod write;
pub mod xml_mapping;

/// The SOAP 1.1 envelope namespace.
pub const ENVELOPE: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// The namespace of `xsi:nil`.
pub const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
