//! Generators of random requests of every operation, with all values that the gateway accepts.

use std::fmt::Debug;
use std::sync::Arc;

use lrs_gateway::batches::kinds::achievement::Achievements;
use lrs_gateway::batches::kinds::registration::Registrations;
use lrs_gateway::batches::kinds::verification::Verifications;
use lrs_gateway::domain::{
    AbilityToShare, Achievement, AchievementAction, BatchLearner, BatchLearnerToVerify, DemographicSearch, DetailLevel, FindType, Gender,
    JobType, LearnerDetails, LearnerRegistration, LearnerUpdate, LearnerVerification, LearningEventsSearch, MisIdentifier, SubmissionType,
    Uln, UlnRetrieval, UlnSearch, UpdatedLearner, VerificationType,
};
use lrs_gateway::lrs::services::external::{AchievementCodes, GetAchievementJob, SubmitAchievementJob};
use lrs_gateway::lrs::services::learner::{GetRegistrationJob, GetVerificationJob, SubmitRegistrationJob, SubmitVerificationJob};
use lrs_gateway::lrs::{MessageContext, Operation, Service, Vendor};
use lrs_gateway::organisations::{CallContext, OrganisationPassword};
use lrs_gateway::schema::deserialize::from_json;
use lrs_gateway::schema::{self, CodeList as _, json_object};
use lrs_gateway::xml::{IllegalCharacter, XmlRecord as _, is_xml_char};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use crate::batch_soap_messages::packed;
use crate::support::gateway::organisation;

/// Messages with their names.
type Messages = Vec<(String, String)>;

/// Returns random requests of every operation, by service.
pub fn by_service() -> [(Service, Messages); 3] {
    let learner_service = [
        requests(find_by_uln()),
        requests(find_by_demographics()),
        requests(learner().prop_map(|learner| LearnerRegistration { learner })),
        requests((uln(), any::<i32>(), learner()).prop_map(|(uln, version_number, learner)| {
            let learner = UpdatedLearner::read_written(|writer| writer.element("Learner", "", |writer| learner.write(writer)));
            LearnerUpdate { uln, version_number, learner: learner.expect("the details of a learner") }
        })),
        requests(verify_learner()),
        requests(retrieve_ulns()),
        submit_registration_batch(),
        requests((0..=MAX_JOB_ID).prop_map(|job_id| GetRegistrationJob { job_id })),
        submit_verification_batch(),
        requests((0..=MAX_JOB_ID).prop_map(|job_id| GetVerificationJob { job_id })),
    ];
    let external_service =
        [submit_achievement_batch(), requests((0..=i64::from(i32::MAX)).prop_map(|job_id| GetAchievementJob { job_id }))];
    [
        (Service::Learner, learner_service.concat()),
        (Service::LearnerR9, requests(get_learning_events())),
        (Service::External, external_service.concat()),
    ]
}

/// Largest job id that the simulator accepts: eighteen digits.
const MAX_JOB_ID: i64 = 999_999_999_999_999_999;

/// Texts of every script, with white space and markup. Half of them have the maximum length.
fn text(max_length: usize) -> impl Strategy<Value = String> {
    let markup =
        prop::sample::select(vec!['<', '>', '&', '"', '\'', ']', '\r', '\n', '\t', ' ', '\u{85}', '\u{A0}', '\u{2028}', '\u{FFFD}']);
    let character = prop_oneof![1 => markup, 2 => xml_char()];
    let length = prop_oneof![0..=max_length, Just(max_length)];
    length.prop_flat_map(move |length| prop::collection::vec(character.clone(), length)).prop_map(String::from_iter)
}

/// Characters that XML can contain.
fn xml_char() -> impl Strategy<Value = char> + Clone {
    any::<char>().prop_filter("allowed in XML", |character| is_xml_char(*character))
}

/// The values of this type that the gateway parses from these texts.
fn value<T: schema::Scalar + Debug>(text: impl Strategy<Value = String>) -> impl Strategy<Value = T> {
    text.prop_filter_map("a valid text", |text| T::parse(&text).ok())
}

/// A value, an empty value if the type allows it, or none.
fn optional<T: schema::Scalar + Debug + Clone>(text: impl Strategy<Value = String>) -> impl Strategy<Value = Option<T>> {
    prop_oneof![Just(None), Just(T::parse("").ok()), value(text).prop_map(Some)]
}

fn any_of<T: Copy + Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    prop::sample::select(all)
}

fn date() -> impl Strategy<Value = String> {
    (1800..=2099, 1..=12, 1..=31).prop_map(|(year, month, day)| format!("{year}-{month:02}-{day:02}"))
}

fn postcode() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z]{1,2}[0-9rR][0-9a-zA-Z]? ?[0-9][a-zA-Z]{2} {0,4}", "[bB][fF][pP][oO] ?[0-9]{1,4} {0,4}"]
}

fn email() -> impl Strategy<Value = String> {
    "[!-~]{1,8}([.][!-~]{1,4})?@[a-zA-Z0-9-]{1,8}([.][a-zA-Z0-9-]{1,8}){0,2}[.][a-zA-Z]{1,7}"
}

fn uln() -> impl Strategy<Value = Uln> {
    (100_000_000_u32..=999_999_999).prop_filter_map("a prefix of a ULN", Uln::from_prefix)
}

fn find_by_uln() -> impl Strategy<Value = UlnSearch> {
    (any_of(FindType::ALL), uln(), value(text(35)), value(text(35))).prop_map(|(find_type, uln, family_name, given_name)| UlnSearch {
        find_type,
        uln,
        family_name,
        given_name,
    })
}

fn find_by_demographics() -> impl Strategy<Value = DemographicSearch> {
    let required = (any_of(FindType::ALL), value(text(35)), value(text(35)), value(date()), any_of(Gender::ALL), value(postcode()));
    let others = (optional(text(35)), optional(text(254)), optional(text(35)), optional(email()));
    (required, others).prop_map(|(required, others)| {
        let (find_type, family_name, given_name, date_of_birth, gender, last_known_post_code) = required;
        let (previous_family_name, school_at_age16, place_of_birth, email_address) = others;
        DemographicSearch {
            find_type,
            family_name,
            given_name,
            date_of_birth,
            gender,
            last_known_post_code,
            previous_family_name,
            school_at_age16,
            place_of_birth,
            email_address,
        }
    })
}

/// Learners to register or update, with any of the optional fields.
fn learner() -> impl Strategy<Value = LearnerDetails> {
    let required = (value(text(35)), value(text(35)), value(postcode()), value(date()), any_of(Gender::ALL));
    let codes = (any_of(VerificationType::ALL), any_of(AbilityToShare::ALL));
    let names = [(); 6].map(|()| optional(text(35)));
    let address = [(); 4].map(|()| optional(text(50)));
    let others = (optional(text(254)), optional(date()), optional(email()), optional(text(3)), optional("[0-9]{9}"));
    let texts = (optional(text(255)), optional(text(4000)));
    (required, codes, names, address, others, texts).prop_map(|(required, codes, names, address, others, texts)| {
        let (given_name, family_name, last_known_post_code, date_of_birth, gender) = required;
        let (verification_type, ability_to_share) = codes;
        let [title, middle_other_name, preferred_given_name, previous_family_name, family_name_at_age16, place_of_birth] = names;
        let [last_known_address_line1, last_known_address_line2, last_known_address_town, last_known_address_county_or_city] = address;
        let (school_at_age16, date_of_address_capture, email_address, nationality, scottish_candidate_number) = others;
        let (other_verification_description, notes) = texts;
        LearnerDetails {
            title,
            given_name,
            middle_other_name,
            family_name,
            preferred_given_name,
            previous_family_name,
            family_name_at_age16,
            school_at_age16,
            last_known_address_line1,
            last_known_address_line2,
            last_known_address_town,
            last_known_address_county_or_city,
            last_known_post_code,
            date_of_address_capture,
            date_of_birth,
            place_of_birth,
            gender,
            email_address,
            nationality,
            scottish_candidate_number,
            verification_type,
            other_verification_description,
            ability_to_share,
            notes,
        }
    })
}

fn verify_learner() -> impl Strategy<Value = LearnerVerification> {
    let gender = prop::option::of(any_of(Gender::ALL));
    (uln(), value(text(35)), value(text(35)), optional(date()), gender).prop_map(|(uln, given_name, family_name, date_of_birth, gender)| {
        LearnerVerification { uln, given_name, family_name, date_of_birth, gender }
    })
}

/// Lists of ULNs. Only the JSON deserialiser can create one.
fn retrieve_ulns() -> impl Strategy<Value = UlnRetrieval> {
    let length = prop_oneof![1..=200_usize, Just(200)];
    length.prop_flat_map(|length| prop::collection::vec(uln(), length)).prop_map(|ulns| {
        let ulns: Vec<&str> = ulns.iter().map(Uln::as_str).collect();
        from_json(json!({ "ulns": ulns }).to_string().as_bytes()).expect("1 to 200 ULNs")
    })
}

fn get_learning_events() -> impl Strategy<Value = LearningEventsSearch> {
    (verify_learner(), any_of(DetailLevel::ALL)).prop_map(|(learner, detail_level)| {
        let LearnerVerification { uln, given_name, family_name, date_of_birth, gender } = learner;
        LearningEventsSearch { uln, given_name, family_name, date_of_birth, gender, detail_level }
    })
}

/// Learners of a registration batch. Some fields that a single registration requires are optional.
fn batch_learner() -> impl Strategy<Value = BatchLearner> {
    const OPTIONAL_IN_BATCHES: [&str; 5] = ["lastKnownPostCode", "dateOfBirth", "gender", "abilityToShare", "verificationType"];
    (learner(), prop::option::of(uln()), optional::<MisIdentifier>(text(128)), any::<[bool; 5]>()).prop_map(
        |(learner, uln, mis_identifier, is_present)| {
            let mut json = json_object(&learner).expect("a learner is an object");
            for (field, _) in OPTIONAL_IN_BATCHES.iter().zip(is_present).filter(|(_, is_present)| !is_present) {
                json.remove(*field);
            }
            json.extend(uln.map(|uln| ("uln".to_owned(), json!(uln.as_str()))));
            json.extend(mis_identifier.map(|identifier| ("misIdentifier".to_owned(), json!(identifier.as_str()))));
            from_json(serde_json::to_string(&json).expect("JSON").as_bytes()).expect("the fields of a learner in a batch")
        },
    )
}

fn batch_learner_to_verify() -> impl Strategy<Value = BatchLearnerToVerify> {
    (optional(text(128)), verify_learner()).prop_map(|(mis_identifier, learner)| {
        let LearnerVerification { uln, given_name, family_name, date_of_birth, gender } = learner;
        BatchLearnerToVerify { mis_identifier, uln, given_name, family_name, date_of_birth, gender }
    })
}

fn achievement() -> impl Strategy<Value = Achievement> {
    let action = (any_of(AchievementAction::ALL), value(date()), optional(text(255)), value(date()));
    let person = (batch_learner_to_verify(), optional(text(20)));
    let award = (value("[0-9a-zA-Z]{8}"), value(text(50)), optional(text(50)), optional(text(50)));
    (action, person, award).prop_map(|(action, person, award)| {
        let (action, action_date, action_reason, achievement_award_date) = action;
        let (BatchLearnerToVerify { mis_identifier, uln, given_name, family_name, date_of_birth, gender }, learner_postcode) = person;
        let (provider_ukprn, unit_or_qualification_reference_number, grade, language_for_assessment) = award;
        Achievement {
            action,
            action_date,
            action_reason,
            achievement_award_date,
            uln,
            given_name,
            family_name,
            date_of_birth,
            gender,
            learner_postcode,
            provider_ukprn,
            unit_or_qualification_reference_number,
            grade,
            language_for_assessment,
            mis_identifier,
        }
    })
}

/// The records of a batch. A few are enough, because a batch is a sequence of records.
fn records<T: Debug>(record: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
    prop::collection::vec(record, 1..=4)
}

fn submit_registration_batch() -> Messages {
    let batch = (any_of(JobType::ALL), records(batch_learner()));
    messages(SubmitRegistrationJob::NAME, batch, |(job_type, learners), context| {
        SubmitRegistrationJob { job_type: *job_type, learners: &packed::<Registrations>(learners) }.envelope(context)
    })
}

fn submit_verification_batch() -> Messages {
    let batch = (optional(email()), records(batch_learner_to_verify()));
    messages(SubmitVerificationJob::NAME, batch, |(notify_email, learners), context| {
        SubmitVerificationJob { notify_email: notify_email.as_ref(), learners: &packed::<Verifications>(learners) }.envelope(context)
    })
}

fn submit_achievement_batch() -> Messages {
    let batch = (any_of(SubmissionType::ALL), optional(email()), records(achievement()));
    messages(SubmitAchievementJob::NAME, batch, |(submission_type, notify_email, achievements), context| {
        let (submission_type, notify_email) = (*submission_type, notify_email.as_ref());
        let achievements = &packed::<Achievements>(achievements);
        SubmitAchievementJob { submission_type, notify_email, achievements, codes: &AchievementCodes::default() }.envelope(context)
    })
}

/// Returns random requests of an operation.
fn requests<O: Operation + Debug>(operation: impl Strategy<Value = O>) -> Messages {
    messages(O::NAME, operation, O::envelope)
}

/// Returns random requests with these parameters, each with an organisation and a person of its own.
fn messages<T: Debug>(
    name: &str,
    parameters: impl Strategy<Value = T>,
    envelope: impl Fn(&T, &MessageContext<'_>) -> Result<String, IllegalCharacter>,
) -> Messages {
    let password = prop::collection::vec(xml_char(), 16)
        .prop_map(String::from_iter)
        .prop_filter("a valid password", |password| OrganisationPassword::new(password).is_ok());
    let inputs = (parameters, "[0-9a-zA-Z]{8}", password, value(text(35)));
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let messages = (0..64).map(|number| {
        let (parameters, ukprn, password, user) = inputs.new_tree(&mut runner).expect("few values are filtered out").current();
        let request = CallContext::new(Arc::new(organisation(&ukprn, &password, &[])), user);
        let vendor = Vendor::default();
        let context = MessageContext { caller: &request, vendor: &vendor };
        (format!("{name}-{number}"), envelope(&parameters, &context).expect("no illegal character"))
    });
    messages.collect()
}
