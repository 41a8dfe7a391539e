//! Achievement batches: what becomes of each achievement, how a job is told, and who is refused.

use std::time::{Duration, Instant};

use lrs_gateway::domain::{Achievement, AchievementJob, AchievementJobStatus, EmailAddress, GetLearningEvents, Product, SubmissionType};
use lrs_gateway::lrs::Service;
use lrs_gateway::lrs::services::external::{AchievementCodes, GetAchievementBatch, SubmitAchievementBatch, SubmitAchievementBatchResponse};
use lrs_gateway::schema::Scalar as _;
use lrs_gateway::schema::deserialize::from_json;
use lrs_gateway::simulator::{SimulatedOrganisation, SimulatorSettings};
use serde_json::json;

use super::{Asking, actor, awarding, provider};

/// An achievement of Ana's, with these changes.
fn achievement(changes: serde_json::Value) -> Achievement {
    let mut achievement = json!({"action": "CREATE", "actionDate": "2025-07-01", "achievementAwardDate": "2025-06-30", "uln": "3000000126",
        "givenName": "Ana", "familyName": "O'Neill", "dateOfBirth": "2003-04-05", "gender": "FEMALE", "learnerPostcode": "ZZ99 9ZZ",
        "providerUkprn": "10088881", "unitOrQualificationReferenceNumber": "600/0000/9", "grade": "Pass <*>",
        "languageForAssessment": "English", "misIdentifier": "CAND-1"});
    let serde_json::Value::Object(changes) = changes else { panic!("changes are an object") };
    achievement.as_object_mut().expect("an object").extend(changes);
    from_json(achievement.to_string().as_bytes()).expect("valid")
}

fn asking(job_seconds: u64) -> Asking {
    Asking { actor: awarding(), ..Asking::new(job_seconds) }
}

fn batch<'a>(submission_type: SubmissionType, achievements: &'a [Achievement], codes: &'a AchievementCodes) -> SubmitAchievementBatch<'a> {
    SubmitAchievementBatch { submission_type, notify_email: None, achievements, codes }
}

/// Submits, and gets the job.
async fn submit(asking: &Asking, submission_type: SubmissionType, achievements: &[Achievement]) -> AchievementJob {
    let submitted = asking.ask(&batch(submission_type, achievements, &AchievementCodes::default())).await;
    asking.ask(&GetAchievementBatch { job_id: submitted.accepted_job_id().expect("a job") }).await.job.expect("it is told")
}

fn status(job: &AchievementJob) -> Option<&AchievementJobStatus> {
    job.status.as_ref().and_then(|status| status.known())
}

/// The grades and statuses of Ana's events that came from this awarding organisation.
async fn awards(asking: &mut Asking) -> Vec<(String, String)> {
    let before = std::mem::replace(&mut asking.actor, provider());
    let learner: GetLearningEvents = from_json(br#"{"uln":"3000000126","givenName":"Ana","familyName":"O'Neill"}"#).expect("valid");
    let answer = asking.ask(&learner).await;
    asking.actor = before;
    let events = answer.result.learner_record.as_ref().expect("a record").learning_event.iter();
    let own = events.filter(|event| event.awarding_organisation_ukprn.as_ref().is_some_and(|by| by.reveal() == "10088882"));
    let text =
        |value: &Option<lrs_gateway::domain::Personal<String>>| value.as_ref().map_or_else(String::new, |text| text.reveal().clone());
    own.map(|event| (text(&event.grade), text(&event.status))).collect()
}

#[tokio::test]
async fn every_achievement_is_judged_by_itself() {
    let mut asking = asking(0);
    let achievements = [
        achievement(json!({})),
        achievement(json!({"misIdentifier": "again, \"with\" the same"})),
        achievement(json!({"uln": "3000000258"})),
        achievement(json!({"familyName": "Smith"})),
        achievement(json!({"dateOfBirth": "2003-04-06"})),
        achievement(json!({"action": "UPDATE", "unitOrQualificationReferenceNumber": "600/9999/9", "misIdentifier": ""})),
    ];
    let email = EmailAddress::parse("results@mail.example.com").expect("an address");
    let codes = AchievementCodes::default();
    let submission = SubmitAchievementBatch { notify_email: Some(&email), ..batch(SubmissionType::Final, &achievements, &codes) };
    let submitted = asking.ask(&submission).await;
    assert_eq!(submitted.accepted_job_id(), Some(70_001));
    assert!(submitted.result.as_ref().and_then(|result| result.response_code.as_ref()).is_some_and(|code| code.matches("SIM-ACCEPTED")));
    let job = asking.ask(&GetAchievementBatch { job_id: 70_001 }).await.job.expect("it is told");
    assert_eq!(status(&job), Some(&AchievementJobStatus::Successful));
    let counts = [
        job.achievements_created,
        job.achievements_updated,
        job.achievements_withdrawn,
        job.achievements_reinstated,
        job.achievements_promoted_to_final,
        job.field_data_errors,
        job.learner_data_errors,
        job.business_rule_errors,
        job.number_of_records,
        job.successful_final_achievements,
        job.successful_provisional_achievements,
        job.job_id,
    ];
    assert_eq!(counts, [1, 0, 0, 0, 0, 0, 3, 2, 6, 1, 0, 70_001].map(Some));
    assert_eq!(job.percentage_successful_records.as_deref(), Some("16.66"));
    assert_eq!((job.r#type.as_deref(), job.filename.as_deref()), (Some("Final"), Some("SIM-70001.xml")));
    assert_eq!(job.user.as_ref().map(|user| user.reveal().as_str()), Some("j.bloggs"));
    assert!(job.start_date.is_some() && job.end_date.is_some() && job.submitted_date.is_some() && job.rejection_reason.is_none());
    let other = "the names or the date of birth do not match the ULN";
    let lines = [
        "RecordNumber,Uln,UnitOrQualificationReferenceNumber,MisIdentifier,Error".to_owned(),
        "2,3000000126,600/0000/9,\"again, \"\"with\"\" the same\",business rule: the achievement exists already".to_owned(),
        "3,3000000258,600/0000/9,CAND-1,learner data: no learner has this ULN".to_owned(),
        format!("4,3000000126,600/0000/9,CAND-1,learner data: {other}"),
        format!("5,3000000126,600/0000/9,CAND-1,learner data: {other}"),
        "6,3000000126,600/9999/9,,business rule: the achievement does not exist".to_owned(),
        String::new(),
    ];
    assert_eq!(job.achievement_batch_error_file.expect("a file").reveal(), &lines.join("\r\n"));
    assert_eq!(awards(&mut asking).await, [("Pass <*>".to_owned(), "F".to_owned())]);
}

#[tokio::test]
async fn an_achievement_is_created_promoted_updated_withdrawn_and_reinstated() {
    use SubmissionType::{Final, Provisional};
    let mut asking = asking(0);
    let event = |grade: &str, status: &str| vec![(grade.to_owned(), status.to_owned())];
    let steps: [(&str, SubmissionType, &str, &str, _); 11] = [
        ("CREATE", Provisional, "Pass", "created", event("Pass", "P")),
        ("CREATE", Provisional, "Merit", "refused", event("Pass", "P")),
        ("CREATE", Final, "Merit", "promoted", event("Merit", "F")),
        ("CREATE", Final, "Merit", "refused", event("Merit", "F")),
        ("UPDATE", Final, "Distinction", "updated", event("Distinction", "F")),
        ("REINSTATE", Final, "Pass", "refused", event("Distinction", "F")),
        ("WITHDRAW", Final, "Distinction", "withdrawn", Vec::new()),
        ("WITHDRAW", Final, "Distinction", "refused", Vec::new()),
        ("UPDATE", Final, "Distinction", "refused", Vec::new()),
        ("CREATE", Final, "Distinction", "refused", Vec::new()),
        ("REINSTATE", Final, "Distinction", "reinstated", event("Distinction", "F")),
    ];
    for (number, (action, submission_type, grade, done, events)) in steps.into_iter().enumerate() {
        let job = submit(&asking, submission_type, &[achievement(json!({"action": action, "grade": grade}))]).await;
        let counts = [
            ("created", job.achievements_created),
            ("promoted", job.achievements_promoted_to_final),
            ("updated", job.achievements_updated),
            ("withdrawn", job.achievements_withdrawn),
            ("reinstated", job.achievements_reinstated),
            ("refused", job.business_rule_errors),
        ];
        for (what, count) in counts {
            assert_eq!(count, Some(i32::from(what == done)), "step {number}, {action}: {what}");
        }
        // A batch of which nothing was taken has failed.
        let (expected, percentage) = match done {
            "refused" => (AchievementJobStatus::Failed, "0.00"),
            _ => (AchievementJobStatus::Successful, "100.00"),
        };
        assert_eq!(status(&job), Some(&expected), "step {number}");
        assert_eq!(job.percentage_successful_records.as_deref(), Some(percentage), "step {number}");
        assert_eq!((job.rejection_reason.is_some(), job.achievement_batch_error_file.is_some()), (done == "refused", done == "refused"));
        assert_eq!(awards(&mut asking).await, events, "step {number}");
    }
}

#[tokio::test]
async fn another_organisations_achievement_is_not_known() {
    let mut organisations = SimulatedOrganisation::demonstration();
    for organisation in &mut organisations {
        organisation.products = vec![Product::AchievementBatches];
    }
    let mut asking = Asking::with(&SimulatorSettings { job_seconds: 0, organisations, ..SimulatorSettings::default() });
    submit(&asking, SubmissionType::Final, &[achievement(json!({}))]).await;
    asking.actor = awarding();
    let job = asking.ask(&GetAchievementBatch { job_id: 70_001 }).await.job;
    assert_eq!(code_of(job.as_ref()), "WSRC0018");
    let withdrawal = achievement(json!({"action": "WITHDRAW"}));
    assert_eq!(submit(&asking, SubmissionType::Final, &[withdrawal]).await.business_rule_errors, Some(1));
}

#[tokio::test]
async fn a_record_with_an_unusable_field_is_refused_by_itself() {
    let asking = asking(0);
    let codes = AchievementCodes::default();
    let achievements = [achievement(json!({})), achievement(json!({"unitOrQualificationReferenceNumber": "600/0002/2"}))];
    let good = asking.message(&batch(SubmissionType::Final, &achievements, &codes));
    for (from, to) in [
        ("<svc:Action>1<", "<svc:Action>5<"),
        ("<svc:ProviderUkprn>10088881</svc:ProviderUkprn>", "<svc:ProviderUkprn></svc:ProviderUkprn>"),
        (">600/0000/9</svc:UnitOrQualificationReferenceNumber>", "> </svc:UnitOrQualificationReferenceNumber>"),
    ] {
        let submitted = asking.ask_with::<SubmitAchievementBatch<'_>>(good.replacen(from, to, 1)).await;
        let job = asking.ask(&GetAchievementBatch { job_id: submitted.accepted_job_id().expect("a job") }).await.job.expect("it is told");
        assert_eq!(job.field_data_errors, Some(1), "{to}");
    }
}

#[tokio::test]
async fn a_job_waits_then_is_in_progress_then_done() {
    let mut asking = asking(3600);
    let begun = Instant::now();
    let codes = AchievementCodes::default();
    let job_id = asking.ask(&batch(SubmissionType::Provisional, &[achievement(json!({}))], &codes)).await.accepted_job_id().expect("a job");
    let get = GetAchievementBatch { job_id };
    let waiting = asking.ask(&get).await.job.expect("it is told");
    assert_eq!(status(&waiting), Some(&AchievementJobStatus::Waiting));
    assert_eq!((waiting.number_of_records, waiting.r#type.as_deref(), waiting.achievements_created), (Some(1), Some("Provisional"), None));
    assert!(waiting.submitted_date.is_some() && waiting.start_date.is_none() && waiting.end_date.is_none());
    tokio::time::sleep(Duration::from_secs(1)).await;
    asking.lrs.simulator.set_job_duration(begun.elapsed() * 3 / 2);
    let working = asking.ask(&get).await.job.expect("it is told");
    assert_eq!(status(&working), Some(&AchievementJobStatus::InProgress));
    assert!(working.start_date.is_some() && working.end_date.is_none() && working.achievements_created.is_none());
    asking.lrs.simulator.set_job_duration(Duration::ZERO);
    let done = asking.ask(&get).await.job.expect("it is told");
    assert_eq!((status(&done), done.successful_provisional_achievements), (Some(&AchievementJobStatus::Successful), Some(1)));
    // Nobody else is told, nor of a job of another kind.
    asking.actor = provider();
    assert_eq!(code_of(asking.ask(&get).await.job.as_ref()), "WSRC0043");
    asking.actor = awarding();
    let unknown = asking.ask(&GetAchievementBatch { job_id: 800_001 }).await.job;
    assert_eq!((code_of(unknown.as_ref()), unknown.as_ref().and_then(|job| job.job_id)), ("WSRC0018", Some(0)));
    assert!(unknown.is_some_and(|job| job.status.is_none()));
}

fn code_of(job: Option<&AchievementJob>) -> &str {
    job.and_then(|job| job.response_code.as_deref()).unwrap_or_default()
}

fn refused(answer: &SubmitAchievementBatchResponse) -> &str {
    assert_eq!(answer.accepted_job_id(), None);
    answer.result.as_ref().and_then(|result| result.response_code.as_ref()).map_or("", |code| code.as_str())
}

#[tokio::test]
async fn who_may_not_submit_and_what_is_no_batch_is_told_with_a_code() {
    let mut asking = asking(0);
    let (codes, achievements) = (AchievementCodes::default(), [achievement(json!({}))]);
    let submission = batch(SubmissionType::Final, &achievements, &codes);
    for (sender, code) in [
        (actor("10088882", "NOBODY", "demo-password-02"), "WSEC0003"),
        (actor("10088882", "DEMO02", "demo-password-01"), "WSEC0005"),
        (provider(), "WSRC0043"),
    ] {
        asking.actor = sender;
        assert_eq!(refused(&asking.ask(&submission).await), code);
        assert_eq!(code_of(asking.ask(&GetAchievementBatch { job_id: 60_001 }).await.job.as_ref()), code);
    }
    asking.actor = awarding();
    let good = asking.message(&submission);
    let (start, rest) = good.split_once("<svc:Achievement>").expect("one");
    let end = rest.split_once("</svc:Achievement>").expect("one").1;
    for (message, code) in [
        (good.replace("<svc:submissionType>", "<svc:emailAddress>nobody</svc:emailAddress><svc:submissionType>"), "WSEC0044"),
        (good.replace(">Final<", ">FINAL<"), "WSEC0045"),
        (good.replace("<svc:submissionType>Final</svc:submissionType>", ""), "WSEC0045"),
        (format!("{start}{end}"), "WSEC0047"),
        (good.replace("<mod:OrganisationRef>DEMO02</mod:OrganisationRef>", ""), "WSEC0003"),
    ] {
        assert_eq!(refused(&asking.ask_with::<SubmitAchievementBatch<'_>>(message).await), code);
    }
    assert!(asking.lrs.simulator.jobs().is_empty());
}

#[tokio::test]
async fn ten_thousand_achievements_are_a_batch_and_one_more_is_not() {
    let asking = asking(0);
    let mut achievements: Vec<Achievement> =
        (0..10_001).map(|number| achievement(json!({"unitOrQualificationReferenceNumber": format!("U/{number}")}))).collect();
    let codes = AchievementCodes::default();
    assert_eq!(refused(&asking.ask(&batch(SubmissionType::Final, &achievements, &codes)).await), "WSEC0046");
    achievements.pop();
    let job = submit(&asking, SubmissionType::Final, &achievements).await;
    assert_eq!((job.achievements_created, job.number_of_records), (Some(10_000), Some(10_000)));
}

#[tokio::test]
async fn what_the_external_service_cannot_read_is_a_plain_fault() {
    let asking = asking(0);
    let (codes, achievements) = (AchievementCodes::default(), [achievement(json!({}))]);
    let good = asking.message(&batch(SubmissionType::Final, &achievements, &codes));
    let get = asking.message(&GetAchievementBatch { job_id: 60_001 });
    let mut invalid = Vec::new();
    for (message, from, to) in [
        (&good, "<svc:Action>1<", "<svc:Action>one<"),
        (&good, "<svc:Action>1<", "<svc:Action>9999999999<"),
        (&good, "<svc:Action>1</svc:Action>", ""),
        (&good, "<svc:Action>1<", "<svc:Action xsi:nil=\"true\"><"),
        (&good, ">2025-07-01T00:00:00<", ">2025-07-01<"),
        (&good, ">2025-07-01T00:00:00<", ">2025-02-29T00:00:00<"),
        (&good, ">2003-04-05T00:00:00<", "><"),
        (&good, "<svc:Gender>2<", "<svc:Gender>F<"),
        (&good, "<svc:GivenName>Ana</svc:GivenName>", ""),
        (&good, "<svc:Grade>", "<svc:Colour/><svc:Grade>"),
        (&good, "xmlns:mod=\"http://api.lrs.qcf.gov.uk/model\"", "xmlns:mod=\"urn:other\""),
        (&good, "<svc:submissionType>Final</svc:submissionType><svc:achievements>", "<svc:achievements>"),
        (&get, "<svc:jobId>60001<", "<svc:jobId>99999999999<"),
        (&get, "<svc:jobId>60001<", "<svc:jobId><"),
        (&get, "GetAchievementBatchJob", "GetAchievements"),
    ] {
        assert!(message.contains(from), "{from}");
        let message = message.replace(from, to);
        let (status, answer) = asking.send(Service::External, message.clone()).await.expect("an answer");
        // Without a submission type the message can be read, and has a code in its answer.
        if to == "<svc:achievements>" {
            assert!(status == 200 && answer.contains("WSEC0045"), "{answer}");
            continue;
        }
        assert!(
            status == 500 && answer.contains("<faultcode>soapenv:Client</faultcode>") && !answer.contains("<detail>"),
            "{to}: {answer}"
        );
        invalid.push((format!("deviation-{}", invalid.len()), message));
    }
    let Some(contract) = &asking.contract else { return };
    assert_eq!(contract.published(Service::External, &invalid).len(), invalid.len());
    // What the contract leaves out or lets be nil, the simulator does too.
    for (from, to) in [
        ("<svc:GivenName>Ana</svc:GivenName>", "<svc:GivenName xsi:nil=\"true\"/>"),
        ("<svc:Grade>Pass &lt;*&gt;</svc:Grade>", ""),
        (">2003-04-05T00:00:00<", ">2003-04-05T00:00:00.000+01:00<"),
        ("<svc:DateofBirth>2003-04-05T00:00:00</svc:DateofBirth>", "<svc:DateofBirth xsi:nil=\"true\"/>"),
    ] {
        assert!(good.contains(from), "{from}");
        let message = good.replace(from, to);
        contract.check_request(Service::External, &[("allowed".to_owned(), message.clone())]);
        assert!(asking.ask_with::<SubmitAchievementBatch<'_>>(message).await.accepted_job_id().is_some(), "{to}");
    }
}
