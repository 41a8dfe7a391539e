use lrs_gateway_derive::CodeList;

/// A case that does not exist.
#[derive(CodeList)]
#[code_list(case = "camelCase")]
enum Case {
    /// One.
    One,
}

/// Words that are not unique.
#[derive(CodeList)]
enum Words {
    /// One.
    One,
    /// Two.
    #[code(word = "ONE")]
    Two,
}

/// Codes that are not unique.
#[derive(CodeList)]
enum Codes {
    /// One.
    #[code(lrs = "1")]
    One,
    /// Two.
    #[code(lrs = "1")]
    Two,
}

/// Variants that are not words, without a description, or with an attribute that does not exist.
#[derive(CodeList)]
enum Variants {
    /// One.
    One(u8),
    Two,
    /// Three.
    #[code(wrod = "3")]
    Three,
}

#[derive(CodeList)]
#[code_list(closed)]
enum Unknown {}

#[derive(CodeList)]
struct NoEnum;

fn main() {}
