//! The program `lrs-gateway`. `lib.rs` describes where to start reading.

use std::process::ExitCode;

/// A call makes many small texts. This allocator makes and frees them faster than glibc's, and gives memory back sooner (docs/PERFORMANCE.md).
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    lrs_gateway::cli::run()
}
