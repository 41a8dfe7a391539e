//! `demo`: the gateway and the simulator in one process, and tokens to call the gateway.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use actix_web::web::Data;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::app::AppState;
use crate::auth::{Algorithm, ClaimNames, Claims, Issuer, IssuerKey, Verifier, scope, sign_token};
use crate::batches::{BatchService, BatchSettings};
use crate::cli::command::{CommandResult, block_on};
use crate::cli::signals::{Hangup, Signals};
use crate::file_watch;
use crate::lrs::http_client::HttpClientFactory;
use crate::lrs::{Lrs, LrsAddress, LrsSettings};
use crate::observability::logging;
use crate::organisations::{Organisation, OrganisationPassword, OrganisationRegistry, OrganisationSettings};
use crate::rate_limit::{RateLimiter, Rates};
use crate::server::{self, ServerOptions};
use crate::simulator::{self, SimulatedOrganisation, SimulatorSettings};
use crate::storage::Storage;

const ISSUER: &str = "urn:lrs-gateway:demo";
const AUDIENCE: &str = "lrs-gateway";

/// Lifetime of the printed tokens.
const TOKEN_LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);

/// Threads that serve the API.
const WORKERS: usize = 2;

/// Scopes of the awarding organisation's token.
const AWARDING_SCOPES: [&str; 3] = ["learners:verify", "verification-batches", "achievement-batches"];

/// What a program needs to call a demonstration.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Access {
    /// URL of the gateway.
    gateway: String,
    /// URL of the simulated LRS.
    lrs: String,
    /// URL of the simulator's control endpoints.
    lrs_control: String,
    #[serde(flatten)]
    tokens: Tokens,
}

/// The tokens of a demonstration.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Tokens {
    /// For a person of a learning provider. It has every scope but the one for achievements, which awarding organisations submit.
    learning_provider: String,
    /// For a person of an awarding organisation.
    awarding_organisation: String,
}

/// Runs the demonstration until it is stopped. Writes addresses and tokens to `token_file`, if given. `is_unlimited` says that the rate limits
/// reject no call.
pub fn run(listen: SocketAddr, token_file: Option<&Path>, is_unlimited: bool) -> CommandResult {
    let _trace_exporter = logging::init("warn", || None);
    let rates = if is_unlimited { Rates::unlimited() } else { Rates::default() };
    block_on(serve(listen, token_file, rates)).map_err(|error| vec![error])
}

async fn serve(listen: SocketAddr, token_file: Option<&Path>, rates: Rates) -> Result<(), String> {
    let mut signals = Signals::catch(Hangup::ShutsDown);
    let settings = SimulatorSettings { organisations: SimulatedOrganisation::demonstration(), ..SimulatorSettings::default() };
    let simulator = Data::new(settings.build_simulator()?);
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let (lrs_address, lrs_server) = simulator::bind(any_port, None, simulator).map_err(|error| format!("simulator: {error}"))?;

    let secret = [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat();
    let tokens = tokens(&secret, &settings.organisations)?;
    let state = app_state(lrs_address, &secret, &settings.organisations, rates)?;
    let _worker = state.batch_worker().start();
    let options = ServerOptions { workers: WORKERS, ..ServerOptions::default() };
    let api = server::bind(&[listen], options, state).map_err(|error| error.to_string())?;
    let access = Access::new(api.addresses[0], lrs_address, tokens);
    if let Some(file) = token_file {
        let json = serde_json::to_vec_pretty(&access).map_err(|error| error.to_string())?;
        write_secret(file, &json).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    // A closed standard output does not end the demonstration.
    let _ = write!(std::io::stdout(), "{}", welcome(&access));
    tokio::select! {
        result = api.server => result.map_err(|error| error.to_string()),
        result = lrs_server => result.map_err(|error| error.to_string()),
        _ = signals.shutdown() => Ok(()),
    }
}

impl Access {
    fn new(gateway: SocketAddr, lrs: SocketAddr, tokens: Tokens) -> Self {
        let (gateway, lrs) = (format!("http://{}", reachable(gateway)), format!("http://{lrs}"));
        Self { gateway, lrs_control: format!("{lrs}{}", simulator::CONTROL_PATH), lrs, tokens }
    }
}

/// Returns the address with which programs of this machine reach a listener: one that listens on every address is reached on loopback.
fn reachable(listener: SocketAddr) -> SocketAddr {
    let loopback: IpAddr = if listener.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
    if listener.ip().is_unspecified() { SocketAddr::new(loopback, listener.port()) } else { listener }
}

fn app_state(lrs_address: SocketAddr, secret: &[u8], organisations: &[SimulatedOrganisation], rates: Rates) -> Result<AppState, String> {
    let lrs = Lrs::new(LrsSettings::for_address(LrsAddress::new(format!("http://{lrs_address}"))?));
    let storage = Storage::in_memory()?;
    let batches = BatchService::with_storage(&storage, batch_settings());
    let rate_limits = RateLimiter::new(rates, 1, &storage);
    Ok(AppState::new(verifier(secret)?, registry(organisations)?, lrs, batches, rate_limits, &storage))
}

/// Returns settings with short poll intervals: the simulator's jobs take two seconds.
fn batch_settings() -> BatchSettings {
    BatchSettings { initial_poll_interval: Duration::from_secs(1), max_poll_interval: Duration::from_secs(5), ..BatchSettings::default() }
}

fn verifier(secret: &[u8]) -> Result<Verifier, String> {
    let key = IssuerKey::from_hmac_secret(secret)?;
    Ok(Verifier::new(vec![Issuer::new(ISSUER, AUDIENCE, &[Algorithm::HS256], key, ClaimNames::default())]))
}

fn registry(organisations: &[SimulatedOrganisation]) -> Result<OrganisationRegistry, String> {
    let http_clients = HttpClientFactory::new(None, Duration::from_secs(5))?;
    let organisations = organisations.iter().map(|organisation| {
        let password = OrganisationPassword::new(&organisation.password).map_err(|invalid| invalid.detail.to_string())?;
        let SimulatedOrganisation { ukprn, organisation_ref, products, .. } = organisation.clone();
        let name = "Demonstration".to_owned();
        let settings = OrganisationSettings { ukprn, name, organisation_ref, products, password, client_certificate: None };
        Organisation::new(settings, &http_clients)
    });
    Ok(OrganisationRegistry::new(organisations.collect::<Result<Vec<_>, String>>()?))
}

fn tokens(secret: &[u8], organisations: &[SimulatedOrganisation]) -> Result<Tokens, String> {
    let expiry = Timestamp::now().as_second() + i64::try_from(TOKEN_LIFETIME.as_secs()).unwrap_or(0);
    let token = |organisation: usize, user: &str, scopes: &[&str]| {
        let ukprn = organisations.get(organisation).ok_or("the demonstration needs two organisations")?.ukprn.as_str();
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "exp": expiry, "org": ukprn, "preferred_username": user, "scope": scopes.join(" "),
        });
        sign_token(secret, claims.as_object().unwrap_or(&Claims::new()))
    };
    let provider_scopes: Vec<&str> = scope::ALL.iter().copied().filter(|scope| *scope != "achievement-batches").collect();
    Ok(Tokens {
        learning_provider: token(0, "demo.registrar", &provider_scopes)?,
        awarding_organisation: token(1, "demo.examiner", &AWARDING_SCOPES)?,
    })
}

/// Writes a file that only its owner can read.
fn write_secret(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    file_watch::owner_only_options().write(true).create(true).truncate(true).open(file)?.write_all(bytes)
}

fn welcome(access: &Access) -> String {
    let Access { gateway, lrs, tokens: Tokens { learning_provider, awarding_organisation }, .. } = access;
    format!(
        r#"lrs-gateway demonstration: gateway at {gateway}, simulated LRS at {lrs}. Data is kept in memory only.

Documentation, with a page to try the API:  {gateway}/docs

Token of a learning provider:
{learning_provider}

Token of an awarding organisation:
{awarding_organisation}

Your first call:

curl -s {gateway}/v1/learners/find-by-uln \
  -H 'Authorization: Bearer {learning_provider}' \
  -H 'Content-Type: application/json' \
  -d '{{"uln":"3000000126","givenName":"Ana","familyName":"O'\''Neill"}}'

"#
    )
}
