//! Learning events: what LRS is sent, every field, every outcome, and records that are not to be seen.

use serde_json::{Value, json};

use crate::support::caller::Answer;
use crate::support::fake_server::{Reply, soap};
use crate::support::gateway::Options;
use crate::support::scripted_lrs::ScriptedLrs;

const SEARCH: &str = "/v1/learning-events/search";
const SELF: &str = "<a:FoundULN>3000000126</a:FoundULN><a:IncomingULN>3000000126</a:IncomingULN>";
const EVENT: &str = "<a:LearningEvent><a:Subject>Quillcraft</a:Subject></a:LearningEvent>";

fn idris() -> Value {
    json!({"uln": "3000000126", "givenName": "Idris", "familyName": "Quillfeather"})
}

/// LRS's answer with this in its result, in the manner of WCF.
fn result(xml: &str) -> Reply {
    response(&format!(
        "<GetLearnerLearningEventsResult xmlns:a=\"http://api.lrs.qcf.gov.uk/model\" \
         xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\">{xml}</GetLearnerLearningEventsResult>"
    ))
}

fn response(xml: &str) -> Reply {
    let answer = format!("<GetLearnerLearningEventsResponse xmlns=\"http://tempuri.org/\">{xml}</GetLearnerLearningEventsResponse>");
    Reply::Bytes(soap(200, &answer))
}

/// The answer of an exact match with these events.
fn exact(events: &str) -> Reply {
    result(&format!("<a:ResponseCode>WSRC0004</a:ResponseCode>{SELF}<a:LearnerRecord>{events}</a:LearnerRecord>"))
}

/// Asks once.
async fn ask(reply: Reply) -> Answer {
    ScriptedLrs::new(Options::default(), [reply]).post(SEARCH, &idris()).await
}

/// The events of an exact match with these.
async fn events(xml: &str) -> Value {
    ask(exact(xml)).await.expect_success()["events"].clone()
}

/// The only event of an exact match with this in it.
async fn event(xml: &str) -> Value {
    let events = events(&format!("<a:LearningEvent>{xml}</a:LearningEvent>")).await;
    assert_eq!(events.as_array().map(Vec::len), Some(1));
    events[0].clone()
}

#[tokio::test]
async fn lrs_is_sent_organisation_vendor_and_learner_in_the_order_of_the_contract() {
    for (changes, elements) in [
        (json!({}), "<tem:dateOfBirth xsi:nil=\"true\"/><tem:gender xsi:nil=\"true\"/><tem:getType>FULL</tem:getType>"),
        (
            json!({"dateOfBirth": "2001-09-09", "gender": "MALE", "getType": "BRIEF"}),
            "<tem:dateOfBirth>2001-09-09</tem:dateOfBirth><tem:gender>1</tem:gender><tem:getType>BRIEF</tem:getType>",
        ),
    ] {
        let mut learner = json!({"uln": "3000000126", "givenName": "Siân <&>", "familyName": "O'Neill "});
        learner.as_object_mut().expect("an object").extend(changes.as_object().expect("an object").clone());
        let script = ScriptedLrs::new(Options::default(), [exact("")]);
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

/// Element, field, text: every field that is the same text for LRS and for callers.
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
async fn every_field_of_an_event_comes_through() {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
    let texts: String = TEXTS.iter().map(|(element, _, text)| format!("<a:{element}>{}</a:{element}>", escaped(text))).collect();
    let numbers = "<a:Credits>0</a:Credits><a:DateLoaded>2019-09-30 10:10:07</a:DateLoaded><a:ID>5001</a:ID>";
    let answer = ask(exact(&format!("<a:LearningEvent>{texts}{numbers}</a:LearningEvent>"))).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let found = answer.expect_success();
    let mut expected: Value = TEXTS.iter().map(|(_, field, text)| ((*field).to_owned(), json!(text))).collect();
    expected["credits"] = json!(0);
    expected["id"] = json!(5001);
    expected["dateLoaded"] = json!("2019-09-30T10:10:07+01:00");
    assert_eq!(found["events"], json!([expected]));
    assert_eq!(expected.as_object().expect("an object").len(), 22, "the contract has 22 fields");
    let expected = json!({
        "outcome": "EXACT_MATCH", "lrsCode": "WSRC0004", "incomingUln": "3000000126", "foundUln": "3000000126", "events": [expected],
    });
    assert_eq!(found, expected);
}

#[tokio::test]
async fn nil_empty_and_absent_fields_are_all_absent() {
    let elements = || TEXTS.iter().map(|(element, ..)| *element).chain(["Credits", "DateLoaded", "ID"]);
    let empty: String = elements().map(|element| format!("<a:{element}/>")).collect();
    let nil: String = elements().map(|element| format!("<a:{element} i:nil=\"true\"/>")).collect();
    for nothing in [empty.as_str(), &nil, "", "<a:NewField>of next year</a:NewField>"] {
        assert_eq!(event(nothing).await, json!({}), "{nothing}");
    }
    assert_eq!(events("<a:LearningEvent/>").await, json!([{}]));
}

#[tokio::test]
async fn an_event_that_is_nil_is_none() {
    let all = format!("<a:LearningEvent i:nil=\"true\"/>{EVENT}<a:LearningEvent i:nil=\"1\"/>{EVENT}");
    assert_eq!(events(&all).await, json!([{"subject": "Quillcraft"}, {"subject": "Quillcraft"}]));
}

#[tokio::test]
async fn days_that_are_none_are_passed_on_as_they_came() {
    for text in ["unknown", "31/08/2019", "1900-02-29", "2019-08-22 00:00:00", "0001-01-01"] {
        let xml = ["AchievementAwardDate", "ParticipationEndDate", "ParticipationStartDate", "DateLoaded"];
        let xml: String = xml.iter().map(|element| format!("<a:{element}>{text}</a:{element}>")).collect();
        let event = event(&xml).await;
        for field in ["achievementAwardDate", "participationEndDate", "participationStartDate"] {
            assert_eq!(event[field], text, "{field}");
        }
        assert_eq!(event["dateLoaded"], if text.ends_with(":00") { "2019-08-22T00:00:00+01:00" } else { text });
    }
}

#[tokio::test]
async fn the_time_of_loading_is_londons() {
    for (lrs, json) in [
        ("2023-07-01 09:30:00", "2023-07-01T09:30:00+01:00"),
        ("2023-12-01 09:30:00", "2023-12-01T09:30:00+00:00"),
        ("2023-03-26 00:59:59", "2023-03-26T00:59:59+00:00"),
        ("2023-03-26 02:00:00", "2023-03-26T02:00:00+01:00"),
        ("2023-10-29 02:00:00", "2023-10-29T02:00:00+00:00"),
        ("2023-07-01T09:30:00", "2023-07-01T09:30:00"),
        ("2023-07-01", "2023-07-01"),
    ] {
        assert_eq!(event(&format!("<a:DateLoaded>{lrs}</a:DateLoaded>")).await["dateLoaded"], json);
    }
}

#[tokio::test]
async fn credits_and_numbers_are_numbers_or_the_answer_is_bad() {
    let found = event("<a:Credits> 9007199254740993 </a:Credits><a:ID>-2147483648</a:ID>").await;
    assert_eq!(found, json!({"credits": 9_007_199_254_740_993_i64, "id": -2_147_483_648}));
    for wrong in [
        "<a:Credits>many</a:Credits>",
        "<a:Credits>1.5</a:Credits>",
        "<a:Credits>9223372036854775808</a:Credits>",
        "<a:Credits><a:Value>1</a:Value></a:Credits>",
        "<a:Credits>1</a:Credits><a:Credits>2</a:Credits>",
        "<a:ID>Quillfeather</a:ID>",
        "<a:ID>2147483648</a:ID>",
    ] {
        let answer = ask(exact(&format!("{EVENT}<a:LearningEvent>{wrong}</a:LearningEvent>"))).await;
        answer.problem(502, "lrs_bad_response");
        assert!(!answer.text.contains("Quill"), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_brief_record_has_the_nine_fields_that_are_always_there() {
    let brief = "<a:LearningEvent><a:AchievementAwardDate>2019-08-22</a:AchievementAwardDate><a:AchievementProviderUkprn/>\
        <a:Credits>12</a:Credits><a:Grade i:nil=\"true\"/><a:ID>7</a:ID><a:Level>Entry Level</a:Level><a:Source>QCFU</a:Source>\
        <a:Subject>Quillcraft</a:Subject><a:SubjectCode i:nil=\"true\"/></a:LearningEvent>";
    let body = json!({"uln": "3000000126", "givenName": "Idris", "familyName": "Quillfeather", "getType": "BRIEF"});
    let found = ScriptedLrs::new(Options::default(), [exact(brief)]).post(SEARCH, &body).await.expect_success();
    let expected = json!({
        "achievementAwardDate": "2019-08-22", "credits": 12, "id": 7, "level": "Entry Level", "source": "QCFU", "subject": "Quillcraft",
    });
    assert_eq!(found["events"], json!([expected]));
}

#[tokio::test]
async fn a_record_without_events_is_not_a_record_that_cannot_be_seen() {
    let none = ["<a:LearnerRecord/>", "", "<a:LearnerRecord i:nil=\"true\"/>"];
    let found_uln = ["<a:FoundULN/>", "<a:FoundULN i:nil=\"true\"/>", ""];
    for (code, outcome) in [("WSRC0004", "EXACT_MATCH"), ("WSEC0206", "NOT_SHARED"), ("WSEC0208", "NOT_VERIFIED")] {
        for (record, found) in none.iter().flat_map(|record| found_uln.iter().map(move |found| (record, found))) {
            let xml = format!("<a:ResponseCode>{code}</a:ResponseCode>{found}<a:IncomingULN>3000000126</a:IncomingULN>{record}");
            let expected = json!({"outcome": outcome, "lrsCode": code, "incomingUln": "3000000126", "events": []});
            assert_eq!(ask(result(&xml)).await.expect_success(), expected, "{xml}");
        }
        let with_found_uln = format!("<a:ResponseCode>{code}</a:ResponseCode>{SELF}<a:LearnerRecord></a:LearnerRecord>");
        let expected = json!({"outcome": outcome, "lrsCode": code, "incomingUln": "3000000126", "foundUln": "3000000126", "events": []});
        assert_eq!(ask(result(&with_found_uln)).await.expect_success(), expected);
    }
}

#[tokio::test]
async fn a_linked_learners_record_is_the_masters() {
    let xml = format!(
        "<a:ResponseCode>WSRC0022</a:ResponseCode><a:FoundULN>3000000258</a:FoundULN><a:IncomingULN>3000000126</a:IncomingULN>\
         <a:LearnerRecord>{EVENT}</a:LearnerRecord>"
    );
    let expected = json!({
        "outcome": "LINKED_LEARNER", "lrsCode": "WSRC0022", "incomingUln": "3000000126", "foundUln": "3000000258",
        "events": [{"subject": "Quillcraft"}],
    });
    assert_eq!(ask(result(&xml)).await.expect_success(), expected);
}

#[tokio::test]
async fn undocumented_codes_are_answers_and_passed_on() {
    for code in ["WSRC7777", "new"] {
        let xml = format!("<a:ResponseCode>{code}</a:ResponseCode>{SELF}<a:LearnerRecord/>");
        let found = ask(result(&xml)).await.expect_success();
        assert_eq!((&found["outcome"], &found["lrsCode"], &found["events"]), (&json!("OTHER"), &json!(code), &json!([])));
    }
}

#[tokio::test]
async fn another_learner_under_a_code_nobody_documented_is_named_as_far_as_no_record_is_shown() {
    let inside = "<a:ResponseCode>WSRC7777</a:ResponseCode><a:FoundULN>3000000258</a:FoundULN><a:IncomingULN>3000000126</a:IncomingULN>";
    let told = ask(result(inside)).await.expect_success();
    let expected = json!({"outcome": "OTHER", "lrsCode": "WSRC7777", "incomingUln": "3000000126", "foundUln": "3000000258", "events": []});
    assert_eq!(told, expected);
}

#[tokio::test]
async fn answers_that_contradict_themselves_or_the_question_disclose_nothing() {
    let record = format!("<a:LearnerRecord>{EVENT}</a:LearnerRecord>");
    let code = |code: &str| format!("<a:ResponseCode>{code}</a:ResponseCode>");
    let other = "<a:FoundULN>3000000258</a:FoundULN>";
    for (what, reply) in [
        ("events that are not shared", result(&format!("{}{SELF}{record}", code("WSEC0206")))),
        ("events of nobody verified", result(&format!("{}{record}", code("WSEC0208")))),
        ("another question", result(&format!("{}<a:IncomingULN>3000000258</a:IncomingULN>{record}", code("WSRC0004")))),
        ("another linked question", result(&format!("{}{other}<a:IncomingULN>3000000258</a:IncomingULN>{record}", code("WSRC0022")))),
        ("a question that is none", result(&format!("{}<a:IncomingULN>Idris</a:IncomingULN>{record}", code("WSRC0004")))),
        ("events of nobody", result(&format!("{}{SELF}{record}", code("WSRC0001")))),
        (
            "another learner, under a code nobody documented",
            result(&format!("{}{other}<a:IncomingULN>3000000126</a:IncomingULN>{record}", code("WSRC7777"))),
        ),
        ("another learner", result(&format!("{}{other}<a:IncomingULN>3000000126</a:IncomingULN>{record}", code("WSRC0004")))),
        ("no code", result(&format!("{SELF}{record}"))),
        ("a nil code", result(&format!("<a:ResponseCode i:nil=\"true\"/>{SELF}{record}"))),
        (
            "a nil result",
            response("<GetLearnerLearningEventsResult xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\" i:nil=\"true\"/>"),
        ),
        ("an empty result", result("")),
        ("no result", response("")),
        ("two records", result(&format!("{}{SELF}{record}{record}", code("WSRC0004")))),
        (
            "the answer of another service",
            Reply::Bytes(soap(200, &format!("<FindLearnerResponse>{record}</FindLearnerResponse>").replace("a:", ""))),
        ),
    ] {
        let answer = ask(reply).await;
        let problem = answer.problem(502, "lrs_bad_response");
        assert_eq!(problem["outcomeUnknown"], Value::Null, "{what}: {problem}");
        assert!(!answer.text.contains("Quillcraft") && !answer.text.contains("3000000"), "{what}: {problem}");
    }
}

#[tokio::test]
async fn errors_are_problems_as_the_results_code_and_as_a_domain_fault() {
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
        let inside = result(&format!("<a:ResponseCode>{code}</a:ResponseCode>{SELF}<a:LearnerRecord>{EVENT}</a:LearnerRecord>"));
        for reply in [inside, Reply::Bytes(soap(500, &fault)), Reply::Bytes(soap(200, &fault))] {
            let answer = ask(reply).await;
            let problem = answer.problem(status, problem_code);
            assert_eq!((&problem["lrs"]["code"], &problem["outcomeUnknown"]), (&json!(code), &Value::Null), "{problem}");
            assert!(!answer.text.contains("Quillcraft"), "{problem}");
        }
    }
}

#[tokio::test]
async fn several_hundred_events_come_in_lrss_order() {
    let xml: String = (0..900)
        .map(|id| format!("<a:LearningEvent><a:ID>{id}</a:ID><a:Subject>{}</a:Subject></a:LearningEvent>", "x".repeat(500)))
        .collect();
    let events = events(&xml).await;
    let ids: Vec<_> = events.as_array().expect("a list").iter().filter_map(|event| event["id"].as_i64()).collect();
    assert_eq!(ids, (0..900).collect::<Vec<_>>());
}
