//! Connections while the gateway is about to shut down.

use actix_web::dev::ServiceResponse;
use actix_web::http::ConnectionType;

use crate::app::readiness::Readiness;

/// Closes the connection after this response if the gateway is draining, so that the client's next request goes to another replica.
pub fn close_connection<B>(response: &mut ServiceResponse<B>, readiness: &Readiness) {
    if readiness.is_draining() {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
}
