//! Validation and authentication of requests: message form, organisation, password and product.

use crate::domain::{OrganisationRef, Product};
use crate::simulator::schema::{Sequence, Violation, validate};
use crate::simulator::simulated_organisation::SimulatedOrganisation;
use crate::simulator::state::Simulator;
use crate::xml::Element;

/// The credentials of a request. A value that the request does not have is empty.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    pub ukprn: &'a str,
    pub organisation_ref: &'a str,
    pub password: &'a str,
}

/// The reason why credentials are not sufficient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialError {
    UnknownOrganisation,
    WrongPassword,
    ProductNotEnabled,
}

/// A rejection by the learner service, which becomes a fault (LRS-CONTRACT 7.2).
#[derive(Debug)]
pub struct Refusal {
    pub code: &'static str,
    /// The element at fault.
    pub element: String,
    pub further_details: String,
}

impl CredentialError {
    /// Returns the names of the elements at fault.
    pub const fn elements(self) -> &'static str {
        match self {
            Self::UnknownOrganisation => "UKPRN, OrganisationRef",
            Self::WrongPassword => "OrgPassword",
            Self::ProductNotEnabled => "operation",
        }
    }

    /// Returns LRS's code of the error.
    pub const fn code(self) -> &'static str {
        match self {
            Self::UnknownOrganisation => "WSEC0003",
            Self::WrongPassword => "WSEC0005",
            Self::ProductNotEnabled => "WSEC0006",
        }
    }
}

impl Refusal {
    /// Returns a refusal with this code, because of this element.
    pub fn new(code: &'static str, element: &str, further_details: String) -> Self {
        Self { code, element: element.to_owned(), further_details }
    }
}

impl From<Violation> for Refusal {
    fn from(violation: Violation) -> Self {
        let element = violation.element().to_owned();
        Self { code: "WSEC0001", element, further_details: violation.into_text() }
    }
}

impl From<CredentialError> for Refusal {
    fn from(error: CredentialError) -> Self {
        Self::new(error.code(), error.elements(), String::new())
    }
}

/// Validates a request to the learner service and checks its credentials. Returns the UKPRN of the organisation.
///
/// # Errors
/// Returns a [`Refusal`] if the request breaks the schema or its credentials are not sufficient.
pub fn admit<'s>(simulator: &'s Simulator, request: &Element, sequence: Sequence, product: Product) -> Result<&'s str, Refusal> {
    validate(request, sequence)?;
    let credentials = Credentials {
        ukprn: request.text_of("UKPRN"),
        organisation_ref: request.text_of("OrganisationRef"),
        password: request.text_of("OrgPassword"),
    };
    Ok(check_credentials(simulator, &credentials, product)?)
}

/// Checks organisation, password and product. Returns the UKPRN of the organisation.
///
/// # Errors
/// Returns a [`CredentialError`] if one of the three is wrong.
pub fn check_credentials<'s>(
    simulator: &'s Simulator,
    credentials: &Credentials<'_>,
    product: Product,
) -> Result<&'s str, CredentialError> {
    let organisation = find_organisation(simulator, credentials).ok_or(CredentialError::UnknownOrganisation)?;
    if organisation.password != credentials.password {
        return Err(CredentialError::WrongPassword);
    }
    if !organisation.products.contains(&product) {
        return Err(CredentialError::ProductNotEnabled);
    }
    Ok(organisation.ukprn.as_str())
}

/// Finds the organisation with the UKPRN or the LRS reference. If the request has both, both must be the organisation's.
fn find_organisation<'s>(simulator: &'s Simulator, credentials: &Credentials<'_>) -> Option<&'s SimulatedOrganisation> {
    let Credentials { ukprn, organisation_ref, .. } = *credentials;
    let mut organisations = simulator.organisations().iter();
    organisations.find(|organisation| {
        let known_ref = organisation.organisation_ref.as_ref().map(OrganisationRef::as_str);
        let has_ukprn = ukprn.is_empty() || organisation.ukprn.as_str() == ukprn;
        let has_ref = organisation_ref.is_empty() || known_ref == Some(organisation_ref);
        has_ukprn && has_ref && !(ukprn.is_empty() && organisation_ref.is_empty())
    })
}
