//! Verifying single learners.

use crate::api::extract::Body;
use crate::api::json::Json;
use crate::api::outcome::Outcome as _;
use crate::api::work::{LrsCall, ProblemOf};
use crate::app::State;
use crate::auth::Caller;
use crate::auth::scope::LearnersVerify;
use crate::domain::{Date, EXAMPLE_LEARNER, Extensible, Gender, LearnerVerification, Personal, Uln};
use crate::lrs::response_codes::LrsCode;
use crate::lrs::services::learner::{FailureFlag, VerifiedLearner};
use crate::schema::{Answer, CodeList};

/// Outcome of a verification.
// LRS-CONTRACT 3.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, CodeList)]
pub enum LearnerVerificationOutcome {
    /// All values match the record.
    #[code(lrs = "WSVRC001")]
    Match,
    /// All values match the record of a linked learner.
    #[code(lrs = "WSVRC002")]
    LinkedMatch,
    /// The names are similar to those in the record.
    #[code(lrs = "WSVRC003")]
    SimilarMatch,
    /// The names are similar to those in the record of a linked learner.
    #[code(lrs = "WSVRC004")]
    LinkedSimilarMatch,
    /// The values do not match the record of the ULN.
    #[code(lrs = "WSVRC005")]
    NoMatch,
    /// No learner has the ULN.
    #[code(lrs = "WSVRC006")]
    UlnNotFound,
    /// An undocumented code. The answer states it in `lrsCode`.
    #[code(other)]
    Other,
}

/// Result of a verification.
#[derive(Debug, Answer)]
#[answer(examples = EXAMPLE_LEARNER)]
pub struct LearnerVerificationResult {
    /// Outcome. Only `MATCH` and `LINKED_MATCH` confirm that the ULN belongs to the learner.
    pub outcome: LearnerVerificationOutcome,
    /// Code of the outcome, as returned by LRS.
    #[answer(example = "WSVRC001")]
    pub lrs_code: LrsCode,
    /// Comparisons that failed.
    pub failures: Vec<VerificationFailure>,
    /// ULN that LRS verified.
    pub searched_uln: Option<Extensible<Uln>>,
    /// Family name that LRS compared.
    #[answer(example = "O'Neill")]
    pub searched_family_name: Option<Personal<String>>,
    /// Given name that LRS compared.
    #[answer(example = "Ana")]
    pub searched_given_name: Option<Personal<String>>,
    /// Date of birth that LRS compared.
    pub searched_date_of_birth: Option<Extensible<Date>>,
    /// Gender that LRS compared.
    pub searched_gender: Option<Extensible<Gender>>,
    /// ULN of the record. If the ULN was merged into another, the ULN of the master record.
    pub uln: Option<Extensible<Uln>>,
    /// Family name in the record.
    pub family_name: Option<Personal<String>>,
    /// Given name in the record.
    pub given_name: Option<Personal<String>>,
    /// Date of birth in the record.
    pub date_of_birth: Option<Extensible<Date>>,
    /// Gender in the record.
    pub gender: Option<Extensible<Gender>>,
}

/// A comparison that failed.
#[derive(Debug, Answer)]
pub struct VerificationFailure {
    /// Name of the comparison in LRS: `VRF1` to `VRF8`.
    #[answer(example = "VRF1")]
    pub flag: Personal<String>,
    /// Field of the request. Absent if the flag is undocumented.
    #[answer(example = "givenName")]
    pub field: Option<String>,
    /// Field of the record that LRS compared it with. LRS also compares given names with family names, to detect swapped names.
    #[answer(example = "previousFamilyName")]
    pub compared_with: Option<String>,
}

/// The flags of failed comparisons, each with the field of the request and the field of the record (LRS-CONTRACT 3.3).
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

pub(crate) struct VerifyLearnerDocs;

/// Verify a learner
///
/// Compares a learner's details with the register, and returns no other fields of the record. LRS compares date of birth and gender only if
/// the request has them.
#[utoipa::path(post, path = "", impl_for = VerifyLearnerDocs,
    request_body(content_type = "application/json", example = json!({
        "uln": "3000000126", "givenName": "Anna", "familyName": "O'Neill", "dateOfBirth": "2003-04-05"
    })),
    responses(
        (status = 200, description = "Verification outcome, including no match.", body = LearnerVerificationResult, example = json!({
            "outcome": "SIMILAR_MATCH",
            "lrsCode": "WSVRC003",
            "failures": [{"flag": "VRF1", "field": "givenName", "comparedWith": "givenName"}],
            "searchedUln": "3000000126", "searchedFamilyName": "O'Neill", "searchedGivenName": "Anna", "searchedDateOfBirth": "2003-04-05"
        }))
    )
)]
pub async fn verify_learner(
    state: State,
    caller: Caller<LearnersVerify>,
    body: Body<LearnerVerification>,
) -> Result<Json<LearnerVerificationResult>, ProblemOf<LrsCall<LearnerVerification>>> {
    Ok(Json(state.lrs.call(&caller, &body.value).await?.verified_learner.0.into()))
}

impl From<VerifiedLearner> for LearnerVerificationResult {
    fn from(learner: VerifiedLearner) -> Self {
        // In batches, a result without a code is still useful.
        let code = learner.response_code.unwrap_or_else(|| LrsCode::new(""));
        Self {
            outcome: LearnerVerificationOutcome::from_code(&code),
            lrs_code: code,
            failures: learner.failure_flag.into_iter().filter(|flag| !flag.0.reveal().is_empty()).map(VerificationFailure::from).collect(),
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

impl From<FailureFlag> for VerificationFailure {
    fn from(FailureFlag(flag): FailureFlag) -> Self {
        let known = FLAGS.iter().find(|(name, ..)| name == flag.reveal());
        Self { field: known.map(|(_, field, _)| (*field).to_owned()), compared_with: known.map(|(.., with)| (*with).to_owned()), flag }
    }
}
