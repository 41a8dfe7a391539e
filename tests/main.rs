//! The gateway as its users meet it: the real server on a free port, over HTTP.

mod support;

mod bad_input;
mod commands;
mod contract;
mod documentation;
mod find_learners;
mod lrs_misbehaviour;
mod lrs_nonsense;
mod lrs_unusual;
mod organisations;
mod round_trip;
mod tokens;
