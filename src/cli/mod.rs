//! The commands of the program.
#![expect(clippy::print_stdout, reason = "commands print for the person who runs them")]

mod audit_hash;
mod check_config;
mod command;
mod connection_check;
mod demo;
mod file_limit;
mod openapi;
mod product_check;
mod serve;
mod signals;
mod simulate;
mod token;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::observability::log_writer::{FlushOnDrop, print_error};

/// A JSON gateway to the SOAP web services of the Learning Records Service (LRS).
#[derive(Debug, Parser)]
#[command(version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway
    Serve {
        /// Configuration file (TOML)
        #[arg(long, env = "LRS_GATEWAY_CONFIG")]
        config: PathBuf,
    },
    /// Run the gateway and the LRS simulator in one process, and print tokens to try them
    Demo {
        /// Address of the API
        #[arg(long, default_value = "127.0.0.1:8080")]
        listen: SocketAddr,
        #[command(flatten)]
        files: demo::AccessFiles,
        /// Raise the rate limits so far that they reject no call; for load tests and fuzzing only
        #[arg(long)]
        unlimited: bool,
    },
    /// Run the LRS simulator alone
    Simulate {
        /// Simulator configuration (TOML) [default: the organisations and learners of the demonstration]
        #[arg(long)]
        config: Option<PathBuf>,
        /// Address to listen on; overrides the configuration
        #[arg(long)]
        listen: Option<SocketAddr>,
        /// Directory with LRS's WSDL files, to serve at `?wsdl`; overrides the configuration
        #[arg(long, value_name = "DIRECTORY")]
        wsdl: Option<PathBuf>,
    },
    /// Print the OpenAPI document
    Openapi {
        /// Print OpenAPI 3.0 instead of 3.1
        #[arg(long = "v3.0")]
        v3_0: bool,
        /// Compare the files in `openapi/` with the code instead, and fail if they differ
        #[arg(long)]
        check: bool,
    },
    /// Check a configuration: report every error, the details of certificates, secrets that others can read, and whether issuers' keys and Redis are available
    CheckConfig {
        /// Configuration file (TOML)
        #[arg(long, env = "LRS_GATEWAY_CONFIG")]
        config: PathBuf,
        /// Also connect to LRS as this organisation, with its certificate; repeatable; `all` for every organisation
        #[arg(long, value_name = "UKPRN")]
        connect: Vec<String>,
        /// Also make one harmless call to LRS for each product of this organisation, with its password; repeatable; `all` for every
        /// organisation
        #[arg(long, value_name = "UKPRN")]
        verify: Vec<String>,
    },
    /// Print the pseudonyms of ULNs in the audit trail; reads ULNs from standard input, one per line
    AuditHash {
        /// Configuration file (TOML)
        #[arg(long, env = "LRS_GATEWAY_CONFIG")]
        config: PathBuf,
    },
    /// Print a development token; needs an issuer with `hmac_secret_file`
    Token {
        /// Configuration file (TOML)
        #[arg(long, env = "LRS_GATEWAY_CONFIG")]
        config: PathBuf,
        /// UKPRN of the organisation
        #[arg(long)]
        organisation: String,
        /// User name of the person, as sent to LRS
        #[arg(long)]
        user: String,
        /// Scope; repeatable [default: all]
        #[arg(long)]
        scope: Vec<String>,
        /// Lifetime in seconds
        #[arg(long, default_value_t = 3600)]
        lifetime: u32,
    },
}

/// Runs the command of the command line. Prints errors on standard error, one per line, and then returns exit code 1.
pub fn run() -> ExitCode {
    let _flush = FlushOnDrop;
    let result = match Cli::parse().command {
        Command::Serve { config } => serve::run(&config),
        Command::Demo { listen, files, unlimited } => demo::run(listen, &files, unlimited),
        Command::Simulate { config, listen, wsdl } => simulate::run(config.as_deref(), listen, wsdl),
        Command::Openapi { check: true, .. } => openapi::check(),
        Command::Openapi { v3_0, .. } => {
            openapi::print(v3_0);
            Ok(())
        }
        Command::CheckConfig { config, connect, verify } => check_config::run(&config, &connect, &verify),
        Command::AuditHash { config } => audit_hash::run(&config),
        Command::Token { config, organisation, user, scope, lifetime } => token::run(&config, &organisation, &user, &scope, lifetime),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(errors) => {
            for error in errors {
                print_error(&format!("error: {error}"));
            }
            ExitCode::FAILURE
        }
    }
}
