//! The simulator's HTTP server.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::web::{self, Data, PayloadConfig};
use actix_web::{App, HttpServer};

use crate::simulator::state::Simulator;
use crate::simulator::{connection, control, endpoints, pages};

/// Maximum size of a message in bytes. LRS's own limit is not public; 10,000 achievements are 4 MB.
const MAX_MESSAGE_BYTES: usize = 32 * 1024 * 1024;

/// Time for which an idle connection stays open, as with IIS.
const KEEP_ALIVE: Duration = Duration::from_secs(120);

/// Binds the simulator to an address, with TLS if a TLS configuration is given. Returns the bound address and the server.
///
/// # Errors
/// Returns an error if the address cannot be bound.
pub fn bind(listen: SocketAddr, tls: Option<rustls::ServerConfig>, simulator: Data<Simulator>) -> std::io::Result<(SocketAddr, Server)> {
    let listener = TcpListener::bind(listen)?;
    let address = listener.local_addr()?;
    let server = HttpServer::new(move || {
        App::new()
            .app_data(simulator.clone())
            .app_data(PayloadConfig::new(MAX_MESSAGE_BYTES))
            .route(pages::MAINTENANCE_PATH, web::to(|| async { pages::maintenance_page() }))
            .configure(control::routes)
            .default_service(web::to(endpoints::handle))
    })
    .workers(1)
    .keep_alive(KEEP_ALIVE)
    .on_connect(connection::on_connect);
    let server = match tls {
        None => server.listen(listener)?,
        Some(tls) => server.listen_rustls_0_23(listener, tls)?,
    };
    Ok((address, server.run()))
}
