//! A JSON gateway to the SOAP web services of the Learning Records Service (LRS).
//!
//! The way of one request: [`server`] gives it an id and its limits, [`auth`] turns its token into a caller,
//! [`api`] reads its body into [`domain`] values, [`lrs`] sends them as SOAP over the connections of the caller's own
//! organisation ([`organisations`]) and brings back a typed answer or a classified failure, [`api`] says what that means,
//! and [`problem`] what went wrong if something did. [`form`] is how values, requests and answers are declared, [`files`] looks at those
//! that may change.
//!
//! Every call is written down in the [`audit`] trail, and counted against its [`limits`]; what replicas share is in [`storage`].
//!
//! Batches take longer: [`jobs`] keeps them, sends them in parts, follows them at LRS, and puts the results together.
//!
//! Beside that: [`gateway`] holds the parts, [`routes`] lists every route, [`openapi`] describes them with the [`problem_sets`] they end in,
//! [`documentation`] shows that, [`config`] reads settings, [`tls`], [`cors`], [`telemetry`] and
//! [`metrics`] do what their names say, [`own_certificate`] is what callers are shown, [`connections`] ends those that take too long,
//! [`background`] has the threads for connections to others, [`connect`] tries the connection to LRS, [`cli`] has the commands, [`simulator`] plays LRS and [`demo`] shows the two together.

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
