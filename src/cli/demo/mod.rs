//! `demo`: the gateway and the simulator in one process, and tokens to call the gateway.

mod access;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use actix_web::web::Data;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use self::access::{Access, Tokens, shell_quoted};
use crate::app::AppState;
use crate::auth::{Algorithm, ClaimNames, Claims, Issuer, IssuerKey, Verifier, scope, sign_token};
use crate::batches::{BatchService, BatchSettings};
use crate::cli::command::{CommandResult, block_on};
use crate::cli::signals::{Hangup, Signals};
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

/// Files to which the demonstration writes its addresses and tokens.
#[derive(Debug, clap::Args)]
pub struct AccessFiles {
    /// Also write the two tokens, and the addresses of gateway and simulator, to this file, as JSON
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The same as variables of a shell, for `. FILE`: GATEWAY, TOKEN, AWARDING_TOKEN, SIMULATOR and CONTROL
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
}

/// Runs the demonstration until it is stopped. `is_unlimited` says that the rate limits reject no call.
pub fn run(listen: SocketAddr, files: &AccessFiles, is_unlimited: bool) -> CommandResult {
    let _trace_exporter = logging::init("warn", || None);
    let rates = if is_unlimited { Rates::unlimited() } else { Rates::default() };
    block_on(serve(listen, files, rates)).map_err(|error| vec![error])
}

async fn serve(listen: SocketAddr, files: &AccessFiles, rates: Rates) -> Result<(), String> {
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
    let api = server::bind(&[listen], options, state).map_err(|error| bind_error(&error))?;
    let access = Access::new(api.addresses[0], lrs_address, tokens);
    files.token_file.as_deref().map_or(Ok(()), |file| access.write_json(file))?;
    files.env_file.as_deref().map_or(Ok(()), |file| access.write_environment(file))?;
    // A closed standard output does not end the demonstration.
    let _ = write!(io::stdout(), "{}", welcome(&access, files.env_file.as_deref()));
    tokio::select! {
        result = api.server => result.map_err(|error| error.to_string()),
        result = lrs_server => result.map_err(|error| error.to_string()),
        _ = signals.shutdown() => Ok(()),
    }
}

/// Says what to do if another program has the address: port 8080 is a popular one.
fn bind_error(error: &io::Error) -> String {
    let advice =
        if error.kind() == io::ErrorKind::AddrInUse { ". Choose another address with --listen, such as 127.0.0.1:9080" } else { "" };
    format!("{error}{advice}")
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

fn welcome(access: &Access, env_file: Option<&Path>) -> String {
    let Access { gateway, lrs, tokens: Tokens { learning_provider, awarding_organisation }, .. } = access;
    let load_variables = env_file.map_or_else(String::new, |file| {
        // The absolute path works in any directory.
        let path = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        format!("To have the addresses and tokens as variables of another shell:  . {}\n\n", shell_quoted(&path.display().to_string()))
    });
    format!(
        r#"lrs-gateway demonstration: gateway at {gateway}, simulated LRS at {lrs}. Data is kept in memory only.

Documentation, with a page to try the API:  {gateway}/docs

{load_variables}Token of a learning provider:
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
