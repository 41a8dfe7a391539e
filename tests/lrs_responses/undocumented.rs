//! Everything unusual that LRS may do and that must still work: the same answer in other words of XML and HTTP.

use serde_json::{Value, json};

use crate::support::caller::Answer;
use crate::support::fake_server::{Reply, http};
use crate::support::gateway::Options;
use crate::support::scripted_lrs::{ANSWER, ScriptedLrs, learner, learner_with, response_with, search, xml_reply};

/// Asks once for every reply: each must tell the learner of the sample and nothing else.
async fn understood(cases: Vec<(&str, Reply)>) {
    let (names, replies): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    let script = ScriptedLrs::new(Options::default(), replies);
    for name in names {
        is_the_sample(name, &script.search().await);
    }
}

fn is_the_sample(what: &str, answer: &Answer) {
    assert_eq!(answer.status, 200, "{what}: {}", answer.text);
    let found = answer.json();
    assert_eq!(found["outcome"], "EXACT_MATCH", "{what}");
    assert_eq!(found["learners"], json!([learner()]), "{what}");
    assert_eq!(found["searched"], search(), "{what}");
}

/// The learner that the gateway makes of a learner with this XML in it.
async fn learner_of(xml: &str) -> Value {
    let found = ScriptedLrs::new(Options::default(), [xml_reply(learner_with(xml))]).search().await.expect_success();
    found["learners"][0].clone()
}

fn head(lines: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{}\r\n", lines.replace('\n', "\r\n")).into_bytes()
}

/// The document in pieces of at most `size` bytes, as chunked transfer encoding has them.
fn chunked(document: &[u8], size: usize, extension: &str, trailer: &str) -> Vec<u8> {
    let mut bytes = head("Content-Type: text/xml\nTransfer-Encoding: chunked\n");
    for piece in document.chunks(size) {
        bytes.extend(format!("{:X}{extension}\r\n", piece.len()).bytes());
        bytes.extend(piece);
        bytes.extend(b"\r\n");
    }
    bytes.extend(format!("0\r\n{trailer}\r\n").bytes());
    bytes
}

/// A gzip file of one block that is stored as it is (RFC 1951, 1952).
fn gzipped(document: &[u8]) -> Vec<u8> {
    let bit = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
    let crc = !document.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| bit(crc)));
    let length = u16::try_from(document.len()).expect("a short document");
    let mut bytes = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    bytes.extend(length.to_le_bytes());
    bytes.extend((!length).to_le_bytes());
    bytes.extend(document);
    bytes.extend(crc.to_le_bytes());
    bytes.extend(u32::from(length).to_le_bytes());
    bytes
}

#[tokio::test]
async fn prefixes_and_namespaces_are_the_senders_choice() {
    let children_in_the_namespace_too = ANSWER.replace("<ns2:", "<").replace("</ns2:", "</").replace("xmlns:ns2=", "xmlns=");
    let default_everywhere =
        children_in_the_namespace_too.replace("<soapenv:", "<").replace("</soapenv:", "</").replace("xmlns:soapenv=", "xmlns=");
    let every_child_prefixed = ["ResponseCode", "ULN", "FamilyName", "GivenName", "Learner", "Gender", "VersionNumber"]
        .iter()
        .fold(ANSWER.to_owned(), |xml, name| {
            xml.replace(&format!("<{name}>"), &format!("<ns2:{name}>")).replace(&format!("</{name}>"), &format!("</ns2:{name}>"))
        });
    understood(vec![
        ("as in the samples", xml_reply(ANSWER)),
        ("WCF's prefix", xml_reply(ANSWER.replace("soapenv", "s"))),
        ("prefixes of every kind of character", xml_reply(ANSWER.replace("soapenv", "_é-0.1").replace("ns2", "ns2.ns2"))),
        ("the same prefix for envelope and answer", xml_reply(ANSWER.replace("ns2", "soapenv"))),
        ("the answer's children in its namespace", xml_reply(children_in_the_namespace_too)),
        ("default namespaces throughout", xml_reply(default_everywhere)),
        ("every child with a prefix", xml_reply(every_child_prefixed)),
        ("LinkedULNs without a namespace", xml_reply(response_with(" xmlns=\"http://api.lrs.miap.gov.uk/learner\"", ""))),
        ("another namespace for the answer", xml_reply(response_with("gov.uk/findmsg", "gov.uk/findmsg/v2"))),
        (
            "no namespace for the answer",
            xml_reply(ANSWER.replace("ns2:", "").replace(" xmlns:ns2=\"http://api.lrs.miap.gov.uk/findmsg\"", "")),
        ),
    ])
    .await;
}

#[tokio::test]
async fn the_same_xml_may_be_written_in_many_ways() {
    let declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    let crlf = ANSWER.replace("><", ">\r\n\t <");
    understood(vec![
        ("a byte order mark", xml_reply(format!("\u{FEFF}{ANSWER}"))),
        ("no declaration", xml_reply(response_with(declaration, ""))),
        (
            "a declaration in lower case and single quotes",
            xml_reply(response_with(declaration, "<?xml version='1.0' encoding='utf-8' standalone='yes'?>")),
        ),
        ("a declaration without an encoding", xml_reply(response_with(declaration, "<?xml version=\"1.0\" ?>"))),
        ("single quotes everywhere", xml_reply(ANSWER.replace('"', "'"))),
        ("Windows line ends and indentation", xml_reply(crlf)),
        ("white space at the end", xml_reply(format!("{ANSWER}\r\n\t \n"))),
        ("white space inside tags", xml_reply(ANSWER.replace("ULN>", "ULN >").replace("<Notes/>", "<Notes\r\n\t/>"))),
        ("empty elements with two tags", xml_reply(ANSWER.replace("<Notes/>", "<Notes></Notes>").replace("<soapenv:Header/>", ""))),
        ("comments between elements", xml_reply(ANSWER.replace("><", "><!-- <ULN>3000000258</ULN> & -->\n<"))),
        (
            "processing instructions between elements",
            xml_reply(format!("{}<?x?>", ANSWER.replace("><", "><?x <ULN>3000000258</ULN> & ?><"))),
        ),
        ("comments and instructions inside texts", xml_reply(ANSWER.replace("Quill", "Qui<!-- -->l<?x y?>l"))),
        ("CDATA sections", xml_reply(ANSWER.replace("Zebedee", "<![CDATA[Zebedee]]>").replace("WSRC", "<![CDATA[]]>WS<![CDATA[RC]]>"))),
        ("character references", xml_reply(ANSWER.replace("Zebedee", "&#90;eb&#x65;&#0100;&#x00065;e").replace("WSRC", "&#87;SRC"))),
        ("references in a ULN", xml_reply(ANSWER.replace("3000000126", "&#51;<!-- -->000000<![CDATA[12]]>6"))),
    ])
    .await;
}

#[tokio::test]
async fn what_the_gateway_does_not_know_is_passed_over() {
    let unknown =
        "<x:New xmlns:x=\"urn:x\" a='1'>text<ULN>3000000258</ULN><Learner><ULN>3000000258</ULN></Learner><y/><![CDATA[<]]>&lt;</x:New>";
    let deep = format!("{}{}", "<New>".repeat(29), "</New>".repeat(29));
    let header = "<soapenv:Header><a:To xmlns:a=\"urn:a\" soapenv:mustUnderstand=\"1\">x</a:To><Body><Fault/></Body></soapenv:Header>";
    let attributes: String = (0..64).map(|n| format!(" a{n}=\"&lt;&#x3e;\"")).collect();
    understood(vec![
        ("SOAP headers", xml_reply(response_with("<soapenv:Header/>", header))),
        ("new elements in the answer", xml_reply(response_with("<ResponseCode>", &format!("{unknown}<ResponseCode>")))),
        ("new elements in the learner", xml_reply(learner_with(unknown))),
        ("new elements in every gap of the answer", xml_reply(ANSWER.replace("</ULN><", &format!("</ULN>{unknown}<")))),
        ("new elements in the list of ULNs", xml_reply(response_with("learner\"/>", &format!("learner\">{unknown}</LinkedULNs>")))),
        ("new elements nested deeply", xml_reply(response_with("<ResponseCode>", &format!("{deep}<ResponseCode>")))),
        (
            "attributes on every element",
            xml_reply(ANSWER.replace("ULN>3", "ULN xml:lang='en' ns2:x='1' id=\"_&amp;1\">3").replace("<Learner", "<Learner n='1'")),
        ),
        ("many attributes", xml_reply(learner_with(&format!("<New{attributes}/>")))),
    ])
    .await;
}

#[tokio::test]
async fn order_and_white_space_do_not_matter() {
    let (before, rest) = ANSWER.split_once("<ResponseCode>").expect("in the sample");
    let (answer, after) = rest.split_once("</ns2:").expect("in the sample");
    let (start, learner) = answer.split_once("<Learner>").expect("in the sample");
    let reordered = format!(
        "{before}<Learner><VersionNumber>3</VersionNumber>{}<ResponseCode>{start}</ns2:{after}",
        learner.replace("<VersionNumber>3</VersionNumber>", "")
    );
    understood(vec![
        ("the code at the end, the version at the beginning", xml_reply(reordered)),
        ("white space around a code", xml_reply(ANSWER.replace("WSRC0004", "\r\n\tWSRC0004 "))),
        ("a code in lower case", xml_reply(ANSWER.replace("WSRC0004", "wsrc0004"))),
        ("a code of three digits", xml_reply(ANSWER.replace("WSRC0004", "WSRC004"))),
        ("white space around ULNs", xml_reply(ANSWER.replace("3000000126", " 3000000126\n"))),
        ("white space around a number", xml_reply(response_with("<VersionNumber>3<", "<VersionNumber>\n 3\t<"))),
        ("another way to write a number", xml_reply(response_with("<VersionNumber>3<", "<VersionNumber>+003<"))),
        ("white space around a gender", xml_reply(response_with("<Gender>1<", "<Gender> 1 <"))),
    ])
    .await;
}

#[tokio::test]
async fn texts_come_through_whatever_xml_wraps_them_in() {
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
        assert_eq!(learner_of(&format!("<SchoolAtAge16>{xml}</SchoolAtAge16>")).await["schoolAtAge16"], text, "{xml}");
    }
}

#[tokio::test]
async fn nil_is_known_by_its_namespace_and_its_value() {
    let xsi = "http://www.w3.org/2001/XMLSchema-instance";
    for nil in [
        "<Title xsi:nil=\"true\"/>".to_owned(),
        "<Title xsi:nil=\"1\"></Title>".to_owned(),
        "<Title xsi:nil=' true '>\r\n</Title>".to_owned(),
        format!("<Title i:nil=\"true\" xmlns:i=\"{xsi}\"/>"),
        format!("<Title xmlns:any=\"{xsi}\" any:nil=\"1\"/>"),
        "<Gender2/><VerificationType xsi:nil='1'/><DateOfBirth xsi:nil='true'/><Notes xsi:nil='1'><x/></Notes>".to_owned(),
    ] {
        assert_eq!(learner_of(&nil).await, learner(), "{nil}");
    }
    for value in [
        "<Title xsi:nil=\"false\">Dr</Title>",
        "<Title xsi:nil=\"0\">Dr</Title>",
        "<Title nil=\"true\">Dr</Title>",
        "<Title xmlns:i=\"urn:x\" i:nil=\"true\">Dr</Title>",
    ] {
        assert_eq!(learner_of(value).await["title"], "Dr", "{value}");
    }
    let no_links = response_with("learner\"/>", "learner\" xsi:nil=\"1\"/>");
    is_the_sample("nil links", &ScriptedLrs::new(Options::default(), [xml_reply(no_links)]).search().await);
}

#[tokio::test]
async fn http_may_deliver_the_answer_in_any_of_its_ways() {
    let length = ANSWER.len();
    let with = |head: Vec<u8>| [head, ANSWER.as_bytes().to_vec()].concat();
    understood(vec![
        ("SOAP 1.2's content type", Reply::Bytes(http(200, "application/soap+xml; charset=utf-8", ANSWER.as_bytes()))),
        ("a content type in capitals", Reply::Bytes(http(200, "TEXT/XML;CHARSET=\"UTF-8\"", ANSWER.as_bytes()))),
        ("plain text", Reply::Bytes(http(200, "text/plain", ANSWER.as_bytes()))),
        ("no content type", Reply::Bytes(with(head(&format!("Content-Length: {length}\n"))))),
        ("headers in lower case", Reply::Bytes(with(head(&format!("content-type:text/xml\ncontent-length:{length}\n"))))),
        ("chunks", Reply::Bytes(chunked(ANSWER.as_bytes(), 100, "", ""))),
        ("one byte a chunk, an extension, a trailer", Reply::Bytes(chunked(ANSWER.as_bytes(), 1, ";x=y", "X-Trailer: z\r\n"))),
        (
            "a 100 before the answer",
            Reply::Bytes([b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(), http(200, "text/xml", ANSWER.as_bytes())].concat()),
        ),
        ("gzip", {
            let body = gzipped(ANSWER.as_bytes());
            Reply::Bytes([head(&format!("Content-Encoding: gzip\nContent-Length: {}\n", body.len())), body].concat())
        }),
        ("an end without a length", Reply::ThenClose(with(head("Content-Type: text/xml\n")))),
        ("HTTP/1.0", Reply::ThenClose(with(b"HTTP/1.0 200 OK\r\nContent-Type: text/xml\r\n\r\n".to_vec()))),
        (
            "a connection that closes after the answer",
            Reply::ThenClose(with(head(&format!("Connection: close\nContent-Length: {length}\n")))),
        ),
        ("and the next answer over a new one", xml_reply(ANSWER)),
    ])
    .await;
}

#[tokio::test]
async fn an_answer_may_be_as_large_as_the_limit_and_no_larger() {
    let options = Options { max_response_bytes: 10_000, ..Options::default() };
    let padded = |length: usize| format!("{ANSWER}{}", " ".repeat(length - ANSWER.len()));
    let chunks = |length| Reply::Bytes(chunked(padded(length).as_bytes(), 999, "", ""));
    let script = ScriptedLrs::new(options, [xml_reply(padded(10_000)), chunks(10_000), xml_reply(padded(10_001)), chunks(10_001)]);
    is_the_sample("as large as the limit", &script.search().await);
    is_the_sample("as large as the limit, in chunks", &script.search().await);
    script.search().await.problem(502, "lrs_bad_response");
    script.search().await.problem(502, "lrs_bad_response");
}
