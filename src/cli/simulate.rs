//! `simulate`: the LRS simulator.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use actix_web::web::Data;

use crate::cli::command::{CommandResult, block_on};
use crate::cli::signals::{Hangup, Signals};
use crate::observability::logging;
use crate::simulator::{self, SimulatorSettings, TlsFiles};

/// Runs the simulator until it is stopped.
pub fn run(config: Option<&Path>, listen: Option<SocketAddr>, wsdl_directory: Option<PathBuf>) -> CommandResult {
    let _trace_exporter = logging::init("info", || None);
    let mut settings = config.map_or_else(|| Ok(SimulatorSettings::default()), SimulatorSettings::load)?;
    settings.wsdl_directory = wsdl_directory.or(settings.wsdl_directory);
    let simulator = Data::new(settings.build_simulator().map_err(|error| vec![error])?);
    let tls = settings.tls.as_ref().map(TlsFiles::server_config).transpose().map_err(|error| vec![format!("tls: {error}")])?;
    let listen = listen.unwrap_or(settings.listen);
    block_on(async {
        let mut signals = Signals::catch(Hangup::ShutsDown);
        let learners = simulator.register().len();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (address, server) = simulator::bind(listen, tls, simulator).map_err(|error| vec![format!("{listen}: {error}")])?;
        tracing::info!(address = %format!("{scheme}://{address}"), learners, "simulating LRS");
        tokio::select! {
            result = server => result.map_err(|error| vec![error.to_string()]),
            _ = signals.shutdown() => Ok(()),
        }
    })
}
