//! Reading learning events.

use crate::api::extract::Body;
use crate::api::json::Json;
use crate::api::outcome::Outcome as _;
use crate::api::work::{LrsCall, ProblemOf};
use crate::app::State;
use crate::auth::Caller;
use crate::auth::scope::LearningEventsRead;
use crate::domain::{Extensible, LearningEvent, LearningEventsSearch, Uln};
use crate::lrs::response_codes::LrsCode;
use crate::lrs::services::learner_r9::LearningEventsResult;
use crate::schema::{Answer, CodeList};

/// Outcome of reading a personal learning record.
// LRS-CONTRACT 2.14.
#[derive(Debug, Clone, Copy, PartialEq, Eq, CodeList)]
pub enum LearningEventsOutcome {
    /// LRS returned the learner's record.
    #[code(lrs = "WSRC0004")]
    ExactMatch,
    /// LRS returned the record of the learner that the ULN was merged into.
    #[code(lrs = "WSRC0022")]
    LinkedLearner,
    /// The learner does not share the record.
    #[code(lrs = "WSEC0206")]
    NotShared,
    /// LRS could not verify the learner.
    #[code(lrs = "WSEC0208")]
    NotVerified,
    /// An undocumented code. The answer states it in `lrsCode`.
    #[code(other)]
    Other,
}

/// A personal learning record, or the reason why LRS does not return one.
#[derive(Debug, Answer)]
pub struct LearningEvents {
    /// Outcome. With `NOT_SHARED` and `NOT_VERIFIED`, `events` is empty because LRS does not return the record, not because the record
    /// has no events.
    pub outcome: LearningEventsOutcome,
    /// Code of the outcome, as returned by LRS.
    #[answer(example = "WSRC0004")]
    pub lrs_code: LrsCode,
    /// ULN in the request, as repeated by LRS.
    pub incoming_uln: Option<Extensible<Uln>>,
    /// ULN of the record. With `LINKED_LEARNER`, the ULN of the master record.
    pub found_uln: Option<Extensible<Uln>>,
    /// Learning events.
    pub events: Vec<LearningEvent>,
}

pub(crate) struct GetLearningEventsDocs;

/// Read a learner's learning events
///
/// Returns the personal learning record (PLR): achievements and participation, as reported by awarding organisations, the ILR, the National
/// Pupil Database and other sources. The ULN and the names must match the register.
#[utoipa::path(post, path = "", impl_for = GetLearningEventsDocs,
    request_body(content_type = "application/json", example = json!({
        "uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill", "detailLevel": "FULL"
    })),
    responses(
        (status = 200, description = "Personal learning record, or the reason why LRS does not return one.", body = LearningEvents, example = json!({
            "outcome": "EXACT_MATCH",
            "lrsCode": "WSRC0004",
            "incomingUln": "3000000126",
            "foundUln": "3000000126",
            "events": [{
                "achievementAwardDate": "2019-08-22", "awardingOrganisationName": "Example Awards", "awardingOrganisationUkprn": "100060",
                "credits": 0, "dateLoaded": "2019-09-30T10:10:07+01:00", "grade": "Pass", "id": 5001, "languageForAssessment": "English",
                "level": "Level 2", "qualificationType": "Vocationally-Related Qualification", "source": "AO", "status": "F",
                "subject": "Level 2 Certificate in Example Studies", "subjectCode": "600/0000/X", "underDataChallenge": "N"
            }]
        }))
    )
)]
pub async fn get_learning_events(
    state: State,
    caller: Caller<LearningEventsRead>,
    body: Body<LearningEventsSearch>,
) -> Result<Json<LearningEvents>, ProblemOf<LrsCall<LearningEventsSearch>>> {
    Ok(Json(state.lrs.call(&caller, &body.value).await?.result.0.into()))
}

impl From<LearningEventsResult> for LearningEvents {
    fn from(result: LearningEventsResult) -> Self {
        Self {
            outcome: LearningEventsOutcome::from_code(&result.response_code),
            lrs_code: result.response_code,
            incoming_uln: result.incoming_uln,
            found_uln: result.found_uln,
            events: result.learner_record.map(|record| record.0.learning_event).unwrap_or_default(),
        }
    }
}
