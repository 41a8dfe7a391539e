//! SOAP 1.1 as LRS uses it: writes envelopes ([`mod@write`]), reads responses ([`read`]) and faults ([`fault`]).
//!
//! No operation is known here. [`xml_mapping`] declares the XML names of a record once, in order, for reading and writing.

pub mod element;
pub mod fault;
pub mod read;
pub mod write;
pub mod xml_mapping;
pub mod xml_text;

/// The namespace of the SOAP 1.1 envelope.
pub const ENVELOPE: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// The namespace of `xsi:nil`.
pub const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
