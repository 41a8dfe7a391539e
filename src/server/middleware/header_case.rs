//! The case of header names on the wire.

use actix_web::dev::ResponseHead;

/// Writes header names as most servers do: `Content-Type`. Names have no case (RFC 9110, 5.1), but some clients compare them as texts.
pub fn apply(head: &mut ResponseHead) {
    head.set_camel_case_headers(true);
}
