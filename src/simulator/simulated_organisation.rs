//! Organisations that the simulator knows.

use std::fmt;

use crate::domain::{OrganisationRef, Product, Ukprn};
use crate::schema::{Scalar as _, Settings};
use crate::xml::is_xml_char;

/// Length of an LRS password in characters.
const PASSWORD_LENGTH: usize = 16;

/// An organisation that can call the simulator.
#[derive(Clone, Settings)]
#[setting(page)]
pub struct SimulatedOrganisation {
    /// UKPRN.
    pub ukprn: Ukprn,
    /// LRS organisation reference.
    pub organisation_ref: Option<OrganisationRef>,
    /// LRS password, 16 characters.
    pub password: String,
    /// Products that LRS has switched on for the organisation.
    pub products: Vec<Product>,
}

/// Shows the UKPRN only, not the password.
impl fmt::Debug for SimulatedOrganisation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedOrganisation").field("ukprn", &self.ukprn).finish_non_exhaustive()
    }
}

impl SimulatedOrganisation {
    /// Returns the organisations of the demonstration: a learning provider and an awarding organisation.
    ///
    /// # Panics
    /// Never: the organisations are valid constants.
    pub fn demonstration() -> Vec<Self> {
        const VALID: &str = "the constant is valid";
        let organisation = |ukprn, reference, password: &str, products: &[Product]| Self {
            ukprn: Ukprn::parse(ukprn).expect(VALID),
            organisation_ref: Some(OrganisationRef::parse(reference).expect(VALID)),
            password: password.to_owned(),
            products: products.to_vec(),
        };
        vec![
            organisation(
                "10088881",
                "DEMO01",
                "demo-password-01",
                &[
                    Product::UlnManagement,
                    Product::RegistrationBatches,
                    Product::LearningEvents,
                    Product::Verification,
                    Product::VerificationBatches,
                    Product::RetrieveUlns,
                ],
            ),
            organisation(
                "10088882",
                "DEMO02",
                "demo-password-02",
                &[Product::Verification, Product::VerificationBatches, Product::AchievementBatches],
            ),
        ]
    }

    /// Checks that LRS could have given the organisation this password.
    ///
    /// # Errors
    /// Returns a text that says what the password must be.
    pub fn check_password(&self) -> Result<(), &'static str> {
        if self.password.chars().count() != PASSWORD_LENGTH || self.password.trim().is_empty() {
            return Err("must have exactly 16 characters that are not all spaces");
        }
        if !self.password.chars().all(is_xml_char) {
            return Err("must have only characters that XML allows");
        }
        Ok(())
    }
}
