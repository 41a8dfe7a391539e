//! The gateway as its users meet it: the real server on a free port, over HTTP.

mod support;

mod achievement_batches;
mod bad_input;
mod bad_learners;
mod batch_store;
mod batches_in_redis;
mod batches_on_the_wire;
mod codes;
mod commands;
mod contract;
mod documentation;
mod find_learners;
mod idempotency;
mod learner_life;
mod learning_events;
mod live_organisations;
mod lrs_misbehaviour;
mod lrs_nonsense;
mod lrs_unusual;
mod obtain_uln;
mod organisations;
mod rate_limits;
mod register_learners;
mod registration_batches;
mod replicas;
mod retrieve_ulns;
mod round_trip;
mod server;
mod simulator_scenarios;
mod tokens;
mod verification_batches;
mod verify_learners;
mod write_outcomes;
