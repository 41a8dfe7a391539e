//! The address of LRS and of its services.

use reqwest::Url;

use crate::lrs::http_client::Endpoint;
use crate::lrs::operation::Service;

/// The address of LRS.
#[derive(Debug, Clone)]
pub struct LrsAddress {
    base_url: String,
    learner: Endpoint,
    learner_r9: Endpoint,
    external: Endpoint,
}

impl LrsAddress {
    /// Creates the address from LRS's base URL, without a slash at the end. The services' paths are appended to it.
    ///
    /// # Errors
    /// Returns a text if it is not the address of a web server.
    pub fn new(base_url: String) -> Result<Self, String> {
        let endpoint = |service: Service| {
            let url = Url::parse(&format!("{base_url}{}", service.path())).map_err(|error| error.to_string())?;
            Endpoint::new(url)
        };
        let (learner, learner_r9, external) = (endpoint(Service::Learner)?, endpoint(Service::LearnerR9)?, endpoint(Service::External)?);
        Ok(Self { base_url, learner, learner_r9, external })
    }

    /// Returns the base URL.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Returns the address of a service.
    pub const fn service(&self, service: Service) -> &Endpoint {
        match service {
            Service::Learner => &self.learner,
            Service::LearnerR9 => &self.learner_r9,
            Service::External => &self.external,
        }
    }
}
