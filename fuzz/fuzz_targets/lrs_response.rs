//! Responses of LRS, or of a server in its place, to every operation.
//!
//! Input: the operation, the head of the response (status, media type, whether it is late), and the body. The last two operations stand for
//! the headers `Retry-After` and `Location`, whose value is then the body.
//!
//! What the gateway reads, it must read again, unchanged, from the form in which it stores LRS's responses. A batch has exactly one result
//! for each of its records, in their order. Errors are made of the gateway's own words.

#![no_main]

use std::time::Duration;

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use lrs_gateway::api::learning_events::LearningEvents;
use lrs_gateway::api::retrieve_ulns::RetrievedLearner;
use lrs_gateway::api::verify_learners::LearnerVerificationResult;
use lrs_gateway::batches::batch_kind::BatchKind;
use lrs_gateway::batches::kinds::achievement::Achievements;
use lrs_gateway::batches::kinds::registration::Registrations;
use lrs_gateway::batches::kinds::verification::Verifications;
use lrs_gateway::domain::{DemographicSearch, JobType, LearnerRegistration, LearningEventsSearch, SubmissionType, UlnRetrieval, UlnSearch};
use lrs_gateway::domain::{LearnerUpdate, LearnerVerification};
use lrs_gateway::lrs::services::external::{AchievementCodes, GetAchievementJob, SubmitAchievementJob};
use lrs_gateway::lrs::services::learner::{GetRegistrationJob, GetVerificationJob, SubmitRegistrationJob, SubmitVerificationJob};
use lrs_gateway::lrs::soap::write_envelope;
use lrs_gateway::lrs::{LrsError, Operation, ResponseHead, classify_response, location_origin, parse_response, parse_retry_after};
use lrs_gateway::xml::{PackedXml, XmlRecord as _};
use lrs_gateway_fuzz::{CANARY, choose, valid};
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderValue, LOCATION};
use serde::Serialize;

const STATUSES: [u16; 12] = [200, 500, 302, 301, 401, 403, 405, 407, 408, 429, 503, 404];
const MEDIA_TYPES: [&str; 2] = ["text/xml; charset=utf-8", "text/html"];

/// Where a head comes from: every combination of status, media type and lateness has a letter or another byte.
fn head(byte: u8) -> ResponseHead<'static> {
    let number = usize::from(byte.wrapping_sub(b'a'));
    ResponseHead {
        status: STATUSES[number % STATUSES.len()],
        content_type: MEDIA_TYPES[number / STATUSES.len() % MEDIA_TYPES.len()],
        retry_after: None,
        location_origin: None,
        is_late: number / STATUSES.len() / MEDIA_TYPES.len() % 2 == 1,
    }
}

type Check = fn(&ResponseHead<'_>, &[u8]);

macro_rules! golden_call {
    ($name:literal) => {
        valid(include_str!(concat!("../../tests/golden/", $name, ".call.json")))
    };
}

const CHECKS: [Check; 15] = [
    |head, body| single::<UlnSearch>(&golden_call!("find-by-uln"), head, body, |response| json(&response.learner)),
    |head, body| single::<DemographicSearch>(&golden_call!("find-by-demographics-full"), head, body, |response| json(&response.learner)),
    |head, body| single::<LearnerRegistration>(&golden_call!("register-full"), head, body, |response| json(&response.uln)),
    |head, body| single::<LearnerUpdate>(&golden_call!("update"), head, body, |response| json(&response.response_code)),
    |head, body| {
        single::<LearnerVerification>(&golden_call!("verify-full"), head, body, |response| {
            json(&LearnerVerificationResult::from(response.verified_learner.0));
        });
    },
    |head, body| {
        single::<UlnRetrieval>(&golden_call!("retrieve"), head, body, |response| {
            let rows = response.retrieved_ulns.map(|list| list.0.verified_uln).unwrap_or_default();
            json(&rows.into_iter().map(RetrievedLearner::from).collect::<Vec<_>>());
        });
    },
    |head, body| {
        single::<LearningEventsSearch>(&golden_call!("learning-events-full"), head, body, |response| {
            json(&LearningEvents::from(response.result.0));
        });
    },
    |head, body| single(&SubmitRegistrationJob { job_type: JobType::Full, learners: &no_records() }, head, body, drop),
    |head, body| single(&GetRegistrationJob { job_id: 900_123 }, head, body, |output| results::<Registrations>(output, LEARNERS)),
    |head, body| single(&SubmitVerificationJob { notify_email: None, learners: &no_records() }, head, body, drop),
    |head, body| single(&GetVerificationJob { job_id: 900_123 }, head, body, |output| results::<Verifications>(output, TO_VERIFY)),
    |head, body| {
        let codes = AchievementCodes::default();
        let job =
            SubmitAchievementJob { submission_type: SubmissionType::Final, notify_email: None, achievements: &no_records(), codes: &codes };
        single(&job, head, body, drop);
    },
    |head, body| single(&GetAchievementJob { job_id: 900_123 }, head, body, |output| results::<Achievements>(output, ACHIEVEMENTS)),
    |_, value| {
        let Ok(value) = std::str::from_utf8(value) else { return };
        let now = Timestamp::from_second(784_111_777).expect("a time");
        let bounds = Duration::from_secs(1)..=Duration::from_hours(24);
        assert!(parse_retry_after(value, now).is_none_or(|duration| bounds.contains(&duration)), "{value:?}");
    },
    |_, value| {
        let requested = Url::parse("https://lrs.example/LearnerService.svc").expect("a URL");
        let Ok(value) = HeaderValue::from_bytes(value) else { return };
        let Some(origin) = location_origin(&requested, &HeaderMap::from_iter([(LOCATION, value)])) else { return };
        // Paths, queries and logins can be personal.
        let rest = origin.split_once("://").map_or(origin.as_str(), |(_, rest)| rest);
        assert!(!rest.contains(['/', '?', '#', '@']), "{origin}");
    },
];

fn no_records() -> PackedXml {
    PackedXml::new(Vec::new()).expect("no records")
}

/// Reads the response to an operation. `use_response` does with it what the gateway does.
fn single<O: Operation>(operation: &O, head: &ResponseHead<'_>, body: &[u8], use_response: impl FnOnce(O::Response)) {
    let response = match classify_response(operation, head, body) {
        Ok(response) => response,
        Err(error) => return check_error(&error),
    };
    assert_eq!(head.status, 200);
    let xml = stored::<O>(&response);
    let again = parse_response::<O>(200, MEDIA_TYPES[0], xml.as_bytes()).unwrap_or_else(|error| panic!("{error}: {xml}"));
    assert_eq!(stored::<O>(&again), xml, "a response that is stored and read changes");
    assert_eq!(operation.check_response(&again), Ok(()), "{xml}");
    use_response(response);
}

/// Returns the form in which the gateway stores responses.
fn stored<O: Operation>(response: &O::Response) -> String {
    let xml =
        write_envelope(|writer| writer.element(O::RESPONSE_ELEMENT, "xmlns:a=\"urn:lrs-gateway:kept\"", |writer| response.write(writer)));
    xml.expect("what was read has no illegal character")
}

fn check_error(error: &LrsError) {
    let text = error.to_string();
    assert!(text.is_ascii() && text.len() <= 200 && !text.contains(CANARY), "{text}");
    let code = error.lrs_code().and_then(|code| code.loggable());
    assert!(code.is_none_or(|code| code.len() <= 16), "{code:?}");
}

fn json(answer: &impl Serialize) {
    serde_json::to_string(answer).expect("an answer is JSON");
}

const LEARNERS: &str = r#"[
    {"misIdentifier": "STU-0", "givenName": "Ana", "familyName": "Quillfeather", "dateOfBirth": "1990-09-17", "gender": "MALE",
     "lastKnownPostCode": "ZZ42 4QX", "verificationType": "PASSPORT", "abilityToShare": "SEEN_SHARE"},
    {"misIdentifier": "STU-1", "givenName": "Ben", "familyName": "Quillfeather", "dateOfBirth": "1991-09-17", "gender": "FEMALE",
     "lastKnownPostCode": "ZZ42 4QX", "verificationType": "PASSPORT", "abilityToShare": "SEEN_SHARE"},
    {"givenName": "Ben", "familyName": "Quillfeather", "dateOfBirth": "1991-09-17", "gender": "FEMALE",
     "lastKnownPostCode": "ZZ1 1AA", "verificationType": "PASSPORT", "abilityToShare": "SEEN_SHARE"}
]"#;
const TO_VERIFY: &str = r#"[
    {"misIdentifier": "STU-0", "uln": "3000000126", "givenName": "Ana", "familyName": "Quillfeather"},
    {"misIdentifier": "STU-1", "uln": "3000000258", "givenName": "Ben", "familyName": "Quillfeather", "dateOfBirth": "1991-09-17"}
]"#;
const ACHIEVEMENTS: &str = r#"[
    {"action": "CREATE", "actionDate": "2026-07-01", "achievementAwardDate": "2026-06-30", "familyName": "Quillfeather", "givenName": "Ana",
     "misIdentifier": "STU-0", "providerUkprn": "10088881", "uln": "3000000126", "unitOrQualificationReferenceNumber": "50012345"},
    {"action": "CREATE", "actionDate": "2026-07-01", "achievementAwardDate": "2026-06-30", "familyName": "Quillfeather", "givenName": "Ben",
     "providerUkprn": "10088881", "uln": "3000000258", "unitOrQualificationReferenceNumber": "50012346"}
]"#;

/// Matches the output of a job to the records that it was submitted for.
fn results<K: BatchKind>(output: K::Output, records: &str)
where
    K::Output: Clone,
{
    let records: Vec<K::Record> = valid(records);
    let sent: Vec<_> = records.iter().map(K::fingerprint).collect();
    let (_, _) = (K::report(&output), K::counters(&output));
    let _ = K::progress(&output, sent.len());
    let first_position = 7;
    let expected = first_position..;
    let matched = K::match_output(output.clone(), first_position, Some(&sent));
    let of_records: Vec<_> = matched.iter().map_while(|result| result.position).collect();
    assert_eq!(of_records, expected.take(sent.len()).collect::<Vec<_>>(), "one result for each record");
    assert!(matched[sent.len()..].iter().all(|result| result.position.is_none() && result.result.is_some()));
    // Without the records: as many results as LRS returned.
    let adopted = K::match_output(output, first_position, None);
    assert!(adopted.iter().zip(first_position..).all(|(result, position)| result.position == Some(position)));
}

fuzz_target!(|input: &[u8]| {
    let Some((check, rest)) = choose(&CHECKS, input) else { return };
    let Some((byte, body)) = rest.split_first() else { return };
    check(&head(*byte), body);
});
