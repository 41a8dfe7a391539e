//! Configuration: one TOML file, overridden by environment variables. Every error is reported in the same run.
//!
//! [`ConfigFile`] declares the sections and settings, [`GatewayParts::load`] reads them and builds the parts of the gateway. Paths in the file
//! are relative to the file. The environment variable `LRS_GATEWAY__SECTION__KEY` overrides the setting `key` of `[section]`. Items of a
//! list are numbered: `LRS_GATEWAY__AUTH__ISSUERS__0__AUDIENCE`.

mod audit;
mod conversions;
mod file;
mod issuers;
mod load;
mod lrs;
mod maintenance_file;
mod proxy;
mod read;
mod redis;
mod renamed;
mod secrets;
mod url;
mod validate;
mod variables;

pub use audit::AuditSettings;
pub use file::ConfigFile;
pub use issuers::DevTokenIssuer;
pub use load::GatewayParts;
pub use maintenance_file::{MaintenanceFile, MaintenanceWatcher};
pub use proxy::{trace_proxy, unused_proxy_variables};
pub use renamed::{MOVED_SETTINGS, MovedSetting, RENAMED_SETTINGS, RenamedSetting};
