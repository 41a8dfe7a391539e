//! Looking up many ULNs.

use actix_web::post;
use actix_web::web::{Data, Json};

use crate::api::extract::Body;
use crate::auth::Caller;
use crate::auth::scope::LearnersRead;
use crate::domain::{Date, Extensible, Gender, Personal, RetrieveUlns, Uln};
use crate::lrs::Lrs;
use crate::lrs::codes::LrsCode;
use crate::lrs::services::learner::RetrievedUln;
use crate::problem::Problem;
use crate::problem::responses::Problems;
use crate::schema::answer;

answer! {
    /// What LRS holds under the ULNs.
    #[derive(Debug)]
    pub struct RetrieveUlnsResult {
        /// A row for each ULN that LRS has something to say about, in its order.
        pub learners: Vec<RetrievedLearner>,
    }
}

answer! {
    /// What LRS holds under a ULN.
    #[derive(Debug)]
    pub struct RetrievedLearner {
        /// The ULN. Absent where LRS names none beside its code.
        pub uln: Option<Extensible<Uln>>,
        /// ULN of the record it was merged into. Keep this one and remember the other.
        pub master_uln: Option<Extensible<Uln>>,
        /// LRS's code for this ULN. The codes are not public.
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
}

/// Look up many ULNs
///
/// Up to 200 at once: whose they are, and which were merged into others. LRS publishes this operation, but it is not among those it
/// approves interfaces for; LRS may refuse it to your organisation.
#[utoipa::path(
    operation_id = "retrieveUlns",
    tag = "Learners",
    security(("bearer" = ["learners:read"])),
    request_body(content = RetrieveUlns, example = json!({"ulns": ["3000000126", "3000000258"]})),
    responses(
        (status = 200, description = "What LRS holds.", body = RetrieveUlnsResult, example = json!({"learners": [{
            "uln": "3000000258", "masterUln": "3000000126", "familyName": "O'Neill", "givenName": "Ana", "dateOfBirth": "2003-04-05",
            "gender": "FEMALE"
        }]})),
        Problems
    )
)]
#[post("/learners/retrieve-ulns")]
pub async fn retrieve_ulns(
    caller: Caller<LearnersRead>,
    body: Body<RetrieveUlns>,
    lrs: Data<Lrs>,
) -> Result<Json<RetrieveUlnsResult>, Problem> {
    let answer = lrs.call(&caller, &body.value).await?;
    let rows = answer.retrieved_ulns.map(|list| list.0.verified_uln).unwrap_or_default();
    Ok(Json(RetrieveUlnsResult { learners: rows.into_iter().map(RetrievedLearner::from).collect() }))
}

impl From<RetrievedUln> for RetrievedLearner {
    fn from(row: RetrievedUln) -> Self {
        Self {
            uln: row.uln,
            master_uln: row.master_uln,
            lrs_code: row.response_code,
            family_name: row.family_name,
            given_name: row.given_name,
            date_of_birth: row.date_of_birth,
            gender: row.gender,
        }
    }
}
