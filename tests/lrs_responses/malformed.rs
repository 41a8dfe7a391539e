//! Malformed responses of LRS, and responses that do not fit the search. Each one is the problem `lrs_bad_response`, and discloses no
//! learner.

use serde_json::json;

use crate::support::expected_problems::{BAD_RESPONSE, FailureCase, assert_failures, cases_of};
use crate::support::scripted_lrs::{RESPONSE, response_with, response_with_learner_xml, xml_reply};

/// Cases in which LRS responds with a document, and the caller gets `lrs_bad_response`.
fn bad_response_cases(documents: Vec<(&str, impl AsRef<[u8]>)>) -> Vec<FailureCase> {
    cases_of(BAD_RESPONSE, documents.into_iter().map(|(case, document)| (case, xml_reply(document))).collect())
}

#[tokio::test]
async fn malformed_response_truncated_at_any_byte_returns_bad_response() {
    assert_failures(
        (0..RESPONSE.len()).map(|end| (format!("the first {end} bytes"), xml_reply(&RESPONSE[..end]), BAD_RESPONSE, None)).collect(),
    )
    .await;
}

#[tokio::test]
async fn malformed_response_invalid_xml_returns_bad_response() {
    let attributes: String = (0..65).map(|n| format!(" a{n}=\"\"")).collect();
    let nested = |depth: usize| response_with_learner_xml(&format!("{}{}", "<x>".repeat(depth), "</x>".repeat(depth)));
    let doctype = |subset: &str| RESPONSE.replace("?>", &format!("?><!DOCTYPE soapenv:Envelope{subset}>"));
    let nested_entities = (1..30).fold(String::from("<!ENTITY e0 \"Zebedee\">"), |entities, n| {
        format!("{entities}<!ENTITY e{n} \"&e{0};&e{0};&e{0};&e{0};&e{0};\">", n - 1)
    });
    let given_name = |text: &str| RESPONSE.replace("Zebedee", text);
    assert_failures(bad_response_cases(vec![
        ("a document type", doctype("")),
        ("entities that expand exponentially", doctype(&format!(" [{nested_entities}]")).replace("Zebedee", "&e29;")),
        ("an external entity", doctype(" [<!ENTITY e SYSTEM \"file:///etc/passwd\">]").replace("Zebedee", "&e;")),
        ("an external subset", doctype(" SYSTEM \"http://127.0.0.1:1/x.dtd\"")),
        ("an undeclared entity", given_name("&nbsp;")),
        ("an undeclared entity in an unknown element", response_with_learner_xml("<New>&nbsp;</New>")),
        ("a bare ampersand", given_name("Zebedee & Co")),
        ("100 levels", nested(100)),
        ("100000 levels", nested(100_000)),
        (
            "100000 levels in a header",
            response_with("<soapenv:Header/>", &format!("<soapenv:Header>{}</soapenv:Header>", "<x>".repeat(100_000))),
        ),
        ("65 attributes", response_with_learner_xml(&format!("<Title{attributes}>Dr</Title>"))),
        ("65 attributes on an unknown element", response_with_learner_xml(&format!("<New{attributes}/>"))),
        ("the same attribute twice", response_with_learner_xml("<Title a='1' a='2'>Dr</Title>")),
        ("an attribute without quotes", response_with_learner_xml("<Title a=1>Dr</Title>")),
        ("an attribute without a value", response_with_learner_xml("<Title a>Dr</Title>")),
        ("a control character", given_name("Zebedee\u{1}")),
        ("a NUL", given_name("Zebedee\0")),
        ("a noncharacter", given_name("Zebedee\u{FFFE}")),
        ("a reference to nothing", given_name("Zebedee&#;")),
        ("a reference to a number with letters", given_name("Zebedee&#1F;")),
        ("a reference with a sign", given_name("Zebedee&#+31;")),
        ("tags that do not match", RESPONSE.replace("</FamilyName>", "</GivenName>")),
        ("tags that overlap", RESPONSE.replace("</ns2:FindLearnerResponse></soapenv:Body>", "</soapenv:Body></ns2:FindLearnerResponse>")),
        ("a tag of the same name with another prefix", response_with("</ns2:Find", "</soapenv:Find")),
        ("text between elements", RESPONSE.replace("<Learner>", "<Learner>Zebedee")),
        ("text between the envelope's elements", response_with("</soapenv:Body>", "</soapenv:Body>Zebedee")),
        ("an element inside a code", response_with("<ResponseCode>", "<ResponseCode><x/>")),
        ("an unterminated comment", response_with("<Notes/>", "<!-- ")),
        ("an unterminated CDATA section", response_with("<Notes/>", "<Notes><![CDATA[")),
        ("text before the envelope", format!("Zebedee{RESPONSE}")),
        ("text after the envelope", format!("{RESPONSE}Zebedee")),
        ("an element after the envelope", format!("{RESPONSE}<x/>")),
        ("two envelopes", format!("{RESPONSE}{}", RESPONSE.split_once("?>").expect("the sample has a declaration").1)),
        ("two documents", format!("{RESPONSE}{RESPONSE}")),
        ("an HTML page after the envelope", format!("{RESPONSE}<html><body>maintenance</body></html>")),
    ]))
    .await;
}

#[tokio::test]
async fn malformed_response_not_utf8_returns_bad_response() {
    let utf_16 = |byte_order: fn(u16) -> [u8; 2], text: &str| text.encode_utf16().flat_map(byte_order).collect::<Vec<u8>>();
    let with_declared_encoding = |encoding: &str| response_with("UTF-8", encoding);
    let latin_1: Vec<u8> = with_declared_encoding("ISO-8859-1")
        .replace("Zebedee", "Zéb")
        .chars()
        .map(|c| u8::try_from(u32::from(c)).expect("the text is ISO-8859-1"))
        .collect();
    let with_notes = |bytes: &[u8]| {
        let (before, after) = RESPONSE.split_once("<Notes/>").expect("the sample contains it");
        [before.as_bytes(), b"<Notes>", bytes, b"</Notes>", after.as_bytes()].concat()
    };
    assert_failures(bad_response_cases(vec![
        ("UTF-16, little-endian", utf_16(u16::to_le_bytes, &format!("\u{FEFF}{}", with_declared_encoding("UTF-16")))),
        ("UTF-16, big-endian", utf_16(u16::to_be_bytes, &format!("\u{FEFF}{}", with_declared_encoding("UTF-16")))),
        ("UTF-16, little-endian, no byte order mark", utf_16(u16::to_le_bytes, RESPONSE)),
        ("UTF-16, big-endian, no byte order mark", utf_16(u16::to_be_bytes, RESPONSE)),
        ("a declaration of ISO-8859-1", with_declared_encoding("ISO-8859-1").into_bytes()),
        ("ISO-8859-1", latin_1),
        ("a declaration of windows-1252", with_declared_encoding("windows-1252").into_bytes()),
        ("a declaration of UTF-16", with_declared_encoding("UTF-16").into_bytes()),
        ("a stray byte", with_notes(b"\xFF")),
        ("an overlong character", with_notes(b"\xC0\xAF")),
        ("an encoded surrogate", with_notes(b"\xED\xA0\x80")),
        ("half a character", with_notes(b"\xC3")),
    ]))
    .await;
}

#[tokio::test]
async fn malformed_response_wrong_soap_content_returns_bad_response() {
    let body =
        RESPONSE.split_once("<soapenv:Body>").and_then(|(_, rest)| rest.split_once("</soapenv:Body>")).expect("the sample has a body").0;
    let repeated = |element: &str| RESPONSE.replacen(element, &format!("{element}{element}"), 1);
    let version = |text: &str| response_with("<VersionNumber>3<", &format!("<VersionNumber>{text}<"));
    let with_body = |xml: &str| response_with(body, xml);
    assert_failures(bad_response_cases(vec![
        ("an empty document", String::new()),
        ("white space", " \r\n\t ".into()),
        ("only a byte order mark", "\u{FEFF}".into()),
        ("a word", "Zebedee".into()),
        ("an angle bracket", "<".into()),
        ("JSON", json!({"ResponseCode": "WSRC0004", "ULN": "3000000126"}).to_string()),
        ("XML without SOAP", "<Learner><ULN>3000000126</ULN></Learner>".into()),
        ("a response without an envelope", body.into()),
        ("a SOAP 1.2 envelope", RESPONSE.replace("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope")),
        ("an envelope without a namespace", RESPONSE.replace("soapenv:", "").replace("xmlns:soapenv", "x")),
        ("an envelope with an undeclared prefix", response_with("xmlns:soapenv", "xmlns:other")),
        (
            "an envelope without a body",
            format!("{}</soapenv:Envelope>", RESPONSE.split_once("<soapenv:Body>").expect("the sample has a body").0),
        ),
        ("an empty body", with_body("")),
        ("text as the body", with_body("Zebedee")),
        ("two responses", with_body(&format!("{body}{body}"))),
        ("a response and a fault", with_body(&format!("{body}<soapenv:Fault><faultcode>soapenv:Server</faultcode></soapenv:Fault>"))),
        ("a second body", response_with("</soapenv:Body>", "</soapenv:Body><soapenv:Body/>")),
        ("the response of another operation", RESPONSE.replace("FindLearnerResponse", "RegisterSingleLearnerResponse")),
        ("the gateway's own request", RESPONSE.replace("FindLearnerResponse", "FindLearnerByULN")),
        ("no response code", response_with("<ResponseCode>WSRC0004</ResponseCode>", "")),
        ("a learner without a ULN", response_with("<Learner><ULN>3000000126</ULN>", "<Learner>")),
        ("a learner without a version", response_with("<VersionNumber>3</VersionNumber>", "")),
        ("a version without digits", version("Zebedee")),
        ("an empty version", version("")),
        ("a version with a fraction", version("3.0")),
        ("a version above the maximum of its type", version("2147483648")),
        ("two response codes", repeated("<ResponseCode>WSRC0004</ResponseCode>")),
        ("two ULNs of the search", repeated("<ULN>3000000126</ULN>")),
        ("two family names of a learner", RESPONSE.replace("<Gender>", "<FamilyName>Quillfeather</FamilyName><Gender>")),
        ("two genders, one of them empty", RESPONSE.replace("<Gender>", "<Gender/><Gender>")),
        ("two lists of linked ULNs", response_with_learner_xml("<LinkedULNs/>")),
        ("two versions", repeated("<VersionNumber>3</VersionNumber>")),
    ]))
    .await;
}

#[tokio::test]
async fn malformed_response_contradicting_itself_or_the_search_discloses_no_learner() {
    let other_uln = "3000000258";
    let learner = RESPONSE.split_once("<Learner>").and_then(|(_, rest)| rest.split_once("</Learner>")).expect("the sample has a learner").0;
    let learner = format!("<Learner>{learner}</Learner>");
    let with_code = |code: &str, document: &str| document.replace("WSRC0004", code);
    let two_learners = response_with(&learner, &format!("{learner}{learner}"));
    let no_learner = response_with(&learner, "");
    assert_failures(bad_response_cases(vec![
        ("an exact match with two learners", two_learners.clone()),
        ("an exact match with another ULN", response_with("<Learner><ULN>3000000126", &format!("<Learner><ULN>{other_uln}"))),
        ("an exact match with an invalid ULN", response_with("<Learner><ULN>3000000126", "<Learner><ULN>3000000127")),
        ("an exact match without a learner", no_learner.clone()),
        ("a nil learner", response_with(&learner, "<Learner xsi:nil=\"true\"/>")),
        (
            "the response to a search for another ULN",
            response_with("</ResponseCode><ULN>3000000126", &format!("</ResponseCode><ULN>{other_uln}")),
        ),
        ("the response to a search for an invalid ULN", response_with("</ResponseCode><ULN>3000000126", "</ResponseCode><ULN>3")),
        ("no match with a learner", with_code("WSRC0001", RESPONSE)),
        ("no match with a learner, as a code of three digits", with_code("wsrc001", RESPONSE)),
        ("too many matches with a learner", with_code("WSRC0002", RESPONSE)),
        (
            "a linked learner with an invalid ULN",
            with_code("WSRC0022", &response_with("<Learner><ULN>3000000126", "<Learner><ULN>3000000127")),
        ),
        ("a linked learner without a learner", with_code("WSRC0022", &no_learner)),
        ("a linked learner with two learners", with_code("WSRC0022", &two_learners)),
    ]))
    .await;
}
