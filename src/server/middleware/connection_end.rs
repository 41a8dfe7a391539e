//! Connections that end with an answer: the gateway is about to shut down, or the rest of the request's body is not read.

use actix_web::dev::ResponseHead;
use actix_web::http::ConnectionType;

/// Closes the connection after this response. The client opens another one for its next request, which can reach another replica.
pub fn announce(response: &mut ResponseHead) {
    response.set_connection_type(ConnectionType::Close);
}
