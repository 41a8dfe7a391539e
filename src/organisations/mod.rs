//! The organisations that the gateway serves: their names, products, passwords and client certificates.
//!
//! Each organisation has its own connections, so a connection never carries calls of two organisations.

mod call_context;
mod certificate;
mod connections;
mod disappearance;
mod file;
mod organisation;
mod rate_overrides;
mod registry;
mod requirements;
mod watch;

pub use call_context::{CallContext, CallOrigin, PartReference};
pub use certificate::ClientCertificate;
pub use connections::{BoxError, Connect, Connections, Exchange, RequestSender, SendError};
pub use file::OrganisationFile;
pub use organisation::{ConnectionFactory, IdentifyBy, Language, MessageOptions, Organisation, OrganisationPassword, OrganisationSettings};
pub use rate_overrides::{LimitOverride, RateOverrides};
pub use registry::{LoadReport, OrganisationRegistry};
pub use requirements::{LrsRequirements, secret_warning};
pub use watch::OrganisationWatcher;
