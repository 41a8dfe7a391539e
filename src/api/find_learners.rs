//! Finding learners.

use actix_web::post;
use actix_web::web::{Data, Json};

use crate::api::extract::Body;
use crate::api::outcome::outcomes;
use crate::auth::Caller;
use crate::auth::scope::LearnersRead;
use crate::domain::{Date, Extensible, FindByDemographics, FindByUln, Gender, Learner, Personal, Uln};
use crate::lrs::Lrs;
use crate::lrs::codes::LrsCode;
use crate::lrs::services::learner::FindLearnerResponse;
use crate::problem::Problem;
use crate::problem::responses::Problems;
use crate::schema::answer;

outcomes! {
    /// What a search came to (FACTS 3.1).
    FindOutcome {
        /// Nobody.
        NoMatch = "NO_MATCH" <- "WSRC0001",
        /// More than LRS shows.
        TooManyMatches = "TOO_MANY_MATCHES" <- "WSRC0002",
        /// Somebody who may be the one: a person must decide.
        PossibleMatches = "POSSIBLE_MATCHES" <- "WSRC0003",
        /// The one.
        ExactMatch = "EXACT_MATCH" <- "WSRC0004",
        /// The one, whose record was merged into another.
        LinkedLearner = "LINKED_LEARNER" <- "WSRC0022",
    }
}

answer! {
    /// What a search came to.
    #[derive(Debug)]
    pub struct FindResult {
        /// What the search came to. `EXACT_MATCH` and `LINKED_LEARNER` come with one learner, `POSSIBLE_MATCHES` with
        /// candidates among whom a person must choose, `NO_MATCH` and `TOO_MANY_MATCHES` with none.
        pub outcome: FindOutcome,
        /// LRS's code for it, as it came.
        pub lrs_code: LrsCode,
        /// The learners found. Empty for a search with `findType` `CHECK`.
        pub learners: Vec<Learner>,
        /// The search as LRS understood it.
        pub searched: SearchedFor,
    }
}

answer! {
    /// A search as LRS repeats it. Fields that were not searched for are absent.
    #[derive(Debug)]
    pub struct SearchedFor {
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
        /// E-mail address.
        pub email_address: Option<Personal<String>>,
    }
}

/// Find a learner by ULN
///
/// Looks up one learner whose ULN and names are known. A ULN that was merged into another answers with the master record
/// and the outcome `LINKED_LEARNER`: keep that record's ULN and remember the one that was asked for.
#[utoipa::path(
    operation_id = "findLearnerByUln",
    tag = "Learners",
    security(("bearer" = ["learners:read"])),
    request_body(content = FindByUln, example = json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"})),
    responses(
        (status = 200, description = "What the search came to. No match is an answer too.", body = FindResult, example = json!({
            "outcome": "EXACT_MATCH",
            "lrsCode": "WSRC0004",
            "learners": [{
                "createdDate": "2019-09-02", "lastUpdatedDate": "2023-01-16", "uln": "3000000126", "givenName": "Ana",
                "familyName": "O'Neill", "lastKnownPostCode": "ZZ99 9ZZ", "dateOfBirth": "2003-04-05", "gender": "FEMALE",
                "verificationType": "PASSPORT", "tierLevel": "0", "abilityToShare": "SEEN_SHARE", "learnerStatus": "1",
                "linkedUlns": [], "versionNumber": 3
            }],
            "searched": {"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"}
        })),
        Problems
    )
)]
#[post("/learners/find-by-uln")]
pub async fn find_learner_by_uln(caller: Caller<LearnersRead>, body: Body<FindByUln>, lrs: Data<Lrs>) -> Result<Json<FindResult>, Problem> {
    Ok(Json(lrs.call(&caller, &body.value).await?.into()))
}

/// Find learners by demographics
///
/// Searches the register by name, date of birth, gender and postcode. LRS compares postcodes without the space, and given
/// names also with the preferred one. More than ten candidates are `TOO_MANY_MATCHES`: search with more particulars.
///
/// Search before you register: LRS refuses to register a learner who was not searched for a short time before.
#[utoipa::path(
    operation_id = "findLearnersByDemographics",
    tag = "Learners",
    security(("bearer" = ["learners:read"])),
    request_body(content = FindByDemographics, example = json!({
        "givenName": "Ana", "familyName": "O'Neill", "dateOfBirth": "2003-04-05", "gender": "FEMALE",
        "lastKnownPostCode": "ZZ99 9ZZ"
    })),
    responses(
        (status = 200, description = "What the search came to. No match is an answer too.", body = FindResult, example = json!({
            "outcome": "NO_MATCH",
            "lrsCode": "WSRC0001",
            "learners": [],
            "searched": {
                "givenName": "Ana", "familyName": "O'Neill", "dateOfBirth": "2003-04-05", "gender": "FEMALE",
                "lastKnownPostCode": "ZZ99 9ZZ"
            }
        })),
        Problems
    )
)]
#[post("/learners/find-by-demographics")]
pub async fn find_learners_by_demographics(
    caller: Caller<LearnersRead>,
    body: Body<FindByDemographics>,
    lrs: Data<Lrs>,
) -> Result<Json<FindResult>, Problem> {
    Ok(Json(lrs.call(&caller, &body.value).await?.into()))
}

impl From<FindLearnerResponse> for FindResult {
    fn from(answer: FindLearnerResponse) -> Self {
        Self {
            outcome: FindOutcome::of(&answer.response_code),
            lrs_code: answer.response_code,
            learners: answer.learner,
            searched: SearchedFor {
                uln: answer.uln,
                given_name: answer.given_name,
                family_name: answer.family_name,
                date_of_birth: answer.date_of_birth,
                gender: answer.gender,
                last_known_post_code: answer.last_known_post_code,
                previous_family_name: answer.previous_family_name,
                school_at_age16: answer.school_at_age16,
                place_of_birth: answer.place_of_birth,
                email_address: answer.email_address,
            },
        }
    }
}
