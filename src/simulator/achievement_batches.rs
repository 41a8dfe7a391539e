//! Processing of achievement batches (LRS-CONTRACT 2.15, 2.16).
//!
//! LRS's rules and the format of its error file are not public. The simulator has its own; `docs/SIMULATOR.md` lists them.

use std::collections::HashMap;
use std::fmt;

use crate::domain::{AchievementAction, AchievementJob, Extensible, FromLrs as _, Personal, SubmissionType};
use crate::simulator::learner_register::LearnerRegister;
use crate::simulator::learner_search::names_match;
use crate::simulator::submitted_achievement::SubmittedAchievement;

/// The number of the first event from an achievement batch. Sample events have lower numbers.
const FIRST_EVENT_ID: i32 = 1_000_000;

/// The first line of an error file.
const ERROR_FILE_HEADER: &str = "RecordNumber,Uln,UnitOrQualificationReferenceNumber,MisIdentifier,Error\r\n";

/// Achievements that batches have created, and their current state.
#[derive(Default)]
pub struct AchievementHistory(HashMap<AchievementKey, AchievementState>);

/// The values that identify an achievement.
#[derive(PartialEq, Eq, Hash)]
struct AchievementKey {
    organisation: String,
    uln: String,
    reference: String,
}

#[derive(Clone, Copy)]
struct AchievementState {
    event_id: i32,
    is_final: bool,
    is_withdrawn: bool,
}

/// A change of an achievement.
enum Change {
    Created,
    PromotedToFinal,
    Updated,
    Withdrawn,
    Reinstated,
}

/// The reason why LRS rejects a record.
enum RecordError {
    FieldData(&'static str),
    LearnerData(&'static str),
    BusinessRule(&'static str),
}

impl RecordError {
    /// Returns the error's text for the error file.
    fn text(&self) -> String {
        match self {
            Self::FieldData(reason) => format!("field data: {reason}"),
            Self::LearnerData(reason) => format!("learner data: {reason}"),
            Self::BusinessRule(reason) => format!("business rule: {reason}"),
        }
    }
}

impl fmt::Debug for AchievementHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AchievementHistory").field("count", &self.0.len()).finish_non_exhaustive()
    }
}

impl AchievementHistory {
    /// Processes a batch and returns its job with counters and error file.
    pub fn process(
        &mut self,
        register: &mut LearnerRegister,
        organisation: &str,
        submission_type: SubmissionType,
        batch: &[SubmittedAchievement],
    ) -> AchievementJob {
        let mut job = AchievementJob {
            achievements_created: Some(0),
            achievements_promoted_to_final: Some(0),
            achievements_reinstated: Some(0),
            achievements_updated: Some(0),
            achievements_withdrawn: Some(0),
            business_rule_errors: Some(0),
            field_data_errors: Some(0),
            learner_data_errors: Some(0),
            successful_final_achievements: Some(0),
            successful_provisional_achievements: Some(0),
            number_of_records: i32::try_from(batch.len()).ok(),
            r#type: Some(submission_type.to_lrs().into_owned()),
            ..AchievementJob::default()
        };
        let (mut accepted, mut error_lines) = (0, String::new());
        for (record_number, achievement) in (1..).zip(batch) {
            let result = self.process_record(register, organisation, submission_type, achievement);
            match &result {
                Ok(_) => accepted += 1,
                Err(error) => push_error_line(&mut error_lines, record_number, achievement, &error.text()),
            }
            let count = match result {
                Ok(Change::Created) => &mut job.achievements_created,
                Ok(Change::PromotedToFinal) => &mut job.achievements_promoted_to_final,
                Ok(Change::Updated) => &mut job.achievements_updated,
                Ok(Change::Withdrawn) => &mut job.achievements_withdrawn,
                Ok(Change::Reinstated) => &mut job.achievements_reinstated,
                Err(RecordError::FieldData(_)) => &mut job.field_data_errors,
                Err(RecordError::LearnerData(_)) => &mut job.learner_data_errors,
                Err(RecordError::BusinessRule(_)) => &mut job.business_rule_errors,
            };
            *count = count.map(|count| count + 1);
        }
        let successful = match submission_type {
            SubmissionType::Final => &mut job.successful_final_achievements,
            SubmissionType::Provisional => &mut job.successful_provisional_achievements,
        };
        *successful = i32::try_from(accepted).ok();
        let hundredths = accepted * 10_000 / batch.len().max(1);
        job.percentage_successful_records = Some(format!("{}.{:02}", hundredths / 100, hundredths % 100));
        job.rejection_reason = (accepted == 0).then(|| Personal::new("LRS accepted no record of the batch.".to_owned()));
        job.achievement_batch_error_file = (!error_lines.is_empty()).then(|| Personal::new(format!("{ERROR_FILE_HEADER}{error_lines}")));
        job
    }

    /// Checks one record and applies it: first its fields, then its learner, then the achievement's state.
    fn process_record(
        &mut self,
        register: &mut LearnerRegister,
        organisation: &str,
        submission_type: SubmissionType,
        achievement: &SubmittedAchievement,
    ) -> Result<Change, RecordError> {
        let action = check_fields(achievement)?;
        let owner_uln = find_owner_uln(register, achievement)?;
        let key = AchievementKey {
            organisation: organisation.to_owned(),
            uln: achievement.uln.clone(),
            reference: achievement.reference.clone(),
        };
        let is_final = submission_type == SubmissionType::Final;
        let (change, state) = self.next_state(&key, action, is_final).map_err(RecordError::BusinessRule)?;
        if state.is_withdrawn {
            register.remove_achievement(&owner_uln, state.event_id);
        } else {
            register.put_achievement(&owner_uln, state.event_id, achievement.to_event(state.event_id, organisation, state.is_final));
        }
        self.0.insert(key, state);
        Ok(change)
    }

    /// Returns the state of an achievement after an action, or the business rule that forbids the action.
    fn next_state(
        &self,
        key: &AchievementKey,
        action: AchievementAction,
        is_final: bool,
    ) -> Result<(Change, AchievementState), &'static str> {
        let current = self.0.get(key).copied();
        let next = match (action, current) {
            (AchievementAction::Create, None) => {
                let event_id = FIRST_EVENT_ID + i32::try_from(self.0.len()).unwrap_or(i32::MAX - FIRST_EVENT_ID);
                (Change::Created, AchievementState { event_id, is_final, is_withdrawn: false })
            }
            (AchievementAction::Create, Some(AchievementState { event_id, is_final: false, is_withdrawn: false })) if is_final => {
                (Change::PromotedToFinal, AchievementState { event_id, is_final, is_withdrawn: false })
            }
            (AchievementAction::Create, Some(_)) => return Err("the achievement exists already"),
            (_, None) => return Err("the achievement does not exist"),
            (AchievementAction::Update, Some(state)) if !state.is_withdrawn => (Change::Updated, state),
            (AchievementAction::Withdraw, Some(state)) if !state.is_withdrawn => {
                (Change::Withdrawn, AchievementState { is_withdrawn: true, ..state })
            }
            (AchievementAction::Update | AchievementAction::Withdraw, Some(_)) => return Err("the achievement is withdrawn"),
            (AchievementAction::Reinstate, Some(state)) if state.is_withdrawn => {
                (Change::Reinstated, AchievementState { is_withdrawn: false, ..state })
            }
            (AchievementAction::Reinstate, Some(_)) => return Err("the achievement is not withdrawn"),
        };
        Ok(next)
    }
}

fn check_fields(achievement: &SubmittedAchievement) -> Result<AchievementAction, RecordError> {
    let action = achievement.action.ok_or(RecordError::FieldData("the action must be 1, 2, 3 or 4"))?;
    if achievement.provider_ukprn.trim().is_empty() {
        return Err(RecordError::FieldData("the provider UKPRN is required"));
    }
    if achievement.reference.trim().is_empty() {
        return Err(RecordError::FieldData("the reference number is required"));
    }
    Ok(action)
}

/// Returns the ULN of the record that holds the learner's events: the learner's own record, or its master.
fn find_owner_uln(register: &LearnerRegister, achievement: &SubmittedAchievement) -> Result<String, RecordError> {
    let Some((entry, master)) = register.look_up(&achievement.uln) else {
        return Err(RecordError::LearnerData("no learner has this ULN"));
    };
    let learner = &entry.learner;
    let date_of_birth = learner.date_of_birth.as_ref().map(Extensible::to_lrs);
    let date_matches = achievement.date_of_birth.as_deref().is_none_or(|date| date_of_birth.as_deref() == Some(date));
    if !date_matches || !names_match(learner, &achievement.given_name, &achievement.family_name) {
        return Err(RecordError::LearnerData("the names or the date of birth do not match the ULN"));
    }
    Ok(master.unwrap_or(entry).learner.uln.to_lrs().into_owned())
}

fn push_error_line(error_lines: &mut String, record_number: usize, achievement: &SubmittedAchievement, error: &str) {
    let fields = [&record_number.to_string(), &achievement.uln, &achievement.reference, &achievement.mis_identifier, error];
    error_lines.push_str(&fields.map(csv_field).join(","));
    error_lines.push_str("\r\n");
}

/// Returns a CSV field, in quotes if necessary.
fn csv_field(text: &str) -> String {
    if text.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}
