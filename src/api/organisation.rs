//! The caller's own organisation.

use actix_web::get;
use actix_web::web::{Data, Json};

use crate::api::string_enum::words;
use crate::api::timestamp::Timestamp;
use crate::auth::Caller;
use crate::auth::scope::NoScope;
use crate::domain::{OrganisationRef, Ukprn};
use crate::organisations::Product;
use crate::problem::responses::StatusProblems;
use crate::rate_limit::{Limit, RateLimits};
use crate::schema::answer;
use crate::tls::Validity;

answer! {
    /// The organisation that the token names, as this gateway knows it.
    #[derive(Debug)]
    pub struct OrganisationState {
        /// Its UKPRN.
        pub ukprn: Ukprn,
        /// Its name.
        pub name: String,
        /// Its LRS reference, if the gateway knows it: achievement batches need it.
        pub organisation_ref: Option<OrganisationRef>,
        /// What LRS has switched on for it, as far as the gateway has been told.
        pub products: Vec<Product>,
        /// How often it may call.
        pub limits: OrganisationLimits,
        /// Its client certificate. Absent if it has none.
        pub client_certificate: Option<CertificateState>,
    }
}

answer! {
    /// How often an organisation may call.
    #[derive(Debug)]
    pub struct OrganisationLimits {
        /// All its calls together.
        pub organisation: CallLimit,
        /// Those of each person.
        pub person: CallLimit,
        /// Each person's searches by demographics, those of `obtainUln` included.
        pub searches: CallLimit,
    }
}

answer! {
    /// A limit.
    #[derive(Debug)]
    pub struct CallLimit {
        /// How many calls a minute, over time.
        pub per_minute: u32,
        /// How many at once, after a pause.
        pub burst: u32,
    }
}

answer! {
    /// The client certificate that LRS is shown.
    #[derive(Debug)]
    pub struct CertificateState {
        /// `VALID`; `EXPIRES_SOON`, within 30 days; or `NOT_VALID`: LRS will refuse it.
        pub status: CertificateStatus,
        /// From when it is valid.
        pub valid_from: Timestamp,
        /// Until when.
        pub valid_until: Timestamp,
    }
}

/// Is a certificate valid?
#[derive(Debug, Clone, Copy)]
pub enum CertificateStatus {
    /// For a while.
    Valid,
    /// Not for long.
    ExpiresSoon,
    /// Not any more, or not yet.
    NotValid,
}

words!(
    CertificateStatus,
    |status| match status {
        CertificateStatus::Valid => "VALID",
        CertificateStatus::ExpiresSoon => "EXPIRES_SOON",
        CertificateStatus::NotValid => "NOT_VALID",
    },
    ["VALID", "EXPIRES_SOON", "NOT_VALID"]
);

/// Read about your own organisation
///
/// Products, limits, and when its client certificate expires: LRS lets nobody in with one that has. LRS is not called for this.
#[utoipa::path(
    operation_id = "getOrganisation",
    tag = "Service",
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The organisation.", body = OrganisationState, example = json!({
            "ukprn": "10012345", "name": "Example College", "products": ["uln-management", "verification"],
            "limits": {
                "organisation": {"perMinute": 600, "burst": 100}, "person": {"perMinute": 120, "burst": 40},
                "searches": {"perMinute": 60, "burst": 20}
            },
            "clientCertificate": {
                "status": "VALID", "validFrom": "2026-03-01T00:00:00.000Z", "validUntil": "2029-03-01T00:00:00.000Z"
            }
        })),
        StatusProblems
    )
)]
#[get("/organisation")]
pub async fn get_organisation(caller: Caller<NoScope>, limits: Data<RateLimits>) -> Json<OrganisationState> {
    let organisation = &caller.organisation;
    let rates = limits.rates(organisation.limits());
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
            _ if !validity.is_now() => CertificateStatus::NotValid,
            ..=30 => CertificateStatus::ExpiresSoon,
            _ => CertificateStatus::Valid,
        };
        Self { status, valid_from: validity.from.into(), valid_until: validity.until.into() }
    }
}
