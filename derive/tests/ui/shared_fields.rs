use lrs_gateway_derive::{SharedFields, fields_of};

#[derive(SharedFields)]
struct Details {
    title: Option<String>,
    notes: Option<String>,
}

#[derive(SharedFields)]
enum Names {}

struct NotShared {}

#[fields_of(crate::NotShared)]
struct OfNotShared {}

#[fields_of(crate::Details, every(Option<_>))]
struct UnknownArgument {}

#[fields_of(crate::Details)]
struct UnknownPlace {
    #[after(remarks)]
    uln: String,
}

#[fields_of(crate::Details, without_limits)]
struct Undescribed {}

#[derive(SharedFields)]
struct Limited {
    /// Between 2 and 35 characters.
    title: Option<String>,
}

#[fields_of(crate::Limited, without_limits)]
struct UnclearLimit {}

#[derive(SharedFields)]
struct Described {
    /// Title.
    title: Option<String>,
    /// Family name.
    family_name: String,
}

#[fields_of(crate::Described)]
enum UnknownVariant {
    /// Family name, which is not optional.
    FamilyName,
}

#[fields_of(crate::Details)]
fn function() {}

fn main() {}
