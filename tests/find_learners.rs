//! Finding learners by ULN and by demographics: requests to LRS, outcomes, fields, and responses that must not reach the caller.

use lrs_gateway::domain::Learner;
use lrs_gateway::xml::XmlRecord as _;
use serde_json::{Value, json};

use crate::support::fake_server::soap;
use crate::support::fields::assert_same_names;
use crate::support::{FakeServer, SimulatedLrs, TestGateway};

const BY_ULN: &str = "/v1/learners/find-by-uln";
const BY_DEMOGRAPHICS: &str = "/v1/learners/find-by-demographics";

/// A search by ULN that matches a sample learner of the simulator.
fn search_by_uln() -> Value {
    json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"})
}

/// A search by demographics that matches a sample learner of the simulator.
fn search_by_demographics() -> Value {
    json!({"givenName": "Sam", "familyName": "Taylor", "dateOfBirth": "2004-06-01", "gender": "MALE", "lastKnownPostCode": "ZZ5 5FF"})
}

/// Returns the search with other values for some fields.
fn with_fields(mut search: Value, changes: Value) -> Value {
    let (Value::Object(fields), Value::Object(changes)) = (&mut search, changes) else { panic!("not JSON objects") };
    fields.extend(changes);
    search
}

/// LRS's response to a search, with this content.
fn find_response(content: &str) -> Vec<u8> {
    soap(200, &format!("<n:FindLearnerResponse xmlns:n=\"http://api.lrs.miap.gov.uk/findmsg\">{content}</n:FindLearnerResponse>"))
}

#[tokio::test]
async fn find_by_uln_with_registered_names_returns_exact_match() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::to(&lrs.url());

    let answer = gateway.caller().post(BY_ULN, &search_by_uln()).await;

    assert_eq!(answer.header("cache-control"), "no-store");
    let found = answer.expect_success();
    assert_eq!((&found["outcome"], &found["lrsCode"]), (&json!("EXACT_MATCH"), &json!("WSRC0004")));
    assert_eq!(found["learners"].as_array().expect("an array").len(), 1);
    let learner = &found["learners"][0];
    for (field, value) in
        [("uln", "3000000126"), ("givenName", "Ana"), ("familyName", "O'Neill"), ("dateOfBirth", "2003-04-05"), ("gender", "FEMALE")]
    {
        assert_eq!(learner[field], value, "{field}");
    }
    assert_eq!(found["searched"], search_by_uln());
}

#[tokio::test]
async fn find_by_uln_with_other_name_returns_no_match() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::to(&lrs.url());
    let search = with_fields(search_by_uln(), json!({"givenName": "Anna"}));

    let found = gateway.caller().post(BY_ULN, &search).await.expect_success();

    assert_eq!((&found["outcome"], &found["lrsCode"], &found["learners"]), (&json!("NO_MATCH"), &json!("WSRC0001"), &json!([])));
}

#[tokio::test]
async fn find_by_uln_check_returns_outcome_without_learner() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::to(&lrs.url());
    let search = with_fields(search_by_uln(), json!({"findType": "CHECK"}));

    let found = gateway.caller().post(BY_ULN, &search).await.expect_success();

    assert_eq!((&found["outcome"], &found["learners"]), (&json!("EXACT_MATCH"), &json!([])));
}

#[tokio::test]
async fn find_merged_learner_returns_master_record_with_linked_ulns() {
    let lrs = SimulatedLrs::with_learners(&[
        json!({"uln": "3000000126", "givenName": "Rhiannon", "familyName": "Ap Rhys", "dateOfBirth": "2002-08-17", "gender": "FEMALE", "lastKnownPostCode": "ZZ3 3DD"}),
        json!({"uln": "3000000258", "givenName": "Rhiannon", "familyName": "Rees", "dateOfBirth": "2002-08-17", "gender": "FEMALE", "lastKnownPostCode": "ZZ3 4EE", "mergedInto": "3000000126"}),
    ]);
    let gateway = TestGateway::to(&lrs.url());
    let by_uln = json!({"uln": "3000000258", "givenName": "Rhiannon", "familyName": "Rees"});
    let by_demographics = json!({"givenName": "Rhiannon", "familyName": "Rees", "dateOfBirth": "2002-08-17", "gender": "FEMALE", "lastKnownPostCode": "ZZ34EE"});
    for (path, search) in [(BY_ULN, by_uln), (BY_DEMOGRAPHICS, by_demographics)] {
        let found = gateway.caller().post(path, &search).await.expect_success();

        assert_eq!((&found["outcome"], &found["lrsCode"]), (&json!("LINKED_LEARNER"), &json!("WSRC0022")), "{path}");
        let learner = &found["learners"][0];
        assert_eq!((&learner["uln"], &learner["linkedUlns"]), (&json!("3000000126"), &json!(["3000000258"])), "{path}");
        assert_eq!(learner["masterSubstituted"], "Y", "{path}");
    }
}

#[tokio::test]
async fn find_by_demographics_returns_outcome_by_number_of_matches() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::to(&lrs.url());
    let sam = search_by_demographics;
    let alex =
        json!({"givenName": "Alex", "familyName": "Smith", "dateOfBirth": "2003-01-01", "gender": "MALE", "lastKnownPostCode": "ZZ99 9ZZ"});
    for (search, outcome, code, learners) in [
        (sam(), "EXACT_MATCH", "WSRC0004", 1),
        (with_fields(sam(), json!({"lastKnownPostCode": "zz55ff"})), "EXACT_MATCH", "WSRC0004", 1),
        (with_fields(sam(), json!({"gender": "NOT_KNOWN"})), "POSSIBLE_MATCHES", "WSRC0003", 2),
        (with_fields(sam(), json!({"dateOfBirth": "2004-06-02"})), "NO_MATCH", "WSRC0001", 0),
        (alex, "TOO_MANY_MATCHES", "WSRC0002", 0),
    ] {
        let found = gateway.caller().post(BY_DEMOGRAPHICS, &search).await.expect_success();

        assert_eq!((&found["outcome"], &found["lrsCode"]), (&json!(outcome), &json!(code)), "{search}");
        assert_eq!(found["learners"].as_array().map(Vec::len), Some(learners), "{search}");
    }
}

#[tokio::test]
async fn find_by_demographics_optional_fields_are_sent_and_echoed() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::to(&lrs.url());
    let search = with_fields(
        search_by_demographics(),
        json!({
            "previousFamilyName": "Ó Briain", "schoolAtAge16": "Smith & Sons <\"North\">", "placeOfBirth": "Abertawe ", "emailAddress": "sam@mail.example.com",
        }),
    );

    let found = gateway.caller().post(BY_DEMOGRAPHICS, &search).await.expect_success();

    // `searched` is LRS's echo of the search, so these fields reached LRS.
    assert_eq!(found["searched"], search);
}

#[tokio::test]
async fn find_response_with_all_fields_returns_all_fields() {
    let elements = [
        ("CreatedDate", "createdDate", "2019-09-02"),
        ("LastUpdatedDate", "lastUpdatedDate", "2023-01-16"),
        ("ULN", "uln", "3000000126"),
        ("MasterSubstituted", "masterSubstituted", "Y"),
        ("Title", "title", "Dr"),
        ("GivenName", "givenName", "Ana"),
        ("MiddleOtherName", "middleOtherName", "Mair"),
        ("FamilyName", "familyName", "O'Neill"),
        ("PreferredGivenName", "preferredGivenName", "Annie"),
        ("PreviousFamilyName", "previousFamilyName", "Wójcik"),
        ("FamilyNameAtAge16", "familyNameAtAge16", "Bâ"),
        ("SchoolAtAge16", "schoolAtAge16", "Northfield "),
        ("LastKnownAddressLine1", "lastKnownAddressLine1", "1 High St"),
        ("LastKnownAddressLine2", "lastKnownAddressLine2", "Flat 2"),
        ("LastKnownAddressTown", "lastKnownAddressTown", "Town"),
        ("LastKnownAddressCountyOrCity", "lastKnownAddressCountyOrCity", "City"),
        ("LastKnownPostCode", "lastKnownPostCode", "ZZ99 9ZZ"),
        ("DateOfAddressCapture", "dateOfAddressCapture", "2019-09-03"),
        ("DateOfBirth", "dateOfBirth", "2003-04-05"),
        ("PlaceOfBirth", "placeOfBirth", "Port"),
        ("EmailAddress", "emailAddress", "a@bc.uk"),
        ("Nationality", "nationality", "IRL"),
        ("ScottishCandidateNumber", "scottishCandidateNumber", "123456789"),
        ("OtherVerificationDescription", "otherVerificationDescription", "Student card"),
        ("TierLevel", "tierLevel", "2"),
        ("LearnerStatus", "learnerStatus", "1"),
        ("Notes", "notes", "None so far"),
    ];
    let xml: String = elements.iter().map(|(element, _, text)| format!("<{element}>{text}</{element}>")).collect();
    // The namespaces are declared in another place than in `find_response`, as LRS may do.
    let body = format!(
        "<FindLearnerResponse xmlns=\"http://api.lrs.miap.gov.uk/findmsg\"><ResponseCode xmlns=\"\">WSRC0004</ResponseCode><Learner xmlns=\"\">{xml}\
         <Gender>9</Gender><VerificationType>999</VerificationType><AbilityToShare>2</AbilityToShare>\
         <l:LinkedULNs xmlns:l=\"http://api.lrs.miap.gov.uk/learner\"><ULN>3000000258</ULN><ULN>3000000266</ULN></l:LinkedULNs>\
         <VersionNumber>12</VersionNumber></Learner></FindLearnerResponse>"
    );
    let lrs = FakeServer::with_response(soap(200, &body));
    let gateway = TestGateway::to(&lrs.url());

    let found = gateway.caller().post(BY_ULN, &search_by_uln()).await.expect_success();

    let learner = found["learners"][0].as_object().expect("an object");
    for (_, field, text) in elements {
        assert_eq!(learner[field], text, "{field}");
    }
    assert_eq!((&learner["gender"], &learner["verificationType"]), (&json!("NOT_SPECIFIED"), &json!("OTHER")));
    assert_eq!((&learner["abilityToShare"], &learner["versionNumber"]), (&json!("SEEN_NOT_SHARED"), &json!(12)));
    assert_eq!(learner["linkedUlns"], json!(["3000000258", "3000000266"]));
    let fields: Vec<&str> = Learner::FIELDS.iter().map(|(_, field)| *field).collect();
    let returned: Vec<&str> = learner.keys().map(String::as_str).collect();
    assert_same_names(("the response in tests/find_learners.rs", &returned), ("Learner", &fields));
}

#[tokio::test]
async fn find_response_absent_nil_and_empty_fields_are_omitted() {
    let body = "<n:FindLearnerResponse xmlns:n=\"http://api.lrs.miap.gov.uk/findmsg\" xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\">\
        <ResponseCode>WSRC0004</ResponseCode><ULN>3000000126</ULN><FamilyName/><Learner><ULN>3000000126</ULN><Title i:nil=\"true\"/><Gender/><DateOfBirth> </DateOfBirth>\
        <LinkedULNs xmlns=\"http://api.lrs.miap.gov.uk/learner\"/><Notes/><VersionNumber>1</VersionNumber></Learner></n:FindLearnerResponse>";
    let lrs = FakeServer::with_response(soap(200, body));
    let gateway = TestGateway::to(&lrs.url());

    let found = gateway.caller().post(BY_ULN, &search_by_uln()).await.expect_success();

    assert_eq!(found["learners"], json!([{"uln": "3000000126", "linkedUlns": [], "versionNumber": 1}]));
    assert_eq!(found["searched"], json!({"uln": "3000000126"}));
}

#[tokio::test]
async fn find_response_to_another_search_returns_lrs_bad_response_and_no_learner() {
    let echo = "<DateOfBirth>2004-06-01</DateOfBirth><Gender>1</Gender><LastKnownPostCode>zz55ff </LastKnownPostCode>";
    let learner = "<Learner><ULN>3000000126</ULN><DateOfBirth>2004-06-01</DateOfBirth><VersionNumber>1</VersionNumber></Learner>";
    let lrs_with = |echo: &str, learner: &str| {
        FakeServer::with_response(find_response(&format!("<ResponseCode>WSRC0004</ResponseCode>{echo}{learner}")))
    };
    let lrs = lrs_with(echo, learner);
    TestGateway::to(&lrs.url()).caller().post(BY_DEMOGRAPHICS, &search_by_demographics()).await.expect_success();

    for (echo, learner) in [
        (echo.replace("2004-06-01", "2004-06-02"), learner.to_owned()),
        (echo.replace("<Gender>1", "<Gender>2"), learner.to_owned()),
        (echo.replace("zz55ff", "ZZ5 5FG"), learner.to_owned()),
        (String::new(), learner.replace("2004-06-01", "1999-01-01")),
    ] {
        let lrs = lrs_with(&echo, &learner);
        let gateway = TestGateway::to(&lrs.url());

        let answer = gateway.caller().post(BY_DEMOGRAPHICS, &search_by_demographics()).await;

        answer.problem(502, "lrs_bad_response");
        assert!(!answer.text.contains("3000000126"), "{echo}{learner}");
    }
}

#[tokio::test]
async fn find_response_with_register_or_update_code_returns_other() {
    for code in ["WSRC0013", "WSRC0019", "WSRC0021"] {
        let lrs = FakeServer::with_response(find_response(&format!("<ResponseCode>{code}</ResponseCode>")));
        let gateway = TestGateway::to(&lrs.url());

        let found = gateway.caller().post(BY_ULN, &search_by_uln()).await.expect_success();

        assert_eq!((&found["outcome"], &found["lrsCode"]), (&json!("OTHER"), &json!(code)));
    }
}

#[tokio::test]
async fn find_response_undocumented_codes_and_values_are_returned_verbatim() {
    let learner = "<Learner><CreatedDate>1900-02-29</CreatedDate><ULN>1234</ULN><DateOfBirth>unknown</DateOfBirth><Gender>7</Gender>\
        <VerificationType>8</VerificationType><LearnerStatus>42</LearnerStatus><NewField>unknown</NewField><VersionNumber> 3 </VersionNumber></Learner>";
    for code in ["WSRC7777", "SOMETHING", "42"] {
        let lrs = FakeServer::with_response(find_response(&format!("<ResponseCode>{code}</ResponseCode>{learner}")));
        let gateway = TestGateway::to(&lrs.url());

        let found = gateway.caller().post(BY_ULN, &search_by_uln()).await.expect_success();

        assert_eq!((&found["outcome"], &found["lrsCode"]), (&json!("OTHER"), &json!(code)));
        assert_eq!(
            found["learners"],
            json!([{
                "createdDate": "1900-02-29", "uln": "1234", "dateOfBirth": "unknown", "gender": "7", "verificationType": "8",
                "learnerStatus": "42", "linkedUlns": [], "versionNumber": 3
            }])
        );
    }
}

#[tokio::test]
async fn find_by_uln_request_has_organisation_and_user_of_token() {
    let lrs = FakeServer::with_response(find_response("<ResponseCode>WSRC0001</ResponseCode>"));
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller().with_claims(json!({"preferred_username": "Siân <O'Neill> & co"}));

    caller.post(BY_ULN, &search_by_uln()).await.expect_success();

    let request = &lrs.received()[0];
    assert_eq!(request.head.lines().next(), Some("POST /LearnerService.svc HTTP/1.1"));
    assert_eq!((request.header("content-type"), request.header("soapaction")), ("text/xml; charset=utf-8", "\"\""));
    for element in [
        "<OrganisationRef xsi:nil=\"true\"/><UKPRN>10088881</UKPRN><OrgPassword>demo-password-01</OrgPassword>",
        "<UserName>Siân &lt;O'Neill&gt; &amp; co</UserName>",
    ] {
        assert!(request.body.contains(element), "{}", request.body);
    }
}
