//! The simulator's portal jobs: jobs that were not submitted through its web services.

use lrs_gateway::domain::JobType;
use lrs_gateway::lrs::response_codes::LrsCode;
use lrs_gateway::lrs::services::external::GetAchievementJob;
use lrs_gateway::lrs::services::learner::{GetRegistrationJob, GetVerificationJob, SubmitRegistrationJob};
use lrs_gateway::schema::deserialize::from_toml;
use lrs_gateway::simulator::SimulatorSettings;

use super::{SoapClient, awarding_context, has_code, learners, packed_learners};

/// A portal job in the simulator's settings.
const PORTAL_JOB: &str = "[[portal_jobs]]\njob_id = 900001\norganisation = \"10088881\"\nkind = \"registration-batches\"\n\
    [[portal_jobs.learners]]\ngiven_name = \"Ana\"\nfamily_name = \"O'Neill\"\n";

/// Reads settings with these portal jobs and no invented learners.
fn settings_with(portal_jobs: &str) -> Result<SimulatorSettings, String> {
    let document = format!("invented_learners = 0\n{portal_jobs}").parse().expect("the settings are TOML");
    from_toml::<SimulatorSettings>(document).map_err(|errors| format!("{errors:?}"))
}

#[tokio::test]
async fn portal_jobs_of_the_demonstration_are_done_at_once() {
    let mut client = SoapClient::new(3600);

    let output = client.call(&GetRegistrationJob { job_id: 800_001 }).await;
    let codes: Vec<_> = output.learner.iter().filter_map(|learner| learner.return_code.as_deref()).collect();
    assert!(has_code(&output, "WSRC0009"));
    assert_eq!(codes, ["SIM-EXISTS", "SIM-POSSIBLE", "RC006"]);

    let output = client.call(&GetVerificationJob { job_id: 800_002 }).await;
    let codes: Vec<_> = output.verified_learner.iter().map(|learner| learner.response_code.as_ref().map_or("", LrsCode::as_str)).collect();
    assert_eq!(codes, ["WSVRC001", "WSVRC003"]);

    client.request_context = awarding_context();
    let job = client.call(&GetAchievementJob { job_id: 60_001 }).await.job.expect("the response has the job");
    assert_eq!((job.achievements_created, job.business_rule_errors, job.learner_data_errors), (Some(1), Some(1), Some(0)));
    assert!(job.user.is_none() && job.start_date == job.end_date);

    assert!(client.lrs.simulator.jobs().is_empty(), "portal jobs are not submissions");
}

#[tokio::test]
async fn ids_of_portal_jobs_are_not_given_to_submitted_jobs() {
    let client = SoapClient::with(&settings_with(PORTAL_JOB).expect("the settings are valid"));
    let submitted = client.call(&SubmitRegistrationJob { job_type: JobType::Full, learners: &packed_learners(&learners()) }).await;
    assert_eq!(submitted.accepted_job_id(), Some(900_002));
    assert!(has_code(&client.call(&GetRegistrationJob { job_id: 900_001 }).await, "WSRC0009"));
}

#[test]
fn portal_jobs_with_contradictory_settings_are_rejected() {
    for (portal_jobs, expected) in [
        (PORTAL_JOB.replace("900001", "0"), "1 or more"),
        (PORTAL_JOB.replace("registration-batches", "uln-management"), "kind must be"),
        (PORTAL_JOB.replace("registration-batches", "verification-batches"), "the uln of every learner"),
        (PORTAL_JOB.replace("registration-batches", "achievement-batches"), "must have achievements"),
        (PORTAL_JOB.repeat(2), "job 900001: job_id belongs to another job"),
    ] {
        let settings = settings_with(&portal_jobs).expect("each setting on its own is valid");
        let error = settings.build_simulator().expect_err(expected);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn portal_job_with_an_unknown_setting_is_rejected() {
    assert!(settings_with(PORTAL_JOB).is_ok());
    assert!(settings_with(&PORTAL_JOB.replace("given_name", "first_name")).is_err());
}
