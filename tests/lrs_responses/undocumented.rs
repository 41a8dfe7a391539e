//! Undocumented responses of LRS that the gateway must accept: the sample response, expressed differently in XML and HTTP.

use serde_json::{Value, json};

use crate::support::caller::Answer;
use crate::support::fake_server::{Reply, http};
use crate::support::gateway::Options;
use crate::support::scripted_lrs::{RESPONSE, ScriptedLrs, learner, response_with, response_with_learner_xml, search, xml_reply};

/// Sends one search for each reply. Each answer must contain exactly the learner of the sample.
async fn assert_accepted(cases: Vec<(&str, Reply)>) {
    let (names, replies): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    let script = ScriptedLrs::new(Options::default(), replies);
    for name in names {
        assert_sample_learner(name, &script.search().await);
    }
}

fn assert_sample_learner(case: &str, answer: &Answer) {
    assert_eq!(answer.status, 200, "{case}: {}", answer.text);
    let found = answer.json();
    assert_eq!(found["outcome"], "EXACT_MATCH", "{case}");
    assert_eq!(found["learners"], json!([learner()]), "{case}");
    assert_eq!(found["searched"], search(), "{case}");
}

/// Returns the answer's learner if LRS's learner contains this XML.
async fn learner_from_xml(xml: &str) -> Value {
    let found = ScriptedLrs::new(Options::default(), [xml_reply(response_with_learner_xml(xml))]).search().await.expect_success();
    found["learners"][0].clone()
}

/// The head of a response with status 200 and these header lines.
fn head(lines: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{}\r\n", lines.replace('\n', "\r\n")).into_bytes()
}

/// A response in chunked transfer encoding, in chunks of at most `size` bytes.
fn chunked(document: &[u8], size: usize, extension: &str, trailer: &str) -> Vec<u8> {
    let mut bytes = head("Content-Type: text/xml\nTransfer-Encoding: chunked\n");
    for chunk in document.chunks(size) {
        bytes.extend(format!("{:X}{extension}\r\n", chunk.len()).bytes());
        bytes.extend(chunk);
        bytes.extend(b"\r\n");
    }
    bytes.extend(format!("0\r\n{trailer}\r\n").bytes());
    bytes
}

/// A gzip file with one stored (uncompressed) block (RFC 1951, RFC 1952).
fn gzipped(document: &[u8]) -> Vec<u8> {
    let bit = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
    let crc = !document.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| bit(crc)));
    let length = u16::try_from(document.len()).expect("the document is short");
    let mut bytes = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    bytes.extend(length.to_le_bytes());
    bytes.extend((!length).to_le_bytes());
    bytes.extend(document);
    bytes.extend(crc.to_le_bytes());
    bytes.extend(u32::from(length).to_le_bytes());
    bytes
}

#[tokio::test]
async fn undocumented_response_any_prefixes_and_namespaces_is_accepted() {
    let children_in_namespace = RESPONSE.replace("<ns2:", "<").replace("</ns2:", "</").replace("xmlns:ns2=", "xmlns=");
    let only_default_namespaces =
        children_in_namespace.replace("<soapenv:", "<").replace("</soapenv:", "</").replace("xmlns:soapenv=", "xmlns=");
    let children_with_prefix = ["ResponseCode", "ULN", "FamilyName", "GivenName", "Learner", "Gender", "VersionNumber"]
        .iter()
        .fold(RESPONSE.to_owned(), |xml, name| {
            xml.replace(&format!("<{name}>"), &format!("<ns2:{name}>")).replace(&format!("</{name}>"), &format!("</ns2:{name}>"))
        });
    assert_accepted(vec![
        ("the sample unchanged", xml_reply(RESPONSE)),
        ("the prefix that WCF uses", xml_reply(RESPONSE.replace("soapenv", "s"))),
        ("prefixes with every kind of character", xml_reply(RESPONSE.replace("soapenv", "_é-0.1").replace("ns2", "ns2.ns2"))),
        ("the same prefix for envelope and response", xml_reply(RESPONSE.replace("ns2", "soapenv"))),
        ("the response's children in its namespace", xml_reply(children_in_namespace)),
        ("default namespaces throughout", xml_reply(only_default_namespaces)),
        ("every child with a prefix", xml_reply(children_with_prefix)),
        ("LinkedULNs without a namespace", xml_reply(response_with(" xmlns=\"http://api.lrs.miap.gov.uk/learner\"", ""))),
        ("another namespace for the response", xml_reply(response_with("gov.uk/findmsg", "gov.uk/findmsg/v2"))),
        (
            "no namespace for the response",
            xml_reply(RESPONSE.replace("ns2:", "").replace(" xmlns:ns2=\"http://api.lrs.miap.gov.uk/findmsg\"", "")),
        ),
    ])
    .await;
}

#[tokio::test]
async fn undocumented_response_any_equivalent_xml_is_accepted() {
    let declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    let crlf = RESPONSE.replace("><", ">\r\n\t <");
    assert_accepted(vec![
        ("a byte order mark", xml_reply(format!("\u{FEFF}{RESPONSE}"))),
        ("no declaration", xml_reply(response_with(declaration, ""))),
        (
            "a declaration in lower case and single quotes",
            xml_reply(response_with(declaration, "<?xml version='1.0' encoding='utf-8' standalone='yes'?>")),
        ),
        ("a declaration without an encoding", xml_reply(response_with(declaration, "<?xml version=\"1.0\" ?>"))),
        ("single quotes everywhere", xml_reply(RESPONSE.replace('"', "'"))),
        ("Windows line endings and indentation", xml_reply(crlf)),
        ("white space at the end", xml_reply(format!("{RESPONSE}\r\n\t \n"))),
        ("white space inside tags", xml_reply(RESPONSE.replace("ULN>", "ULN >").replace("<Notes/>", "<Notes\r\n\t/>"))),
        (
            "empty elements with start and end tag",
            xml_reply(RESPONSE.replace("<Notes/>", "<Notes></Notes>").replace("<soapenv:Header/>", "")),
        ),
        ("comments between elements", xml_reply(RESPONSE.replace("><", "><!-- <ULN>3000000258</ULN> & -->\n<"))),
        (
            "processing instructions between elements",
            xml_reply(format!("{}<?x?>", RESPONSE.replace("><", "><?x <ULN>3000000258</ULN> & ?><"))),
        ),
        ("comments and processing instructions inside text", xml_reply(RESPONSE.replace("Quill", "Qui<!-- -->l<?x y?>l"))),
        ("CDATA sections", xml_reply(RESPONSE.replace("Zebedee", "<![CDATA[Zebedee]]>").replace("WSRC", "<![CDATA[]]>WS<![CDATA[RC]]>"))),
        ("character references", xml_reply(RESPONSE.replace("Zebedee", "&#90;eb&#x65;&#0100;&#x00065;e").replace("WSRC", "&#87;SRC"))),
        ("character references in a ULN", xml_reply(RESPONSE.replace("3000000126", "&#51;<!-- -->000000<![CDATA[12]]>6"))),
    ])
    .await;
}

#[tokio::test]
async fn undocumented_response_unknown_elements_and_attributes_are_ignored() {
    let unknown_element =
        "<x:New xmlns:x=\"urn:x\" a='1'>text<ULN>3000000258</ULN><Learner><ULN>3000000258</ULN></Learner><y/><![CDATA[<]]>&lt;</x:New>";
    let nested_elements = format!("{}{}", "<New>".repeat(29), "</New>".repeat(29));
    let header = "<soapenv:Header><a:To xmlns:a=\"urn:a\" soapenv:mustUnderstand=\"1\">x</a:To><Body><Fault/></Body></soapenv:Header>";
    let attributes: String = (0..64).map(|n| format!(" a{n}=\"&lt;&#x3e;\"")).collect();
    assert_accepted(vec![
        ("SOAP headers", xml_reply(response_with("<soapenv:Header/>", header))),
        ("unknown elements in the response", xml_reply(response_with("<ResponseCode>", &format!("{unknown_element}<ResponseCode>")))),
        ("unknown elements in the learner", xml_reply(response_with_learner_xml(unknown_element))),
        ("unknown elements after every ULN", xml_reply(RESPONSE.replace("</ULN><", &format!("</ULN>{unknown_element}<")))),
        (
            "unknown elements in the list of ULNs",
            xml_reply(response_with("learner\"/>", &format!("learner\">{unknown_element}</LinkedULNs>"))),
        ),
        ("deeply nested unknown elements", xml_reply(response_with("<ResponseCode>", &format!("{nested_elements}<ResponseCode>")))),
        (
            "attributes on every element",
            xml_reply(RESPONSE.replace("ULN>3", "ULN xml:lang='en' ns2:x='1' id=\"_&amp;1\">3").replace("<Learner", "<Learner n='1'")),
        ),
        ("many attributes", xml_reply(response_with_learner_xml(&format!("<New{attributes}/>")))),
    ])
    .await;
}

#[tokio::test]
async fn undocumented_response_any_order_and_white_space_is_accepted() {
    let (before, rest) = RESPONSE.split_once("<ResponseCode>").expect("the sample contains it");
    let (response, after) = rest.split_once("</ns2:").expect("the sample contains it");
    let (start, learner) = response.split_once("<Learner>").expect("the sample contains it");
    let reordered = format!(
        "{before}<Learner><VersionNumber>3</VersionNumber>{}<ResponseCode>{start}</ns2:{after}",
        learner.replace("<VersionNumber>3</VersionNumber>", "")
    );
    assert_accepted(vec![
        ("the code last, the version first", xml_reply(reordered)),
        ("white space around a code", xml_reply(RESPONSE.replace("WSRC0004", "\r\n\tWSRC0004 "))),
        ("a code in lower case", xml_reply(RESPONSE.replace("WSRC0004", "wsrc0004"))),
        ("a code of three digits", xml_reply(RESPONSE.replace("WSRC0004", "WSRC004"))),
        ("white space around ULNs", xml_reply(RESPONSE.replace("3000000126", " 3000000126\n"))),
        ("white space around a number", xml_reply(response_with("<VersionNumber>3<", "<VersionNumber>\n 3\t<"))),
        ("a number with sign and leading zeros", xml_reply(response_with("<VersionNumber>3<", "<VersionNumber>+003<"))),
        ("white space around a gender", xml_reply(response_with("<Gender>1<", "<Gender> 1 <"))),
    ])
    .await;
}

#[tokio::test]
async fn undocumented_response_escaped_text_is_decoded() {
    for (xml, text) in [
        ("&amp;&lt;&gt;&quot;&apos;", "&<>\"'"),
        ("&#x1F393;&#128218;\u{10348}", "\u{1F393}\u{1F4DA}\u{10348}"),
        ("<![CDATA[<b>&amp;&#65;</b>]]>", "<b>&amp;&#65;</b>"),
        ("<![CDATA[]]]]><![CDATA[>]]>", "]]>"),
        (" Northfield ", " Northfield "),
        (" ", " "),
        ("a\r\nb\rc\td", "a\nb\nc\td"),
        ("a&#13;&#10;b", "a\r\nb"),
        ("&amp;lt;", "&lt;"),
        ("Si&#226;n<!-- x -->", "Siân"),
        ("Zażółć Γειά مرحبا 你好", "Zażółć Γειά مرحبا 你好"),
    ] {
        assert_eq!(learner_from_xml(&format!("<SchoolAtAge16>{xml}</SchoolAtAge16>")).await["schoolAtAge16"], text, "{xml}");
    }
}

#[tokio::test]
async fn undocumented_response_nil_is_recognised_by_namespace_and_value() {
    let xsi = "http://www.w3.org/2001/XMLSchema-instance";
    for nil in [
        "<Title xsi:nil=\"true\"/>".to_owned(),
        "<Title xsi:nil=\"1\"></Title>".to_owned(),
        "<Title xsi:nil=' true '>\r\n</Title>".to_owned(),
        format!("<Title i:nil=\"true\" xmlns:i=\"{xsi}\"/>"),
        format!("<Title xmlns:any=\"{xsi}\" any:nil=\"1\"/>"),
        "<Gender2/><VerificationType xsi:nil='1'/><DateOfBirth xsi:nil='true'/><Notes xsi:nil='1'><x/></Notes>".to_owned(),
    ] {
        assert_eq!(learner_from_xml(&nil).await, learner(), "{nil}");
    }
    for value in [
        "<Title xsi:nil=\"false\">Dr</Title>",
        "<Title xsi:nil=\"0\">Dr</Title>",
        "<Title nil=\"true\">Dr</Title>",
        "<Title xmlns:i=\"urn:x\" i:nil=\"true\">Dr</Title>",
    ] {
        assert_eq!(learner_from_xml(value).await["title"], "Dr", "{value}");
    }
    let no_links = response_with("learner\"/>", "learner\" xsi:nil=\"1\"/>");
    assert_sample_learner("a nil list of linked ULNs", &ScriptedLrs::new(Options::default(), [xml_reply(no_links)]).search().await);
}

#[tokio::test]
async fn undocumented_response_any_http_framing_is_accepted() {
    let length = RESPONSE.len();
    let with_head = |head: Vec<u8>| [head, RESPONSE.as_bytes().to_vec()].concat();
    assert_accepted(vec![
        ("the content type of SOAP 1.2", Reply::Bytes(http(200, "application/soap+xml; charset=utf-8", RESPONSE.as_bytes()))),
        ("a content type in upper case", Reply::Bytes(http(200, "TEXT/XML;CHARSET=\"UTF-8\"", RESPONSE.as_bytes()))),
        ("plain text", Reply::Bytes(http(200, "text/plain", RESPONSE.as_bytes()))),
        ("no content type", Reply::Bytes(with_head(head(&format!("Content-Length: {length}\n"))))),
        ("headers in lower case", Reply::Bytes(with_head(head(&format!("content-type:text/xml\ncontent-length:{length}\n"))))),
        ("chunked transfer encoding", Reply::Bytes(chunked(RESPONSE.as_bytes(), 100, "", ""))),
        ("chunks of one byte, an extension, a trailer", Reply::Bytes(chunked(RESPONSE.as_bytes(), 1, ";x=y", "X-Trailer: z\r\n"))),
        (
            "status 100 before the response",
            Reply::Bytes([b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(), http(200, "text/xml", RESPONSE.as_bytes())].concat()),
        ),
        ("gzip", {
            let body = gzipped(RESPONSE.as_bytes());
            Reply::Bytes([head(&format!("Content-Encoding: gzip\nContent-Length: {}\n", body.len())), body].concat())
        }),
        ("gzip in two members, in capitals", {
            let (start, end) = RESPONSE.as_bytes().split_at(200);
            let body = [gzipped(start), gzipped(end)].concat();
            Reply::Bytes([head(&format!("Content-Encoding: GZIP\nContent-Length: {}\n", body.len())), body].concat())
        }),
        ("gzip by its old name, and no coding", {
            let body = gzipped(RESPONSE.as_bytes());
            Reply::Bytes([head(&format!("Content-Encoding: X-Gzip, Identity\nContent-Length: {}\n", body.len())), body].concat())
        }),
        (
            "a header in two lines (obs-fold)",
            Reply::Bytes(with_head(head(&format!("Via: 1.1 first,\n\t1.1 second\nContent-Length: {length}\n")))),
        ),
        ("220 headers", {
            let headers: String = (0..220).map(|number| format!("X-Proxy-{number}: {number}\n")).collect();
            Reply::Bytes(with_head(head(&format!("{headers}Content-Length: {length}\n"))))
        }),
        ("no length, end of connection", Reply::ThenClose(with_head(head("Content-Type: text/xml\n")))),
        ("HTTP/1.0", Reply::ThenClose(with_head(b"HTTP/1.0 200 OK\r\nContent-Type: text/xml\r\n\r\n".to_vec()))),
        (
            "a connection that closes after the response",
            Reply::ThenClose(with_head(head(&format!("Connection: close\nContent-Length: {length}\n")))),
        ),
        ("the next response over a new connection", xml_reply(RESPONSE)),
    ])
    .await;
}

#[tokio::test]
async fn response_size_at_limit_is_accepted_and_above_it_returns_bad_response() {
    let options = Options { max_response_bytes: 10_000, ..Options::default() };
    let padded = |length: usize| format!("{RESPONSE}{}", " ".repeat(length - RESPONSE.len()));
    let chunked_reply = |length| Reply::Bytes(chunked(padded(length).as_bytes(), 999, "", ""));
    let script =
        ScriptedLrs::new(options, [xml_reply(padded(10_000)), chunked_reply(10_000), xml_reply(padded(10_001)), chunked_reply(10_001)]);
    assert_sample_learner("at the limit", &script.search().await);
    assert_sample_learner("at the limit, chunked", &script.search().await);
    script.search().await.problem(502, "lrs_bad_response");
    script.search().await.problem(502, "lrs_bad_response");
}
