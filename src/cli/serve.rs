//! `serve`: the composition root. It builds the gateway from its configuration, and runs it until a signal ends it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::rt::spawn;

use crate::app::AppState;
use crate::app::readiness::Readiness;
use crate::auth::Verifier;
use crate::batches::BatchError;
use crate::batches::worker::WorkerHandle;
use crate::cli::command::{CommandResult, block_on};
use crate::cli::file_limit;
use crate::cli::signals::{Hangup, SignalEvent, Signals};
use crate::config::{GatewayParts, trace_proxy};
use crate::file_watch::ReloadTrigger;
use crate::observability::logging;
use crate::observability::metrics::Metrics;
use crate::server::certificate::ServerCertificate;
use crate::server::docs::site::Site;
use crate::server::{self, ServerOptions};
use crate::storage::encryption::CipherError;
use crate::storage::{INSPECTION_INTERVAL, Storage, StoreFault};

/// Error if the store was written with a key that is not in the key file. The gateway does not start: it would write records with another
/// key, and no gateway could read them all.
pub const UNKNOWN_ENCRYPTION_KEY: &str = "store.encryption_key_file: the store was written with another key. Add that key to the file, \
    after the new one. If the stored data can be lost, delete the key `<store.key_prefix>:shared` in Redis instead";

/// Runs the gateway.
pub fn run(config: &Path) -> CommandResult {
    let trace_exporter = logging::init("info", || trace_proxy(config));
    let result = block_on(async {
        // First, so that no signal ends the process while the configuration is loaded.
        let signals = Signals::catch(Hangup::Reloads);
        let parts = GatewayParts::load(config)?;
        parts.organisation_report.log();
        if let Some(error) = &parts.tls_error {
            tracing::error!(error, "server certificate not valid: clients will refuse to connect");
        }
        serve(parts, signals).await
    });
    trace_exporter.shutdown();
    result
}

async fn serve(parts: GatewayParts, mut signals: Signals) -> CommandResult {
    let organisations = parts.registry.len();
    let needed_descriptors = file_limit::needed(parts.connection_limits.max_connections, parts.workers, organisations);
    if let Some(limit) = file_limit::raise().filter(|limit| *limit < needed_descriptors) {
        tracing::warn!(limit, needed = needed_descriptors, "limit of open files too low: calls can fail. Raise LimitNOFILE or `ulimit -n`");
    }
    let audit = parts.audit.start();
    let lrs = parts.lrs.with_audit(audit.clone());
    let state = AppState::new(parts.verifier, parts.registry, lrs, parts.batches, parts.rate_limits, &parts.storage)
        .with_request_memory(parts.request_memory);
    inspect_store(&parts.storage).await?;
    verify_store(&state).await?;
    let worker = state.batch_worker();
    let reload_trigger = ReloadTrigger::new();
    spawn(parts.organisation_watcher.watch(state.registry.clone(), reload_trigger.requests()));
    if let Some(watcher) = parts.maintenance_watcher {
        spawn(watcher.watch(reload_trigger.requests()));
    }
    state.verifier.refresh_keys_periodically();
    let tls = parts.tls.as_ref().map(ServerCertificate::server_config).transpose().map_err(|error| vec![error])?;
    if let Some(certificate) = parts.tls {
        spawn(certificate.watch(reload_trigger.requests()));
    }
    let options = ServerOptions {
        workers: parts.workers,
        tls,
        cors: parts.cors,
        public_url: parts.public_url,
        has_docs: parts.has_docs,
        connection_limits: parts.connection_limits,
        trusted_proxies: parts.trusted_proxies,
    };
    let metrics = Metrics::install().map_err(|error| vec![error])?;
    spawn(metrics.clone().run_upkeep());
    let (readiness, verifier) = (state.readiness.clone(), state.verifier.clone());
    let max_request_duration = state.max_request_duration();
    let admin = server::bind_admin(&parts.admin_listen, state.clone(), metrics).map_err(|error| vec![error.to_string()])?;
    let api = server::bind(&parts.listen, options, state).map_err(|error| vec![error.to_string()])?;
    if let Some(Err(error)) = api.site.clone().map(Site::prepare) {
        tracing::warn!(%error, "documentation not prepared: its first request takes longer");
    }
    if parts.storage.redis.is_none() {
        tracing::warn!("batches kept in memory: they are lost when this process ends. Set store.redis_url to keep them");
    }
    tracing::info!(api = api.address_list(), admin = admin.address_list(), organisations, store = parts.storage.backend_name(), "serving");
    let shutdown = GracefulShutdown {
        readiness,
        drain: parts.drain,
        worker: worker.start(),
        max_request_duration,
        api: api.server.handle(),
        admin: admin.server.handle(),
    };
    spawn(async move {
        let signal = loop {
            match signals.next().await {
                SignalEvent::Shutdown(signal) => break signal,
                SignalEvent::Reload => {
                    tracing::info!("SIGHUP: organisations, maintenance windows, server certificate and issuer key sets are read again");
                    reload_trigger.request();
                    spawn(fetch_key_sets(verifier.clone()));
                }
            }
        };
        shutdown.run(signal).await;
    });
    let served = tokio::try_join!(api.server, admin.server);
    // Also after an error: the last lines of the audit trail must be written before the process ends.
    audit.shut_down();
    served.map_err(|error| vec![error.to_string()])?;
    tracing::info!("stopped");
    Ok(())
}

/// Fetches the issuers' key sets. Changes and errors are logged by their clients.
async fn fetch_key_sets(verifier: Arc<Verifier>) {
    let fetched = verifier.fetch_key_sets().await.len();
    tracing::info!(fetched, "issuer key sets reloaded");
}

/// Checks that Redis is a master of a version that has all commands, and goes on to look at its settings: they can change while the gateway
/// runs.
///
/// The gateway starts with a Redis that can lose data, because single calls do not need it.
async fn inspect_store(storage: &Storage) -> CommandResult {
    let Some(redis) = storage.redis.clone() else { return Ok(()) };
    if let Ok(inspection) = redis.inspect().await {
        let faults = inspection.sentences(StoreFault::is_fatal);
        if !faults.is_empty() {
            return Err(faults.into_iter().map(|sentence| format!("store.redis_url: {sentence}")).collect());
        }
    }
    spawn(async move {
        loop {
            tokio::time::sleep(INSPECTION_INTERVAL).await;
            // The result is logged, and an unavailable store by its users.
            let _ = redis.inspect().await;
        }
    });
    Ok(())
}

/// Checks the store and its encryption keys. The gateway starts even if the store is unavailable: it answers single calls without it.
async fn verify_store(state: &AppState) -> CommandResult {
    match state.batches.verify_encryption_keys().await {
        Ok(()) => {
            if let Ok(others) = state.batches.other_lrs().await
                && !others.is_empty()
            {
                tracing::warn!(others = others.join(" "), "store shared with gateways of another LRS: their batches are left alone");
            }
            Ok(())
        }
        Err(BatchError::Cipher(CipherError::UnknownKey)) => Err(vec![UNKNOWN_ENCRYPTION_KEY.into()]),
        Err(error) => {
            tracing::error!(%error, "store unavailable: batches are not accepted until it is available");
            Ok(())
        }
    }
}

/// The parts of the gateway that take part in a graceful shutdown.
struct GracefulShutdown {
    readiness: Arc<Readiness>,
    /// Time after the shutdown request in which the gateway still takes requests, but is no longer ready.
    drain: Duration,
    worker: WorkerHandle,
    max_request_duration: Duration,
    api: ServerHandle,
    admin: ServerHandle,
}

impl GracefulShutdown {
    /// Drains, then stops the worker and the API, and the admin listener last, so that operators can watch the shutdown.
    async fn run(self, signal: &'static str) {
        tracing::info!(signal, "shutdown requested: no longer ready, draining");
        self.readiness.start_draining();
        tokio::time::sleep(self.drain).await;
        tokio::join!(self.worker.stop(self.max_request_duration), self.api.stop(true));
        self.admin.stop(true).await;
    }
}
