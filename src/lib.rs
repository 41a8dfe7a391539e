//! A JSON gateway to the SOAP web services of the Learning Records Service (LRS).
//!
//! Start to read at `server/router.rs`: it lists every route. A call goes through these modules, in this order: [`server`] (connections,
//! request id, log), [`auth`] (token to caller), [`api`] (JSON to [`domain`] values) and [`lrs`] (SOAP request over the organisation's own
//! connection). The response goes back the same way. `cli/serve.rs` builds the gateway from its parts. `docs/ARCHITECTURE.md` describes
//! every module.

pub mod api;
pub mod app;
pub mod auth;
pub mod batches;
pub mod cli;
pub mod config;
pub mod domain;
pub mod error_chain;
pub mod file_watch;
pub mod idempotency;
pub mod io_runtime;
pub mod lrs;
pub mod observability;
pub mod organisations;
pub mod problem;
pub mod rate_limit;
pub mod schema;
pub mod server;
pub mod simulator;
pub mod storage;
pub mod tls;
