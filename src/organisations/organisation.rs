//! An organisation with its LRS credentials and its connections.

use secrecy::{ExposeSecret as _, SecretString};

use super::certificate::ClientCertificate;
use super::connections::Connections;
use super::rate_overrides::RateOverrides;
use crate::domain::{OrganisationRef, Product, Ukprn};
use crate::schema::{CodeList, InvalidValue};
use crate::tls::Validity;
use crate::xml::is_xml_char;

/// How an organisation is identified in messages to LRS's services `LearnerService` and `LearnerServiceR9`. `ExternalService` knows
/// organisations by their reference only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, CodeList)]
#[code_list(case = "snake_case")]
pub enum IdentifyBy {
    /// By its UKPRN.
    #[default]
    Ukprn,
    /// By its LRS reference.
    OrganisationRef,
    /// By both.
    Both,
}

/// The language of texts in learning events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, CodeList)]
#[code_list(name = "EventLanguage")]
pub enum Language {
    /// English.
    #[default]
    Eng,
    /// Welsh.
    Cym,
}

/// What messages to LRS say about an organisation, beside its password.
#[derive(Debug, Clone, Copy, Default)]
pub struct MessageOptions {
    /// How the organisation is identified. Its reference is required unless this is by UKPRN.
    pub identify_by: IdentifyBy,
    /// The language of its learning events.
    pub language: Language,
}

/// An organisation that is configured here, with what LRS has registered of it.
#[derive(Debug)]
pub struct Organisation {
    ukprn: Ukprn,
    name: String,
    organisation_ref: Option<OrganisationRef>,
    products: Vec<Product>,
    password: OrganisationPassword,
    connections: Connections,
    certificate_validity: Option<Validity>,
    rate_overrides: RateOverrides,
    message_options: MessageOptions,
}

/// Settings that an [`Organisation`] is created from.
#[derive(Debug)]
pub struct OrganisationSettings {
    /// UK Provider Reference Number.
    pub ukprn: Ukprn,
    /// Name.
    pub name: String,
    /// LRS reference.
    pub organisation_ref: Option<OrganisationRef>,
    /// Products that LRS has enabled for the organisation.
    pub products: Vec<Product>,
    /// LRS password.
    pub password: OrganisationPassword,
    /// Client certificate for LRS.
    pub client_certificate: Option<ClientCertificate>,
}

/// Creates the connections that present an organisation's client certificate.
pub trait ConnectionFactory: std::fmt::Debug + Send + Sync {
    /// Returns connections that are not shared with anyone else.
    ///
    /// # Errors
    /// Returns a text if the certificate cannot be used.
    fn connections(&self, certificate: Option<ClientCertificate>) -> Result<Connections, String>;
}

impl Organisation {
    /// Creates an organisation with its own connections.
    ///
    /// # Errors
    /// Returns a text if no HTTP client can be created.
    pub fn new(settings: OrganisationSettings, clients: &dyn ConnectionFactory) -> Result<Self, String> {
        let OrganisationSettings { ukprn, name, organisation_ref, products, password, client_certificate } = settings;
        let certificate_validity = client_certificate.as_ref().map(|certificate| certificate.details.validity);
        let connections = clients.connections(client_certificate)?;
        let (rate_overrides, message_options) = (RateOverrides::default(), MessageOptions::default());
        Ok(Self { ukprn, name, organisation_ref, products, password, connections, certificate_validity, rate_overrides, message_options })
    }

    /// Returns the organisation with other rate limits.
    #[must_use]
    pub fn with_rate_overrides(self, rate_overrides: RateOverrides) -> Self {
        Self { rate_overrides, ..self }
    }

    /// Returns the organisation with other options of its messages.
    #[must_use]
    pub fn with_message_options(self, message_options: MessageOptions) -> Self {
        Self { message_options, ..self }
    }

    /// Returns the rate limits that replace the configured ones.
    pub const fn rate_overrides(&self) -> RateOverrides {
        self.rate_overrides
    }

    /// Returns the UK Provider Reference Number.
    pub const fn ukprn(&self) -> &Ukprn {
        &self.ukprn
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the LRS reference.
    pub const fn organisation_ref(&self) -> Option<&OrganisationRef> {
        self.organisation_ref.as_ref()
    }

    /// Returns the UKPRN for a message to `LearnerService` or `LearnerServiceR9`; `None` if the reference alone identifies the organisation.
    pub fn message_ukprn(&self) -> Option<&Ukprn> {
        let has_reference_only = self.message_options.identify_by == IdentifyBy::OrganisationRef && self.organisation_ref.is_some();
        (!has_reference_only).then_some(&self.ukprn)
    }

    /// Returns the LRS reference for a message to `LearnerService` or `LearnerServiceR9`; `None` if the UKPRN alone identifies the organisation.
    pub fn message_organisation_ref(&self) -> Option<&OrganisationRef> {
        self.organisation_ref.as_ref().filter(|_| self.message_options.identify_by != IdentifyBy::Ukprn)
    }

    /// Returns LRS's code of the language of learning events.
    pub fn language(&self) -> &'static str {
        self.message_options.language.word()
    }

    /// Returns `true` if LRS has enabled the product for the organisation.
    pub fn has_product(&self, product: Product) -> bool {
        self.products.contains(&product)
    }

    /// Returns the products that LRS has enabled for the organisation.
    pub fn products(&self) -> &[Product] {
        &self.products
    }

    /// Returns the validity period of the client certificate, if there is one.
    pub const fn certificate_validity(&self) -> Option<Validity> {
        self.certificate_validity
    }

    /// Returns the LRS password, for the SOAP envelope.
    pub fn password(&self) -> &str {
        self.password.0.expose_secret()
    }

    /// Returns the organisation's own connections.
    pub const fn connections(&self) -> &Connections {
        &self.connections
    }
}

/// The password of an organisation at LRS: 16 characters. `Debug` does not print it.
#[derive(Clone)]
pub struct OrganisationPassword(SecretString);

impl OrganisationPassword {
    /// Parses a password.
    ///
    /// # Errors
    /// Returns [`InvalidValue`] unless it has exactly 16 characters that XML allows, not all of them blank (LRS-CONTRACT 4.1).
    pub fn new(text: &str) -> Result<Self, InvalidValue> {
        if text.chars().count() != 16 || text.trim().is_empty() {
            return Err(InvalidValue::new("invalid_password", "must be a password of exactly 16 characters, not all of them blank"));
        }
        if !text.chars().all(is_xml_char) {
            return Err(InvalidValue::new("invalid_password", "must be a password without characters that XML forbids"));
        }
        Ok(Self(SecretString::from(text)))
    }
}

impl std::fmt::Debug for OrganisationPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}
