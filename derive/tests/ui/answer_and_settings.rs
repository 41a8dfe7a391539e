use lrs_gateway_derive::{Answer, Settings};

/// A name that is not a text.
#[derive(Answer)]
#[answer(name = Other)]
struct Name {}

/// An attribute at a field.
#[derive(Answer)]
struct AtField {
    /// A number.
    #[answer(name = "count")]
    number: i32,
}

#[derive(Settings)]
#[setting(stored)]
struct Stored {
    #[setting(default)]
    number: i32,
}

fn main() {}
