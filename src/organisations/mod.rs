//! The organisations the gateway acts for: their names, products, passwords and certificates.
//!
//! Each has its own HTTP client and so its own connections: what one organisation's connection carries is never another's.

mod certificate;
mod file;
mod watch;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;
use secrecy::{ExposeSecret as _, SecretString};

pub use certificate::ClientCertificate;
pub use watch::OrganisationWatcher;

use crate::domain::{OrganisationRef, Ukprn, UserName};
use crate::rate_limit::RateOverrides;
use crate::schema::{Constraints, InvalidValue, Scalar};
use crate::tls::Validity;

/// A group of LRS operations that LRS switches on together for an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Product {
    /// Find, register, update.
    UlnManagement,
    /// Registration batches.
    RegistrationBatches,
    /// Learning events (PLR).
    LearningEvents,
    /// Verifying learners, single and in batches.
    Verification,
    /// Achievement batches.
    AchievementBatches,
}

impl Product {
    const ALL: [(Self, &'static str); 5] = [
        (Self::UlnManagement, "uln-management"),
        (Self::RegistrationBatches, "registration-batches"),
        (Self::LearningEvents, "learning-events"),
        (Self::Verification, "verification"),
        (Self::AchievementBatches, "achievement-batches"),
    ];

    /// Its name in configuration and errors.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(product, _)| *product == self).map_or("", |(_, name)| name)
    }
}

impl serde::Serialize for Product {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl Scalar for Product {
    const CONSTRAINTS: Constraints = Constraints::new("A group of LRS operations.", "uln-management");

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        const UNKNOWN: InvalidValue = InvalidValue::new(
            "unknown_value",
            "must be one of uln-management, registration-batches, learning-events, verification, achievement-batches",
        );
        Self::ALL.iter().find(|(_, name)| *name == text).map(|(product, _)| *product).ok_or(UNKNOWN)
    }

    fn text(&self) -> std::borrow::Cow<'_, str> {
        self.name().into()
    }
}

/// The password LRS knows an organisation by: sixteen characters, never shown.
#[derive(Clone)]
pub struct OrganisationPassword(SecretString);

impl OrganisationPassword {
    /// Takes a password.
    ///
    /// # Errors
    /// [`Invalid`] unless it has sixteen characters that XML can carry, not all blank (FACTS 1.4).
    pub fn new(text: &str) -> Result<Self, InvalidValue> {
        if text.chars().count() != 16 || text.trim().is_empty() {
            return Err(InvalidValue::new("invalid_password", "must hold a password of exactly 16 characters"));
        }
        if !text.chars().all(crate::schema::is_xml_char) {
            return Err(InvalidValue::new("invalid_password", "must hold a password of characters that XML can carry"));
        }
        Ok(Self(SecretString::from(text)))
    }
}

impl std::fmt::Debug for OrganisationPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

/// Builds the HTTP client that shows an organisation's client certificate.
pub trait ClientFactory: std::fmt::Debug + Send + Sync {
    /// Returns a client with connections of its own.
    ///
    /// # Errors
    /// The reason why the certificate cannot be used.
    fn client(&self, identity: Option<ClientCertificate>) -> Result<reqwest::Client, String>;
}

/// An organisation registered with LRS, with what it takes to speak for it.
#[derive(Debug)]
pub struct Organisation {
    ukprn: Ukprn,
    name: String,
    organisation_ref: Option<OrganisationRef>,
    products: Vec<Product>,
    password: OrganisationPassword,
    http: reqwest::Client,
    certificate: Option<Validity>,
    limits: RateOverrides,
}

impl Organisation {
    /// Puts an organisation together, with connections of its own.
    ///
    /// # Errors
    /// What keeps the HTTP client from being built.
    pub fn new(
        ukprn: Ukprn,
        name: String,
        organisation_ref: Option<OrganisationRef>,
        products: Vec<Product>,
        password: OrganisationPassword,
        identity: Option<ClientCertificate>,
        clients: &dyn ClientFactory,
    ) -> Result<Self, String> {
        let certificate = identity.as_ref().map(|identity| identity.validity);
        let http = clients.client(identity)?;
        Ok(Self { ukprn, name, organisation_ref, products, password, http, certificate, limits: RateOverrides::default() })
    }

    /// With limits of its own.
    #[must_use]
    pub fn with_limits(self, limits: RateOverrides) -> Self {
        Self { limits, ..self }
    }

    /// Its limits, where they are not the usual ones.
    pub const fn limits(&self) -> RateOverrides {
        self.limits
    }

    /// Its UK Provider Reference Number.
    pub const fn ukprn(&self) -> &Ukprn {
        &self.ukprn
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its LRS reference.
    pub const fn organisation_ref(&self) -> Option<&OrganisationRef> {
        self.organisation_ref.as_ref()
    }

    /// May it use this product?
    pub fn has_product(&self, product: Product) -> bool {
        self.products.contains(&product)
    }

    /// The products it may use.
    pub fn products(&self) -> &[Product] {
        &self.products
    }

    /// When its client certificate is valid, if it has one.
    pub const fn certificate_validity(&self) -> Option<Validity> {
        self.certificate
    }

    /// Its LRS password, for the envelope.
    pub fn password(&self) -> &str {
        self.password.0.expose_secret()
    }

    /// Its own connections.
    pub const fn http_client(&self) -> &reqwest::Client {
        &self.http
    }
}

/// Where a call comes from, beside person and organisation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientIdentity {
    /// The request's id, or that of the one which submitted the batch.
    pub request_id: String,
    /// Who vouches for the caller.
    pub issuer: String,
    /// The program that called, by its name there: `azp` or `client_id` (RFC 9068), or `sub`. Empty if the token does not say.
    pub client: String,
    /// The batch and the number of its part.
    pub part: Option<(String, u32)>,
}

/// Who acts: a person of an organisation. Every call to LRS names both.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// The organisation, whose credentials and connections the call uses.
    pub organisation: Arc<Organisation>,
    /// The person, as LRS is told.
    pub user: UserName,
    /// Where the call comes from.
    pub client_identity: Arc<ClientIdentity>,
}

impl RequestContext {
    /// A person of an organisation, of whom nothing else is known.
    pub fn new(organisation: Arc<Organisation>, user: UserName) -> Self {
        Self { organisation, user, client_identity: Arc::default() }
    }
}

/// What reading the organisations has shown.
#[derive(Debug, Default)]
pub struct LoadReport {
    /// What is wrong, each with the file or organisation.
    pub problems: Vec<String>,
    /// What operators may want to know beside that.
    pub remarks: Vec<String>,
}

/// Every organisation the gateway acts for. It can change at any time; who acts for one keeps what it was when the request came.
#[derive(Debug, Default)]
pub struct OrganisationRegistry {
    organisations: RwLock<Arc<Organisations>>,
    /// How many files cannot be used as they are now.
    unusable: AtomicUsize,
}

/// The organisations by their UKPRNs.
type Organisations = HashMap<Ukprn, Arc<Organisation>>;

impl OrganisationRegistry {
    /// A registry of these.
    pub fn new(organisations: impl IntoIterator<Item = Organisation>) -> Self {
        let organisations: Organisations =
            organisations.into_iter().map(|organisation| (organisation.ukprn.clone(), Arc::new(organisation))).collect();
        Self { organisations: RwLock::new(Arc::new(organisations)), unusable: AtomicUsize::new(0) }
    }

    /// Those there are now.
    pub fn snapshot(&self) -> Arc<Organisations> {
        Arc::clone(&self.organisations.read())
    }

    /// Replaces them all.
    fn replace(&self, organisations: Organisations) {
        *self.organisations.write() = Arc::new(organisations);
    }

    /// So many files cannot be used as they are now.
    fn note_unusable(&self, files: usize) {
        self.unusable.store(files, Ordering::Relaxed);
    }

    /// How many organisations' files cannot be used as they are now: who was there before them goes on until the process ends.
    pub fn unusable(&self) -> usize {
        self.unusable.load(Ordering::Relaxed)
    }

    /// The organisation with this UKPRN.
    pub fn find(&self, ukprn: &Ukprn) -> Option<Arc<Organisation>> {
        self.snapshot().get(ukprn).cloned()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.snapshot().len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.snapshot().is_empty()
    }
}
