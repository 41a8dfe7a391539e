//! Registering and updating learners: the requests to LRS, outcomes, rejections, and responses that leave the outcome unknown.

use lrs_gateway::domain::LearnerDetails;
use serde_json::{Value, json};

use crate::support::fake_server::{Reply, soap};
use crate::support::fields::{assert_same_names, element_names};
use crate::support::gateway::Options;
use crate::support::scripted_lrs::ScriptedLrs;

const REGISTER: &str = "/v1/learners/register";
const UPDATE: &str = "/v1/learners/update";

/// All fields in the order of LRS's contract: field, value, element, text in LRS's request.
const FIELDS: &[(&str, &str, &str, &str)] = &[
    ("title", "Dr & Prof", "Title", "Dr &amp; Prof"),
    ("givenName", "Zoë <script>", "GivenName", "Zoë &lt;script&gt;"),
    ("middleOtherName", "]]>", "MiddleOtherName", "]]&gt;"),
    ("familyName", "Ó Briain-O'Hara \"Bob\"", "FamilyName", "Ó Briain-O'Hara \"Bob\""),
    ("preferredGivenName", "&amp;", "PreferredGivenName", "&amp;amp;"),
    ("previousFamilyName", "محمد", "PreviousFamilyName", "محمد"),
    ("familyNameAtAge16", "김", "FamilyNameAtAge16", "김"),
    ("schoolAtAge16", "Ysgol Fictional ", "SchoolAtAge16", "Ysgol Fictional "),
    ("lastKnownAddressLine1", "1 Nowhere Row", "LastKnownAddressLine1", "1 Nowhere Row"),
    ("lastKnownAddressLine2", "Flat\t2", "LastKnownAddressLine2", "Flat\t2"),
    ("lastKnownAddressTown", "Abertawe", "LastKnownAddressTown", "Abertawe"),
    ("lastKnownAddressCountyOrCity", "Sir Gâr", "LastKnownAddressCountyOrCity", "Sir Gâr"),
    ("lastKnownPostCode", "zz7 7jj", "LastKnownPostCode", "zz7 7jj"),
    ("dateOfAddressCapture", "2024-02-29", "DateOfAddressCapture", "2024-02-29"),
    ("dateOfBirth", "2005-07-21", "DateOfBirth", "2005-07-21"),
    ("placeOfBirth", "🏝", "PlaceOfBirth", "🏝"),
    ("gender", "NOT_SPECIFIED", "Gender", "9"),
    ("emailAddress", "zoe.o'hara+lrs@mail.example.com", "EmailAddress", "zoe.o'hara+lrs@mail.example.com"),
    ("nationality", "IRL", "Nationality", "IRL"),
    ("scottishCandidateNumber", "012345678", "ScottishCandidateNumber", "012345678"),
    ("verificationType", "OTHER", "VerificationType", "999"),
    ("otherVerificationDescription", "Student card", "OtherVerificationDescription", "Student card"),
    ("abilityToShare", "SEEN_NOT_SHARED", "AbilityToShare", "2"),
    ("notes", "first line\r\nsecond\n", "Notes", "first line&#13;\nsecond\n"),
];

/// The fields that a learner must have.
const REQUIRED: [&str; 7] = ["givenName", "familyName", "lastKnownPostCode", "dateOfBirth", "gender", "verificationType", "abilityToShare"];

/// Returns a learner with those of [`FIELDS`] that `is_included` selects.
fn learner(is_included: impl Fn(&str) -> bool) -> Value {
    FIELDS.iter().filter(|(field, ..)| is_included(field)).map(|(field, value, ..)| ((*field).to_owned(), json!(value))).collect()
}

/// Returns the elements that the gateway sends for the same learner.
fn elements(is_included: impl Fn(&str) -> bool) -> String {
    FIELDS.iter().filter(|(field, ..)| is_included(field)).map(|(.., element, text)| format!("<{element}>{text}</{element}>")).collect()
}

fn is_required(field: &str) -> bool {
    REQUIRED.contains(&field)
}

fn registration() -> Value {
    json!({"learner": learner(|field| is_required(field) || field == "otherVerificationDescription")})
}

fn update() -> Value {
    json!({"uln": "3000000126", "versionNumber": 3, "learner": registration()["learner"]})
}

/// LRS's response to a registration, with this content.
fn registered(xml: &str) -> Reply {
    let body = format!("<ns2:RegisterLearnerResponse xmlns:ns2=\"http://api.lrs.miap.gov.uk/regmsg\">{xml}</ns2:RegisterLearnerResponse>");
    Reply::Bytes(soap(200, &body))
}

/// LRS's response to an update, with this content.
fn updated(xml: &str) -> Reply {
    let body = format!("<ns2:UpdateLearnerResponse xmlns:ns2=\"http://api.lrs.miap.gov.uk/regmsg\">{xml}</ns2:UpdateLearnerResponse>");
    Reply::Bytes(soap(200, &body))
}

/// The element of a response code.
fn code(code: &str) -> String {
    format!("<ResponseCode>{code}</ResponseCode>")
}

/// Registers this learner and returns the request that LRS received.
async fn register_request(learner: Value) -> String {
    let script = ScriptedLrs::new(Options::default(), [registered("<ResponseCode>WSRC0005</ResponseCode><ULN>3000000258</ULN>")]);
    assert_eq!(script.post(REGISTER, &json!({"learner": learner})).await.status, 201);
    script.received()[0].body.clone()
}

/// Returns the content of the element `Learner` in a request to LRS.
fn learner_in(request: &str) -> &str {
    let (_, from_start) = request.split_once("<Learner>").expect("a start tag");
    from_start.split_once("</Learner>").expect("an end tag").0
}

#[tokio::test]
async fn register_request_has_all_fields_in_contract_order() {
    let listed: Vec<&str> = FIELDS.iter().map(|(_, _, element, _)| *element).collect();
    assert_same_names(("FIELDS in tests/register_learners.rs", &listed), ("LearnerDetails", &element_names::<LearnerDetails>()));
    let script = ScriptedLrs::new(Options::default(), [registered("<ResponseCode>WSRC0005</ResponseCode><ULN>3000000258</ULN>")]);

    let answer = script.post(REGISTER, &json!({"learner": learner(|_| true)})).await;

    assert_eq!(answer.status, 201, "{}", answer.text);
    let request = &script.received()[0];
    assert_eq!(request.head.lines().next(), Some("POST /LearnerService.svc HTTP/1.1"));
    assert_eq!((request.header("content-type"), request.header("soapaction")), ("text/xml; charset=utf-8", "\"\""));
    let expected = format!(
        "<soapenv:Body><reg:RegisterLearner xmlns:reg=\"http://api.lrs.miap.gov.uk/regmsg\"><OrganisationRef xsi:nil=\"true\"/>\
         <UKPRN>10088881</UKPRN><OrgPassword>demo-password-01</OrgPassword><UserName>j.bloggs</UserName>\
         <Learner>{}</Learner></reg:RegisterLearner></soapenv:Body>",
        elements(|_| true)
    );
    assert!(request.body.contains(&expected), "{}", request.body);
}

#[tokio::test]
async fn update_request_has_uln_and_version_after_all_fields() {
    let script = ScriptedLrs::new(Options::default(), [updated(&code("WSRC0006"))]);
    let update = json!({"versionNumber": 2_147_483_647, "learner": learner(|_| true), "uln": "3000000126"});

    script.post(UPDATE, &update).await.expect_success();

    let request = &script.received()[0];
    assert_eq!(request.head.lines().next(), Some("POST /LearnerService.svc HTTP/1.1"));
    assert_eq!(request.header("soapaction"), "\"\"");
    let expected = format!(
        "<soapenv:Body><reg:UpdateLearner xmlns:reg=\"http://api.lrs.miap.gov.uk/regmsg\"><OrganisationRef xsi:nil=\"true\"/>\
         <UKPRN>10088881</UKPRN><OrgPassword>demo-password-01</OrgPassword><UserName>j.bloggs</UserName>\
         <Learner>{}<ULN>3000000126</ULN><VersionNumber>2147483647</VersionNumber></Learner></reg:UpdateLearner></soapenv:Body>",
        elements(|_| true)
    );
    assert!(request.body.contains(&expected), "{}", request.body);
}

#[tokio::test]
async fn register_request_omits_absent_fields_and_sends_empty_fields_empty() {
    let mut learner = learner(is_required);
    learner["verificationType"] = json!("PASSPORT");
    let only_required = elements(is_required).replace("999", "2");
    assert_eq!(learner_in(&register_request(learner.clone()).await), only_required);

    let cannot_be_empty = |field: &str| is_required(field) || field == "dateOfAddressCapture";
    for (field, ..) in FIELDS.iter().filter(|(field, ..)| !cannot_be_empty(field)) {
        learner[field] = json!("");
    }
    let request = register_request(learner).await;
    let expected = FIELDS.iter().filter(|(field, ..)| *field != "dateOfAddressCapture").map(|(field, _, element, text)| match *field {
        "verificationType" => "<VerificationType>2</VerificationType>".to_owned(),
        field if is_required(field) => format!("<{element}>{text}</{element}>"),
        _ => format!("<{element}></{element}>"),
    });
    assert_eq!(learner_in(&request), expected.collect::<String>());
}

#[tokio::test]
async fn register_request_sends_enumerated_values_as_lrs_codes() {
    for (field, element, values) in [
        ("gender", "Gender", &[("NOT_KNOWN", "0"), ("MALE", "1"), ("FEMALE", "2"), ("NOT_SPECIFIED", "9")][..]),
        ("abilityToShare", "AbilityToShare", &[("NOT_SEEN", "0"), ("SEEN_SHARE", "1"), ("SEEN_NOT_SHARED", "2")]),
        (
            "verificationType",
            "VerificationType",
            &[
                ("NOT_PROVIDED", "0"),
                ("RELATIONSHIP_WITH_SCHOOL", "1"),
                ("PASSPORT", "2"),
                ("DRIVING_LICENCE", "3"),
                ("NATIONAL_ID", "4"),
                ("NATIONAL_INSURANCE_CARD", "5"),
                ("FUNDING_CERTIFICATE", "6"),
                ("BANK_CARD", "7"),
                ("OTHER", "999"),
            ],
        ),
    ] {
        for (value, lrs_code) in values {
            let mut learner = registration()["learner"].clone();
            learner[field] = json!(value);

            let request = register_request(learner).await;

            assert!(request.contains(&format!("<{element}>{lrs_code}</{element}>")), "{field} {value}: {request}");
        }
    }
}

#[tokio::test]
async fn register_success_returns_new_uln() {
    // The number of leading zeros in a code does not matter (LRS-CONTRACT 3.6).
    for (lrs_code, uln) in [("WSRC0005", " 3000000258\n"), ("WSRC005", "3000000258")] {
        let script = ScriptedLrs::new(Options::default(), [registered(&format!("{}<ULN>{uln}</ULN>", code(lrs_code)))]);

        let answer = script.post(REGISTER, &registration()).await;

        assert_eq!((answer.status, answer.header("cache-control")), (201, "no-store"), "{}", answer.text);
        assert_eq!(answer.json(), json!({"outcome": "REGISTERED", "lrsCode": lrs_code, "uln": "3000000258"}));
    }
}

#[tokio::test]
async fn register_and_update_undocumented_code_returns_other() {
    for (path, body, reply, expected) in [
        (REGISTER, registration(), registered(&code("WSRC7777")), json!({"outcome": "OTHER", "lrsCode": "WSRC7777"})),
        (
            REGISTER,
            registration(),
            registered("<ResponseCode>new</ResponseCode><ULN>a text</ULN>"),
            json!({"outcome": "OTHER", "lrsCode": "new", "uln": "a text"}),
        ),
        (UPDATE, update(), updated(&code("WSRC7777")), json!({"outcome": "OTHER", "lrsCode": "WSRC7777"})),
    ] {
        assert_eq!(ScriptedLrs::new(Options::default(), [reply]).post(path, &body).await.expect_success(), expected);
    }
}

#[tokio::test]
async fn update_success_returns_updated_or_no_changes() {
    for (lrs_code, outcome) in [("WSRC0006", "UPDATED"), ("WSRC0020", "NO_CHANGES")] {
        let script = ScriptedLrs::new(Options::default(), [updated(&code(lrs_code))]);

        let result = script.post(UPDATE, &update()).await.expect_success();

        assert_eq!(result, json!({"outcome": outcome, "lrsCode": lrs_code}));
    }
}

#[tokio::test]
async fn register_and_update_rejected_by_lrs_return_problem_with_known_outcome() {
    let fault = |code: &str| {
        let exception = format!(
            "<ns10:MIAPAPIException xmlns:ns10=\"http://api.lrs.miap.gov.uk/exceptions\">\
             <ErrorCode>{code}</ErrorCode></ns10:MIAPAPIException>"
        );
        let fault = format!("<soapenv:Fault><faultcode>soapenv:Server</faultcode><detail>{exception}</detail></soapenv:Fault>");
        Reply::Bytes(soap(500, &fault))
    };
    let (registration, update) = (registration(), update());
    for (path, body, response, lrs_code, status, problem_code) in [
        (REGISTER, &registration, registered as fn(&str) -> Reply, "WSRC0021", 409, "learner_not_registered"),
        (REGISTER, &registration, registered, "WSRC0015", 422, "insufficient_data"),
        (UPDATE, &update, updated, "WSRC0013", 409, "stale_version"),
        (UPDATE, &update, updated, "WSRC0014", 422, "share_change_not_allowed"),
        (UPDATE, &update, updated, "WSRC0015", 422, "insufficient_data"),
        (UPDATE, &update, updated, "WSRC0019", 404, "uln_not_found"),
    ] {
        for reply in [response(&code(lrs_code)), fault(lrs_code)] {
            let problem = ScriptedLrs::new(Options::default(), [reply]).post(path, body).await.problem(status, problem_code);

            assert_eq!((&problem["lrs"]["code"], &problem["retryable"]), (&json!(lrs_code), &json!(false)), "{problem}");
            assert_eq!(problem["outcomeUnknown"], Value::Null, "{problem}");
            if problem_code == "insufficient_data" {
                assert_absent_fields_are_named(&problem, &body["learner"]);
            } else {
                assert_eq!(problem["errors"], Value::Null, "{problem}");
            }
        }
    }
}

/// Asserts that a problem names the fields that a learner does not have, and no others.
fn assert_absent_fields_are_named(problem: &Value, learner: &Value) {
    let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("no errors: {problem}"));
    let names: Vec<&str> = errors.iter().filter_map(|error| error["pointer"].as_str()?.strip_prefix("/learner/")).collect();
    assert!(names.len() == errors.len() && names.len() > 3, "{problem}");
    for name in names {
        assert!(learner.get(name).is_none_or(|value| *value == ""), "{name} is in the request");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(&format!("`{name}`"))), "{name}: {problem}");
    }
    assert!(errors.iter().all(|error| error["code"] == "may_be_needed"), "{problem}");
    let is_named = |name: &str| errors.iter().any(|error| error["pointer"] == format!("/learner/{name}"));
    assert!(is_named("schoolAtAge16") && !is_named("familyName"), "{problem}");
}

#[tokio::test]
async fn register_response_without_valid_uln_or_code_has_unknown_outcome() {
    let registered_with = |uln: &str| registered(&format!("<ResponseCode>WSRC0005</ResponseCode>{uln}"));
    for (case, reply) in [
        ("no ULN", registered_with("")),
        ("an empty ULN", registered_with("<ULN/>")),
        ("a ULN that is nil", registered_with("<ULN xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\" i:nil=\"true\"/>")),
        ("a blank ULN", registered_with("<ULN> </ULN>")),
        ("a text instead of a ULN", registered_with("<ULN>pending</ULN>")),
        ("a wrong check digit", registered_with("<ULN>3000000127</ULN>")),
        ("the ULN that stands for no ULN", registered_with("<ULN>9999999999</ULN>")),
        ("nine digits", registered_with("<ULN>300000012</ULN>")),
        ("two ULNs", registered_with("<ULN>3000000126</ULN><ULN>3000000258</ULN>")),
        ("two codes", registered_with("<ULN>3000000126</ULN><ResponseCode>WSRC0021</ResponseCode>")),
        ("no code", registered("<ULN>3000000258</ULN>")),
        ("an empty code", registered("<ResponseCode/><ULN>3000000258</ULN>")),
        ("the response to an update", updated("<ResponseCode>WSRC0006</ResponseCode>")),
    ] {
        let answer = ScriptedLrs::new(Options::default(), [reply]).post(REGISTER, &registration()).await;

        let problem = answer.problem(502, "lrs_bad_response");
        assert_eq!((&problem["outcomeUnknown"], &problem["retryable"]), (&json!(true), &json!(false)), "{case}: {problem}");
        assert!(!answer.text.contains("300000012") && !answer.text.contains("pending"), "{case}: {problem}");
    }
}

#[tokio::test]
async fn update_response_without_code_has_unknown_outcome() {
    for reply in [updated(""), updated("<ResponseCode/>"), updated("<Code>WSRC0006</Code>"), registered(&code("WSRC0006"))] {
        let problem = ScriptedLrs::new(Options::default(), [reply]).post(UPDATE, &update()).await.problem(502, "lrs_bad_response");

        assert_eq!((&problem["outcomeUnknown"], &problem["retryable"]), (&json!(true), &json!(false)), "{problem}");
    }
}
