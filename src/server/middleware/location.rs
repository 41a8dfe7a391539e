//! The header `Location`.

use actix_web::dev::ServiceResponse;
use actix_web::http::header::{HeaderValue, LOCATION};

use crate::server::public_url::PublicUrl;

/// Makes the reference in `Location` absolute if the server's public address is known. Handlers write references that are relative to the
/// address of the request, so that they hold behind a proxy that adds a path (RFC 9110, 10.2.2).
pub fn make_absolute<B>(response: &mut ServiceResponse<B>, public_url: Option<&PublicUrl>) {
    let Some(public_url) = public_url else { return };
    let reference = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let absolute = reference.and_then(|reference| public_url.resolve(response.request().path(), reference));
    if let Some(absolute) = absolute.and_then(|absolute| HeaderValue::try_from(absolute).ok()) {
        response.headers_mut().insert(LOCATION, absolute);
    }
}
