//! Plain XML is read without quick-xml, and every document with the result of quick-xml.

use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::scripted_lrs::RESPONSE;
use crate::support::xml_events::assert_read_alike;

/// Runs a property test with this number of random cases.
fn run_cases<S: Strategy>(cases: u32, strategy: &S, test: impl Fn(S::Value)) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let run = |value| {
        test(value);
        Ok(())
    };
    TestRunner::new(config).run(strategy, run).unwrap_or_else(|failure| panic!("{failure}"));
}

/// Returns the golden messages.
fn messages() -> Vec<(String, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let files = std::fs::read_dir(directory).expect("the directory exists").map(|entry| entry.expect("an entry").path());
    let xml = files.filter(|path| path.extension().is_some_and(|extension| extension == "xml"));
    xml.map(|path| (path.display().to_string(), std::fs::read_to_string(path).expect("a text"))).collect()
}

#[test]
fn xml_that_lrs_writes_is_plain() {
    let messages = messages();
    assert!(messages.len() > 30, "{}", messages.len());
    for (path, message) in messages {
        let is_plain = !message.contains("<!") && !message.contains('\r');
        assert_eq!(assert_read_alike(&message), is_plain, "{path}");
    }
    assert!(assert_read_alike(RESPONSE));
}

#[test]
fn xml_with_unusual_markup_or_an_error_is_read_by_quick_xml() {
    assert!(assert_read_alike("<a/>"));
    for document in [
        "<!-- a --><a/>",
        "<a/><!-- a -->",
        "<a><![CDATA[b]]></a>",
        "<?xml version='1.0'?><a/>",
        "<?xml version=\"1.0\" encoding=\"latin1\"?><a/>",
        "<a><?b c?></a>",
        "<!DOCTYPE a><a/>",
        "<a>b\rc</a>",
        "<a>\u{FFFD}</a>",
        "<a>\u{FFFE}</a>",
        "<a>\u{1}</a>",
        "<ä/>",
        "<a></a >",
        "<a></b>",
        "<a><b></a>",
        "<a>",
        "<a/><b/>",
        "<a/>b",
        "</a>",
        "<a b/>",
        "<a b=c/>",
        "<a b='c' b='c'/>",
        "<a xmlns:xml='b'/>",
        "<a>&b;</a>",
        "<a>&#;</a>",
        "<a>& </a>",
        "<a>&amp</a>",
        "<1/>",
        "<:a/>",
        "<a/ >",
        "< a/>",
        "<>",
        "",
    ] {
        assert!(!assert_read_alike(document), "{document}");
    }
    let nested = |depth| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    assert_eq!([32, 33].map(|depth| assert_read_alike(&nested(depth))), [true, false]);
    let with_attributes = |count| format!("<a {}/>", (0..count).map(|number| format!("a{number}='' ")).collect::<String>());
    assert_eq!([64, 65].map(|count| assert_read_alike(&with_attributes(count))), [true, false]);
}

#[test]
fn xml_of_arbitrary_pieces_is_read_alike() {
    let pieces = [
        "<a>",
        "</a>",
        "<a/>",
        "<b:c>",
        "</b:c>",
        "<b:c d='e'>",
        "<c xmlns='urn:c'>",
        "</c>",
        "<b:c xmlns:b=\"urn:b\" >",
        "<a xmlns:i='",
        "http://www.w3.org/2001/XMLSchema-instance",
        "' i:nil='true'>",
        "<a i:nil=\"1\"/>",
        "nil='true'",
        " ",
        "\n",
        "\t",
        "\r\n",
        "text",
        "é",
        "\u{FF21}",
        "&amp;",
        "&lt;",
        "&apos;",
        "&#65;",
        "&#x1F600;",
        "&#1;",
        "&b;",
        "&",
        ";",
        "#",
        "]]>",
        "<![CDATA[",
        "<!--",
        "-->",
        "<?xml",
        "?>",
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>",
        "<",
        ">",
        "/",
        "=",
        "'",
        "\"",
        ":",
        "xmlns",
        "a",
        "b:",
        "-",
        "1",
        "\u{1}",
        "\u{FFFE}",
    ];
    let documents = prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..24).prop_map(|pieces| pieces.concat());
    run_cases(20_000, &documents, |document| {
        assert_read_alike(&document);
        assert_read_alike(&format!("<a>{document}</a>"));
    });
}

#[test]
fn xml_with_one_change_is_read_alike() {
    let messages: Vec<String> = messages().into_iter().map(|(_, message)| message).chain([RESPONSE.to_owned()]).collect();
    let inserted =
        ["", "<", ">", "/", "&", ";", "'", "\"", " ", "x", "é", "\r", "<a/>", "<!---->", "&amp;", "xmlns:a=''", "\u{0}", "\u{FFFD}"];
    let cases = (prop::sample::select(messages), any::<prop::sample::Index>(), 0..3_usize, prop::sample::select(inserted.to_vec()));
    run_cases(3_000, &cases, |(message, place, removed, inserted)| {
        let characters: Vec<char> = message.chars().collect();
        let start = place.index(characters.len());
        let end = characters.len().min(start + removed);
        let changed = characters[..start].iter().copied().chain(inserted.chars()).chain(characters[end..].iter().copied());
        assert_read_alike(&changed.collect::<String>());
    });
}
