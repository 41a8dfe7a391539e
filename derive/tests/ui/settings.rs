use lrs_gateway_derive::Settings;

#[derive(Settings)]
struct Ranges {
    #[setting(range = 1..600)]
    without_last: u64,
    #[setting(range = ..)]
    without_ends: u64,
    #[setting(range = 600)]
    one_number: Option<u64>,
}

#[derive(Settings)]
struct List {
    #[setting(range(1, 600))]
    number: u64,
}

/// A record in a page.
#[derive(Settings)]
#[setting(page)]
struct Page {
    undocumented: bool,
}

fn main() {}
