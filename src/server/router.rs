//! The table of contents of the API: every route. The server and the OpenAPI document are made from the same list.

use utoipa_actix_web::scope;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::api::batches::{achievement, registration, verification};
use crate::api::{
    find_learners, health, learning_events, lrs_status, obtain_uln, organisation, register_learners, retrieve_ulns, verify_learners,
};

/// Adds the routes that every kind of batch has: `submit_batch` of the resource, and those of `batch_routes!`.
macro_rules! batches {
    ($scope:expr, $($kind:ident),+) => {
        $scope$(
            .service($kind::submit_batch)
            .service($kind::list_batches)
            .service($kind::track_job)
            .service($kind::get_batch)
            .service($kind::get_results)
            .service($kind::resubmit_part)
            .service($kind::discard_part)
            .service($kind::erase_batch)
        )+
    };
}

/// Adds the routes of the API.
pub fn api(services: &mut ServiceConfig<'_>) {
    let v1 = scope("/v1")
        .service(find_learners::find_learner_by_uln)
        .service(find_learners::find_learners_by_demographics)
        .service(obtain_uln::obtain_uln)
        .service(register_learners::register_learner)
        .service(register_learners::update_learner)
        .service(verify_learners::verify_learner)
        .service(retrieve_ulns::retrieve_ulns)
        .service(learning_events::get_learning_events)
        .service(organisation::get_organisation)
        .service(lrs_status::get_lrs_status);
    let v1 = batches!(v1, registration, verification, achievement).service(achievement::get_job);
    services.service(v1).service(health::live).service(health::ready);
}

/// Adds the routes of the admin listener, beside `/metrics`.
pub fn admin(services: &mut ServiceConfig<'_>) {
    services.service(health::live).service(health::ready);
}
