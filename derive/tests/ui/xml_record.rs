use lrs_gateway_derive::XmlRecord;

#[derive(XmlRecord)]
#[xml(prefix = "a:")]
struct Prefix {}

#[derive(XmlRecord)]
struct Unknown {
    #[xml(nill)]
    family_name: Option<String>,
}

#[derive(XmlRecord)]
struct Names {
    #[xml(name = "Given Name")]
    given_name: String,
    #[xml(name = "ULN")]
    uln: String,
    #[xml(items("ULN"))]
    linked_ulns: Vec<String>,
}

#[derive(XmlRecord)]
struct Repeated {
    given_name: String,
    #[xml(name = "GivenName")]
    first_name: String,
}

#[derive(XmlRecord)]
#[xml(order(uln))]
struct Incomplete {
    uln: String,
    given_name: String,
}

#[derive(XmlRecord)]
#[xml(order(uln, uln))]
struct Twice {
    uln: String,
}

fn main() {}
