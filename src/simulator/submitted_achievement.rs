//! Achievements of a batch, as texts of the message or from settings.

use crate::domain::{Achievement, AchievementAction, Extensible, FromLrs as _, LearningEvent, Personal, XmlDateTime};
use crate::schema::Scalar as _;
use crate::simulator::sample_events::base_event;
use crate::simulator::timestamps::current_local_date_time;
use crate::xml::Element;

/// An achievement of a batch. Values that LRS does not check in the schema may be empty or unknown.
pub struct SubmittedAchievement {
    /// `None`: the number is not one of an action.
    pub action: Option<AchievementAction>,
    pub award_date: String,
    pub date_of_birth: Option<String>,
    pub family_name: String,
    pub given_name: String,
    pub grade: Option<String>,
    pub language: Option<String>,
    pub mis_identifier: String,
    pub provider_ukprn: String,
    pub uln: String,
    /// The reference number of the unit or qualification.
    pub reference: String,
}

impl SubmittedAchievement {
    /// Reads an achievement that the schema allows. `None`: a number is too large, or a date does not exist.
    pub fn read(element: &Element) -> Option<Self> {
        let text = |name| Some(element.text_of(name)).filter(|text: &&str| !text.is_empty()).map(str::to_owned);
        let date = |name| {
            let date_time = element.text_of(name).trim();
            XmlDateTime::from_lrs(date_time).map(|_| date_time[..10].to_owned())
        };
        let number = |name| element.text_of(name).trim().parse::<i32>().ok();
        date("ActionDate")?;
        if element.child("Gender").is_some() {
            number("Gender")?;
        }
        Some(Self {
            action: AchievementAction::from_lrs(&number("Action")?.to_string()),
            award_date: date("AchievementAwardDate")?,
            date_of_birth: if element.child("DateofBirth").is_some() { Some(date("DateofBirth")?) } else { None },
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

    /// Returns the learning event that LRS creates for the achievement.
    pub fn to_event(&self, event_id: i32, organisation: &str, is_final: bool) -> LearningEvent {
        let text = |text: &str| Some(Personal::new(text.to_owned()));
        LearningEvent {
            achievement_award_date: Some(Extensible::from_lrs(&self.award_date)),
            achievement_provider_ukprn: text(&self.provider_ukprn),
            awarding_organisation_ukprn: text(organisation),
            date_loaded: Some(current_local_date_time()),
            grade: self.grade.clone().map(Personal::new),
            language_for_assessment: self.language.clone().map(Personal::new),
            status: text(if is_final { "F" } else { "P" }),
            subject_code: text(&self.reference),
            ..base_event(event_id, "AO")
        }
    }
}

impl From<&Achievement> for SubmittedAchievement {
    fn from(achievement: &Achievement) -> Self {
        Self {
            action: Some(achievement.action),
            award_date: achievement.achievement_award_date.text().into_owned(),
            date_of_birth: achievement.date_of_birth.map(|date| date.text().into_owned()),
            family_name: achievement.family_name.as_str().to_owned(),
            given_name: achievement.given_name.as_str().to_owned(),
            grade: achievement.grade.as_ref().map(|grade| grade.as_str().to_owned()),
            language: achievement.language_for_assessment.as_ref().map(|language| language.as_str().to_owned()),
            mis_identifier: achievement.mis_identifier.as_ref().map_or_else(String::new, |identifier| identifier.as_str().to_owned()),
            provider_ukprn: achievement.provider_ukprn.as_str().to_owned(),
            uln: achievement.uln.as_str().to_owned(),
            reference: achievement.unit_or_qualification_reference_number.as_str().to_owned(),
        }
    }
}
