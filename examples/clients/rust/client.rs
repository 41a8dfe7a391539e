//! Calls the gateway with the client that progenitor generates.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use futures::TryStreamExt as _;
use reqwest::header::{AUTHORIZATION, HeaderMap};

use lrs_gateway::types::{AbilityToShare, BatchLearner, Gender, JobType, LearnerDetails, Problem, RegistrationBatch, UlnRequest};
use lrs_gateway::types::{UlnSearch, VerificationType};
use lrs_gateway::{ByteStream, Client, Error};

mod lrs_gateway {
    progenitor::generate_api!(spec = "lrs-gateway.json", interface = Builder);
}

const ANA: &str = "3000000126";
const ANA_MISTYPED: &str = "3000000127";

// [connect]
fn connect(url_variable: &str) -> Result<Client> {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, format!("Bearer {}", std::env::var("LRS_GATEWAY_TOKEN")?).parse()?);
    let http = reqwest::Client::builder().default_headers(headers).build()?;
    Ok(Client::new_with_client(&std::env::var(url_variable)?, http))
}
// [end]

// [findLearnerByUln]
fn search(uln: &str) -> Result<UlnSearch> {
    Ok(UlnSearch::builder().uln(uln).given_name("Ana").family_name("O'Neill").try_into()?)
}
// [end]

// [problem]
/// Returns the status and the problem with which the gateway answered a call. progenitor leaves `application/problem+json` as bytes.
async fn problem_of<T>(answer: Result<T, Error<ByteStream>>) -> Result<(u16, Problem)> {
    match answer {
        Err(Error::ErrorResponse(refused)) => {
            let status = refused.status().as_u16();
            let body: Vec<_> = refused.into_inner().into_inner().try_collect().await?;
            Ok((status, serde_json::from_slice(&body.concat())?))
        }
        Err(error) => Err(anyhow!("no problem, but: {error}")),
        Ok(_) => Err(anyhow!("no problem")),
// [end]
    }
}

async fn exact_match(gateway: &Client) -> Result<()> {
    // [findLearnerByUln]
    let found = gateway.find_learner_by_uln().body(search(ANA)?).send().await?;
    ensure!(found.outcome.as_str() == "EXACT_MATCH");
    ensure!(found.learners[0].uln == ANA);
    ensure!(found.learners[0].date_of_birth.as_deref() == Some("2003-04-05"));
    // [end]
    Ok(())
}

async fn problem(gateway: &Client) -> Result<()> {
    // [problem]
    let (status, problem) = problem_of(gateway.find_learner_by_uln().body(search(ANA_MISTYPED)?).send().await).await?;
    ensure!(status == 422);
    ensure!(problem.code.as_str() == "validation_failed");
    ensure!(problem.errors[0].pointer == "/uln");
    // [end]
    Ok(())
}

async fn obtain_uln(gateway: &Client) -> Result<()> {
    // [obtainUln]
    let learner = LearnerDetails::builder()
        .given_name("Gwenllian")
        .family_name("Ó Briain-Price")
        .date_of_birth(chrono::NaiveDate::from_ymd_opt(2005, 7, 21).ok_or_else(|| anyhow!("no date"))?)
        .gender(Gender::Female)
        .last_known_post_code("ZZ7 7JJ")
        .verification_type(VerificationType::Passport)
        .ability_to_share(AbilityToShare::SeenShare);
    let registration: UlnRequest = UlnRequest::builder().learner(learner).try_into()?;
    // One key per learner to register. Send it again with each repetition: the learner is registered once.
    let key = uuid::Uuid::new_v4().to_string();
    let first = gateway.obtain_uln().idempotency_key(key.as_str()).body(registration.clone()).send().await?;
    let second = gateway.obtain_uln().idempotency_key(key.as_str()).body(registration).send().await?;
    ensure!(first.outcome.as_str() == "REGISTERED");
    ensure!(first.uln.as_ref().is_some_and(|uln| uln.len() == 10));
    ensure!(second.uln == first.uln);
    ensure!(second.headers().get("Idempotency-Replayed").is_some_and(|value| value == "true"));
    // [end]
    Ok(())
}

async fn registration_batch(gateway: &Client) -> Result<()> {
    // [submitRegistrationBatch, getRegistrationBatch]
    let complete = |given_name: &str| {
        BatchLearner::builder()
            .mis_identifier(format!("A-{given_name}").parse().ok())
            .given_name(given_name)
            .family_name("Ap Gwilym")
            .date_of_birth(chrono::NaiveDate::from_ymd_opt(2006, 1, 2))
            .gender(Gender::Male)
            .last_known_post_code("ZZ8 8BB".parse().ok())
            .verification_type(VerificationType::Passport)
            .ability_to_share(AbilityToShare::SeenShare)
            .try_into()
    };
    let incomplete = BatchLearner::builder().given_name("Rhys").family_name("Ap Hywel").try_into()?;
    let learners: Vec<BatchLearner> = vec![complete("Iolo")?, complete("Emrys")?, incomplete];
    let submission: RegistrationBatch = RegistrationBatch::builder().job_type(JobType::Full).learners(learners).try_into()?;
    // One key per submission. Send it again with each repetition: the batch is submitted once.
    let key = uuid::Uuid::new_v4().to_string();
    let mut batch = gateway.submit_registration_batch().idempotency_key(key).body(submission).send().await?.into_inner();
    while let Some(seconds) = batch.retry_after_seconds {
        tokio::time::sleep(Duration::from_secs(seconds.try_into()?)).await;
        batch = gateway.get_registration_batch().batch_id(batch.batch_id.as_str()).send().await?.into_inner();
    }
    ensure!(batch.status.as_str() == "COMPLETE");
    // [end]
    // [getRegistrationBatchResults]
    let page = gateway.get_registration_batch_results().batch_id(batch.batch_id.as_str()).send().await?;
    let outcomes: Vec<_> = page.results.iter().map(|result| result.outcome.as_str()).collect();
    ensure!(outcomes == ["ULN_RETURNED", "ULN_RETURNED", "EXCEPTION"]);
    ensure!(page.results[0].uln.as_ref().is_some_and(|uln| uln.len() == 10));
    // LRS needs more data about Rhys than the names.
    ensure!(page.results[2].lrs_code.as_deref() == Some("RC006"));
    // [end]
    Ok(())
}

async fn newer_answers(gateway: &Client) -> Result<()> {
    let found = gateway.find_learner_by_uln().body(search(ANA)?).send().await?;
    ensure!(found.outcome.as_str() == "MATCHED_IN_A_NEW_WAY");
    ensure!(found.learners[0].gender.as_ref().is_some_and(|gender| gender.as_str() == "MATCHED_IN_A_NEW_WAY"));
    ensure!(found.learners[0].uln == ANA);
    let (_, problem) = problem_of(gateway.find_learner_by_uln().body(search(ANA_MISTYPED)?).send().await).await?;
    ensure!(problem.code.as_str() == "a_new_problem");
    ensure!(problem.errors[0].pointer == "/uln");
    let batches = gateway.list_registration_batches().send().await?;
    let batch = gateway.get_registration_batch().batch_id(batches.batches[0].batch_id.as_str()).send().await?;
    ensure!(batch.status.as_str() == "A_NEW_STATUS");
    ensure!(batch.parts[0].status.as_str() == "A_NEW_STATUS");
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let gateway = connect("LRS_GATEWAY_URL")?;
    // The same gateway, as a later version of it might answer.
    let newer_gateway = connect("LRS_NEWER_GATEWAY_URL")?;
    let results = [
        ("exact match", exact_match(&gateway).await),
        ("problem", problem(&gateway).await),
        ("obtain ULN", obtain_uln(&gateway).await),
        ("registration batch", registration_batch(&gateway).await),
        ("newer answers", newer_answers(&newer_gateway).await),
    ];
    for (name, result) in &results {
        match result {
            Ok(()) => println!("ok: {name}"),
            Err(error) => println!("FAILED: {name}: {error}"),
        }
    }
    Ok(if results.iter().all(|(_, result)| result.is_ok()) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
