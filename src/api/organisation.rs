//! The caller's own organisation.

use crate::api::json::Json;
use crate::api::timestamp::Timestamp;
use crate::app::State;
use crate::auth::Caller;
use crate::auth::scope::NoScope;
use crate::domain::{OrganisationRef, Product, Ukprn};
use crate::rate_limit::Limit;
use crate::schema::{Answer, CodeList};
use crate::tls::Validity;

/// The organisation named in the token, as registered with this gateway.
#[derive(Debug, Answer)]
pub struct OrganisationState {
    /// The organisation's UKPRN.
    pub ukprn: Ukprn,
    /// Name.
    #[answer(example = "Example College")]
    pub name: String,
    /// LRS organisation reference, if it is configured. Achievement batches require it.
    pub organisation_ref: Option<OrganisationRef>,
    /// Products that LRS has enabled for the organisation, according to the gateway's configuration.
    pub products: Vec<Product>,
    /// Rate limits.
    pub limits: OrganisationLimits,
    /// Client certificate. Absent if the organisation has none.
    pub client_certificate: Option<CertificateState>,
}

/// Rate limits of an organisation.
#[derive(Debug, Answer)]
pub struct OrganisationLimits {
    /// Limit for all calls of the organisation.
    pub organisation: CallLimit,
    /// Limit for the calls of each person.
    pub person: CallLimit,
    /// Limit for each person's searches by demographics, including `obtainUln`.
    pub searches: CallLimit,
}

/// A rate limit.
#[derive(Debug, Answer)]
pub struct CallLimit {
    /// Sustained number of calls per minute.
    #[answer(example = 600)]
    pub per_minute: u32,
    /// Number of calls allowed in a burst.
    #[answer(example = 100)]
    pub burst: u32,
}

/// The client certificate for LRS.
#[derive(Debug, Answer)]
pub struct CertificateState {
    /// Whether the certificate is valid now.
    pub status: CertificateStatus,
    /// Start of the validity period.
    #[answer(example = "2026-03-01T00:00:00.000Z")]
    pub valid_from: Timestamp,
    /// End of the validity period.
    #[answer(example = "2029-03-01T00:00:00.000Z")]
    pub valid_until: Timestamp,
}

/// Validity of a client certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, CodeList)]
pub enum CertificateStatus {
    /// Valid for more than 30 days.
    Valid,
    /// Valid, but for at most 30 days.
    ExpiresSoon,
    /// Expired or not yet valid. LRS rejects it.
    NotValid,
}

pub(crate) struct GetOrganisationDocs;

/// Read your organisation
///
/// Returns the organisation's products, its rate limits and the validity of its client certificate. LRS rejects calls with an expired
/// certificate. This operation does not call LRS.
#[utoipa::path(get, path = "", impl_for = GetOrganisationDocs,
    responses(
        (status = 200, description = "The organisation named in the token.", body = OrganisationState, example = json!({
            "ukprn": "10012345", "name": "Example College", "products": ["uln-management", "verification"],
            "limits": {
                "organisation": {"perMinute": 600, "burst": 100}, "person": {"perMinute": 120, "burst": 40},
                "searches": {"perMinute": 60, "burst": 20}
            },
            "clientCertificate": {
                "status": "VALID", "validFrom": "2026-03-01T00:00:00.000Z", "validUntil": "2029-03-01T00:00:00.000Z"
            }
        }))
    )
)]
pub async fn get_organisation(state: State, caller: Caller<NoScope>) -> Json<OrganisationState> {
    let organisation = &caller.organisation;
    let rates = state.rate_limits.rates_for(organisation.rate_overrides());
    Json(OrganisationState {
        ukprn: organisation.ukprn().clone(),
        name: organisation.name().to_owned(),
        organisation_ref: organisation.organisation_ref().cloned(),
        products: organisation.products().to_vec(),
        limits: OrganisationLimits {
            organisation: rates.organisation.into(),
            person: rates.person.into(),
            searches: rates.searches.into(),
        },
        client_certificate: organisation.certificate_validity().map(CertificateState::from),
    })
}

impl From<Limit> for CallLimit {
    fn from(Limit { per_minute, burst }: Limit) -> Self {
        Self { per_minute, burst }
    }
}

impl From<Validity> for CertificateState {
    fn from(validity: Validity) -> Self {
        let status = match validity.days_left() {
            _ if !validity.is_current() => CertificateStatus::NotValid,
            ..=30 => CertificateStatus::ExpiresSoon,
            _ => CertificateStatus::Valid,
        };
        Self { status, valid_from: validity.not_before.into(), valid_until: validity.not_after.into() }
    }
}
