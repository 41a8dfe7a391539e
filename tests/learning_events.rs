//! Learning events: the request to LRS, fields and outcomes, and records that the caller must not see.

use serde_json::{Value, json};

use crate::support::caller::Answer;
use crate::support::fake_server::{Reply, soap};
use crate::support::gateway::Options;
use crate::support::scripted_lrs::ScriptedLrs;

const SEARCH: &str = "/v1/learning-events/search";
/// The ULNs of a response about the learner of [`learner`], whose record was not merged.
const SAME_ULN: &str = "<a:FoundULN>3000000126</a:FoundULN><a:IncomingULN>3000000126</a:IncomingULN>";

/// An event with a subject that must not appear in problems.
const EVENT: &str = "<a:LearningEvent><a:Subject>Quillcraft</a:Subject></a:LearningEvent>";

fn learner() -> Value {
    json!({"uln": "3000000126", "givenName": "Idris", "familyName": "Quillfeather"})
}

/// LRS's response with this content in its result element.
fn result(xml: &str) -> Reply {
    response(&format!(
        "<GetLearnerLearningEventsResult xmlns:a=\"http://api.lrs.qcf.gov.uk/model\" \
         xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\">{xml}</GetLearnerLearningEventsResult>"
    ))
}

/// LRS's response with this content beside or instead of its result element.
fn response(xml: &str) -> Reply {
    let body = format!("<GetLearnerLearningEventsResponse xmlns=\"http://tempuri.org/\">{xml}</GetLearnerLearningEventsResponse>");
    Reply::Bytes(soap(200, &body))
}

/// LRS's response of an exact match with these events.
fn exact_match(events: &str) -> Reply {
    result(&format!("<a:ResponseCode>WSRC0004</a:ResponseCode>{SAME_ULN}<a:LearnerRecord>{events}</a:LearnerRecord>"))
}

/// Searches for [`learner`]'s events while LRS sends this response.
async fn search(reply: Reply) -> Answer {
    ScriptedLrs::new(Options::default(), [reply]).post(SEARCH, &learner()).await
}

/// The events that the caller gets if LRS sends these.
async fn events(xml: &str) -> Value {
    search(exact_match(xml)).await.expect_success()["events"].clone()
}

/// The event that the caller gets if LRS sends one with this content.
async fn event(xml: &str) -> Value {
    let events = events(&format!("<a:LearningEvent>{xml}</a:LearningEvent>")).await;
    assert_eq!(events.as_array().map(Vec::len), Some(1));
    events[0].clone()
}

#[tokio::test]
async fn learning_events_request_has_organisation_vendor_and_learner_in_contract_order() {
    for (changes, elements) in [
        (json!({}), "<tem:dateOfBirth xsi:nil=\"true\"/><tem:gender xsi:nil=\"true\"/><tem:getType>FULL</tem:getType>"),
        (
            json!({"dateOfBirth": "2001-09-09", "gender": "MALE", "detailLevel": "BRIEF"}),
            "<tem:dateOfBirth>2001-09-09</tem:dateOfBirth><tem:gender>1</tem:gender><tem:getType>BRIEF</tem:getType>",
        ),
    ] {
        let mut learner = json!({"uln": "3000000126", "givenName": "Siân <&>", "familyName": "O'Neill "});
        learner.as_object_mut().expect("an object").extend(changes.as_object().expect("an object").clone());
        let script = ScriptedLrs::new(Options::default(), [exact_match("")]);

        script.post(SEARCH, &learner).await.expect_success();

        let request = &script.received()[0];
        assert_eq!(request.head.lines().next(), Some("POST /LearnerServiceR9.svc HTTP/1.1"));
        assert_eq!(request.header("soapaction"), "\"http://tempuri.org/ILearnerServiceR9/GetLearnerLearningEvents\"");
        assert_eq!(request.header("content-type"), "text/xml; charset=utf-8");
        let expected = format!(
            "<soapenv:Body><tem:GetLearnerLearningEvents xmlns:tem=\"http://tempuri.org/\" \
             xmlns:r10=\"http://schemas.datacontract.org/2004/07/Amor.Qcf.Service.Interface\"><tem:invokingOrganisation>\
             <r10:OrganisationRef xsi:nil=\"true\"/><r10:Password>demo-password-01</r10:Password><r10:Ukprn>10088881</r10:Ukprn>\
             <r10:Username>j.bloggs</r10:Username></tem:invokingOrganisation><tem:userType>ORG</tem:userType><tem:vendorID>7</tem:vendorID>\
             <tem:language>ENG</tem:language><tem:uln>3000000126</tem:uln><tem:givenName>Siân &lt;&amp;&gt;</tem:givenName>\
             <tem:familyName>O'Neill </tem:familyName>{elements}</tem:GetLearnerLearningEvents></soapenv:Body>"
        );
        assert!(request.body.contains(&expected), "{}", request.body);
    }
}

/// Fields whose text is the same in LRS and in the answer: element, field, text.
const TEXTS: [(&str, &str, &str); 19] = [
    ("AchievementAwardDate", "achievementAwardDate", "2019-08-22"),
    ("AchievementProviderName", "achievementProviderName", "Coleg Fictional & Sons "),
    ("AchievementProviderUkprn", "achievementProviderUkprn", "10088881"),
    ("AwardingOrganisationName", "awardingOrganisationName", "Example Awards"),
    ("AwardingOrganisationUkprn", "awardingOrganisationUkprn", "UNKNWN"),
    ("CollectionType", "collectionType", "W"),
    ("Grade", "grade", "9999999999"),
    ("LanguageForAssessment", "languageForAssessment", "English"),
    ("Level", "level", "Level 1/2"),
    ("ParticipationEndDate", "participationEndDate", "2058-07-31"),
    ("ParticipationStartDate", "participationStartDate", "2018-09-01"),
    ("QualificationType", "qualificationType", "Vocationally-Related Qualification"),
    ("Restriction", "restriction", "0"),
    ("ReturnNumber", "returnNumber", "01"),
    ("Source", "source", "ILR"),
    ("Status", "status", "F"),
    ("Subject", "subject", "Certificate in <Quillcraft>"),
    ("SubjectCode", "subjectCode", "600/0000/X"),
    ("UnderDataChallenge", "underDataChallenge", "N"),
];

#[tokio::test]
async fn learning_event_with_all_fields_returns_all_fields() {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
    let texts: String = TEXTS.iter().map(|(element, _, text)| format!("<a:{element}>{}</a:{element}>", escaped(text))).collect();
    let numbers = "<a:Credits>0</a:Credits><a:DateLoaded>2019-09-30 10:10:07</a:DateLoaded><a:ID>5001</a:ID>";

    let answer = search(exact_match(&format!("<a:LearningEvent>{texts}{numbers}</a:LearningEvent>"))).await;

    assert_eq!(answer.header("cache-control"), "no-store");
    let found = answer.expect_success();
    let mut expected: Value = TEXTS.iter().map(|(_, field, text)| ((*field).to_owned(), json!(text))).collect();
    expected["credits"] = json!(0);
    expected["id"] = json!(5001);
    expected["dateLoaded"] = json!("2019-09-30T10:10:07+01:00");
    assert_eq!(found["events"], json!([expected]));
    assert_eq!(expected.as_object().expect("an object").len(), 22, "number of fields in LRS's contract");
    let expected = json!({
        "outcome": "EXACT_MATCH", "lrsCode": "WSRC0004", "incomingUln": "3000000126", "foundUln": "3000000126", "events": [expected],
    });
    assert_eq!(found, expected);
}

#[tokio::test]
async fn learning_event_absent_nil_and_empty_fields_are_omitted() {
    let elements = || TEXTS.iter().map(|(element, ..)| *element).chain(["Credits", "DateLoaded", "ID"]);
    let empty: String = elements().map(|element| format!("<a:{element}/>")).collect();
    let nil: String = elements().map(|element| format!("<a:{element} i:nil=\"true\"/>")).collect();
    for content in [empty.as_str(), &nil, "", "<a:NewField>unknown</a:NewField>"] {
        assert_eq!(event(content).await, json!({}), "{content}");
    }
    assert_eq!(events("<a:LearningEvent/>").await, json!([{}]));
}

#[tokio::test]
async fn learning_event_that_is_nil_is_omitted() {
    let xml = format!("<a:LearningEvent i:nil=\"true\"/>{EVENT}<a:LearningEvent i:nil=\"1\"/>{EVENT}");
    assert_eq!(events(&xml).await, json!([{"subject": "Quillcraft"}, {"subject": "Quillcraft"}]));
}

#[tokio::test]
async fn learning_event_invalid_dates_are_returned_verbatim() {
    for text in ["unknown", "31/08/2019", "1900-02-29", "2019-08-22 00:00:00", "0000-01-01"] {
        let elements = ["AchievementAwardDate", "ParticipationEndDate", "ParticipationStartDate", "DateLoaded"];
        let xml: String = elements.iter().map(|element| format!("<a:{element}>{text}</a:{element}>")).collect();
        let event = event(&xml).await;
        for field in ["achievementAwardDate", "participationEndDate", "participationStartDate"] {
            assert_eq!(event[field], text, "{field}");
        }
        assert_eq!(event["dateLoaded"], if text.ends_with(":00") { "2019-08-22T00:00:00+01:00" } else { text });
    }
}

#[tokio::test]
async fn learning_event_date_in_the_year_1_is_absent() {
    let event = event("<a:AchievementAwardDate>0001-01-01</a:AchievementAwardDate><a:ID>5001</a:ID>").await;
    assert_eq!(event, json!({"id": 5001}));
}

#[tokio::test]
async fn learning_event_date_loaded_is_read_as_london_time() {
    for (sent, expected) in [
        ("2023-07-01 09:30:00", "2023-07-01T09:30:00+01:00"),
        ("2023-12-01 09:30:00", "2023-12-01T09:30:00+00:00"),
        ("2023-03-26 00:59:59", "2023-03-26T00:59:59+00:00"),
        ("2023-03-26 02:00:00", "2023-03-26T02:00:00+01:00"),
        ("2023-10-29 02:00:00", "2023-10-29T02:00:00+00:00"),
        ("2023-07-01T09:30:00", "2023-07-01T09:30:00+01:00"),
        ("2023-07-01", "2023-07-01"),
    ] {
        assert_eq!(event(&format!("<a:DateLoaded>{sent}</a:DateLoaded>")).await["dateLoaded"], expected);
    }
}

#[tokio::test]
async fn learning_event_invalid_number_is_left_out_and_the_other_events_are_returned() {
    let found = event("<a:Credits> 9007199254740993 </a:Credits><a:ID>-2147483648</a:ID>").await;
    assert_eq!(found, json!({"credits": 9_007_199_254_740_993_i64, "id": -2_147_483_648}));
    for invalid in [
        "<a:Credits>many</a:Credits>",
        "<a:Credits>1.5</a:Credits>",
        "<a:Credits>9223372036854775808</a:Credits>",
        "<a:Credits><a:Value>1</a:Value></a:Credits>",
        "<a:ID>Quillfeather</a:ID>",
        "<a:ID>2147483648</a:ID>",
    ] {
        let record = exact_match(&format!("{EVENT}<a:LearningEvent>{invalid}<a:Grade>B</a:Grade></a:LearningEvent>"));

        let found = search(record).await.expect_success();

        assert_eq!(found["events"].as_array().map(Vec::len), Some(2), "{invalid}: {found}");
        assert_eq!(found["events"][1], json!({"grade": "B"}), "{invalid}");
    }
}

#[tokio::test]
async fn learning_event_number_twice_returns_lrs_bad_response_and_no_event() {
    let answer =
        search(exact_match(&format!("{EVENT}<a:LearningEvent><a:Credits>1</a:Credits><a:Credits>2</a:Credits></a:LearningEvent>"))).await;

    answer.problem(502, "lrs_bad_response");
    assert!(!answer.text.contains("Quill"), "{}", answer.text);
}

#[tokio::test]
async fn learning_event_in_brief_record_returns_fields_that_lrs_sends() {
    let brief = "<a:LearningEvent><a:AchievementAwardDate>2019-08-22</a:AchievementAwardDate><a:AchievementProviderUkprn/>\
        <a:Credits>12</a:Credits><a:Grade i:nil=\"true\"/><a:ID>7</a:ID><a:Level>Entry Level</a:Level><a:Source>QCFU</a:Source>\
        <a:Subject>Quillcraft</a:Subject><a:SubjectCode i:nil=\"true\"/></a:LearningEvent>";
    let body = json!({"uln": "3000000126", "givenName": "Idris", "familyName": "Quillfeather", "detailLevel": "BRIEF"});
    let found = ScriptedLrs::new(Options::default(), [exact_match(brief)]).post(SEARCH, &body).await.expect_success();
    let expected = json!({
        "achievementAwardDate": "2019-08-22", "credits": 12, "id": 7, "level": "Entry Level", "source": "QCFU", "subject": "Quillcraft",
    });
    assert_eq!(found["events"], json!([expected]));
}

#[tokio::test]
async fn learning_events_without_record_return_outcome_of_code_and_no_events() {
    let empty_records = ["<a:LearnerRecord/>", "", "<a:LearnerRecord i:nil=\"true\"/>"];
    let empty_found_ulns = ["<a:FoundULN/>", "<a:FoundULN i:nil=\"true\"/>", ""];
    for (code, outcome) in [("WSRC0004", "EXACT_MATCH"), ("WSEC0206", "NOT_SHARED"), ("WSEC0208", "NOT_VERIFIED")] {
        for record in empty_records {
            for found_uln in empty_found_ulns {
                let xml = format!("<a:ResponseCode>{code}</a:ResponseCode>{found_uln}<a:IncomingULN>3000000126</a:IncomingULN>{record}");
                let expected = json!({"outcome": outcome, "lrsCode": code, "incomingUln": "3000000126", "events": []});
                assert_eq!(search(result(&xml)).await.expect_success(), expected, "{xml}");
            }
        }
        let with_found_uln = format!("<a:ResponseCode>{code}</a:ResponseCode>{SAME_ULN}<a:LearnerRecord></a:LearnerRecord>");
        let expected = json!({"outcome": outcome, "lrsCode": code, "incomingUln": "3000000126", "foundUln": "3000000126", "events": []});
        assert_eq!(search(result(&with_found_uln)).await.expect_success(), expected);
    }
}

#[tokio::test]
async fn learning_events_of_merged_learner_are_those_of_master_uln() {
    let xml = format!(
        "<a:ResponseCode>WSRC0022</a:ResponseCode><a:FoundULN>3000000258</a:FoundULN><a:IncomingULN>3000000126</a:IncomingULN>\
         <a:LearnerRecord>{EVENT}</a:LearnerRecord>"
    );
    let expected = json!({
        "outcome": "LINKED_LEARNER", "lrsCode": "WSRC0022", "incomingUln": "3000000126", "foundUln": "3000000258",
        "events": [{"subject": "Quillcraft"}],
    });
    assert_eq!(search(result(&xml)).await.expect_success(), expected);
}

#[tokio::test]
async fn learning_events_undocumented_code_returns_other() {
    for code in ["WSRC7777", "new"] {
        let xml = format!("<a:ResponseCode>{code}</a:ResponseCode>{SAME_ULN}<a:LearnerRecord/>");
        let found = search(result(&xml)).await.expect_success();
        assert_eq!((&found["outcome"], &found["lrsCode"], &found["events"]), (&json!("OTHER"), &json!(code), &json!([])));
    }
}

#[tokio::test]
async fn learning_events_undocumented_code_with_another_found_uln_and_no_record_returns_that_uln() {
    let content = "<a:ResponseCode>WSRC7777</a:ResponseCode><a:FoundULN>3000000258</a:FoundULN><a:IncomingULN>3000000126</a:IncomingULN>";
    let found = search(result(content)).await.expect_success();
    let expected = json!({"outcome": "OTHER", "lrsCode": "WSRC7777", "incomingUln": "3000000126", "foundUln": "3000000258", "events": []});
    assert_eq!(found, expected);
}

#[tokio::test]
async fn learning_events_contradictory_response_returns_lrs_bad_response_and_no_events() {
    let record = format!("<a:LearnerRecord>{EVENT}</a:LearnerRecord>");
    let code = |code: &str| format!("<a:ResponseCode>{code}</a:ResponseCode>");
    let another_uln = "<a:FoundULN>3000000258</a:FoundULN>";
    for (case, reply) in [
        ("events under the code for a record that is not shared", result(&format!("{}{SAME_ULN}{record}", code("WSEC0206")))),
        ("events under the code for a learner that is not verified", result(&format!("{}{record}", code("WSEC0208")))),
        ("the incoming ULN of another search", result(&format!("{}<a:IncomingULN>3000000258</a:IncomingULN>{record}", code("WSRC0004")))),
        (
            "the incoming ULN of another search, and a linked learner",
            result(&format!("{}{another_uln}<a:IncomingULN>3000000258</a:IncomingULN>{record}", code("WSRC0022"))),
        ),
        ("an incoming ULN that is not a ULN", result(&format!("{}<a:IncomingULN>Idris</a:IncomingULN>{record}", code("WSRC0004")))),
        ("events under the code for no match", result(&format!("{}{SAME_ULN}{record}", code("WSRC0001")))),
        (
            "the record of another learner, under an undocumented code",
            result(&format!("{}{another_uln}<a:IncomingULN>3000000126</a:IncomingULN>{record}", code("WSRC7777"))),
        ),
        (
            "the record of another learner",
            result(&format!("{}{another_uln}<a:IncomingULN>3000000126</a:IncomingULN>{record}", code("WSRC0004"))),
        ),
        ("no code", result(&format!("{SAME_ULN}{record}"))),
        ("a code that is nil", result(&format!("<a:ResponseCode i:nil=\"true\"/>{SAME_ULN}{record}"))),
        (
            "a result that is nil",
            response("<GetLearnerLearningEventsResult xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\" i:nil=\"true\"/>"),
        ),
        ("an empty result", result("")),
        ("no result", response("")),
        ("two records", result(&format!("{}{SAME_ULN}{record}{record}", code("WSRC0004")))),
        (
            "the response of another service",
            Reply::Bytes(soap(200, &format!("<FindLearnerResponse>{record}</FindLearnerResponse>").replace("a:", ""))),
        ),
    ] {
        let answer = search(reply).await;

        let problem = answer.problem(502, "lrs_bad_response");
        assert_eq!(problem["outcomeUnknown"], Value::Null, "{case}: {problem}");
        assert!(!answer.text.contains("Quillcraft") && !answer.text.contains("3000000"), "{case}: {problem}");
    }
}

#[tokio::test]
async fn learning_events_error_code_in_result_or_fault_returns_problem() {
    for (code, status, problem_code) in [
        ("WSEC0136", 422, "uln_invalid"),
        ("WSEC0001", 502, "lrs_rejected_request"),
        ("WSEC0004", 503, "lrs_maintenance"),
        ("WSEC0005", 502, "lrs_credentials_rejected"),
        ("WSEC0006", 502, "lrs_credentials_rejected"),
        ("WSEC0999", 502, "lrs_bad_response"),
        ("WSEC0209", 502, "lrs_rejected_request"),
    ] {
        let fault = format!(
            "<s:Fault xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><faultcode>s:Server</faultcode>\
             <faultstring>Quillcraft</faultstring><detail>\
             <DomainFault xmlns=\"http://api.lrs.qcf.gov.uk/faults\" xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\">\
             <ErrorCode>{code}</ErrorCode><ErrorDetail i:nil=\"true\"/></DomainFault></detail></s:Fault>"
        );
        let in_result = result(&format!("<a:ResponseCode>{code}</a:ResponseCode>{SAME_ULN}<a:LearnerRecord>{EVENT}</a:LearnerRecord>"));
        for reply in [in_result, Reply::Bytes(soap(500, &fault)), Reply::Bytes(soap(200, &fault))] {
            let answer = search(reply).await;

            let problem = answer.problem(status, problem_code);
            assert_eq!((&problem["lrs"]["code"], &problem["outcomeUnknown"]), (&json!(code), &Value::Null), "{problem}");
            assert!(!answer.text.contains("Quillcraft"), "{problem}");
        }
    }
}

#[tokio::test]
async fn learning_events_many_are_returned_in_order_of_lrs() {
    let xml: String = (0..900)
        .map(|id| format!("<a:LearningEvent><a:ID>{id}</a:ID><a:Subject>{}</a:Subject></a:LearningEvent>", "x".repeat(500)))
        .collect();
    let events = events(&xml).await;
    let ids: Vec<_> = events.as_array().expect("an array").iter().filter_map(|event| event["id"].as_i64()).collect();
    assert_eq!(ids, (0..900).collect::<Vec<_>>());
}

#[tokio::test]
async fn learning_event_date_loaded_in_any_notation_is_returned() {
    for (lrs, expected) in [
        ("2019-09-30T10:10:07", Some("2019-09-30T10:10:07+01:00")),
        ("2017-02-03 09:08:07.127", Some("2017-02-03T09:08:07.127+00:00")),
        ("2019-09-30T10:10:07.25+01:00", Some("2019-09-30T10:10:07.25+01:00")),
        ("2019-09-30 09:10:07Z", Some("2019-09-30T10:10:07+01:00")),
        ("1840-06-01 10:00:00", Some("1840-06-01T10:01:15+00:00")),
        ("30/09/2019 10:10", Some("30/09/2019 10:10")),
        ("9999-12-31 23:59:59", Some("9999-12-31 23:59:59")),
        ("0001-01-01 00:00:00", None),
        ("0001-01-01T00:00:00Z", None),
    ] {
        let event = event(&format!("<a:DateLoaded>{lrs}</a:DateLoaded><a:ID>5001</a:ID>")).await;
        assert_eq!(event.get("dateLoaded"), expected.map(|text| json!(text)).as_ref(), "{lrs}");
    }
}
