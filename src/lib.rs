//! A JSON gateway to the SOAP web services of the Learning Records Service (LRS).
//!
//! Start to read at the walkthrough of one call in `docs/ARCHITECTURE.md`. A call goes through these modules, in this order: [`server`]
//! (connections, request id, log), [`auth`] (token to caller), [`api`] (JSON to [`domain`] values) and [`lrs`] (SOAP request over the
//! organisation's own connection). The answer goes back the same way. `server/router.rs` lists every route.
//!
//! Comments such as "(LRS-CONTRACT 2.4)" name a section of `docs/LRS-CONTRACT.md`, the description of LRS's interface.

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
pub mod xml;
