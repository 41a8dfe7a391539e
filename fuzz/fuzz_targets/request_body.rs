//! JSON bodies of every operation.
//!
//! Input: the operation, and the body.
//!
//! A body that is accepted becomes a SOAP message that the schemas of the simulator accept, and the simulator's response is readable; a
//! record of a batch is the same after it was stored. Each error and warning points to a value of the body, or to a field that is missing in
//! an object of the body, and does not repeat a value.

#![no_main]

use std::borrow::Cow;
use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use lrs_gateway::api::batches::{achievement, registration, verification};
use lrs_gateway::batches::batch_kind::{BatchKind, pack};
use lrs_gateway::batches::kinds::achievement::Achievements;
use lrs_gateway::batches::kinds::registration::Registrations;
use lrs_gateway::batches::kinds::verification::Verifications;
use lrs_gateway::domain::{BatchLearnerToVerify, DemographicSearch, JobType, LearningEventsSearch, UlnSearch};
use lrs_gateway::domain::{
    LearnerAmendment, LearnerRegistration, LearnerUpdate, LearnerVerification, Product, SubmissionType, UlnRequest, UlnRetrieval,
};
use lrs_gateway::lrs::services::external::{AchievementCodes, SubmitAchievementJob};
use lrs_gateway::lrs::services::learner::{SubmitRegistrationJob, SubmitVerificationJob};
use lrs_gateway::lrs::{LrsError, MessageContext, Operation, ResponseHead, Vendor, classify_response};
use lrs_gateway::organisations::CallContext;
use lrs_gateway::schema::deserialize::{FromDocument, MAX_LISTED_ERRORS, ParsedBody, TOO_MANY_ERRORS, from_json, from_json_with_digest};
use lrs_gateway::schema::{CodeList as _, FieldError};
use lrs_gateway::simulator::{Simulator, SimulatorSettings, execute_message};
use lrs_gateway::xml::{PackedXml, XmlWriter};
use lrs_gateway_fuzz::{call_context, choose};
use serde_json::Value;

const CHECKS: [fn(&[u8]); 13] = [
    single::<UlnSearch>,
    single::<DemographicSearch>,
    single::<LearnerRegistration>,
    single::<LearnerUpdate>,
    single::<LearnerVerification>,
    single::<UlnRetrieval>,
    single::<LearningEventsSearch>,
    |body| {
        let Some(_) = read::<registration::RegistrationBatch>(body) else { return };
        let learners = packed::<Registrations>(body, "learners");
        send(&SubmitRegistrationJob { job_type: JobType::Full, learners: &learners });
    },
    |body| {
        let Some(_) = read::<verification::VerificationBatch>(body) else { return };
        let learners = packed::<Verifications>(body, "learners");
        send(&SubmitVerificationJob { notify_email: None, learners: &learners });
    },
    |body| {
        let Some(batch) = read::<achievement::AchievementBatch>(body) else { return };
        let achievements = packed::<Achievements>(body, "achievements");
        let (codes, notify_email) = (AchievementCodes::default(), batch.notify_email.as_ref());
        let job = SubmitAchievementJob { submission_type: SubmissionType::Final, notify_email, achievements: &achievements, codes: &codes };
        send(&job);
    },
    // A list of names of any length: the largest number of errors.
    |body| drop(read::<Vec<BatchLearnerToVerify>>(body)),
    |body| {
        if let Some(amendment) = read::<LearnerAmendment>(body) {
            assert!(!amendment.new_texts().is_empty(), "an amendment without a field");
        }
    },
    |body| {
        let Some(UlnRequest { learner, .. }) = read::<UlnRequest>(body) else { return };
        send(&LearnerRegistration { learner });
    },
];

fn single<O: Operation + FromDocument>(body: &[u8]) {
    if let Some(request) = read::<O>(body) {
        send(&request);
    }
}

/// Reads a body, and checks the errors and warnings about it.
fn read<T: FromDocument>(body: &[u8]) -> Option<T> {
    let document = serde_json::from_slice::<Value>(body).ok();
    match from_json_with_digest::<T>(body, true) {
        Ok(ParsedBody { value: request, warnings, .. }) => {
            for warning in warnings.into_list().into_iter().flatten() {
                assert!(document.as_ref().is_none_or(|document| document.pointer(&warning.pointer).is_some()), "{}", warning.pointer);
            }
            Some(request)
        }
        Err(errors) => {
            assert!(!errors.is_empty() && errors.len() <= MAX_LISTED_ERRORS + 1);
            if let Some(document) = document {
                check_errors::<T>(&document, &errors);
            }
            None
        }
    }
}

fn check_errors<T: FromDocument>(document: &Value, errors: &[FieldError]) {
    // `Value` keeps the last of two fields with the same name, so pointers to the first may lead nowhere.
    if errors.iter().any(|error| error.code == "duplicate_field") {
        return;
    }
    for FieldError { pointer, code, detail, .. } in errors {
        assert_ne!(*code, "malformed_json", "{detail}");
        let parent = pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
        let is_missing = || *code != TOO_MANY_ERRORS && document.pointer(parent).is_some_and(Value::is_object);
        assert!(document.pointer(pointer).is_some() || is_missing(), "{code} at {pointer}");
        // Most details are constants.
        if let Cow::Owned(detail) = detail {
            check_detail::<T>(document, pointer, detail);
        }
    }
}

/// Checks that a detail does not repeat the value that it is about. A value can be equal to a part of the detail by chance, so the detail
/// must change with the value.
fn check_detail<T: FromDocument>(document: &Value, pointer: &str, detail: &str) {
    let Some(Value::String(text)) = document.pointer(pointer) else { return };
    if text.len() < 3 || !detail.contains(text.as_str()) {
        return;
    }
    let mut changed = document.clone();
    *changed.pointer_mut(pointer).expect("the pointer leads to a value") = Value::String("Q".repeat(text.chars().count()));
    let Err(errors) = from_json::<T>(changed.to_string().as_bytes()) else { return };
    let repeats = errors.iter().any(|error| error.pointer == pointer && error.detail != detail && error.detail.contains('Q'));
    assert!(!repeats, "the detail at {pointer} repeats the value: {detail}");
}

/// Returns the records of a batch that was accepted, as they are stored.
fn packed<K: BatchKind>(body: &[u8], field: &str) -> PackedXml {
    let document: Value = serde_json::from_slice(body).expect("a body that was accepted is JSON");
    let records: Vec<K::Record> = from_json(document[field].to_string().as_bytes()).expect("the records were accepted");
    let packed = pack::<K>(&records).expect("a valid record has no illegal character");
    let packed = PackedXml::new(packed).expect("what was packed can be unpacked");
    assert_eq!(packed.record_count(), records.len());
    let (mut stored, mut written) = (XmlWriter::default(), XmlWriter::default());
    packed.write(&mut stored, Cow::Borrowed);
    records.iter().for_each(|record| K::write_record(record, &mut written));
    assert!(stored.finish() == written.finish(), "a record is another one after it was stored");
    packed
}

/// The parties of all calls. The simulator is created anew from time to time, because it remembers every learner.
struct Parties {
    context: CallContext,
    vendor: Vendor,
    simulator: Simulator,
    calls: usize,
}

const MAX_CALLS: usize = 1_000;

fn simulator() -> Simulator {
    let mut settings = SimulatorSettings { invented_learners: 0, ..SimulatorSettings::default() };
    for organisation in &mut settings.organisations {
        organisation.products = Product::ALL.to_vec();
    }
    settings.build_simulator().expect("the settings are valid")
}

thread_local! {
    static PARTIES: RefCell<Parties> =
        RefCell::new(Parties { context: call_context(), vendor: Vendor::default(), simulator: simulator(), calls: 0 });
}

/// Sends a request to the simulator, and reads its response.
fn send<O: Operation>(operation: &O) {
    PARTIES.with_borrow_mut(|parties| {
        parties.calls += 1;
        if parties.calls % MAX_CALLS == 0 {
            parties.simulator = simulator();
        }
        let context = MessageContext { caller: &parties.context, vendor: &parties.vendor };
        let message = operation.envelope(&context).expect("a valid request has no illegal character");
        let (status, xml) = execute_message(&parties.simulator, O::SERVICE, message.as_bytes());
        let head = ResponseHead { status, content_type: "text/xml; charset=utf-8", ..ResponseHead::default() };
        match classify_response(operation, &head, xml.as_bytes()) {
            // LRS may refuse a learner whom it does not know, or knows well.
            Ok(_) | Err(LrsError::Rejected(..)) => {}
            Err(error) => panic!("{error:?}\n{message}\n{xml}"),
        }
    });
}

fuzz_target!(|input: &[u8]| {
    if let Some((check, body)) = choose(&CHECKS, input) {
        check(body);
    }
});
