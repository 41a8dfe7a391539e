//! Everything LRS can say that is no answer, or not the answer to this search: none of it discloses anybody.

use serde_json::json;

use crate::support::expected_problems::{BAD_RESPONSE, FailureCase, assert_failures, cases_of};
use crate::support::scripted_lrs::{ANSWER, learner_with, response_with, xml_reply};

/// Documents that are no answer.
fn nonsense(documents: Vec<(&str, impl AsRef<[u8]>)>) -> Vec<FailureCase> {
    cases_of(BAD_RESPONSE, documents.into_iter().map(|(what, document)| (what, xml_reply(document))).collect())
}

#[tokio::test]
async fn an_answer_cut_anywhere_is_a_bad_response() {
    assert_failures(
        (0..ANSWER.len()).map(|end| (format!("the first {end} bytes"), xml_reply(&ANSWER[..end]), BAD_RESPONSE, None)).collect(),
    )
    .await;
}

#[tokio::test]
async fn what_is_not_well_formed_is_a_bad_response() {
    let attributes: String = (0..65).map(|n| format!(" a{n}=\"\"")).collect();
    let nested = |depth: usize| learner_with(&format!("{}{}", "<x>".repeat(depth), "</x>".repeat(depth)));
    let doctype = |subset: &str| ANSWER.replace("?>", &format!("?><!DOCTYPE soapenv:Envelope{subset}>"));
    let lol = (1..30).fold(String::from("<!ENTITY e0 \"Zebedee\">"), |entities, n| {
        format!("{entities}<!ENTITY e{n} \"&e{0};&e{0};&e{0};&e{0};&e{0};\">", n - 1)
    });
    let name = |text: &str| ANSWER.replace("Zebedee", text);
    assert_failures(nonsense(vec![
        ("a document type", doctype("")),
        ("entities that expand without end", doctype(&format!(" [{lol}]")).replace("Zebedee", "&e29;")),
        ("an external entity", doctype(" [<!ENTITY e SYSTEM \"file:///etc/passwd\">]").replace("Zebedee", "&e;")),
        ("an external subset", doctype(" SYSTEM \"http://127.0.0.1:1/x.dtd\"")),
        ("an undeclared entity", name("&nbsp;")),
        ("an undeclared entity in an unknown element", learner_with("<New>&nbsp;</New>")),
        ("a bare ampersand", name("Zebedee & Co")),
        ("100 levels", nested(100)),
        ("100000 levels", nested(100_000)),
        (
            "100000 levels in a header",
            response_with("<soapenv:Header/>", &format!("<soapenv:Header>{}</soapenv:Header>", "<x>".repeat(100_000))),
        ),
        ("65 attributes", learner_with(&format!("<Title{attributes}>Dr</Title>"))),
        ("65 attributes on an unknown element", learner_with(&format!("<New{attributes}/>"))),
        ("the same attribute twice", learner_with("<Title a='1' a='2'>Dr</Title>")),
        ("an attribute without quotes", learner_with("<Title a=1>Dr</Title>")),
        ("an attribute without a value", learner_with("<Title a>Dr</Title>")),
        ("a control character", name("Zebedee\u{1}")),
        ("a NUL", name("Zebedee\0")),
        ("a noncharacter", name("Zebedee\u{FFFE}")),
        ("a reference to a control character", name("Zebedee&#1;")),
        ("the same in an unknown element", learner_with("<New>&#1;</New>")),
        ("a reference to a surrogate", name("Zebedee&#xD800;")),
        ("a reference beyond Unicode", name("Zebedee&#x110000;")),
        ("a reference to nothing", name("Zebedee&#;")),
        ("tags that do not match", ANSWER.replace("</FamilyName>", "</GivenName>")),
        ("tags that overlap", ANSWER.replace("</ns2:FindLearnerResponse></soapenv:Body>", "</soapenv:Body></ns2:FindLearnerResponse>")),
        ("a tag of the same name with another prefix", response_with("</ns2:Find", "</soapenv:Find")),
        ("text between elements", ANSWER.replace("<Learner>", "<Learner>Zebedee")),
        ("text between the envelope's elements", response_with("</soapenv:Body>", "</soapenv:Body>Zebedee")),
        ("an element inside a code", response_with("<ResponseCode>", "<ResponseCode><x/>")),
        ("a comment without an end", response_with("<Notes/>", "<!-- ")),
        ("a CDATA section without an end", response_with("<Notes/>", "<Notes><![CDATA[")),
        ("text before the envelope", format!("Zebedee{ANSWER}")),
        ("text after the envelope", format!("{ANSWER}Zebedee")),
        ("an element after the envelope", format!("{ANSWER}<x/>")),
        ("two envelopes", format!("{ANSWER}{}", ANSWER.split_once("?>").expect("a declaration").1)),
        ("two documents", format!("{ANSWER}{ANSWER}")),
        ("a page after the envelope", format!("{ANSWER}<html><body>maintenance</body></html>")),
    ]))
    .await;
}

#[tokio::test]
async fn what_is_not_utf_8_is_a_bad_response() {
    let utf_16 = |order: fn(u16) -> [u8; 2], text: &str| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    let declared = |encoding: &str| response_with("UTF-8", encoding);
    let latin: Vec<u8> =
        declared("ISO-8859-1").replace("Zebedee", "Zéb").chars().map(|c| u8::try_from(u32::from(c)).expect("Latin-1")).collect();
    let utf_8 = |bytes: &[u8]| {
        let (before, after) = ANSWER.split_once("<Notes/>").expect("in the sample");
        [before.as_bytes(), b"<Notes>", bytes, b"</Notes>", after.as_bytes()].concat()
    };
    assert_failures(nonsense(vec![
        ("UTF-16, little end first", utf_16(u16::to_le_bytes, &format!("\u{FEFF}{}", declared("UTF-16")))),
        ("UTF-16, big end first", utf_16(u16::to_be_bytes, &format!("\u{FEFF}{}", declared("UTF-16")))),
        ("UTF-16, little end first, no mark", utf_16(u16::to_le_bytes, ANSWER)),
        ("UTF-16, big end first, no mark", utf_16(u16::to_be_bytes, ANSWER)),
        ("a declaration of ISO-8859-1", declared("ISO-8859-1").into_bytes()),
        ("ISO-8859-1", latin),
        ("a declaration of windows-1252", declared("windows-1252").into_bytes()),
        ("a declaration of UTF-16", declared("UTF-16").into_bytes()),
        ("a stray byte", utf_8(b"\xFF")),
        ("an overlong character", utf_8(b"\xC0\xAF")),
        ("an encoded surrogate", utf_8(b"\xED\xA0\x80")),
        ("half a character", utf_8(b"\xC3")),
    ]))
    .await;
}

#[tokio::test]
async fn what_is_not_the_answer_to_this_request_is_a_bad_response() {
    let body = ANSWER.split_once("<soapenv:Body>").and_then(|(_, rest)| rest.split_once("</soapenv:Body>")).expect("a body").0;
    let twice = |element: &str| ANSWER.replacen(element, &format!("{element}{element}"), 1);
    let version = |text: &str| response_with("<VersionNumber>3<", &format!("<VersionNumber>{text}<"));
    let other = |xml: &str| response_with(body, xml);
    assert_failures(nonsense(vec![
        ("nothing", String::new()),
        ("white space", " \r\n\t ".into()),
        ("a byte order mark and nothing else", "\u{FEFF}".into()),
        ("a word", "Zebedee".into()),
        ("a bracket", "<".into()),
        ("JSON", json!({"ResponseCode": "WSRC0004", "ULN": "3000000126"}).to_string()),
        ("XML that is no SOAP", "<Learner><ULN>3000000126</ULN></Learner>".into()),
        ("an answer without an envelope", body.into()),
        ("a SOAP 1.2 envelope", ANSWER.replace("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope")),
        ("an envelope without a namespace", ANSWER.replace("soapenv:", "").replace("xmlns:soapenv", "x")),
        ("an envelope with an undeclared prefix", response_with("xmlns:soapenv", "xmlns:other")),
        ("an envelope without a body", format!("{}</soapenv:Envelope>", ANSWER.split_once("<soapenv:Body>").expect("a body").0)),
        ("an empty body", other("")),
        ("a text for a body", other("Zebedee")),
        ("two answers", other(&format!("{body}{body}"))),
        ("an answer and a fault", other(&format!("{body}<soapenv:Fault><faultcode>soapenv:Server</faultcode></soapenv:Fault>"))),
        ("a second body", response_with("</soapenv:Body>", "</soapenv:Body><soapenv:Body/>")),
        ("another operation's answer", ANSWER.replace("FindLearnerResponse", "RegisterSingleLearnerResponse")),
        ("our own request", ANSWER.replace("FindLearnerResponse", "FindLearnerByULN")),
        ("no response code", response_with("<ResponseCode>WSRC0004</ResponseCode>", "")),
        ("a learner without a ULN", response_with("<Learner><ULN>3000000126</ULN>", "<Learner>")),
        ("a learner without a version", response_with("<VersionNumber>3</VersionNumber>", "")),
        ("a version of no digits", version("Zebedee")),
        ("an empty version", version("")),
        ("a version with a fraction", version("3.0")),
        ("a version beyond its type", version("2147483648")),
        ("two response codes", twice("<ResponseCode>WSRC0004</ResponseCode>")),
        ("two ULNs of the search", twice("<ULN>3000000126</ULN>")),
        ("two family names of a learner", ANSWER.replace("<Gender>", "<FamilyName>Quillfeather</FamilyName><Gender>")),
        ("two genders, one empty", ANSWER.replace("<Gender>", "<Gender/><Gender>")),
        ("two lists of linked ULNs", learner_with("<LinkedULNs/>")),
        ("two versions", twice("<VersionNumber>3</VersionNumber>")),
    ]))
    .await;
}

#[tokio::test]
async fn answers_that_contradict_themselves_or_the_search_disclose_nobody() {
    let another = "3000000258";
    let learner = ANSWER.split_once("<Learner>").and_then(|(_, rest)| rest.split_once("</Learner>")).expect("a learner").0;
    let learner = format!("<Learner>{learner}</Learner>");
    let code = |code: &str, document: &str| document.replace("WSRC0004", code);
    let two = response_with(&learner, &format!("{learner}{learner}"));
    let none = response_with(&learner, "");
    assert_failures(nonsense(vec![
        ("an exact match with two learners", two.clone()),
        ("an exact match with another ULN", response_with("<Learner><ULN>3000000126", &format!("<Learner><ULN>{another}"))),
        ("an exact match with what is no ULN", response_with("<Learner><ULN>3000000126", "<Learner><ULN>3000000127")),
        ("an exact match without a learner", none.clone()),
        ("a nil learner", response_with(&learner, "<Learner xsi:nil=\"true\"/>")),
        (
            "the answer to a search for another ULN",
            response_with("</ResponseCode><ULN>3000000126", &format!("</ResponseCode><ULN>{another}")),
        ),
        ("the answer to a search for what is no ULN", response_with("</ResponseCode><ULN>3000000126", "</ResponseCode><ULN>3")),
        ("no match with a learner", code("WSRC0001", ANSWER)),
        ("no match with a learner, in three digits", code("wsrc001", ANSWER)),
        ("too many matches with a learner", code("WSRC0002", ANSWER)),
        ("a linked learner with what is no ULN", code("WSRC0022", &response_with("<Learner><ULN>3000000126", "<Learner><ULN>3000000127"))),
        ("a linked learner without one", code("WSRC0022", &none)),
        ("a linked learner who is two", code("WSRC0022", &two)),
    ]))
    .await;
}
