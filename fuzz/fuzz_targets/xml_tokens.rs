//! XML of any kind: plain documents are read without quick-xml, and the result must be that of quick-xml.
//!
//! Input: the document.

#![no_main]

#[path = "../../tests/support/xml_events.rs"]
mod xml_events;

use libfuzzer_sys::fuzz_target;
use lrs_gateway::xml::decode;

fuzz_target!(|input: &[u8]| {
    if let Ok(document) = decode(input) {
        xml_events::assert_read_alike(document);
    }
});
