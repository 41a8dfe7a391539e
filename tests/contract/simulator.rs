//! The simulator, called directly: it judges messages as LRS does, and its answers are valid.

use lrs_gateway::lrs::Service;

use super::{BY_ULN, FULL, PLAIN, golden, request_with};
use crate::support::SimulatedLrs;
use crate::support::contract::Contract;

/// Somebody who calls the simulator directly.
pub struct Soap {
    lrs: SimulatedLrs,
    http: reqwest::Client,
}

impl Soap {
    pub fn start() -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        Self { lrs: SimulatedLrs::start(), http: reqwest::Client::builder().no_proxy().build().expect("a client") }
    }

    /// Calls anything.
    pub async fn call(&self, method: &str, path: &str, action: Option<&str>, xml: &str) -> (u16, String) {
        let url = format!("{}{path}", self.lrs.url());
        let mut request = self.http.request(method.parse().expect("a method"), url).header("Content-Type", "text/xml").body(xml.to_owned());
        if let Some(action) = action {
            request = request.header("SOAPAction", action);
        }
        let response = request.send().await.expect("the simulator answers");
        assert_eq!(response.headers()["content-type"], "text/xml; charset=utf-8");
        (response.status().as_u16(), response.text().await.expect("the answer is whole"))
    }

    /// Calls the learner service.
    pub async fn post(&self, action: Option<&str>, xml: &str) -> (u16, String) {
        self.call("POST", Service::Learner.path(), action, xml).await
    }
}

/// What to ask the simulator (a golden request and its changes), and the code it answers with.
const ANSWERS: [(&str, &str, &[(&str, &str)], &str); 16] = [
    ("exact", BY_ULN, &[], "WSRC0004"),
    ("exact-with-everything", FULL, &[], "WSRC0004"),
    ("check", BY_ULN, &[("FUL", "CHK")], "WSRC0004"),
    ("organisation-by-reference", BY_ULN, &[BY_REFERENCE, NO_UKPRN], "WSRC0004"),
    ("possible", PLAIN, &[("<Gender>1", "<Gender>0")], "WSRC0003"),
    ("too-many", PLAIN, &[("Sam", "Alex"), ("Taylor", "Smith"), ("2004-06-01", "2003-01-01"), ("ZZ5 5FF", "ZZ99 9ZZ")], "WSRC0002"),
    ("none", PLAIN, &[("2004-06-01", "2004-06-02")], "WSRC0001"),
    ("none-by-uln", BY_ULN, &[("<GivenName>Ana", "<GivenName>Anna")], "WSRC0001"),
    (
        "linked",
        PLAIN,
        &[("Sam", "Rhiannon"), ("Taylor", "Rees"), ("2004-06-01", "2002-08-17"), ("<Gender>1", "<Gender>2"), ("ZZ5 5FF", "ZZ34EE")],
        "WSRC0022",
    ),
    ("invalid", BY_ULN, &[("3000000126", "300000012&amp;")], "WSEC0001"),
    ("operation-of-another-namespace", BY_ULN, &[("fin=\"http://api.lrs.miap.gov.uk/findmsg", "fin=\"urn:other")], "WSEC0002"),
    ("organisation-unknown", BY_ULN, &[("10088881", "10088889")], "WSEC0003"),
    (
        "organisation-unknown-by-reference",
        BY_ULN,
        &[("<OrganisationRef xsi:nil=\"true\"/>", "<OrganisationRef>NOBODY</OrganisationRef>"), NO_UKPRN],
        "WSEC0003",
    ),
    ("organisation-not-named", BY_ULN, &[NO_UKPRN], "WSEC0003"),
    ("password-wrong", BY_ULN, &[("demo-password-01", "demo-password-02")], "WSEC0005"),
    ("product-missing", FULL, &[("10088881", "10088882"), ("demo-password-01", "demo-password-02")], "WSEC0006"),
];
const BY_REFERENCE: (&str, &str) = ("<OrganisationRef xsi:nil=\"true\"/>", "<OrganisationRef>DEMO01</OrganisationRef>");
const NO_UKPRN: (&str, &str) = ("<UKPRN>10088881</UKPRN>", "<UKPRN xsi:nil=\"true\"/>");

#[tokio::test]
async fn the_simulator_answers_as_lrs_does_and_its_answers_are_valid() {
    let lrs = Soap::start();
    let mut answers = Vec::new();
    for (name, request, changes, code) in ANSWERS {
        let (status, answer) = lrs.post(Some("\"\""), &request_with(request, changes)).await;
        let (expected, element) = if code.starts_with("WSRC") { (200, "ResponseCode") } else { (500, "ErrorCode") };
        assert!(status == expected && answer.contains(&format!("<{element}>{code}</{element}>")), "{name}: {status} {answer}");
        answers.push((name.to_owned(), answer));
    }
    let nonsense = "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body><Nonsense/></e:Body></e:Envelope>";
    for (name, xml, code) in [("operation-unknown", nonsense, "WSEC0002"), ("not-xml", "FindLearnerByULN", "WSEC0001")] {
        let (status, answer) = lrs.post(None, xml).await;
        assert!(status == 500 && answer.contains(&format!("<ErrorCode>{code}</ErrorCode>")), "{name}: {status} {answer}");
        answers.push((name.to_owned(), answer));
    }
    for service in [Service::Learner, Service::LearnerR9, Service::External] {
        let (status, answer) = lrs.call("GET", service.path(), None, "").await;
        assert!(status == 405 && answer.contains("<Description>UnsupportedHttpVerb</Description>"), "{status} {answer}");
        assert!(answer.contains("<FurtherDetails>UnsupportedHttpVerb GET</FurtherDetails>"), "{answer}");
        answers.push((format!("get-{}", answers.len()), answer));
    }
    let Some(contract) = Contract::from_env() else { return };
    contract.check_answer(Service::Learner, &answers);
    for service in [Service::LearnerR9, Service::External] {
        let (status, answer) = lrs.call("POST", service.path(), None, nonsense).await;
        assert_eq!(status, 500);
        contract.check_answer(service, &[("not-simulated".to_owned(), answer)]);
    }
}

#[tokio::test]
async fn the_simulator_goes_by_the_body_and_not_by_the_soap_action() {
    let lrs = Soap::start();
    let another = "\"http://tempuri.org/LearnerPortType/verifyLearner\"";
    for action in [None, Some(""), Some("\"\""), Some(another), Some("nonsense")] {
        for (name, repeated) in [(BY_ULN, "<ULN>3000000126</ULN>"), (PLAIN, "<DateOfBirth>2004-06-01</DateOfBirth>")] {
            let (status, answer) = lrs.post(action, &golden(name, "request.xml")).await;
            assert!(status == 200 && answer.contains(repeated), "{action:?}: {answer}");
        }
    }
}

/// A golden request, what to replace in it and with what, and words of the refusal; without words it remains valid.
type Deviation = (&'static str, &'static str, String, &'static str);

fn deviations() -> Vec<Deviation> {
    let each = |request, from, name, accepted: &[&str], refused: &[&str]| -> Vec<Deviation> {
        let accepted = accepted.iter().map(|to| (request, from, (*to).to_owned(), ""));
        accepted.chain(refused.iter().map(|to| (request, from, (*to).to_owned(), name))).collect()
    };
    let long = |length| "\u{1D11E}".repeat(length);
    let (most, too_long, school, too_long_a_school) = (&*long(35), &*long(36), &*long(254), &*long(255));
    let blank = " ".repeat(16);
    let nil = "<OrganisationRef xsi:nil=\"true\"/>";
    let (given, both) = ("<GivenName>Ana</GivenName>", "<FamilyName>O'Neill</FamilyName><GivenName>Ana</GivenName>");
    [
        each(BY_ULN, "FUL", "'MIAPFindType'", &["CHK"], &["ful", "", " FUL"]),
        each(BY_ULN, nil, "", &["", "<OrganisationRef>DEMO01</OrganisationRef>", "<OrganisationRef xsi:nil=\"1\"></OrganisationRef>"], &[]),
        each(BY_ULN, nil, "'MIAPOrganisationRef'", &[], &["<OrganisationRef/>", "<OrganisationRef>DEMO-1</OrganisationRef>"]),
        each(BY_ULN, nil, "it is nil", &[], &["<OrganisationRef xsi:nil=\"true\">DEMO01</OrganisationRef>"]),
        each(BY_ULN, "10088881", "'MIAPUKPRN'", &["TEST0038"], &["1008888", "100888812", ""]),
        each(BY_ULN, "demo-password-01", "'MIAPOrgPassword'", &["<![CDATA[<&]]>mo-password-01"], &["demo", &blank, "demo-password-012"]),
        each(BY_ULN, "j.bloggs", "'MIAPNameNonEmpty'", &["\u{A0}", most], &["", " &#9;&#13;\n", too_long]),
        each(BY_ULN, "3000000126", "'MIAPULN'", &["9999999999"], &["0000000126", "300000012", "30000001260", "٣000000126", ""]),
        each(BY_ULN, "O'Neill", "'MIAPNameNonEmpty'", &["<!-- a comment -->O'Neill", most], &["", " ", too_long]),
        each(
            PLAIN,
            "2004-06-01",
            "'MIAPDate'",
            &["1900-02-29"],
            &["2023-02-29", "2004-13-01", "2100-01-01", "2004-6-1", "2004-06-01Z", ""],
        ),
        each(PLAIN, "1</Gender>", "'MIAPGender'", &["9</Gender>"], &["3</Gender>", "M</Gender>", "01</Gender>", "</Gender>"]),
        each(
            PLAIN,
            "ZZ5 5FF",
            "'MIAPPostCode'",
            &["zz55ff   ", "BFPO 1234", "GIR 0AA"],
            &["", "ZZ5 5FC", "D02 X285", " ZZ5 5FF", "ZZ55 5FF  "],
        ),
        each(FULL, ">Siân<", "'MIAPName'", &["><", "> <", &format!(">{most}<")], &[&format!(">{too_long}<")]),
        each(FULL, "Smith &amp; Sons &lt;\"North\"&gt;", "'MIAPSchoolName'", &["", school], &[too_long_a_school]),
        each(FULL, "Abertawe ", "'MIAPName'", &["", most], &[too_long]),
        each(
            FULL,
            "zoe.o'neill+lrs@mail.example.com",
            "'MIAPEmail'",
            &["", "a'b{c}@bc.uk"],
            &["a@b.uk", "a&amp;b@bc.uk", "a@bc.college", "ä@bc.uk"],
        ),
        each(
            PLAIN,
            "<SchoolAtAge16 xsi:nil=\"true\"/>",
            "",
            &["", "<SchoolAtAge16/>", "<SchoolAtAge16 xsi:nil=\"false\">A</SchoolAtAge16>"],
            &[],
        ),
        each(BY_ULN, given, "'GivenName' is expected", &[], &[""]),
        each(BY_ULN, given, "'nil' must not appear", &[], &["<GivenName xsi:nil=\"true\"/>"]),
        each(BY_ULN, given, "simple type", &[], &["<GivenName><b>Ana</b></GivenName>"]),
        each(BY_ULN, given, "'GivenName'", &[], &["<fin:GivenName>Ana</fin:GivenName>", &given.repeat(2)]),
        each(BY_ULN, given, "'MiddleName'", &[], &["<GivenName>Ana</GivenName><MiddleName/>"]),
        each(BY_ULN, given, "cannot have character", &[], &["<GivenName>Ana</GivenName>Ana"]),
        each(BY_ULN, both, "'GivenName'", &[], &["<GivenName>Ana</GivenName><FamilyName>O'Neill</FamilyName>"]),
    ]
    .concat()
}

#[tokio::test]
async fn the_simulator_and_the_strict_schemas_refuse_the_same_requests() {
    let lrs = Soap::start();
    let (mut requests, mut invalid) = (Vec::new(), Vec::new());
    for (number, (request, from, to, refusal)) in deviations().into_iter().enumerate() {
        let request = request_with(request, &[(from, &to)]);
        let (_, answer) = lrs.post(Some("\"\""), &request).await;
        let refused = answer.contains("<ErrorCode>WSEC0001</ErrorCode>");
        assert_eq!(refused, !refusal.is_empty(), "{to}: {answer}");
        if refused {
            let details = answer.split_once("<FurtherDetails>").expect("details").1;
            assert!(details.contains(refusal), "{to}: {details}");
            invalid.push(format!("deviation-{number}"));
        }
        requests.push((format!("deviation-{number}"), request));
    }
    let Some(contract) = Contract::from_env() else { return };
    let refused = contract.strict(&requests).into_iter().map(|refusal| refusal.name).collect::<Vec<_>>();
    assert_eq!(refused, invalid);
}
