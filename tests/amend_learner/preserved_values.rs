//! What an amendment does not name is written back exactly as LRS sent it, or the amendment is refused.

use serde_json::{Value, json};

use super::{amend, amendment, found, search_response, updated};
use crate::support::gateway::Options;
use crate::support::scripted_lrs::ScriptedLrs;

/// Texts that a request cannot have, in the order of the elements of an update.
const UNUSUAL_DETAILS: &str = "<Title>A title that is far longer than LRS's own limit of 35</Title><GivenName>Zebedee </GivenName>\
    <MiddleOtherName>Zoe\u{308} &amp; &lt;Co&gt;</MiddleOtherName><FamilyName>Quillfeather</FamilyName>\
    <PreferredGivenName> </PreferredGivenName><LastKnownAddressLine1>1&#13;\n2</LastKnownAddressLine1>\
    <LastKnownPostCode>NOT A CODE</LastKnownPostCode><DateOfAddressCapture>29/02/2023</DateOfAddressCapture>\
    <DateOfBirth>2004-02-30</DateOfBirth><Gender>7</Gender><EmailAddress>no address</EmailAddress><Nationality>Martian</Nationality>\
    <VerificationType> 42 </VerificationType><AbilityToShare>yes</AbilityToShare>";

#[tokio::test]
async fn amend_unchanged_values_that_a_request_cannot_have_are_sent_as_lrs_sent_them() {
    let maintained = "<TierLevel>9</TierLevel><LearnerStatus>?</LearnerStatus><LinkedULNs><ULN>3000000258</ULN></LinkedULNs>";
    let record = format!(
        "<Learner><CreatedDate>soon</CreatedDate><LastUpdatedDate>2024-01-15</LastUpdatedDate><ULN>3000000126</ULN>{UNUSUAL_DETAILS}{maintained}\
         <Notes/><VersionNumber>7</VersionNumber></Learner>"
    );
    let replies = vec![search_response("WSRC0004", &record), updated("WSRC0006")];

    let (answer, records) = amend(replies, json!({"notes": "Met in person"}), json!([])).await;

    assert_eq!(records, [format!("{UNUSUAL_DETAILS}<Notes>Met in person</Notes><ULN>3000000126</ULN><VersionNumber>7</VersionNumber>")]);
    let learner = &answer.expect_success()["learner"];
    let expected = json!({
        "createdDate": "soon", "uln": "3000000126", "title": "A title that is far longer than LRS's own limit of 35",
        "givenName": "Zebedee ", "middleOtherName": "Zoe\u{308} & <Co>", "familyName": "Quillfeather", "preferredGivenName": " ",
        "lastKnownAddressLine1": "1\r\n2", "lastKnownPostCode": "NOT A CODE", "dateOfAddressCapture": "29/02/2023",
        "dateOfBirth": "2004-02-30", "gender": "7", "emailAddress": "no address", "nationality": "Martian", "verificationType": " 42 ",
        "tierLevel": "9", "abilityToShare": "yes", "learnerStatus": "?", "linkedUlns": ["3000000258"], "notes": "Met in person",
    });
    assert_eq!(learner, &expected);
}

#[tokio::test]
async fn amend_value_that_lrs_spells_otherwise_is_unchanged() {
    let (answer, records) = amend(
        vec![found(3, "<Notes>Zoe\u{308}</Notes>")],
        json!({"notes": "Zo\u{EB}", "gender": "MALE", "dateOfBirth": "2004-11-30"}),
        json!(["title"]),
    )
    .await;

    assert_eq!((&answer.expect_success()["outcome"], records), (&json!("NO_CHANGES"), Vec::new()));
}

#[tokio::test]
async fn amend_empty_elements_of_the_record_are_left_out_and_cleared_ones_are_sent_empty() {
    let elements = "<Title/><Notes>Old</Notes><Nationality></Nationality><DateOfAddressCapture>0001-01-01T00:00:00</DateOfAddressCapture>\
        <EmailAddress>zebedee@example.com</EmailAddress>";
    let (answer, records) = amend(vec![found(3, elements), updated("WSRC0006")], json!({}), json!(["notes", "emailAddress"])).await;

    let learner = &answer.expect_success()["learner"];
    assert_eq!((learner.get("notes"), learner.get("emailAddress"), learner.get("title")), (None, None, None));
    assert!(records[0].contains("<Gender>1</Gender><EmailAddress></EmailAddress>"), "{records:?}");
    assert!(records[0].contains("<AbilityToShare>1</AbilityToShare><Notes></Notes>"), "{records:?}");
    assert!(["<Title", "<Nationality", "<DateOfAddressCapture"].iter().all(|element| !records[0].contains(element)), "{records:?}");
}

#[tokio::test]
async fn amend_record_that_would_lack_a_required_field_is_refused_with_its_name() {
    let without = |element: &str| {
        let record = super::record(3, "").replace(element, "");
        search_response("WSRC0004", &record)
    };
    let notes = || json!({"notes": "Met in person"});
    for (reply, changes, clear, expected) in [
        (without("<VerificationType>2</VerificationType>"), notes(), json!([]), "/changes/verificationType"),
        (without("<Gender>1</Gender>"), notes(), json!([]), "/changes/gender"),
        (found(3, ""), json!({"verificationType": "OTHER"}), json!([]), "/changes/otherVerificationDescription"),
        (
            without("<VerificationType>2</VerificationType>"),
            json!({"verificationType": "OTHER"}),
            json!(["notes"]),
            "/changes/otherVerificationDescription",
        ),
    ] {
        let (answer, records) = amend(vec![reply], changes, clear).await;

        let problem = answer.problem(422, "validation_failed");
        assert_eq!((answer.errors(), records.len()), (vec![(expected.to_owned(), "required".to_owned())], 0), "{problem}");
        assert_eq!(problem["outcomeUnknown"], Value::Null);
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("Nothing was changed")), "{problem}");
    }

    let replies = vec![without("<VerificationType>2</VerificationType>"), updated("WSRC0006")];
    let (answer, records) =
        amend(replies, json!({"verificationType": "OTHER", "otherVerificationDescription": "Student card"}), json!([])).await;
    assert_eq!(answer.expect_success()["outcome"], "UPDATED");
    assert!(records[0].contains("<VerificationType>999</VerificationType><OtherVerificationDescription>Student card<"), "{records:?}");
}

#[tokio::test]
async fn amend_value_that_cannot_be_written_back_is_refused_unless_it_is_replaced() {
    for lost in ["<Notes>a<b>c</b></Notes>", "<Notes>a&#1;c</Notes>"] {
        let (answer, records) = amend(vec![found(3, lost)], json!({"title": "Dr"}), json!([])).await;
        answer.problem(422, "validation_failed");
        assert_eq!((answer.errors(), records.len()), (vec![("/changes/notes".to_owned(), "unreadable".to_owned())], 0), "{lost}");

        for (changes, clear, written) in
            [(json!({"notes": "New"}), json!([]), "<Notes>New</Notes>"), (json!({}), json!(["notes"]), "<Notes></Notes>")]
        {
            let (answer, records) = amend(vec![found(3, lost), updated("WSRC0006")], changes, clear).await;
            assert_eq!(answer.expect_success()["outcome"], "UPDATED");
            assert!(records[0].contains(written), "{records:?}");
        }
    }
    // LRS's record may have the character itself.
    let (answer, records) =
        amend(vec![found(3, "<Notes>a\u{FFFD}c</Notes>"), updated("WSRC0006")], json!({"title": "Dr"}), json!([])).await;
    assert_eq!(answer.expect_success()["outcome"], "UPDATED");
    assert!(records[0].contains("<Notes>a\u{FFFD}c</Notes>"), "{records:?}");
}

#[tokio::test]
async fn amend_names_that_look_like_others_have_warnings() {
    let script = ScriptedLrs::new(Options::default(), [found(3, ""), updated("WSRC0006")]);
    let request = amendment(&json!({"familyName": "O\u{2019}Neill"}), &json!([]));
    let result = script.post_expecting_calls(2, super::AMEND, &request).await.expect_success();
    let warning = &result["warnings"][0];
    assert_eq!((&warning["pointer"], &warning["code"]), (&json!("/changes/familyName"), &json!("typographic_apostrophe")));
}
