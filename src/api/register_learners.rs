//! Registering and updating learners.

use actix_web::web::Data;
use actix_web::{HttpResponse, post};

use crate::api::extract::Body;
use crate::api::extract::idempotency::{IdempotencyKey, IdempotencyKeyParameter, WorkId};
use crate::api::find_learners::FindOutcome;
use crate::api::outcome::outcomes;
use crate::auth::Caller;
use crate::auth::scope::LearnersWrite;
use crate::domain::{Extensible, FindByDemographics, FindByUln, FindType, RegisterLearner, Uln, UpdateLearner};
use crate::lrs::codes::{LrsCode, Rejection};
use crate::lrs::{CallError, Lrs, LrsError};
use crate::organisations::RequestContext;
use crate::problem::responses::WriteProblems;
use crate::problem::{Code, Problem};
use crate::schema::answer;

outcomes! {
    /// What registering came to (FACTS 2.5).
    RegisterOutcome {
        /// There is a new ULN.
        Registered = "REGISTERED" <- "WSRC0005",
    }
}

outcomes! {
    /// What updating came to (FACTS 2.6).
    UpdateOutcome {
        /// LRS holds the new record.
        Updated = "UPDATED" <- "WSRC0006",
        /// LRS held the same record already.
        NoChanges = "NO_CHANGES" <- "WSRC0020",
    }
}

answer! {
    /// What registering came to.
    #[derive(Debug)]
    pub struct RegisterResult {
        /// What registering came to.
        pub outcome: RegisterOutcome,
        /// LRS's code for it, as it came.
        pub lrs_code: LrsCode,
        /// The learner's new ULN.
        pub uln: Option<Extensible<Uln>>,
    }
}

answer! {
    /// What updating came to.
    #[derive(Debug)]
    pub struct UpdateResult {
        /// What updating came to.
        pub outcome: UpdateOutcome,
        /// LRS's code for it, as it came.
        pub lrs_code: LrsCode,
    }
}

/// Register a learner
///
/// Gives a learner a ULN. LRS registers only after a recent search by demographics that found nobody (or candidates whom a
/// person has rejected), and refuses a learner with the same names, date of birth, gender and postcode as another: both are
/// `learner_not_registered`. `POST /v1/learners/obtain-uln` searches and registers in one call.
///
/// LRS is asked once. When its answer does not come through, the problem says `outcomeUnknown`: search before you try again; or, if you
/// gave an `Idempotency-Key`, send the request again with it. The gateway searches then: it gives you the ULN if the learner was
/// registered (`lrsCode` is the search's), registers the learner if not, and leaves it to a person if there are candidates.
#[utoipa::path(
    operation_id = "registerLearner",
    tag = "Learners",
    security(("bearer" = ["learners:write"])),
    params(IdempotencyKeyParameter),
    request_body(content = RegisterLearner, example = json!({"learner": {
        "givenName": "Gwenllian", "familyName": "Ó Briain-Price", "dateOfBirth": "2005-07-21", "gender": "FEMALE",
        "lastKnownPostCode": "ZZ7 7JJ", "verificationType": "PASSPORT", "abilityToShare": "SEEN_SHARE"
    }})),
    responses(
        (status = 201, description = "The learner is registered.", body = RegisterResult,
            headers(("Idempotency-Replayed" = bool, description = "`true`: this answer was given before.")), example = json!({
            "outcome": "REGISTERED", "lrsCode": "WSRC0005", "uln": "3000000258"
        })),
        (status = 200, description = "LRS answered with a code that is not documented.", body = RegisterResult,
            headers(("Idempotency-Replayed" = bool, description = "`true`: this answer was given before.")), example = json!({
            "outcome": "OTHER", "lrsCode": "WSRC0999"
        })),
        WriteProblems
    )
)]
#[post("/learners/register")]
pub async fn register_learner(
    caller: Caller<LearnersWrite>,
    body: Body<RegisterLearner>,
    once: IdempotencyKey,
    lrs: Data<Lrs>,
) -> Result<HttpResponse, Problem> {
    let (actor, Body { value: registration, digest }) = (caller.context().clone(), body);
    let work = async move |attempt: WorkId| {
        if attempt.again
            && let Some(found) = find_registered(&lrs, &actor, &registration).await?
        {
            return Ok(HttpResponse::Created().json(found));
        }
        let answer = lrs.call(&actor, &registration).await?;
        let outcome = RegisterOutcome::of(&answer.response_code);
        let result = RegisterResult { outcome, lrs_code: answer.response_code, uln: answer.uln };
        Ok(match outcome {
            RegisterOutcome::Registered => HttpResponse::Created().json(result),
            RegisterOutcome::Other => HttpResponse::Ok().json(result),
        })
    };
    once.run("registerLearner", &caller, digest, work).await
}

/// Was the learner registered, when nobody knows? `None`: there is nobody like this.
async fn find_registered(lrs: &Lrs, actor: &RequestContext, registration: &RegisterLearner) -> Result<Option<RegisterResult>, Problem> {
    let found = lrs.call(actor, &FindByDemographics::from(&registration.learner)).await?;
    match FindOutcome::of(&found.response_code) {
        FindOutcome::NoMatch => Ok(None),
        FindOutcome::ExactMatch | FindOutcome::LinkedLearner => {
            let uln = found.learner.into_iter().next().map(|learner| learner.uln);
            Ok(Some(RegisterResult { outcome: RegisterOutcome::Registered, lrs_code: found.response_code, uln }))
        }
        FindOutcome::PossibleMatches | FindOutcome::TooManyMatches | FindOutcome::Other => {
            let detail = "It is not known whether the learner was registered before, and now there are candidates: search by \
                demographics, and let a person decide.";
            Err(Problem::new(Code::LearnerNotRegistered).detail(detail))
        }
    }
}

/// Update a learner
///
/// Replaces a learner's whole record. Whether LRS keeps or clears what is left out is not known, so:
///
/// 1. read the record (`POST /v1/learners/find-by-uln`, `findType` `FULL`) and keep its `versionNumber`;
/// 2. merge your changes into all the fields that were read, without those that are LRS's own: `uln`, `versionNumber`,
///    `createdDate`, `lastUpdatedDate`, `masterSubstituted`, `tierLevel`, `learnerStatus`, `linkedUlns`;
/// 3. send everything as `learner`, beside the `uln` and that `versionNumber`.
///
/// If somebody changed the record in between, LRS refuses it and the answer is 409 `stale_version`: begin again at 1.
///
/// LRS is asked once. When its answer does not come through, the problem says `outcomeUnknown`: read the record to see; or, if you gave
/// an `Idempotency-Key`, send the request again with it. If LRS has changed the record meanwhile and it is as you sent it, the outcome
/// is `UPDATED` (`lrsCode` is LRS's refusal of the second update).
#[utoipa::path(
    operation_id = "updateLearner",
    tag = "Learners",
    security(("bearer" = ["learners:write"])),
    params(IdempotencyKeyParameter),
    request_body(content = UpdateLearner, example = json!({"uln": "3000000126", "versionNumber": 1, "learner": {
        "givenName": "Ana", "familyName": "O'Neill-Rees", "previousFamilyName": "O'Neill", "dateOfBirth": "2003-04-05",
        "gender": "FEMALE", "lastKnownPostCode": "ZZ99 9ZZ", "verificationType": "OTHER",
        "otherVerificationDescription": "Student card", "abilityToShare": "SEEN_SHARE"
    }})),
    responses(
        (status = 200, description = "The record is as it was sent, or LRS answered with a code that is not documented.", body = UpdateResult,
            headers(("Idempotency-Replayed" = bool, description = "`true`: this answer was given before.")),
            example = json!({"outcome": "UPDATED", "lrsCode": "WSRC0006"})),
        WriteProblems
    )
)]
#[post("/learners/update")]
pub async fn update_learner(
    caller: Caller<LearnersWrite>,
    body: Body<UpdateLearner>,
    once: IdempotencyKey,
    lrs: Data<Lrs>,
) -> Result<HttpResponse, Problem> {
    let (actor, Body { value: update, digest }) = (caller.context().clone(), body);
    let work = async move |attempt: WorkId| {
        let done = match lrs.call(&actor, &update).await {
            Err(CallError { error: LrsError::Refused(Rejection::StaleVersion, code), .. })
                if attempt.again && is_updated(&lrs, &actor, &update).await? =>
            {
                UpdateResult { outcome: UpdateOutcome::Updated, lrs_code: code }
            }
            answer => {
                let code = answer?.response_code;
                UpdateResult { outcome: UpdateOutcome::of(&code), lrs_code: code }
            }
        };
        Ok(HttpResponse::Ok().json(done))
    };
    once.run("updateLearner", &caller, digest, work).await
}

/// Is the record as it should have become, when nobody knows whether it did?
async fn is_updated(lrs: &Lrs, actor: &RequestContext, update: &UpdateLearner) -> Result<bool, Problem> {
    let (uln, learner) = (update.uln.clone(), &update.learner);
    let (given_name, family_name) = (learner.given_name.clone(), learner.family_name.clone());
    let found = lrs.call(actor, &FindByUln { uln, given_name, family_name, find_type: FindType::Full }).await?;
    Ok(found.learner.first().is_some_and(|found| found.is(learner)))
}
