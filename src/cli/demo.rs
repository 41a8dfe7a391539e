//! The demonstration: gateway and simulator in one process, and tokens to call it with.
#![expect(clippy::print_stdout, reason = "the first call to make is for the person who runs it")]

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use actix_web::web::Data;
use serde_json::json;

use crate::app::AppState;
use crate::auth::{Algorithm, ClaimNames, Claims, Issuer, IssuerKey, Verifier, mint, scope};
use crate::batches::{BatchService, BatchSettings};
use crate::file_watch;
use crate::lrs::http_client::HttpClientFactory;
use crate::lrs::{Lrs, LrsSettings};
use crate::organisations::{Organisation, OrganisationPassword, OrganisationRegistry};
use crate::rate_limit::{RateLimits, Rates};
use crate::server::{self, ServerOptions};
use crate::simulator::{self, Settings, SimulatedOrganisation};
use crate::storage::Storage;

const ISSUER: &str = "urn:lrs-gateway:demo";
const AUDIENCE: &str = "lrs-gateway";
/// How long the printed tokens last.
const TOKEN_LIFE: Duration = Duration::from_secs(12 * 60 * 60);

/// What a demonstration can be told.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the API listens.
    pub listen: SocketAddr,
    /// Where to write the two tokens as JSON.
    pub token_file: Option<PathBuf>,
}

/// The tokens of a demonstration.
#[derive(Clone, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    /// For a person of a learning provider, with every scope but those of awarding organisations.
    pub learning_provider: String,
    /// For a person of an awarding organisation.
    pub awarding_organisation: String,
}

/// Runs the demonstration until it is stopped.
///
/// # Errors
/// What keeps it from running.
pub async fn run(options: Options) -> Result<(), String> {
    let settings = Settings { organisations: SimulatedOrganisation::demonstration(), ..Settings::default() };
    let simulator = Data::new(settings.simulator()?);
    let (lrs_address, lrs_server) =
        simulator::bind(SocketAddr::from(([127, 0, 0, 1], 0)), None, simulator).map_err(|error| format!("the simulator: {error}"))?;

    let secret = [uuid::Uuid::new_v4().into_bytes(), uuid::Uuid::new_v4().into_bytes()].concat();
    let tokens = tokens(&secret, &settings.organisations)?;
    let lrs = LrsSettings::for_url(format!("http://{lrs_address}"));
    let storage = Storage::in_memory()?;
    let (jobs, limits) = (BatchService::with_storage(&storage, pace()), RateLimits::new(Rates::default(), 1, &storage));
    let gateway = AppState::new(verifier(&secret)?, registry(&settings.organisations)?, Lrs::new(lrs), jobs, limits, &storage);
    let _engine = gateway.batch_worker().start();
    let bound = server::bind(options.listen, ServerOptions { workers: 2, ..ServerOptions::default() }, gateway)
        .map_err(|error| format!("{}: {error}", options.listen))?;
    if let Some(file) = &options.token_file {
        let json = serde_json::to_vec_pretty(&tokens).map_err(|error| error.to_string())?;
        write_secret(file, &json).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    print!("{}", welcome(bound.address, lrs_address, &tokens));
    tokio::select! {
        ended = bound.server => ended.map_err(|error| error.to_string()),
        ended = lrs_server => ended.map_err(|error| error.to_string()),
        () = server::shutdown_signal() => Ok(()),
    }
}

/// The simulator's jobs take two seconds: there is no need to wait long.
fn pace() -> BatchSettings {
    BatchSettings { initial_poll_interval: Duration::from_secs(1), max_poll_interval: Duration::from_secs(5), ..BatchSettings::default() }
}

/// Writes a file that only its owner can read.
fn write_secret(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    file_watch::owner_only().write(true).create(true).truncate(true).open(file)?.write_all(bytes)
}

fn verifier(secret: &[u8]) -> Result<Verifier, String> {
    let algorithms = [Algorithm::HS256];
    Ok(Verifier::new(vec![Issuer::new(ISSUER, AUDIENCE, &algorithms, IssuerKey::from_secret(secret)?, ClaimNames::default())]))
}

fn registry(organisations: &[SimulatedOrganisation]) -> Result<OrganisationRegistry, String> {
    let transport = HttpClientFactory::new(None, Duration::from_secs(5))?;
    let organisations = organisations.iter().map(|organisation| {
        let password = OrganisationPassword::new(&organisation.password).map_err(|invalid| invalid.detail.to_string())?;
        let SimulatedOrganisation { ukprn, organisation_ref, products, .. } = organisation.clone();
        Organisation::new(ukprn, "Demonstration".into(), organisation_ref, products, password, None, &transport)
    });
    Ok(OrganisationRegistry::new(organisations.collect::<Result<Vec<_>, String>>()?))
}

fn tokens(secret: &[u8], organisations: &[SimulatedOrganisation]) -> Result<Tokens, String> {
    let awarding = ["learners:verify", "verification-batches", "achievement-batches"];
    let token = |number: usize, user: &str, scopes: &[&str]| {
        let ukprn = organisations.get(number).ok_or("the demonstration needs two organisations")?.ukprn.as_str();
        let exp = jiff::Timestamp::now().as_second() + i64::try_from(TOKEN_LIFE.as_secs()).unwrap_or(0);
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "exp": exp, "org": ukprn, "preferred_username": user, "scope": scopes.join(" "),
        });
        mint(secret, claims.as_object().unwrap_or(&Claims::new()))
    };
    let provider: Vec<&str> = scope::ALL.iter().copied().filter(|scope| *scope != "achievement-batches").collect();
    Ok(Tokens { learning_provider: token(0, "demo.registrar", &provider)?, awarding_organisation: token(1, "demo.examiner", &awarding)? })
}

fn welcome(api: SocketAddr, lrs: SocketAddr, tokens: &Tokens) -> String {
    let Tokens { learning_provider, awarding_organisation } = tokens;
    format!(
        r#"lrs-gateway demonstration: gateway at http://{api}, simulated LRS at http://{lrs}, nothing is stored.

Documentation and a page to try it:  http://{api}/docs

Token of a learning provider:
{learning_provider}

Token of an awarding organisation:
{awarding_organisation}

Your first call:

curl -s http://{api}/v1/learners/find-by-uln \
  -H 'Authorization: Bearer {learning_provider}' \
  -H 'Content-Type: application/json' \
  -d '{{"uln":"3000000126","givenName":"Ana","familyName":"O'\''Neill"}}'

"#
    )
}
