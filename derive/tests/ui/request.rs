use lrs_gateway_derive::Request;

/// Attributes that do not exist.
#[derive(Request)]
#[request(kept)]
struct Unknown {
    /// A number.
    #[request(defualt = 1)]
    number: i32,
}

/// A default that is given twice.
#[derive(Request)]
struct Repeated {
    /// A number.
    #[request(default = 1, default = 2)]
    number: i32,
}

#[derive(Request)]
#[request(validate = check(number, numbers), validate = check)]
struct Undocumented {
    number: i32,
}

/// Conditions that are not one value of one field.
#[derive(Request)]
struct Conditions {
    /// A text.
    #[request(required_if = kind)]
    text: Option<String>,
    /// Another text.
    #[request(required_if = kinds == 1)]
    other: Option<String>,
}

#[derive(Request)]
struct Tuple(i32);

#[derive(Request)]
struct Generic<T> {
    value: T,
}

fn main() {}
