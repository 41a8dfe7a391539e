//! Finding learners by ULN and by demographics.

use crate::api::extract::Body;
use crate::api::json::Json;
use crate::api::outcome::Outcome as _;
use crate::api::work::{LrsCall, ProblemOf};
use crate::app::State;
use crate::auth::scope::LearnersRead;
use crate::auth::{Caller, Search};
use crate::domain::{Date, DemographicSearch, EXAMPLE_LEARNER, Extensible, Gender, Learner, Personal, Uln, UlnSearch};
use crate::lrs::response_codes::LrsCode;
use crate::lrs::services::learner::FindLearnerResponse;
use crate::schema::{Answer, CodeList, FieldWarning, Warnings};

/// Outcome of a search.
// LRS-CONTRACT 3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, CodeList)]
pub enum LearnerSearchOutcome {
    /// No learner matches. The answer has none.
    #[code(lrs = "WSRC0001")]
    NoMatch,
    /// More learners match than LRS returns. The answer has none.
    #[code(lrs = "WSRC0002")]
    TooManyMatches,
    /// One or more learners may match. The answer has these candidates, from which a person must choose.
    #[code(lrs = "WSRC0003")]
    PossibleMatches,
    /// One learner matches, whom the answer has.
    #[code(lrs = "WSRC0004", example)]
    ExactMatch,
    /// One learner matches, whose record was merged into another. The answer has the learner with the master record.
    #[code(lrs = "WSRC0022")]
    LinkedLearner,
    /// An undocumented code. The answer states it in `lrsCode`.
    #[code(other)]
    Other,
}

/// Result of a search.
#[derive(Debug, Answer)]
pub struct LearnerSearchResult {
    /// Outcome of the search.
    pub outcome: LearnerSearchOutcome,
    /// Code of the outcome, as returned by LRS.
    #[answer(example = "WSRC0004")]
    pub lrs_code: LrsCode,
    /// Learners found. Empty if `findType` is `CHECK`.
    pub learners: Vec<Learner>,
    /// Search criteria as repeated by LRS.
    pub searched: SearchCriteria,
    /// Hints about texts of the request that look like other texts. Absent if there is none.
    pub warnings: Option<Vec<FieldWarning>>,
}

/// Search criteria as repeated by LRS. Criteria that were not used are absent.
#[derive(Debug, Answer)]
#[answer(examples = EXAMPLE_LEARNER)]
pub struct SearchCriteria {
    /// ULN.
    pub uln: Option<Extensible<Uln>>,
    /// Given name.
    pub given_name: Option<Personal<String>>,
    /// Family name.
    pub family_name: Option<Personal<String>>,
    /// Date of birth.
    pub date_of_birth: Option<Extensible<Date>>,
    /// Gender.
    pub gender: Option<Extensible<Gender>>,
    /// Postcode.
    pub last_known_post_code: Option<Personal<String>>,
    /// Previous family name.
    pub previous_family_name: Option<Personal<String>>,
    /// School at the age of 16.
    pub school_at_age16: Option<Personal<String>>,
    /// Place of birth.
    pub place_of_birth: Option<Personal<String>>,
    /// Email address.
    pub email_address: Option<Personal<String>>,
}

pub(crate) struct FindLearnerByUlnDocs;

/// Find a learner by ULN
///
/// Finds one learner whose ULN and names are known. If the ULN was merged into another, the outcome is `LINKED_LEARNER` and the answer
/// contains the master record: use the ULN of that record from now on, and keep the ULN that you searched for as its alias.
#[utoipa::path(post, path = "", impl_for = FindLearnerByUlnDocs,
    request_body(content_type = "application/json", example = json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"})),
    responses(
        (status = 200, description = "Search outcome, including no match.", body = LearnerSearchResult, example = json!({
            "outcome": "EXACT_MATCH",
            "lrsCode": "WSRC0004",
            "learners": [{
                "createdDate": "2019-09-02", "lastUpdatedDate": "2023-01-16", "uln": "3000000126", "givenName": "Ana",
                "familyName": "O'Neill", "lastKnownPostCode": "ZZ99 9ZZ", "dateOfBirth": "2003-04-05", "gender": "FEMALE",
                "verificationType": "PASSPORT", "tierLevel": "0", "abilityToShare": "SEEN_SHARE", "learnerStatus": "1",
                "linkedUlns": [], "versionNumber": 3
            }],
            "searched": {"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"}
        }))
    )
)]
pub async fn find_learner_by_uln(
    state: State,
    caller: Caller<LearnersRead>,
    body: Body<UlnSearch>,
) -> Result<Json<LearnerSearchResult>, ProblemOf<LrsCall<UlnSearch>>> {
    let response = state.lrs.call(&caller, &body.value).await?;
    Ok(Json(LearnerSearchResult::new(response, body.warnings)))
}

pub(crate) struct FindLearnersByDemographicsDocs;

/// Find learners by demographics
///
/// Searches the register by name, date of birth, gender and postcode. LRS ignores the space in postcodes, and also compares the given name
/// with the preferred given name. If more than ten learners match, the outcome is `TOO_MANY_MATCHES`: search with more details.
///
/// Candidates of `POSSIBLE_MATCHES` have `differences`: the searched fields whose values differ from those of the candidate, or that the
/// candidate lacks. Case, kinds of apostrophes and hyphens, and spaces make no difference; accents do. A person decides.
///
/// Search before you register: LRS registers a learner only after a recent search for the same learner.
///
/// It is not known whether LRS regards a typographic apostrophe as equal to a plain one. If the answer has `warnings`, search for the plain
/// text too.
#[utoipa::path(post, path = "", impl_for = FindLearnersByDemographicsDocs,
    request_body(content_type = "application/json", example = json!({
        "givenName": "Ana", "familyName": "O'Neill", "dateOfBirth": "2003-04-05", "gender": "FEMALE",
        "lastKnownPostCode": "ZZ99 9ZZ"
    })),
    responses(
        (status = 200, description = "Search outcome, including no match.", body = LearnerSearchResult, examples(
            ("noMatch" = (summary = "No learner matches", value = json!({
                "outcome": "NO_MATCH",
                "lrsCode": "WSRC0001",
                "learners": [],
                "searched": {
                    "givenName": "Ana", "familyName": "O'Neill", "dateOfBirth": "2003-04-05", "gender": "FEMALE",
                    "lastKnownPostCode": "ZZ99 9ZZ"
                }
            }))),
            ("possibleMatches" = (summary = "A person must decide", value = json!({
                "outcome": "POSSIBLE_MATCHES",
                "lrsCode": "WSRC0003",
                "learners": [{
                    "createdDate": "2019-09-02", "lastUpdatedDate": "2023-01-16", "uln": "3000000126", "givenName": "Ana",
                    "familyName": "O'Neill", "lastKnownPostCode": "ZZ1 1AA", "dateOfBirth": "2003-04-05", "gender": "FEMALE",
                    "verificationType": "PASSPORT", "tierLevel": "0", "abilityToShare": "SEEN_SHARE", "learnerStatus": "1",
                    "linkedUlns": [], "versionNumber": 3, "differences": ["lastKnownPostCode"]
                }],
                "searched": {
                    "givenName": "Ana", "familyName": "O'Neill", "dateOfBirth": "2003-04-05", "gender": "FEMALE",
                    "lastKnownPostCode": "ZZ99 9ZZ"
                }
            })))
        ))
    )
)]
pub async fn find_learners_by_demographics(
    state: State,
    caller: Caller<LearnersRead, Search>,
    body: Body<DemographicSearch>,
) -> Result<Json<LearnerSearchResult>, ProblemOf<LrsCall<DemographicSearch>>> {
    let response = state.lrs.call(&caller, &body.value).await?;
    Ok(Json(LearnerSearchResult::new(with_differences(response, &body.value), body.warnings)))
}

/// Returns the response with the differences between the search and each candidate, if it has candidates.
pub(super) fn with_differences(mut response: FindLearnerResponse, search: &DemographicSearch) -> FindLearnerResponse {
    if LearnerSearchOutcome::from_code(&response.response_code) == LearnerSearchOutcome::PossibleMatches {
        for candidate in &mut response.learner {
            candidate.differences = Some(search.differences(candidate));
        }
    }
    response
}

impl LearnerSearchResult {
    fn new(response: FindLearnerResponse, warnings: Warnings) -> Self {
        Self {
            outcome: LearnerSearchOutcome::from_code(&response.response_code),
            lrs_code: response.response_code,
            learners: response.learner,
            searched: SearchCriteria {
                uln: response.uln,
                given_name: response.given_name,
                family_name: response.family_name,
                date_of_birth: response.date_of_birth,
                gender: response.gender,
                last_known_post_code: response.last_known_post_code,
                previous_family_name: response.previous_family_name,
                school_at_age16: response.school_at_age16,
                place_of_birth: response.place_of_birth,
                email_address: response.email_address,
            },
            warnings: warnings.into_list(),
        }
    }
}
