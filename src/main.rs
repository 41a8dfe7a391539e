//! `lrs-gateway`: see the library for the walk through the code.

use std::process::ExitCode;

fn main() -> ExitCode {
    lrs_gateway::cli::run()
}
