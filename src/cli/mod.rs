//! The commands.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "commands speak to the person who runs them")]

pub mod connection_check;
pub mod demo;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use actix_web::web::Data;
use clap::{Parser, Subcommand};
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::app::AppState;
use crate::auth::{Claims, mint, scope};
use crate::batches::BatchError;
use crate::config::{Config, DevTokenIssuer};
use crate::domain::{Ukprn, Uln, UserName};
use crate::observability::metrics::Metrics;
use crate::observability::telemetry;
use crate::organisations::{Organisation, OrganisationRegistry};
use crate::schema::Scalar as _;
use crate::server::certificate::ServerCertificate;
use crate::server::connection_limits::ConnectionLimits;
use crate::server::{self, ServerOptions, openapi};
use crate::simulator::{self, Settings};
use crate::storage::encryption::DecryptError;

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
    /// Run gateway and LRS simulator in one process, with tokens to try them
    Demo {
        /// Address of the API
        #[arg(long, default_value = "127.0.0.1:8080")]
        listen: SocketAddr,
        /// Also write the two tokens to this file, as JSON
        #[arg(long)]
        token_file: Option<PathBuf>,
    },
    /// Run the LRS simulator alone
    Simulate {
        /// Simulator configuration (TOML); without it, the demonstration's organisations and learners
        #[arg(long)]
        config: Option<PathBuf>,
        /// Address to listen on, instead of the file's
        #[arg(long)]
        listen: Option<SocketAddr>,
    },
    /// Print the OpenAPI document
    Openapi {
        /// OpenAPI 3.0 instead of 3.1
        #[arg(long = "v3.0")]
        v3_0: bool,
        /// Compare the files in `openapi/` with the code instead, and fail if they differ
        #[arg(long)]
        check: bool,
    },
    /// Report every problem of a configuration, when certificates expire, and whether issuers' keys can be fetched
    CheckConfig {
        /// Configuration file (TOML)
        #[arg(long, env = "LRS_GATEWAY_CONFIG")]
        config: PathBuf,
        /// Then connect to LRS as this organisation, with its certificate; may be given more than once, or `all`
        #[arg(long, value_name = "UKPRN")]
        connect: Vec<String>,
    },
    /// Print the hashes that stand for ULNs in the audit trail; ULNs are read from standard input, one a line
    AuditHash {
        /// Configuration file (TOML)
        #[arg(long, env = "LRS_GATEWAY_CONFIG")]
        config: PathBuf,
    },
    /// Mint a development token (needs an issuer with `hmac_secret_file`)
    Token {
        /// Configuration file (TOML)
        #[arg(long, env = "LRS_GATEWAY_CONFIG")]
        config: PathBuf,
        /// UKPRN of the organisation
        #[arg(long)]
        organisation: String,
        /// The person, as LRS is told
        #[arg(long)]
        user: String,
        /// Scope; may be given more than once [default: all]
        #[arg(long)]
        scope: Vec<String>,
        /// Lifetime in seconds
        #[arg(long, default_value_t = 3600)]
        lifetime: u32,
    },
}

/// Runs the command. Problems go to standard error, each on a line, and the exit code is 1.
pub fn run() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Serve { config } => serve(&config),
        Command::Demo { listen, token_file } => {
            let _telemetry = telemetry::init("warn");
            block_on(demo::run(demo::Options { listen, token_file })).map_err(|problem| vec![problem])
        }
        Command::Simulate { config, listen } => simulate(config.as_deref(), listen),
        Command::Openapi { check: true, .. } => check_documents(Path::new("openapi")),
        Command::Openapi { v3_0, .. } => {
            print!("{}", if v3_0 { openapi::document_3_0() } else { openapi::document_3_1() });
            Ok(())
        }
        Command::CheckConfig { config, connect } => check_config(&config, &connect),
        Command::AuditHash { config } => audit_hash(&config),
        Command::Token { config, organisation, user, scope, lifetime } => token(&config, &organisation, &user, &scope, lifetime),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problems) => {
            for problem in problems {
                eprintln!("error: {problem}");
            }
            ExitCode::FAILURE
        }
    }
}

/// Other keys than the store was written with: going on would mix what neither side can read.
const UNKNOWN_ENCRYPTION_KEY: &str = "store.encryption_key_file: the store was written with another key. Give that key too, after the new one; \
    or, if what is stored may be lost, delete the key `<store.key_prefix>:shared` in Redis";

type Outcome = Result<(), Vec<String>>;

fn block_on<F: Future>(future: F) -> F::Output {
    actix_web::rt::System::new().block_on(future)
}

fn serve(path: &Path) -> Outcome {
    let telemetry = telemetry::init("info");
    let config = Config::load(path)?;
    for problem in &config.organisation_problems {
        tracing::error!(problem, "an organisation has a problem: check-config tells them all");
    }
    if let Some(problem) = &config.tls_problem {
        tracing::error!(problem, "callers will not trust the gateway");
    }
    let outcome = block_on(async {
        let bind_problem = |address: SocketAddr| move |error: std::io::Error| vec![format!("{address}: {error}")];
        let organisations = config.registry.len();
        let audit = config.audit.begin();
        let lrs = config.lrs.with_audit(audit.clone());
        let gateway = AppState::new(config.verifier, config.registry, lrs, config.jobs, config.limits, &config.storage);
        if let Err(error) = gateway.batches.verify_encryption_keys().await {
            if error == BatchError::Undecryptable(DecryptError::UnknownKey) {
                return Err(vec![UNKNOWN_ENCRYPTION_KEY.into()]);
            }
            tracing::error!(%error, "the store cannot be used: batches are not accepted until it can");
        }
        let engine = gateway.batch_worker();
        actix_web::rt::spawn(config.watch.watch(gateway.registry.clone().into_inner()));
        gateway.verifier.refresh_keys_periodically();
        let tls = config.tls.as_ref().map(ServerCertificate::server_config).transpose().map_err(|problem| vec![problem])?;
        if let Some(certificate) = config.tls {
            actix_web::rt::spawn(certificate.watch());
        }
        let bounds = ConnectionLimits { connections: config.max_connections, ..ConnectionLimits::default() };
        let serving = ServerOptions { workers: config.workers, tls, cors: config.cors, bounds };
        let metrics = Metrics::begin().map_err(|problem| vec![problem])?;
        actix_web::rt::spawn(metrics.clone().keep());
        let (observed, longest_request) = (gateway.readiness.clone(), gateway.longest_request());
        let admin = server::bind_admin(config.admin_listen, gateway.clone(), metrics).map_err(bind_problem(config.admin_listen))?;
        let api = server::bind(config.listen, serving, gateway).map_err(bind_problem(config.listen))?;
        if config.storage.redis.is_none() {
            tracing::warn!("batches are kept in memory: they are lost when this process ends. Set store.redis_url to keep them");
        }
        let asked_to_end = server::shutdown_signal();
        tracing::info!(api = %api.address, admin = %admin.address, organisations, store = config.storage.name(), "serving");
        let engine = engine.start();
        let (callers, operators) = (api.server.handle(), admin.server.handle());
        actix_web::rt::spawn(async move {
            asked_to_end.await;
            tracing::info!("about to end: not ready any more");
            observed.drain();
            tokio::time::sleep(config.drain).await;
            tokio::join!(engine.stop(longest_request), callers.stop(true));
            operators.stop(true).await;
        });
        tokio::try_join!(api.server, admin.server).map_err(|error| vec![error.to_string()])?;
        audit.end();
        tracing::info!("ended");
        Ok(())
    });
    telemetry.end();
    outcome
}

fn simulate(path: Option<&Path>, listen: Option<SocketAddr>) -> Outcome {
    let _telemetry = telemetry::init("info");
    let settings = path.map_or_else(|| Ok(Settings::default()), Settings::load)?;
    let simulator = Data::new(settings.simulator().map_err(|problem| vec![problem])?);
    let tls =
        settings.tls.as_ref().map(simulator::TlsFiles::server_config).transpose().map_err(|problem| vec![format!("tls: {problem}")])?;
    let listen = listen.unwrap_or(settings.listen);
    block_on(async {
        let learners = simulator.register().len();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (address, server) = simulator::bind(listen, tls, simulator).map_err(|error| vec![format!("{listen}: {error}")])?;
        tracing::info!(address = %format!("{scheme}://{address}"), learners, "simulating LRS");
        server.await.map_err(|error| vec![error.to_string()])
    })
}

/// The committed documents and the code must say the same.
fn check_documents(directory: &Path) -> Outcome {
    let documents = [("openapi.json", openapi::document_3_1()), ("openapi-3.0.json", openapi::document_3_0())];
    let differs = |(name, expected): &(&str, String)| {
        let path = directory.join(name);
        let same = std::fs::read_to_string(&path).is_ok_and(|text| text == *expected);
        (!same).then(|| format!("{} differs from the code: run `make openapi` and commit the result", path.display()))
    };
    let problems: Vec<String> = documents.iter().filter_map(differs).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn check_config(path: &Path, connect: &[String]) -> Outcome {
    let mut config = Config::load(path)?;
    let mut problems: Vec<String> = config.tls_problem.into_iter().chain(config.organisation_problems).collect();
    for (number, issuer, keys) in block_on(config.verifier.fetch_all()) {
        match keys {
            Ok(count) => config.remarks.push(format!("issuer {issuer}: {count} keys")),
            Err(problem) => problems.push(format!("auth.issuers.{number}.jwks_url: {problem}")),
        }
    }
    if config.storage.redis.is_some() {
        match block_on(config.jobs.inspect_encryption_keys()) {
            Ok(()) => config.remarks.push("store: Redis answers, and its keys are among ours".into()),
            Err(BatchError::Undecryptable(DecryptError::UnknownKey)) => problems.push(UNKNOWN_ENCRYPTION_KEY.into()),
            Err(error) => problems.push(format!("store.redis_url: {error}")),
        }
    }
    if problems.is_empty() {
        println!("{}: no problem found, {} organisations", path.display(), config.registry.len());
        for remark in config.remarks {
            println!("{remark}");
        }
    }
    // Connections are worth trying though other organisations have problems.
    for name in connect {
        let organisations = named(name, &config.registry);
        if organisations.is_empty() {
            problems.push(format!("--connect {name}: there is no such organisation that can be used"));
        }
        for organisation in organisations {
            match block_on(connection_check::connect(&config.lrs, &organisation)) {
                Ok(said) => println!("{said}"),
                Err(problem) => problems.push(problem),
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// The organisation of this UKPRN, or `all`.
fn named(name: &str, registry: &OrganisationRegistry) -> Vec<Arc<Organisation>> {
    if name != "all" {
        return Ukprn::parse(name).ok().and_then(|ukprn| registry.find(&ukprn)).into_iter().collect();
    }
    let mut organisations: Vec<_> = registry.snapshot().values().cloned().collect();
    organisations.sort_by(|one, other| one.ukprn().cmp(other.ukprn()));
    organisations
}

/// ULNs come on standard input, so that they do not stand in the list of processes or the history of a shell.
fn audit_hash(path: &Path) -> Outcome {
    let config = Config::load(path)?;
    let keys = config.audit.keys.ok_or_else(|| vec!["audit.key_file: is not set: there are no ULNs in the audit trail".to_owned()])?;
    for line in std::io::stdin().lines() {
        let line = line.map_err(|error| vec![format!("standard input: {error}")])?;
        let uln = Uln::parse(line.trim()).map_err(|invalid| vec![format!("a line of standard input: {}", invalid.detail)])?;
        println!("{}", keys.pseudonyms(uln.as_str()).collect::<Vec<_>>().join(" "));
    }
    Ok(())
}

fn token(path: &Path, organisation: &str, user: &str, scopes: &[String], lifetime: u32) -> Outcome {
    let mut problems = Vec::new();
    if let Err(invalid) = Ukprn::parse(organisation) {
        problems.push(format!("--organisation {}", invalid.detail));
    }
    if let Err(invalid) = UserName::parse(user) {
        problems.push(format!("--user {}", invalid.detail));
    }
    for unknown in scopes.iter().filter(|scope| !scope::ALL.contains(&scope.as_str())) {
        problems.push(format!("--scope {unknown}: must be one of {}", scope::ALL.join(", ")));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let minter = DevTokenIssuer::load(path)?;
    let scope = if scopes.is_empty() { scope::ALL.join(" ") } else { scopes.join(" ") };
    let mut claims: Claims = Claims::new();
    claims.insert("iss".into(), json!(minter.issuer));
    claims.insert("aud".into(), json!(minter.audience));
    claims.insert("exp".into(), json!(jiff::Timestamp::now().as_second() + i64::from(lifetime)));
    minter.claims.insert(&mut claims, organisation, user, &scope);
    println!("{}", mint(minter.secret.expose_secret(), &claims).map_err(|problem| vec![problem])?);
    Ok(())
}
