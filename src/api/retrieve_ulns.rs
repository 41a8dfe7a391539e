//! Looking up many ULNs.

use crate::api::extract::Body;
use crate::api::json::Json;
use crate::api::work::{LrsCall, ProblemOf};
use crate::app::State;
use crate::auth::Caller;
use crate::auth::scope::UlnsRetrieve;
use crate::domain::{Date, EXAMPLE_LEARNER, Extensible, Gender, Personal, Uln, UlnRetrieval};
use crate::lrs::response_codes::LrsCode;
use crate::lrs::services::learner::RetrievedUln;
use crate::schema::Answer;

/// Records that LRS holds for the ULNs.
#[derive(Debug, Answer)]
pub struct UlnRetrievalResult {
    /// One entry for each ULN that LRS returned, in LRS's order.
    pub learners: Vec<RetrievedLearner>,
}

/// Record that LRS holds for a ULN.
#[derive(Debug, Answer)]
#[answer(examples = EXAMPLE_LEARNER)]
pub struct RetrievedLearner {
    /// ULN. Absent if LRS returned only a code.
    #[answer(example = "3000000258")]
    pub uln: Option<Extensible<Uln>>,
    /// ULN of the master record, if the ULN was merged into another. Use this ULN from now on, and keep the other as its alias.
    #[answer(example = "3000000126")]
    pub master_uln: Option<Extensible<Uln>>,
    /// Code for this ULN, as returned by LRS. These codes are not public.
    #[answer(example = "WSRC0022")]
    pub lrs_code: Option<LrsCode>,
    /// Family name.
    pub family_name: Option<Personal<String>>,
    /// Given name.
    pub given_name: Option<Personal<String>>,
    /// Date of birth.
    pub date_of_birth: Option<Extensible<Date>>,
    /// Gender.
    pub gender: Option<Extensible<Gender>>,
}

pub(crate) struct RetrieveUlnsDocs;

/// Look up many ULNs
///
/// Returns the learner of each ULN, for up to 200 ULNs, and states which ULNs were merged into others. LRS publishes this operation but does
/// not list it among those that it approves interfaces for, so LRS may refuse it to your organisation. It needs the product `retrieve-ulns`, which
/// the operator must list in the organisation's file.
#[utoipa::path(post, path = "", impl_for = RetrieveUlnsDocs,
    request_body(content_type = "application/json", example = json!({"ulns": ["3000000126", "3000000258"]})),
    responses(
        (status = 200, description = "Records that LRS holds for the ULNs.", body = UlnRetrievalResult, example = json!({"learners": [{
            "uln": "3000000258", "masterUln": "3000000126", "familyName": "O'Neill", "givenName": "Ana", "dateOfBirth": "2003-04-05",
            "gender": "FEMALE"
        }]}))
    )
)]
pub async fn retrieve_ulns(
    state: State,
    caller: Caller<UlnsRetrieve>,
    body: Body<UlnRetrieval>,
) -> Result<Json<UlnRetrievalResult>, ProblemOf<LrsCall<UlnRetrieval>>> {
    let response = state.lrs.call(&caller, &body.value).await?;
    let learners = response.retrieved_ulns.map(|list| list.0.verified_uln).unwrap_or_default();
    Ok(Json(UlnRetrievalResult { learners: learners.into_iter().map(RetrievedLearner::from).collect() }))
}

impl From<RetrievedUln> for RetrievedLearner {
    fn from(learner: RetrievedUln) -> Self {
        Self {
            uln: learner.uln,
            master_uln: learner.master_uln,
            lrs_code: learner.response_code,
            family_name: learner.family_name,
            given_name: learner.given_name,
            date_of_birth: learner.date_of_birth,
            gender: learner.gender,
        }
    }
}
