//! wip
#![allow(dead_code)]
pub mod domain;
pub mod form;
