//! What the fuzz targets share: the choice that the first byte of an input makes, and the parties of a call.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lrs_gateway::domain::{OrganisationRef, Product, Ukprn, UserName};
use lrs_gateway::lrs::http_client::HttpClientFactory;
use lrs_gateway::organisations::{CallContext, Organisation, OrganisationPassword, OrganisationSettings};
use lrs_gateway::schema::CodeList as _;
use lrs_gateway::schema::Scalar;
use lrs_gateway::schema::deserialize::{FromDocument, from_json};

/// A name that the seeds use wherever a name is possible. No error may contain it.
pub const CANARY: &str = "Quillfeather";

/// Takes a choice from the first byte of an input: `a` is the first of the list. Seeds are so easy to write and to read.
pub fn choose<'c, 'd, T>(choices: &'c [T], input: &'d [u8]) -> Option<(&'c T, &'d [u8])> {
    let (first, rest) = input.split_first()?;
    Some((&choices[usize::from(first.wrapping_sub(b'a')) % choices.len()], rest))
}

/// Reads a request that is known to be valid.
pub fn valid<T: FromDocument>(json: &str) -> T {
    from_json(json.as_bytes()).unwrap_or_else(|errors| panic!("{errors:?}: {json}"))
}

/// Returns the value of a text that is known to be valid.
pub fn value<T: Scalar>(text: &str) -> T {
    T::parse(text).unwrap_or_else(|invalid| panic!("{text}: {}", invalid.detail))
}

/// Returns one of the organisations of the simulator's demonstration, with every product.
pub fn organisation(ukprn: &str, reference: &str, password: &str) -> Organisation {
    let clients = HttpClientFactory::new(None, Duration::from_secs(1)).expect("the web's root certificates are available");
    let settings = OrganisationSettings {
        ukprn: value::<Ukprn>(ukprn),
        name: "A college".into(),
        organisation_ref: Some(value::<OrganisationRef>(reference)),
        products: Product::ALL.to_vec(),
        password: OrganisationPassword::new(password).expect("the password is valid"),
        client_certificate: None,
    };
    Organisation::new(settings, &clients).expect("the client is created")
}

/// Returns both organisations of the simulator's demonstration.
pub fn organisations() -> [Organisation; 2] {
    [organisation("10088881", "DEMO01", "demo-password-01"), organisation("10088882", "DEMO02", "demo-password-02")]
}

/// Returns a user of the first organisation.
pub fn call_context() -> CallContext {
    let [organisation, _] = organisations();
    CallContext::new(Arc::new(organisation), value::<UserName>("j.bloggs"))
}

/// The name that errors about a fuzzed file state.
pub fn file() -> &'static Path {
    Path::new("fuzzed.toml")
}
