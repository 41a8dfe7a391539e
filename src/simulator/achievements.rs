//! What becomes of the achievements of a batch (FACTS 2.13).
//!
//! LRS's rules and the form of its error file are not public: the simulator has its own.

use std::collections::HashMap;
use std::fmt;

use crate::domain::{
    Achievement, AchievementAction, AchievementJob, Extensible, FromLrs as _, LearningEvent, Personal, SubmissionType, XmlDateTime,
};
use crate::lrs::soap::element::Element;
use crate::schema::Scalar as _;
use crate::simulator::learner_record::now;
use crate::simulator::learner_register::{Register, names_fit};
use crate::simulator::sample_learners::event;

/// The first line of an error file.
const ERROR_FILE_HEADER: &str = "RecordNumber,Uln,UnitOrQualificationReferenceNumber,MisIdentifier,Error\r\n";
/// Numbers of events are above those of invented ones.
const FIRST_EVENT: i32 = 1_000_000;

/// An achievement as it was submitted.
pub struct Submitted {
    action: Option<AchievementAction>,
    award_date: String,
    date_of_birth: Option<String>,
    family_name: String,
    given_name: String,
    grade: Option<String>,
    language: Option<String>,
    pub mis_identifier: String,
    provider_ukprn: String,
    uln: String,
    reference: String,
}

impl Submitted {
    /// Reads an achievement whose form has been checked. `None`: a number is too large, or a day not in the calendar.
    pub fn read(element: &Element) -> Option<Self> {
        let text = |name| Some(element.text_of(name)).filter(|text: &&str| !text.is_empty()).map(str::to_owned);
        let day = |name| {
            let moment = element.text_of(name).trim();
            XmlDateTime::from_lrs(moment).map(|_| moment[..10].to_owned())
        };
        let number = |name| element.text_of(name).trim().parse::<i32>().ok();
        day("ActionDate")?;
        if element.child("Gender").is_some() {
            number("Gender")?;
        }
        Some(Self {
            action: AchievementAction::from_lrs(&number("Action")?.to_string()),
            award_date: day("AchievementAwardDate")?,
            date_of_birth: if element.child("DateofBirth").is_some() { Some(day("DateofBirth")?) } else { None },
            family_name: text("FamilyName").unwrap_or_default(),
            given_name: text("GivenName").unwrap_or_default(),
            grade: text("Grade"),
            language: text("LanguageForAssessment"),
            mis_identifier: text("MisIdentifier").unwrap_or_default(),
            provider_ukprn: text("ProviderUkprn").unwrap_or_default(),
            uln: text("Uln").unwrap_or_default(),
            reference: text("UnitOrQualificationReferenceNumber").unwrap_or_default(),
        })
    }

    /// The learning event it becomes.
    fn event(&self, number: i32, organisation: &str, is_final: bool) -> LearningEvent {
        let text = |text: &str| Some(Personal::new(text.to_owned()));
        LearningEvent {
            achievement_award_date: Some(Extensible::from_lrs(&self.award_date)),
            achievement_provider_ukprn: text(&self.provider_ukprn),
            awarding_organisation_ukprn: text(organisation),
            date_loaded: Some(now()),
            grade: self.grade.clone().map(Personal::new),
            language_for_assessment: self.language.clone().map(Personal::new),
            status: text(if is_final { "F" } else { "P" }),
            subject_code: text(&self.reference),
            ..event(number, "AO")
        }
    }
}

impl From<&Achievement> for Submitted {
    fn from(achievement: &Achievement) -> Self {
        Self {
            action: Some(achievement.action),
            award_date: achievement.achievement_award_date.text().into_owned(),
            date_of_birth: achievement.date_of_birth.map(|date| date.text().into_owned()),
            family_name: achievement.family_name.as_str().to_owned(),
            given_name: achievement.given_name.as_str().to_owned(),
            grade: achievement.grade.as_ref().map(|grade| grade.as_str().to_owned()),
            language: achievement.language_for_assessment.as_ref().map(|language| language.as_str().to_owned()),
            mis_identifier: achievement.mis_identifier.as_ref().map_or_else(String::new, |name| name.as_str().to_owned()),
            provider_ukprn: achievement.provider_ukprn.as_str().to_owned(),
            uln: achievement.uln.as_str().to_owned(),
            reference: achievement.unit_or_qualification_reference_number.as_str().to_owned(),
        }
    }
}

/// Every achievement that was created, by the organisation, the learner and the qualification.
#[derive(Default)]
pub struct Achievements(HashMap<(String, String, String), Held>);

impl fmt::Debug for Achievements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Achievements").field("count", &self.0.len()).finish_non_exhaustive()
    }
}

/// What is known of an achievement.
#[derive(Clone, Copy)]
struct Held {
    event: i32,
    is_final: bool,
    withdrawn: bool,
}

/// What was done with an achievement.
enum Done {
    Created,
    Promoted,
    Updated,
    Withdrawn,
    Reinstated,
}

/// Why nothing was done with it.
enum Refused {
    Field(&'static str),
    Learner(&'static str),
    Rule(&'static str),
}

impl Achievements {
    /// Does what a batch asks for, and counts.
    pub fn process(
        &mut self,
        register: &mut Register,
        organisation: &str,
        submission: SubmissionType,
        batch: &[Submitted],
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
            r#type: Some(submission.to_lrs().into_owned()),
            ..AchievementJob::default()
        };
        let (mut taken, mut errors) = (0, String::new());
        for (number, achievement) in (1..).zip(batch) {
            let judged = self.judge(register, organisation, submission, achievement);
            if judged.is_ok() {
                taken += 1;
            }
            let count = match judged {
                Ok(Done::Created) => &mut job.achievements_created,
                Ok(Done::Promoted) => &mut job.achievements_promoted_to_final,
                Ok(Done::Updated) => &mut job.achievements_updated,
                Ok(Done::Withdrawn) => &mut job.achievements_withdrawn,
                Ok(Done::Reinstated) => &mut job.achievements_reinstated,
                Err(Refused::Field(why)) => {
                    note(&mut errors, number, achievement, "field data", why);
                    &mut job.field_data_errors
                }
                Err(Refused::Learner(why)) => {
                    note(&mut errors, number, achievement, "learner data", why);
                    &mut job.learner_data_errors
                }
                Err(Refused::Rule(why)) => {
                    note(&mut errors, number, achievement, "business rule", why);
                    &mut job.business_rule_errors
                }
            };
            *count = count.map(|count| count + 1);
        }
        let successful = match submission {
            SubmissionType::Final => &mut job.successful_final_achievements,
            SubmissionType::Provisional => &mut job.successful_provisional_achievements,
        };
        *successful = i32::try_from(taken).ok();
        let hundredths = taken * 10_000 / batch.len().max(1);
        job.percentage_successful_records = Some(format!("{}.{:02}", hundredths / 100, hundredths % 100));
        job.rejection_reason = (taken == 0).then(|| Personal::new("No record of the batch could be taken.".to_owned()));
        job.achievement_batch_error_file = (!errors.is_empty()).then(|| Personal::new(format!("{ERROR_FILE_HEADER}{errors}")));
        job
    }

    /// Does what one achievement asks for: its fields first, then whose it is, then whether it may be done.
    fn judge(
        &mut self,
        register: &mut Register,
        organisation: &str,
        submission: SubmissionType,
        achievement: &Submitted,
    ) -> Result<Done, Refused> {
        let Some(action) = achievement.action else { return Err(Refused::Field("the action is not 1 to 4")) };
        if achievement.provider_ukprn.trim().is_empty() {
            return Err(Refused::Field("there is no provider UKPRN"));
        }
        if achievement.reference.trim().is_empty() {
            return Err(Refused::Field("there is no reference number"));
        }
        let owner = owner_of(register, achievement)?;
        let is_final = submission == SubmissionType::Final;
        let next = FIRST_EVENT + i32::try_from(self.0.len()).unwrap_or(i32::MAX - FIRST_EVENT);
        let key = (organisation.to_owned(), achievement.uln.clone(), achievement.reference.clone());
        let known = self.0.get(&key).copied();
        let (done, held) = match (action, known) {
            (AchievementAction::Create, None) => (Done::Created, Held { event: next, is_final, withdrawn: false }),
            (AchievementAction::Create, Some(Held { event, is_final: false, withdrawn: false })) if is_final => {
                (Done::Promoted, Held { event, is_final, withdrawn: false })
            }
            (AchievementAction::Create, Some(_)) => return Err(Refused::Rule("it was created before")),
            (_, None) => return Err(Refused::Rule("it was never created")),
            (AchievementAction::Update, Some(held)) if !held.withdrawn => (Done::Updated, held),
            (AchievementAction::Withdraw, Some(held)) if !held.withdrawn => (Done::Withdrawn, Held { withdrawn: true, ..held }),
            (AchievementAction::Update | AchievementAction::Withdraw, Some(_)) => return Err(Refused::Rule("it is withdrawn")),
            (AchievementAction::Reinstate, Some(held)) if held.withdrawn => (Done::Reinstated, Held { withdrawn: false, ..held }),
            (AchievementAction::Reinstate, Some(_)) => return Err(Refused::Rule("it is not withdrawn")),
        };
        if held.withdrawn {
            register.remove_achievement(&owner, held.event);
        } else {
            register.put_achievement(&owner, held.event, achievement.event(held.event, organisation, held.is_final));
        }
        self.0.insert(key, held);
        Ok(done)
    }
}

/// The ULN of the record that has the learner's events: the learner's own, or the master's.
fn owner_of(register: &Register, achievement: &Submitted) -> Result<String, Refused> {
    let Some((entry, master)) = register.look_up(&achievement.uln) else { return Err(Refused::Learner("nobody has this ULN")) };
    let learner = &entry.learner;
    let born = learner.date_of_birth.as_ref().map(Extensible::to_lrs);
    let born_then = achievement.date_of_birth.as_deref().is_none_or(|day| born.as_deref() == Some(day));
    if !born_then || !names_fit(learner, &achievement.given_name, &achievement.family_name) {
        return Err(Refused::Learner("the names or the date of birth are not those of this ULN"));
    }
    Ok(master.unwrap_or(entry).learner.uln.to_lrs().into_owned())
}

/// Writes a line of the error file.
fn note(file: &mut String, number: usize, achievement: &Submitted, kind: &str, why: &str) {
    let fields = [&number.to_string(), &achievement.uln, &achievement.reference, &achievement.mis_identifier, &format!("{kind}: {why}")];
    file.push_str(&fields.map(|field| quoted(field)).join(","));
    file.push_str("\r\n");
}

/// A field of a CSV file: in quotes if it must be.
fn quoted(field: &str) -> String {
    if field.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field.to_owned() }
}
