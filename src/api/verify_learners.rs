//! Verifying learners.

use actix_web::post;
use actix_web::web::{Data, Json};

use crate::api::extract::Body;
use crate::api::outcome::outcomes;
use crate::auth::Caller;
use crate::auth::scope::LearnersVerify;
use crate::domain::{Date, Extensible, Gender, Personal, Uln, VerifyLearner};
use crate::lrs::Lrs;
use crate::lrs::codes::LrsCode;
use crate::lrs::services::learner::{FailureFlag, VerifiedLearner};
use crate::problem::Problem;
use crate::problem::responses::Problems;
use crate::schema::answer;

outcomes! {
    /// What verifying came to (FACTS 3.5).
    VerifyOutcome {
        /// Every value is LRS's.
        Match = "MATCH" <- "WSVRC001",
        /// Every value is LRS's, and the record is a linked learner's.
        LinkedMatch = "LINKED_MATCH" <- "WSVRC002",
        /// The names are similar.
        SimilarMatch = "SIMILAR_MATCH" <- "WSVRC003",
        /// The names are similar to a linked learner's.
        LinkedSimilarMatch = "LINKED_SIMILAR_MATCH" <- "WSVRC004",
        /// The ULN is somebody else's.
        NoMatch = "NO_MATCH" <- "WSVRC005",
        /// Nobody has the ULN.
        UlnNotFound = "ULN_NOT_FOUND" <- "WSVRC006",
    }
}

answer! {
    /// What verifying came to.
    #[derive(Debug)]
    pub struct VerifyResult {
        /// What verifying came to. Only `MATCH` and `LINKED_MATCH` say that the learner is who the ULN says.
        pub outcome: VerifyOutcome,
        /// LRS's code for it, as it came.
        pub lrs_code: LrsCode,
        /// The comparisons that failed.
        pub failures: Vec<VerifyFailure>,
        /// ULN that was verified.
        pub searched_uln: Option<Extensible<Uln>>,
        /// Family name that was compared.
        pub searched_family_name: Option<Personal<String>>,
        /// Given name that was compared.
        pub searched_given_name: Option<Personal<String>>,
        /// Date of birth that was compared.
        pub searched_date_of_birth: Option<Extensible<Date>>,
        /// Gender that was compared.
        pub searched_gender: Option<Extensible<Gender>>,
        /// ULN at LRS: of the master record, if the ULN was merged into another.
        pub uln: Option<Extensible<Uln>>,
        /// Family name at LRS.
        pub family_name: Option<Personal<String>>,
        /// Given name at LRS.
        pub given_name: Option<Personal<String>>,
        /// Date of birth at LRS.
        pub date_of_birth: Option<Extensible<Date>>,
        /// Gender at LRS.
        pub gender: Option<Extensible<Gender>>,
    }
}

answer! {
    /// A comparison that failed.
    #[derive(Debug)]
    pub struct VerifyFailure {
        /// LRS's name for it: `VRF1` to `VRF8`.
        pub flag: Personal<String>,
        /// Field of the request. Absent for a flag that is not documented.
        pub field: Option<String>,
        /// Field of the LRS record it was compared with. LRS also compares names crosswise, to notice swapped ones.
        pub compared_with: Option<String>,
    }
}

/// LRS's flags: field of the request, field of the record (FACTS 3.5).
const FLAGS: [(&str, &str, &str); 8] = [
    ("VRF1", "givenName", "givenName"),
    ("VRF2", "givenName", "familyName"),
    ("VRF3", "givenName", "previousFamilyName"),
    ("VRF4", "familyName", "givenName"),
    ("VRF5", "familyName", "familyName"),
    ("VRF6", "familyName", "previousFamilyName"),
    ("VRF7", "dateOfBirth", "dateOfBirth"),
    ("VRF8", "gender", "gender"),
];

/// Verify a learner
///
/// Compares what is known of a learner with the register, without showing more of the record. Date of birth and gender are compared
/// only if they are given.
#[utoipa::path(
    operation_id = "verifyLearner",
    tag = "Learners",
    security(("bearer" = ["learners:verify"])),
    request_body(content = VerifyLearner, example = json!({
        "uln": "3000000126", "givenName": "Anna", "familyName": "O'Neill", "dateOfBirth": "2003-04-05"
    })),
    responses(
        (status = 200, description = "What verifying came to.", body = VerifyResult, example = json!({
            "outcome": "SIMILAR_MATCH",
            "lrsCode": "WSVRC003",
            "failures": [{"flag": "VRF1", "field": "givenName", "comparedWith": "givenName"}],
            "searchedUln": "3000000126", "searchedFamilyName": "O'Neill", "searchedGivenName": "Anna", "searchedDateOfBirth": "2003-04-05"
        })),
        Problems
    )
)]
#[post("/learners/verify")]
pub async fn verify_learner(
    caller: Caller<LearnersVerify>,
    body: Body<VerifyLearner>,
    lrs: Data<Lrs>,
) -> Result<Json<VerifyResult>, Problem> {
    Ok(Json(lrs.call(&caller, &body.value).await?.verified_learner.0.into()))
}

impl From<VerifiedLearner> for VerifyResult {
    fn from(learner: VerifiedLearner) -> Self {
        // In batches, what has no code is of use all the same.
        let code = learner.response_code.unwrap_or_else(|| LrsCode::new(""));
        Self {
            outcome: VerifyOutcome::of(&code),
            lrs_code: code,
            failures: learner.failure_flag.into_iter().filter(|flag| !flag.0.reveal().is_empty()).map(VerifyFailure::from).collect(),
            searched_uln: learner.searched_uln,
            searched_family_name: learner.searched_family_name,
            searched_given_name: learner.searched_given_name,
            searched_date_of_birth: learner.searched_date_of_birth,
            searched_gender: learner.searched_gender,
            uln: learner.uln,
            family_name: learner.family_name,
            given_name: learner.given_name,
            date_of_birth: learner.date_of_birth,
            gender: learner.gender,
        }
    }
}

impl From<FailureFlag> for VerifyFailure {
    fn from(FailureFlag(flag): FailureFlag) -> Self {
        let known = FLAGS.iter().find(|(name, ..)| name == flag.reveal());
        Self { field: known.map(|(_, field, _)| (*field).to_owned()), compared_with: known.map(|(.., with)| (*with).to_owned()), flag }
    }
}
