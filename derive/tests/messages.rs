//! The error messages of wrong declarations: each points to the declaration and says what is allowed.
//!
//! `TRYBUILD=overwrite cargo test -p lrs-gateway-derive` writes the expected messages anew.

#[test]
fn wrong_declaration_has_a_message_at_its_place() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
