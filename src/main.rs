//! The program `lrs-gateway`. `lib.rs` describes where to start reading.

use std::process::ExitCode;

fn main() -> ExitCode {
    lrs_gateway::cli::run()
}
